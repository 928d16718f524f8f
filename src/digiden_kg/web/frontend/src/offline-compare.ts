/**
 * Compares bodies in a site of files: the address is the state; columns come from one file, which
 * the Python module `web/compare` makes, and stand side by side as `templates/compare.html` has them.
 */
import { csv, dataMenu, file } from "./lib/files";
import { loadJson, siteIndex, type Thing } from "./lib/offline";
import { element, language, say } from "./lib/page";

interface Item {
  /** What it is of: a link, or the place of a line. */
  line: number;
  /** Whose it is, where a column stands for more than one body. */
  body?: number;
  project: number;
  /** Where the document states it; we concluded what it does not state. */
  sources: number[];
  /** Of a value of its own. */
  thing?: number;
  targets?: [year: string, words: string, value: string, unit: string][];
  amount?: number;
  /** The amount in short, and in full. */
  words?: string;
  full?: string;
}
interface Column {
  projects: number;
  /** Named bodies in a prefecture. */
  area: number | null;
  populations: [value: string, period: string, source: number][];
  /** By row. */
  cells: Record<string, Item[]>;
}
interface Data {
  /** Start of all IRIs. */
  base: string;
  most: number;
  /** Names, and where they lead. */
  links: [label: string, address: string | null][];
  bodies: [code: string, link: number, kind: string, prefecture: string][];
  columns: Record<string, Column>;
  /** By prefecture: grant types with their figures, each with its source. */
  published: Record<string, [kind: string, figures: [words: string, source: number][]][]>;
  /** By the code of a body, else by its prefecture and kind: bodies like it, with services that it has not. */
  alike: Record<string, [code: string, reasons: number[], services: [link: number, stated: number][]][]>;
  groups: { title: string; row: string; own: boolean; lines: string[] }[];
  /** Rows of the first lines of money, and columns of the table that can be saved. */
  money: string[];
  table: string[];
}
type Body = Data["bodies"][number];
/** What a file of the comparison says of a fact; IRIs and names. */
interface Fact {
  column: string;
  body: string;
  bodyLabel: string;
  row: string;
  value: string | number;
  valueLabel: string | null;
  certainty: "stated" | "inferred";
  targets: { year: string; value: string; unit: string }[];
  project: string;
  projectLabel: string;
  passages: string[];
}

const [ALL, ONLY, BOTH] = ["all", "only", "both"] as const;
const OFFERED = 12;
const root = document.documentElement.dataset["static"] ?? "./";
const asked = new URLSearchParams(location.search);
const show = [ONLY, BOTH].find((each) => each === asked.get("show")) ?? ALL;
const place = document.querySelector<HTMLElement>("#compared")!;
const where = new URL(place.dataset["columns"]!, location.href);
const size = Number(place.dataset["size"]);
const none: Column = { projects: 0, area: null, populations: [], cells: {} };

function addressOf(codes: readonly string[], how: string = show): string {
  const pairs = codes.map((code) => ["body", code]);
  return `?${new URLSearchParams(how === ALL ? pairs : [...pairs, ["show", how]])}`;
}

/** Return the bodies that a text may mean: one that it names, or what is called so. */
async function meant(data: Data, text: string): Promise<Body[]> {
  const known = new Map(data.bodies.map((body) => [body[0], body]));
  const code = known.get(text.trim());
  if (code) return [code];
  const index = await siteIndex(root);
  const { things, near } = await index.search(text, { kind: ["LocalGovernment"] });
  const folded = index.words(text).join(" ");
  const named = things.filter((each) => each.text.split("\n").includes(folded));
  const bodiesOf = (found: Thing[]) => found.map(({ at }) => known.get(at.split("/").at(-1)!)).filter((body) => body !== undefined);
  return [named, things, near].map(bodiesOf).find((found) => found.length) ?? [];
}

class Table {
  constructor(
    private readonly data: Data,
    private readonly bodies: readonly Body[],
  ) {}

  private get columns(): Column[] {
    return this.bodies.map(([code]) => this.data.columns[code] ?? none);
  }

  private link(at: number, attributes: Record<string, string> = {}, words?: string): HTMLElement {
    const [label, address] = this.data.links[at]!;
    if (address === null) return element("span", {}, words ?? label);
    return element("a", { href: new URL(address, where).href, ...attributes }, words ?? label);
  }

