/** Folding of text for comparison, by the rules that the Python module `normalize` gives. */

export interface Rules {
  case: Record<string, string>;
  map: Record<string, string>;
  between: Record<string, string>;
  kanji: string;
}

/** Return a function that folds as `normalize.fold` does. */
export function folder(rules: Rules): (text: string) => string {
  const between = new RegExp(`(?<=${rules.kanji})[${Object.keys(rules.between).join("")}](?=${rules.kanji})`, "gu");
  const mapped = (text: string) => [...text].map((each) => rules.map[each] ?? each).join("");
  const lower = (text: string) => [...text].map((each) => rules.case[each] ?? each.toLowerCase()).join("");
  return (text) => {
    const plain = lower(text.normalize("NFKC")).normalize("NFKC");
    // Twice, because a form may appear only after the first.
    const folded = mapped(mapped(plain).normalize("NFKC"));
    return folded.replace(between, (each) => rules.between[each]!);
  };
}
