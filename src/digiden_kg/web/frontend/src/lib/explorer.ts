/**
 * The pages of the graph explorer where no server makes them: what an address says, checked, and the
 * page of it, of the parts that `templates/explore.html` makes on a server.
 */
import { csv, dataMenu, file } from "./files";
import { descriptionAt, factsOf, type Fact } from "./known";
import { gexf, graphml, type GraphEdge, type GraphNode } from "./graph-files";
import { otherOf, type Connection, type Expansion, type Link, type Linked, type Shown } from "./linked";
import { siteIndex } from "./offline";
import { element, language, say } from "./page";

type Pair = [name: string, value: string];
interface State {
  starts: number[];
  expansions: Expansion[];
  hidden: number[];
  without: string[];
  pins: string[];
  /** Ends of a connection: a thing, or what was typed. */
  ends: [number | string, number | string];
  at: number | undefined;
  grouping: string;
  among: boolean;
}
interface Found {
  text: string;
  things: number[];
}
interface Choice {
  end: "from" | "to";
  text: string;
  things: number[];
}
export interface Page {
  explorer: HTMLElement;
  menu: HTMLElement | undefined;
  title: string;
  /** The parameters of its address. */
  query: URLSearchParams;
  /** By their ends, files of what is shown for programs that draw it again. */
  files: Record<string, () => string>;
}

const EXPANSIONS = 300;
const CHOICES = 8;
const OTHERS = 300;
const [STARTS, STARTED] = [["body", "type", "system", "party"], 4];
const root = document.documentElement.dataset["static"] ?? "./";
const plain = (attributes: Record<string, string>, ...words: (Node | string)[]) =>
  element("button", { class: "plain", ...attributes }, ...words);
const figure = (value: number) => value.toLocaleString("en");
const unique = <T>(all: readonly T[]): T[] => [...new Set(all)];
const comma = () => say("、", ", ");

