import assert from "node:assert/strict";
import { test } from "node:test";

import { drawing, shorten } from "../src/lib/drawing";
import { settle, settleGroups, settling } from "../src/lib/layout";
import { withPlaces } from "../src/lib/positions";
import { addressOf, pinsOf, withGrouping, withPins } from "../src/lib/view";

test("pins stand in the address and come back from it", () => {
  const query = new URLSearchParams("iri=id:body/142069&expand=id:body/142069+in+dg:grantedTo&pin=broken&pin=id:a+x+1");
  assert.equal(pinsOf(query).size, 0);
  const changed = withPins(query, new Map([["id:body/142069", { x: 12.4, y: -3.6 }]]));
  const address = addressOf("/explore", withGrouping(changed, "1"));
  assert.equal(
    address,
    "/explore?iri=id:body/142069&expand=id:body/142069+in+dg:grantedTo&pin=id:body/142069+12+-4&group=1",
  );
  const back = new URL(address, "http://localhost").searchParams;
  assert.deepEqual([...pinsOf(back)], [["id:body/142069", { x: 12, y: -4 }]]);
  assert.equal(withGrouping(back, "").has("group"), false);
});

test("things around a hub do not lie on each other, and the same graph looks the same", () => {
  const links = Array.from({ length: 60 }, (_, at) => [0, at + 1] as const);
  const places = settle({ count: 61, links });
  assert.deepEqual(places, settle({ count: 61, links }));
  for (let a = 0; a < places.length; a++)
    for (let b = 0; b < a; b++) {
      const near = Math.hypot(places[a]!.x - places[b]!.x, places[a]!.y - places[b]!.y);
      assert.ok(near > 20, `${a} and ${b} are ${near} apart`);
    }
});

test("a pinned thing stays, and what was there hardly moves when the graph grows", () => {
  const before = settle({ count: 3, links: [[0, 1], [0, 2]] });
  const known = new Map(before.map((place, at) => [at, place] as const));
  const after = settle({ count: 6, links: [[0, 1], [0, 2], [2, 3], [2, 4], [2, 5]], known, fixed: new Set([2]) });
  assert.deepEqual(after[2], before[2]);
  assert.ok(Math.hypot(after[1]!.x - before[1]!.x, after[1]!.y - before[1]!.y) < 120);
});

test("two thousand things are placed in time", () => {
  const links = Array.from({ length: 1999 }, (_, at) => [at % 40, at + 1] as const);
  const start = performance.now();
  const places = settle({ count: 2000, links });
  assert.ok(places.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)));
  assert.ok(performance.now() - start < 10_000);
});

test("groups are apart from each other", () => {
  const groups = Array.from({ length: 90 }, (_, at) => ["body", "project", "type"][at % 3]!);
  const places = settleGroups(groups);
  const bounds = ["body", "project", "type"].map((group) => {
    const own = places.filter((_, at) => groups[at] === group);
    const [xs, ys] = [own.map((each) => each.x), own.map((each) => each.y)];
    return [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)] as const;
  });
  for (const [at, a] of bounds.entries())
    for (const b of bounds.slice(at + 1)) assert.ok(a[1] < b[0] || b[1] < a[0] || a[3] < b[2] || b[3] < a[2]);
});

test("a picture dashes what is inferred and escapes what XML reserves", () => {
  const palette = { canvas: "#fff", text: "#333", quiet: "#555", path: "#00c", shown: "#c00", groups: { body: "#00f" } };
  const dots = [
    { x: 0, y: 0, name: "id:a", label: "小田原市 & <町>", short: "小田原市 & <町>", kind: "市", group: "body" },
    { x: 90, y: 40, name: "id:b", label: "地域通貨\u0000", short: "地域通貨\u0000", kind: "型", group: "type" },
  ];
  const svg = drawing(dots, [{ from: 0, to: 1, label: "採用する型", inferred: true, path: false }], palette, "小田原市");
  assert.match(svg, /小田原市 &amp; &lt;町&gt;/);
  assert.match(svg, /stroke-dasharray/);
  assert.match(svg, /<polygon/);
  assert.doesNotMatch(svg, /\u0000/);
});

test("a long label is cut by its width, a short one is not", () => {
  assert.equal(shorten("小田原市"), "小田原市");
  assert.equal(shorten("あ".repeat(30)), `${"あ".repeat(17)}…`);
  assert.equal(shorten("Town points with the My Number Card, and more").length, 31);
});

test("files get the places of the canvas, with axes that point up", () => {
  const places = [{ x: 1.26, y: -2 }, { x: 0, y: 0 }];
  const graphml = '<graphml>\n<key id="n0" for="node"/>\n<graph id="G">\n<node id="a"><data key="n0">甲</data></node>\n<node id="b"><data key="n0">乙</data></node>\n<edge source="a" target="b"></edge></graph></graphml>';
  const placed = withPlaces(graphml, "graphml", places);
  assert.match(placed, /<key id="x" for="node" attr.name="x" attr.type="double"\/>\n<key id="y"[^\n]*\n<graph /);
  assert.match(placed, /<node id="a"><data key="n0">甲<\/data><data key="x">1.3<\/data><data key="y">2<\/data><\/node>/);
  assert.match(placed, /<data key="x">0<\/data><data key="y">0<\/data><\/node>\n<edge/);
  const gexf = '<gexf xmlns="http://gexf.net/1.3"><nodes>\n<node id="a" label="甲"></node>\n<node id="b" label="乙"></node></nodes></gexf>';
  assert.match(withPlaces(gexf, "gexf", places), /xmlns:viz="http:\/\/gexf.net\/1.3\/viz".*<viz:position x="1.3" y="2" z="0"\/><\/node>/s);
  assert.throws(() => withPlaces(gexf, "gexf", places.slice(1)));
});

test("round by round ends where all at once does", () => {
  const wish = { count: 30, links: Array.from({ length: 29 }, (_, at) => [at % 4, at + 1] as const) };
  const rounds = settling(wish);
  let step = rounds.next();
  while (!step.done) {
    assert.equal(step.value.length, 30);
    step = rounds.next();
  }
  assert.deepEqual(step.value, settle(wish));
});
