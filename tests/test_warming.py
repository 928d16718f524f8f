"""A worker at rest makes the memory that it shares its own, and answers whenever it is asked."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path

import pytest

from digiden_kg.engine import warming
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


def test_a_worker_at_rest_copies_what_it_shares(dataset: Path) -> None:
    async def test() -> None:
        async with Pool(dataset, workers=1) as pool:
            (worker,) = pool._current.workers.values()
            resident, shared = heap_of(worker.pid)
            assert shared > resident / 2 > 0
            until = time.monotonic() + 20
            while shared and time.monotonic() < until:
                await asyncio.sleep(0.05)
                shared = heap_of(worker.pid)[1]
            assert shared == 0
            before = faults(worker.pid)
            assert await rows(pool) == STATEMENTS
            assert faults(worker.pid) - before < resident / 4 / 2

    asyncio.run(test())


def test_a_worker_that_is_asked_meanwhile_answers(dataset: Path) -> None:
    async def test() -> None:
        async with Pool(dataset, workers=1) as pool:
            for pause in (0, 0.19, 0.2, 0.205, 0.21):
                await asyncio.sleep(pause)
                assert await rows(pool) == STATEMENTS

    asyncio.run(test())


def test_a_large_heap_stays_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "_MOST", 1000)
    assert not warming.Warming(range(4096, 8192))._rest
    assert warming.Warming(range(4096, 4596))._rest
