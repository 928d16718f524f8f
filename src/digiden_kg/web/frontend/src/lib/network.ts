/** Draws the triples that a query constructs as a network; loaded when it is asked for. */
import { language } from "./page";
import { sketch } from "./sketch";
import { triples, type Triple } from "./triples";

const MOST = 600;
const LABELS = ["http://www.w3.org/2000/01/rdf-schema#label", "http://www.w3.org/2004/02/skos/core#prefLabel"];

async function answerOf(query: string, format: string): Promise<string> {
  const response = await fetch("/sparql", { method: "POST", body: new URLSearchParams({ query, format }) });
  if (!response.ok) throw new Error(response.statusText);
  return response.text();
}

async function labelsOf(iris: string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let at = 0; at < iris.length; at += 300) {
    const values = iris.slice(at, at + 300).map((iri) => `<${iri}>`).join(" ");
    const query = `SELECT ?x ?name { VALUES ?x { ${values} } ?x <${LABELS[0]}> ?name
      FILTER(LANG(?name) IN ("${language()}", "ja", "")) }`;
    const rows = JSON.parse(await answerOf(query, "json")).results.bindings;
    for (const { x, name } of rows) {
      if (!found.has(x.value) || name["xml:lang"] === language()) found.set(x.value, name.value);
    }
  }
  return found;
}

/** Draw the triples of a CONSTRUCT or DESCRIBE query into an element; what has our base has a page. */
export async function drawNetwork(place: HTMLElement, query: string, base: string): Promise<void> {
  const all = triples(await answerOf(query, "nt"));
  const own = new Map<string, string>();
  const links: Triple[] = [];
  for (const each of all) {
    if (each.literal && LABELS.includes(each.predicate)) {
      if (!own.has(each.subject) || each.language === language()) own.set(each.subject, each.object);
    } else if (!each.literal) links.push(each);
  }
  const shown = links.slice(0, MOST);
  const nodes = [...new Set(shown.flatMap((each) => [each.subject, each.object]))];
  const terms = [...new Set(shown.map((each) => each.predicate))];
  const labels = await labelsOf([...nodes, ...terms].filter((iri) => iri.startsWith("http") && !own.has(iri)));
  const name = (iri: string) => own.get(iri) ?? labels.get(iri) ?? iri.replace(/^.*[/#]/, "");
  const numbers = new Map(nodes.map((iri, at) => [iri, at]));
  sketch(
    place,
    nodes.map((iri) => {
      const [path, fragment] = iri.startsWith(base) ? iri.slice(base.length).replace(/^id\//, "doc/").split("#") : [];
      const address = path ? `/${path}?lang=${language()}${fragment ? `#${fragment}` : ""}` : null;
      return { label: name(iri), kind: "", group: "body", address };
    }),
    shown.map(({ subject, predicate, object }) => ({
      from: numbers.get(subject)!, to: numbers.get(object)!, label: name(predicate), inferred: false,
    })),
  );
}
