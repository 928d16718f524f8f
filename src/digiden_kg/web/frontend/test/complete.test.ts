import assert from "node:assert/strict";
import test from "node:test";
import { matching, type Term } from "../src/lib/complete";

const project: Term = { iri: "https://e/o#Project", name: "dg:Project", label: { ja: "交付決定事業", en: "Project" }, count: 202 };
const party: Term = { iri: "https://e/o#UnnamedParty", name: "dg:UnnamedParty", label: { ja: "名前の無い構成員" }, count: 29 };
const listed = [party, project];

test("a term is found by prefix, by name and by its label in either language", () => {
  for (const typed of ["dg:Pro", "proj", "事業", "project"]) assert.deepEqual(matching(listed, typed), [project]);
  assert.deepEqual(matching(listed, "構成員"), [party]);
});

test("what is used most comes first; another prefix finds nothing", () => {
  assert.deepEqual(matching(listed, "dg:"), [project, party]);
  assert.deepEqual(matching(listed, "foaf:Pe"), []);
});
