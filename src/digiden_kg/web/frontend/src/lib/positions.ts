/** Files of the server's graph with the places of the canvas, for programs that draw them again. */
import type { Place } from "./view";

/**
 * Return a GraphML or GEXF file whose nodes, in their order, are at places. Their axes point up,
 * those of the canvas down.
 */
export function withPlaces(text: string, end: string, places: readonly Place[]): string {
  const gexf = end === "gexf";
  let at = 0;
  const placed = text.replace(/<node [^>]*>.*?<\/node>/gs, (node) => {
    const place = places[at++];
    if (!place) throw new Error("the file has more things than the canvas");
    const [x, y] = [round(place.x), round(-place.y)];
    const said = gexf
      ? `<viz:position x="${x}" y="${y}" z="0"/>`
      : `<data key="x">${x}</data><data key="y">${y}</data>`;
    return node.replace(/<\/node>$/, `${said}</node>`);
  });
  if (at !== places.length) throw new Error("the canvas has more things than the file");
  return gexf
    ? placed.replace("<gexf ", '<gexf xmlns:viz="http://gexf.net/1.3/viz" ')
    : placed.replace(
        "<graph ",
        ["x", "y"].map((name) => `<key id="${name}" for="node" attr.name="${name}" attr.type="double"/>\n`).join("") + "<graph ",
      );
}

function round(value: number): number {
  return Math.round(value * 10) / 10 + 0; // no minus before zero
}
