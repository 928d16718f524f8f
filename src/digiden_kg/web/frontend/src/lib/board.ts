/**
 * A graph on a canvas. Everything is painted in one go, a path for all things of a shape, so that
 * thousands of things move without waiting; names give way to each other, the best linked first.
 */
import { CORNERS, outlineOf, SIZE, type Dot, type Frame, type Line, type Palette } from "./drawing";

export interface Scene {
  dots: Dot[];
  lines: readonly Line[];
  /** Boxes around groups; things in boxes stay where they are. */
  frames: readonly Frame[];
  /** Number of the thing that the page is about, -1 for none. */
  at: number;
  pinned: ReadonlySet<number>;
  palette: Palette;
}

export interface Acts {
  pick(at: number): void;
  open(at: number): void;
  moved(at: number): void;
  /** Somebody begins to handle the graph. */
  touched(): void;
}

interface View {
  zoom: number;
  x: number;
  y: number;
  width: number;
  height: number;
  ratio: number;
}

const FONT = "'Noto Sans JP', sans-serif";
/** Links between so few are all named; others only at the thing that the page is about. */
const FEW = 40;
/** From so many things on, arrows and names of links are left to a closer look. */
export const MANY = 400;
const CLOSE = 0.75;
/** Where there are more than some, and farther away than this, only things with so many links are named. */
const SOME = 150;
const FAR = 0.45;
const HUB = 6;
const PAD = 40;
const LARGEST = 8000;

export class Board {
  readonly canvas = document.createElement("canvas");
  private readonly view: View = { zoom: 1, x: 0, y: 0, width: 0, height: 0, ratio: 1 };
  private scene: Scene | undefined;
  /** Things in the order in which they are named, and how many of them are named from afar. */
  private order: number[] = [];
  private hubs = 0;
  private waiting = 0;
  private wantsFit = false;
  private readonly fingers = new Map<number, { x: number; y: number }>();
  private held = -1;
  private strayed = false;
  private last = { at: -1, time: 0 };

