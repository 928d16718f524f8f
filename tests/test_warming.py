"""While heavy queries come, a worker at rest makes the memory that it shares its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path

import pytest
from conftest import until

from digiden_kg.engine import generation, warming
from digiden_kg.engine.generation import Worker
from digiden_kg.engine.pool import Pool
from digiden_kg.engine.seam import Query, read_page
from digiden_kg.results import TABLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux says it")
STATEMENTS = 50_000
CSV = next(offer for offer in TABLES if offer.name == "csv")
ALL = "SELECT * { ?s ?p ?o }"


def heap_of(pid: int) -> tuple[int, int]:
    """Return the KiB of a process's heap that are resident, and that it shares."""
    maps = Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").partition("[heap]")[2]
    sizes = {name: int(size) for name, size in re.findall(r"(\w+):\s+(\d+) kB", maps)[:20]}
    return sizes["Rss"], sizes["Shared_Dirty"]


def faults(pid: int) -> int:
    """Return how often the kernel had to give a process a page."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[7])


async def rows(pool: Pool) -> int:
    content = await read_page(await pool.evaluate(Query(ALL, CSV)))
    return content.count(b"\n") - 1


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    file = tmp_path / "many.nt"
    file.write_text(
        "".join(f'<http://e/{n}> <http://e/p> "{n}" .\n' for n in range(STATEMENTS)),
        encoding="ascii",
    )
    return file


@pytest.fixture
def never_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no worker come back to the quick lane."""
    monkeypatch.setattr(generation, "_BRIEF", 0)


def only(pool: Pool) -> Worker | None:
    """Return the worker of the quick lane; none while its successor is on its way."""
    return next((each for each in pool._current.workers.values() if each.quick), None)


async def new(pool: Pool, before: Worker | None) -> Worker:
    """Wait for the successor of a worker."""
    await until(lambda: only(pool) not in (None, before) and pool.state().workers["idle"] == 1)
    worker = only(pool)
    assert worker
    return worker


async def heavy(pool: Pool) -> Worker:
    """Ask what takes a worker out of the quick lane, and return its successor."""
    before = only(pool)
    assert await rows(pool) == STATEMENTS
    return await new(pool, before)


@pytest.mark.usefixtures("never_back")
def test_a_worker_at_rest_copies_what_it_shares_after_a_heavy_query(dataset: Path) -> None:
    async def test() -> None:
        async with Pool(dataset, workers=1) as pool:
            await asyncio.sleep(0.5)
            first = await new(pool, None)
            resident, shared = heap_of(first.pid)
            assert shared > resident / 2 > 0
            worker = await heavy(pool)
            await until(lambda: heap_of(worker.pid)[1] == 0)
            before = faults(worker.pid)
            assert await rows(pool) == STATEMENTS
            assert faults(worker.pid) - before < resident / 4 / 2

    asyncio.run(test())


@pytest.mark.usefixtures("never_back")
def test_workers_share_again_when_heavy_queries_come_no_more(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_COOL", 1.0)

    async def test() -> None:
        async with Pool(dataset, workers=1) as pool:
            while not (warm := await heavy(pool)).warm:
                pass  # on a busy machine, even its successor may be there already
            cold = await new(pool, warm)
            await asyncio.sleep(0.5)
            assert not cold.warm
            assert heap_of(cold.pid)[1] > 0
            assert await pool.evaluate(Query("ASK {}", TABLES[0]))
            assert only(pool) is cold
            assert pool.state().restarts == {"zygote": 0, "worker": 0}

    asyncio.run(test())


@pytest.mark.usefixtures("never_back")
def test_a_busy_worker_is_replaced_when_it_is_given_back(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_COOL", 3600)

    async def test() -> None:
        async with Pool(dataset, workers=1) as pool:
            warm = await heavy(pool)
            assert warm.warm
            assert await pool.evaluate(Query("ASK {}", TABLES[0]))
            assert only(pool) is warm
            # The time is over, but who looks after the idle ones has not come by.
            pool._current._heavy_until = time.monotonic()
            assert await pool.evaluate(Query("ASK {}", TABLES[0]))
            assert not (await new(pool, warm)).warm

    asyncio.run(test())


@pytest.mark.usefixtures("never_back")
def test_a_worker_that_is_asked_meanwhile_answers(dataset: Path) -> None:
    async def test() -> None:
        async with Pool(dataset, workers=1) as pool:
            await heavy(pool)
            for pause in (0, 0.19, 0.2, 0.205, 0.21):
                await asyncio.sleep(pause)
                assert await rows(pool) == STATEMENTS

    asyncio.run(test())


def test_a_large_heap_stays_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "_MOST", 1000)
    assert not warming.Warming(range(4096, 8192))._rest
    assert warming.Warming(range(4096, 4596))._rest


def test_a_worker_that_was_away_for_a_moment_comes_back(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_BRIEF", 60)  # a busy machine has long moments

    async def test() -> None:
        async with Pool(dataset, workers=1) as pool:
            worker = only(pool)
            assert worker
            for _ in range(3):
                assert await rows(pool) == STATEMENTS
                assert only(pool) is worker
                assert pool.state().workers == {"idle": 1, "quick": 0, "slow": 0}
            assert worker.warm  # and so replaced in the end
            assert list(pool._current.workers) == [worker.pid]
            await asyncio.sleep(0.3)
            assert os.getpriority(os.PRIO_PROCESS, worker.pid) == os.getpriority(os.PRIO_PROCESS, 0)

    asyncio.run(test())


def test_a_worker_that_is_away_is_replaced_when_another_is_needed(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_BRIEF", 60)

    async def test() -> None:
        async with Pool(dataset, workers=1) as pool:
            worker = only(pool)
            assert worker
            stream = await pool.evaluate(Query("SELECT * { ?s ?p ?o . ?a ?b ?c }", CSV))
            assert pool.state().workers == {"idle": 0, "quick": 0, "slow": 1}
            assert await read_page(await pool.evaluate(Query("ASK {}", TABLES[0])))
            assert only(pool) not in (None, worker)
            assert os.getpriority(os.PRIO_PROCESS, worker.pid) > os.getpriority(os.PRIO_PROCESS, 0)
            await stream.aclose()
            await until(lambda: pool.state().workers == {"idle": 1, "quick": 0, "slow": 0})
            await until(lambda: worker.pid not in pool._current.workers)

    asyncio.run(test())
