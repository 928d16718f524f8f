"""A pool of killable workers: the front side.

A worker that is past its time is killed and another takes its place; a worker is offered only when
it has loaded the dataset, so that no query pays for a start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Protocol, Self

from pyoxigraph import Literal, QueryResultsFormat, QuerySolutions, parse_query_results

from digiden_kg.engine.worker import DATA, END, ERROR, HEADER, REQUEST
from digiden_kg.exceptions import (
    QueryBusy,
    QueryError,
    QueryMemoryError,
    QuerySyntaxError,
    QueryTimeout,
    ReleaseError,
)
from digiden_kg.results import TABLES, Answer, Format, read_answer
from digiden_kg.syntax import words

MEMORY = 1 << 30
"""Bytes that one query may use."""
PAGE = 16 << 20
"""Bytes of a result, as JSON, that a page may be made of."""
_PAUSE = 1.0
"""Seconds before a worker that could not start is tried again."""


class Engine(Protocol):
    """What answers queries."""

    async def evaluate(
        self,
        query: str,
        *,
        format: Format,
        base_iri: str | None = None,
        default_graphs: Sequence[str] = (),
        named_graphs: Sequence[str] = (),
        timeout: float | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Return the chunks of an answer as soon as it is known that there is one.

        The iterator raises when the answer breaks off; whoever passes chunks on must then make
        sure that the answer does not look whole.

        Raises:
            QuerySyntaxError: The text is no query.
            QueryTimeout: Nothing was known in time.
            QueryMemoryError: It needs more memory or stack than it may use.
            QueryBusy: No worker was free in time.
            QueryError: It cannot be evaluated.
        """
        ...