  constructor(private readonly place: HTMLElement, private readonly acts: Acts) {
    this.canvas.setAttribute("aria-hidden", "true");
    place.append(this.canvas);
    new ResizeObserver(() => this.measure()).observe(place);
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", (event) => this.up(event));
    this.canvas.addEventListener("pointercancel", (event) => this.up(event));
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.acts.touched();
      const step = event.deltaY * (event.deltaMode ? 16 : 1);
      this.zoom(Math.exp(-Math.max(-200, Math.min(200, step)) * 0.002), this.spot(event));
    }, { passive: false });
  }

  /** Show a graph; the view stays unless it is fitted. */
  show(scene: Scene): void {
    this.scene = scene;
    const degree = new Uint32Array(scene.dots.length);
    for (const { from, to } of scene.lines) {
      degree[from]!++;
      degree[to]!++;
    }
    const rank = (at: number) => (at === scene.at ? 1e9 : scene.pinned.has(at) ? 1e6 : 0) + degree[at]!;
    this.order = scene.dots.map((_, at) => at).sort((a, b) => rank(b) - rank(a) || a - b);
    this.hubs = scene.dots.length > SOME ? scene.dots.filter((_, at) => rank(at) >= HUB).length : Infinity;
    this.repaint();
  }

  /** Bring everything into view. */
  fit(): void {
    if (!this.scene?.dots.length) return;
    const { width, height } = this.view;
    if (!width || !height) {
      this.wantsFit = true;
      return;
    }
    const box = boundsOf(this.scene);
    const zoom = Math.min((width - 2 * PAD) / box.width, (height - 2 * PAD) / box.height, 1.4);
    this.view.zoom = Math.max(0.03, zoom);
    this.view.x = width / 2 - (box.left + box.width / 2) * this.view.zoom;
    this.view.y = height / 2 - (box.top + box.height / 2) * this.view.zoom;
    this.repaint();
  }

  zoom(factor: number, around = { x: this.view.width / 2, y: this.view.height / 2 }): void {
    const zoom = Math.max(0.03, Math.min(4, this.view.zoom * factor));
    const change = zoom / this.view.zoom;
    this.view.x = around.x - (around.x - this.view.x) * change;
    this.view.y = around.y - (around.y - this.view.y) * change;
    this.view.zoom = zoom;
    this.repaint();
  }

  pan(x: number, y: number): void {
    this.view.x += x;
    this.view.y += y;
    this.repaint();
  }

  /** Paint in the next frame. */
  repaint(): void {
    this.waiting ||= requestAnimationFrame(() => {
      this.waiting = 0;
      const context = this.canvas.getContext("2d");
      if (context && this.scene && this.view.width) paint(context, this.scene, this.order, this.view, this.view.zoom < FAR ? this.hubs : Infinity);
    });
  }

  /** Return everything as a picture. */
  async png(): Promise<Blob> {
    const box = boundsOf(this.scene!);
    const [width, height] = [box.width + 2 * PAD, box.height + 2 * PAD];
    const ratio = Math.min(2, LARGEST / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.ceil(width * ratio);
    canvas.height = Math.ceil(height * ratio);
    const view = { zoom: 1, x: PAD - box.left, y: PAD - box.top, width, height, ratio };
    paint(canvas.getContext("2d")!, this.scene!, this.order, view);
    return new Promise((give, fail) =>
      canvas.toBlob((blob) => (blob ? give(blob) : fail(new Error("canvas"))), "image/png"),
    );
  }

  private measure(): void {
    const { clientWidth: width, clientHeight: height } = this.place;
    if (!width || !height) return;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    Object.assign(this.view, { width, height, ratio });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (this.wantsFit) {
      this.wantsFit = false;
      this.fit();
    }
    this.repaint();
  }

  private spot(event: MouseEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** Return the thing at a spot, -1 where there is none. */
  private hit({ x, y }: { x: number; y: number }): number {
    const { zoom } = this.view;
    const [wx, wy] = [(x - this.view.x) / zoom, (y - this.view.y) / zoom];
    let [best, least] = [-1, Math.max(SIZE + 3, 8 / zoom) ** 2];
    this.scene?.dots.forEach((dot, at) => {
      const far = (dot.x - wx) ** 2 + (dot.y - wy) ** 2;
      if (far < least) [best, least] = [at, far];
    });
    return best;
  }

  private down(event: PointerEvent): void {
    if (event.button) return;
    this.acts.touched();
    this.canvas.setPointerCapture(event.pointerId);
    const spot = this.spot(event);
    this.fingers.set(event.pointerId, spot);
    this.held = this.fingers.size === 1 ? this.hit(spot) : -1;
    this.strayed = this.fingers.size > 1;
    this.place.focus({ preventScroll: true });
  }

  private move(event: PointerEvent): void {
    const spot = this.spot(event);
    const before = this.fingers.get(event.pointerId);
    if (!before || !this.scene) {
      const over = this.hit(spot);
      this.canvas.style.cursor = over < 0 ? "grab" : "pointer";
      const dot = this.scene?.dots[over];
      this.canvas.title = dot ? `${dot.label}${dot.kind ? ` (${dot.kind})` : ""}` : "";
      return;
    }
    const [dx, dy] = [spot.x - before.x, spot.y - before.y];
    if (!this.strayed && Math.hypot(dx, dy) < 4) return;
    this.strayed = true;
    const other = [...this.fingers].find(([finger]) => finger !== event.pointerId)?.[1];
    this.fingers.set(event.pointerId, spot);
    const dot = this.scene.frames.length ? undefined : this.scene.dots[this.held];
    if (other) {
      const factor = Math.hypot(spot.x - other.x, spot.y - other.y) / (Math.hypot(before.x - other.x, before.y - other.y) || 1);
      this.view.x += dx / 2;
      this.view.y += dy / 2;
      this.zoom(factor, { x: (spot.x + other.x) / 2, y: (spot.y + other.y) / 2 });
    } else if (dot) {
      dot.x += dx / this.view.zoom;
      dot.y += dy / this.view.zoom;
      this.repaint();
    } else this.pan(dx, dy);
  }

  private up(event: PointerEvent): void {
    if (!this.fingers.delete(event.pointerId) || this.fingers.size) return;
    const { held } = this;
    this.held = -1;
    if (held < 0 || event.type === "pointercancel") return;
    if (this.strayed) {
      if (!this.scene?.frames.length) this.acts.moved(held);
      return;
    }
    const again = this.last.at === held && event.timeStamp - this.last.time < 350;
    this.last = { at: again ? -1 : held, time: event.timeStamp };
    if (again) this.acts.open(held);
    else this.acts.pick(held);
  }
}

function boundsOf({ dots, frames }: Scene): Frame {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (x: number, y: number, wide: number, high: number): void => {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + wide);
    bottom = Math.max(bottom, y + high);
  };
  for (const { x, y } of dots) take(x - 2 * SIZE, y - SIZE, 4 * SIZE, 3 * SIZE);
  for (const frame of frames) take(frame.left, frame.top - 24, frame.width, frame.height + 24);
  return { label: "", left, top, width: right - left, height: bottom - top };
}

