/**
 * The graph explorer. The page itself is the state: every button of it leads to an address; here the
 * page of that address is fetched, its parts replace those that are there, and the canvas follows.
 */
import cytoscape from "cytoscape";

import { drawing, SHAPES, shorten, type Palette } from "./lib/drawing";
import { settle, settleGroups } from "./lib/layout";
import { address, element, fetchJson, language, say } from "./lib/page";
import { addressOf, pinsOf, withGrouping, withPins, type Place } from "./lib/view";

interface Data {
  at: string | null;
  things: [name: string, label: string, kind: string | null, group: string][];
  relations: string[];
  links: [from: number, to: number, relation: number, inferred: number, path: number][];
}

const PARTS = ["#explorer", ".data-menu", "nav.language"];
const MANY = 400;
const SERIES: Record<string, string> = {
  body: "--series-1", project: "--series-2", service: "--series-3",
  type: "--series-4", party: "--series-5", system: "--series-6",
};

let graph: cytoscape.Core | undefined;
let data: Data;
let drawn = "";
let pins = pinsOf(new URLSearchParams(location.search));
const board = element("div", { class: "canvas", role: "application", tabindex: "0" });
const tools = element("div", { class: "canvas-tools" });

function read(): Data {
  return JSON.parse(document.querySelector("#graph-data")?.textContent ?? "null");
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function palette(): Palette {
  const groups = Object.fromEntries(Object.entries(SERIES).map(([group, name]) => [group, colour(name)]));
  return { canvas: colour("--canvas"), text: colour("--text"), quiet: colour("--quiet"), groups };
}

function style(many: boolean): cytoscape.StylesheetJson {
  const { canvas, text, quiet, groups } = palette();
  const shapes = Object.entries(SHAPES).map(([group, shape]) => ({
    selector: `node[group = "${group}"]`,
    style: { shape, "background-color": groups[group] ?? quiet },
  }));
  return [
    {
      selector: "node",
      style: {
        label: "data(short)", width: 24, height: 24, color: text, "font-size": 11,
        "font-family": "Noto Sans JP, sans-serif", "text-valign": "bottom", "text-margin-y": 4,
        "min-zoomed-font-size": many ? 9 : 6,
        ...(many ? {} : { "text-outline-color": canvas, "text-outline-width": 2 }),
      },
    },
    ...shapes,
    {
      selector: "node:parent",
      style: {
        shape: "round-rectangle", "background-opacity": 0.06, "background-color": quiet, "border-width": 1,
        "border-color": quiet, label: "data(label)", "text-valign": "top", "font-size": 16,
      },
    },
    {
      selector: "edge",
      style: {
        width: 1.2, "line-color": quiet, "curve-style": many ? "haystack" : "straight",
        "target-arrow-shape": many ? "none" : "triangle", "target-arrow-color": quiet, "arrow-scale": 0.8,
        opacity: many ? 0.5 : 1,
      },
    },
    { selector: "edge[?inferred]", style: { "line-style": "dashed", "line-dash-pattern": [5, 4] } },
    { selector: "edge[?path]", style: { width: 3.5, "line-color": colour("--action"), "target-arrow-color": colour("--action") } },
    {
      selector: "edge.named",
      style: {
        label: "data(label)", "font-size": 10, color: text, "text-rotation": "autorotate",
        "text-background-color": canvas, "text-background-opacity": 0.85, "min-zoomed-font-size": 7,
      },
    },
    { selector: "node.pinned", style: { "border-width": 3, "border-color": text } },
    { selector: "node.at", style: { "border-width": 4, "border-color": colour("--bad"), "font-weight": "bold", "font-size": 13, "z-index": 9 } },
  ] as cytoscape.StylesheetJson;
}

/** Say on the canvas which thing the panel is about; the links of that one are named. */
function mark(): void {
  const many = data.things.length > MANY;
  const few = data.links.length <= 40;
  graph!.batch(() => {
    graph!.elements(".at").removeClass("at");
    graph!.getElementById(data.at ?? "").addClass("at");
    graph!.edges().forEach((edge) => {
      const near = edge.data("source") === data.at || edge.data("target") === data.at;
      edge.toggleClass("named", few || (near && !many) || Boolean(edge.data("path")));
    });
  });
}

/** Draw what the page says: what is new settles near what led to it, what was there stays. */
function draw(fresh = false): void {
  const state = JSON.stringify([data.things, data.links, location.search.includes("group=1")]);
  if (graph && !fresh && state === drawn) {
    mark();
    return;
  }
  drawn = state;
  const grouped = new URLSearchParams(location.search).get("group") === "1";
  const many = data.things.length > MANY;
  const before = new Map<string, Place>();
  if (!fresh) graph?.nodes(":childless").forEach((node) => void before.set(node.id(), { ...node.position() }));
  const names = data.things.map(([name]) => name);
  const known = new Map<number, Place>();
  const fixed = new Set<number>();
  names.forEach((name, at) => {
    const place = pins.get(name) ?? before.get(name);
    if (place) known.set(at, place);
    if (pins.has(name)) fixed.add(at);
  });
  const places = grouped
    ? settleGroups(data.things.map(([, , , group]) => group))
    : names.length === known.size
      ? names.map((_, at) => known.get(at)!)
      : settle({ count: names.length, links: data.links.map(([from, to]) => [from, to]), known, fixed });
  const elements: cytoscape.ElementDefinition[] = [];
  if (grouped)
    for (const group of new Set(data.things.map((thing) => thing[3])))
      elements.push({ data: { id: `group ${group}`, label: groupLabel(group) }, selectable: false, grabbable: false });
  data.things.forEach(([name, label, , group], at) =>
    elements.push({
      data: { id: name, label, short: shorten(label), group, ...(grouped ? { parent: `group ${group}` } : {}) },
      position: places[at]!,
      classes: pins.has(name) ? "pinned" : "",
    }),
  );
  data.links.forEach(([from, to, relation, inferred, path]) => {
    const words = data.relations[relation]! + (inferred ? say("（推定）", " (inferred)") : "");
    elements.push({
      data: { id: `${from} ${relation} ${to}`, source: names[from]!, target: names[to]!, label: words, inferred, path },
    });
  });
  const view = graph && before.size ? { zoom: graph.zoom(), pan: { ...graph.pan() } } : undefined;
  graph?.destroy();
  graph = cytoscape({
    container: board, elements, style: style(many), layout: { name: "preset" },
    minZoom: 0.03, maxZoom: 4, boxSelectionEnabled: false, autounselectify: true,
    textureOnViewport: many, hideEdgesOnViewport: data.links.length > 1000, pixelRatio: many ? 1 : "auto",
  });
  if (view && data.things.length === before.size) graph.viewport(view);
  else graph.fit(undefined, 40);
  if (graph.zoom() > 1.4) {
    graph.zoom(1.4);
    graph.center();
  }
  mark();
  graph.on("tap", "node:childless", (event) => void go(changed((query) => query.set("at", event.target.id()))));
  graph.on("dbltap", "node:childless", (event) => void expandFirst(event.target.id()));
  graph.on("free", "node:childless", (event) => pin(event.target.id(), event.target.position()));
  board.setAttribute(
    "aria-label",
    say(
      `グラフ：もの ${names.length}、つながり ${data.links.length}。同じ内容の一覧が下にあります。`,
      `Graph: ${names.length} things, ${data.links.length} links. The list below has the same content.`,
    ),
  );
  board.dataset.things = String(names.length);
  board.dataset.links = String(data.links.length);
}

function groupLabel(group: string): string {
  const button = document.querySelector(`#legend [value="${group}"]`);
  return button?.firstElementChild?.nextSibling?.textContent?.trim() ?? group;
}

/** Open the first relation of a thing that is closed. */
async function expandFirst(name: string): Promise<void> {
  await go(changed((query) => query.set("at", name)));
  document.querySelector<HTMLButtonElement>('.expand [name="expand"]')?.click();
}

function changed(change: (query: URLSearchParams) => void): URLSearchParams {
  const query = withPins(new URLSearchParams(location.search), pins);
  change(query);
  return query;
}

function remember(query: URLSearchParams): void {
  history.replaceState(null, "", addressOf(location.pathname, query));
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav.language a")) {
    const other = new URL(link.href);
    const own = new URLSearchParams(query);
    own.set("lang", other.searchParams.get("lang") ?? language());
    link.href = addressOf(location.pathname, own);
  }
}

