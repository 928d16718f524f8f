/** SPARQL without a server: the form asks a worker in this browser and shows its answer. */
import { file, save } from "./lib/files";
import { element, language, say } from "./lib/page";
import { declared, formOf, placeOf } from "./lib/query";
import type { Asked, Told } from "./sparql-worker";

interface Term {
  type: string;
  value: string;
  "xml:lang"?: string;
}
interface Table {
  head: { vars?: string[] };
  boolean?: boolean;
  results?: { bindings: Record<string, Term>[] };
}

const SHOWN = 1000;
const form = document.querySelector<HTMLFormElement>("#ask")!;
const field = document.querySelector<HTMLTextAreaElement>("#query")!;
const place = document.querySelector<HTMLElement>("#answer")!;
const { dump, base } = form.dataset as { dump: string; base: string };
const known = JSON.parse(document.querySelector("#prefixes")!.textContent!) as Record<string, string>;
const root = document.documentElement.dataset["static"];
let worker: Worker | undefined;

/** Return where the page of an IRI is, beside this one. */
function pageOf(iri: string): string {
  if (!iri.startsWith(base)) return iri;
  const [path, fragment] = iri.slice(base.length).replace(/^id\//, "doc/").split("#");
  const end = fragment ? `#${fragment}` : "";
  if (root === undefined) return `/${path}?lang=${language()}${end}`;
  return `${root}${path}${language() === "en" ? ".en" : ""}.html${end}`;
}

function shorten(iri: string): string {
  const found = Object.entries(known).find(([, space]) => iri.startsWith(space) && /^[\w./-]*$/.test(iri.slice(space.length)));
  return found ? `${found[0]}:${iri.slice(found[1].length)}` : iri;
}

/** Ask the worker; what it tells on its way is shown, what it answers is returned. */
function ask(query: string, format: string): Promise<{ text: string; seconds: number }> {
  worker ??= new Worker(new URL("./sparql-worker.js", import.meta.url), { type: "module" });
  const asked: Asked = { dump: new URL(dump, location.href).href, query, form: formOf(query), format, base };
  return new Promise((resolve, reject) => {
    worker!.onerror = (event) => {
      stop();
      reject(new Error(event.message || say("検索エンジンを読み込めません。", "The engine cannot be loaded.")));
    };
    worker!.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data.kind === "answer") resolve(data);
      else if (data.kind === "failed") reject(new Error(data.message));
      else showProgress(data);
    };
    worker!.postMessage(asked);
  });
}

