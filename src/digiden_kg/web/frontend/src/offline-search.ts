/** The search page of a site of files: the address is the state, the index is loaded in parts. */
import { pageAt, siteIndex, type Index, type Names, type Result, type Thing } from "./lib/offline";
import { element, language, say } from "./lib/page";

const SHOWN = 50;
const CHOICES = 12;
const root = document.documentElement.dataset["static"] ?? "./";
const here = language();
const place = document.querySelector<HTMLElement>("#found")!;
const field = document.querySelector<HTMLInputElement>("#q")!;
const asked = new URLSearchParams(location.search);

const nameOf = (names: Names) => names[here] ?? names.ja ?? names.en ?? "";

function chosen(index: Index): Record<string, string[]> {
  return Object.fromEntries(index.meta.facets.map(({ name }) => [name, asked.getAll(name).filter(Boolean)]));
}

/** Return the address of this search with a value of a facet added or taken away. */
function toggled(name: string, value: string): string {
  const pairs = [...asked].filter(([key]) => key !== "start" && key !== "lang");
  const rest = pairs.filter(([key, each]) => key !== name || each !== value);
  if (rest.length === pairs.length) rest.push([name, value]);
  return `?${new URLSearchParams(rest)}`;
}

function facets(index: Index, result: Result): HTMLElement {
  const nav = element("nav", { class: "facets", "aria-label": say("絞り込み", "Narrow down") });
  for (const facet of index.meta.facets) {
    const picked = asked.getAll(facet.name);
    const counts = [...(result.counts[facet.name] ?? [])].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    const isPicked = ([at]: [number, number]) => picked.includes(facet.values[at]!.value);
    const shown = [...counts.filter(isPicked), ...counts.filter((each) => !isPicked(each)).slice(0, CHOICES)];
    if (!shown.length) continue;
    const items = shown.map(([at, count]) => {
      const value = facet.values[at]!;
      const on = picked.includes(value.value);
      const link = element("a", { href: toggled(facet.name, value.value), ...(on ? { "aria-current": "true" } : {}) });
      link.append(`${on ? "✓ " : ""}${value[here]} `, element("small", {}, count.toLocaleString(here)));
      return element("li", {}, link);
    });
    const open: Record<string, string> = picked.length || nav.childElementCount < 3 ? { open: "" } : {};
    nav.append(element("details", open, element("summary", {}, facet.title[here]), element("ul", {}, ...items)));
  }
  return nav;
}

function item(index: Index, thing: Thing): HTMLElement {
  const about = (name: string) => {
    const facet = index.meta.facets.find((each) => each.name === name);
    return (thing.facets[name] ?? []).map((at) => facet?.values[at]?.[here] ?? "").filter(Boolean);
  };
  const places = about("prefecture").filter((each) => each !== nameOf(thing.names));
  const small = [...about("kind"), places.join(say("、", ", "))].filter(Boolean).join(" · ");
  const made = element("li", {}, element("a", { href: pageAt(root, thing.at, here) }, nameOf(thing.names)), " ");
  made.append(element("small", {}, small));
  if (thing.bodies?.length) {
    const links = thing.bodies.map((body) => element("a", { href: pageAt(root, body.at, here) }, nameOf(body.names)));
    made.append(element("br"), ...links.flatMap((link, at) => (at ? [" · ", link] : [link])));
  }
  return made;
}

async function show(): Promise<void> {
  const text = asked.get("q") ?? "";
  field.value = text;
  const waiting = setTimeout(() => (place.textContent = say("索引を読み込んでいます…", "Loading the index…")), 300);
  const index = await siteIndex(root);
  const wanted = chosen(index);
  if (!text.trim() && !Object.values(wanted).some((values) => values.length)) {
    clearTimeout(waiting);
    place.replaceChildren();
    return;
  }
  const result = await index.search(text, wanted);
  clearTimeout(waiting);
  const total = result.things.length;
  const count = element("p", { class: "count", role: "status" });
  count.textContent = say(`${total.toLocaleString("ja")} 件`, `${total.toLocaleString("en")} found`);
  const list = element("ol", { class: "results" });
  const results = element("div", {}, list);
  const more = element("button", { type: "button" }, say("続きを見る", "More"));
  const add = () => {
    const start = list.childElementCount;
    list.append(...result.things.slice(start, start + SHOWN).map((thing) => item(index, thing)));
    if (list.childElementCount < total) results.append(more);
    else more.remove();
  };
  more.addEventListener("click", add);
  add();
  if (!total) {
    const words = say(
      "見つかりませんでした。資料に名前のないものは載っていません（「ない」とは限りません）。",
      "Nothing was found. What the document does not name is not listed, which does not mean that it does not exist.",
    );
    results.replaceChildren(element("p", {}, words));
  }
  const all = element("details", { class: "all" }, element("summary", {}, say("絞り込み", "Narrow down")));
  const narrow = facets(index, result);
  all.append(...narrow.childNodes);
  all.open = !window.matchMedia("(max-width: 40rem)").matches;
  narrow.append(all);
  place.replaceChildren(count, element("div", { class: "found" }, narrow, results));
}

show().catch((error: unknown) => {
  place.replaceChildren(element("p", { class: "failure", role: "alert" }, `${say("索引を読み込めません。", "The index cannot be loaded.")} ${error}`));
});
