/** Reads N-Triples and N-Quads, as this server writes them: one statement a line. */

export interface Triple {
  subject: string;
  predicate: string;
  object: string;
  literal: boolean;
  language: string;
  datatype: string;
  /** Empty in the default graph. */
  graph: string;
}

const LINE = /^(<[^>]*>|_:\S+) <([^>]*)> (?:(<[^>]*>|_:\S+)|"((?:[^"\\]|\\.)*)"(?:@([\w-]+)|\^\^<([^>]*)>)?)(?: <([^>]*)>)? \.$/u;
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

function node(text: string): string {
  return text.startsWith("<") ? text.slice(1, -1) : text;
}

function unescape(text: string): string {
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/g, (_, short, long, mark) =>
    mark ? (ESCAPES[mark] ?? mark) : String.fromCodePoint(parseInt(short ?? long, 16)),
  );
}

/** Return the statements of a text; lines that are none are left out. */
export function triples(text: string): Triple[] {
  const found: Triple[] = [];
  for (const each of text.split("\n")) {
    const match = LINE.exec(each.trim());
    if (!match) continue;
    const [, subject, predicate, object, literal, tag, datatype, graph] = match;
    found.push({
      subject: node(subject!),
      predicate: predicate!,
      object: object === undefined ? unescape(literal!) : node(object),
      literal: object === undefined,
      language: tag ?? "",
      datatype: datatype ?? "",
      graph: graph ?? "",
    });
  }
  return found;
}
