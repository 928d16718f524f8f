/** What an answer can be seen as besides its table or text: a chart, a network. */
import { draw, type Spec } from "./chart";
import { element, say } from "./page";

function select(label: string, options: [string, string][], chosen?: string): HTMLLabelElement {
  const list = element("select");
  for (const [value, words] of options) {
    const option = element("option", { value }, words);
    option.selected = value === chosen;
    list.append(option);
  }
  return element("label", {}, `${label} `, list);
}

function valueOf(label: HTMLLabelElement): string {
  return label.querySelector("select")!.value;
}

function addChart(answer: HTMLElement, table: HTMLTableElement): void {
  const headings = [...table.querySelectorAll<HTMLTableCellElement>("thead th")];
  const columns = headings.map((each, at): [string, string] => [
    String(at),
    each.firstChild?.textContent?.trim() || each.dataset["column"] || String(at + 1),
  ]);
  const numbers = columns.filter((_, at) => headings[at]!.classList.contains("number"));
  const names = columns.filter((_, at) => !headings[at]!.classList.contains("number"));
  if (!numbers.length || !names.length) return;
  const place = table.closest(".scroll") ?? table;
  const open = element("button", { type: "button", "aria-expanded": "false", class: "outlined" }, say("図にする", "Draw a chart"));
  const controls = element("p", { class: "views" }, open);
  const kind = select(say("種類", "Kind"), [
    ["bar", say("棒", "Bars")],
    ["dot", say("点", "Dots")],
    ["line", say("折れ線", "Line")],
  ]);
  const label = select(say("名前", "Names"), names);
  const value = select(say("値", "Values"), numbers, numbers.at(-1)![0]);
  place.before(controls);
  const update = () => {
    controls.nextElementSibling?.matches("figure.chart") && controls.nextElementSibling.remove();
    if (open.getAttribute("aria-expanded") !== "true") return;
    const at = Number(valueOf(value));
    const spec: Spec = {
      kind: valueOf(kind) as Spec["kind"],
      label: Number(valueOf(label)),
      values: [at],
      top: 50,
      sort: valueOf(kind) !== "line",
    };
    const title = columns[at]![1];
    const figure = element("figure", { class: "chart", "data-chart": JSON.stringify(spec) }, element("figcaption", {}, title));
    controls.after(figure);
    draw(figure);
  };
  open.addEventListener("click", () => {
    const shown = open.getAttribute("aria-expanded") === "true";
    open.setAttribute("aria-expanded", String(!shown));
    if (shown) for (const each of [kind, label, value]) each.remove();
    else controls.append(kind, label, value);
    update();
  });
  controls.addEventListener("change", update);
}

function addGraph(answer: HTMLElement, query: string, base: string): void {
  const open = element("button", { type: "button", class: "outlined" }, say("つながりの図にする", "Draw the network"));
  const controls = element("p", { class: "views" }, open);
  answer.prepend(controls);
  open.addEventListener("click", async () => {
    open.disabled = true;
    const { drawNetwork } = await import("./network");
    const place = element("div", { class: "network" });
    controls.after(place);
    await drawNetwork(place, query, base);
  });
}

/** Add the views that fit an answer. */
export function addViews(answer: HTMLElement, query: string): void {
  const table = answer.querySelector("table");
  if (table) addChart(answer, table);
  else if (answer.dataset["graph"]) addGraph(answer, query, answer.dataset["graph"]);
}
