"""The web application: start page, saved questions, SPARQL endpoint, report and files.

It evaluates nothing itself; every query goes to the engine. Pages work without scripts and load
nothing from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from pyoxigraph import Literal, NamedNode
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digiden_kg import vocab
from digiden_kg.engine.pool import Pool
from digiden_kg.engine.seam import Engine, Limits, read_page, select
from digiden_kg.exceptions import QueryError
from digiden_kg.normalize import fold
from digiden_kg.questions import (
    TERMS_QUERY,
    Choice,
    Parameter,
    Question,
    Text,
    heading,
    load_headings,
    load_questions,
    read_choices,
    read_terms,
)
from digiden_kg.release import DATASET, MANIFEST, Release
from digiden_kg.results import (
    GRAPHS,
    HTML,
    TABLES,
    Answer,
    Chosen,
    Format,
    Term,
    cell_text,
    find_format,
    formats_of,
    is_number,
    negotiate,
)
from digiden_kg.settings import Settings
from digiden_kg.syntax import declare
from digiden_kg.web import access, description, graph_store, problems, sparql
from digiden_kg.web.cache import ResultCache

LANGUAGES = ("ja", "en")
FILES = {
    DATASET: "application/n-quads",
    MANIFEST: "application/json",
    "report.ttl": "text/turtle; charset=utf-8",
    "report.csv": "text/csv; charset=utf-8",
    "reconciliation.csv": "text/csv; charset=utf-8",
}
"""Files of a release that are served as they are."""
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_REPORT_POLICY = _POLICY.replace("style-src 'self'", "style-src 'unsafe-inline'")
_SHOWN = 1000
"""Rows that a page shows; the formats give all of them."""
_FEW = 60
"""Choices up to which a form shows a list to pick from instead of a field to type in."""
TAGS: Mapping[str, Text] = {
    "reuse": {"ja": "使い回し", "en": "Reuse"},
    "grants": {"ja": "交付金と事業", "en": "Grants and projects"},
    "money": {"ja": "お金", "en": "Money"},
    "platforms": {"ja": "データ連携基盤", "en": "Data-integration platforms"},
    "partners": {"ja": "構成員と相手", "en": "Partners"},
    "indicators": {"ja": "KPI", "en": "Indicators"},
    "people": {"ja": "人口と規模", "en": "Population and size"},
    "card": {"ja": "マイナンバーカード", "en": "My Number Card"},
    "telework": {"ja": "テレワーク", "en": "Telework"},
    "statistics": {"ja": "統計", "en": "Statistics"},
    "quality": {"ja": "出典、訂正、照合", "en": "Sources, corrections, reconciliation"},
    "unknown": {"ja": "分からないこと", "en": "What is unknown"},
}
"""Headings of the start page, in its order, by the first tag of a question."""
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
_READY = 2.0
"""Seconds in which an engine that is ready answers."""
_TEXT = 2000
"""Characters that are folded at once."""


@dataclass(frozen=True)
class Site:
    """What the pages are made of."""

    release: Release
    questions: Mapping[str, Question]
    engine: Engine
    templates: Environment
    columns: Mapping[str, Text]
    answers: sparql.Answers
    _choices: dict[str, tuple[Choice, ...]] = field(default_factory=dict)
    _graphs: list[Answer] = field(default_factory=list)
    _terms: dict[str, Text] = field(default_factory=dict)

    async def choices(self, parameter: Parameter) -> tuple[Choice, ...]:
        """Return what a parameter may be; a release never changes, so it is asked once."""
        query = parameter.choices_query
        if query is None:
            return ()
        if query not in self._choices:
            self._choices[query] = read_choices((await select(self.engine, query)).rows)
        return self._choices[query]

    async def sizes(self) -> tuple[int, Mapping[str, int]]:
        """Return the number of triples of the default graph and of each named graph."""
        if not self._graphs:
            self._graphs.append(await select(self.engine, description.GRAPHS_QUERY))
        return description.sizes(self._graphs[0])

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
        if not self._terms:
            self._terms.update(read_terms((await select(self.engine, TERMS_QUERY)).rows))
            self._terms.update(self.columns)
        return self._terms

    def page(
        self, request: Request, template: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Return a page in the language of the reader."""
        language = language_of(request)
        content = self.templates.get_template(template).render(
            language=language,
            say=lambda ja, en: ja if language == "ja" else en,
            switch={each: _address(request, lang=each) for each in LANGUAGES},
            release=self.release,
            counts=self.release.counts,
            **values,
        )
        headers = {"Content-Language": language, "Vary": "Accept, Accept-Language"}
        return HTMLResponse(content, status, headers)


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