/** Return the things that are called like a text, as the search of the site finds them. */
export async function called(linked: Linked, text: string): Promise<number[]> {
  const { things } = await (await siteIndex(root)).search(text);
  const found = things.map(({ at }) => linked.find(at.replace(/^doc\//, "id:")) ?? linked.find(linked.expand("id:").replace(/id\/$/, at)));
  return found.filter((at) => at !== undefined);
}

/** Return the page of an address. */
export async function pageOf(linked: Linked, query: URLSearchParams, tools: HTMLElement): Promise<Page> {
  const unknown: string[] = [];
  const [state, choices] = await resolved(linked, stateOf(linked, query, unknown));
  const [from, to] = state.ends;
  const connection = typeof from === "number" && typeof to === "number" ? linked.connect(from, to) : undefined;
  const starts = unique([...state.starts, ...(connection ? [from as number, to as number] : [])]);
  const shown = linked.show({
    ...state, starts, hidden: new Set(state.hidden), without: new Set(state.without), path: connection?.paths.flat() ?? [],
  });
  const text = query.get("q")?.trim() ?? "";
  const found = text ? { text, things: (await called(linked, text)).slice(0, CHOICES) } : undefined;
  return new Maker(linked, state, shown, connection, choices).page(unknown, tools, found);
}

function stateOf(linked: Linked, query: URLSearchParams, unknown: string[]): State {
  const thing = (text: string): number[] => {
    const found = linked.find(text);
    if (found === undefined) unknown.push(text);
    return found === undefined ? [] : [found];
  };
  const things = (name: string) => unique(query.getAll(name).filter(Boolean).flatMap(thing));
  const expansions = (name: string): Expansion[] =>
    unique(query.getAll(name)).slice(0, EXPANSIONS).flatMap((text) => {
      const [subject = "", direction = "", predicate = ""] = text.split(" ");
      const relation = linked.findTerm(predicate);
      if (relation === undefined || !["in", "out"].includes(direction)) unknown.push(text);
      else return thing(subject).map((each) => ({ thing: each, relation, outward: direction === "out" }));
      return [];
    });
  const cleared = query.getAll("clear");
  const isNew = cleared.includes("all");
  const folded = expansions("fold").map((each) => linked.text(each));
  const back = things("show");
  const again = query.getAll("with");
  const end = (name: string): number | string => {
    const text = (query.get(name) ?? "").trim().slice(0, 300);
    return isNew || cleared.includes("path") || !text ? "" : (linked.find(text) ?? text);
  };
  const group = query.get("group") ?? "";
  return {
    starts: isNew ? [] : things("iri"),
    expansions: isNew ? [] : expansions("expand").filter((each) => !folded.includes(linked.text(each))),
    hidden: isNew || cleared.includes("hide") ? [] : things("hide").filter((at) => !back.includes(at)),
    without: isNew ? [] : unique(query.getAll("without")).filter((each) => each && !again.includes(each)),
    pins: query.getAll("pin"),
    ends: [end("from"), end("to")],
    at: isNew ? undefined : things("at").at(-1),
    grouping: ["1", "class"].includes(group) ? group : "",
    among: query.get("among") === "1",
  };
}

/** Return a state whose ends are things where only one is called so; else the choices. */
async function resolved(linked: Linked, state: State): Promise<[State, Choice[]]> {
  const choices: Choice[] = [];
  const ends: State["ends"] = [...state.ends];
  for (const [at, end] of (["from", "to"] as const).entries()) {
    const text = ends[at]!;
    if (typeof text === "number" || !text) continue;
    const known = await called(linked, text);
    const exact = known.filter((each) => linked.isCalled(each, text));
    if (exact.length === 1) ends[at] = exact[0]!;
    else choices.push({ end, text, things: (exact.length ? exact : known).slice(0, CHOICES) });
  }
  return [{ ...state, ends }, choices];
}

class Maker {
  private readonly pairs: Pair[];
  private readonly at: number | undefined;
  private readonly opened: Set<string>;

  constructor(
    private readonly linked: Linked,
    private readonly state: State,
    private readonly shown: Shown,
    private readonly connection: Connection | undefined,
    private readonly choices: Choice[],
  ) {
    const name = (at: number) => linked.name(at);
    const ends = state.ends.map((end) => (typeof end === "number" ? name(end) : end));
    this.at = state.at ?? shown.things[0];
    this.opened = new Set(state.expansions.map((each) => linked.text(each)));
    this.pairs = [
      ...state.starts.map((at): Pair => ["iri", name(at)]),
      ...[...this.opened].map((text): Pair => ["expand", text]),
      ...state.hidden.map((at): Pair => ["hide", name(at)]),
      ...state.without.map((each): Pair => ["without", each]),
      ...(["from", "to"] as const).flatMap((each, at): Pair[] => (ends[at] ? [[each, ends[at]]] : [])),
      ...state.pins.map((pin): Pair => ["pin", pin]),
      ...(state.grouping ? [["group", state.grouping] as Pair] : []),
      ...(state.among ? [["among", "1"] as Pair] : []),
      ...(state.at === undefined ? [] : [["at", name(state.at)] as Pair]),
    ];
  }

  page(unknown: string[], tools: HTMLElement, found?: Found): Page {
    const { linked, state, shown } = this;
    const heading = state.starts.slice(0, 3).map((at) => linked.label(at)).join(comma());
    const more = state.starts.length - 3;
    const whole = heading + (more > 0 ? say(`、ほか${more}`, ` and ${more} more`) : "");
    const words = whole ? say(`${whole} のまわり`, `Around ${whole}`) : say("グラフ：もののつながりをたどる", "Graph: follow what is linked");
    const explorer = element("div", { id: "explorer" }, element("h1", {}, words));
    if (unknown.length) {
      const strong = element("strong", {}, say("この住所は読めません。", "This address cannot be read."));
      const what = say(`このリリースにありません：${unknown.join("、")}`, `This release does not know: ${unknown.join(", ")}`);
      explorer.append(element("div", { class: "failure", role: "alert" }, element("p", {}, strong, " ", what)));
    }
    explorer.append(this.tools(tools, found), ...this.choices.map((each) => this.choice(each)));
    if (this.connection) explorer.append(this.connected(this.connection));
    if (shown.things.length) explorer.append(this.board(), this.list());
    else explorer.append(this.begin());
    const data = element("script", { type: "application/json", id: "graph-data" });
    data.textContent = JSON.stringify(this.graph());
    explorer.append(data);
    return {
      explorer,
      menu: shown.things.length ? this.menu() : undefined,
      title: `${say("グラフ", "Graph")}${whole ? `: ${whole}` : ""} | DIGIDEN Knowledge Graph`,
      query: new URLSearchParams(this.pairs),
      files: { graphml: () => graphml(...this.network()), gexf: () => gexf(...this.network()) },
    };
  }

  /** Return a form whose buttons change the address, which stands in it, without some of it. */
  private form(without: string[], attributes: Record<string, string>, ...content: (Node | string)[]): HTMLFormElement {
    const form = element("form", { action: "", method: "get", class: "bare", ...attributes });
    form.append(...this.kept(without), ...content);
    return form;
  }

  private kept(without: string[]): HTMLElement[] {
    const kept = this.pairs.filter(([name]) => !without.includes(name));
    return kept.map(([name, value]) => element("input", { type: "hidden", name, value }));
  }

  /** Return the forms of the page as it came, which ask from this state on. */
  private tools(made: HTMLElement, found?: Found): HTMLElement {
    const tools = made.cloneNode(true) as HTMLElement;
    for (const old of tools.querySelectorAll("input[type=hidden]")) old.remove();
    tools.querySelector("#adding")!.prepend(...this.kept(["at"]));
    tools.querySelector("#connecting")!.prepend(...this.kept(["from", "to", "at"]));
    tools.querySelector("#add")!.setAttribute("value", found?.text ?? "");
    tools.querySelector("#found")!.replaceChildren(...(found ? [this.found(found)] : []));
    const label = (end: number | string) => (typeof end === "number" ? this.linked.label(end) : end);
    const [from, to] = this.state.ends.map(label);
    tools.querySelector("#from")!.setAttribute("value", from || (this.at === undefined ? "" : this.linked.label(this.at)));
    tools.querySelector("#to")!.setAttribute("value", to ?? "");
    return tools;
  }

  private found({ text, things }: Found): HTMLElement {
    if (!things.length) return element("p", {}, say(`「${text}」は見つかりませんでした。`, `Nothing is called “${text}”.`));
    const items = things.map((at) => element("li", {}, plain({ name: "iri", value: this.linked.name(at) }, `＋ ${this.linked.label(at)}`)));
    return element("ul", { class: "picks" }, ...items);
  }

  private choice({ end, text, things }: Choice): HTMLElement {
    const { linked } = this;
    if (!things.length) {
      return element("p", { class: "note choice" }, say(`「${text}」という名前のものはありません。`, `Nothing is called “${text}”.`));
    }
    const items = things.map((at) => element("li", {},
      plain({ name: end, value: linked.name(at) }, linked.label(at)), " ", element("small", {}, linked.classLabel(at)),
    ));
    const words = say(`「${text}」はどれですか。`, `Which “${text}” do you mean?`);
    return this.form([end, "at"], { class: "note choice" }, element("p", {}, words), element("ul", { class: "picks" }, ...items));
  }

  private connected({ reach, total, paths }: Connection): HTMLElement {
    const [from, to] = this.state.ends.map((end) => this.linked.label(end as number));
    const made = element("section", { class: "connection", "aria-labelledby": "connection" });
    made.append(element("h2", { id: "connection" }, say(`${from} と ${to} のつながり`, `How ${from} and ${to} are connected`)));
    if (paths.length) {
      const length = paths[0]!.length;
      const short = total === 1 ? "one connection is that short" : `${figure(total)} connections are that short`;
      let words = say(`最短で ${length} 歩、同じ長さの道は ${figure(total)} 通り`, `${length} steps at least; ${short}`);
      if (total > paths.length) words += say(`（はじめの ${paths.length} 通りを表示）`, ` (the first ${paths.length} are shown)`);
      words += say("。", ".");
      if (reach > 0) words += ` ${say("同じ都道府県・分野・タイプといった共通の性質だけがつないでいます。", "Only a shared trait, such as a prefecture, a field or a type, connects them.")}`;
      made.append(element("p", {}, words), element("ol", { class: "paths" }, ...paths.map((path) => this.path(path))));
    } else {
      made.append(element("p", {}, say("このデータの中では、つながりません（「関係がない」とは限りません）。", "Nothing in this data connects them, which does not mean that nothing does.")));
    }
    made.append(this.form(["from", "to"], {}, plain({ name: "clear", value: "path" }, say("つながりを消す", "Remove the connection"))));
    return made;
  }

  private path(path: Link[]): HTMLElement {
    let here = this.state.ends[0] as number;
    const made = element("li", {}, this.thing(here));
    for (const link of path) {
      const next = otherOf(link, here);
      const step = element("span", { class: link.inferred ? "step inferred" : "step" }, `${link.target === next ? "→" : "←"} ${this.linked.term(link.relation)}`);
      if (link.inferred) step.append(" ", guess());
      for (const source of link.passages.slice(0, 1)) step.append(" ", this.source(this.iri(source), this.linked.label(source)));
      made.append(" ", step, " ", this.thing(next));
      here = next;
    }
    return made;
  }

  private iri(at: number): string {
    return this.linked.expand(this.linked.name(at));
  }

  private address(iri: string, end = `${language() === "en" ? ".en" : ""}.html`): string {
    const base = this.linked.expand("id:").replace(/id\/$/, "");
    const [page, fragment] = iri.slice(base.length).replace(/^id\//, "doc/").split("#");
    return `${root}${page}${end}${fragment ? `#${fragment}` : ""}`;
  }

  private thing(at: number, words = this.linked.label(at)): HTMLElement {
    return element("a", { href: this.address(this.iri(at)) }, words);
  }

  private source(iri: string, label: string): HTMLElement {
    return element("a", {
      class: "source", href: this.address(iri), title: label, "aria-label": say(`出典: ${label}`, `Source: ${label}`),
    }, say("出典", "source"));
  }

  private begin(): HTMLElement {
    const { linked } = this;
    const degree = new Map<number, number>();
    for (const { source, target, reach } of linked.links)
      if (reach === 0) for (const end of [source, target]) degree.set(end, (degree.get(end) ?? 0) + 1);
    const ordered = [...degree].sort(([a, x], [b, y]) => y - x || a - b).map(([at]) => at);
    const list = element("dl", { class: "begin" });
    for (const group of STARTS) {
      const things = ordered.filter((at) => linked.group(at) === group).slice(0, STARTED);
      const items = things.map((at) => element("li", {}, this.pick(at, "iri")));
      list.append(element("dt", {}, linked.groupLabel(group)), element("dd", {}, element("ul", { class: "picks" }, ...items)));
    }
    return element("section", {}, element("h2", {}, say("ここから始める", "Begin here")), this.form(["at"], {}, list));
  }

  /** Return a button for a thing, with its class. */
  private pick(at: number, name = "at"): DocumentFragment {
    const made = document.createDocumentFragment();
    const current: Record<string, string> = at === this.at ? { "aria-current": "true" } : {};
    made.append(plain({ name, value: this.linked.name(at), ...current }, this.linked.label(at)));
    const kind = this.linked.classLabel(at);
    if (kind) made.append(" ", element("small", {}, kind));
    return made;
  }

  private board(): HTMLElement {
    const among = plain(
      { name: "among", value: this.state.among ? "0" : "1", "aria-pressed": String(this.state.among) },
      say("表示中のもの同士のつながりをすべて描く", "Draw every link between what is shown") + (this.state.among ? " ✓" : ""),
    );
    among.classList.add("quiet");
    const place = element("div", { id: "canvas-place" }, this.legend(), this.form(["among"], {}, among));
    return element("div", { class: "board" }, place, ...(this.at === undefined ? [] : [this.panel(this.at)]));
  }

  private legend(): HTMLElement {
    const { linked, shown, state } = this;
    const counts = new Map<string, number>();
    const kinds = new Map<string, Map<number, number>>(linked.data.groups.map(([name]) => [name, new Map()]));
    const add = (at: number, by: number): void => {
      const own = kinds.get(linked.group(at))!;
      if (linked.kind(at) >= 0) own.set(linked.kind(at), (own.get(linked.kind(at)) ?? 0) + by);
    };
    for (const at of shown.things) {
      counts.set(linked.group(at), (counts.get(linked.group(at)) ?? 0) + 1);
      add(at, 1);
    }
    const hidden = new Set(state.without);
    for (const at of linked.data.things.keys()) {
      if (linked.kind(at) >= 0 && hidden.has(linked.termName(linked.kind(at)))) add(at, 0);
    }
    const toggle = (name: string, label: string, count: number, group?: string): HTMLElement => {
      const off = hidden.has(name);
      const made = plain({ name: off ? "with" : "without", value: name, "aria-pressed": String(!off) });
      if (group) made.append(mark(group));
      else made.dataset["class"] = label;
      made.append(`${label} `, element("small", {}, off ? say("隠しています", "hidden") : figure(count)));
      return made;
    };
    const list = element("ul", { class: "groups" });
    for (const [name] of linked.data.groups) {
      const own = [...kinds.get(name)!].sort(([, a], [, b]) => b - a);
      if (!counts.has(name) && !own.length && !hidden.has(name)) continue;
      const label = linked.groupLabel(name);
      const item = element("li", {}, toggle(name, label, counts.get(name) ?? 0, name));
      if (own.length > 1 || (own.length && linked.term(own[0]![0]) !== label)) {
        item.append(element("ul", {}, ...own.map(([kind, count]) => element("li", {}, toggle(linked.termName(kind), linked.term(kind), count)))));
      }
      list.append(item);
    }
    list.append(element("li", {}, mark("dashed"), say("破線：推定", "dashed: inferred")));
    return this.form([], { id: "legend", "aria-label": say("凡例", "Legend") }, list);
  }

  private panel(at: number): HTMLElement {
    const { linked } = this;
    const name = linked.name(at);
    const own = element("input", { type: "hidden", name: "at", value: name });
    const panel = element("aside", { class: "panel", "aria-labelledby": "panel" },
      element("p", { class: "path" }, linked.classLabel(at)),
      element("h2", { id: "panel" }, this.thing(at)),
      this.form(["at"], { id: "panel-state" }, own),
      element("h3", {}, say("広げる", "Expand")),
    );
    const relations = linked.relations(at).map((each) => {
      const open = this.opened.has(linked.text(each));
      const made = plain({
        form: "panel-state", name: open ? "fold" : "expand", value: linked.text(each), "aria-pressed": String(open),
      }, `${open ? "−" : "＋"} ${linked.words(each)} `, element("strong", {}, figure(each.count)));
      made.classList.toggle("guess", each.inferred === each.count);
      const words = say(`うち推定 ${figure(each.inferred)}`, `${figure(each.inferred)} inferred`);
      if (each.inferred) made.append(" ", element("small", {}, words));
      return element("li", {}, made);
    });
    if (relations.length) panel.append(element("ul", { class: "expand" }, ...relations));
    else panel.append(element("p", {}, say("つながりの記述はありません。", "No links are stated.")));
    const known = element("p", { "aria-busy": "true" });
    panel.append(known);
    void this.known(this.iri(at)).then((made) => known.replaceWith(...made));
    const acts = element("p", { class: "acts" });
    if (!this.state.starts.includes(at)) acts.append(plain({ form: "panel-state", name: "iri", value: name }, say("出発点にする", "Make it a start")), " ");
    acts.append(
      plain({ form: "panel-state", name: "hide", value: name }, say("隠す", "Hide")), " ",
      this.thing(at, say("ページを開く", "Open its page")),
    );
    panel.append(acts);
    return panel;
  }

  /** Return what the description of a thing says of it. */
  private async known(iri: string): Promise<HTMLElement[]> {
    const heading = element("h3", {}, say("分かっていること", "What is known"));
    let facts: Fact[];
    try {
      facts = factsOf(this.linked, iri, await descriptionAt(this.address(iri, ".nq")));
    } catch {
      return [heading, element("p", {}, say("読み込めませんでした。ページにはあります。", "It could not be loaded; the page has it."))];
    }
    const list = element("dl");
    for (const { label, values } of facts) {
      list.append(element("dt", {}, label));
      for (const { text, language, source } of values.slice(0, 3)) {
        const item = element("dd", {}, element("span", language ? { lang: language } : {}, text));
        if (source) item.append(" ", this.source(source.iri, source.label));
        list.append(item);
      }
    }
    return facts.length ? [heading, list] : [];
  }

  private list(): HTMLElement {
    const { linked, shown, state } = this;
    const [things, links] = [figure(shown.things.length), figure(shown.links.length)];
    const counts = element("small", { id: "shown-counts" }, say(`もの ${things}・つながり ${links}`, `${things} things, ${links} links`));
    const made = element("section", { "aria-labelledby": "list" }, element("h2", { id: "list" }, say("表示中のもの", "What is shown"), " ", counts));
    if (shown.leftOut) {
      const [limit, left] = [figure(linked.data.shown), figure(shown.leftOut)];
      const words = say(
        `一度に表示できるのは ${limit} 件までです。${left} 件は入りません。閉じるか隠すか、全データを使ってください。`,
        `At most ${limit} things are shown at once; ${left} did not fit. Close or hide some, or take all data.`,
      );
      made.append(element("p", { class: "note" }, words));
    }
    const tree = element("ul", { class: shown.things.length > 300 ? "tree long" : "tree" }, ...this.tree());
    made.append(this.form(["at"], { id: "tree" }, tree));
    const listed = new Set(state.expansions.flatMap((each) => linked.neighbours(each)));
    const others = shown.links.filter((link) => !listed.has(link));
    if (others.length) {
      const items = others.slice(0, OTHERS).map((link) => {
        const item = element("li", link.inferred ? { class: "inferred" } : {}, this.pick(link.source));
        item.append(` → ${linked.term(link.relation)} → `, this.pick(link.target));
        if (link.inferred) item.append(" ", guess());
        return item;
      });
      made.append(
        element("h3", {}, say("そのほかのつながり", "Other links"), " ", element("small", {}, figure(others.length))),
        this.form(["at"], {}, element("ul", { class: "tree others" }, ...items)),
      );
      if (others.length > OTHERS) made.append(element("p", {}, say("はじめの 300 件です。残りは CSV にあります。", "The first 300; the CSV has the others.")));
    }
    if (state.hidden.length) {
      const items = state.hidden.map((at) => {
        const words = say(`${linked.label(at)} を戻す`, `Show ${linked.label(at)} again`);
        return element("li", {}, plain({ name: "show", value: linked.name(at) }, words));
      });
      made.append(element("h3", {}, say("隠したもの", "Hidden")), this.form([], {}, element("ul", { class: "picks" }, ...items)));
    }
    made.append(this.form([], {}, plain({ name: "clear", value: "all" }, say("はじめからやり直す", "Start again"))));
    return made;
  }

  /** Return the things as a tree: each stands once, under the first thing that led to it. */
  private tree(): HTMLElement[] {
    const { linked, shown, state } = this;
    const there = new Set(shown.things);
    const seen = new Set<number>();
    const branch = (at: number, inferred: boolean, depth: number): HTMLElement => {
      seen.add(at);
      const label = linked.label(at);
      const name = linked.name(at);
      const hide = plain({ name: "hide", value: name, "aria-label": say(`${label} を隠す`, `Hide ${label}`) }, say("隠す", "hide"));
      hide.classList.add("quiet");
      const made = element("li", inferred ? { class: "inferred" } : {}, mark(linked.group(at)), this.pick(at));
      if (inferred) made.append(" ", guess());
      made.append(" ", hide);
      for (const each of depth < 40 ? state.expansions.filter(({ thing }) => thing === at) : []) {
        const links = linked.neighbours(each);
        const others = links.filter((link) => there.has(otherOf(link, at)));
        const fresh = unique(others.map((link) => otherOf(link, at)).filter((other) => !seen.has(other)));
        for (const other of fresh) seen.add(other);
        const guesses = new Set(others.filter((link) => link.inferred).map((link) => otherOf(link, at)));
        const again = others.map((link) => otherOf(link, at)).filter((other) => !fresh.includes(other));
        const words = linked.words(each);
        const fold = plain(
          { name: "fold", value: linked.text(each), "aria-label": say(`${label} の「${words}」を閉じる`, `Close ${label}: ${words}`) },
          say("閉じる", "close"),
        );
        fold.classList.add("quiet");
        const relation = element("p", { class: "relation" }, `${words} `, element("small", {}, figure(links.length)), " ", fold);
        if (again.length) {
          const known = again.slice(0, 12).map((other) => linked.label(other)).join(comma());
          relation.append(element("br"), element("small", {}, `${say("すでに表示:", "Already shown:")} ${known}${again.length > 12 ? " …" : ""}`));
        }
        made.append(relation);
        if (fresh.length) made.append(element("ul", {}, ...fresh.map((other) => branch(other, guesses.has(other), depth + 1))));
      }
      return made;
    };
    const roots = shown.things.filter((at) => state.starts.includes(at) || state.ends.includes(at));
    return [...roots.map((at) => branch(at, false, 0)), ...shown.things.flatMap((at) => (seen.has(at) ? [] : [branch(at, false, 0)]))];
  }

  /** Return what the canvas draws. */
  private graph(): unknown {
    const { linked, shown } = this;
    const places = new Map(shown.things.map((at, place) => [at, place]));
    const relations = unique(shown.links.map((link) => link.relation));
    const path = new Set(this.connection?.paths.flat());
    return {
      at: this.at === undefined ? null : linked.name(this.at),
      things: shown.things.map((at) => [linked.name(at), linked.label(at), linked.classLabel(at) || null, linked.group(at)]),
      relations: relations.map((at) => linked.term(at)),
      links: shown.links.map((link) => [
        places.get(link.source), places.get(link.target), relations.indexOf(link.relation), Number(link.inferred), Number(path.has(link)),
      ]),
    };
  }

  /** Return the menu with the files of what is shown; those with places are added by the canvas. */
  private menu(): HTMLElement {
    return dataMenu(root, say("表示中のグラフ:", "The graph that is shown:"),
      file("graph.csv", "CSV", "text/csv;charset=utf-8", () => this.csv()),
      file("graph.json", "JSON", "application/json", () => JSON.stringify(this.record())),
      element("span", { id: "pictures" }),
    );
  }

  private network(): [GraphNode[], GraphEdge[]] {
    const { linked, shown } = this;
    const iri = (at: number) => this.iri(at);
    const nodes = shown.things.map((at) => ({
      key: iri(at), label: linked.label(at), values: { class: linked.classLabel(at), group: linked.group(at) },
    }));
    const edges = shown.links.map(({ source, relation, target, inferred, passages }) => ({
      source: iri(source), target: iri(target), label: linked.term(relation),
      values: {
        relation: linked.expand(linked.termName(relation)), certainty: inferred ? "inferred" : "stated", sources: passages.map(iri).join(" "),
      },
    }));
    return [nodes, edges];
  }

  private record(): { things: unknown[]; links: unknown[]; leftOut: number } {
    const { linked, shown } = this;
    const iri = (at: number) => this.iri(at);
    const kind = (at: number) => (linked.kind(at) < 0 ? null : linked.expand(linked.termName(linked.kind(at))));
    return {
      things: shown.things.map((at) => ({
        iri: iri(at), name: linked.name(at), label: linked.label(at), class: kind(at), classLabel: linked.classLabel(at) || null, group: linked.group(at),
      })),
      links: shown.links.map((link) => ({
        source: iri(link.source), relation: linked.expand(linked.termName(link.relation)), relationLabel: linked.term(link.relation),
        target: iri(link.target), inferred: link.inferred, sources: link.passages.map((at) => ({ iri: iri(at), label: linked.label(at) })),
      })),
      leftOut: shown.leftOut,
    };
  }

  private csv(): string {
    const { linked } = this;
    const iri = (at: number) => this.iri(at);
    const head = ["source", "sourceLabel", "relation", "relationLabel", "target", "targetLabel", "certainty", "passages"];
    const rows = this.shown.links.map(({ source, relation, target, inferred, passages }) => [
      iri(source), linked.label(source), linked.expand(linked.termName(relation)), linked.term(relation), iri(target), linked.label(target),
      inferred ? "inferred" : "stated", passages.map(iri).join(" "),
    ]);
    return csv([head, ...rows]);
  }
}

function mark(group: string): HTMLElement {
  return element("span", { class: `mark ${group}`, "aria-hidden": "true" });
}

function guess(): HTMLElement {
  return element("em", {}, say("推定", "inferred"));
}
