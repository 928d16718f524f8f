"""The SPARQL endpoint and its page, Graph Store reads, prefixes and folding."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from digiden_kg import metadata, vocab
from digiden_kg.describe import labels_of
from digiden_kg.engine.seam import Query, read_page
from digiden_kg.exceptions import DigidenError, QueryError, QuerySyntaxError
from digiden_kg.normalize import fold
from digiden_kg.questions import Question
from digiden_kg.results import (
    GRAPHS,
    HTML,
    TABLES,
    XLSX,
    Chosen,
    Format,
    find_format,
    formats_of,
    negotiate,
)
from digiden_kg.syntax import declare
from digiden_kg.web import access, graph_store, problems, sparql
from digiden_kg.web.maps import any_map
from digiden_kg.web.protocol import DIRECT
from digiden_kg.web.site import (
    SHOWN,
    Site,
    address_of,
    choose,
    described,
    file_response,
    iris_without_names,
    language_of,
    page_route,
    root_of,
    table_of,
)
from digiden_kg.web.start import TAGS
from digiden_kg.web.workbooks import workbook

_ENDPOINT = "/sparql"
_METHODS = ["GET", "HEAD", "POST"]
_TEXT = 2000
"""Characters that are folded at once."""
_LOOKED = "digiden.looked"
"""Key of a request whose answer was not at hand."""
_OF_GRAPHS, _OF_TABLES = (*GRAPHS, HTML), (*TABLES, HTML, XLSX)
_PAGES = (HTML, XLSX)
"""Formats that are more than an answer of the engine."""
_PLAIN_JSON = Format(("json",), ("application/json",))


class Direct:
    """Answers queries, and what is at hand, before a layer of the framework looks at a request.

    The layers cost more than a look-up. Everything else is theirs.
    """

    def __init__(self, app: ASGIApp, site: Site, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Answer before an application.

        Args:
            app: What answers everything else.
            site: What answers queries.
            headers: What an answer has that passes by the layers.
        """
        self._app, self._site, self._headers = app, site, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        app: ASGIApp = self._app
        if scope["type"] == "http":
            ready = None if _LOOKED in scope else self._site.answers.at_hand(scope)
            if ready:
                app = ready
            elif scope["path"] == _ENDPOINT and scope["method"] in _METHODS:
                request = Request(scope, receive, send)
                try:
                    app = await _endpoint(self._site, request)
                except (DigidenError, problems.ProblemError) as error:
                    app = problems.answer_of(request, error)
        if isinstance(app, sparql.Whole) and DIRECT in scope:
            self._hand_over(scope, app)
        else:
            await app(scope, receive, send)

    def at_once(self, scope: Scope) -> bool:
        """Answer a request, of a server that takes answers whole, if the answer is at hand."""
        scope[_LOOKED] = True
        ready = self._site.answers.at_hand(scope)
        if ready:
            self._hand_over(scope, ready)
        return ready is not None

    def begin(self, scope: Scope, done: Callable[[bool], None]) -> Callable[[], bool] | None:
        """Begin to answer a query, of a server that takes answers whole.

        Args:
            scope: The request.
            done: Called later, and once: with whether it was answered; if not, it is to be passed
                on, and whatever has begun goes on.

        Returns:
            See :meth:`digiden_kg.web.sparql.Answers.begin`.
        """
        if scope["path"] != _ENDPOINT or scope["method"] != "GET":
            return None

        def tell(answer: sparql.Whole | None) -> None:
            if answer:
                self._hand_over(scope, answer)
            done(answer is not None)

        try:
            asked = sparql.read_parameters(sparql.parameters(scope["query_string"]))
            chosen = _choose(scope, asked)
            if asked.query is None or chosen.format in _PAGES:
                return None
            return self._site.answers.begin(scope, asked, chosen, tell)
        except (DigidenError, problems.ProblemError):  # is told in the usual way
            return None

    def _hand_over(self, scope: Scope, answer: sparql.Whole) -> None:
        note = access.note_of(scope)
        note.status, note.outcome = answer.status_code, note.outcome or "ok"
        note.bytes = len(answer.body) if scope["method"] != "HEAD" else 0
        scope[DIRECT](answer.status_code, (*answer.raw_headers, *self._headers), answer.body)


def add_endpoint(app: FastAPI, site: Site) -> None:
    """Add the endpoint, the graph store, and what helps to ask."""
    _add_sparql(app, site)
    _add_graph_store(app, site)
    _add_helpers(app, site)


def _add_sparql(app: FastAPI, site: Site) -> None:
    # Routes of Starlette: FastAPI's own would look for parameters that the protocol has not.
    async def endpoint(request: Request) -> Response:
        return await _endpoint(site, request)

    app.add_route(_ENDPOINT, endpoint, _METHODS)
    app.add_route(f"{_ENDPOINT}.{{name}}", endpoint, _METHODS)


async def _endpoint(site: Site, request: Request) -> Response:
    asked = await sparql.read_request(request)
    if name := request.path_params.get("name"):
        asked = replace(asked, format=name)
    chosen = _choose(request.scope, asked)
    if asked.query is not None and chosen.format not in _PAGES:
        return await site.answers.answer(request, asked, chosen)
    return await site.steady(lambda: _page(site, request, asked, chosen))


def _choose(scope: Scope, asked: sparql.SparqlRequest) -> Chosen:
    """Return the format of an answer."""
    is_table = asked.query is not None and formats_of(asked.form) is TABLES
    offers: tuple[Format, ...] = _OF_TABLES if is_table else _OF_GRAPHS
    if asked.format:
        return find_format(offers, asked.format)
    return negotiate(offers, sparql.header_of(scope, b"accept"))


