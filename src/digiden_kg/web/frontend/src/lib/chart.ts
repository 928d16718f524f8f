/**
 * Charts of the tables of a page.
 *
 * `<figure class="chart" data-chart='{"kind":"bar","values":["projectCount"]}'>` draws the table
 * inside it or the next one below it; its `figcaption` is the title and states the message. The
 * table stays: it is what a screen reader, a printer and a reader without scripts use.
 */
import { dot, line, link, plot, rect, ruleX, text, type Markish } from "@observablehq/plot";
import { short, yen } from "./numbers";
import { language, say } from "./page";

/** A column: its place, or its name (`data-column` of its heading, else the small word in it). */
export type Column = number | string;

export interface Spec {
  kind: "bar" | "line" | "slope" | "dot";
  /** Column of the names (of the times, for a line); the first unless given. */
  label?: Column;
  /** Columns of the numbers, one series each; unless given all that hold numbers only. */
  values?: Column[];
  /** `yen`, or a word that stands behind each number. */
  unit?: string;
  /** Rows that are drawn at most. */
  top?: number;
  /** Largest first, by the first series; unless given in the order of the table. */
  sort?: boolean;
}

export interface Cell {
  text: string;
  /** The number in the cell; null where it is empty or no number. */
  value: number | null;
}

export interface Table {
  columns: { name: string; title: string }[];
  rows: Cell[][];
}

export interface Point {
  /** Place of the row in the chart. */
  row: number;
  name: string;
  series: string;
  /** Null where the table says nothing: that is not zero. */
  value: number | null;
}

const COLOURS = [1, 2, 3, 4, 5, 6].map((each) => `var(--series-${each})`);
const FONT = 14;
const FACE = "'Noto Sans JP', -apple-system, BlinkMacSystemFont, sans-serif";

/** Return the number that a cell shows, null if it shows none. */
export function numberOf(shown: string): number | null {
  const found = /^[−-]?[\d,]+(\.\d+)?/.exec(shown.trim());
  return found ? Number(found[0].replace("−", "-").replaceAll(",", "")) : null;
}

function placeOf(table: Table, column: Column): number {
  if (typeof column === "number") return column;
  const found = table.columns.findIndex((each) => each.name === column);
  if (found < 0) throw new Error(`chart: the table has no column ${column}`);
  return found;
}

/** Return what a chart draws, row by row. */
export function points(table: Table, spec: Spec): Point[] {
  const label = placeOf(table, spec.label ?? 0);
  const numeric = table.columns.flatMap((_, at) => {
    const cells = table.rows.map((row) => row[at]).filter((cell) => cell && cell.text !== "");
    return at !== label && cells.length && cells.every((cell) => cell!.value !== null) ? [at] : [];
  });
  const columns = (spec.values?.map((each) => placeOf(table, each)) ?? numeric).slice(0, COLOURS.length);
  const first = columns[0];
  if (first === undefined) return [];
  const rows = [...table.rows];
  if (spec.sort) rows.sort((a, b) => (b[first]?.value ?? -Infinity) - (a[first]?.value ?? -Infinity));
  return rows.slice(0, spec.top ?? rows.length).flatMap((row, at) =>
    columns.map((column) => ({
      row: at,
      name: row[label]?.text ?? "",
      series: table.columns[column]?.title ?? "",
      value: row[column]?.value ?? null,
    })),
  );
}

/** Move places apart, none below the lowest, so that neighbours keep a distance. */
export function spread(places: number[], distance: number): number[] {
  const order = places.map((_, at) => at).sort((a, b) => places[a]! - places[b]!);
  const moved = [...places];
  for (let at = 1; at < order.length; at++) {
    const above = moved[order[at - 1]!]!;
    if (moved[order[at]!]! < above + distance) moved[order[at]!] = above + distance;
  }
  let lowest = Math.max(...places, 0);
  for (const at of order.reverse()) {
    if (moved[at]! > lowest) moved[at] = lowest;
    lowest = moved[at]! - distance;
  }
  return moved;
}

