/** A graph as an SVG picture of its own, from places that are known. */
import type { Place } from "./view";

export interface Dot extends Place {
  name: string;
  label: string;
  /** What fits under it. */
  short: string;
  kind: string;
  group: string;
}

export interface Line {
  from: number;
  to: number;
  label: string;
  inferred: boolean;
  /** Whether it is part of the connection that was asked for. */
  path: boolean;
}

/** A box around a group. */
export interface Frame {
  label: string;
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Palette {
  canvas: string;
  text: string;
  quiet: string;
  path: string;
  /** Around the thing that the page is about. */
  shown: string;
  groups: Readonly<Record<string, string>>;
}

/** What each group is drawn as. */
const SHAPES: Readonly<Record<string, string>> = {
  body: "ellipse",
  project: "rectangle",
  service: "round-rectangle",
  type: "diamond",
  party: "hexagon",
  system: "pentagon",
  figure: "triangle",
  rule: "octagon",
  record: "rhomboid",
};

/** Half of how wide a thing is. */
export const SIZE = 12;
/** Corners of the shapes that have some, x and y in turn, for a half width of 1. */
export const CORNERS: Readonly<Record<string, readonly number[]>> = {
  diamond: [0, -1.2, 1.2, 0, 0, 1.2, -1.2, 0],
  hexagon: [-0.5, -0.9, 0.5, -0.9, 1, 0, 0.5, 0.9, -0.5, 0.9, -1, 0],
  pentagon: [0, -1, 1, -0.25, 0.6, 0.9, -0.6, 0.9, -1, -0.25],
  triangle: [0, -1, 1, 0.9, -1, 0.9],
  octagon: [-0.4, -1, 0.4, -1, 1, -0.4, 1, 0.4, 0.4, 1, -0.4, 1, -1, 0.4, -1, -0.4],
  rhomboid: [-1, -0.8, 0.5, -0.8, 1, 0.8, -0.5, 0.8],
};

/** Return the text with what XML reserves written out. */
export function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
}

/** Return the name of the shape of a group. */
export function outlineOf(group: string): string {
  return SHAPES[group] ?? "ellipse";
}

function shape({ x, y, group }: Dot, colour: string): string {
  const name = outlineOf(group);
  const corners = CORNERS[name];
  if (corners) {
    const points = corners.map((each, at) => (at % 2 ? y : x) + each * SIZE).map(round).join(" ");
    return `<polygon points="${points}" fill="${colour}"/>`;
  }
  if (name === "ellipse") return `<circle cx="${round(x)}" cy="${round(y)}" r="${SIZE}" fill="${colour}"/>`;
  const corner = name === "round-rectangle" ? 5 : 0;
  return `<rect x="${round(x - SIZE)}" y="${round(y - SIZE)}" width="${2 * SIZE}" height="${2 * SIZE}" rx="${corner}" fill="${colour}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Return the picture; inferred links are dashed, links say what they are to who points at them. */
export function drawing(
  dots: readonly Dot[], lines: readonly Line[], palette: Palette, title: string, frames: readonly Frame[] = [],
): string {
  const pad = 90;
  const xs = [...dots.map((dot) => dot.x), ...frames.flatMap((frame) => [frame.left, frame.left + frame.width])];
  const ys = [...dots.map((dot) => dot.y), ...frames.flatMap((frame) => [frame.top, frame.top + frame.height])];
  const left = Math.min(...xs, 0) - pad;
  const top = Math.min(...ys, 0) - pad / 2;
  const width = Math.max(...xs, 0) + pad - left;
  const height = Math.max(...ys, 0) + pad - top;
  const box = [left, top, width, height].map(round).join(" ");
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}" width="${round(width)}" height="${round(height)}" role="img" font-family="'Noto Sans JP', sans-serif" font-size="11">`,
    `<title>${escape(title)}</title>`,
    `<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="${palette.quiet}"/></marker></defs>`,
    `<rect x="${round(left)}" y="${round(top)}" width="${round(width)}" height="${round(height)}" fill="${palette.canvas}"/>`,
  ];
  for (const { label, left: x, top: y, width: wide, height: high } of frames) {
    parts.push(
      `<g><rect x="${round(x)}" y="${round(y)}" width="${round(wide)}" height="${round(high)}" fill="none" stroke="${palette.quiet}"/><text x="${round(x + wide / 2)}" y="${round(y - 6)}" text-anchor="middle" fill="${palette.text}" font-size="16">${escape(label)}</text></g>`,
    );
  }
  for (const line of lines) {
    const from = dots[line.from]!;
    const to = dots[line.to]!;
    const distance = Math.hypot(to.x - from.x, to.y - from.y) || 1;
    const end = Math.max(0, distance - SIZE - 2) / distance;
    const ends = [from.x, from.y, from.x + (to.x - from.x) * end, from.y + (to.y - from.y) * end].map(round);
    const dash = line.inferred ? ' stroke-dasharray="5 4"' : "";
    parts.push(
      `<line x1="${ends[0]}" y1="${ends[1]}" x2="${ends[2]}" y2="${ends[3]}" stroke="${line.path ? palette.path : palette.quiet}" stroke-width="${line.path ? 3.5 : 1.2}"${dash} marker-end="url(#arrow)"><title>${escape(line.label)}</title></line>`,
    );
  }
  for (const dot of dots) {
    const colour = palette.groups[dot.group] ?? palette.quiet;
    parts.push(
      `<g>${shape(dot, colour)}<text x="${round(dot.x)}" y="${round(dot.y + SIZE + 13)}" text-anchor="middle" fill="${palette.text}" stroke="${palette.canvas}" stroke-width="3" paint-order="stroke">${escape(dot.short)}</text><title>${escape(`${dot.label} (${dot.kind})`)}</title></g>`,
    );
  }
  return `${parts.join("\n")}\n</svg>\n`;
}

/** Return a label that fits under its thing. */
export function shorten(label: string, most = 18): string {
  const letters = [...label];
  const wide = letters.reduce((sum, letter) => sum + (letter > "\u2e7f" ? 1 : 0.55), 0);
  if (wide <= most) return label;
  let room = most - 1;
  const kept = letters.filter((letter) => (room -= letter > "\u2e7f" ? 1 : 0.55) >= 0);
  return `${kept.join("").trimEnd()}…`;
}
