/** Draws the network of bodies through services, platforms and partners; the table stays below. */
import { element, say } from "./lib/page";
import { sketch } from "./lib/sketch";

interface Data {
  nodes: [label: string, kind: string, address: string | null][];
  edges: [from: number, to: number, inferred: boolean][];
}

const KINDS: Readonly<Record<string, { group: string; ja: string; en: string }>> = {
  body: { group: "body", ja: "団体", en: "Body" },
  "service type": { group: "service", ja: "サービスの型", en: "Service type" },
  platform: { group: "system", ja: "データ連携基盤", en: "Platform" },
  partner: { group: "party", ja: "相手", en: "Partner" },
};

function legend(data: Data): HTMLElement {
  const present = new Set(data.nodes.map(([, kind]) => kind));
  const items = Object.entries(KINDS).filter(([kind]) => present.has(kind)).map(([, { group, ja, en }]) =>
    element("li", {}, element("span", { "aria-hidden": "true", class: `mark ${group}` }), " ", say(ja, en)));
  items.push(element("li", {}, say("― 明記　┄ 推定", "― stated  ┄ inferred")));
  return element("ul", { class: "legend" }, ...items);
}

const place = document.querySelector<HTMLElement>("#network");
const data: Data | null = JSON.parse(document.querySelector("#network-data")?.textContent ?? "null");
if (place && data?.nodes.length) {
  place.hidden = false;
  place.append(legend(data));
  const things = data.nodes.map(([label, kind, address]) => {
    const { group, ja, en } = KINDS[kind]!;
    return { label, kind: say(ja, en), group, address };
  });
  sketch(place, things, data.edges.map(([from, to, inferred]) => ({ from, to, label: "", inferred })));
}