  label(at: number): string {
    return this.data.links[at]![0];
  }

  private source(at: number): HTMLElement {
    const [heading, words] = [this.label(at), say("出典", "source")];
    return this.link(at, { class: "source", title: heading, "aria-label": `${say("出典", "Source")}: ${heading}` }, words);
  }

  private why({ sources, project }: Item): Node[] {
    if (sources.length) return spaced(sources.slice(0, 2).map((at) => this.source(at)));
    const heading = this.label(project);
    const attributes = { class: "source", title: heading, "aria-label": `${say("理由", "Why")}: ${heading}` };
    return [this.link(project, attributes, say("理由", "why"))];
  }

  private values(items: Item[], make: (item: Item) => (Node | string)[]): Node[] {
    if (items.length) return [element("ul", { class: "values" }, ...items.map((item) => element("li", {}, ...make(item))))];
    return [
      element("span", { class: "unnamed", "aria-hidden": "true" }, "–"),
      element("span", { class: "visually-hidden" }, say("資料に名前なし", "not named")),
    ];
  }

  private cell(row: string, own: boolean, items: Item[]): Node[] {
    if (row === "money") {
      if (!items.length) return [unnamed(say("分からない", "unknown"))];
      return this.values(items, (item) => {
        const amount = element("strong", { title: item.full! }, item.words!);
        const whose = item.body === undefined ? "" : `${this.label(item.body)} · `;
        const from = element("small", {}, whose, this.link(item.project));
        return [amount, " ", ...spaced(item.sources.map((at) => this.source(at))), " ", element("br"), from];
      });
    }
    if (!own) {
      return this.values(items, (item) => [
        ...(item.body === undefined ? [] : [this.link(item.body)]), ...mark(isStated(item)), " ", ...this.why(item),
      ]);
    }
    return this.values(items, (item) => {
      const made: (Node | string)[] = item.body === undefined ? [] : [element("small", {}, this.label(item.body)), " "];
      made.push(this.link(item.thing!, isStated(item) ? {} : { class: "guess" }), ...mark(isStated(item)), " ", ...this.why(item));
      const targets = item.targets?.map(([year, words]) => `${say(`${year}年度`, `FY ${year}`)} ${words}`);
      if (targets) made.push(element("br"), element("small", {}, targets.join(" → ")));
      return made;
    });
  }

  /** Return the lines of a row that is shared: those that most bodies have come first. */
  private shared(row: string): number[] {
    const counts = new Map<number, number>();
    for (const { cells } of this.columns)
      for (const line of new Set(cells[row]?.map((item) => item.line))) counts.set(line, (counts.get(line) ?? 0) + 1);
    const wanted = show === ALL ? undefined : show === ONLY ? 1 : this.bodies.length;
    return [...counts]
      .filter(([, count]) => wanted === undefined || count === wanted)
      .sort(([a, x], [b, y]) => y - x || (this.label(a) < this.label(b) ? -1 : 1))
      .map(([line]) => line);
  }

  private group({ title, row, own, lines }: Data["groups"][number]): HTMLElement {
    const body = element("tbody");
    const width = String(this.bodies.length + 1);
    const line = (label: Node | string, at: number): HTMLElement => {
      const cells = this.columns.map((column) => (column.cells[row] ?? []).filter((item) => item.line === at));
      return element("tr", {}, element("th", { scope: "row" }, label), ...cells.map((items) => element("td", {}, ...this.cell(row, own, items))));
    };
    if (own) {
      body.append(...lines.map(line));
      return body;
    }
    body.append(element("tr", { class: "group" }, element("th", { scope: "rowgroup", colspan: width }, title)));
    const shared = this.shared(row);
    const words = say("資料に名前のあるものはありません", "none is named");
    if (shared.length) body.append(...shared.map((at) => line(this.link(at), at)));
    else body.append(element("tr", {}, element("td", { colspan: width }, unnamed(words))));
    return body;
  }

