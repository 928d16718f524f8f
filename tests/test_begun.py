"""Queries that begin without a task: they end as others do, and whoever goes on has all of it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from conftest import lines_about, serving, until
from fastapi import Request
from test_engine import CSV, DATASET, ENDLESS, JSON, NT, RUNAWAY, run

from digiden_kg.engine.pool import Pool
from digiden_kg.engine.seam import Begun, EngineState, Prompt, Query, Reply
from digiden_kg.exceptions import (
    QueryBusy,
    QueryForbidden,
    QuerySizeError,
    QuerySyntaxError,
    QueryTimeout,
)
from digiden_kg.results import Chosen
from digiden_kg.web.cache import ResultCache
from digiden_kg.web.sparql import Answers, SparqlRequest, Whole

LOOK_UP = "SELECT ?p ?o { ?s ?p ?o } ORDER BY ?p ?o LIMIT 5"
REST = {"idle": 2, "quick": 0, "slow": 0}


def begin(pool: Pool, query: Query) -> tuple[Begun, asyncio.Future[Reply | Begun]]:
    """Begin to answer a query; the future has what is told."""
    told: asyncio.Future[Reply | Begun] = asyncio.get_running_loop().create_future()
    return pool.begin(query, told.set_result), told


async def answer(pool: Pool, query: Query) -> bytes:
    """Return the whole answer to a query that began without a task."""
    begun, told = begin(pool, query)
    given = await told
    if not isinstance(given, Reply):
        assert given is begun
        given = await given.reply()
    return b"".join([chunk async for chunk in given])


@pytest.mark.parametrize(
    ("query", "format_"),
    [(LOOK_UP, JSON), (LOOK_UP, CSV), ("ASK {}", JSON), ("CONSTRUCT WHERE { ?s ?p ?o }", NT)],
)
def test_a_look_up_is_answered_as_by_a_task(query: str, format_: Any) -> None:
    async def test(pool: Pool) -> None:
        asked = Query(query, format_)
        _, told = begin(pool, asked)
        assert not told.done()  # never before it is known that it has begun
        given = await told
        reply = await pool.evaluate(asked)
        assert isinstance(given, Reply)
        assert given.whole() == reply.whole() != b""
        assert (given.rows, given.release) == (reply.rows, reply.release)
        assert pool.state().workers == REST

    run(test)


def test_many_wait_for_their_turns() -> None:
    async def test(pool: Pool) -> None:
        order: list[str] = []

        async def one(client: str) -> None:
            assert b"true" in await answer(pool, Query("ASK {}", JSON, client=client))
            order.append(client)

        await asyncio.gather(*(one("a") for _ in range(200)), one("b"), one("c"))
        assert order.index("b") <= 3
        assert order.index("c") <= 3
        assert len(order) == 202
        assert pool.state().workers == {**REST, "idle": 1}
        assert pool.state().waiting == {"quick": 0, "slow": 0}

    run(test, workers=1, deadline=30, queue=300)


def test_what_lasts_goes_on_where_it_is() -> None:
    async def test(pool: Pool) -> None:
        _, told = begin(pool, Query(RUNAWAY, JSON, timeout=0.5))
        started = time.monotonic()
        begun = await told
        assert not isinstance(begun, Reply)
        with pytest.raises(QueryTimeout):
            await begun.reply()
        assert 0.4 < time.monotonic() - started < 1.5
        begun, told = begin(pool, Query(ENDLESS, CSV))
        assert await told is begun
        reply = await begun.reply()
        assert reply.whole() is None
        assert pool.state().workers["slow"] == 1
        assert (await anext(reply)).startswith(b"a,b,c")
        await reply.aclose()
        await until(lambda: pool.state().workers == REST)

    run(test)


def test_errors_come_to_who_goes_on() -> None:
    async def test(pool: Pool) -> None:
        with pytest.raises(QuerySyntaxError) as error:
            await answer(pool, Query("SELECT {", JSON))
        assert error.value.line == 1
        with pytest.raises(QuerySizeError):
            await answer(pool, Query(LOOK_UP, CSV))
        with pytest.raises(QueryForbidden):
            begin(pool, Query("INSERT DATA { <http://e/a> <http://e/b> 1 }", JSON))
        await until(lambda: pool.state().workers == REST)

    run(test, max_rows=3)


def test_who_gives_up_in_the_queue_leaves_it() -> None:
    async def test(pool: Pool) -> None:
        running, first = begin(pool, Query("ASK {}", JSON))
        waiting, second = begin(pool, Query("ASK {}", JSON))
        _, third = begin(pool, Query("ASK {}", JSON))
        assert pool.state().waiting["quick"] == 2
        assert waiting.give_up()
        assert not waiting.give_up()
        assert pool.state().waiting["quick"] == 1
        assert not running.give_up()  # it is evaluated already, which is soon over
        assert isinstance(await first, Reply)
        assert isinstance(await third, Reply)
        assert not second.done()
        assert pool.state().workers == {**REST, "idle": 1}

    run(test, workers=1)


def test_a_queue_has_an_end_and_so_has_patience() -> None:
    async def test(pool: Pool) -> None:
        heavy = asyncio.create_task(answer(pool, Query(RUNAWAY, JSON, client="heavy")))
        await until(lambda: pool.state().workers["quick"] == 1)
        # Its share of the quick lane is a second of processor time.
        impatient, told = begin(pool, Query("ASK {}", JSON, timeout=0.1))
        begin(pool, Query("ASK {}", JSON))
        with pytest.raises(QueryBusy):
            begin(pool, Query("ASK {}", JSON))
        assert await told is impatient
        with pytest.raises(QueryBusy) as busy:
            await impatient.reply()
        assert busy.value.retry_after >= 1
        heavy.cancel()

    run(test, workers=1, quick=1, queue=2)


def test_a_worker_that_is_killed_is_not_missed() -> None:
    def kill(pool: Pool) -> None:
        for pid in list(pool._current.workers):
            os.kill(pid, signal.SIGKILL)

    async def test(pool: Pool) -> None:
        _, told = begin(pool, Query(RUNAWAY, JSON, timeout=2))
        begun = await told
        assert not isinstance(begun, Reply)
        kill(pool)
        with pytest.raises(QueryTimeout):  # begun anew
            await begun.reply()
        kill(pool)
        # Some find a worker that is gone, others a place and none: nobody waits for nothing.
        found = await asyncio.gather(*(answer(pool, Query(LOOK_UP, CSV)) for _ in range(1500)))
        assert len(set(found)) == 1
        assert found[0].count(b"\n") == 6
        await until(lambda: pool.state().workers == REST)

    run(test, deadline=60, queue=2000)


def test_what_nobody_goes_on_with_is_ended() -> None:
    async def test(pool: Pool) -> None:
        _, told = begin(pool, Query(RUNAWAY, JSON))
        begun = await told
        assert not isinstance(begun, Reply)
        assert pool.state().workers["quick"] == 1
        begun.close()
        await until(lambda: pool.state().workers == REST)
        begun.close()

    run(test, deadline=60)


# --- Answers -------------------------------------------------------------------------------------


class Hand(Prompt):
    """An engine that is worked by hand."""

    release = "r"

    def __init__(self) -> None:
        self.done: list[Callable[[Reply | Begun], None]] = []
        self.asked = self.closed = 0
        self.in_queue = True

    def state(self) -> EngineState:
        return EngineState(self.release, True, {}, {}, {})

    async def switch(self, dataset: Path, release: str | None = None) -> None:
        raise NotImplementedError

    async def evaluate(self, query: Query) -> Reply:
        self.asked += 1
        return Reply(self.release, [b"by a task"], None)

    def begin(self, query: Query, done: Callable[[Reply | Begun], None]) -> Begun:
        self.done.append(done)
        return self

    def give_up(self) -> bool:
        return self.in_queue

    async def reply(self) -> Reply:
        await asyncio.sleep(0)
        return Reply("r", [b"went ", b"on"], None)

    def close(self) -> None:
        self.closed += 1


class Desk:
    """Asks the same as often as one likes."""

    def __init__(self) -> None:
        self.engine, self.cache = Hand(), ResultCache(1 << 20)
        self.answers = Answers(self.engine, self.cache)
        self.told: list[Whole | None] = []

    def scope(self) -> dict[str, Any]:
        return {
            **{"type": "http", "method": "GET", "path": "/sparql", "query_string": b"query=ASK{}"},
            **{"http_version": "1.1", "headers": [], "client": ("192.0.2.1", 1)},
        }

    def begin(self, scope: dict[str, Any]) -> Callable[[], bool] | None:
        return self.answers.begin(scope, SparqlRequest("ASK{}"), self.chosen, self.told.append)

    async def go_on(self, scope: dict[str, Any]) -> bytes:
        async def receive() -> Any:
            await asyncio.sleep(60)

        request = Request(scope, receive)
        answer = await self.answers.answer(request, SparqlRequest("ASK{}"), self.chosen)
        return bytes(answer.body)

    chosen = Chosen(JSON, "application/json")


def test_an_answer_is_kept_and_sent_without_a_task() -> None:
    async def main() -> None:
        desk = Desk()
        assert desk.begin(desk.scope())
        desk.engine.done[0](Reply("r", [b"at ", b"once"], None))
        assert [answer and answer.body for answer in desk.told] == [b"at once"]
        assert not desk.cache.flights
        assert desk.begin(desk.scope()) is None  # it is at hand now
        assert await desk.go_on(desk.scope()) == b"at once"
        assert (desk.engine.asked, len(desk.engine.done)) == (0, 1)

    asyncio.run(main())


def test_a_task_goes_on_with_what_has_begun() -> None:
    async def main() -> None:
        desk, scope = Desk(), None
        scope = desk.scope()
        assert desk.begin(scope)
        assert desk.begin(desk.scope()) is None  # who wants the same waits for it, in a task
        equal = asyncio.create_task(desk.go_on(desk.scope()))
        await asyncio.sleep(0)
        desk.engine.done[0](desk.engine)
        assert desk.told == [None]
        assert await desk.go_on(scope) == b"went on" == await equal
        assert (desk.engine.asked, desk.engine.closed) == (0, 0)
        assert not desk.cache.flights

    asyncio.run(main())


def test_an_answer_of_another_release_is_not_given() -> None:
    async def main() -> None:
        desk = Desk()
        scope = desk.scope()
        assert desk.begin(scope)
        desk.engine.release = "s"
        desk.engine.done[0](Reply("s", [b"of the next"], None))
        assert desk.told == [None]
        assert await desk.go_on(scope) == b"by a task"
        begun = desk.scope()
        desk.cache.size = 0
        desk.answers._plans.clear()
        desk.cache._kept.clear()
        assert desk.begin(begun)
        desk.engine.done[1](desk.engine)  # whose reply is of the release before
        assert await desk.go_on(begun) == b"by a task"
        assert desk.engine.asked == 2
        assert not desk.cache.flights

    asyncio.run(main())


def test_nobody_waits_for_what_was_given_up() -> None:
    async def main() -> None:
        desk = Desk()
        give_up = desk.begin(desk.scope())
        assert give_up
        equal = asyncio.create_task(desk.go_on(desk.scope()))
        await asyncio.sleep(0)
        desk.engine.in_queue = False
        assert not give_up()
        desk.engine.in_queue = True
        assert give_up()
        assert await equal == b"by a task"
        assert not desk.cache.flights
        assert not desk.told

    asyncio.run(main())


def test_what_has_begun_is_closed_where_it_is_not_needed() -> None:
    async def main() -> None:
        desk = Desk()
        scope = desk.scope()
        assert desk.begin(scope)
        desk.engine.done[0](desk.engine)
        scope["headers"] = [(b"if-none-match", b"*")]
        assert await desk.go_on(scope) == b""
        assert desk.engine.closed == 1
        assert not desk.cache.flights

    asyncio.run(main())


# --- Over HTTP -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.log"


@pytest.fixture(scope="module")
def server(tiny_environment: dict[str, str], log: Path) -> Iterator[str]:
    environment = {
        **tiny_environment,
        "DIGIDEN_LOG": str(log),
        "DIGIDEN_WORKERS": "1",
        "DIGIDEN_QUICK": "1",
        "DIGIDEN_DEADLINE": "4",
    }
    with serving(environment, "--data", str(DATASET)) as address:
        yield address


def send(server: str, query: str) -> socket.socket:
    parts = urlsplit(server)
    client = socket.create_connection((parts.hostname, parts.port), timeout=20)
    path = f"/sparql?query={quote(query)}"
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n\r\n".encode())
    return client


def test_a_client_that_leaves_the_queue_is_noted_at_once(server: str, log: Path) -> None:
    with send(server, RUNAWAY):
        time.sleep(0.2)
        gone = "SELECT (1 AS ?gone) {}"
        send(server, gone).close()
        line = lines_about(log, gone, 1)[0]
        assert (line["outcome"], line["status"]) == ("gone", 499)
        assert line["seconds"] < 0.5
        assert httpx.get(f"{server}/health").json()["waiting"]["quick"] == 0
    assert httpx.get(f"{server}/sparql", params={"query": "ASK {}"}).status_code == 200


def test_who_asks_much_and_leaves_at_once_harms_no_worker(server: str) -> None:
    parts = urlsplit(server)
    before = httpx.get(f"{server}/health").json()["restarts"]
    for number in range(40):
        asked = "".join(
            f"GET /sparql?query={quote(f'SELECT ({number}{n} AS ?left) {{}}')} HTTP/1.1\r\n"
            "Host: x\r\nAccept: text/csv\r\n\r\n"
            for n in range(3)
        )
        with socket.create_connection((parts.hostname, parts.port)) as client:
            client.sendall(asked.encode())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            time.sleep(number % 4 / 1000)
    assert httpx.get(f"{server}/sparql", params={"query": "ASK {}"}).status_code == 200
    assert httpx.get(f"{server}/health").json()["restarts"] == before


def test_equal_queries_that_last_are_evaluated_once(server: str) -> None:
    heavy = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f FILTER(STRLEN(STR(?c)) < 2000) } #equal"
    clients = [send(server, heavy) for _ in range(4)]
    answers = [client.recv(1 << 16).partition(b"\r\n\r\n") for client in clients]
    for client in clients:
        client.close()
    assert len({body for _, _, body in answers}) == 1
    assert all(head.startswith(b"HTTP/1.1 200 OK") for head, _, _ in answers)
    assert sum(b"\r\nage:" in head for head, _, _ in answers) == 3


def test_a_deadline_is_told_as_ever(server: str) -> None:
    answer = httpx.get(
        f"{server}/sparql",
        params={"query": f"{RUNAWAY} #deadline", "timeout": "0.5"},
        headers={"Accept": "text/csv"},
    )
    assert answer.status_code == 504
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert 0.4 < answer.json()["elapsed"] < 2
