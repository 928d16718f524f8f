/** What every script needs to know of the page it runs on. */

export type Language = "ja" | "en";

/** The language of the page. */
export function language(): Language {
  return document.documentElement.lang === "en" ? "en" : "ja";
}

/** Return the words in the language of the page. */
export function say(ja: string, en: string): string {
  return language() === "ja" ? ja : en;
}

/** Make an element with attributes and children; texts are never read as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Return an address on this server with parameters; those without a value are left out. */
export function address(path: string, parameters: Record<string, string | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value) query.append(name, value);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Return what an address of this server answers as JSON; throws its problem's words otherwise. */
export async function fetchJson<T>(where: string, signal?: AbortSignal): Promise<T> {
  const options: RequestInit = { headers: { Accept: "application/json" } };
  if (signal) options.signal = signal;
  const response = await fetch(where, options);
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail ?? body.title ?? response.statusText);
  return body as T;
}
