/**
 * Search without a server: an index of files, of which a search loads only what it needs. It finds
 * what the server finds, in the same order (the Python module `search` says how).
 */
import { folder, type Rules } from "./fold";
import type { Language } from "./page";

export type Names = Partial<Record<Language, string>>;
export interface Thing {
  /** Path of its page, without language and end. */
  at: string;
  names: Names;
  text: string;
  beside?: string;
  bodies?: { at: string; names: Names }[];
  /** By the name of a facet the numbers of its values. */
  facets: Record<string, number[]>;
}
export interface Facet {
  name: string;
  title: Record<Language, string>;
  values: ({ value: string } & Record<Language, string>)[];
}
interface Meta {
  rules: Rules;
  block: number;
  total: number;
  facets: Facet[];
  blocks: string[];
  grams: string[];
}
export type Load = (address: string) => Promise<unknown>;
export interface Result {
  things: Thing[];
  /** By facet and number of value: how many results it would leave, the facet's own choice left out. */
  counts: Record<string, Map<number, number>>;
  /** What is called alike, where nothing was found. */
  near: Thing[];
  /** The folded words that were looked for. */
  words: string[];
}

const LONGEST = 100;
const NEAR = 6;
const ALIKE = 0.6;

/** Return the runs of letters and digits of a text. */
function runs(text: string): string[] {
  return text.match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Return the grams that a text with a word in it must have. */
export function needed(word: string): string[] {
  return runs(word).flatMap((run) => {
    const letters = [...run];
    return letters.length === 1 ? [run] : letters.slice(1).map((each, at) => letters[at]! + each);
  });
}

/** Return how much of two texts is the same, from 0 to 1, as difflib of Python does. */
export function likeness(a: string, b: string): number {
  const first = [...a];
  const second = [...b];
  const places = new Map<string, number[]>();
  second.forEach((each, at) => places.set(each, [...(places.get(each) ?? []), at]));
  let same = 0;
  const waiting: [number, number, number, number][] = [[0, first.length, 0, second.length]];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [aFrom, aTo, bFrom, bTo] = next;
    let [i, j, size] = [aFrom, bFrom, 0];
    let lengths = new Map<number, number>();
    for (let at = aFrom; at < aTo; at++) {
      const fresh = new Map<number, number>();
      for (const other of places.get(first[at]!) ?? []) {
        if (other < bFrom) continue;
        if (other >= bTo) break;
        const length = (lengths.get(other - 1) ?? 0) + 1;
        fresh.set(other, length);
        if (length > size) [i, j, size] = [at - length + 1, other - length + 1, length];
      }
      lengths = fresh;
    }
    if (!size) continue;
    same += size;
    waiting.push([aFrom, i, bFrom, j], [i + size, aTo, j + size, bTo]);
  }
  return first.length + second.length ? (2 * same) / (first.length + second.length) : 1;
}

/** Return the file of a gram. */
export function shardOf(gram: string, shards: number): number {
  const letters = [...gram];
  return (31 * letters[0]!.codePointAt(0)! + letters.at(-1)!.codePointAt(0)!) % shards;
}

export class Index {
  private readonly known = new Map<string, Promise<unknown>>();
  private readonly fold: (text: string) => string;

  private constructor(
    readonly meta: Meta,
    private readonly load: Load,
  ) {
    this.fold = folder(meta.rules);
  }

  /** Open the index at an address; `load` returns the JSON of an address relative to it. */
  static async open(load: Load): Promise<Index> {
    return new Index((await load("meta.json")) as Meta, load);
  }

  /** Return the folded words of a text. */
  words(text: string): string[] {
    return this.fold([...text].slice(0, LONGEST).join("")).split(/\s+/).filter(Boolean);
  }

  /** Return what contains every word of a text and has the chosen values; all without either. */
  async search(text: string, chosen: Record<string, string[]> = {}): Promise<Result> {
    const words = this.words(text);
    const wanted = Object.entries(chosen).filter(([, values]) => values.length);
    const numbers = new Map(
      wanted.map(([name, values]) => {
        const facet = this.meta.facets.find((each) => each.name === name);
        return [name, new Set(values.map((value) => facet?.values.findIndex((each) => each.value === value) ?? -1))];
      }),
    );
    const counts: Result["counts"] = Object.fromEntries(this.meta.facets.map((each) => [each.name, new Map()]));
    const kept: Thing[] = [];
    for (const thing of await this.matching(words)) {
      const failed = [...numbers].filter(([name, values]) => !thing.facets[name]?.some((each) => values.has(each)));
      if (!failed.length) kept.push(thing);
      for (const [name, values] of Object.entries(thing.facets)) {
        if (failed.length && !(failed.length === 1 && failed[0]![0] === name)) continue;
        const counter = counts[name]!;
        for (const value of values) counter.set(value, (counter.get(value) ?? 0) + 1);
      }
    }
    const near = kept.length || !words.length ? [] : await this.near(words.join(" "));
    return { things: byFit(kept, words), counts, near, words };
  }

