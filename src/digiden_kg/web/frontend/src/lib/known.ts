/** What is known of a thing, from its own description: the N-Quads file beside its page. */
import type { Linked } from "./linked";
import { language } from "./page";
import { triples, type Triple } from "./triples";

export interface Value {
  text: string;
  language: string;
  /** The passage that states it, with what it is called. */
  source: { iri: string; label: string } | undefined;
}
export interface Fact {
  label: string;
  values: Value[];
}

const LABEL = "http://www.w3.org/2000/01/rdf-schema#label";
const NUMBER = /^http:\/\/www\.w3\.org\/2001\/XMLSchema#(integer|decimal|double|float)$/;
const LANGUAGES = ["ja", "en"];

/** Return the facts that a panel has of a thing, in the order and the words of a page of a server. */
export function factsOf(linked: Linked, iri: string, text: string): Fact[] {
  const { first, quiet, facts } = linked.data.panel;
  const all = triples(text);
  const own = all.filter((each) => each.subject === iri && each.literal);
  const label = (of: string): string => {
    const names = all.filter(({ subject, predicate, literal, graph }) => subject === of && predicate === LABEL && literal && !graph);
    return (names.find((each) => each.language === language()) ?? names[0])?.object ?? linked.shorten(of);
  };
  const word = (of: string): string => {
    const term = linked.findTerm(of);
    return term === undefined ? label(of) : linked.term(term);
  };
  const same = (a: Triple, b: Triple) => a.predicate === b.predicate && a.object === b.object && a.language === b.language && a.datatype === b.datatype;
  const found = new Map<string, Value[]>();
  for (const each of own) {
    const name = linked.shorten(each.predicate);
    if (each.graph || quiet.includes(name) || (each.language !== language() && LANGUAGES.includes(each.language))) continue;
    const isLong = NUMBER.test(each.datatype) && /^\d{5,}$/.test(each.object);
    const graph = own.find((other) => other.graph && same(each, other))?.graph;
    const value = {
      text: isLong ? BigInt(each.object).toLocaleString("en") : each.object,
      language: each.language,
      source: graph === undefined ? undefined : { iri: graph, label: label(graph) },
    };
    const values = found.get(each.predicate);
    if (values) values.push(value);
    else found.set(each.predicate, [value]);
  }
  const rank = (of: string): number => {
    const at = first.indexOf(linked.shorten(of));
    return at < 0 ? first.length : at;
  };
  const ordered = [...found].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return ordered.slice(0, facts).map(([of, values]) => ({ label: word(of), values }));
}

const loaded = new Map<string, Promise<string>>();

/** Return the text of a description, which is loaded once. */
export function descriptionAt(address: string): Promise<string> {
  const known = loaded.get(address);
  if (known) return known;
  const made = fetch(address).then((response) => {
    if (!response.ok) throw new Error(`${address}: ${response.status}`);
    return response.text();
  });
  loaded.set(address, made);
  made.catch(() => loaded.delete(address));
  return made;
}
