import assert from "node:assert/strict";
import { test } from "node:test";

import { heightOf, readPart, withPart } from "../src/lib/embedding";

test("a part is a kind and a place, and nothing else", () => {
  assert.deepEqual(readPart("chart-2"), { kind: "chart", place: 1 });
  for (const text of ["1", "chart-0", "chart-", "script-1", "table-100", "table-1 "]) assert.equal(readPart(text), undefined);
});

test("code to paste asks for the part that was chosen", () => {
  const code = '<iframe src="http://x/map?figure=a&amp;lang=ja&amp;embed=1" title="a"></iframe>';
  const chosen = withPart(code, "map-1");
  assert.match(chosen, /&amp;embed=map-1"/);
  assert.match(withPart(chosen, "1"), /&amp;embed=1"/);
});

test("only a height within reason is taken", () => {
  assert.equal(heightOf({ digiden: "height", height: 321.2 }), 322);
  assert.equal(heightOf({ digiden: "height", height: 1e9 }), 20_000);
  for (const message of [null, 5, "height", { height: 3 }, { digiden: "height" }, { digiden: "height", height: NaN }])
    assert.equal(heightOf(message), undefined);
});
