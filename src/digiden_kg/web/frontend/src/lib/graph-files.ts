/** Writes GraphML and GEXF where no server does; the files are those of the Python module `export`. */

export interface GraphNode {
  key: string;
  label: string;
  values: Record<string, string>;
}
export interface GraphEdge {
  source: string;
  target: string;
  label: string;
  values: Record<string, string>;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;" };

/** Return a text without what XML has no way to write. */
function clean(text: string): string {
  return text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
}

function escaped(text: string): string {
  return clean(text).replace(/[&<>]/g, (sign) => ENTITIES[sign]!);
}

function attribute(text: string): string {
  const value = clean(text).replace(/[&<>\n\r\t]/g, (sign) => ENTITIES[sign]!);
  if (!value.includes('"')) return `"${value}"`;
  return value.includes("'") ? `"${value.replaceAll('"', "&quot;")}"` : `'${value}'`;
}

/** Return the names of the values of nodes and edges, each with its key. */
function keysOf(nodes: readonly GraphNode[], edges: readonly GraphEdge[], ...first: string[]): Record<"node" | "edge", Map<string, string>> {
  let count = 0;
  const keys = (letter: string, things: readonly (GraphNode | GraphEdge)[]) =>
    new Map([...first, ...Object.keys(things[0]?.values ?? {})].map((name) => [name, `${letter}${count++}`]));
  return { node: keys("n", nodes), edge: keys("e", edges) };
}

export function graphml(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): string {
  const keys = keysOf(nodes, edges, "label");
  const declared = (["node", "edge"] as const).flatMap((domain) =>
    [...keys[domain]].map(([name, key]) => `<key id="${key}" for="${domain}" attr.name=${attribute(name)} attr.type="string"/>\n`),
  );
  const data = (domain: "node" | "edge", { label, values }: GraphNode | GraphEdge) =>
    Object.entries({ label, ...values })
      .map(([name, value]) => `<data key="${keys[domain].get(name)}">${escaped(value)}</data>`)
      .join("");
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n',
    ...declared,
    '<graph id="G" edgedefault="directed">\n',
    ...nodes.map((node) => `<node id=${attribute(node.key)}>${data("node", node)}</node>\n`),
    ...edges.map((edge) => `<edge source=${attribute(edge.source)} target=${attribute(edge.target)}>${data("edge", edge)}</edge>\n`),
    "</graph>\n</graphml>\n",
  ].join("");
}

export function gexf(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): string {
  const keys = keysOf(nodes, edges);
  const declared = (["node", "edge"] as const).flatMap((domain) => [
    `<attributes class="${domain}">\n`,
    ...[...keys[domain]].map(([name, key]) => `<attribute id="${key}" title=${attribute(name)} type="string"/>\n`),
    "</attributes>\n",
  ]);
  const data = (domain: "node" | "edge", { values }: GraphNode | GraphEdge) => {
    const said = Object.entries(values).map(([name, value]) => `<attvalue for="${keys[domain].get(name)}" value=${attribute(value)}/>`);
    return said.length ? `<attvalues>${said.join("")}</attvalues>` : "";
  };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n<gexf xmlns="http://gexf.net/1.3" version="1.3">\n',
    '<graph defaultedgetype="directed" mode="static">\n',
    ...declared,
    "<nodes>\n",
    ...nodes.map((node) => `<node id=${attribute(node.key)} label=${attribute(node.label)}>${data("node", node)}</node>\n`),
    "</nodes>\n<edges>\n",
    ...edges.map((edge, at) => {
      const ends = `source=${attribute(edge.source)} target=${attribute(edge.target)}`;
      return `<edge id="${at}" ${ends} label=${attribute(edge.label)}>${data("edge", edge)}</edge>\n`;
    }),
    "</edges>\n</graph>\n</gexf>\n",
  ].join("");
}
