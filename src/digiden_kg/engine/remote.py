"""The engine that is another SPARQL 1.1 endpoint, over HTTP.

What is refused by text is refused here too, and time, size and waiting are bounded as they are for
our own workers. Memory is the remote's to bound; ending a request is how its query is ended.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from digiden_kg.engine.guard import inspect
from digiden_kg.engine.lane import Lane
from digiden_kg.engine.seam import EngineState, Limits, Query, Reply, Tally
from digiden_kg.exceptions import (
    FormatError,
    QueryBusy,
    QueryError,
    QueryInterrupted,
    QueryLengthError,
    QueryMemoryError,
    QuerySyntaxError,
    QueryTimeout,
    ReleaseError,
)
from digiden_kg.results import Format

_MESSAGE = 1000
"""Characters of a remote's error message that are passed on."""
_CONNECT = 5.0
"""Seconds in which a connection must stand."""
_RELEASE = "Digiden-Release"


class _Exchange:
    """A request to the remote, until one of many things ends it."""

    def __init__(self, remote: Remote, format: Format, limit: float) -> None:
        self.release = remote.release
        self._remote, self._format, self._limit = remote, format, limit
        self._started = time.monotonic()
        self.tally = Tally(format, remote.limits)
        self._response: httpx.Response | None = None
        self._chunks: Any = None
        self._over = False
        self._timer = asyncio.get_running_loop().call_later(limit, self._expire)
        self._expired = False

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    async def begin(self, client: httpx.AsyncClient, request: httpx.Request) -> None:
        """Send the request and wait for the head of the answer; see :class:`Engine`."""
        try:
            async with asyncio.timeout(self._limit):
                self._response = await client.send(request, stream=True)
                if self._response.status_code != httpx.codes.OK:
                    raise await self._refusal(self._response)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise QueryTimeout(self._limit, self._elapsed) from error
        except httpx.HTTPError as error:
            raise QueryInterrupted(f"{request.url.host}: {error}") from error
        given = self._response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given not in self._format.media_types:
            raise FormatError(
                f"the remote endpoint answered {given or 'something'} instead of"
                f" {self._format.media_types[0]} / 接続先が別の形式で答えました。",
                [given],
            )
        self.release = self._response.headers.get(_RELEASE, self.release)
        self._chunks = self._response.aiter_bytes()

    async def next(self) -> bytes | None:
        """Return the next chunk, None at the end; see :class:`Source`."""
        try:
            async with asyncio.timeout(self._limit - self._elapsed):
                chunk: bytes | None = await anext(self._chunks, None)
        except (TimeoutError, httpx.HTTPError) as error:
            if self._expired or isinstance(error, TimeoutError | httpx.TimeoutException):
                raise QueryTimeout(self._limit, self._elapsed) from error
            raise QueryInterrupted(str(error)) from error
        except httpx.StreamError as error:  # closed at the deadline while nobody was reading
            raise QueryTimeout(self._limit, self._elapsed) from error
        if chunk is None:
            await self.aclose()
            return None
        self.tally.add(chunk, self._elapsed)
        return chunk

    async def aclose(self) -> None:
        """End the request, if it has not ended."""
        if not self._over:
            self._over = True
            self._timer.cancel()
            self._remote.leave(self._elapsed)
            if self._response is not None:
                await self._response.aclose()

    def _expire(self) -> None:
        self._expired = True
        self._remote.spawn(self.aclose())

    async def _refusal(self, response: httpx.Response) -> QueryError:
        """Return what a status other than 200 means."""
        text = (await response.aread()).decode("utf-8", "replace")
        problem = _problem(text)
        message = str(problem.get("detail") or text or response.reason_phrase)[:_MESSAGE]
        limits, status = self._remote.limits, response.status_code
        if status in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.GATEWAY_TIMEOUT):
            return QueryTimeout(self._limit, self._elapsed)
        if status in (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS):
            after = response.headers.get("retry-after", "")
            return QueryBusy(int(after) if after.isdecimal() else 1)
        if status in (httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.REQUEST_URI_TOO_LONG):
            return QueryLengthError(limits.max_query)
        if status == httpx.codes.INSUFFICIENT_STORAGE:
            return QueryMemoryError(limits.memory, self._elapsed)
        # Engines answer 400 to every query that they do not like, syntax or not; a problem of our
        # own kind says which.
        kind = str(problem.get("type", "")).rpartition("/")[2]
        if status == httpx.codes.BAD_REQUEST and kind in ("", "syntax"):
            place = [problem.get(name) for name in ("line", "column")]
            line, column = (each if isinstance(each, int) else None for each in place)
            return QuerySyntaxError(message, line, column)
        return QueryError(f"{status}: {message}")


def _problem(text: str) -> Mapping[str, object]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


class Remote:
    """The engine that asks a SPARQL endpoint. Use it as an asynchronous context manager."""

    def __init__(
        self,
        address: str,
        *,
        workers: int = 8,
        release: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Prepare a remote engine.

        Args:
            address: URL of the endpoint.
            workers: Queries that it is sent at a time.
            release: What answers say they come from where the remote does not say so itself.
            limits: What a query may use.
        """
        self.limits = limits or Limits()
        self.release = release or address
        self._address = address
        self._lane = Lane(workers, self.limits.queue)
        timeout = httpx.Timeout(None, connect=_CONNECT)
        pool = httpx.Limits(max_connections=workers, max_keepalive_connections=workers)
        self._client = httpx.AsyncClient(timeout=timeout, limits=pool)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reachable = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def leave(self, stay: float) -> None:
        """Give a place back."""
        self._lane.leave(stay)

    def spawn(self, work: Any) -> None:
        """Do something that nobody waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def state(self) -> EngineState:
        """Say how the engine is; it is ready if the remote could be reached the last time."""
        return EngineState(
            release=self.release,
            ready=self._reachable,
            workers={"idle": self._lane.places - self._lane.taken, "quick": self._lane.taken},
            waiting={"quick": self._lane.waiting},
            restarts={},
        )

    async def switch(self, dataset: Path, release: str | None = None) -> None:
        """Refuse: what another engine answers from is not ours to change.

        Raises:
            ReleaseError: Always.
        """
        raise ReleaseError(
            f"{dataset}: another engine's data is changed there, not here"
            " / 外部エンジンのデータはここでは切り替えられません。"
        )

    async def evaluate(self, query: Query) -> Reply:
        """Return an answer; see :class:`digiden_kg.engine.seam.Engine`."""
        self.limits.check_length(query.text)
        inspect(query.text)
        limit = self.limits.of_time(query.timeout)
        base = f"BASE <{query.base_iri}> " if query.base_iri else ""
        request = self._client.build_request(
            "POST",
            self._address,
            data={
                "query": base + query.text,
                "default-graph-uri": list(query.default_graphs),
                "named-graph-uri": list(query.named_graphs),
            },
            headers={"Accept": query.format.media_types[0], "Accept-Encoding": "identity"},
        )
        await self._lane.enter(query.client, limit)
        exchange = _Exchange(self, query.format, limit)
        try:
            await exchange.begin(self._client, request)
            self._reachable = True
            first = await exchange.next()
        except BaseException as error:
            self._reachable = not isinstance(error, QueryInterrupted)
            await exchange.aclose()
            raise
        self.release = exchange.release
        if first is None:
            return Reply(exchange.release, (), None, exchange.tally)
        return Reply(exchange.release, (first,), exchange, exchange.tally)
