import assert from "node:assert/strict";
import test from "node:test";
import { triples } from "../src/lib/triples";

const INTEGER = "http://www.w3.org/2001/XMLSchema#integer";

test("statements with things, texts, graphs and escapes are read", () => {
  const text = [
    '<http://e/a> <http://e/p> <http://e/b> .',
    '<http://e/a> <http://e/q> "a \\"b\\"\\n\\u5C0F"@ja .',
    '_:x <http://e/q> "5"^^<http://www.w3.org/2001/XMLSchema#integer> <http://e/g> .',
    "",
  ].join("\n");
  assert.deepEqual(triples(text), [
    { subject: "http://e/a", predicate: "http://e/p", object: "http://e/b", literal: false, language: "", datatype: "", graph: "" },
    { subject: "http://e/a", predicate: "http://e/q", object: 'a "b"\n小', literal: true, language: "ja", datatype: "", graph: "" },
    { subject: "_:x", predicate: "http://e/q", object: "5", literal: true, language: "", datatype: INTEGER, graph: "http://e/g" },
  ]);
});

test("a line that is no statement is left out", () => {
  assert.deepEqual(triples("# nothing\n<http://e/a> <http://e/p>"), []);
});
