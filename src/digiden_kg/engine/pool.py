"""The engine on a dataset of our own: killable workers in two lanes.

Every query starts in the **quick lane**. What it answers there is held back (up to 128 KiB) until
it has ended. A query that has used up its budget of processor time, or has more to say, needs a
place in the **slow lane**, which has fewer and whose workers give way to all others. (By the clock,
look-ups would join the heavy queries whenever the machine is busy.) If a place is free, the worker
moves there with its query, which loses nothing; a new worker takes its place in the quick lane, as
soon as somebody needs one or the old one has been away for more than a moment. If none is free, the
worker is killed and the query starts again when it is its client's turn; since nothing of it was
sent, nobody can tell. So a look-up waits for other look-ups alone, a long stream never blocks them,
and an answer always comes from one evaluation of one release.

Most queries have ended before a task that waits for them would pay. One that is *begun* has none:
it waits for its turn and for its worker by callbacks, and what lasts goes on in a task.

A worker is offered only when it is ready. One that was replaced, or grew, is not used again, so
memory goes back to its level; as long as there are heavy queries, its successor makes ready for the
next (:mod:`digiden_kg.engine.warming`). A generation is one release with its zygote and workers; a
pool starts the next one before it lets the old one finish.
"""

from __future__ import annotations

import asyncio
import functools
import json
import marshal
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from digiden_kg.engine.generation import Ended, Generation, Launched, Worker
from digiden_kg.engine.guard import DEPTH, SHORT, inspect
from digiden_kg.engine.lane import Lane, Turn
from digiden_kg.engine.seam import Begun, EngineState, Limits, Prompt, Query, Reply, Tally
from digiden_kg.engine.worker import DATA, END, ERROR, REQUEST
from digiden_kg.exceptions import (
    QueryBusy,
    QueryError,
    QueryForbidden,
    QueryInterrupted,
    QueryMemoryError,
    QueryNestingError,
    QuerySyntaxError,
    QueryTimeout,
)

_HELD = 128 * 1024
"""Bytes of an answer that are held back in the quick lane."""
_STARVED = 8
"""Times its budget that a query may stay in the quick lane while others have the processors."""
_SOON = 0.02
"""Seconds after which somebody waits for a query; most have ended by then."""
_MOMENT = 0.02
"""Seconds until a query is tried again whose worker was ended."""


class _Run:
    """One evaluation: a worker, in a place of a lane, until one of many things ends it."""

    def __init__(
        self, lane: Lane, worker: Worker, request: dict[str, Any], tally: Tally, memory: int
    ) -> None:
        self._lane, self.worker, self.tally, self._memory = lane, worker, tally, memory
        self.release = worker.generation.release
        self._started = self._entered = time.monotonic()
        self._limit: float = request["timeout"]
        self._timer: asyncio.TimerHandle | None = None
        self._expired = self._over = False
        worker.channel.send(REQUEST, marshal.dumps(request))

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    async def begin(self, budget: float) -> tuple[list[bytes], bool]:
        """Return what the query answers within seconds of processor time, and whether that is all.

        No more is returned than may be held back.
        """
        held: list[bytes] = []
        size = 0
        # What has begun without a task is taken to have had a processor up to now.
        end = self.worker.processor_time() - self._elapsed + budget
        until = self._started + _STARVED * budget
        left = max(0.0, min(budget, self._limit) - self._elapsed)
        while size < _HELD:
            try:
                chunk = await self._next(left)
            except TimeoutError:
                if (rest := self._limit - self._elapsed) <= 0:
                    self._expire()
                    continue
                left = min(end - self.worker.processor_time(), until - time.monotonic(), rest)
                if left <= 0:
                    break
                continue
            if chunk is None:
                return held, True
            held.append(chunk)
            size += len(chunk)
        self.set_alarm()
        return held, False

    def set_alarm(self) -> None:
        """End the evaluation when its time is over; most end before there is a need for this."""
        rest = self._limit - self._elapsed
        self._timer = asyncio.get_running_loop().call_later(rest, self._expire)

    async def next(self) -> bytes | None:
        """Return the next chunk, None at the end; see :class:`Source`."""
        return await self._next(None)

    async def _next(self, patience: float | None) -> bytes | None:
        if self._expired:
            raise QueryTimeout(self._limit, self._elapsed)
        try:
            frame = await self.worker.channel.receive(patience)
        except Ended as error:
            raise await self._cause() from error
        return self._take(*frame)

    def come(self) -> list[bytes] | None:
        """Return the answer if all of it has come; otherwise all that has come stays.

        Raises:
            QuerySizeError: It is too large.
        """
        if self.worker.channel.last != END:
            return None
        held: list[bytes] = []
        while (chunk := self._take(*self.worker.channel.pop())) is not None:
            held.append(chunk)
        return held

    def _take(self, kind: bytes, content: bytes) -> bytes | None:
        if kind == DATA:
            self.tally.add(content, self._elapsed)
            return content
        if kind == ERROR:
            refusal = self._error(json.loads(content))
            self._end(usable=not isinstance(refusal, QueryMemoryError))
            raise refusal
        self._end(usable=not content)
        return None

    def move(self, lane: Lane) -> None:
        """Go on in another lane, in which a place was taken."""
        if self._over:
            lane.leave()
            return
        self._lane.leave(time.monotonic() - self._entered)
        self._lane, self._entered = lane, time.monotonic()
        self.worker.generation.move(self.worker)

    def close(self) -> None:
        """End the evaluation, if it has not ended."""
        self._end(usable=False)

    async def aclose(self) -> None:
        """End the evaluation, if it has not ended."""
        self.close()

    def _end(self, *, usable: bool) -> None:
        if not self._over:
            self._over = True
            if self._timer:
                self._timer.cancel()
            self.worker.generation.give_back(self.worker, usable=usable)
            self._lane.leave(time.monotonic() - self._entered)

    def _expire(self) -> None:
        self._expired = True
        self.close()

    async def _cause(self) -> QueryError:
        """Return why the worker has ended."""
        elapsed = self._elapsed
        if self._expired:
            return QueryTimeout(self._limit, elapsed)
        status = await asyncio.shield(self.worker.status)
        self.close()
        if status == -signal.SIGALRM:
            return QueryTimeout(self._limit, elapsed)
        if status in (-signal.SIGABRT, -signal.SIGBUS):
            return QueryMemoryError(self._memory, elapsed)
        if status == -signal.SIGSEGV:
            return QueryNestingError(DEPTH, elapsed)
        return QueryInterrupted(f"status {status}")

    def _error(self, report: dict[str, Any]) -> QueryError:
        kind, message = report["kind"], report["message"]
        if kind == "syntax":
            return QuerySyntaxError(message, report["line"], report["column"])
        if kind == "memory":
            return QueryMemoryError(self._memory, self._elapsed)
        if kind == "nesting":
            return QueryNestingError(DEPTH)
        if kind == "forbidden":
            return QueryForbidden(message)
        return QueryError(message)


