/** What stands in the address of the graph explorer: pinned places and whether it is grouped. */

export interface Place {
  x: number;
  y: number;
}

/** Return the pinned places of an address: `pin=id:body/142069 120 -40`. */
export function pinsOf(query: URLSearchParams): Map<string, Place> {
  const pins = new Map<string, Place>();
  for (const text of query.getAll("pin")) {
    const [name, x, y] = text.split(" ");
    const place = { x: Number(x), y: Number(y) };
    if (name && x && y && Number.isFinite(place.x) && Number.isFinite(place.y)) pins.set(name, place);
  }
  return pins;
}

/** Return a query with these pins instead of its own; nothing else of it changes. */
export function withPins(query: URLSearchParams, pins: ReadonlyMap<string, Place>): URLSearchParams {
  const changed = new URLSearchParams(query);
  changed.delete("pin");
  for (const [name, { x, y }] of pins) changed.append("pin", `${name} ${Math.round(x)} ${Math.round(y)}`);
  return changed;
}

/** By what things are put together: their colour, their class, or nothing. */
export type Grouping = "1" | "class" | "";

/** Return the grouping of an address. */
export function groupingOf(query: URLSearchParams): Grouping {
  const said = query.get("group");
  return said === "1" || said === "class" ? said : "";
}

/** Return a query with a grouping or without. */
export function withGrouping(query: URLSearchParams, grouping: Grouping): URLSearchParams {
  const changed = new URLSearchParams(query);
  if (grouping) changed.set("group", grouping);
  else changed.delete("group");
  return changed;
}

/** Return an address that keeps prefixed names readable, as the server writes it. */
export function addressOf(path: string, query: URLSearchParams): string {
  const text = query.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
  return text ? `${path}?${text}` : path;
}