  private figures(): HTMLElement {
    const row = (label: string, cells: (Node | string)[][]): HTMLElement =>
      element("tr", {}, element("th", { scope: "row" }, label), ...cells.map((each) => element("td", {}, ...each)));
    const broken = (parts: (Node | string)[][]) => parts.flatMap((part, at) => (at ? [element("br"), ...part] : part));
    const people = this.columns.map(({ populations }) => {
      if (!populations.length) return [unnamed(say("資料に記載なし", "not stated"))];
      return broken(populations.map(([value, period, source]) => [
        value, ...(period ? [" ", element("small", {}, period)] : []), " ", this.source(source),
      ]));
    });
    const projects = this.columns.map(({ projects, area }) => {
      if (!projects) return [unnamed(say("資料に名前がありません（事業がないとは限りません）", "not named in the document, which does not mean that it has none"))];
      const bodies = say(`（${area}団体）`, `of ${area} ${area === 1 ? "body" : "bodies"}`);
      return [projects.toLocaleString(language()), ...(area === null ? [] : [" ", element("small", {}, bodies)])];
    });
    const published = this.bodies.map(([, , , prefecture]) => {
      const kinds = this.data.published[prefecture] ?? [];
      if (!kinds.length) return [unnamed(say("公表なし", "not published"))];
      return broken(kinds.map(([kind, figures]) => [
        `${kind}: ${figures.map(([words]) => words).join(say("・", ", "))} `, this.source(figures.at(-1)![1]),
      ]));
    });
    return element("tbody", {},
      row(say("人口", "Population"), people),
      row(say("名前の分かる事業", "Named projects"), projects),
      row(say("都道府県の統計（公表値）", "Published figures of the prefecture"), published),
    );
  }

