import assert from "node:assert/strict";
import { test } from "node:test";

import { yen } from "../src/lib/numbers";

test("money is written as each language writes it", () => {
  assert.equal(yen(2_280_000_000, "ja"), "22.8億円");
  assert.equal(yen(661_074_000, "ja"), "6.61億円");
  assert.equal(yen(9_500_000, "ja"), "950万円");
  assert.equal(yen(800, "ja"), "800円");
  assert.equal(yen(84_246_000, "ja"), "8,424.6万円");
  assert.equal(yen(2_280_000_000, "en"), "2.28 billion yen");
  assert.equal(yen(661_074_000, "en"), "661.07 million yen");
  assert.equal(yen(950_000, "en"), "950 thousand yen");
});
