/** The search page of a site of files: the address is the state, the index is loaded in parts. */
import { pageAt, siteIndex, type Index, type Names, type Result, type Thing } from "./lib/offline";
import { element, language, say } from "./lib/page";

const SHOWN = 50;
const CHOICES = 12;
const LEVELS = 5;
const root = document.documentElement.dataset["static"] ?? "./";
const here = language();
const place = document.querySelector<HTMLElement>("#found")!;
const field = document.querySelector<HTMLInputElement>("#q")!;
const asked = new URLSearchParams(location.search);
const view = ["table", "map"].find((each) => each === asked.get("view")) ?? "list";

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

/** Return a text with what was looked for marked, in its own language where that is another. */
function marked(index: Index, text: string, words: string[]): HTMLElement {
  const pieces = index.marked(text, words).map(([piece, hit]) => (hit ? element("mark", {}, piece) : piece));
  return element("span", { lang: /[\u3040-\u30ff\u3400-\u9fff]/u.test(text) ? "ja" : here }, ...pieces);
}

function labelsOf(index: Index, thing: Thing, name: string): string[] {
  const facet = index.meta.facets.find((each) => each.name === name);
  return (thing.facets[name] ?? []).map((at) => facet?.values[at]?.[here] ?? "").filter(Boolean);
}

function placesOf(index: Index, thing: Thing): string {
  const places = labelsOf(index, thing, "prefecture").filter((each) => each !== nameOf(thing.names));
  return places.join(say("、", ", "));
}

function isBody(index: Index, thing: Thing): boolean {
  const kinds = index.meta.facets.find(({ name }) => name === "kind")?.values ?? [];
  return (thing.facets["kind"] ?? []).some((at) => kinds[at]?.value === "LocalGovernment");
}

const pageOf = (index: Index, thing: { at: string; names: Names }, words: string[]) =>
  element("a", { href: pageAt(root, thing.at, here) }, marked(index, nameOf(thing.names), words));

function between(nodes: Node[], gap: () => Node | string): (Node | string)[] {
  return nodes.flatMap((node, at) => (at ? [gap(), node] : [node]));
}

function item(index: Index, thing: Thing, words: string[]): HTMLElement {
  const small = [...labelsOf(index, thing, "kind"), placesOf(index, thing)].filter(Boolean).join(" · ");
  const made = element("li", {}, pageOf(index, thing, words), " ");
  const other = index.otherName(thing, words) ?? thing.names[here === "ja" ? "en" : "ja"];
  if (other && index.marked(other, words).some(([, hit]) => hit)) {
    made.append(element("small", {}, "（", marked(index, other, words), "）"), " ");
  }
  made.append(element("small", {}, small));
  if (isBody(index, thing)) {
    const name = nameOf(thing.names);
    const where = `${pageAt(root, "compare", here)}?body=${thing.at.split("/").at(-1)}`;
    const label = say(`${name} をくらべる`, `Compare ${name}`);
    made.append(" ", element("a", { class: "aside", href: where, "aria-label": label }, say("くらべる", "compare")));
  }
  const bodies = (thing.bodies ?? []).map((body) => pageOf(index, body, words));
  if (bodies.length) made.append(element("br"), ...between(bodies, () => " · "));
  return made;
}

function row(index: Index, thing: Thing, words: string[]): HTMLElement {
  const bodies = (thing.bodies ?? []).map((body) => pageOf(index, body, words));
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, pageOf(index, thing, words)),
    element("td", {}, labelsOf(index, thing, "kind").join(", ")),
    element("td", {}, ...between(bodies, () => element("br"))),
    element("td", {}, placesOf(index, thing)),
  );
}

function scrolled(label: string, table: HTMLElement): HTMLElement {
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
}

function headed(table: HTMLElement, ...headings: (Node | string)[]): HTMLElement {
  const cells = headings.map((each) => (typeof each === "string" ? element("th", { scope: "col" }, each) : each));
  table.prepend(element("thead", {}, element("tr", {}, ...cells)));
  return table;
}

/** Return what adds results, some at a time, to a list or a table. */
function listed(result: Result, holder: HTMLElement, whole: HTMLElement, make: (thing: Thing) => HTMLElement): HTMLElement {
  const results = element("div", {}, whole);
  const more = element("button", { type: "button" }, say("続きを見る", "More"));
  const add = () => {
    const start = holder.childElementCount;
    holder.append(...result.things.slice(start, start + SHOWN).map(make));
    if (holder.childElementCount < result.things.length) results.append(more);
    else more.remove();
  };
  more.addEventListener("click", add);
  add();
  return results;
}

const counted = (count: number) =>
  say(`${count.toLocaleString("ja")}件`, `${count.toLocaleString("en")} result${count === 1 ? "" : "s"}`);