  make(): HTMLElement {
    const codes = this.bodies.map(([code]) => code);
    const heads = this.bodies.map(([code, link, kind, prefecture]) => {
      const inside = prefectureOf(this.data, code, prefecture);
      const small = element("small", {}, kind + (inside ? ` · ${inside}` : ""));
      const remove = element("a", {
        class: "remove", href: addressOf(codes.filter((other) => other !== code)),
        "aria-label": say(`${this.label(link)} を外す`, `Remove ${this.label(link)}`),
      }, say("外す ×", "Remove ×"));
      return element("th", { scope: "col" }, this.link(link), " ", small, element("br"), remove);
    });
    const head = element("thead", {}, element("tr", {}, element("th", { scope: "col" }, say("項目", "What")), ...heads));
    const groups = this.data.groups.filter(({ own }) => show === ALL || !own).map((each) => this.group(each));
    const table = element("table", { class: "compared" }, head, ...(show === ALL ? [this.figures()] : []), ...groups);
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("比較の表", "Comparison") }, table);
  }

  /** Return the bodies that are like those of the columns, and what these could learn from them. */
  alike(): HTMLElement[] {
    const codes = this.bodies.map(([code]) => code);
    return this.bodies.map(([code, link, kind, prefecture], at) => {
      const name = this.label(link);
      const made = element("section", {}, element("h2", {}, say(`${name} に似た団体`, `Bodies like ${name}`)));
      const found = this.data.alike[code] ?? this.data.alike[`${prefecture} ${kind}`];
      if (!found) {
        made.append(element("p", {}, say("名前の分かる範囲では、似た団体は見つかりません。", "Among the named bodies, none is like it.")));
        return made;
      }
      if (!at) made.append(cloned("#few"));
      const types = say(`${name} の名前がまだない型:`, `Types that ${name} is not named for:`);
      const items = found.map(([other, reasons, services]) => {
        const [, place, , inside] = this.data.bodies.find(([each]) => each === other)!;
        const where = prefectureOf(this.data, other, inside);
        const item = element("li", {}, this.link(place));
        if (where) item.append(" ", element("small", {}, where));
        if (codes.length < this.data.most && !codes.includes(other)) {
          item.append(" ", element("a", {
            class: "button small", href: addressOf([...codes, other]),
            "aria-label": say(`${this.label(place)} とくらべる`, `Compare with ${this.label(place)}`),
          }, say("くらべる", "Compare")));
        }
        const words = reasons.map((each) => this.label(each)).join(say("、", "; "));
        item.append(element("br"), element("small", {}, `${say("似ている点:", "Alike:")} ${words}`), element("br"), `${types} `);
        for (const [number, [service, stated]] of services.entries()) {
          if (number) item.append(say("、", ", "));
          item.append(this.link(service, stated ? {} : { class: "guess" }), ...mark(stated > 0));
        }
        return item;
      });
      made.append(element("ul", { class: "list" }, ...items));
      return made;
    });
  }

  private iri(at: number): string {
    const home = new URL(root, location.href).pathname;
    const { pathname, hash } = new URL(this.data.links[at]![1]!, where);
    const path = pathname.slice(home.length).replace(/(\.en)?\.html$/, "").replace(/^doc\//, "id/");
    return this.data.base + decodeURI(path) + hash;
  }

  /** Return what is compared, one record for each fact of each column, as the server does. */
  private records(): Fact[] {
    const shared = this.data.groups.filter(({ own }) => !own).map(({ row }) => ({ row, kept: new Set(this.shared(row)) }));
    const lists = this.data.groups.filter(({ own, row }) => own && row !== "money");
    return this.bodies.flatMap(([code, link], column) => {
      const { cells } = this.columns[column]!;
      const fact = (row: string, item: Item, value: string | number, valueLabel: string | null): Fact => ({
        column: code, body: this.iri(item.body ?? link), bodyLabel: this.label(item.body ?? link), row, value, valueLabel,
        certainty: isStated(item) ? "stated" : "inferred",
        targets: (item.targets ?? []).map(([year, , value, unit]) => ({ year, value, unit })),
        project: this.iri(item.project), projectLabel: this.label(item.project),
        passages: item.sources.map((each) => this.iri(each)),
      });
      const named = (row: string, item: Item, at: number) => fact(row, item, this.iri(at), this.label(at));
      const marks = shared.flatMap(({ row, kept }) =>
        (cells[row] ?? []).filter((item) => kept.has(item.line)).map((item) => named(row, item, item.line)));
      if (show !== ALL) return marks;
      const money = this.data.money.flatMap((row, at) =>
        (cells["money"] ?? []).filter((item) => item.line === at).map((item) => fact(row, item, item.amount!, null)));
      const own = lists.flatMap(({ row }) => (cells[row] ?? []).map((item) => named(row, item, item.thing!)));
      return [...marks, ...money, ...own];
    });
  }

  csv(): string {
    const rows = this.records().map((fact) => {
      const targets = fact.targets.map(({ year, value, unit }) => `${year}: ${value}${unit}`).join("; ");
      const said: Record<string, unknown> = { ...fact, targets, passages: fact.passages.join(" ") };
      return this.data.table.map((name) => String(said[name] ?? ""));
    });
    return csv([this.data.table, ...rows]);
  }

  json(): string {
    const bodies = this.bodies.map(([code, link]) => ({ iri: this.iri(link), label: this.label(link), code }));
    return JSON.stringify({ bodies, facts: this.records() }, null, 2);
  }
}

function cloned(template: string): Node {
  return document.querySelector<HTMLTemplateElement>(template)!.content.cloneNode(true);
}

function isStated({ sources }: Item): boolean {
  return sources.length > 0;
}

function spaced(nodes: Node[]): Node[] {
  return nodes.flatMap((node, at) => (at ? [document.createTextNode(" "), node] : [node]));
}

function unnamed(words: string): HTMLElement {
  return element("span", { class: "unnamed" }, element("span", { "aria-hidden": "true" }, "–"), ` ${words}`);
}

function mark(stated: boolean): (Node | string)[] {
  if (!stated) return [" ", element("span", { class: "inferred-mark" }, say("○ 推定", "○ inferred"))];
  const words = element("span", { class: "visually-hidden" }, say("明記", "stated"));
  return [" ", element("span", { "aria-hidden": "true" }, "●"), words];
}

/** Return what the prefecture of a body is called that is none itself. */
function prefectureOf({ bodies, links }: Data, code: string, prefecture: string): string | undefined {
  const inside = bodies.find(([other]) => other === prefecture && other !== code);
  return inside && links[inside[1]]![0];
}

