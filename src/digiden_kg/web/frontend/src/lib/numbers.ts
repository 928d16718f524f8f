/** Numbers and money as a language writes them; the same words as web/wording.py. */
import type { Language } from "./page";

/** Return a number in short words: 22.8億, 2.28 billion. */
export function short(value: number, language: Language): string {
  const options = { notation: "compact", compactDisplay: "long", maximumFractionDigits: 2, useGrouping: "always" } as const;
  return new Intl.NumberFormat(language, options).format(value);
}

/** Return yen in short words: 22.8億円, 2.28 billion yen. */
export function yen(value: number, language: Language): string {
  return short(value, language) + (language === "ja" ? "円" : " yen");
}