/** Paint a graph; `named` of its things, in their order, may have their names. */
function paint(
  context: CanvasRenderingContext2D, scene: Scene, order: readonly number[], view: View, named = Infinity,
): void {
  const { dots, lines, frames, palette } = scene;
  const { zoom, ratio } = view;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = palette.canvas;
  context.fillRect(0, 0, view.width, view.height);
  const [left, top] = [-view.x / zoom - 2 * SIZE, -view.y / zoom - 2 * SIZE];
  const [right, bottom] = [left + view.width / zoom + 4 * SIZE, top + view.height / zoom + 4 * SIZE];
  context.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * view.x, ratio * view.y);
  for (const frame of frames) {
    context.globalAlpha = 0.06;
    context.fillStyle = palette.quiet;
    context.fillRect(frame.left, frame.top, frame.width, frame.height);
    context.globalAlpha = 1;
    context.strokeStyle = palette.quiet;
    context.lineWidth = 1 / zoom;
    context.strokeRect(frame.left, frame.top, frame.width, frame.height);
  }
  const many = dots.length > MANY;
  const seen = lines.filter(({ from, to }) => {
    const [a, b] = [dots[from]!, dots[to]!];
    return (a.x > left || b.x > left) && (a.x < right || b.x < right) && (a.y > top || b.y > top) && (a.y < bottom || b.y < bottom);
  });
  const kinds = [
    { some: seen.filter((line) => !line.path && !line.inferred), colour: palette.quiet, width: 1.2, dash: [] },
    { some: seen.filter((line) => !line.path && line.inferred), colour: palette.quiet, width: 1.2, dash: [5, 4] },
    { some: seen.filter((line) => line.path && !line.inferred), colour: palette.path, width: 3.5, dash: [] },
    { some: seen.filter((line) => line.path && line.inferred), colour: palette.path, width: 3.5, dash: [7, 5] },
  ];
  for (const { some, colour, width, dash } of kinds) {
    if (!some.length) continue;
    context.globalAlpha = many && colour === palette.quiet ? 0.5 : 1;
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = Math.max(width, 0.7 / zoom);
    context.setLineDash(dash);
    context.beginPath();
    for (const { from, to } of some) {
      const [a, b] = [dots[from]!, dots[to]!];
      if (from === to) context.moveTo(a.x, a.y), context.arc(a.x, a.y - SIZE, SIZE, Math.PI / 2, 2.5 * Math.PI);
      else context.moveTo(a.x, a.y), context.lineTo(b.x, b.y);
    }
    context.stroke();
    context.setLineDash([]);
    if (many && zoom < CLOSE) continue;
    context.beginPath();
    for (const { from, to } of some) if (from !== to) arrow(context, dots[from]!, dots[to]!, width);
    context.fill();
  }
  context.globalAlpha = 1;
  const inside = (at: number): boolean => {
    const { x, y } = dots[at]!;
    return x > left && x < right && y > top && y < bottom;
  };
  const visible = order.filter(inside);
  const size = Math.max(SIZE, (dots.length > SOME ? 2 : 6) / zoom);
  for (const [group, some] of grouped(visible, (at) => dots[at]!.group)) {
    context.fillStyle = palette.groups[group] ?? palette.quiet;
    context.beginPath();
    for (const at of some) outline(context, dots[at]!, size * zoom < 4 ? "rectangle" : outlineOf(group), size);
    context.fill();
  }
  context.strokeStyle = palette.text;
  context.lineWidth = Math.max(3, 1 / zoom);
  context.beginPath();
  for (const at of scene.pinned) if (dots[at]) outline(context, dots[at], outlineOf(dots[at].group), size);
  context.stroke();
  const shown = dots[scene.at];
  if (shown) {
    context.strokeStyle = palette.shown;
    context.lineWidth = Math.max(4, 2 / zoom);
    context.beginPath();
    outline(context, shown, outlineOf(shown.group), size);
    context.stroke();
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const spots = new Spots(view.width);
  context.lineJoin = "round";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const frame of frames) {
    context.font = `700 14px ${FONT}`;
    const [x, y] = [(frame.left + frame.width / 2) * zoom + view.x, frame.top * zoom + view.y - 10];
    spots.take([[x, y, widthOf(frame.label, 14) + 8, 18]]);
    write(context, frame.label, x, y, palette);
  }
  const names = placeNames(scene, order.slice(0, named).filter(inside), view, spots);
  nameLines(context, scene, seen, view, spots);
  for (const { text, x, y, font } of names) {
    context.font = font;
    write(context, text, x, y, palette);
  }
}