/** Return what is said where a text means no body, or more than one. */
function choice(data: Data, text: string, found: Body[], codes: string[]): HTMLElement {
  const strong = element("strong", {}, found.length
    ? say(`「${text}」にあてはまる団体がいくつかあります。選んでください。`, `“${text}” may mean several bodies. Choose one:`)
    : say(
        `「${text}」という団体は見つかりませんでした。漢字・かな・ローマ字の名前か、6桁の団体コードで入れてください。`,
        `No body is called “${text}”. Write its name in kanji, kana or romaji, or its code of six digits.`,
      ));
  const items = found.slice(0, OFFERED).map(([code, link, , prefecture]) => {
    const made = element("li", {}, element("a", { href: addressOf([...codes, code]) }, data.links[link]![0]));
    const inside = prefectureOf(data, code, prefecture);
    if (inside) made.append(" ", element("small", {}, inside));
    return made;
  });
  const made = element("section", { class: "choosing", role: "alert" }, element("p", {}, strong));
  if (items.length) made.append(element("ul", { class: "list" }, ...items));
  return made;
}

function filters(codes: string[]): HTMLElement {
  const words = { all: say("すべての行", "All rows"), only: say("一方だけにある行", "Only here"), both: say("全部にある行", "In all") };
  const links = Object.entries(words).map(([how, word]) =>
    element("a", { href: addressOf(codes, how), ...(how === show ? { "aria-current": "true" } : {}) }, word),
  );
  return element("nav", { class: "chips", "aria-label": say("行の絞り込み", "Rows shown") }, ...(codes.length > 1 ? spaced(links) : []));
}

async function compare(): Promise<void> {
  const texts = asked.getAll("body").filter((text) => text.trim());
  if (!texts.length) return;
  const status = element("p", { role: "status" });
  place.replaceChildren(status);
  const data = await loadJson<Data>(where, size, (loaded, total) => {
    status.textContent = say(`比較のデータを読み込んでいます：${loaded} / ${total} MB`, `Loading the data: ${loaded} / ${total} MB`);
  });
  const found = await Promise.all(texts.slice(0, 2 * data.most).map(async (text) => ({ text, bodies: await meant(data, text) })));
  const all = [...new Set(found.flatMap(({ bodies }) => (bodies.length === 1 ? bodies : [])))];
  const bodies = all.slice(0, data.most);
  const codes = bodies.map(([code]) => code);
  const made: Node[] = found.filter((each) => each.bodies.length !== 1).map((each) => choice(data, each.text, each.bodies, codes));
  if (all.length > bodies.length) {
    const words = say(
      `並べられるのは${data.most}団体までです。はじめの${data.most}団体を示します。`,
      `At most ${data.most} can stand side by side; the first ${data.most} are shown.`,
    );
    made.push(element("p", { class: "note", role: "alert" }, words));
  }
  const table = new Table(data, bodies);
  if (bodies.length) {
    made.push(filters(codes), cloned("#signs"), table.make(), ...table.alike());
    const words = say("表示中の比較:", "The comparison that is shown:");
    const files = [
      file("compare.csv", "CSV", "text/csv;charset=utf-8", () => table.csv()),
      file("compare.json", "JSON", "application/json", () => table.json()),
    ];
    document.querySelector("main")!.prepend(dataMenu(root, words, ...files));
  }
  place.replaceChildren(...made);
  for (const form of document.querySelectorAll<HTMLFormElement>("form.adding")) {
    form.hidden = bodies.length === data.most;
    const kept = codes.map((code) => element("input", { type: "hidden", name: "body", value: code }));
    if (show !== ALL) kept.push(element("input", { type: "hidden", name: "show", value: show }));
    form.prepend(...kept);
  }
  if (!made.some((each) => each instanceof HTMLElement && each.matches(".choosing, [role=alert]"))) {
    history.replaceState(null, "", location.pathname + addressOf(codes));
  }
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav.language a")) link.search = location.search;
  const names = bodies.map(([, link]) => table.label(link)).join(say("・", ", "));
  if (names) document.title = `${say("くらべる", "Compare")}: ${names} | DIGIDEN Knowledge Graph`;
}

compare().catch((error: unknown) => {
  const words = say("比較のデータを読み込めません。", "The data cannot be loaded.");
  place.replaceChildren(element("p", { class: "failure", role: "alert" }, `${words} ${error}`));
});
