/** A page within a page of others: shows the part that is wanted, and says how high it is. */
import { PARTS, readPart, withPart, type Kind, type Message } from "./embedding";
import { element, say } from "./page";

/** Show only the wanted part of a page and keep the page around it told of its height. */
export function framed(body: HTMLElement): void {
  const wanted = readPart(body.dataset.part ?? "");
  const part = wanted && body.querySelectorAll<HTMLElement>(`main ${PARTS[wanted.kind]}`)[wanted.place];
  if (part) {
    // The title, how complete it is and whose it is belong to every part.
    const kept = [...body.querySelectorAll<HTMLElement>("main h1, main .note, main .complete")];
    for (const each of [part, ...kept.filter((each) => !each.closest("form, details, table"))]) show(each);
    body.classList.add("picked");
  }
  if (window.parent === window) return;
  const tell = (): void => {
    const message: Message = { digiden: "height", height: body.getBoundingClientRect().height };
    window.parent.postMessage(message, "*");
  };
  new ResizeObserver(tell).observe(body);
  addEventListener("message", (event) => {
    if ((event.data as Message | null)?.digiden === "measure") tell();
  });
}

function show(part: HTMLElement): void {
  part.dataset.shown = "whole";
  for (let each = part.parentElement; each && each.id !== "main"; each = each.parentElement) each.dataset.shown ??= "";
}

/** Let the menu that offers the page to others also offer its parts. */
export function offerParts(menu: HTMLDetailsElement): void {
  const code = menu.querySelector<HTMLTextAreaElement>("#embed-code");
  if (!code || menu.querySelector("#embed-part")) return;
  const words: Record<Kind, string> = { chart: say("グラフ", "Chart"), map: say("地図", "Map"), table: say("表", "Table") };
  const options = [element("option", { value: "1" }, say("ページ全体", "The whole page"))];
  for (const kind of Object.keys(PARTS) as Kind[])
    document.querySelectorAll<HTMLElement>(`main ${PARTS[kind]}`).forEach((each, at) => {
      if (at > 98) return;
      const title = each.querySelector("figcaption, caption")?.textContent?.trim();
      options.push(element("option", { value: `${kind}-${at + 1}` }, `${words[kind]} ${at + 1}${title ? `: ${title}` : ""}`));
    });
  if (options.length < 3 && options.length > 1 && options[1]!.value.startsWith("table")) options[1]!.textContent = words.table;
  const choice = element("select", { id: "embed-part" }, ...options);
  choice.addEventListener("change", () => (code.value = withPart(code.value, choice.value)));
  const label = element("label", { for: "embed-part" }, say("埋め込むもの", "What to embed"));
  code.closest("p")!.before(element("p", { class: "field" }, label, choice));
}
