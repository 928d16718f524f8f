/** Suggestions below a search field while somebody types; WAI-ARIA combobox with a list. */
import { address, element, fetchJson, language, say } from "./page";

/** One thing that /api/search found. */
export interface Hit {
  iri: string;
  address: string;
  label: string;
  kindLabel: string;
  prefecture: string | null;
  bodies: string[];
  /** Where what was typed stands in the label: from, to. */
  matches: [number, number][];
}

/** Return a label in pieces, each with whether it is what was typed. */
export function pieces(label: string, matches: [number, number][]): [string, boolean][] {
  const points = [...label];
  const found: [string, boolean][] = [];
  let done = 0;
  for (const [from, to] of matches) {
    found.push([points.slice(done, from).join(""), false], [points.slice(from, to).join(""), true]);
    done = to;
  }
  found.push([points.slice(done).join(""), false]);
  return found.filter(([text]) => text);
}

/** Return the option that a key leads to; -1 is the field itself. */
export function step(active: number, by: 1 | -1, length: number): number {
  const next = active + by;
  if (next >= length) return -1;
  return next < -1 ? length - 1 : next;
}

/** Return what the index of a site of files suggests. */
async function offline(root: string, typed: string, kind: string): Promise<Hit[]> {
  const { siteIndex, pageAt } = await import("./offline");
  const index = await siteIndex(root);
  const { things } = await index.search(typed, kind ? { kind: [kind] } : {});
  const words = (name: string, numbers: number[] = []) => {
    const facet = index.meta.facets.find((each) => each.name === name);
    return numbers.map((at) => facet?.values[at]?.[language()] ?? "").join(say("、", ", "));
  };
  return things.slice(0, 8).map((thing) => ({
    iri: thing.at,
    address: pageAt(root, thing.at, language()),
    label: thing.names[language()] ?? thing.names.ja ?? thing.names.en ?? thing.at,
    kindLabel: words("kind", thing.facets["kind"]),
    prefecture: words("prefecture", thing.facets["prefecture"]) || null,
    bodies: thing.bodies?.map((body) => body.names[language()] ?? body.names.ja ?? "") ?? [],
    matches: [],
  }));
}

const WAIT = 60; // milliseconds of silence before it asks
let made = 0;

/**
 * Let a field suggest. `data-suggest` names the kind of things, or is empty for all. What is chosen
 * is opened; in a field of one kind it is put in by its code and the form is sent.
 */
export function suggest(input: HTMLInputElement): void {
  const kind = input.dataset.suggest ?? "";
  const id = `suggestions-${(made += 1)}`;
  const list = element("ul", { id, role: "listbox", class: "suggestions", hidden: "" });
  list.setAttribute("aria-label", say("候補", "Suggestions"));
  const status = element("span", { role: "status", class: "visually-hidden" });
  const box = element("span", { class: "suggesting" });
  input.replaceWith(box);
  box.append(input, list, status);
  input.autocomplete = "off";
  for (const [name, value] of Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id,
  })) input.setAttribute(name, value);

  let hits: Hit[] = [];
  let active = -1;
  let timer = 0;
  let asking: AbortController | undefined;

  function mark(number: number): void {
    active = number;
    [...list.children].forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === number));
      if (at === number) option.scrollIntoView({ block: "nearest" });
    });
    if (number < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${id}-${number}`);
  }

  function close(): void {
    window.clearTimeout(timer);
    asking?.abort();
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    status.textContent = "";
    mark(-1);
  }

  function show(found: Hit[]): void {
    hits = found;
    list.replaceChildren(...found.map((hit, at) => {
      const label = element("span", {}, ...pieces(hit.label, hit.matches).map(
        ([text, hit]) => (hit ? element("mark", {}, text) : text),
      ));
      const about = [hit.kindLabel, hit.prefecture, hit.bodies.slice(0, 2).join(say("、", ", "))];
      const small = element("small", {}, about.filter(Boolean).join(" · "));
      const option = element("li", { id: `${id}-${at}`, role: "option" }, label, " ", small);
      option.addEventListener("click", () => choose(at));
      return option;
    }));
    mark(-1);
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    status.textContent = say(`候補 ${found.length} 件`, `${found.length} suggestions`);
  }

  async function ask(): Promise<void> {
    asking?.abort();
    const typed = input.value.trim();
    if (!typed) return close();
    asking = new AbortController();
    const root = document.documentElement.dataset["static"];
    const where = address("/api/search", { q: typed, kind, facets: "0", limit: "8", lang: language() });
    try {
      const found =
        root === undefined
          ? (await fetchJson<{ results: Hit[] }>(where, asking.signal)).results
          : await offline(root, typed, kind);
      if (document.activeElement === input && input.value.trim() === typed) show(found);
    } catch {
      list.hidden = true; // without suggestions the field is still a field
    }
  }

  function choose(at: number): void {
    const hit = hits[at];
    if (!hit) return;
    close();
    if (kind && input.form) {
      input.value = hit.iri.split("/").pop() ?? hit.label;
      input.form.requestSubmit();
    } else window.location.assign(hit.address);
  }

  input.addEventListener("input", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(ask, WAIT);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // the keys belong to the input method
    const open = !list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (open) mark(step(active, event.key === "ArrowDown" ? 1 : -1, hits.length));
      else void ask();
    } else if (event.key === "Enter" && open && active >= 0) {
      event.preventDefault();
      choose(active);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      close();
    } else if (event.key === "Tab") close();
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  input.addEventListener("blur", close);
}
