import assert from "node:assert/strict";
import { test } from "node:test";

import { declared, formOf, missingPrefixes, placeOf } from "../src/lib/query";

const KNOWN = { dg: "https://e.example/dg#", rdfs: "https://e.example/rdfs#" };

test("the form of a query is not read from strings, IRIs and comments", () => {
  assert.equal(formOf("# CONSTRUCT\nPREFIX a: <http://e/ASK> SELECT * {}"), "SELECT");
  assert.equal(formOf("construct { ?s ?p 'SELECT' } where { ?s ?p ?o }"), "CONSTRUCT");
  assert.equal(formOf("DESCRIBE <http://e/select>"), "DESCRIBE");
});

test("known prefixes are declared where they are used", () => {
  assert.deepEqual(missingPrefixes("SELECT * { ?s a dg:Project ; rdfs:label ?l }", KNOWN), ["dg", "rdfs"]);
  assert.deepEqual(missingPrefixes("PREFIX dg: <x> SELECT * { ?s a dg:P ; foaf:name 'rdfs:x' }", KNOWN), []);
  assert.equal(declared("ASK { ?s a dg:P }", KNOWN).text, "PREFIX dg: <https://e.example/dg#>\nASK { ?s a dg:P }");
});

test("the place of an error is that in the text of the reader", () => {
  assert.deepEqual(placeOf("error at 3:8: expected }", 1), { line: 2, column: 8 });
  assert.equal(placeOf("no place", 0), undefined);
});