/** Return results by prefecture: the map of the page, and a table that says the same. */
function mapped(index: Index, result: Result): HTMLElement {
  const facet = index.meta.facets.find((each) => each.name === "prefecture")!;
  const codeOf = (at: number) => (facet.values[at]!.value.split("/").at(-1) ?? "").slice(0, 2);
  const places = [...(result.counts["prefecture"] ?? [])].sort((a, b) => codeOf(a[0]).localeCompare(codeOf(b[0])));
  if (!places.length) {
    return element("p", {}, say("都道府県の分かるものはありません。", "No result has a prefecture."));
  }
  const level = levels(places.map(([, count]) => count));
  const title = say("都道府県ごとの件数", "Results by prefecture");
  const made = element("div");
  const drawing = document.querySelector<HTMLTemplateElement>("#map-of-results");
  if (drawing) {
    made.append(drawing.content.cloneNode(true));
    made.querySelector("svg")?.setAttribute("aria-label", title);
    const known = new Map(places.map(([at, count]) => [codeOf(at), count]));
    const picked = asked.getAll("prefecture");
    for (const area of made.querySelectorAll<SVGAElement>(".area")) {
      const code = area.dataset["code"] ?? "";
      const value = facet.values.find((_, at) => codeOf(at) === code);
      const count = known.get(code);
      const name = area.querySelector("title")!;
      name.textContent = `${(name.textContent ?? "").split(": ")[0]}: ${count ? counted(count) : say("0件", "none")}`;
      area.setAttribute("class", `area s${count ? level(count) : 0}${value && picked.includes(value.value) ? " chosen" : ""}`);
      if (value) area.setAttribute("href", toggled("prefecture", value.value));
      else area.removeAttribute("href");
    }
    const groups = new Map<number, number[]>();
    for (const [, count] of [...places].sort((a, b) => a[1] - b[1])) {
      groups.set(level(count), [...(groups.get(level(count)) ?? []), count]);
    }
    const legend: [number, string][] = [...groups].map(([at, counts]) => {
      const [least, most] = [counts[0]!, counts.at(-1)!];
      return [at, least === most ? counted(least) : `${counted(least)} – ${counted(most)}`];
    });
    if (known.size < made.querySelectorAll(".area").length) legend.unshift([0, say("0件", "none")]);
    const items = legend.map(([at, words]) => element("li", {}, element("span", { class: `s${at}` }), ` ${words}`));
    made.querySelector(".legend")?.replaceChildren(...items);
  }
  const most = Math.max(...places.map(([, count]) => count));
  const body = element("tbody");
  for (const [at, count] of places) {
    const value = facet.values[at]!;
    const on = asked.getAll("prefecture").includes(value.value);
    const link = element("a", { href: toggled("prefecture", value.value), ...(on ? { "aria-current": "true" } : {}) });
    link.append(`${on ? "✓ " : ""}${value[here]}`);
    const bar = element("span");
    bar.style.width = `${(100 * count) / most}%`;
    const cells = [element("th", { scope: "row" }, link), element("td", { class: "number" }, count.toLocaleString(here))];
    body.append(element("tr", {}, ...cells, element("td", { class: "bar-cell", "aria-hidden": "true" }, bar)));
  }
  const head = element("th", { scope: "col", class: "number" }, say("件数", "Results"));
  const bars = element("th", { scope: "col", "aria-hidden": "true" });
  const table = headed(element("table", { class: "places" }, body), say("都道府県", "Prefecture"), head, bars);
  made.append(scrolled(title, table));
  return made;
}

/** Return the level of each figure: fifths of the places, equal figures together. */
function levels(values: number[]): (value: number) => number {
  const ordered = [...values].sort((a, b) => a - b);
  const distinct = [...new Set(ordered)];
  if (distinct.length <= LEVELS) return (value) => LEVELS - distinct.length + 1 + distinct.indexOf(value);
  return (value) => 1 + Math.floor((LEVELS * ordered.indexOf(value)) / ordered.length);
}

function nothing(index: Index, result: Result): HTMLElement {
  const words = say(
    "見つかりませんでした。資料に名前のないものは載っていません（「ない」とは限りません）。",
    "Nothing was found. What the document does not name is not listed, which does not mean that it does not exist.",
  );
  const made = element("div", {}, element("p", {}, words));
  if (result.near.length) {
    const items = result.near.map((thing) => {
      const kind = element("small", {}, labelsOf(index, thing, "kind").join(", "));
      return element("li", {}, pageOf(index, thing, []), " ", kind);
    });
    made.append(element("h2", {}, say("近いもの", "Did you mean")), element("ul", { class: "list near" }, ...items));
  }
  return made;
}

/** Return the ways to look at the results; the address keeps which. */
function views(): HTMLElement {
  const words = { list: say("一覧", "List"), table: say("表", "Table"), map: say("地図", "Map") };
  const links = Object.entries(words).map(([name, word]) => {
    const pairs = [...asked].filter(([key]) => !["view", "start", "lang"].includes(key));
    if (name !== "list") pairs.push(["view", name]);
    return element("a", { href: `?${new URLSearchParams(pairs)}`, ...(name === view ? { "aria-current": "true" } : {}) }, word);
  });
  return element("nav", { class: "chips", "aria-label": say("見せ方", "View") }, ...between(links, () => " "));
}

function shown(index: Index, result: Result): HTMLElement {
  if (!result.things.length) return nothing(index, result);
  const made = element("div", {}, views());
  if (view === "map") made.append(mapped(index, result));
  else if (view === "table") {
    const body = element("tbody");
    const table = headed(element("table", {}, body), say("名前", "Name"), say("種類", "Kind"), say("団体", "Bodies"), say("都道府県", "Prefecture"));
    made.append(listed(result, body, scrolled(say("結果", "Results"), table), (thing) => row(index, thing, result.words)));
  } else {
    const list = element("ol", { class: "results" });
    made.append(listed(result, list, list, (thing) => item(index, thing, result.words)));
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
  const all = element("details", { class: "all" }, element("summary", {}, say("絞り込み", "Narrow down")));
  const narrow = facets(index, result);
  all.append(...narrow.childNodes);
  all.open = !window.matchMedia("(max-width: 40rem)").matches;
  narrow.append(all);
  place.replaceChildren(count, element("div", { class: "found" }, narrow, shown(index, result)));
}

show().catch((error: unknown) => {
  place.replaceChildren(element("p", { class: "failure", role: "alert" }, `${say("索引を読み込めません。", "The index cannot be loaded.")} ${error}`));
});
