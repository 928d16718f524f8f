/**
 * The graph explorer. The page itself is the state: every button of it leads to an address; here the
 * page of that address is fetched, its parts replace those that are there, and the canvas follows.
 */
import { Board, MANY } from "./lib/board";
import { drawing, SIZE, shorten, type Dot, type Frame, type Line } from "./lib/drawing";
import { save } from "./lib/files";
import { settleGroups, settling } from "./lib/layout";
import { Linked, type Data as Links } from "./lib/linked";
import { loadJson } from "./lib/offline";
import { address, element, fetchJson, language, say } from "./lib/page";
import { withPlaces } from "./lib/positions";
import { onScheme, palette } from "./lib/sketch";
import { addressOf, groupingOf, pinsOf, withGrouping, withPins, type Grouping, type Place } from "./lib/view";

interface Data {
  at: string | null;
  things: [name: string, label: string, kind: string | null, group: string][];
  relations: string[];
  links: [from: number, to: number, relation: number, inferred: number, path: number][];
}

const PARTS = ["#explorer", ".data-menu", "nav.language"];
/** Things of a class that may be pinned at once: their places stand in the address. */
const PINS = 60;
/** Milliseconds of each frame in which places are found. */
const SHARE = 10;
const root = document.documentElement.dataset["static"];

let data: Data;
let dots: Dot[] = [];
let lines: Line[] = [];
let frames: Frame[] = [];
let drawn = "";
let pins = pinsOf(new URLSearchParams(location.search));
const place = element("div", { class: "canvas", role: "application", tabindex: "0" });
const canvasTools = element("div", { class: "canvas-tools" });
/** What is left to do until everything has its place. */
let settle: (() => void) | undefined;
const board = new Board(place, {
  pick: (at) => void go(changed((query) => query.set("at", data.things[at]![0]))),
  open: (at) => void expandFirst(data.things[at]![0]),
  moved: (at) => pin([at]),
  touched: () => settle?.(),
});

function read(): Data {
  return JSON.parse(document.querySelector("#graph-data")?.textContent ?? "null");
}

function numberOf(name: string | null): number {
  return data.things.findIndex((thing) => thing[0] === name);
}

function show(): void {
  const pinned = new Set([...pins.keys()].map(numberOf));
  board.show({ dots, lines, frames, at: numberOf(data.at), pinned, palette: palette() });
}

/** Draw what the page says: what is new settles near what led to it, what was there stays. */
function draw(fresh = false): void {
  const grouping = groupingOf(new URLSearchParams(location.search));
  const state = JSON.stringify([data.things, data.links, grouping]);
  if (!fresh && state === drawn) {
    show();
    return;
  }
  settle?.();
  const before = new Map<string, Place>();
  if (!fresh && drawn && !frames.length) dots.forEach(({ name, x, y }) => before.set(name, { x, y }));
  drawn = state;
  const known = new Map<number, Place>();
  const fixed = new Set<number>();
  data.things.forEach(([name], at) => {
    const where = pins.get(name) ?? before.get(name);
    if (where) known.set(at, where);
    if (pins.has(name)) fixed.add(at);
  });
  dots = data.things.map(([name, label, kind, group]) => (
    { name, label, short: shorten(label), kind: kind ?? "", group, x: 0, y: 0 }
  ));
  lines = data.links.map(([from, to, relation, inferred, path]) => ({
    from, to, path: path > 0, inferred: inferred > 0,
    label: data.relations[relation]! + (inferred ? say("（推定）", " (inferred)") : ""),
  }));
  frames = [];
  const put = (places: readonly Place[]): void => places.forEach((where, at) => Object.assign(dots[at]!, where));
  const same = known.size === dots.length;
  if (grouping) {
    const names = data.things.map(([, , kind, group]) => (grouping === "class" && kind) || groupLabel(group));
    put(settleGroups(names));
    frames = framesOf(names);
    board.fit();
  } else if (same) put([...known.keys()].sort((a, b) => a - b).map((at) => known.get(at)!));
  else gather(settling({ count: dots.length, links: data.links.map(([from, to]) => [from, to]), known, fixed }), put);
  show();
  if (!same || !before.size) board.fit();
  place.setAttribute(
    "aria-label",
    say(
      `グラフ：もの ${dots.length}、つながり ${lines.length}。同じ内容の一覧が下にあります。`,
      `Graph: ${dots.length} things, ${lines.length} links. The list below has the same content.`,
    ),
  );
  place.dataset.things = String(dots.length);
  place.dataset.links = String(lines.length);
}

