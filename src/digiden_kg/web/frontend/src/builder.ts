/** The query builder, live: each choice asks the server for the page again and shows its parts. */
import { addViews } from "./lib/views";

let asking: AbortController | undefined;

function form(): HTMLFormElement | null {
  return document.querySelector<HTMLFormElement>("#builder");
}

function address(): string {
  const data = new FormData(form()!);
  const query = new URLSearchParams();
  for (const [name, value] of data) if (typeof value === "string" && value) query.append(name, value);
  return `/builder?${query}`;
}

function enhance(): void {
  const answer = document.querySelector<HTMLElement>("#answer");
  const query = answer?.querySelector("pre code")?.textContent ?? "";
  if (answer) addViews(answer, query);
}

async function show(where: string, remember: boolean): Promise<void> {
  asking?.abort();
  asking = new AbortController();
  try {
    const response = await fetch(where, { signal: asking.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const made = page.querySelector("main");
    if (!made) throw new Error(response.statusText);
    const focused = document.activeElement?.id;
    const open = [...document.querySelectorAll("main details")].map((each) => (each as HTMLDetailsElement).open);
    document.querySelector("main")!.replaceChildren(...document.adoptNode(made).childNodes);
    const details = document.querySelectorAll<HTMLDetailsElement>("main details");
    if (details.length === open.length) details.forEach((each, at) => (each.open = open[at]!));
    const switches = page.querySelector("nav.language");
    if (switches) document.querySelector("nav.language")?.replaceWith(document.adoptNode(switches));
    if (focused) document.getElementById(focused)?.focus();
    if (remember) history.pushState(null, "", where);
    enhance();
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) location.assign(where);
  }
}

document.addEventListener("change", (event) => {
  if ((event.target as HTMLElement).closest("#builder")) void show(address(), true);
});
document.addEventListener("submit", (event) => {
  if (event.target !== form()) return;
  event.preventDefault();
  void show(address(), true);
});
window.addEventListener("popstate", () => void show(location.pathname + location.search, false));
enhance();