interface Name {
  text: string;
  x: number;
  y: number;
  font: string;
}

/** Return the names that have room, and where. */
function placeNames({ dots, at: shown }: Scene, visible: readonly number[], view: View, spots: Spots): Name[] {
  const size = Math.max(10, Math.min(15, 11 * view.zoom));
  const names: Name[] = [];
  for (const at of visible) {
    const { short: text, x: left, y: top } = dots[at]!;
    const [x, y] = [left * view.zoom + view.x, top * view.zoom + view.y + SIZE * view.zoom + size * 0.8];
    if (!spots.take([[x, y, widthOf(text, size) + 2, size * 1.1]])) continue;
    names.push({ text, x, y, font: at === shown ? `700 ${size + 2}px ${FONT}` : `${size}px ${FONT}` });
  }
  return names;
}

function nameLines(context: CanvasRenderingContext2D, scene: Scene, seen: readonly Line[], view: View, spots: Spots): void {
  const { dots, lines, palette } = scene;
  if (view.zoom < FAR) return;
  const font = Math.max(9, Math.min(12, 10 * view.zoom));
  const few = lines.length <= FEW;
  const named = new Set<string>();
  context.font = `${font}px ${FONT}`;
  for (const line of seen) {
    const near = dots.length <= MANY && (line.from === scene.at || line.to === scene.at);
    if (!few && !near && !line.path) continue;
    const [a, b] = [dots[line.from]!, dots[line.to]!];
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const length = Math.hypot(dx, dy) * view.zoom - 2 * SIZE * view.zoom;
    const wide = widthOf(line.label, font);
    const place = `${Math.min(line.from, line.to)} ${Math.max(line.from, line.to)}`;
    if (wide > length || named.has(place)) continue;
    const [x, y] = [((a.x + b.x) / 2) * view.zoom + view.x, ((a.y + b.y) / 2) * view.zoom + view.y];
    const turn = Math.atan2(dy, dx);
    // A slanted name takes a row of squares.
    const squares = Math.ceil(wide / (1.5 * font));
    const taken = Array.from({ length: squares }, (_, square) => {
      const along = ((square + 0.5) / squares - 0.5) * wide;
      return [x + along * Math.cos(turn), y + along * Math.sin(turn), 1.2 * font, 1.2 * font] as const;
    });
    if (!spots.take(taken)) continue;
    named.add(place);
    context.save();
    context.translate(x, y);
    context.rotate(Math.abs(turn) > Math.PI / 2 ? turn + Math.PI : turn);
    context.fillStyle = palette.canvas;
    context.globalAlpha = 0.85;
    context.fillRect(-wide / 2 - 1, -font * 0.6, wide + 2, font * 1.2);
    context.globalAlpha = 1;
    context.fillStyle = palette.text;
    context.fillText(line.label, 0, 0);
    context.restore();
  }
}

