/**
 * The things of a release and the links between them, from one file; what they are and in which
 * order is that of the Python modules `network` and `web/linked`, which the file is made by.
 */
import { language, say } from "./page";

/** A word in Japanese and in English. */
type Words = [ja: string, en: string];
export interface Data {
  prefixes: Record<string, string>;
  /** Things that one view shows, connections that are named, links of the longest one. */
  shown: number;
  paths: number;
  longest: number;
  groups: [name: string, words: Words][];
  /** Of the panel of a thing: what comes first, what it leaves to the page, and how many facts it has. */
  panel: { first: string[]; quiet: string[]; facts: number };
  /** Relations and classes in the order of their IRIs, then other terms. */
  terms: [name: string, words: Words][];
  /** In the order of their IRIs; numbers of class (-1: none) and group. */
  things: [name: string, kind: number, group: number, words: Words][];
  /** In order; numbers of things, relation and reach; 1 where it is inferred; its passages. */
  links: [source: number, relation: number, target: number, reach: number, inferred: number, passages: number[]][];
}

export interface Link {
  at: number;
  source: number;
  relation: number;
  target: number;
  /** 0 joins two things, 1 is a trait that many share, 2 says where something is written. */
  reach: number;
  inferred: boolean;
  passages: number[];
}
export interface Expansion {
  thing: number;
  relation: number;
  outward: boolean;
}
export interface Relation extends Expansion {
  count: number;
  inferred: number;
}
export interface View {
  starts: number[];
  expansions: Expansion[];
  hidden: Set<number>;
  without: Set<string>;
  path: Link[];
  among: boolean;
}
export interface Shown {
  things: number[];
  links: Link[];
  leftOut: number;
}
export interface Connection {
  reach: number;
  total: number;
  paths: Link[][];
}

const [SHARED, RECORD] = [1, 2];
const IRI = /^[a-z][\w+.-]*:\/\//i;

export class Linked {
  readonly links: Link[];
  private readonly ends: Map<string, Link[]>[];
  private readonly names: Map<string, number>;
  private readonly termNames: Map<string, number>;
  private readonly here = language() === "ja" ? 0 : 1;

  constructor(readonly data: Data) {
    this.names = new Map(data.things.map(([name], at) => [this.expand(name), at]));
    this.termNames = new Map(data.terms.map(([name], at) => [this.expand(name), at]));
    this.links = data.links.map(([source, relation, target, reach, inferred, passages], at) => ({
      at, source, relation, target, reach, inferred: inferred > 0, passages,
    }));
    this.ends = data.things.map(() => new Map<string, Link[]>());
    for (const link of this.links)
      for (const [end, outward] of [[link.source, true], [link.target, false]] as const) {
        const key = keyOf(link.relation, outward);
        const known = this.ends[end]!.get(key);
        if (known) known.push(link);
        else this.ends[end]!.set(key, [link]);
      }
  }

  /** Return the IRI of a prefixed name; an IRI as it is. */
  expand(name: string): string {
    const [, prefix, local] = /^([\w-]*):(.*)$/s.exec(name) ?? [];
    const space = IRI.test(name) || prefix === undefined ? undefined : this.data.prefixes[prefix];
    return space === undefined ? name : space + local;
  }

  /** Return an IRI as a prefixed name where a prefix fits. */
  shorten(iri: string): string {
    const fits = Object.entries(this.data.prefixes).filter(([, space]) => iri.startsWith(space));
    const [prefix, space] = fits.sort(([, a], [, b]) => b.length - a.length)[0] ?? [];
    return space === undefined ? iri : `${prefix}:${iri.slice(space.length)}`;
  }

  /** Return the thing of an IRI or a prefixed name. */
  find(text: string): number | undefined {
    return this.names.get(this.expand(text.trim()));
  }

  findTerm(text: string): number | undefined {
    return this.termNames.get(this.expand(text.trim()));
  }

  name(at: number): string {
    return this.data.things[at]![0];
  }

  label(at: number): string {
    return this.data.things[at]![3][this.here];
  }

  /** Return whether a thing is called so in any language. */
  isCalled(at: number, text: string): boolean {
    return this.data.things[at]![3].includes(text);
  }

  kind(at: number): number {
    return this.data.things[at]![1];
  }

  group(at: number): string {
    return this.data.groups[this.data.things[at]![2]]![0];
  }

  groupLabel(group: string): string {
    return this.data.groups.find(([name]) => name === group)![1][this.here];
  }

  term(at: number): string {
    return this.data.terms[at]![1][this.here];
  }

  termName(at: number): string {
    return this.data.terms[at]![0];
  }

  classLabel(at: number): string {
    const kind = this.kind(at);
    return kind < 0 ? "" : this.term(kind);
  }

  text({ thing, relation, outward }: Expansion): string {
    return `${this.name(thing)} ${outward ? "out" : "in"} ${this.termName(relation)}`;
  }

  neighbours({ thing, relation, outward }: Expansion): readonly Link[] {
    return this.ends[thing]!.get(keyOf(relation, outward)) ?? [];
  }