def _address(request: Request, **changes: str) -> str:
    pairs = [
        (name, value) for name, value in request.query_params.multi_items() if name not in changes
    ]
    return f"{request.url.path}?{urlencode([*pairs, *changes.items()])}"


def thing_query(iri: str, language: str) -> str:
    """Return the query behind the link of a thing: everything that is said of it."""
    prefixes = "".join(f"PREFIX {name}: <{vocab.PREFIXES[name]}>\n" for name in ("rdfs", "skos"))
    label = f"rdfs:label|skos:prefLabel ?{{0}}Label FILTER(LANG(?{{0}}Label) = '{language}')"
    return f"""{prefixes}
SELECT ?property ?propertyLabel ?value ?valueLabel
WHERE {{
  <{iri}> ?property ?value .
  OPTIONAL {{ ?property {label.format("property")} }}
  OPTIONAL {{ ?value {label.format("value")} }}
}}
ORDER BY ?property ?value"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table on a page."""

    text: str
    address: str | None
    iri: str | None
    number: bool
    language: str | None


def table_of(answer: Answer, language: str, names: Mapping[str, Text]) -> dict[str, Any]:
    """Return a result as a page shows it: an IRI and its label are one cell with a link."""
    columns = answer.columns
    labels = {name: columns.index(f"{name}Label") for name in columns if f"{name}Label" in columns}
    shown = [
        (index, name)
        for index, name in enumerate(columns)
        if name.removesuffix("Label") not in labels or name in labels
    ]
    rows = [
        [_cell(row, index, labels.get(name), language) for index, name in shown]
        for row in answer.rows[:_SHOWN]
    ]
    return {
        "columns": [(name, (heading(name, names) or {}).get(language)) for _, name in shown],
        "numbers": [bool(rows) and all(row[at].number for row in rows) for at in range(len(shown))],
        "rows": rows,
        "total": len(answer.rows),
    }


def _cell(row: tuple[Term | None, ...], index: int, label: int | None, language: str) -> Cell:
    term = row[index]
    shown = row[label] if label is not None and row[label] is not None else term
    text = cell_text(shown)
    if is_number(shown) and re.fullmatch(r"-?[0-9]{5,}", text):
        text = f"{int(text):,}"
    tag = shown.language if isinstance(shown, Literal) else None
    if not isinstance(term, NamedNode):
        return Cell(text, None, None, is_number(term) or term is None, tag)
    if term.value.startswith(vocab.BASE):
        query = thing_query(term.value, language)
        address: str | None = (
            f"/sparql?{urlencode({'format': 'html', 'lang': language, 'query': query})}"
        )
    else:
        address = term.value if term.value.startswith(("http://", "https://")) else None
    return Cell(text, address, vocab.shorten(term.value), False, tag)


_POSTED = re.compile(r"/sparql(\.\w+)?")
_EXPOSED = "Age, Content-Disposition, ETag, Digiden-Release, Retry-After"


