"""The SPARQL 1.1 Graph Store HTTP Protocol, for reading.

A graph is one query over a dataset of that graph alone, so formats, limits, entity tags and cache
are those of the endpoint.
"""

from __future__ import annotations

from collections.abc import Collection

from fastapi import Request

from digiden_kg.web.problems import ProblemError
from digiden_kg.web.sparql import SparqlRequest, check_iri, parameters

_EVERYTHING = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }"


def read_request(request: Request, named: Collection[str]) -> SparqlRequest | None:
    """Return the query behind a request for a graph; None where the whole dataset is meant.

    Raises:
        ProblemError: It names no graph, several, or one that is not there.
    """
    pairs = parameters(request.scope["query_string"])
    graphs = [value for name, value in pairs if name == "graph"]
    default = any(name == "default" for name, _ in pairs)
    wanted = next((value for name, value in pairs if name == "format" and value), None)
    download = next((value or "graph" for name, value in pairs if name == "download"), None)
    if len(graphs) + default > 1:
        raise ProblemError(
            400,
            "request",
            "name one graph: ?graph=IRI or ?default"
            " / グラフは ?graph=IRI か ?default で一つだけ指定してください。",
        )
    if default:
        return SparqlRequest(_EVERYTHING, format=wanted, download=download)
    if not graphs:
        return None
    (graph,) = graphs
    check_iri(graph, "graph")
    if graph not in named:
        raise ProblemError(
            404,
            "graph",
            f"there is no graph {graph}; the service description lists them"
            f" / グラフ {graph} はありません。サービス記述に一覧があります。",
        )
    return SparqlRequest(_EVERYTHING, (graph,), format=wanted, download=download)
