"""What every page is made of: the release, the engine, templates, language and tables."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import inspect
import re
from collections.abc import Awaitable, Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, StreamingResponse
from pyoxigraph import Literal, NamedNode

from digiden_kg import metadata, vocab
from digiden_kg.describe import Description, Labels, describe, labels_of
from digiden_kg.engine.seam import Engine, select
from digiden_kg.exceptions import QueryError
from digiden_kg.network import Network, read_network
from digiden_kg.profiles import Profiles, read_profiles
from digiden_kg.questions import (
    TERMS_QUERY,
    Choice,
    Parameter,
    Question,
    Text,
    fill_slots,
    heading,
    load_amounts,
    load_headings,
    load_questions,
    read_choices,
    read_terms,
)
from digiden_kg.release import Release
from digiden_kg.results import (
    Answer,
    Chosen,
    Format,
    Term,
    cell_text,
    find_format,
    is_number,
    negotiate,
)
from digiden_kg.search import Index, question_entries, read_entries
from digiden_kg.settings import Settings
from digiden_kg.web import access, problems, sparql, wording
from digiden_kg.web.languages import environments

LANGUAGES = ("ja", "en")
SHOWN = 1000
"""Rows that a page shows; the formats give all of them."""
_HOST = re.compile(r"(?:[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_RECENT = 64
"""Answers, descriptions and the like that a static site keeps while it is made."""
EXAMPLE = vocab.rebase("""\
PREFIX dg: <https://w3id.org/digiden/ontology#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>

SELECT ?project ?projectLabel ?body ?bodyLabel ?projectCost
WHERE {
  ?project a dg:Project ; dg:grantedTo ?body ; dg:projectCost ?projectCost ;
    rdfs:label ?projectLabel .
  ?body rdfs:label ?bodyLabel .
  FILTER(LANG(?projectLabel) = "ja" && LANG(?bodyLabel) = "ja")
}
ORDER BY DESC(?projectCost) ?project
LIMIT 10
""")
"""The query that the start page and the command line offer for a first try."""
ANY_EXAMPLE = """\
SELECT ?thing ?property ?value
WHERE { ?thing ?property ?value }
LIMIT 10
"""
"""The same for data that is not ours."""
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self';"
    " worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
    " font-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing from elsewhere, no script in the page itself. Charts and the
editor make styles as they run, which no script can be."""
FRAMED = POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
"""The same for what may stand within pages of others."""
STATIC = Path(str(files("digiden_kg.web").joinpath("static")))
"""Styles, the icon, and under ``dist/`` what the build hook bundled."""


@functools.cache
def bundle(name: str) -> str | None:
    """Return the address of a bundle (``site.js``), None if the package was made without it."""
    path = STATIC / "dist" / name
    if not path.is_file():
        return None
    version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return f"/static/dist/{name}?v={version}"


@functools.cache
def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


_BOOLEAN = vocab.expand("xsd:boolean")
_YES_AND_NO = {"ja": ("はい", "いいえ"), "en": ("yes", "no")}

Route = Callable[..., Awaitable[Response]]
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Known:
    """What is known of one release: never changes, so it is asked or read once."""

    release: Release
    questions: Mapping[str, Question]
    columns: Mapping[str, Text]
    amounts: frozenset[str]
    reused: Mapping[str, Text]
    choices: dict[str, tuple[Choice, ...]] = field(default_factory=dict)
    graphs: list[Answer] = field(default_factory=list)
    counts: list[metadata.Counts] = field(default_factory=list)
    labels: dict[str, Mapping[str, str]] = field(default_factory=dict)
    terms: dict[str, Text] = field(default_factory=dict)
    kept: dict[str, asyncio.Future[Any]] = field(default_factory=dict)