function write(context: CanvasRenderingContext2D, text: string, x: number, y: number, palette: Palette): void {
  context.strokeStyle = palette.canvas;
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = palette.text;
  context.fillText(text, x, y);
}

function outline(context: CanvasRenderingContext2D, { x, y }: Dot, name: string, size: number): void {
  const corners = CORNERS[name];
  if (corners) {
    context.moveTo(x + corners[0]! * size, y + corners[1]! * size);
    for (let at = 2; at < corners.length; at += 2) context.lineTo(x + corners[at]! * size, y + corners[at + 1]! * size);
    context.closePath();
  } else if (name === "ellipse") {
    context.moveTo(x + size, y);
    context.arc(x, y, size, 0, 2 * Math.PI);
  } else if (name === "rectangle") context.rect(x - size, y - size, 2 * size, 2 * size);
  else context.roundRect(x - size, y - size, 2 * size, 2 * size, size / 2.4);
}

function arrow(context: CanvasRenderingContext2D, from: Dot, to: Dot, width: number): void {
  const distance = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const [ux, uy] = [(to.x - from.x) / distance, (to.y - from.y) / distance];
  const [tipX, tipY] = [to.x - ux * (SIZE + 1), to.y - uy * (SIZE + 1)];
  const [long, half] = [6 + 2 * width, 2 + width];
  context.moveTo(tipX, tipY);
  context.lineTo(tipX - ux * long - uy * half, tipY - uy * long + ux * half);
  context.lineTo(tipX - ux * long + uy * half, tipY - uy * long - ux * half);
  context.closePath();
}

function grouped<T, K>(all: readonly T[], key: (each: T) => K): Map<K, T[]> {
  const found = new Map<K, T[]>();
  for (const each of all) {
    const known = found.get(key(each));
    if (known) known.push(each);
    else found.set(key(each), [each]);
  }
  return found;
}

/** Return about how wide a text is; asking the browser would take longer than painting. */
function widthOf(text: string, font: number): number {
  let width = 0;
  for (const letter of text) width += letter > "\u2e7f" ? 1 : 0.56;
  return width * font;
}

/** Which parts of the canvas have a name already. */
class Spots {
  private readonly taken = new Map<number, Box[]>();

  constructor(private readonly width: number) {}

  /** Say whether boxes around spots (x, y, width, height) are all free, and take them if so. */
  take(wanted: readonly (readonly [number, number, number, number])[]): boolean {
    const boxes = wanted.map(([x, y, wide, high]): Box => [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]);
    if (!boxes.every((box) => this.isFree(box))) return false;
    for (const box of boxes) for (const row of rowsOf(box)) this.taken.set(row, [...(this.taken.get(row) ?? []), box]);
    return true;
  }

  private isFree([left, top, right, bottom]: Box): boolean {
    if (right < 0 || left > this.width) return false;
    return rowsOf([left, top, right, bottom]).every((row) =>
      (this.taken.get(row) ?? []).every((other) => left >= other[2] || right <= other[0] || top >= other[3] || bottom <= other[1]),
    );
  }
}

type Box = [left: number, top: number, right: number, bottom: number];

function rowsOf([, top, , bottom]: Box): number[] {
  const first = Math.floor(top / 20);
  return Array.from({ length: Math.floor(bottom / 20) - first + 1 }, (_, at) => first + at);
}
