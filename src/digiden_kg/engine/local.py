"""The engine that is a store in this very process: for publishing, never for the public.

A query here cannot be stopped, so only queries of our own may come: those of pages.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    NamedNode,
    QueryResultsFormat,
    QueryTriples,
    Store,
    Triple,
    parse_query_results,
)

from digiden_kg.engine.guard import inspect
from digiden_kg.engine.seam import EngineState, Query, Reply, Tabular
from digiden_kg.engine.zygote import load
from digiden_kg.exceptions import QueryError, ReleaseError
from digiden_kg.results import Answer, Results, read_answer, write_results
from digiden_kg.syntax import syntax_error

_KEPT = 4
"""Answers that are kept, because one is asked for in all formats one after the other."""
_JSON = QueryResultsFormat.JSON


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """Say what the store does not like as every engine does."""
    try:
        yield
    except SyntaxError as error:
        raise syntax_error(error) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise QueryError(str(error)) from error


class Local(Tabular):
    """Answers from one dataset, in memory, one query at a time; see :class:`Engine`."""

    def __init__(self, dataset: Path, release: str) -> None:
        self._store = Store()
        self.release = release
        load(self._store, dataset)
        self._answer = functools.lru_cache(maxsize=_KEPT)(self._evaluate)

    async def evaluate(self, query: Query) -> Reply:
        """Return a whole answer; there is no limit of time."""
        output = io.BytesIO()
        with _in_words():
            graphs = tuple(query.default_graphs), tuple(query.named_graphs)
            answer = self._answer(query.text, *graphs, query.base_iri)
            results = parse_query_results(answer, _JSON) if isinstance(answer, bytes) else answer
            write_results(results, output, query.format)
        return Reply(self.release, [output.getvalue()], None)

    def _evaluate(
        self,
        query: str,
        default_graphs: tuple[str, ...],
        named_graphs: tuple[str, ...],
        base_iri: str | None,
    ) -> bytes | tuple[Triple, ...]:
        """Return an answer in a form from which every format can be written."""
        results = self._query(query, default_graphs, named_graphs, base_iri)
        if isinstance(results, QueryTriples):
            return tuple(results)
        answer = results.serialize(format=_JSON)
        assert answer is not None
        return answer

    def table(
        self, query: str, *, default_graphs: Sequence[str] = (), named_graphs: Sequence[str] = ()
    ) -> Answer:
        """Return the table of a SELECT or ASK query; see :class:`Tabular`."""
        with _in_words():
            results = self._query(query, default_graphs, named_graphs)
            assert not isinstance(results, QueryTriples), query
            return read_answer(results)

    def _query(
        self,
        query: str,
        default_graphs: Sequence[str],
        named_graphs: Sequence[str],
        base_iri: str | None = None,
    ) -> Results:
        inspect(query)
        default: list[NamedNode | BlankNode | DefaultGraph] = []
        default += [NamedNode(iri) for iri in default_graphs]
        named: list[NamedNode | BlankNode] = [NamedNode(iri) for iri in named_graphs]
        given = bool(default or named)
        return self._store.query(
            query,
            base_iri=base_iri,
            default_graph=default if given else None,
            named_graphs=named if given else None,
        )

    def state(self) -> EngineState:
        """Say that it is ready."""
        return EngineState(self.release, True, {}, {}, {})

    async def switch(self, dataset: Path, release: str | None = None) -> None:
        """Refuse: what is published is one release.

        Raises:
            ReleaseError: Always.
        """
        raise ReleaseError(
            "a site is published from one release / サイトは一つのリリースから公開されます。"
        )