  /** Return a text in pieces, each with whether it is one of some folded words. */
  marked(text: string, words: string[]): [string, boolean][] {
    const letters = [...text];
    const folded = this.fold(text);
    const places = letters.flatMap((each, at) => Array<number>(this.fold(each).length).fill(at));
    const hits = letters.map(() => false);
    // Where characters fold together, which is rare, nothing is said of places.
    for (const word of places.length === folded.length ? words : []) {
      for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + 1)) {
        for (const place of places.slice(at, at + word.length)) hits[place] = true;
      }
    }
    const pieces: [string, boolean][] = [];
    letters.forEach((each, at) => {
      const last = pieces.at(-1);
      if (last && last[1] === hits[at]) last[0] += each;
      else pieces.push([each, hits[at]!]);
    });
    return pieces;
  }

  /** Return the name by which a thing was found, where the names that are shown do not say why. */
  otherName(thing: Thing, words: string[]): string | undefined {
    if (!words.length || thing.at.startsWith("questions/")) return undefined;
    const shown = Object.values(thing.names).map((each) => this.fold(each));
    if (shown.some((each) => words.some((word) => each.includes(word)))) return undefined;
    return thing.text.split("\n").find((name) => words.every((word) => name.includes(word)));
  }

  /** Return what is called alike, among what has two characters in a row in common. */
  private async near(text: string): Promise<Thing[]> {
    const pairs = [...new Set(needed(text).filter((each) => [...each].length === 2))];
    const lists = await Promise.all(pairs.map((each) => this.having([each])));
    const names = new Map<string, Thing>();
    for (const thing of await this.things([...new Set(lists.flat())].sort((a, b) => a - b))) {
      for (const name of thing.text.split("\n")) if (!names.has(name)) names.set(name, thing);
    }
    const size = [...text].length;
    const close = [...names.keys()]
      .filter((name) => {
        const other = [...name].length;
        return (2 * Math.min(size, other)) / (size + other) >= ALIKE;
      })
      .map((name) => [likeness(name, text), name] as const)
      .filter(([score]) => score >= ALIKE);
    close.sort((a, b) => b[0] - a[0] || (a[1] < b[1] ? 1 : a[1] > b[1] ? -1 : 0));
    return [...new Set(close.slice(0, 2 * NEAR).map(([, name]) => names.get(name)!))].slice(0, NEAR);
  }

  private async matching(words: string[]): Promise<Thing[]> {
    const grams = [...new Set(words.flatMap(needed))];
    const found = grams.length ? await this.having(grams) : [...Array(this.meta.total).keys()];
    const things = await this.things(found);
    return things.filter((thing) => words.every((word) => thing.text.includes(word) || thing.beside?.includes(word)));
  }

  /** Return things by their numbers. */
  private async things(found: number[]): Promise<Thing[]> {
    const blocks = [...new Set(found.map((each) => Math.floor(each / this.meta.block)))];
    const loaded = new Map(
      await Promise.all(blocks.map(async (at) => [at, (await this.part(this.meta.blocks[at]!)) as Thing[]] as const)),
    );
    return found.map((each) => loaded.get(Math.floor(each / this.meta.block))![each % this.meta.block]!);
  }

  private async having(grams: string[]): Promise<number[]> {
    const lists = await Promise.all(
      grams.map(async (gram) => {
        const shard = this.meta.grams[shardOf(gram, this.meta.grams.length)]!;
        return ((await this.part(shard)) as Record<string, number[]>)[gram] ?? [];
      }),
    );
    lists.sort((a, b) => a.length - b.length);
    const [first = [], ...rest] = lists;
    const others = rest.map((each) => new Set(each));
    return first.filter((each) => others.every((other) => other.has(each)));
  }

  private part(address: string): Promise<unknown> {
    let found = this.known.get(address);
    if (!found) this.known.set(address, (found = this.load(address)));
    return found;
  }
}

/** Return things, which come in the order of the index, by how well their names fit. */
function byFit(things: Thing[], words: string[]): Thing[] {
  const text = words.join(" ");
  const groups: Thing[][] = [[], [], [], []];
  for (const thing of things) {
    const names = `\n${thing.text}\n`;
    if (!words.length || names.includes(`\n${text}\n`)) groups[0]!.push(thing);
    else if (names.includes(`\n${text}`)) groups[1]!.push(thing);
    else if (words.every((word) => names.includes(word))) groups[2]!.push(thing);
    else groups[3]!.push(thing);
  }
  return groups.flat();
}

let opened: Promise<Index> | undefined;

/** Return the index of this site; there is one only where the site is made of files. */
export function siteIndex(root: string): Promise<Index> {
  const base = new URL(`${root}search-index/`, location.href);
  opened ??= Index.open(async (address) => {
    const response = await fetch(new URL(address, base));
    if (!response.ok) throw new Error(`${address}: ${response.status}`);
    return response.json();
  });
  return opened;
}

/** Return the JSON of a file; how much of its bytes has come is told on the way, in megabytes. */
export async function loadJson<T>(where: URL, size: number, tell: (loaded: string, size: string) => void): Promise<T> {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  let loaded = 0;
  tell(megabytes(loaded), megabytes(size));
  const response = await fetch(where);
  if (!response.ok || !response.body) throw new Error(`${where}: ${response.status} ${response.statusText}`);
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        loaded += chunk.length;
        tell(megabytes(loaded), megabytes(size));
        controller.enqueue(chunk);
      },
    }),
  );
  return new Response(counted as BodyInit).json() as Promise<T>;
}

/** Return the address of a page of a site of files. */
export function pageAt(root: string, at: string, language: Language): string {
  return `${root}${at}${language === "en" ? ".en" : ""}.html`;
}
