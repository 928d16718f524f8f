import assert from "node:assert/strict";
import { test } from "node:test";

import { folder, type Rules } from "../src/lib/fold";
import { Index, needed, shardOf } from "../src/lib/offline";
import shared from "./fold.json";

test("text is folded as the server folds it", () => {
  const fold = folder(shared.rules as unknown as Rules);
  for (const [text = "", folded] of shared.cases) assert.equal(fold(text), folded, text);
});

test("grams are of letters and digits, one or two", () => {
  assert.deepEqual(needed("町"), ["町"]);
  assert.deepEqual(needed("小田原-市"), ["小田", "田原", "市"]);
});

test("only the parts that are needed are loaded", async () => {
  const thing = (text: string, kind: number) => ({ at: text, names: { ja: text }, text, facets: { kind: [kind] } });
  const shards: Record<string, number[]>[] = Array.from({ length: 4 }, () => ({}));
  ["小田原", "小田", "原町"].forEach((text, number) => {
    for (const gram of new Set([...text, ...needed(text)])) (shards[shardOf(gram, 4)]![gram] ??= []).push(number);
  });
  const parts: Record<string, unknown> = {
    "meta.json": {
      rules: { case: {}, map: {}, between: { ガ: "ケ" }, kanji: "[一-龥]" },
      block: 2,
      total: 3,
      facets: [{ name: "kind", title: {}, values: [{ value: "A" }, { value: "B" }] }],
      blocks: ["b0", "b1"],
      grams: ["g0", "g1", "g2", "g3"],
    },
    b0: [thing("小田原", 0), thing("小田", 1)],
    b1: [thing("原町", 0)],
    ...Object.fromEntries(shards.map((each, at) => [`g${at}`, each])),
  };
  const loaded: string[] = [];
  const index = await Index.open(async (address) => (loaded.push(address), parts[address]));
  const found = await index.search("小田");
  assert.deepEqual(found.things.map((each) => each.at), ["小田", "小田原"]);
  assert.ok(!loaded.includes("b1"));
  assert.deepEqual((await index.search("小田", { kind: ["A"] })).things.map((each) => each.at), ["小田原"]);
  assert.deepEqual([...(await index.search("小田", { kind: ["A"] })).counts["kind"]!], [[0, 1], [1, 1]]);
  assert.deepEqual((await index.search("", {})).things.length, 3);
});