class _Headers:
    """Adds to every answer what holds for all of them, and answers OPTIONS."""

    def __init__(self, app: ASGIApp, release: str) -> None:
        self._app, self._release = app, release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        access.note_of(scope).release = self._release

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Access-Control-Expose-Headers"] = _EXPOSED
                headers.setdefault("Digiden-Release", self._release)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                headers.setdefault("Content-Security-Policy", _POLICY)
            await send(message)

        if scope["method"] == "OPTIONS":
            allowed = "GET, HEAD, OPTIONS" + (", POST" if _POSTED.fullmatch(scope["path"]) else "")
            headers = {
                "Allow": allowed,
                "Access-Control-Allow-Methods": allowed,
                "Access-Control-Allow-Headers": "Accept, Content-Type, If-None-Match",
                "Access-Control-Max-Age": "86400",
            }
            await Response(status_code=204, headers=headers)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def create_app(release: Release, settings: Settings) -> FastAPI:
    """Return the application that serves a release.

    Args:
        release: What is served.
        settings: Limits of the endpoint, and where the saved questions are.

    Raises:
        InputError: A saved question is wrong.
    """
    listed = [] if release.is_draft else load_questions(settings.queries_dir / "questions")
    questions = {each.slug: each for each in listed}
    pool = Pool(
        release.dataset,
        release=release.name,
        workers=settings.workers,
        limits=Limits(
            deadline=settings.deadline,
            memory=settings.memory,
            max_rows=settings.max_rows,
            in_memory=settings.in_memory,
        ),
    )
    templates = Environment(
        loader=PackageLoader("digiden_kg.web"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    columns = {} if release.is_draft else load_headings(settings.queries_dir / "columns.csv")
    cache = ResultCache(settings.cache << 20)
    answers = sparql.Answers(pool, cache, base_iri=settings.base)
    site = Site(release, questions, pool, templates, columns, answers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    sums = access.Sums()
    app.add_middleware(_Headers, release=release.name)
    app.add_middleware(access.Access, log=access.open_log(settings.log), sums=sums)
    problems.install(app)
    static = str(files("digiden_kg.web").joinpath("static"))
    app.mount("/static", StaticFiles(directory=static), name="static")
    _add_pages(app, site)
    _add_endpoint(app, site)
    _add_graph_store(app, site)
    _add_helpers(app, site)
    _add_state(app, site, sums, settings.metrics)
    _add_files(app, site)
    return app


Route = Callable[..., Awaitable[Response]]
_NOW = {"Cache-Control": "no-store"}
_PLAIN_JSON = Format(("json",), ("application/json",))


def _page(app: FastAPI, path: str) -> Callable[[Route], Route]:
    return app.api_route(path, methods=["GET", "HEAD"], response_model=None)


def _add_pages(app: FastAPI, site: Site) -> None:
    @_page(app, "/")
    async def start(request: Request) -> Response:
        grouped = _by_tag(site.questions.values())
        return site.page(request, "start.html", questions=grouped, tags=TAGS, example=site.example)

    @_page(app, "/questions/{slug}")
    async def question(request: Request, slug: str) -> Response:
        found = site.questions.get(slug)
        if found is None:
            raise problems.ProblemError(
                404, "http", f"there is no question {slug} / 質問 {slug} はありません。"
            )
        return await _answer_question(site, request, found)


async def _answer_question(site: Site, request: Request, question: Question) -> Response:
    values = {
        name: request.query_params.getlist(name)
        for name in request.query_params
        if name != "format" and (name != "lang" or name in question.parameters)
    }
    # A page unless something else is asked for: an address in a browser or a mail means the page.
    wanted, accept = request.query_params.get("format"), request.headers.get("accept")
    offers = (HTML, *TABLES)
    chosen = find_format(offers, wanted) if wanted else negotiate(offers, accept)
    if chosen.format is HTML and "lang" in question.parameters:
        values["lang"] = [language_of(request)]
    listed = {name: await site.choices(each) for name, each in question.parameters.items()}

    def bind() -> str:
        return question.bind(values, lambda parameter: listed[parameter.name])

    if chosen.format is not HTML:
        asked = sparql.SparqlRequest(bind(), download=question.slug if wanted else None)
        return await site.answers.answer(request, asked, chosen)
    text, table, error = question.text, None, None
    try:
        text = bind()
        found = await select(site.engine, text)
        table = table_of(found, language_of(request), await site.headings())
    except QueryError as caught:
        error = caught
    return site.page(
        request,
        "question.html",
        problems.kind_of(error).status if error else 200,
        question=question,
        values={name: ", ".join(given) for name, given in values.items()},
        choices=listed,
        few=_FEW,
        text=text,
        table=table,
        error=error,
        formats={offer.name: _address(request, format=offer.name) for offer in TABLES},
    )


def _by_tag(questions: Iterable[Question]) -> dict[str, list[Question]]:
    grouped: dict[str, list[Question]] = {tag: [] for tag in TAGS}
    for question in questions:
        grouped.setdefault(question.tags[0] if question.tags else "", []).append(question)
    return {tag: listed for tag, listed in grouped.items() if listed}


def _add_endpoint(app: FastAPI, site: Site) -> None:
    @app.api_route("/sparql", methods=["GET", "HEAD", "POST"], response_model=None)
    async def endpoint(request: Request) -> Response:
        return await _answer_query(site, request, await sparql.read_request(request))

    @app.api_route("/sparql.{name}", methods=["GET", "HEAD", "POST"], response_model=None)
    async def endpoint_in_a_format(request: Request, name: str) -> Response:
        asked = replace(await sparql.read_request(request), format=name)
        return await _answer_query(site, request, asked)


async def _answer_query(site: Site, request: Request, asked: sparql.SparqlRequest) -> Response:
    offers = (*(GRAPHS if asked.query is None else formats_of(asked.form)), HTML)
    accept = request.headers.get("accept")
    chosen = find_format(offers, asked.format) if asked.format else negotiate(offers, accept)
    if chosen.format is HTML:
        return await _show_query(site, request, asked)
    if asked.query is not None:
        return await site.answers.answer(request, asked, chosen)
    content = description.service_description(
        str(request.url.replace(path="/sparql", query=None, fragment=None)),
        *await site.sizes(),
        chosen.format,
    )
    return _described(content, chosen)


def _described(content: bytes, chosen: Chosen) -> Response:
    headers = {"Content-Type": chosen.content_type, "Vary": "Accept", "Cache-Control": "no-cache"}
    return Response(content, headers=headers)


async def _show_query(site: Site, request: Request, asked: sparql.SparqlRequest) -> Response:
    table = text = error = None
    if asked.query is not None:
        access.note_of(request.scope).query = access.query_hash(asked.query)
        asked = replace(asked, query=declare(asked.query, site.prefixes))
    default, named = asked.default_graphs, asked.named_graphs
    try:
        if asked.query is not None and formats_of(asked.form) is TABLES:
            answer = await select(
                site.engine, asked.query, default_graphs=default, named_graphs=named
            )
            table = table_of(answer, language_of(request), await site.headings())
        elif asked.query is not None:
            chunks = await site.engine.evaluate(
                asked.query, format=GRAPHS[0], default_graphs=default, named_graphs=named
            )
            text = (await read_page(chunks)).decode("utf-8")
    except QueryError as caught:
        error = caught
    return site.page(
        request,
        "sparql.html",
        problems.kind_of(error).status if error else 200,
        query=asked.query if asked.query is not None else site.example,
        table=table,
        text=text,
        error=error,
        formats=[offer.name for offer in formats_of(asked.form)],
        addresses={
            offer.name: _address(request, format=offer.name, query=asked.query or "")
            for offer in formats_of(asked.form)
        },
    )


def _add_graph_store(app: FastAPI, site: Site) -> None:
    @_page(app, "/data")
    async def graph(request: Request) -> Response:
        _, named = await site.sizes()
        asked = graph_store.read_request(request, named)
        if asked is None:
            offer = GRAPHS[-1]
            wanted = request.query_params.get("format")
            chosen = (
                find_format((offer,), wanted)
                if wanted
                else negotiate((offer,), request.headers.get("accept"))
            )
            return _file(site.release.dataset, chosen.content_type, {"Vary": "Accept"})
        if asked.format:
            chosen = find_format(GRAPHS, asked.format)
        else:
            chosen = negotiate(GRAPHS, request.headers.get("accept"))
        return await site.answers.answer(request, asked, chosen)


def _add_helpers(app: FastAPI, site: Site) -> None:
    @_page(app, "/prefixes")
    async def prefixes(request: Request) -> Response:
        offers = (_PLAIN_JSON, *GRAPHS)
        wanted = request.query_params.get("format")
        accept = request.headers.get("accept")
        chosen = find_format(offers, wanted) if wanted else negotiate(offers, accept)
        if chosen.format is _PLAIN_JSON:
            return JSONResponse(dict(site.prefixes), headers={"Vary": "Accept"})
        address = str(request.url.replace(query=None, fragment=None))
        content = description.prefix_declarations(address, site.prefixes, chosen.format)
        return _described(content, chosen)

    @_page(app, "/api/fold")
    async def folded(request: Request) -> Response:
        pairs = dict(sparql.parameters(request.scope["query_string"]))
        text = pairs.get("text")
        if text is None or len(text) > _TEXT:
            raise problems.ProblemError(
                400,
                "request",
                f"give ?text= of at most {_TEXT} characters"
                f" / ?text= に {_TEXT} 文字以内で指定してください。",
            )
        return JSONResponse({"text": text, "folded": fold(text)})


def _add_state(app: FastAPI, site: Site, sums: access.Sums, readers: str) -> None:
    @_page(app, "/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok", "release": site.release.name}, headers=_NOW)

    @_page(app, "/ready")
    async def ready(request: Request) -> Response:
        try:
            await read_page(await site.engine.evaluate("ASK {}", format=TABLES[0], timeout=_READY))
        except QueryError as error:
            return problems.problem(
                request,
                503,
                "not-ready",
                "Not ready / 準備中",
                str(error),
                headers={"Retry-After": "2"},
            )
        return JSONResponse({"status": "ready", "release": site.release.name}, headers=_NOW)

    @_page(app, "/metrics")
    async def metrics(request: Request) -> Response:
        if readers == "off" or (readers == "local" and not access.is_local(request.scope)):
            raise problems.ProblemError(
                403,
                "metrics",
                "metrics are read on the machine itself; DIGIDEN_METRICS changes that"
                " / 計測値はこの機械の上でのみ読めます（DIGIDEN_METRICS で変えられます）。",
            )
        cache = site.answers.cache
        gauges = {
            "cache_hits_total": cache.hits,
            "cache_misses_total": cache.misses,
            "cache_bytes": cache.bytes,
            "cache_answers": len(cache),
        }
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(sums.text(gauges), headers={"Content-Type": content_type, **_NOW})


def _add_files(app: FastAPI, site: Site) -> None:
    @_page(app, "/report")
    async def report() -> Response:
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return _file(site.release.path / "report.html", "text/html; charset=utf-8", headers)

    @_page(app, "/files/{name}")
    async def file(name: str) -> Response:
        if name not in FILES:
            raise problems.ProblemError(404, "http", f"no file {name} / {name} はありません。")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return _file(site.release.path / name, FILES[name], headers)


def _file(path: Path, media_type: str, headers: dict[str, str]) -> Response:
    if not path.is_file():
        name = path.name
        raise problems.ProblemError(
            404, "http", f"this release has no {name} / このリリースに {name} はありません。"
        )
    return FileResponse(path, media_type=media_type, headers=headers)