function pin(name: string, place: Place): void {
  if (new URLSearchParams(location.search).get("group") === "1") return;
  pins.set(name, { x: place.x, y: place.y });
  graph?.getElementById(name).addClass("pinned");
  remember(changed(() => {}));
  act();
}

function unpin(name: string): void {
  pins.delete(name);
  graph?.getElementById(name).removeClass("pinned");
  remember(changed(() => {}));
  act();
}

let wanted: AbortController | undefined;

/** Go to another state of the explorer without leaving the page. */
async function go(query: URLSearchParams, push = true): Promise<void> {
  wanted?.abort();
  wanted = new AbortController();
  const part = document.body.dataset.part; // within a page of others it stays so
  if (part) query.set("embed", part);
  const where = addressOf("/explore", query);
  const slow = setTimeout(() => board.setAttribute("aria-busy", "true"), 300);
  try {
    const response = await fetch(where, { signal: wanted.signal, headers: { Accept: "text/html" } });
    if (!response.headers.get("Content-Type")?.startsWith("text/html")) throw new Error(response.statusText);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const focus = focused();
    const scroll = [window.scrollX, window.scrollY] as const;
    const menu = document.querySelector<HTMLDetailsElement>(".data-menu")?.open ?? false;
    if (push) history.pushState(null, "", response.url);
    for (const part of PARTS) {
      const old = document.querySelector(part);
      const made = page.querySelector(part);
      if (old && made) old.replaceWith(document.adoptNode(made));
      else if (made) document.querySelector("main")!.prepend(document.adoptNode(made));
    }
    const details = document.querySelector<HTMLDetailsElement>(".data-menu");
    if (details) details.open = menu;
    document.title = page.title;
    pins = pinsOf(new URLSearchParams(location.search));
    mount();
    window.scrollTo(...scroll);
    if (focus) document.querySelector<HTMLElement>(focus)?.focus({ preventScroll: true });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) location.assign(where);
  } finally {
    clearTimeout(slow);
    board.removeAttribute("aria-busy");
  }
}