function readTable(table: HTMLTableElement): Table {
  const headings = [...table.querySelectorAll<HTMLTableCellElement>("thead tr:last-child > *")];
  const words = (node: Element, without: string) => {
    const copy = node.cloneNode(true) as Element;
    copy.querySelectorAll(without).forEach((each) => each.remove());
    return copy.textContent?.trim() ?? "";
  };
  return {
    columns: headings.map((each) => ({
      name: each.dataset["column"] ?? each.querySelector("small")?.textContent?.trim() ?? "",
      title: words(each, "small"),
    })),
    rows: [...table.querySelectorAll("tbody tr:not([data-total])")].map((row) =>
      [...row.children].map((each) => {
        const shown = words(each, ".sources, small");
        const exact = (each as HTMLElement).dataset["value"];
        return { text: shown, value: numberOf(exact ?? shown) };
      }),
    ),
  };
}

const canvas = typeof document === "undefined" ? null : document.createElement("canvas").getContext("2d");

function widthOf(shown: string): number {
  if (!canvas) return shown.length * FONT;
  canvas.font = `${FONT}px ${FACE}`;
  return canvas.measureText(shown).width;
}

function fit(shown: string, width: number): string {
  if (widthOf(shown) <= width) return shown;
  let end = shown.length;
  while (end > 1 && widthOf(`${shown.slice(0, end)}…`) > width) end--;
  return `${shown.slice(0, end)}…`;
}

function words(value: number | null, unit: string | undefined): string {
  if (value === null) return say("記載なし", "not given");
  if (unit === "yen") return yen(value, language());
  const shown = Math.abs(value) < 1e5 ? value.toLocaleString(language(), { maximumFractionDigits: 2 }) : short(value, language());
  if (!unit) return shown;
  return language() === "ja" || unit === "%" ? shown + unit : `${shown} ${unit}`;
}

interface Drawing {
  height: number;
  marks: Markish[];
  left: number;
  right: number;
  x: object;
  symbol?: object;
}

const BAR = 20;
const ink = { fill: "var(--text)", fontSize: FONT } as const;

function colours(data: Point[]): Map<string, string> {
  const names = [...new Set(data.map((each) => each.series))];
  return new Map(names.map((name, at) => [name, COLOURS[at]!]));
}

/** Bars or dots: a row for each name, its number written at the end. */
function rows(data: Point[], spec: Spec, width: number): Drawing {
  const colour = colours(data);
  const bars = spec.kind === "bar";
  const several = colour.size > 1;
  const end = (each: Point) =>
    bars && several ? `${each.series} ${words(each.value, spec.unit)}` : words(each.value, spec.unit);
  const names = [...new Map(data.map((each) => [each.row, each.name]))];
  const longest = Math.max(...names.map(([, name]) => widthOf(name)));
  const above = longest > width * 0.4;
  const left = above ? 4 : longest + 12;
  const right = Math.min(width * 0.5, Math.max(...data.map((each) => widthOf(end(each)))) + 12);
  const lanes = bars ? colour.size : 1;
  const head = above ? FONT + 8 : 0;
  const tall = head + lanes * (BAR + 2) + (bars ? 8 : 6);
  const order = [...colour.keys()];
  const top = (each: Point) => each.row * tall + head + (bars ? order.indexOf(each.series) * (BAR + 2) : 0);
  const known = data.filter((each) => each.value !== null);
  const greatest = Math.max(0, ...known.map((each) => each.value!));
  const least = Math.min(0, ...known.map((each) => each.value!));
  const fill = (each: Point) => colour.get(each.series)!;
  const marks: Markish[] = [
    ruleX([0], { stroke: "var(--quiet)" }),
    text(names, {
      x: () => least, y: ([row]: [number, string]) => row * tall + (above ? FONT / 2 + 2 : BAR / 2 + (lanes - 1) * (BAR / 2 + 1)),
      text: ([, name]: [number, string]) => fit(name, above ? width - 8 : longest + 1),
      dx: above ? 0 : -8, textAnchor: above ? "start" : "end", ...ink,
    }),
  ];
  if (bars) {
    marks.push(
      rect(known, { x1: () => 0, x2: "value", y1: top, y2: (each: Point) => top(each) + BAR, fill }),
      text(data, {
        x: (each: Point) => Math.max(0, each.value ?? 0), y: (each: Point) => top(each) + BAR / 2,
        text: end, dx: 6, textAnchor: "start", ...ink,
      }),
    );
  } else {
    const spans = names.map(([row]) => {
      const values = known.filter((each) => each.row === row).map((each) => each.value!);
      return { row, from: Math.min(...values), to: Math.max(...values) };
    }).filter((span) => Number.isFinite(span.from));
    const middle = (row: number) => row * tall + head + BAR / 2;
    const ends = spans.flatMap((span) => known.find((each) => each.row === span.row && each.value === span.to) ?? []);
    marks.push(
      link(spans, {
        x1: "from", x2: "to", y1: (span) => middle(span.row), y2: (span) => middle(span.row), stroke: "var(--quiet)",
      }),
      dot(known, {
        x: "value", y: (each: Point) => middle(each.row), r: 6, fill, symbol: (each: Point) => each.series,
      }),
      text(ends, {
        x: "value", y: (each: Point) => middle(each.row), text: end, dx: 10, textAnchor: "start", ...ink,
      }),
    );
  }
  return {
    height: (names.length || 1) * tall, marks, left, right,
    x: { domain: [least, greatest || 1] }, symbol: { domain: order },
  };
}

