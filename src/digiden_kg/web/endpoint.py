"""The SPARQL endpoint and its page, Graph Store reads, prefixes and folding."""

from __future__ import annotations

from dataclasses import replace

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from digiden_kg import metadata
from digiden_kg.engine.seam import read_page
from digiden_kg.exceptions import QueryError
from digiden_kg.normalize import fold
from digiden_kg.results import GRAPHS, HTML, TABLES, Format, find_format, formats_of, negotiate
from digiden_kg.syntax import declare
from digiden_kg.web import access, graph_store, problems, sparql
from digiden_kg.web.site import (
    Site,
    address_of,
    choose,
    described,
    file_response,
    language_of,
    page_route,
    table_of,
)

_TEXT = 2000
"""Characters that are folded at once."""
_PLAIN_JSON = Format(("json",), ("application/json",))


def add_endpoint(app: FastAPI, site: Site) -> None:
    """Add the endpoint, the graph store, and what helps to ask."""
    _add_sparql(app, site)
    _add_graph_store(app, site)
    _add_helpers(app, site)


def _add_sparql(app: FastAPI, site: Site) -> None:
    methods = ["GET", "HEAD", "POST"]

    # Routes of Starlette: FastAPI's own would look for parameters that the protocol has not.
    async def endpoint(request: Request) -> Response:
        asked = await sparql.read_request(request)
        return await site.steady(lambda: _answer_query(site, request, asked))

    async def endpoint_in_a_format(request: Request) -> Response:
        name = request.path_params["name"]
        asked = replace(await sparql.read_request(request), format=name)
        return await site.steady(lambda: _answer_query(site, request, asked))

    app.add_route("/sparql", endpoint, methods)
    app.add_route("/sparql.{name}", endpoint_in_a_format, methods)


async def _answer_query(site: Site, request: Request, asked: sparql.SparqlRequest) -> Response:
    offers = (*(GRAPHS if asked.query is None else formats_of(asked.form)), HTML)
    accept = request.headers.get("accept")
    chosen = find_format(offers, asked.format) if asked.format else negotiate(offers, accept)
    if chosen.format is HTML:
        return await _show_query(site, request, asked)
    if asked.query is not None:
        return await site.answers.answer(request, asked, chosen)
    content = metadata.service_description(
        str(request.url.replace(path="/sparql", query=None, fragment=None)),
        *await site.sizes(),
        chosen.format,
    )
    return described(content, chosen)


async def _show_query(site: Site, request: Request, asked: sparql.SparqlRequest) -> Response:
    table = text = error = None
    if asked.query is not None:
        access.note_of(request.scope).query = access.query_hash(asked.query)
        asked = replace(asked, query=declare(asked.query, site.prefixes))
    default, named = asked.default_graphs, asked.named_graphs
    try:
        if asked.query is not None and formats_of(asked.form) is TABLES:
            answer = await site.ask(asked.query, default_graphs=default, named_graphs=named)
            table = table_of(answer, language_of(request), await site.headings())
        elif asked.query is not None:
            chunks = await site.engine.evaluate(
                asked.query,
                format=GRAPHS[0],
                default_graphs=default,
                named_graphs=named,
                client=access.CLIENT.get(),
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
            offer.name: address_of(request, format=offer.name, query=asked.query or "")
            for offer in formats_of(asked.form)
        },
    )


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
        address = str(request.url.replace(query=None, fragment=None))
        content = metadata.prefix_declarations(address, site.prefixes, chosen.format)
        return described(content, chosen)

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
