/** Draws the network of bodies through services, platforms and partners; the table stays below. */
import cytoscape from "cytoscape";

import { element, say } from "./lib/page";

interface Data {
  nodes: [label: string, kind: string, address: string | null][];
  edges: [from: number, to: number, inferred: boolean][];
}

const KINDS: Record<string, { shape: cytoscape.Css.NodeShape; colour: string; ja: string; en: string }> = {
  body: { shape: "ellipse", colour: "--series-1", ja: "団体", en: "Body" },
  "service type": { shape: "round-rectangle", colour: "--series-2", ja: "サービスの型", en: "Service type" },
  platform: { shape: "hexagon", colour: "--series-3", ja: "データ連携基盤", en: "Platform" },
  partner: { shape: "diamond", colour: "--series-4", ja: "相手", en: "Partner" },
};
const MARKS: Record<string, string> = { ellipse: "●", "round-rectangle": "■", hexagon: "⬢", diamond: "◆" };

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function legend(data: Data): HTMLElement {
  const present = new Set(data.nodes.map(([, kind]) => kind));
  const items = Object.entries(KINDS).filter(([kind]) => present.has(kind)).map(([, { shape, colour, ja, en }]) => {
    const mark = element("span", { "aria-hidden": "true", style: `color: var(${colour})` }, MARKS[shape] ?? "●");
    return element("li", {}, mark, " ", say(ja, en));
  });
  items.push(element("li", {}, say("― 明記　┄ 推定", "― stated  ┄ inferred")));
  return element("ul", { class: "legend" }, ...items);
}

function draw(place: HTMLElement, data: Data): void {
  const box = element("div", { class: "canvas-box", role: "img" });
  box.setAttribute("aria-label", say("つながりの図。同じ内容が下の表にあります。", "Drawing of the network; the table below says the same."));
  place.append(legend(data), box);
  place.hidden = false;
  const graph = cytoscape({
    container: box,
    minZoom: 0.15,
    maxZoom: 3,
    elements: [
      ...data.nodes.map(([label, kind, address], at) => ({ data: { id: `n${at}`, label, kind, address } })),
      ...data.edges.map(([from, to, inferred], at) => ({
        data: { id: `e${at}`, source: `n${from}`, target: `n${to}`, inferred: inferred ? 1 : 0 },
      })),
    ],
    style: [
      {
        selector: "node",
        style: {
          label: "data(label)", color: colour("--text"), "font-size": 11, width: 18, height: 18,
          "text-wrap": "ellipsis", "text-max-width": "140px", "text-valign": "bottom", "text-margin-y": 3,
          "text-outline-color": colour("--canvas"), "text-outline-width": 2, "min-zoomed-font-size": 6,
        },
      },
      ...Object.entries(KINDS).map(([kind, look]) => ({
        selector: `node[kind = "${kind}"]`,
        style: { shape: look.shape, "background-color": colour(look.colour) },
      })),
      { selector: "edge", style: { width: 1.2, "line-color": colour("--quiet"), "curve-style": "haystack" } },
      { selector: "edge[inferred = 1]", style: { "line-style": "dashed" } },
      { selector: ".far", style: { opacity: 0.15 } },
    ] as cytoscape.StylesheetJson,
    layout: { name: "cose", animate: false, randomize: false, nodeRepulsion: () => 9000, idealEdgeLength: () => 60 } as cytoscape.CoseLayoutOptions,
  });
  graph.on("mouseover", "node", ({ target }) => {
    const near = target.closedNeighborhood();
    graph.elements().not(near).addClass("far");
  });
  graph.on("mouseout", "node", () => void graph.elements().removeClass("far"));
  graph.on("tap", "node", ({ target }) => {
    const address: string | null = target.data("address");
    if (address) window.location.assign(address);
  });
}

const place = document.querySelector<HTMLElement>("#network");
const data: Data | null = JSON.parse(document.querySelector("#network-data")?.textContent ?? "null");
if (place && data?.nodes.length) draw(place, data);