/** Two columns: from the first to the second, each end named. */
function slope(data: Point[], spec: Spec, width: number): Drawing {
  const [from, to] = [...colours(data).keys()];
  const ends = [...new Set(data.map((each) => each.row))].map((row) => {
    const of = (series: string | undefined) => data.find((each) => each.row === row && each.series === series);
    return { name: of(from)?.name ?? "", a: of(from)?.value ?? null, b: of(to)?.value ?? null };
  }).filter((each): each is { name: string; a: number; b: number } => each.a !== null && each.b !== null);
  const height = Math.max(140, ends.length * (FONT + 8) + 40);
  const values = ends.flatMap((each) => [each.a, each.b]);
  const [least, greatest] = [Math.min(0, ...values), Math.max(...values, 1)];
  const high = (value: number) => 32 + (height - 48) * (1 - (value - least) / (greatest - least));
  const places = [spread(ends.map((each) => high(each.a)), FONT + 4), spread(ends.map((each) => high(each.b)), FONT + 4)];
  const right = Math.min(width * 0.55, Math.max(...ends.map((each) => widthOf(`${words(each.b, spec.unit)} ${each.name}`)), widthOf(to ?? "")) + 16);
  const left = Math.min(width * 0.3, Math.max(...ends.map((each) => widthOf(words(each.a, spec.unit))), widthOf(from ?? "")) + 16);
  const stroke = (_: unknown, at: number) => COLOURS[at % COLOURS.length]!;
  return {
    height, left, right,
    marks: [
      link(ends, { x1: () => 0, x2: () => 1, y1: (each) => high(each.a), y2: (each) => high(each.b), stroke, strokeWidth: 3 }),
      dot(ends, { x: () => 0, y: (each) => high(each.a), fill: stroke, r: 5 }),
      dot(ends, { x: () => 1, y: (each) => high(each.b), fill: stroke, r: 5 }),
      text(ends, { x: () => 0, y: (_, at) => places[0]![at]!, text: (each) => words(each.a, spec.unit), dx: -10, textAnchor: "end", ...ink }),
      text(ends, { x: () => 1, y: (_, at) => places[1]![at]!, text: (each) => fit(`${words(each.b, spec.unit)} ${each.name}`, right - 12), dx: 10, textAnchor: "start", ...ink }),
      text([from ?? ""], { x: () => 0, y: () => 8, text: (each) => each, textAnchor: "end", ...ink }),
      text([to ?? ""], { x: () => 1, y: () => 8, text: (each) => each, textAnchor: "start", ...ink }),
    ],
    x: { domain: [0, 1] },
  };
}