class _Worker:
    """A worker process and the channel to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process, self._reader, self._writer = process, reader, writer
        self.busy = False
        self._expired = False

    @classmethod
    async def start(cls, dataset: Path, memory: int) -> Self:
        """Start a worker and wait until it has loaded the dataset.

        Raises:
            ReleaseError: It cannot load the dataset.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "digiden_kg.engine.worker"),
                    *(str(theirs.fileno()), str(dataset), str(memory)),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except BaseException:
                writer.close()
                raise
        worker = cls(process, reader, writer)
        try:
            kind, content = await worker._receive()
        except BaseException:
            await worker.close()
            raise
        if kind != END:
            await worker.close()
            raise ReleaseError(f"{dataset} cannot be read: {json.loads(content)['message']}")
        return worker

    async def _receive(self) -> tuple[bytes, bytes]:
        try:
            kind, length = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            return kind, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise self._cause(await self.process.wait()) from error

    def _cause(self, status: int) -> QueryError:
        if self._expired or status == -signal.SIGALRM:
            return QueryTimeout(
                "the query ran longer than it may; narrow it down or add LIMIT"
                " / 時間の上限を超えました。条件を絞るか LIMIT を付けてください。"
            )
        if status in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS):
            return QueryMemoryError(
                "the query needs more memory than it may use, or is nested too deeply"
                " / メモリの上限を超えたか、入れ子が深すぎます。"
            )
        return QueryError(
            f"the worker ended (status {status}); ask again"
            " / 処理が中断しました。もう一度お試しください。"
        )

    def ask(self, request: dict[str, object]) -> None:
        """Hand the worker a request; :meth:`next_chunk` brings the answer."""
        self.busy = True
        content = json.dumps(request).encode()
        self._writer.write(HEADER.pack(REQUEST, len(content)) + content)

    async def next_chunk(self) -> bytes | None:
        """Return the next piece of the answer, None at its end.

        Raises:
            QueryError: The worker reports an error, or has ended.
        """
        kind, content = await self._receive()
        if kind == DATA:
            return content
        self.busy = False
        if kind == ERROR:
            raise _error(json.loads(content))
        return None

    def expire(self) -> None:
        """Kill the worker because its query is past its time; it never counts as free again."""
        self._expired = self.busy = True
        self.kill()

    def kill(self) -> None:
        """Kill the worker; the pool starts another."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def close(self) -> None:
        """Kill the worker and let go of everything that belongs to it."""
        self.kill()
        await self.process.wait()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def _error(report: dict[str, object]) -> QueryError:
    message, line, column = report["message"], report.get("line"), report.get("column")
    if report["kind"] == "syntax":
        assert isinstance(line, int | None) and isinstance(column, int | None)
        return QuerySyntaxError(str(message), line, column)
    return QueryError(str(message))


class Pool:
    """The engine that works on a dataset in memory, in processes of its own.

    Use it as an asynchronous context manager.
    """

    def __init__(
        self, dataset: Path, *, workers: int, deadline: float, memory: int = MEMORY
    ) -> None:
        """Prepare a pool.

        Args:
            dataset: N-Quads file that every worker loads.
            workers: Number of processes.
            deadline: Seconds that a query may take, and that it may wait for a worker.
            memory: Bytes that a query may use.
        """
        self._dataset, self._size, self._deadline, self._memory = dataset, workers, deadline, memory
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._keepers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        starts = (_Worker.start(self._dataset, self._memory) for _ in range(self._size))
        workers = await asyncio.gather(*starts, return_exceptions=True)
        self._keepers = [
            asyncio.create_task(self._keep(worker))
            for worker in workers
            if isinstance(worker, _Worker)
        ]
        failure = next((each for each in workers if isinstance(each, BaseException)), None)
        if failure:
            await self.__aexit__()
            raise failure
        return self

    async def __aexit__(self, *_: object) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, worker: _Worker) -> None:
        """Offer a worker; replace it whenever it ends."""
        while True:
            try:
                self._idle.put_nowait(worker)
                await worker.process.wait()
            finally:
                await worker.close()
            worker = await self._replace()

    async def _replace(self) -> _Worker:
        while True:
            try:
                return await _Worker.start(self._dataset, self._memory)
            except (ReleaseError, QueryError, OSError):
                await asyncio.sleep(_PAUSE)

    async def evaluate(
        self,
        query: str,
        *,
        format: Format,
        base_iri: str | None = None,
        default_graphs: Sequence[str] = (),
        named_graphs: Sequence[str] = (),
        timeout: float | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Return the chunks of an answer; see :class:`Engine`."""
        if "SERVICE" in words(query):
            # A worker reaches no network in any case; this says so instead of finding nothing.
            raise QueryError(
                "SERVICE is not allowed: this endpoint asks no other"
                " / SERVICE は使えません。このエンドポイントは外部に問い合わせません。"
            )
        limit = min(timeout or self._deadline, self._deadline)
        chunks = self._run(
            {
                "query": query,
                "format": format.name,
                "base_iri": base_iri,
                "default_graphs": list(default_graphs),
                "named_graphs": list(named_graphs),
                "timeout": limit,
            },
            limit,
        )
        first = await anext(chunks, b"")
        return _chain(first, chunks)

    async def _run(self, request: dict[str, object], limit: float) -> AsyncGenerator[bytes, None]:
        worker = await self._take()
        timer = asyncio.get_running_loop().call_later(limit, worker.expire)
        try:
            worker.ask(request)
            while (chunk := await worker.next_chunk()) is not None:
                yield chunk
        finally:
            timer.cancel()
            if worker.busy:  # whoever asked is gone, or the worker is
                worker.kill()
            else:
                self._idle.put_nowait(worker)

    async def _take(self) -> _Worker:
        try:
            async with asyncio.timeout(self._deadline):
                while (worker := await self._idle.get()).process.returncode is not None:
                    pass
                return worker
        except TimeoutError as error:
            raise QueryBusy(
                "every worker is busy; ask again in a moment"
                " / 混み合っています。少し待ってからもう一度お試しください。"
            ) from error


async def _chain(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for chunk in rest:
            yield chunk
    finally:
        await rest.aclose()


async def select(
    engine: Engine,
    query: str,
    *,
    default_graphs: Sequence[str] = (),
    named_graphs: Sequence[str] = (),
) -> Answer:
    """Return the table of a SELECT or ASK query, for a page.

    Raises:
        QueryError: It cannot be answered, see :class:`Engine`; or it is too large for a page.
    """
    chunks = await engine.evaluate(
        query, format=TABLES[0], default_graphs=default_graphs, named_graphs=named_graphs
    )
    results = parse_query_results(await read_page(chunks), format=QueryResultsFormat.JSON)
    if isinstance(results, QuerySolutions):
        return read_answer(results)
    return Answer(("ask",), ((Literal(bool(results)),),))


async def read_page(chunks: AsyncGenerator[bytes, None]) -> bytes:
    """Return a whole answer, for a page.

    Raises:
        QueryError: It broke off, or is too large for a page.
    """
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > PAGE:
            await chunks.aclose()
            raise QueryError(
                "the result is too large for a page; add LIMIT, or take it in another format"
                " / 結果が大きすぎます。LIMIT を付けるか、ほかの形式で取得してください。"
            )
    return bytes(content)
