/** A graph that is drawn once, beside a table that says the same; a pick shows what is linked. */
import { Board } from "./board";
import { shorten, type Dot, type Line, type Palette } from "./drawing";
import { settle } from "./layout";
import { element, say } from "./page";

export interface Thing {
  label: string;
  kind: string;
  /** What it is coloured and shaped by, see `SHAPES` and `SERIES`. */
  group: string;
  address: string | null;
}

const SERIES: Readonly<Record<string, string>> = {
  body: "--series-1", project: "--series-2", service: "--series-3",
  type: "--series-4", party: "--series-5", system: "--series-6",
};

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Return the colours of now, which are others in the dark. */
export function palette(): Palette {
  const groups = Object.fromEntries(Object.entries(SERIES).map(([group, name]) => [group, colour(name)]));
  return {
    canvas: colour("--canvas"), text: colour("--text"), quiet: colour("--quiet"), path: colour("--action"),
    shown: colour("--bad"), groups,
  };
}

/** Run something whenever light and dark change places. */
export function onScheme(act: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", act);
}

/** Draw a graph into an element. */
export function sketch(place: HTMLElement, things: readonly Thing[], links: readonly Omit<Line, "path">[]): void {
  const box = element("div", { class: "canvas", role: "img", "aria-label": say("つながりの図（下に同じ内容）", "Network (the same content is below)") });
  const said = element("p", { class: "note", "aria-live": "polite" });
  const places = settle({ count: things.length, links: links.map(({ from, to }) => [from, to]) });
  const dots: Dot[] = things.map((thing, at) => ({ ...thing, ...places[at]!, name: `${at}`, short: shorten(thing.label) }));
  let picked = -1;
  const show = (): void => {
    const lines = links.map((each) => ({ ...each, path: each.from === picked || each.to === picked }));
    board.show({ dots, lines, frames: [], at: picked, pinned: new Set(), palette: palette() });
  };
  const pick = (at: number): void => {
    picked = at;
    const { label, kind, address } = things[at]!;
    const near = new Set(links.filter(({ from, to }) => from === at || to === at).map(({ from, to }) => (from === at ? to : from)));
    const name = address ? element("a", { href: address }, label) : label;
    said.replaceChildren(name, kind ? ` (${kind})` : "", say(` とつながるもの：${near.size}件`, `, linked with ${near.size}`));
    show();
  };
  const open = (at: number): void => {
    const { address } = things[at]!;
    if (address) location.assign(address);
  };
  const board = new Board(box, { pick, open, moved: () => undefined, touched: () => undefined });
  const tools = element("div", { class: "canvas-tools" });
  for (const [sign, words, act] of [
    ["＋", say("拡大", "Zoom in"), () => board.zoom(1.3)],
    ["−", say("縮小", "Zoom out"), () => board.zoom(1 / 1.3)],
    [say("全体", "Fit"), say("全体を表示", "Show everything"), () => board.fit()],
  ] as const) {
    const button = element("button", { type: "button", "aria-label": words }, sign);
    button.addEventListener("click", act);
    tools.append(button);
  }
  place.append(tools, box, said);
  onScheme(show);
  show();
  board.fit();
}
