"""The seam between those who ask queries and what evaluates them.

:class:`Engine` is all that the server and its pages know. There are the pool of processes on a
release (:mod:`digiden_kg.engine.pool`), another SPARQL engine over HTTP
(:mod:`digiden_kg.engine.remote`) and, for publishing alone, a store in this process
(:mod:`digiden_kg.engine.local`). Federation (:mod:`digiden_kg.engine.federation`) stands in front.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from pyoxigraph import QueryResultsFormat, parse_query_results

from digiden_kg.exceptions import QueryLengthError, QuerySizeError
from digiden_kg.results import TABLES, Answer, Format, RowCount, read_answer

PAGE = 16 << 20
"""Bytes of a result, as JSON, that a page may be made of."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use, and how many may wait."""

    deadline: float = 10.0
    """Seconds of evaluation; also the longest wait for a worker."""
    memory: int = 1 << 30
    """Bytes of memory."""
    max_rows: int = 2_000_000
    """Rows of a table."""
    max_bytes: int = 256 << 20
    """Bytes of a serialised result."""
    max_query: int = 1 << 20
    """Bytes of the text of a query."""
    queue: int = 128
    """Queries that may wait, in each lane."""
    quick: float = 0.15
    """Seconds of processor time after which a query leaves the quick lane."""
    in_memory: int = 5_000_000
    """Statements up to which a dataset is held in memory; a larger one is read from disk."""

    def of_time(self, timeout: float | None) -> float:
        """Return the seconds that a query may take which asked for fewer."""
        return min(timeout, self.deadline) if timeout and timeout > 0 else self.deadline

    def check_length(self, query: str) -> None:
        """Refuse a text that is too long.

        Raises:
            QueryLengthError: It is.
        """
        longest = 4 * len(query)  # UTF-8 takes at most four bytes a character
        if longest > self.max_query and len(query.encode("utf-8", "replace")) > self.max_query:
            raise QueryLengthError(self.max_query)


@dataclass(frozen=True, slots=True)
class EngineState:
    """How an engine is."""

    release: str
    """What it answers from."""
    ready: bool
    """Whether a query that comes now will be evaluated without a start of anything."""
    workers: Mapping[str, int]
    """Processes: idle, quick and slow."""
    waiting: Mapping[str, int]
    """Queries that wait, by lane."""
    restarts: Mapping[str, int]
    """How often something had to be started again that nobody had ended, by what it was."""


class Tally:
    """How large an answer is up to now."""

    def __init__(self, format: Format, limits: Limits) -> None:
        self._rows, self._limits, self._bytes = RowCount(format), limits, 0

    def add(self, chunk: bytes, elapsed: float) -> None:
        """Take the next piece of it, after some seconds.

        Raises:
            QuerySizeError: It is too large with this.
        """
        self._bytes += len(chunk)
        if self._bytes > self._limits.max_bytes:
            raise QuerySizeError("bytes", self._limits.max_bytes, elapsed)
        self._rows.add(chunk)
        if self._rows.table_rows > self._limits.max_rows:
            raise QuerySizeError("rows", self._limits.max_rows, elapsed)

    @property
    def rows(self) -> int | None:
        """Rows up to now; None where the format has none."""
        return self._rows.rows


class Source(Protocol):
    """Where the rest of an answer comes from."""

    async def next(self) -> bytes | None:
        """Return the next chunk, None at the end; see :class:`Engine` for what it raises."""
        ...

    async def aclose(self) -> None:
        """End the evaluation, if it has not ended."""
        ...


class Reply(AsyncIterator[bytes]):
    """The chunks of an answer, and the release that gave it.

    Iterating raises where the answer breaks off; whoever passes chunks on must then make sure that
    the answer does not look whole. Closing a reply ends its evaluation.
    """

    def __init__(
        self,
        release: str,
        held: Iterable[bytes],
        source: Source | None,
        tally: Tally | None = None,
    ) -> None:
        self.release, self._tally = release, tally
        self._held = deque(held)
        self._source = source

    def whole(self) -> bytes | None:
        """Return everything, where nothing is still to come; None where the evaluation goes on."""
        return None if self._source is not None else b"".join(self._held)

    @property
    def rows(self) -> int | None:
        """Rows that have come from the engine up to now; None where nobody counts."""
        return self._tally.rows if self._tally else None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._held:
            return self._held.popleft()
        if self._source is not None:
            try:
                chunk = await self._source.next()
            except BaseException:
                await self.aclose()
                raise
            if chunk is not None:
                return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the evaluation, if it has not ended."""
        self._held.clear()
        if self._source is not None:
            source, self._source = self._source, None
            await source.aclose()


class Query(NamedTuple):
    """A query, what it is asked of, and how the answer is wanted."""

    text: str
    format: Format
    """How the answer is written."""
    base_iri: str | None = None
    """What relative IRIs are relative to."""
    default_graphs: Sequence[str] = ()
    """Graphs that together are the default graph, instead of the query's."""
    named_graphs: Sequence[str] = ()
    """Graphs that the query may name, instead of its own."""
    timeout: float | None = None
    """Seconds that it may take, if fewer than the limit."""
    client: str | None = None
    """Who asks; clients take turns where queries have to wait."""