class _Begun:
    """A query for which no task waits: most have ended before one would have paid."""

    def __init__(
        self,
        lane: Lane,
        start: Callable[[], _Run | None],
        go_on: Callable[[_Run | None], Awaitable[Reply]],
        done: Callable[[Reply | Begun], None],
    ) -> None:
        self._lane, self._start, self._go_on, self._done = lane, start, go_on, done
        self._turn: Turn | None = None
        self._run: _Run | None = None
        self._error: QueryError | None = None

    def queue(self, client: str | None, patience: float) -> None:
        """Start when it is the client's turn.

        Raises:
            QueryBusy: The queue is full.
        """
        self._turn = self._lane.queue(client, patience, self.enter)

    def enter(self, refusal: QueryBusy | None = None) -> None:
        """Start in the lane, in which there is a place now, unless that was refused."""
        self._turn, self._error = None, refusal
        self._run = None if refusal else self._start()
        if self._run:
            self._run.worker.channel.listen(self._hear, _SOON)
        else:
            self._tell(self)

    def _hear(self) -> None:
        assert self._run
        run, held = self._run, None
        try:
            held = run.come()
        except QueryError as error:
            run.close()
            self._error = error
        self._tell(self if held is None else Reply(run.release, held, None, run.tally))

    def _tell(self, answer: Reply | Begun) -> None:
        # Whatever becomes of it there is no matter of the worker's connection; and nobody is told
        # before he knows what he began.
        asyncio.get_running_loop().call_soon(self._done, answer)

    def give_up(self) -> bool:
        """Stop if nothing was evaluated yet; see :class:`digiden_kg.engine.seam.Begun`."""
        turn, self._turn = self._turn, None
        if turn:
            self._lane.give_up(turn)
        return turn is not None

    async def reply(self) -> Reply:
        """Return the answer; see :class:`digiden_kg.engine.seam.Begun`."""
        if self._error:
            raise self._error
        run, self._run = self._run, None
        return await self._go_on(run)

    def close(self) -> None:
        """End what nobody asked for; see :class:`digiden_kg.engine.seam.Begun`."""
        if self._run:
            self._run.close()


