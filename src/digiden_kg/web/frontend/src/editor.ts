/**
 * The SPARQL page: the form becomes an editor that completes our terms and shows answers in place.
 *
 * Answers are the page itself, asked again: what stands in `#answer` is the same with and without
 * scripts. Charts and graphs are added to it.
 */
import Yasqe from "@zazuko/yasqe";
import "@zazuko/yasqe/build/yasqe.min.css";
import { completer, loadTerms } from "./lib/complete";
import { language, say } from "./lib/page";
import { addViews } from "./lib/views";

const form = document.querySelector<HTMLFormElement>("#ask")!;
const field = document.querySelector<HTMLTextAreaElement>("#query")!;
const format = document.querySelector<HTMLSelectElement>("#format")!;

// Only completers of our own: those of the editor ask a server elsewhere.
Yasqe.defaults.autocompleters = ["variables"];
for (const kind of ["classes", "properties", "prefixes"] as const) {
  Yasqe.registerAutocompleter(completer(kind), true);
}

const place = document.createElement("div");
place.className = "editor";
field.after(place);
field.hidden = true;
const editor = new Yasqe(place, {
  persistenceId: null,
  consumeShareLink: null,
  createShareableLink: undefined,
  showQueryButton: false,
  resizeable: false,
  editorHeight: "auto",
  value: field.value,
  screenReaderLabel: say("問い合わせ（SPARQL）", "Query (SPARQL)"),
  syntaxErrorCheck: false,
  extraKeys: {
    // The Tab key leaves the editor, as it leaves every field.
    Tab: false,
    "Shift-Tab": false,
    "Ctrl-Enter": () => void run(),
    "Cmd-Enter": () => void run(),
    "Ctrl-S": false,
  },
} as ConstructorParameters<typeof Yasqe>[1]);
document.querySelector<HTMLLabelElement>('label[for="query"]')!.addEventListener("click", () => editor.focus());

let running: AbortController | undefined;
let marks: { clear(): void }[] = [];

function answer(): HTMLElement {
  return document.querySelector<HTMLElement>("#answer")!;
}

/** Mark in the editor where the answer says that the query is wrong. */
function markError(): void {
  for (const mark of marks) mark.clear();
  marks = [];
  const { line, column } = answer().dataset;
  if (!line) return;
  const at = { line: Number(line) - 1, ch: Number(column) - 1 };
  const end = { line: at.line, ch: Math.max(at.ch + 1, editor.getDoc().getLine(at.line)?.length ?? 0) };
  const title = answer().querySelector(".failure pre")?.textContent ?? "";
  marks.push(editor.getDoc().markText(at, end, { className: "wrong", title }));
  const handle = editor.addLineClass(at.line, "background", "wrong-line");
  marks.push({ clear: () => void editor.removeLineClass(handle, "background", "wrong-line") });
  editor.getDoc().setCursor(at);
  editor.scrollIntoView(at);
}

/** Show the answer of a page in place of the present one. */
function show(page: Document): void {
  const made = page.querySelector<HTMLElement>("#answer");
  const query = page.querySelector<HTMLTextAreaElement>("#query")?.value;
  if (!made || query === undefined) throw new Error(page.body.textContent ?? "");
  answer().replaceWith(document.adoptNode(made));
  if (query !== editor.getValue()) editor.setValue(query);
  markError();
  addViews(answer(), query);
}

function address(query: string): string {
  return `/sparql?${new URLSearchParams({ format: "html", lang: language(), query })}`;
}

async function ask(body: URLSearchParams | undefined, where: string): Promise<Document> {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const response = await fetch(where, {
    signal,
    headers: { Accept: "text/html" },
    ...(body ? { method: "POST", body } : {}),
  });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function run(remember = true): Promise<void> {
  const query = editor.getValue();
  const waiting = setTimeout(() => {
    answer().setAttribute("aria-busy", "true");
    answer().textContent = say("答えを待っています…", "Waiting for the answer…");
  }, 300);
  try {
    const page = await ask(new URLSearchParams({ format: "html", query }), `/sparql?lang=${language()}`);
    clearTimeout(waiting);
    show(page);
    if (remember) history.pushState({ query }, "", address(editor.getValue()));
    answer().scrollIntoView({ block: "nearest" });
  } catch (error) {
    clearTimeout(waiting);
    if (error instanceof DOMException && error.name === "AbortError") return;
    answer().removeAttribute("aria-busy");
    answer().textContent = `${say("サーバから答えがありません。", "The server does not answer.")} ${error}`;
  }
}

form.addEventListener("submit", (event) => {
  field.value = editor.getValue();
  if (format.value !== "html") return;
  event.preventDefault();
  void run();
});

for (const link of document.querySelectorAll<HTMLAnchorElement>("[data-insert]")) {
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const page = await ask(undefined, link.href);
    editor.setValue(page.querySelector<HTMLTextAreaElement>("#query")!.value);
    await run();
    editor.focus();
  });
}

window.addEventListener("popstate", () => {
  const query = new URLSearchParams(location.search).get("query");
  if (query === null) return;
  editor.setValue(query);
  void run(false);
});

void loadTerms();
markError();
addViews(answer(), editor.getValue());