/** Let things find their places: many of them while the picture is there already. */
function gather(rounds: Generator<Place[], Place[]>, put: (places: readonly Place[]) => void): void {
  let step = rounds.next();
  let frame = 0;
  const finish = (): void => {
    cancelAnimationFrame(frame);
    while (!step.done) step = rounds.next();
    put(step.value);
    settle = undefined;
    board.repaint();
  };
  put(step.value);
  if (dots.length <= MANY || matchMedia("(prefers-reduced-motion: reduce)").matches) {
    finish();
    return;
  }
  const some = (): void => {
    const end = performance.now() + SHARE;
    while (!step.done && performance.now() < end) step = rounds.next();
    put(step.value);
    if (step.done) settle = undefined;
    else frame = requestAnimationFrame(some);
    board.fit();
  };
  settle = finish;
  frame = requestAnimationFrame(some);
}

/** Return a box around the things of each name. */
function framesOf(names: readonly string[]): Frame[] {
  const found = new Map<string, Dot[]>();
  names.forEach((name, at) => found.set(name, [...(found.get(name) ?? []), dots[at]!]));
  return [...found].map(([name, own]) => {
    const [left, top] = [Math.min(...own.map(({ x }) => x)) - 3 * SIZE, Math.min(...own.map(({ y }) => y)) - 2 * SIZE];
    const [right, bottom] = [Math.max(...own.map(({ x }) => x)) + 3 * SIZE, Math.max(...own.map(({ y }) => y)) + 3 * SIZE];
    return { label: `${name} ${own.length.toLocaleString()}`, left, top, width: right - left, height: bottom - top };
  });
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
    if (root === undefined) own.set("lang", other.searchParams.get("lang") ?? language());
    link.href = addressOf(other.pathname, own); // in a site of files each language has its own
  }
}

/** Keep the places of things, in the address too; or give them free. */
function pin(things: readonly number[], kept = true): void {
  if (frames.length) return;
  for (const at of things) {
    const { name, x, y } = dots[at]!;
    if (kept) pins.set(name, { x, y });
    else pins.delete(name);
  }
  remember(changed(() => {}));
  show();
  act();
}

let wanted: AbortController | undefined;

/** What takes the place of the parts of the page, and the address of it. */
interface Made {
  parts: Record<string, Element | null | undefined>;
  title: string;
  address: string;
  /** In a site of files: what writes files for programs that draw the graph again. */
  files?: Record<string, () => string>;
}

async function fromServer(where: string, signal: AbortSignal): Promise<Made> {
  const response = await fetch(where, { signal, headers: { Accept: "text/html" } });
  if (!response.headers.get("Content-Type")?.startsWith("text/html")) throw new Error(response.statusText);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const parts = Object.fromEntries(PARTS.map((part) => [part, page.querySelector(part)]));
  return { parts, title: page.title, address: response.url };
}

/** Go to another state of the explorer without leaving the page. */
async function go(query: URLSearchParams, push = true): Promise<void> {
  wanted?.abort();
  wanted = new AbortController();
  const { signal } = wanted;
  const part = document.body.dataset.part; // within a page of others it stays so
  if (part) query.set("embed", part);
  const where = addressOf(root === undefined ? "/explore" : location.pathname, query);
  const slow = setTimeout(() => place.setAttribute("aria-busy", "true"), 300);
  try {
    const made = await (root === undefined ? fromServer(where, signal) : fromFiles(query));
    signal.throwIfAborted();
    const focus = focused();
    const scroll = [window.scrollX, window.scrollY] as const;
    const menu = document.querySelector<HTMLDetailsElement>(".data-menu")?.open ?? false;
    if (push) history.pushState(null, "", made.address);
    else if (root !== undefined) history.replaceState(null, "", made.address);
    for (const [part, fresh] of Object.entries(made.parts)) {
      const old = document.querySelector(part);
      if (old && fresh) old.replaceWith(document.adoptNode(fresh));
      else if (old && part === ".data-menu") old.remove();
      else if (fresh) document.querySelector("main")!.prepend(document.adoptNode(fresh));
    }
    const details = document.querySelector<HTMLDetailsElement>(".data-menu");
    if (details) details.open = menu;
    document.title = made.title;
    written = made.files ?? {};
    pins = pinsOf(new URLSearchParams(location.search));
    if (root !== undefined) remember(new URLSearchParams(location.search));
    mount();
    window.scrollTo(...scroll);
    if (focus) document.querySelector<HTMLElement>(focus)?.focus({ preventScroll: true });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (root === undefined) location.assign(where);
    else notLoaded(error);
  } finally {
    clearTimeout(slow);
    place.removeAttribute("aria-busy");
  }
}

