/** What maps of prefectures gain: a tip at the pointer, and no reloading where one is chosen. */
export {};

const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("aria-hidden", "true");
tip.hidden = true;
document.body.append(tip);

/** The words of a shape: kept as its accessible name, so that the browser shows no tip of its own. */
function nameOf(shape: Element): string {
  const title = shape.querySelector("title");
  if (title) {
    shape.setAttribute("aria-label", title.textContent ?? "");
    title.remove();
  }
  return shape.getAttribute("aria-label") ?? "";
}

function show(shape: Element, x: number, y: number): void {
  tip.textContent = nameOf(shape);
  tip.hidden = false;
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(8, Math.min(x + 12, room)) + window.scrollX}px`;
  tip.style.top = `${y + 16 + window.scrollY}px`;
}

const shapeOf = (event: Event) => (event.target as Element).closest?.(".japan svg a") ?? null;

document.addEventListener("pointermove", (event) => {
  const shape = shapeOf(event);
  if (shape) show(shape, event.clientX, event.clientY);
  else tip.hidden = true;
});
document.addEventListener("focusin", (event) => {
  const shape = shapeOf(event);
  tip.hidden = !shape;
  if (!shape) return;
  const box = shape.getBoundingClientRect();
  show(shape, box.left + box.width / 2, box.top + box.height / 2);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
});

const area = () => document.getElementById("swap");
/** Address of a page that shows a map among other things, whose areas lead to the map's own page. */
const host = area()?.dataset.page;
let asked = new AbortController();

/** Put what another address shows in place of what is shown. */
async function go(where: string, push: boolean, focus?: string): Promise<void> {
  asked.abort();
  asked = new AbortController();
  try {
    const answer = await fetch(where, { headers: { Accept: "text/html" }, signal: asked.signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const made = page.getElementById("swap");
    if (!answer.ok || !made) throw new Error(answer.statusText);
    area()?.replaceWith(document.adoptNode(made));
    for (const part of [".data-menu", ".language"]) {
      const fresh = page.querySelector(part);
      if (fresh) document.querySelector(part)?.replaceWith(document.adoptNode(fresh));
    }
    document.title = page.title;
    if (push) history.pushState(null, "", where);
    tip.hidden = true;
    if (focus) area()?.querySelector<HTMLElement>(focus)?.focus({ preventScroll: true });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) location.assign(where);
  }
}

if (area()) {
  document.addEventListener("click", (event) => {
    if (host || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = (event.target as Element).closest?.("#swap .area, #swap .map-views a, #chosen .button");
    const where = link?.getAttribute("href");
    if (!link || !where) return;
    event.preventDefault();
    const code = link.getAttribute("data-code");
    void go(where, true, code ? `.area[data-code="${code}"]` : link.closest(".map-views") ? ".map-views [aria-current]" : "#figure");
  });
  document.addEventListener("change", (event) => {
    const form = (event.target as Element).closest<HTMLFormElement>("#swap .chooser");
    if (!form) return;
    const values = new URLSearchParams();
    for (const [key, value] of new FormData(form)) if (typeof value === "string") values.append(key, value);
    void go(`${host ?? form.getAttribute("action")}?${values}`, true, "#figure");
  });
  addEventListener("popstate", () => void go(location.href, false));
}
