/** Completion of our own classes, properties and prefixes; nothing is asked of other servers. */
import type Yasqe from "@zazuko/yasqe";
import { fetchJson, language } from "./page";

/** A class or property that the data uses. */
export interface Term {
  iri: string;
  name: string;
  label: Record<string, string>;
  count: number;
}

export interface Terms {
  prefixes: Record<string, string>;
  classes: Term[];
  properties: Term[];
}

type Completer = Parameters<typeof Yasqe.registerAutocompleter>[0];

let terms: Promise<Terms> | undefined;
const named = new Map<string, Term>();

/** Ask for the terms once. */
export function loadTerms(): Promise<Terms> {
  terms ??= fetchJson<Terms>("/api/terms").then((found) => {
    for (const term of [...found.classes, ...found.properties]) named.set(term.name, term);
    return found;
  });
  return terms;
}

/** Return the terms that a typed word may mean: by name, by label in either language, ours and often used ones first. */
export function matching(listed: Term[], typed: string): Term[] {
  const word = typed.trim().toLowerCase();
  const local = word.includes(":") ? word.slice(word.indexOf(":") + 1) : word;
  const found = listed.filter(
    (term) =>
      term.name.toLowerCase().startsWith(word) ||
      term.iri.toLowerCase().startsWith(word.replace(/^</, "")) ||
      (!!word && !word.endsWith(":") && word === local && term.name.toLowerCase().includes(word)) ||
      (!!local && word === local && Object.values(term.label).some((label) => label.toLowerCase().includes(word))),
  );
  const ours = (term: Term) => Number(term.name.startsWith("dg:"));
  return found.sort((one, other) => ours(other) - ours(one) || other.count - one.count || one.name.localeCompare(other.name));
}

/** Return the completer of one kind of term. */
export function completer(kind: "classes" | "properties" | "prefixes"): Completer {
  return {
    name: `our-${kind}`,
    bulk: false,
    autoShow: false,
    isValidCompletionPosition(yasqe) {
      const cursor = yasqe.getDoc().getCursor();
      const token = yasqe.getCompleteToken();
      if (/^[?$"']/.test(token.string)) return false;
      const before = yasqe.getPreviousNonWsToken(cursor.line, token).string;
      if (kind === "prefixes") return /^prefix$/i.test(before);
      if (/^prefix$/i.test(before)) return false;
      const type = before === "a" || before === "rdf:type" || before === "rdfs:subClassOf";
      if (kind === "classes") return type;
      return !type && token.state.possibleCurrent.includes("a");
    },
    async get(_yasqe, token) {
      const typed = token?.string ?? "";
      const found = await loadTerms();
      if (kind === "prefixes") {
        return Object.entries(found.prefixes)
          .map(([name, iri]) => `${name}: <${iri}>`)
          .filter((line) => line.startsWith(typed.trim()));
      }
      return matching(found[kind], typed).map((term) => term.name);
    },
    // The server declares the prefixes that a query uses.
    postProcessSuggestion: (_yasqe, _token, name) => name,
    postprocessHints(_yasqe, hints) {
      return hints.map((hint) => {
        const term = named.get(hint.text);
        const label = term?.label[language()] ?? term?.label["ja"];
        return label ? { ...hint, displayText: `${hint.text}  ${label} (${term!.count})` } : hint;
      });
    },
  };
}