async def _page(
    site: Site, request: Request, asked: sparql.SparqlRequest, chosen: Chosen
) -> Response:
    """Return what is more than an answer of the engine: a page, a workbook, the description."""
    if chosen.format is HTML:
        return await _show_query(site, request, asked)
    if asked.query is not None:
        access.note_of(request.scope).query = asked.query
        name = asked.download or "result"
        return await workbook(site, request, asked.query, chosen, name=name, title="SPARQL")
    content = metadata.service_description(
        f"{root_of(request)}/sparql",
        *await site.sizes(),
        chosen.format,
        federated=bool(site.settings.federation),
    )
    return described(content, chosen)


async def _show_query(site: Site, request: Request, asked: sparql.SparqlRequest) -> Response:
    table = text = error = drawn = None
    language, started = language_of(request), time.perf_counter()
    if asked.query is not None:
        access.note_of(request.scope).query = asked.query
        asked = replace(asked, query=declare(asked.query, site.prefixes))
    default, named = asked.default_graphs, asked.named_graphs
    offers = formats_of(asked.form)
    try:
        if asked.query is not None and offers is TABLES:
            offers = (*offers, XLSX)
            answer = await site.ask(asked.query, default_graphs=default, named_graphs=named)
            seconds = time.perf_counter() - started
            labels = await labels_of(site.ask, iris_without_names(answer))
            table = table_of(answer, language, await site.headings(), labels)
            drawn = None if site.release.is_draft else await any_map(site, answer, language)
        elif asked.query is not None:
            client = access.CLIENT.get()
            posed = Query(asked.query, GRAPHS[0], None, default, named, client=client)
            chunks = await site.engine.evaluate(posed)
            text = (await read_page(chunks)).decode("utf-8")
            seconds = time.perf_counter() - started
    except QueryError as caught:
        error, seconds = caught, time.perf_counter() - started
    query = asked.query
    if query is None:
        slug = request.query_params.get("question")
        query = site.question(slug).text if slug else site.example
    return site.page(
        request,
        "sparql.html",
        problems.kind_of(error).status if error else 200,
        query=query,
        asked=asked.query is not None,
        table=table,
        map=drawn,
        text=text,
        base=vocab.BASE,
        error=error,
        place=_place(query, error),
        seconds=seconds if asked.query is not None else None,
        limits=site.settings,
        shown=SHOWN,
        tags=TAGS,
        questions=_by_tag(site),
        formats=[offer.name for offer in offers],
        addresses={
            offer.name: address_of(request, format=offer.name, query=asked.query or "")
            for offer in offers
        },
    )


def _place(query: str, error: QueryError | None) -> dict[str, int | str] | None:
    """Return where a query is no SPARQL: line and column from 1, and the line itself."""
    if not isinstance(error, QuerySyntaxError) or error.line is None:
        return None
    lines = query.split("\n")
    text = lines[error.line - 1] if error.line <= len(lines) else ""
    # What the parser missed stands after the end of a line: the last character shows where.
    column = min(error.column or 1, max(1, len(text)))
    return {
        "line": error.line,
        "column": column,
        "before": text[: column - 1],
        "rest": text[column - 1 :],
    }


def _by_tag(site: Site) -> dict[str, list[Question]]:
    """Return the saved questions by their first tag, in the order of the start page."""
    grouped: dict[str, list[Question]] = {tag: [] for tag in TAGS}
    for question in site.questions.values():
        grouped.setdefault(question.tags[0] if question.tags else "", []).append(question)
    return {tag: listed for tag, listed in grouped.items() if listed}


def _add_graph_store(app: FastAPI, site: Site) -> None:
    @page_route(app, "/data", site)
    async def graph(request: Request) -> Response:
        _, named = await site.sizes()
        asked = graph_store.read_request(request, named)
        if asked is None:
            offer = GRAPHS[-1]
            chosen = choose(request, (offer,))
            return file_response(site.release.dataset, chosen.content_type, {"Vary": "Accept"})
        if asked.format:
            chosen = find_format(GRAPHS, asked.format)
        else:
            chosen = negotiate(GRAPHS, request.headers.get("accept"))
        return await site.answers.answer(request, asked, chosen)


def _add_helpers(app: FastAPI, site: Site) -> None:
    @page_route(app, "/prefixes", site)
    async def prefixes(request: Request) -> Response:
        offers = (_PLAIN_JSON, *GRAPHS)
        chosen = choose(request, offers)
        if chosen.format is _PLAIN_JSON:
            return JSONResponse(dict(site.prefixes), headers={"Vary": "Accept"})
        address = f"{root_of(request)}/prefixes"
        content = metadata.prefix_declarations(address, site.prefixes, chosen.format)
        return described(content, chosen)

    @page_route(app, "/api/terms", site)
    async def terms(request: Request) -> Response:
        return JSONResponse(await _terms(site))

    @page_route(app, "/api/fold", site)
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


async def _terms(site: Site) -> dict[str, object]:
    """Return the classes and properties that the data uses, with their names and how often."""
    counts = await site.counts()
    names = await labels_of(site.ask, [*counts.classes, *counts.properties])

    def term(iri: str, count: int) -> dict[str, object]:
        short = vocab.shorten(iri)
        label = names.get(iri) or site.terms.get(short) or {}
        return {"iri": iri, "name": short, "label": dict(label), "count": count}

    return {
        "prefixes": dict(site.prefixes),
        "classes": [term(iri, count) for iri, count in counts.classes.items()],
        "properties": [term(iri, count) for iri, (count, _, _) in counts.properties.items()],
    }