def _read(release: Release, settings: Settings) -> _Known:
    if release.is_draft:
        return _Known(release, {}, {}, frozenset(), {})
    listed = load_questions(settings.queries_dir / "questions")
    columns = settings.queries_dir / "columns.csv"
    terms = settings.queries_dir / "terms.csv"
    reused = load_headings(terms) if terms.is_file() else {}
    return _Known(
        release,
        {each.slug: each for each in listed},
        load_headings(columns),
        load_amounts(columns),
        reused,
    )


class Site:
    """What the pages are made of; :meth:`switch` replaces the release as a whole."""

    def __init__(
        self,
        release: Release,
        settings: Settings,
        engine: Engine,
        answers: sparql.Answers,
        *,
        is_static: bool = False,
    ) -> None:
        """Make a site of a release; a static one stays behind as files, without a server.

        Raises:
            InputError: A saved question is wrong.
        """
        self.settings, self.engine, self.answers = settings, engine, answers
        self.templates = environments(LANGUAGES)
        self.is_static = is_static
        self._recent: dict[Hashable, Any] = {}
        self._known = _read(release, settings)
        self.early: Callable[[], Awaitable[None]] | None = None
        """Makes the rest of what the first reader would have to wait for."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def release(self) -> Release:
        """What is served now."""
        return self._known.release

    @property
    def questions(self) -> Mapping[str, Question]:
        """The saved questions by their names."""
        return self._known.questions

    def question(self, slug: str) -> Question:
        """Return a saved question.

        Raises:
            ProblemError: There is none of that name.
        """
        found = self.questions.get(slug)
        if found is None:
            raise problems.ProblemError(
                404, "http", f"there is no question {slug} / 質問 {slug} はありません。"
            )
        return found

    @property
    def terms(self) -> Mapping[str, Text]:
        """What terms of other vocabularies are called, by their prefixed names."""
        return self._known.reused

    async def switch(self, release: Release) -> None:
        """Serve another release from now on; queries that run finish on the old one.

        Raises:
            ReleaseError: It cannot be served; the old one stays.
            InputError: A saved question is wrong; the old release stays.
        """
        known = await asyncio.to_thread(_read, release, self.settings)
        # Nothing else runs between the two: the engine and the pages change at once.
        await self.engine.switch(release.dataset, release.name)
        self._known = known
        self.begin()

    async def steady(self, make: Callable[[], Awaitable[Response]]) -> Response:
        """Return a response all of whose queries were answered from one release, and name it."""
        while True:
            known = self._known
            try:
                response = await make()
            except Exception:
                if known is self._known:
                    raise
                continue  # what is wrong may be no more than a mixture of two releases
            # A stream is one query's answer and names its release itself.
            if known is self._known or isinstance(response, StreamingResponse):
                response.headers.setdefault("Digiden-Release", known.release.name)
                return response

    async def ask(
        self, query: str, *, default_graphs: Sequence[str] = (), named_graphs: Sequence[str] = ()
    ) -> Answer:
        """Return the table of a SELECT query, asked for the client of the request.

        Raises:
            QueryError: It cannot be answered.
        """
        return await self.recent(
            (query, tuple(default_graphs), tuple(named_graphs)),
            lambda: select(
                self.engine,
                query,
                default_graphs=default_graphs,
                named_graphs=named_graphs,
                client=access.CLIENT.get(),
            ),
        )

    async def describe(
        self, iri: str, *, relation: str | None = None, offset: int = 0
    ) -> Description | None:
        """Return the description of a thing; see :func:`digiden_kg.describe.describe`.

        Raises:
            QueryError: A query could not be answered.
            ValueError: The text is no IRI.
        """
        return await self.recent(
            (iri, relation, offset),
            lambda: describe(self.ask, iri, relation=relation, offset=offset, name=self.labels),
        )

    async def recent(self, key: Hashable, make: Callable[[], Awaitable[_T]]) -> _T:
        """Return what is made for a page or file, and for files keep it for those that follow.

        A thing is asked for in both languages and one format after the other.
        """
        if not self.is_static:
            return await make()
        if key in self._recent:
            known: _T = self._recent[key]
            return known
        found = self._recent[key] = await make()
        if len(self._recent) > _RECENT:
            self._recent.pop(next(iter(self._recent)))
        return found

    async def choices(self, parameter: Parameter) -> tuple[Choice, ...]:
        """Return what a parameter may be; a release never changes, so it is asked once."""
        query = parameter.choices_query
        if query is None:
            return ()
        known = self._known.choices
        if query not in known:
            known[query] = read_choices((await self.ask(query)).rows)
        return known[query]

    async def sizes(self) -> tuple[int, Mapping[str, int]]:
        """Return the number of triples of the default graph and of each named graph."""
        graphs = self._known.graphs
        if not graphs:
            graphs.append(await self.ask(metadata.GRAPHS_QUERY))
        return metadata.sizes(graphs[0])

    async def counts(self) -> metadata.Counts:
        """Return what the descriptions of the dataset count."""
        known = self._known.counts
        if not known:
            known.append(await metadata.count(self.ask))
        return known[0]

    async def kept(self, name: str, make: Callable[[], Awaitable[_T]]) -> _T:
        """Return what is made once for each release, however many ask for it at a time.

        What cannot be made is tried again by whoever asks next.
        """
        kept = self._known.kept
        if name not in kept:
            kept[name] = asyncio.ensure_future(make())
        try:
            found: _T = await asyncio.shield(kept[name])
        except Exception:
            kept.pop(name, None)
            raise
        return found

    async def page_rows(self, name: str, **given: str) -> Sequence[Sequence[Term | None]]:
        """Return the rows of a query of ``queries/pages/``; a draft speaks of other things: none.

        Args:
            name: File name without its end.
            given: IRIs that take the place of the content of ``VALUES ?name { … }``.

        Raises:
            QueryError: It cannot be answered.
        """
        path = self.settings.queries_dir / "pages" / f"{name}.rq"
        if self.release.is_draft or not path.is_file():
            return ()
        query = self.page_query(name, **{slot: [iri] for slot, iri in given.items()})
        return (await self.ask(query)).rows

    def page_query(self, name: str, **given: Sequence[str]) -> str:
        """Return a query of ``queries/pages/`` with IRIs in each of its ``VALUES ?name { … }``.

        Raises:
            ValueError: One of them is no IRI.
        """
        text = vocab.rebase(_read_text(self.settings.queries_dir / "pages" / f"{name}.rq"))
        terms = {slot: [NamedNode(iri) for iri in iris] for slot, iris in given.items()}
        return fill_slots(text, terms) if terms else text

    async def labels(self, iris: Iterable[str]) -> Labels:
        """Return what IRIs are called, by language, in order; asked once for each of them.

        Raises:
            QueryError: It cannot be answered.
        """
        known = self._known.labels
        wanted = sorted(set(iris))
        if missing := [iri for iri in wanted if iri not in known]:
            found = await labels_of(self.ask, missing)
            # Files ask again for what has no label; strangers can think up any number of IRIs.
            known.update({iri: found.get(iri, {}) for iri in missing} if self.is_static else found)
        return {iri: names for iri in wanted if (names := known.get(iri))}

    async def index(self) -> Index:
        """Return the full-text index; that of a draft is empty, because its words are not ours."""

        questions = self.questions.values()

        async def make() -> Index:
            things = await self.page_rows("search-things")
            facets = await self.page_rows("search-facets")

            def build() -> Index:
                entries = read_entries(things, facets)
                known = {entry.iri: entry for entry in entries}
                return Index([*entries, *question_entries(questions, known)] if entries else [])

            return await asyncio.to_thread(build)

        return await self.kept("index", make)

    async def profiles(self) -> Profiles:
        """Return what each body runs, with whom and for how much, as far as it is named."""

        async def make() -> Profiles:
            names = (
                *("bodies", "profiles", "populations", "prefecture-figures"),
                "indicator-values",
            )
            return read_profiles(*[await self.page_rows(name) for name in names])

        return await self.kept("profiles", make)

    async def network(self) -> Network:
        """Return the things and the links between them; none of a draft."""

        async def make() -> Network:
            parts = ("things", "edges", "inferred")
            rows = [await self.page_rows(f"graph-{part}") for part in parts]
            return await asyncio.to_thread(read_network, *rows)

        return await self.kept("network", make)

    def begin(self) -> None:
        """Make in the background what the first reader would have to wait for."""

        async def warm() -> None:
            with contextlib.suppress(QueryError):  # the page that needs it says what is wrong
                await self.index()
                await self.profiles()
                await self.network()
            if self.early:
                await self.early()

        for former in self._tasks:
            former.cancel()  # of a release that nobody is served any more
        self._tasks.add(task := asyncio.get_running_loop().create_task(warm()))
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Leave undone what is made in the background."""
        tasks = {*self._tasks, *self._known.kept.values()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def prefixes(self) -> Mapping[str, str]:
        """What the editor declares by itself."""
        return {**vocab.PREFIXES, **self.release.prefixes}

    @property
    def example(self) -> str:
        """A query for a first try."""
        return ANY_EXAMPLE if self.release.is_draft else EXAMPLE

    async def headings(self) -> Mapping[str, Text]:
        """Return what columns are called, by the terms of the ontology or by themselves."""
        known = self._known
        if not known.terms:
            found = read_terms((await self.ask(TERMS_QUERY)).rows)
            known.terms.update({**found, **known.columns})
        return known.terms

    @property
    def amounts(self) -> frozenset[str]:
        """Columns that hold amounts in yen."""
        return self._known.amounts

    def _picture(self, request: Request) -> str | None:
        """Return the image that others show of all pages of a site of files in one language.

        None where its public address is not known.
        """
        root = request.app.state.public_url
        known = self.is_static and root and root != vocab.BASE.rstrip("/")
        name = "site.en.png" if language_of(request) == "en" else "site.png"
        return f"{root}/preview/{name}" if known and not self.release.is_draft else None

    def page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        *,
        behind: str | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Return a page in the language of the reader.

        Args:
            request: Who asks for what.
            template: File of ``templates/``.
            status: Of HTTP.
            behind: The query of ``queries/pages/`` that the page is mostly made of.
            **values: What the template needs.
        """
        language = language_of(request)
        frame = None if self.is_static or self.release.is_draft else Frame.of(request)
        text = (
            self.templates[language]
            .get_template(template)
            .render(
                language=language,
                current=request.url.path,
                say=lambda ja, en: ja if language == "ja" else en,
                switch={each: address_of(request, lang=each) for each in LANGUAGES},
                release=self.release,
                counts=self.release.counts,
                bundle=bundle,
                embed=embedded_part(request),
                frame=frame,
                behind=self.page_query(behind) if behind and not self.release.is_draft else None,
                picture=frame.picture(status == 200) if frame else self._picture(request),
                **values,
            )
        )
        content = text.encode()
        headers = {"Content-Language": language, "Vary": "Accept, Accept-Language"}
        if embedded_part(request):
            headers["Content-Security-Policy"] = FRAMED
        if status == 200:
            headers["ETag"] = tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            if sparql.holds(request.headers.get("if-none-match"), tag):
                return HTMLResponse(status_code=304, headers=headers)
        return HTMLResponse(content, status, headers)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the content of a page is, for pages of others."""

    root: str
    """Public address of the site."""
    path: str
    query: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: Request) -> Frame:
        """Return the frame of the page that a request asks for."""
        given = request.query_params.multi_items()
        query = [pair for pair in given if pair[0] not in ("embed", "lang")]
        query.append(("lang", language_of(request)))
        return cls(root_of(request), request.url.path, tuple(query))

    @property
    def whole(self) -> str:
        """Address of the page itself."""
        return f"{self.root}{quote(self.path)}?{urlencode(self.query, safe=':/')}"

    def picture(self, found: bool = True) -> str:
        """Return the address of the image that others show of the page."""
        own = found and self.path.startswith(("/doc/", "/scheme/", "/source/", "/questions/"))
        language = dict(self.query)["lang"]
        return f"{self.root}/preview{quote(self.path) if own else '/site'}.png?lang={language}"

    @property
    def oembed(self) -> str:
        """Address of the code, for programs (oEmbed)."""
        return f"{self.root}/api/oembed?{urlencode({'url': self.whole})}"

    def code(self, title: str, part: str = "1", width: str = "100%", height: int = 480) -> str:
        """Return HTML that shows the page within another, with the script that fits its height."""
        address = escape(f"{self.whole}&embed={part}")
        return (
            f'<iframe src="{address}" title="{escape(title)}" width="{width}" height="{height}"'
            ' style="border:0" loading="lazy"></iframe>\n'
            f'<script type="module" src="{escape(self.root)}/static/dist/embed.js"></script>'
        )