function stop(): void {
  worker?.terminate();
  worker = undefined;
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

function showProgress(told: Told): void {
  if (told.kind === "loading") {
    const of = told.total ? ` / ${megabytes(told.total)}` : "";
    const bar = element("progress", { id: "loading", ...(told.total ? { max: String(told.total), value: String(told.loaded) } : {}) });
    const words = `${say("全データを読み込んでいます", "Loading all the data")}: ${megabytes(told.loaded)}${of} MB `;
    place.replaceChildren(element("p", {}, element("label", { for: "loading" }, words), bar), stopButton());
  } else {
    const words = told.kind === "reading" ? say("索引を作っています…", "Making the index…") : say("答えを求めています…", "Answering…");
    place.replaceChildren(element("p", {}, words), stopButton());
  }
}

let abandon: (() => void) | undefined;

function stopButton(): HTMLElement {
  const button = element("button", { type: "button" }, say("やめる", "Stop"));
  button.addEventListener("click", () => {
    stop();
    abandon?.();
  });
  return button;
}

function showError(message: string, lines: number): void {
  const at = placeOf(message, lines);
  const failure = element("div", { class: "failure", role: "alert" });
  failure.append(element("p", {}, element("strong", {}, say("答えられませんでした。", "There is no answer."))));
  failure.append(element("pre", {}, message.replace(/^error at \d+:\d+: /, "")));
  if (at) {
    const text = field.value.split("\n");
    const line = text[at.line - 1] ?? "";
    const rest = line.slice(at.column - 1) || " ";
    const words = say(`${at.line} 行 ${at.column} 文字目`, `Line ${at.line}, column ${at.column}`);
    failure.append(element("p", {}, words));
    const code = element("code", {}, `${at.line} | ${line.slice(0, at.column - 1)}`, element("mark", {}, rest));
    failure.append(element("pre", { class: "place" }, code));
    const start = text.slice(0, at.line - 1).reduce((sum, each) => sum + each.length + 1, 0) + at.column - 1;
    field.focus();
    field.setSelectionRange(start, start + rest.length);
  }
  place.replaceChildren(failure);
}

function cell(term: Term | undefined): HTMLElement {
  if (!term) return element("td");
  if (term.type === "uri") {
    const link = element("a", { href: pageOf(term.value), title: term.value }, shorten(term.value));
    return element("td", {}, link);
  }
  return element("td", term["xml:lang"] ? { lang: term["xml:lang"] } : {}, term.value);
}

function showTable(table: Table, seconds: number, csv: () => Promise<string>): void {
  const columns = table.head.vars ?? [];
  const rows = table.results?.bindings ?? [];
  const shown = rows.length > SHOWN ? say(`（はじめの ${SHOWN} 件を表示）`, ` (the first ${SHOWN} are shown)`) : "";
  const count = say(`${rows.length.toLocaleString("ja")} 件`, `${rows.length.toLocaleString("en")} row${rows.length === 1 ? "" : "s"}`);
  const time = say(`${seconds.toFixed(2)} 秒`, `${seconds.toFixed(2)} s`);
  const head = element("tr", {}, ...columns.map((each) => element("th", { scope: "col" }, each)));
  const body = rows.slice(0, SHOWN).map((row) => element("tr", {}, ...columns.map((each) => cell(row[each]))));
  const whole = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  const region = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("結果", "Result") }, whole);
  const saving = element("button", { type: "button" }, say("CSV で保存", "Save as CSV"));
  saving.addEventListener("click", async () => save("result.csv", new Blob([await csv()], { type: "text/csv;charset=utf-8" })));
  place.replaceChildren(element("p", { class: "count" }, `${count}${shown} · ${time}`), region, saving);
}

function showText(text: string, seconds: number): void {
  const saving = file("result.ttl", say("Turtle で保存", "Save as Turtle"), "text/turtle;charset=utf-8", () => text);
  const time = say(`${seconds.toFixed(2)} 秒`, `${seconds.toFixed(2)} s`);
  place.replaceChildren(element("p", { class: "count" }, time), element("pre", {}, element("code", {}, text)), saving);
}

async function run(): Promise<void> {
  const { text, lines } = declared(field.value, known);
  const kind = formOf(text);
  const isTable = kind === "SELECT" || kind === "ASK";
  place.setAttribute("aria-busy", "true");
  showProgress({ kind: "ready", quads: 0 });
  try {
    const stopped = new Promise<undefined>((resolve) => (abandon = () => resolve(undefined)));
    const answer = await Promise.race([ask(text, isTable ? "json" : "ttl"), stopped]);
    if (!answer) {
      place.replaceChildren(element("p", {}, say("やめました。", "Stopped.")));
    } else if (!isTable) {
      showText(answer.text, answer.seconds);
    } else {
      const table = JSON.parse(answer.text) as Table;
      if (table.boolean !== undefined) showText(String(table.boolean), answer.seconds);
      else showTable(table, answer.seconds, async () => (await ask(text, "csv")).text);
    }
  } catch (error) {
    showError(error instanceof Error ? error.message : String(error), lines);
  } finally {
    place.removeAttribute("aria-busy");
    place.scrollIntoView({ block: "nearest" });
  }
}

function fromAddress(): void {
  const query = new URLSearchParams(location.hash.slice(1)).get("query");
  if (query !== null) field.value = query;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  history.replaceState(null, "", `#${new URLSearchParams({ query: field.value })}`);
  void run();
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
addEventListener("hashchange", fromAddress);
fromAddress();
form.querySelector<HTMLButtonElement>("button")!.disabled = false;