class Pool(Prompt):
    """The engine on a dataset of our own. Use it as an asynchronous context manager."""

    def __init__(
        self,
        dataset: Path,
        *,
        workers: int = 2,
        slow: int | None = None,
        release: str | None = None,
        limits: Limits | None = None,
        launched: Launched | None = None,
    ) -> None:
        """Prepare a pool.

        Args:
            dataset: RDF file, folder of RDF files, or RocksDB folder.
            workers: Queries that the quick lane evaluates at a time.
            slow: Queries that the slow lane evaluates at a time; one fewer unless said.
            release: What answers say they come from; the name of the dataset unless said.
            limits: What a query may use.
            launched: A zygote that has begun to load the dataset already.
        """
        self.limits = limits or Limits()
        self._size = workers
        self._quick = Lane(workers, self.limits.queue)
        self._slow = Lane(slow or max(1, workers - 1), self.limits.queue)
        self._current = self._generation(dataset, release, launched)
        self._draining: set[asyncio.Task[None]] = set()
        self._switching = asyncio.Lock()
        self._restarts = {"zygote": 0, "worker": 0}

    def _generation(
        self, dataset: Path, release: str | None, launched: Launched | None = None
    ) -> Generation:
        return Generation(dataset, release or dataset.name, self._size, self.limits, launched)

    async def __aenter__(self) -> Self:
        await self._current.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        await self._current.close()
        await asyncio.sleep(0)  # lets the last sockets close

    async def switch(self, dataset: Path, release: str | None = None) -> None:
        """Answer from another dataset from now on; queries that run finish on the old one.

        Raises:
            ReleaseError: It cannot be read; the old one stays.
        """
        async with self._switching:
            following = self._generation(dataset, release)
            await following.start()
            old, self._current = self._current, following
            for what, count in old.restarts.items():
                self._restarts[what] += count
            task = asyncio.create_task(self._drain(old))
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)

    async def _drain(self, old: Generation) -> None:
        try:
            await old.drain()
        finally:
            await old.close()

    @property
    def release(self) -> str:
        """What it answers from."""
        return self._current.release

    def state(self) -> EngineState:
        """Say how the pool is."""
        now = self._current
        idle = len(now.idle)
        return EngineState(
            release=now.release,
            ready=bool(idle or self._quick.taken),
            workers={"idle": idle, "quick": self._quick.taken, "slow": self._slow.taken},
            waiting={"quick": self._quick.waiting, "slow": self._slow.waiting},
            restarts={what: n + now.restarts[what] for what, n in self._restarts.items()},
        )

    async def evaluate(self, query: Query) -> Reply:
        """Return an answer; see :class:`digiden_kg.engine.seam.Engine`."""
        return await self._evaluate(query, self._request(query))

    def begin(self, query: Query, done: Callable[[Reply | Begun], None]) -> Begun:
        """Begin to answer a query; see :class:`digiden_kg.engine.seam.Prompt`."""
        request = self._request(query)
        start = functools.partial(self._start_now, request, query)
        begun = _Begun(self._quick, start, functools.partial(self._evaluate, query, request), done)
        if self._quick.try_enter():
            begun.enter()
        else:
            begun.queue(query.client, request["timeout"])
        return begun

    def _request(self, query: Query) -> dict[str, Any]:
        """Return what a worker is asked; refuse what may not be asked."""
        self.limits.check_length(query.text)
        short = len(query.text) <= SHORT
        if short:
            inspect(query.text)
        return {
            "query": query.text,
            "inspect": not short,
            "format": query.format.name,
            "base_iri": query.base_iri,
            "default_graphs": list(query.default_graphs),
            "named_graphs": list(query.named_graphs),
            "timeout": self.limits.of_time(query.timeout),
        }

    async def _evaluate(
        self, query: Query, request: dict[str, Any], run: _Run | None = None
    ) -> Reply:
        """Return an answer, of an evaluation that has begun if there is one."""
        for _ in range(self._size + 1):
            try:
                return await self._begin(request, query, run)
            except QueryInterrupted:
                # Somebody else ended the worker, and nothing was sent: the query is not to blame.
                # Others may have ended with it, which is not known before they let go of all
                # their memory, so there are as many tries as workers, and one.
                run = None
                await asyncio.sleep(_MOMENT)
        return await self._begin(request, query)

    async def _begin(self, request: dict[str, Any], query: Query, run: _Run | None = None) -> Reply:
        run = run or await self._enter(self._quick, request, query)
        try:
            held, whole = await run.begin(self.limits.quick)
            if whole:
                return Reply(run.release, held, None, run.tally)
            if self._slow.try_enter():
                run.move(self._slow)
            else:
                run.close()
                held.clear()
                run = await self._enter(self._slow, request, query)
                run.set_alarm()
            if not held:
                if (chunk := await run.next()) is None:
                    return Reply(run.release, held, None, run.tally)
                held.append(chunk)
        except BaseException:
            run.close()
            raise
        return Reply(run.release, held, run, run.tally)

    async def _enter(self, lane: Lane, request: dict[str, Any], query: Query) -> _Run:
        # Whoever is next behind one query that takes all its time still has his turn.
        patience = request["timeout"]
        await lane.enter(query.client, patience)
        try:
            worker = await self._current.take(patience)
        except BaseException as error:
            lane.leave()
            if isinstance(error, TimeoutError):
                raise QueryBusy(lane.retry_after()) from error
            raise
        if lane is self._slow:
            worker.generation.move(worker)
        return self._start(lane, worker, request, query)

    def _start(self, lane: Lane, worker: Worker, request: dict[str, Any], query: Query) -> _Run:
        tally = Tally(query.format, self.limits)
        return _Run(lane, worker, request, tally, self.limits.memory)

    def _start_now(self, request: dict[str, Any], query: Query) -> _Run | None:
        """Start in the quick lane, in which a place was taken; None where no worker is ready."""
        if worker := self._current.take_ready():
            return self._start(self._quick, worker, request, query)
        # Not at once: the next in turn finds no worker either, and so on.
        asyncio.get_running_loop().call_soon(self._quick.leave)
        return None
