/** Parts of a page that can stand alone within a page of others, and what the two say to each other. */

/** What a frame says to the page that holds it, and the other way round. */
export interface Message {
  digiden: "height" | "measure";
  height?: number;
}

export const PARTS = { chart: "figure.chart", map: ".japan", table: ".scroll > table" } as const;
export type Kind = keyof typeof PARTS;

/** Return what is meant by a part of an address: `chart-2` is the second chart of the page. */
export function readPart(text: string): { kind: Kind; place: number } | undefined {
  const match = /^(chart|map|table)-([1-9][0-9]?)$/.exec(text);
  return match ? { kind: match[1] as Kind, place: Number(match[2]) - 1 } : undefined;
}

/** Return an address that asks for a part instead of the one that it asks for. */
export function withPart(address: string, part: string): string {
  return address.replace(/([?&;]embed=)[\w-]+/, `$1${part}`);
}

/** Return the height that a message asks for, within reason; undefined for other messages. */
export function heightOf(message: unknown): number | undefined {
  const { digiden, height } = (message ?? {}) as Partial<Message>;
  if (digiden !== "height" || typeof height !== "number" || !Number.isFinite(height)) return undefined;
  return Math.min(20_000, Math.max(60, Math.ceil(height)));
}