/** A line for each series over the first column, named at its end. */
function lines(data: Point[], spec: Spec, width: number): Drawing {
  const colour = colours(data);
  const known = data.filter((each) => each.value !== null);
  const height = 280;
  const greatest = Math.max(1, ...known.map((each) => each.value!));
  const least = Math.min(0, ...known.map((each) => each.value!));
  const high = (each: Point) => 24 + (height - 64) * (1 - (each.value! - least) / (greatest - least));
  const last = [...colour.keys()].flatMap((name) => known.filter((each) => each.series === name).at(-1) ?? []);
  const several = colour.size > 1;
  const end = (each: Point) => (several ? `${words(each.value, spec.unit)} ${each.series}` : words(each.value, spec.unit));
  const places = spread(last.map(high), FONT + 4);
  const right = Math.min(width * 0.45, Math.max(...last.map((each) => widthOf(end(each)))) + 16);
  const times = [...new Map(data.map((each) => [each.row, each.name]))];
  const stroke = (each: Point) => colour.get(each.series)!;
  const others = several ? [] : known.filter((each) => !last.includes(each));
  return {
    height, right, left: 48,
    marks: [
      line(known, { x: "row", y: high, z: "series", stroke, strokeWidth: 3 }),
      dot(known, { x: "row", y: high, fill: stroke, r: 5 }),
      text(others, { x: "row", y: high, dy: -14, text: end, ...ink }),
      text(last, { x: "row", y: (_, at) => places[at]!, dx: 10, text: (each) => fit(end(each), right - 12), textAnchor: "start", ...ink }),
      text(times, { x: ([row]: [number, string]) => row, y: () => height - 12, text: ([, name]: [number, string]) => name, ...ink }),
    ],
    x: { domain: [0, Math.max(1, times.length - 1)] },
  };
}

/** Return a chart of a table as wide as asked, null where the table holds nothing to draw. */
export function chart(table: Table, spec: Spec, width: number, title: string): Element | null {
  const data = points(table, spec);
  if (!data.some((each) => each.value !== null)) return null;
  const drawn = { bar: rows, dot: rows, slope, line: lines }[spec.kind](data, spec, width);
  const made = plot({
    width,
    height: drawn.height + 8,
    marginTop: 4, marginBottom: 4, marginLeft: drawn.left, marginRight: drawn.right,
    x: { axis: null, ...drawn.x },
    y: { axis: null, domain: [0, drawn.height], range: [4, drawn.height + 4] },
    ...(drawn.symbol ? { symbol: drawn.symbol } : {}),
    color: { type: "identity" },
    style: { fontFamily: FACE, fontSize: `${FONT}px`, background: "none", color: "var(--text)", overflow: "visible" },
    marks: drawn.marks,
  });
  // The marks are named in English for nobody: the whole is one picture with one name.
  made.querySelectorAll("[aria-label]").forEach((mark) => mark.removeAttribute("aria-label"));
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", title + say("（下の表に同じ値）", " (the table below has the same figures)"));
  return made;
}

function tableOf(figure: HTMLElement): HTMLTableElement | null {
  const inside = figure.querySelector("table");
  for (let next = figure.nextElementSibling; !inside && next; next = next.nextElementSibling) {
    if (next.matches("figure.chart")) continue; // several charts may share one table
    const found = next instanceof HTMLTableElement ? next : next.querySelector("table");
    if (found) return found;
  }
  return inside;
}

function legend(spec: Spec, data: Point[]): HTMLElement | null {
  const names = [...colours(data)];
  if (spec.kind !== "dot" || names.length < 2) return null;
  const shapes = ["●", "✚", "◆", "■", "★", "▲"];
  const list = document.createElement("p");
  list.className = "legend";
  names.forEach(([name, colour], at) => {
    const key = document.createElement("span");
    key.textContent = shapes[at]!;
    key.style.color = colour;
    list.append(key, ` ${name} `);
  });
  return list;
}

/** Draw one figure, and again when its width changes. */
export function draw(figure: HTMLElement): void {
  const source = tableOf(figure);
  if (!source) return;
  const spec = JSON.parse(figure.dataset["chart"] ?? "{}") as Spec;
  const table = readTable(source);
  const title = figure.querySelector("figcaption")?.textContent?.trim() ?? "";
  const place = document.createElement("div");
  const key = legend(spec, points(table, spec));
  const caption = figure.querySelector("figcaption");
  if (caption) caption.after(...(key ? [key, place] : [place]));
  else figure.prepend(place);
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.floor(place.clientWidth);
    if (width < 40 || Math.abs(width - drawn) < 8) return;
    drawn = width;
    const made = chart(table, spec, width, title);
    place.replaceChildren(...(made ? [made] : []));
  }).observe(place);
}

/** Draw every chart of a part of the page. */
export function drawAll(root: ParentNode = document): void {
  root.querySelectorAll<HTMLElement>("figure.chart[data-chart]").forEach(draw);
}