/** Return a selector of what has the focus, so that it can be found again on the next page. */
function focused(): string | undefined {
  const here = document.activeElement;
  if (here === board) return ".canvas";
  if (here instanceof HTMLButtonElement && here.name) {
    const value = CSS.escape(here.value);
    if (here.name === "expand" || here.name === "fold") return `.expand [value="${value}"], #tree [value="${value}"]`;
    if (here.name === "without" || here.name === "with") return `#legend [value="${value}"]`;
    if (here.name === "at") return `#tree [name="at"][value="${value}"]`;
    return "#tree button";
  }
  return here?.id ? `#${CSS.escape(here.id)}` : undefined;
}

function button(words: string, act: (made: HTMLButtonElement) => void): HTMLButtonElement {
  const made = element("button", { type: "button" }, words);
  made.addEventListener("click", () => act(made));
  return made;
}

function save(name: string, content: Blob): void {
  const link = element("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function picture(): void {
  const dots = data.things.map(([name, label, kind, group]) => ({
    ...graph!.getElementById(name).position(), label, kind: kind ?? "", group,
  }));
  const lines = data.links.map(([from, to, relation, inferred]) => ({
    from, to, label: data.relations[relation]!, inferred: inferred > 0,
  }));
  save("graph.svg", new Blob([drawing(dots, lines, palette(), document.title)], { type: "image/svg+xml" }));
}

function zoom(factor: number): void {
  graph!.zoom({ level: graph!.zoom() * factor, renderedPosition: { x: graph!.width() / 2, y: graph!.height() / 2 } });
}

/** Add what acts on the thing of the panel: pinning its place. */
function act(): void {
  const place = document.querySelector(".acts");
  if (!place || !data.at) return;
  document.querySelector("#pin")?.remove();
  const name = data.at;
  const pinned = pins.has(name);
  const made = button(pinned ? say("固定をやめる", "Unpin") : say("位置を固定", "Pin its place"), () =>
    pinned ? unpin(name) : pin(name, graph!.getElementById(name).position()),
  );
  made.id = "pin";
  made.className = "plain";
  place.append(" ", made);
}

/** Put the canvas into the page, and let its forms act without leaving it. */
function mount(): void {
  data = read();
  const place = document.querySelector("#canvas-place");
  if (place && data?.things.length) {
    const grouped = new URLSearchParams(location.search).get("group") === "1";
    const group = button(say("種類でまとめる", "Group by class"), () => void go(changed((query) => {
      const next = withGrouping(query, !grouped);
      for (const key of [...query.keys()]) query.delete(key);
      next.forEach((value, key) => query.append(key, value));
    })));
    group.setAttribute("aria-pressed", String(grouped));
    tools.replaceChildren(
      button(say("全体", "Fit"), () => graph!.fit(undefined, 40)),
      button("＋", () => zoom(1.3)),
      button("−", () => zoom(1 / 1.3)),
      button(say("並べ直す", "Arrange anew"), () => draw(true)),
      group,
      button(say("アドレスをコピー", "Copy the address"), (made) => {
        void navigator.clipboard.writeText(location.href).then(() => {
          made.textContent = say("コピーしました", "Copied");
        });
      }),
    );
    tools.children[1]!.setAttribute("aria-label", say("大きく", "Zoom in"));
    tools.children[2]!.setAttribute("aria-label", say("小さく", "Zoom out"));
    place.append(board, tools);
    place.closest(".board")?.classList.add("drawn");
    draw();
    act();
    document.querySelector("#pictures")?.replaceChildren(
      button("SVG", picture),
      button("PNG", () => save("graph.png", graph!.png({ full: true, scale: 2, maxWidth: 8000, maxHeight: 8000, bg: colour("--canvas"), output: "blob" }))),
    );
  }
  for (const input of document.querySelectorAll<HTMLInputElement>("#add, #from, #to"))
    input.addEventListener("input", () => suggest(input));
}

let asked: AbortController | undefined;
let pause: ReturnType<typeof setTimeout>;

/** Offer what is called like what is typed. */
function suggest(input: HTMLInputElement): void {
  clearTimeout(pause);
  asked?.abort();
  const text = input.value.trim();
  if (!text) {
    if (input.id === "add") document.querySelector("#found")?.replaceChildren();
    return;
  }
  pause = setTimeout(async () => {
    asked = new AbortController();
    const where = address("/api/search", { q: text, limit: "8", lang: language() });
    const answer = await fetchJson<{ results: { iri: string; label: string; kind: string; kindLabel: string }[] }>(where, asked.signal)
      .catch(() => undefined);
    if (!answer) return;
    const found = answer.results.filter(({ kind }) => kind !== "Question"); // no thing of the graph
    if (input.id !== "add") {
      document.querySelector("#names")?.replaceChildren(
        ...found.map(({ label, kindLabel }) => element("option", { value: label }, kindLabel)),
      );
      return;
    }
    const items = found.map(({ iri, label, kindLabel }) =>
      element("li", {}, element("button", { class: "plain", name: "iri", value: iri }, `＋ ${label}`), " ", element("small", {}, kindLabel)),
    );
    const none = element("p", {}, say("見つかりませんでした。", "Nothing was found."));
    document.querySelector("#found")?.replaceChildren(items.length ? element("ul", { class: "picks" }, ...items) : none);
  }, 150);
}

document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  if (!form.closest("#explorer") || form.method !== "get") return;
  event.preventDefault();
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form, event.submitter)) query.append(name, String(value));
  const chosen = event.submitter as HTMLButtonElement | null;
  if (chosen?.name) query.delete("q");
  if (chosen?.name === "iri") query.set("at", chosen.value);
  void go(withPins(query, pins));
});
window.addEventListener("popstate", () => void go(new URLSearchParams(location.search), false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => graph?.style(style(data.things.length > MANY)));
document.addEventListener("keydown", (event) => {
  if (document.activeElement !== board || !graph) return;
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
  if (step) graph.panBy({ x: step[0]!, y: step[1]! });
  else if (event.key === "+") zoom(1.3);
  else if (event.key === "-") zoom(1 / 1.3);
  else return;
  event.preventDefault();
});
mount();