// A site of files: the network is one of them, and the pages are made here.

const tools = document.querySelector<HTMLElement>(".tools");
let network: Promise<Linked> | undefined;
let written: Record<string, () => string> = {};

/** Return the network of a site of files, loaded when it is first needed. */
function opened(): Promise<Linked> {
  const note = document.querySelector<HTMLElement>("#network")!;
  const told = element("span", { role: "status" });
  if (!network) {
    note.replaceChildren(told);
    const where = new URL(note.dataset["network"]!, location.href);
    network = loadJson<Links>(where, Number(note.dataset["size"]), (loaded, size) => {
      told.textContent = say(`つながりを読み込んでいます：${loaded} / ${size} MB`, `Loading the links: ${loaded} / ${size} MB`);
    }).then((data) => new Linked(data));
  }
  return network;
}

async function fromFiles(query: URLSearchParams): Promise<Made> {
  const [linked, { pageOf }] = [await opened(), await import("./lib/explorer")];
  const { explorer, menu, title, query: kept, files } = await pageOf(linked, query, tools!);
  return { parts: { "#explorer": explorer, ".data-menu": menu }, title, address: addressOf(location.pathname, kept), files };
}

function notLoaded(error: unknown): void {
  network = undefined;
  const words = say("つながりを読み込めません。", "The links cannot be loaded.");
  document.querySelector("#network")?.replaceChildren(element("strong", { role: "alert" }, `${words} ${error}`));
}

