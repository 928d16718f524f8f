"""The SPARQL 1.1 Protocol for queries.

Only what the protocol says is done here: where the query stands in a request, which format the
client wants, and what to answer to what is no query. Evaluation is the engine's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, serialize
from starlette.types import Send

from digiden_kg import vocab
from digiden_kg.engine.seam import Engine, Reply
from digiden_kg.exceptions import QueryError
from digiden_kg.results import GRAPHS, TABLES, Answer, Chosen, Format
from digiden_kg.syntax import query_form, words
from digiden_kg.web.problems import ProblemError

MAX_QUERY = 1 << 20
"""Bytes of a request body."""
_FORM = "application/x-www-form-urlencoded"
_DIRECT = "application/sparql-query"
_UPDATE = "application/sparql-update"
_FLEETING = frozenset({"NOW", "RAND", "UUID", "STRUUID", "BNODE"})
"""Functions whose answer differs each time."""


@dataclass(frozen=True, slots=True)
class SparqlRequest:
    """What a request asks: a query, its dataset, and a format by name."""

    query: str | None
    default_graphs: tuple[str, ...]
    named_graphs: tuple[str, ...]
    format: str | None

    @property
    def form(self) -> str | None:
        """SELECT, ASK, CONSTRUCT, DESCRIBE; None where the text is no query."""
        return query_form(self.query) if self.query is not None else None


async def read_request(request: Request) -> SparqlRequest:
    """Read a request of the protocol: GET, POST of a form, or POST of a query.

    Raises:
        ProblemError: It is an update, or no request of the protocol.
    """
    pairs = _pairs(request.scope["query_string"])
    if request.method == "POST":
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == _UPDATE:
            raise _read_only()
        if content_type not in (_FORM, _DIRECT):
            raise ProblemError(
                415,
                "media-type",
                f"send {_FORM} or {_DIRECT} / 本文の形式は {_FORM} か {_DIRECT} です。",
            )
        body = await _body(request)
        pairs += [("query", _text(body))] if content_type == _DIRECT else _pairs(body)
    if any(name == "update" for name, _ in pairs):
        raise _read_only()
    queries = [value for name, value in pairs if name == "query"]
    if len(queries) > 1:
        raise ProblemError(400, "request", "give one query / query は一つだけ指定してください。")
    if not queries and request.method == "POST":
        raise ProblemError(400, "request", "there is no query / query がありません。")
    asked = SparqlRequest(
        query=queries[0] if queries else None,
        default_graphs=_iris(pairs, "default-graph-uri"),
        named_graphs=_iris(pairs, "named-graph-uri"),
        format=next((value for name, value in pairs if name == "format" and value), None),
    )
    if asked.form == "UPDATE":
        raise _read_only()
    return asked


def _read_only() -> ProblemError:
    return ProblemError(
        403,
        "read-only",
        "updates are not accepted: this endpoint is read-only"
        " / 更新はできません。このエンドポイントは読み取り専用です。",
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_QUERY:
            raise ProblemError(
                413, "too-long", f"more than {MAX_QUERY} bytes / {MAX_QUERY} バイトを超えています。"
            )
    return bytes(body)


def _pairs(content: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(content.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise _no_utf8() from error


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _no_utf8() from error


def _no_utf8() -> ProblemError:
    return ProblemError(400, "encoding", "the request is no UTF-8 / UTF-8 ではありません。")


def _iris(pairs: Iterable[tuple[str, str]], key: str) -> tuple[str, ...]:
    iris = tuple(value for name, value in pairs if name == key)
    for iri in iris:
        try:
            NamedNode(iri)
        except ValueError as error:
            raise ProblemError(
                400, "request", f"{key} is no absolute IRI: {iri} / {key} が IRI ではありません。"
            ) from error
    return iris


class _Stream(StreamingResponse):
    """An answer in chunks; where it breaks off, it lacks the last one, which clients notice."""

    async def stream_response(self, send: Send) -> None:
        try:
            with contextlib.suppress(QueryError):
                await super().stream_response(send)
        finally:  # a client that has left may not have been asked for, so its query still runs
            assert isinstance(self.body_iterator, Reply)
            await self.body_iterator.aclose()


async def answer(
    engine: Engine,
    asked: SparqlRequest,
    chosen: Chosen,
    *,
    release: str,
    if_none_match: str | None,
    download: str | None = None,
) -> Response:
    """Answer a query in a format; a client that has this answer already is told so.

    Raises:
        QueryError: It cannot be answered; see the engine.
    """
    assert asked.query is not None
    headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
    if _FLEETING.isdisjoint(words(asked.query)):
        headers["ETag"] = tag = etag(release, asked, chosen)
        if if_none_match and _holds(if_none_match, tag):
            return Response(status_code=304, headers=headers)
    chunks = await engine.evaluate(
        asked.query,
        format=chosen.format,
        default_graphs=asked.default_graphs,
        named_graphs=asked.named_graphs,
    )
    if download:
        headers["Content-Disposition"] = f'attachment; filename="{download}.{chosen.format.name}"'
    # Given as a header because Starlette would add a charset to types that have none.
    headers["Content-Type"] = chosen.content_type
    return _Stream(chunks, headers=headers)


def etag(release: str, asked: SparqlRequest, chosen: Chosen) -> str:
    """Return the strong entity tag of an answer: a release never changes."""
    parts = [release, asked.query, asked.default_graphs, asked.named_graphs, chosen.media_type]
    return f'"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"'


def _holds(if_none_match: str, tag: str) -> bool:
    tags = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in tags or tag in tags


def service_description(endpoint: str, graphs: Answer, triples: int, chosen: Format) -> bytes:
    """Return what this endpoint is, in RDF (SPARQL 1.1 Service Description).

    Args:
        endpoint: Address of the endpoint.
        graphs: Rows of (name, number of triples) of the named graphs.
        triples: Number of triples in the default graph.
        chosen: Format to write.
    """
    here = NamedNode(f"{endpoint}#service")
    dataset = NamedNode(f"{endpoint}#dataset")
    default = NamedNode(f"{endpoint}#default-graph")
    statements: list[tuple[NamedNode, str, NamedNode | Literal]] = [
        (here, "rdf:type", _named("sd:Service")),
        (here, "sd:endpoint", NamedNode(endpoint)),
        (here, "sd:supportedLanguage", _named("sd:SPARQL11Query")),
        (here, "sd:defaultDataset", dataset),
        (here, "sd:availableGraphs", dataset),
        (dataset, "rdf:type", _named("sd:Dataset")),
        (dataset, "rdf:type", _named("sd:GraphCollection")),
        (dataset, "sd:defaultGraph", default),
        (default, "rdf:type", _named("sd:Graph")),
        (default, "void:triples", Literal(triples)),
    ]
    statements += [
        (here, "sd:resultFormat", NamedNode(offer.engine.iri))
        for offer in (*TABLES, *GRAPHS)
        if offer.engine
    ]
    for name, count in _counted(graphs):
        node = NamedNode(f"{endpoint}#graph-{quote(name.value.removeprefix(vocab.SOURCES))}")
        graph = NamedNode(f"{node.value}-content")
        statements += [
            (dataset, "sd:namedGraph", node),
            (node, "rdf:type", _named("sd:NamedGraph")),
            (node, "sd:name", name),
            (node, "sd:graph", graph),
            (graph, "rdf:type", _named("sd:Graph")),
            (graph, "void:triples", count),
        ]
    assert isinstance(chosen.engine, RdfFormat)
    content = serialize(
        (Triple(s, _named(p), o) for s, p, o in statements),
        format=chosen.engine,
        prefixes=vocab.PREFIXES if chosen.engine == RdfFormat.TURTLE else None,
    )
    assert content is not None
    return content


GRAPHS_QUERY = "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g ORDER BY ?g"
"""Lists the named graphs for :func:`service_description`."""


def _counted(graphs: Answer) -> Iterable[tuple[NamedNode, Literal]]:
    for name, count in graphs.rows:
        assert isinstance(name, NamedNode) and isinstance(count, Literal)
        yield name, count


def _named(name: str) -> NamedNode:
    return NamedNode(vocab.expand(name))
