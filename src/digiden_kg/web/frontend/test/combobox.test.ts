import assert from "node:assert/strict";
import { test } from "node:test";

import { pieces, step } from "../src/lib/combobox";

test("what was typed is marked, counted in characters", () => {
  assert.deepEqual(pieces("小田原市", [[0, 2]]), [["小田", true], ["原市", false]]);
  assert.deepEqual(pieces("𠮷田市", [[1, 2]]), [["𠮷", false], ["田", true], ["市", false]]);
  assert.deepEqual(pieces("図書館", []), [["図書館", false]]);
});

test("arrows go round through the field", () => {
  assert.equal(step(-1, 1, 3), 0);
  assert.equal(step(2, 1, 3), -1);
  assert.equal(step(-1, -1, 3), 2);
  assert.equal(step(0, -1, 3), -1);
});