def embedded_part(request: Request) -> str | None:
    """Return which part is wanted for a page of others: ``1`` is all; None for the whole page."""
    part = request.query_params.get("embed", "")
    return part if re.fullmatch(r"1|(?:chart|table|map)-[0-9]{1,2}", part) else None


def language_of(request: Request) -> str:
    """Return the language of a page: ``?lang=``, else what the browser prefers, else Japanese."""
    asked = request.query_params.get("lang")
    for language in LANGUAGES:
        if asked == language:
            return language
    accepted: list[tuple[str, str]] = re.findall(
        r"([a-zA-Z-]+|\*)\s*(?:;\s*q=([0-9.]+))?", request.headers.get("accept-language", "")
    )
    for tag, _ in sorted(accepted, key=lambda each: -float(each[1].rstrip(".") or "1")):
        primary = tag.partition("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return LANGUAGES[0]


def choose(request: Request, offers: Sequence[Format]) -> Chosen:
    """Return the format that a request wants: by ``?format=``, else by its ``Accept`` header.

    Raises:
        FormatError: It wants none of the offers.
    """
    wanted = request.query_params.get("format")
    return (
        find_format(offers, wanted) if wanted else negotiate(offers, request.headers.get("accept"))
    )


def root_of(request: Request) -> str:
    """Return the public address of the site, without a slash at the end.

    Raises:
        ProblemError: It is not set, and the Host header of the request is no name of a host.
    """
    public: str | None = request.app.state.public_url
    if not public and not _HOST.fullmatch(request.headers.get("host", "localhost")):
        raise problems.ProblemError(
            400,
            "request",
            "the Host header is no name of a host / Host ヘッダーがホスト名ではありません。",
        )
    return public or str(request.url.replace(path="", query=None, fragment=None)).rstrip("/")


def address_of(request: Request, **changes: str) -> str:
    """Return the address of a request with some parameters changed."""
    pairs = [
        (name, value) for name, value in request.query_params.multi_items() if name not in changes
    ]
    return f"{request.url.path}?{urlencode([*pairs, *changes.items()])}"


@functools.lru_cache(maxsize=1 << 14)
def address_of_thing(iri: str, language: str | None) -> str | None:
    """Return where the page of an IRI of ours is on this server, None for those of others."""
    if not iri.startswith(vocab.BASE):
        return iri if iri.startswith(("http://", "https://")) else None
    path, mark, fragment = iri.removeprefix(vocab.BASE).partition("#")
    path = f"doc/{path.removeprefix('id/')}" if path.startswith("id/") else path
    query = f"?{urlencode({'lang': language})}" if language else ""
    return f"/{path}{query}{mark}{fragment}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table on a page."""

    text: str
    address: str | None
    iri: str | None
    number: bool
    language: str | None
    exact: str | None = None
    """All digits of an amount that the text tells in short."""
    guess: bool = False
    """Whether it says that something is concluded, not stated."""


def table_of(
    answer: Answer,
    language: str,
    names: Mapping[str, Text],
    labels: Labels | None = None,
    amounts: Container[str] = (),
) -> dict[str, Any]:
    """Return a result as a page shows it: an IRI and its label are one cell with a link.

    Args:
        answer: The result.
        language: The reader's.
        names: What columns are called.
        labels: What the IRIs are called that have no column of labels beside them.
        amounts: Columns that hold yen, to be told in words.
    """
    columns = answer.columns
    beside = {name: columns.index(f"{name}Label") for name in columns if f"{name}Label" in columns}
    shown = [
        (index, name)
        for index, name in enumerate(columns)
        if name.removesuffix("Label") not in beside or name in beside
    ]
    rows = [
        [
            _amount(row[index], language)
            if name in amounts and is_number(row[index])
            else _cell(row, index, beside.get(name), language, labels or {})
            for index, name in shown
        ]
        for row in answer.rows[:SHOWN]
    ]
    return {
        "columns": [(name, (heading(name, names) or {}).get(language)) for _, name in shown],
        "numbers": [bool(rows) and all(row[at].number for row in rows) for at in range(len(shown))],
        "rows": rows,
        "total": len(answer.rows),
    }


def iris_without_names(answer: Answer) -> list[str]:
    """Return the IRIs that a page shows and that have no column of labels beside them."""
    bare = [
        index for index, name in enumerate(answer.columns) if f"{name}Label" not in answer.columns
    ]
    terms = (row[index] for row in answer.rows[:SHOWN] for index in bare)
    return list(dict.fromkeys(term.value for term in terms if isinstance(term, NamedNode)))


def _amount(term: Term | None, language: str) -> Cell:
    text = cell_text(term)
    exact = wording.full_yen(text, language)
    return Cell(wording.yen(text, language), None, None, True, None, exact)


def _cell(
    row: tuple[Term | None, ...], index: int, label: int | None, language: str, labels: Labels
) -> Cell:
    term = row[index]
    shown = row[label] if label is not None and row[label] is not None else term
    text = cell_text(shown)
    if is_number(shown) and re.fullmatch(r"-?[0-9]{5,}", text):
        text = f"{int(text):,}"
    if isinstance(shown, Literal) and shown.datatype.value == _BOOLEAN:
        text = _YES_AND_NO[language][shown.value not in ("true", "1")]
    tag = wording.tongue(text, shown.language) if isinstance(shown, Literal) else None
    if not isinstance(term, NamedNode):
        return Cell(text, None, None, is_number(term) or term is None, tag)
    if shown is term and (names := labels.get(term.value)):
        # Japanese before English: what has no name in the reader's language has one in Japanese.
        tag = next((each for each in (language, "ja", "en", "") if each in names), "")
        text = names.get(tag, text)
    address = address_of_thing(term.value, language)
    return Cell(text, address, vocab.shorten(term.value), False, tag or None)


def page_route(app: FastAPI, path: str, site: Site) -> Callable[[Route], Route]:
    """Return a decorator that lets a function answer GET and HEAD, from one release."""

    def add(route: Route) -> Route:
        asked = "request" in inspect.signature(route).parameters

        async def answer(request: Request) -> Response:
            values: dict[str, Any] = {"request": request} if asked else {}
            return await site.steady(functools.partial(route, **values, **request.path_params))

        app.add_route(path, answer, ["GET", "HEAD"])
        return route

    return add


def described(content: bytes, chosen: Chosen) -> Response:
    """Return a description in RDF."""
    headers = {"Content-Type": chosen.content_type, "Vary": "Accept", "Cache-Control": "no-cache"}
    return Response(content, headers=headers)


def file_response(path: Path, media_type: str, headers: dict[str, str]) -> Response:
    """Return a file of a release.

    Raises:
        ProblemError: The release has none.
    """
    if not path.is_file():
        name = path.name
        raise problems.ProblemError(
            404, "http", f"this release has no {name} / このリリースに {name} はありません。"
        )
    return FileResponse(path, media_type=media_type, headers=headers)
