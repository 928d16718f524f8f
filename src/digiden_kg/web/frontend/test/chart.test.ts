import assert from "node:assert/strict";
import { test } from "node:test";
import { numberOf, points, spread, type Table } from "../src/lib/chart";

const table: Table = {
  columns: [
    { name: "prefecture", title: "都道府県" },
    { name: "bodyCount", title: "団体数" },
    { name: "note", title: "注" },
    { name: "nationalShare", title: "国費" },
  ],
  rows: [
    ["山梨県", "7", "x", ""],
    ["北海道", "58", "", "2,280,000,000円"],
  ].map((row) => row.map((text) => ({ text, value: numberOf(text) }))),
};

test("a cell's number", () => {
  assert.equal(numberOf("2,280,000,000円"), 2_280_000_000);
  assert.equal(numberOf("−1.5"), -1.5);
  assert.equal(numberOf(""), null);
  assert.equal(numberOf("不明"), null);
});

test("columns of numbers are drawn, and nothing is not zero", () => {
  const drawn = points(table, { kind: "bar" });
  assert.deepEqual(drawn.map((each) => [each.name, each.series, each.value]), [
    ["山梨県", "団体数", 7],
    ["山梨県", "国費", null],
    ["北海道", "団体数", 58],
    ["北海道", "国費", 2_280_000_000],
  ]);
});

test("columns by name, largest first, at most so many", () => {
  const drawn = points(table, { kind: "bar", values: ["bodyCount"], sort: true, top: 1 });
  assert.deepEqual(drawn.map((each) => each.name), ["北海道"]);
  assert.throws(() => points(table, { kind: "bar", values: ["none"] }), /no column none/);
});

test("labels keep apart", () => {
  assert.deepEqual(spread([10, 12, 50], 18), [10, 28, 50]);
  assert.deepEqual(spread([42, 40], 18), [42, 24]);
});
