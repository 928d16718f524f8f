/**
 * A form that answers at once: each choice asks the server for the page again and shows its parts.
 * The state is the address, with and without scripts.
 */

let asking: AbortController | undefined;

function addressOf(form: HTMLFormElement): string {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && value) query.append(name, value);
  }
  return `${new URL(form.action).pathname}?${query}`;
}

async function show(where: string, remember: boolean, after: () => void): Promise<void> {
  asking?.abort();
  asking = new AbortController();
  try {
    const response = await fetch(where, { signal: asking.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const made = page.querySelector("main");
    if (!made) throw new Error(response.statusText);
    const focused = document.activeElement?.id;
    const open = [...document.querySelectorAll<HTMLDetailsElement>("main details")].map((each) => each.open);
    document.querySelector("main")!.replaceChildren(...document.adoptNode(made).childNodes);
    const details = document.querySelectorAll<HTMLDetailsElement>("main details");
    if (details.length === open.length) details.forEach((each, at) => (each.open = open[at]!));
    const languages = page.querySelector("nav.language");
    if (languages) document.querySelector("nav.language")?.replaceWith(document.adoptNode(languages));
    if (focused) document.getElementById(focused)?.focus();
    if (remember) history.pushState(null, "", where);
    after();
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) location.assign(where);
  }
}

/** Let the form of a page answer at once; ``after`` draws what the page has, now and each time. */
export function live(selector: string, after: () => void): void {
  const formOf = (event: Event) => (event.target as Element).closest<HTMLFormElement>(selector);
  document.addEventListener("change", (event) => {
    const form = formOf(event);
    if (form) void show(addressOf(form), true, after);
  });
  document.addEventListener("submit", (event) => {
    const form = formOf(event);
    if (!form) return;
    event.preventDefault();
    void show(addressOf(form), true, after);
  });
  window.addEventListener("popstate", () => void show(location.pathname + location.search, false, after));
  after();
}
