/** What a page knows of a SPARQL query before an engine reads it. */

export type Form = "SELECT" | "ASK" | "CONSTRUCT" | "DESCRIBE";

const SKIPPED = /<[^<>"{}|^`\\\s]*>|"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*/g;

/** Return a query with IRIs, strings and comments blanked, each character in its place. */
function bare(query: string): string {
  return query.replace(SKIPPED, (found) => found.replace(/[^\n]/g, " "));
}

/** Return the form of a query; SELECT if it has none, so that the engine says what is wrong. */
export function formOf(query: string): Form {
  const found = /\b(SELECT|ASK|CONSTRUCT|DESCRIBE)\b/i.exec(bare(query));
  return (found?.[1]?.toUpperCase() ?? "SELECT") as Form;
}

/** Return the prefixes that a query uses and does not declare, of those that are known. */
export function missingPrefixes(query: string, known: Record<string, string>): string[] {
  const text = bare(query);
  const declared = new Set([...text.matchAll(/\bPREFIX\s+([\w-]*):/gi)].map((each) => each[1]));
  const used = new Set([...text.matchAll(/(?<![\w:.?$-])([A-Za-z][\w-]*):/g)].map((each) => each[1]!));
  return [...used].filter((each) => !declared.has(each) && known[each] !== undefined).sort();
}

/** Return a query with what it uses declared, all in one line before it. */
export function declared(query: string, known: Record<string, string>): { text: string; lines: number } {
  const missing = missingPrefixes(query, known);
  if (!missing.length) return { text: query, lines: 0 };
  const line = missing.map((each) => `PREFIX ${each}: <${known[each]}>`).join(" ");
  return { text: `${line}\n${query}`, lines: 1 };
}

/** Return where a message of the engine says that a query is wrong; lines and columns from 1. */
export function placeOf(message: string, lines: number): { line: number; column: number } | undefined {
  const found = /\bat (\d+):(\d+)/.exec(message);
  if (!found) return undefined;
  const line = Number(found[1]) - lines;
  return line < 1 ? undefined : { line, column: Number(found[2]) };
}