/** Return a selector of what has the focus, so that it can be found again on the next page. */
function focused(): string | undefined {
  const here = document.activeElement;
  if (here === place) return ".canvas";
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

function picture(): void {
  settle?.();
  save("graph.svg", new Blob([drawing(dots, lines, palette(), document.title, frames)], { type: "image/svg+xml" }));
}

/** Let a file of the graph have the places of the canvas. */
function savePlaced(text: string, end: string): void {
  settle?.();
  const places = dots.map(({ x, y }) => ({ x, y }));
  save(`graph.${end}`, new Blob([withPlaces(text, end, places)], { type: "application/xml" }));
}

async function saveWithPlaces(link: HTMLAnchorElement, end: string): Promise<void> {
  try {
    const response = await fetch(link.href);
    if (!response.ok) throw new Error(response.statusText);
    savePlaced(await response.text(), end);
  } catch {
    location.assign(link.href); // the server's own words, or its file without places
  }
}

/** Add what acts on places: of the thing of the panel, and of all things of a class. */
function act(): void {
  for (const old of document.querySelectorAll("#pin, #legend .pins")) old.remove();
  if (frames.length) return;
  const own = document.querySelector(".acts");
  const shown = numberOf(data.at);
  if (own && shown >= 0) {
    const pinned = pins.has(data.at!);
    const made = button(pinned ? say("固定をやめる", "Unpin") : say("位置を固定", "Pin its place"), () => pin([shown], !pinned));
    made.id = "pin";
    made.className = "plain";
    own.append(" ", made);
  }
  for (const entry of document.querySelectorAll<HTMLButtonElement>("#legend [data-class]")) {
    const label = entry.dataset.class!;
    const some = [...data.things.keys()].filter((at) => data.things[at]![2] === label);
    if (!some.length || some.length > PINS) continue;
    const pinned = some.every((at) => pins.has(data.things[at]![0]));
    const made = button(say("固定", "pin"), () => pin(some, !pinned));
    made.className = "plain quiet pins";
    made.setAttribute("aria-pressed", String(pinned));
    made.setAttribute("aria-label", say(`${label} の位置をすべて固定`, `Pin the places of all: ${label}`));
    entry.after(" ", made);
  }
}

/** Put the canvas into the page, and let its forms act without leaving it. */
function mount(): void {
  data = read();
  const room = document.querySelector("#canvas-place");
  if (room && data?.things.length) {
    const grouping = groupingOf(new URLSearchParams(location.search));
    const groupBy = (words: string, wanted: Grouping): HTMLButtonElement => {
      const made = button(words, () => {
        settle?.();
        void go(withGrouping(changed(() => {}), grouping === wanted ? "" : wanted));
      });
      made.setAttribute("aria-pressed", String(grouping === wanted));
      return made;
    };
    canvasTools.replaceChildren(
      button(say("全体", "Fit"), () => board.fit()),
      button("＋", () => board.zoom(1.3)),
      button("−", () => board.zoom(1 / 1.3)),
      button(say("並べ直す", "Arrange anew"), () => draw(true)),
      groupBy(say("クラスごとにまとめる", "Group by class"), "class"),
      groupBy(say("色ごとにまとめる", "Group by colour"), "1"),
      button(say("アドレスをコピー", "Copy the address"), (made) => {
        void navigator.clipboard.writeText(location.href).then(() => {
          made.textContent = say("コピーしました", "Copied");
        });
      }),
    );
    canvasTools.children[1]!.setAttribute("aria-label", say("大きく", "Zoom in"));
    canvasTools.children[2]!.setAttribute("aria-label", say("小さく", "Zoom out"));
    room.append(place, canvasTools);
    room.closest(".board")?.classList.add("drawn");
    draw();
    act();
    document.querySelector("#pictures")?.replaceChildren(
      button("SVG", picture),
      button("PNG", () => {
        settle?.();
        void board.png().then((picture) => save("graph.png", picture));
      }),
    );
    const names: Record<string, string> = { graphml: "GraphML", gexf: "GEXF" };
    for (const [end, write] of Object.entries(written))
      document.querySelector("#pictures")?.before(button(names[end] ?? end, () => savePlaced(write(), end)));
    for (const link of document.querySelectorAll<HTMLAnchorElement>("#files a")) {
      const end = /\.(graphml|gexf)\?/.exec(link.href)?.[1];
      if (end)
        link.addEventListener("click", (event) => {
          event.preventDefault();
          void saveWithPlaces(link, end);
        });
    }
  }
  for (const input of document.querySelectorAll<HTMLInputElement>("#add, #from, #to"))
    input.addEventListener("input", () => suggest(input));
}

let asked: AbortController | undefined;
let pause: ReturnType<typeof setTimeout>;

interface Hit {
  iri: string;
  label: string;
  kindLabel: string;
}

async function hitsOfServer(text: string, signal: AbortSignal): Promise<Hit[]> {
  const where = address("/api/search", { q: text, limit: "8", lang: language() });
  const { results } = await fetchJson<{ results: (Hit & { kind: string })[] }>(where, signal);
  return results.filter(({ kind }) => kind !== "Question"); // no thing of the graph
}

async function hitsOfFiles(text: string): Promise<Hit[]> {
  const [linked, { called }] = [await opened(), await import("./lib/explorer")];
  const things = (await called(linked, text)).slice(0, 8);
  return things.map((at) => ({ iri: linked.name(at), label: linked.label(at), kindLabel: linked.classLabel(at) }));
}

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
    const found = await (root === undefined ? hitsOfServer(text, asked.signal) : hitsOfFiles(text)).catch(() => undefined);
    if (!found || input.value.trim() !== text) return;
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
onScheme(() => data?.things.length && show());
document.addEventListener("keydown", (event) => {
  if (document.activeElement !== place) return;
  settle?.();
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
  if (step) board.pan(step[0]!, step[1]!);
  else if (event.key === "+") board.zoom(1.3);
  else if (event.key === "-") board.zoom(1 / 1.3);
  else return;
  event.preventDefault();
});
if (root !== undefined && location.search) void go(new URLSearchParams(location.search), false);
else mount();
