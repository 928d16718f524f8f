/** Places of things on the canvas: the same for the same graph, and stable as it grows. */
import type { Place } from "./view";

const SPRING = 110;
const REACH = 220;
const TURN = Math.PI * (3 - Math.sqrt(5));

export interface Wish {
  /** Number of things. */
  count: number;
  /** Pairs of their numbers. */
  links: readonly (readonly [number, number])[];
  /** Where things are already; they move less than new ones. */
  known?: ReadonlyMap<number, Place>;
  /** Things that stay where they are known to be. */
  fixed?: ReadonlySet<number>;
}

/** Return a place for each thing: near what it is linked with, away from everything else. */
export function settle(wish: Wish): Place[] {
  const all = settling(wish);
  let step = all.next();
  while (!step.done) step = all.next();
  return step.value;
}

/** The same round by round: first where things begin, then where each round leaves them. */
export function* settling({ count, links, known = new Map(), fixed = new Set() }: Wish): Generator<Place[], Place[]> {
  const neighbours: number[][] = Array.from({ length: count }, () => []);
  for (const [a, b] of links) {
    neighbours[a]!.push(b);
    neighbours[b]!.push(a);
  }
  const x = new Float64Array(count);
  const y = new Float64Array(count);
  const weight = new Float64Array(count).fill(1);
  place(neighbours, known, x, y);
  for (const at of known.keys()) weight[at] = 0.15;
  for (const at of fixed) if (known.has(at)) weight[at] = 0;
  // The more is there already, the less is left to do.
  const share = 1 - known.size / (count + 1);
  const rounds = count < 2 ? 0 : Math.max(15, Math.round(share * Math.max(50, Math.min(300, 120_000 / count))));
  const places = (): Place[] => Array.from(x, (each, at) => ({ x: each, y: y[at]! }));
  for (let round = 0; round < rounds; round++) {
    yield places();
    push(links, neighbours, x, y, weight, 1 - round / rounds);
  }
  return places();
}

/** Put each unknown thing on a spiral around the first thing that led to it. */
function place(
  neighbours: readonly number[][], known: ReadonlyMap<number, Place>, x: Float64Array, y: Float64Array,
): void {
  const done = new Uint8Array(x.length);
  const queue: number[] = [];
  const put = (at: number, px: number, py: number): void => {
    x[at] = px;
    y[at] = py;
    done[at] = 1;
    queue.push(at);
  };
  for (const [at, each] of known) put(at, each.x, each.y);
  let islands = known.size ? 1 : 0;
  for (let next = 0, root = 0; ; ) {
    while (next < queue.length) {
      const here = queue[next++]!;
      const free = neighbours[here]!.filter((each) => !done[each]);
      free.forEach((each, order) => {
        if (done[each]) return;
        const radius = Math.max(70, 34 * Math.sqrt(order + 1));
        const angle = TURN * order + here;
        put(each, x[here]! + radius * Math.cos(angle), y[here]! + radius * Math.sin(angle));
      });
    }
    while (root < x.length && done[root]) root++;
    if (root === x.length) return;
    const radius = 320 * Math.sqrt(islands);
    put(root, radius * Math.cos(TURN * islands), radius * Math.sin(TURN * islands));
    islands++;
  }
}

/** One round: links pull, what is near pushes; a grid keeps it near linear. */
function push(
  links: readonly (readonly [number, number])[], neighbours: readonly number[][],
  x: Float64Array, y: Float64Array, weight: Float64Array, heat: number,
): void {
  const count = x.length;
  const dx = new Float64Array(count);
  const dy = new Float64Array(count);
  // In a crowd only the nearest things push, so that a round stays short.
  const reach = count > 600 ? REACH / 3 : REACH;
  const column = new Int32Array(count);
  const row = new Int32Array(count);
  // Who is in a cell: the first of each cell, and who comes next, as a chain.
  const first = new Map<number, number>();
  const next = new Int32Array(count).fill(-1);
  for (let at = count - 1; at >= 0; at--) {
    column[at] = Math.floor(x[at]! / reach);
    row[at] = Math.floor(y[at]! / reach);
    const key = column[at]! * 65_536 + row[at]!;
    next[at] = first.get(key) ?? -1;
    first.set(key, at);
  }
  const limit = reach * reach;
  for (let at = 0; at < count; at++) {
    for (let c = column[at]! - 1; c <= column[at]! + 1; c++) {
      for (let r = row[at]! - 1; r <= row[at]! + 1; r++) {
        for (let other = first.get(c * 65_536 + r) ?? -1; other >= 0; other = next[other]!) {
          if (other <= at) continue;
          let ox = x[at]! - x[other]!;
          const oy = y[at]! - y[other]!;
          if (!ox && !oy) ox = at - other;
          const square = ox * ox + oy * oy;
          if (square >= limit) continue;
          const distance = Math.sqrt(square);
          const force = (reach - distance) / reach / distance * 28;
          dx[at]! += ox * force;
          dy[at]! += oy * force;
          dx[other]! -= ox * force;
          dy[other]! -= oy * force;
        }
      }
    }
  }
  for (const [a, b] of links) {
    const ox = x[b]! - x[a]!;
    const oy = y[b]! - y[a]!;
    const distance = Math.sqrt(ox * ox + oy * oy) || 1;
    // The things around a hub have to find room in a wide ring.
    const crowd = Math.max(neighbours[a]!.length, neighbours[b]!.length);
    const force = (distance - SPRING - 12 * Math.sqrt(crowd)) / distance * 0.12;
    dx[a]! += ox * force;
    dy[a]! += oy * force;
    dx[b]! -= ox * force;
    dy[b]! -= oy * force;
  }
  const most = 8 + 60 * heat;
  for (let at = 0; at < count; at++) {
    const far = Math.sqrt(dx[at]! * dx[at]! + dy[at]! * dy[at]!);
    const step = weight[at]! * (far > most ? most / far : 1);
    x[at]! += dx[at]! * step;
    y[at]! += dy[at]! * step;
  }
}

/** Return places in one disc for each group, the discs beside each other, the largest first. */
export function settleGroups(groups: readonly string[], gap = 56): Place[] {
  const members = new Map<string, number[]>();
  groups.forEach((group, at) => members.set(group, [...(members.get(group) ?? []), at]));
  const places: Place[] = new Array(groups.length);
  const columns = Math.ceil(Math.sqrt(members.size));
  const sorted = [...members.values()].sort((a, b) => b.length - a.length);
  const discs = sorted.map((each) => ({ each, radius: gap * Math.sqrt(each.length) + gap }));
  let top = 0;
  for (let start = 0; start < discs.length; start += columns) {
    const line = discs.slice(start, start + columns);
    const height = Math.max(...line.map((disc) => disc.radius));
    let left = 0;
    for (const { each, radius } of line) {
      each.forEach((at, order) => {
        const distance = gap * Math.sqrt(order);
        places[at] = {
          x: left + radius + distance * Math.cos(TURN * order),
          y: top + height + distance * Math.sin(TURN * order),
        };
      });
      left += 2 * radius + gap;
    }
    top += 2 * height + 2 * gap;
  }
  return places;
}