class Engine(Protocol):
    """What answers queries."""

    @property
    def release(self) -> str:
        """What it answers from."""
        ...

    async def evaluate(self, query: Query) -> Reply:
        """Return an answer as soon as it is known that there is one.

        Raises:
            QuerySyntaxError: The text is no query.
            QueryForbidden: It asks for federation or is an update.
            QueryLimitError: It broke a limit; the subclass says which.
            QueryBusy: No worker was free in time.
            QueryInterrupted: Whatever evaluated it ended.
            QueryError: It cannot be evaluated.
        """
        ...

    def state(self) -> EngineState:
        """Say how the engine is, at once."""
        ...

    async def switch(self, dataset: Path, release: str | None = None) -> None:
        """Answer from another dataset from now on; queries that run finish on the old one.

        The engine answers from it in the moment in which this returns, not before.

        Raises:
            ReleaseError: It cannot be read, or is not this engine's to change; the old one stays.
        """
        ...


class Begun(Protocol):
    """A query under way for which no task waits yet."""

    def give_up(self) -> bool:
        """Stop if nothing was evaluated yet, and say whether that is so; nothing is told then."""
        ...

    async def reply(self) -> Reply:
        """Return the answer as soon as it is known that there is one; see :class:`Engine`."""
        ...

    def close(self) -> None:
        """End the evaluation of which nobody asked for the reply."""
        ...


class Prompt(ABC):
    """An engine that needs no task for a query which it answers in a moment."""

    @abstractmethod
    def begin(self, query: Query, done: Callable[[Reply | Begun], None]) -> Begun:
        """Begin to answer a query.

        Args:
            query: What is asked.
            done: Called later, and once: with the whole answer if it is there in a moment, or else
                with what this returned, of which somebody has to await the reply.

        Raises:
            QueryError: It is refused by its text.
        """
        ...


class Tabular(ABC):
    """An engine in this process, which has tables without writing and reading them."""

    @abstractmethod
    def table(
        self, query: str, *, default_graphs: Sequence[str] = (), named_graphs: Sequence[str] = ()
    ) -> Answer:
        """Return the table of a SELECT or ASK query.

        Raises:
            QueryError: It cannot be answered, see :meth:`Engine.evaluate`.
        """
        ...


async def select(
    engine: Engine,
    query: str,
    *,
    default_graphs: Sequence[str] = (),
    named_graphs: Sequence[str] = (),
    client: str | None = None,
) -> Answer:
    """Return the table of a SELECT or ASK query, for a page.

    Raises:
        QueryError: It cannot be answered, see :class:`Engine`; or it is too large for a page.
    """
    if isinstance(engine, Tabular):
        return engine.table(query, default_graphs=default_graphs, named_graphs=named_graphs)
    asked = Query(query, TABLES[0], None, default_graphs, named_graphs, client=client)
    return await read_table(await engine.evaluate(asked))


async def read_table(reply: Reply) -> Answer:
    """Return the table of an answer in JSON.

    Raises:
        QueryError: It broke off, or is too large for a page.
        SyntaxError, ValueError: It is none.
    """
    return read_answer(parse_query_results(await read_page(reply), format=QueryResultsFormat.JSON))


async def read_page(reply: Reply) -> bytes:
    """Return a whole answer, for a page.

    Raises:
        QueryError: It broke off, or is too large for a page.
    """
    content = bytearray()
    async for chunk in reply:
        content += chunk
        if len(content) > PAGE:
            await reply.aclose()
            raise QuerySizeError("bytes", PAGE)
    return bytes(content)