  /** Return what a thing can be expanded by: links first, then shared traits, then records. */
  relations(thing: number): Relation[] {
    const found = [...this.ends[thing]!].map(([key, links]) => ({
      reach: links[0]!.reach, thing, ...partsOf(key), count: links.length,
      inferred: links.filter((link) => link.inferred).length,
    }));
    return found.sort((a, b) => a.reach - b.reach || a.relation - b.relation || Number(b.outward) - Number(a.outward));
  }

  /** Return what a relation leads to, in words that say its direction. */
  words(each: Expansion): string {
    const label = this.term(each.relation);
    if (each.outward) return label;
    const things = this.neighbours(each).map((link) => link.source);
    const kinds = new Set(things.map((at) => this.kind(at)));
    const groups = new Set(things.map((at) => this.group(at)));
    let what = say("もの", "Things");
    if (kinds.size === 1 && this.kind(things[0]!) >= 0) what = this.classLabel(things[0]!);
    else if (groups.size === 1) what = this.groupLabel(this.group(things[0]!));
    return say(`これを「${label}」とする${what}`, `${what} whose “${label}” is this`);
  }

  /** Return the shortest connections; shared traits only where links alone do not connect. */
  connect(start: number, end: number): Connection {
    for (const reach of [0, SHARED]) {
      const found = this.connectBy(start, end, reach);
      if (found.paths.length) return found;
    }
    return { reach: -1, total: 0, paths: [] };
  }

  private connectBy(start: number, end: number, reach: number): Connection {
    const steps = new Map<number, Link[]>([[start, []]]);
    const ways = new Map([[start, 1]]);
    const depth = new Map([[start, 0]]);
    const queue = [start];
    for (const here of queue) {
      const far = depth.get(here)!;
      if (here === end || far === this.data.longest || far >= (depth.get(end) ?? this.data.longest)) break;
      const nearest = new Map<number, Link>();
      for (const links of this.ends[here]!.values())
        for (const link of links) {
          if (link.reach > reach) continue;
          const other = otherOf(link, here);
          const known = nearest.get(other);
          if (!known || isBetter(link, known)) nearest.set(other, link);
        }
      for (const [other, link] of [...nearest].sort(([a], [b]) => a - b)) {
        if (!depth.has(other)) {
          depth.set(other, far + 1);
          ways.set(other, 0);
          steps.set(other, []);
          queue.push(other);
        }
        if (depth.get(other) !== far + 1) continue;
        steps.get(other)!.push(link);
        ways.set(other, ways.get(other)! + ways.get(here)!);
      }
    }
    if (!depth.has(end)) return { reach: -1, total: 0, paths: [] };
    const paths: Link[][] = [];
    const stack: [number, Link[]][] = [[end, []]];
    while (stack.length && paths.length < this.data.paths) {
      const [here, rest] = stack.pop()!;
      if (here === start) paths.push(rest);
      for (const link of [...steps.get(here)!].reverse()) stack.push([otherOf(link, here), [link, ...rest]]);
    }
    const weakest = Math.max(0, ...paths.flat().map((link) => link.reach));
    return { reach: weakest, total: ways.get(end)!, paths };
  }

  /** Return what a view shows, as much of it as one view may. */
  show(view: View): Shown {
    const things = new Set(view.starts.filter((at) => !view.hidden.has(at)));
    const kept = new Set(things);
    const links = new Set<Link>();
    const leftOut = new Set<number>();
    const unwanted = (at: number): boolean =>
      view.without.has(this.group(at)) || (this.kind(at) >= 0 && view.without.has(this.termName(this.kind(at))));
    for (const link of [...view.path, ...view.expansions.flatMap((each) => this.neighbours(each))]) {
      const ends = [...new Set([link.source, link.target])].sort((a, b) => a - b);
      if (ends.some((end) => view.hidden.has(end) || (!kept.has(end) && unwanted(end)))) continue;
      const fresh = ends.filter((end) => !things.has(end));
      if (things.size + fresh.length > this.data.shown) {
        for (const end of fresh) leftOut.add(end);
        continue;
      }
      for (const end of fresh) things.add(end);
      links.add(link);
    }
    if (view.among)
      for (const at of things)
        for (const link of [...this.ends[at]!.values()].flat())
          if (link.source === at && things.has(link.target) && link.reach !== RECORD) links.add(link);
    return { things: [...things], links: [...links], leftOut: [...leftOut].filter((at) => !things.has(at)).length };
  }
}

/** Return the thing at the other end of a link. */
export function otherOf(link: Link, end: number): number {
  return end === link.source ? link.target : link.source;
}

function isBetter(link: Link, other: Link): boolean {
  return (link.reach - other.reach || Number(link.inferred) - Number(other.inferred) || link.at - other.at) < 0;
}

function keyOf(relation: number, outward: boolean): string {
  return `${relation} ${outward}`;
}

function partsOf(key: string): { relation: number; outward: boolean } {
  const [relation, outward] = key.split(" ");
  return { relation: Number(relation), outward: outward === "true" };
}
