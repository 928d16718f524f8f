"""Measure the engine on a release: start, latency, replacement, attack, memory, switches.

    python benchmarks/engine.py [RELEASE FOLDER] [--seconds 60]

Without a folder it takes the current release. The attack is that of ``tests/test_faults.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pyoxigraph import RdfFormat, Store

from digiden_kg.engine.generation import _COOL
from digiden_kg.engine.pool import Pool
from digiden_kg.engine.seam import Engine, Limits, Query
from digiden_kg.exceptions import QueryError
from digiden_kg.release import DATASET, current_release
from digiden_kg.results import TABLES
from digiden_kg.settings import load_settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from conftest import tree, tree_memory, zygotes
from test_faults import HOSTILE

JSON, CSV = TABLES[0], TABLES[2]
SCAN = "SELECT (COUNT(?x) AS ?n) { ?s ?p ?o BIND(STRLEN(STR(?o)) AS ?x) }"
LIST = "SELECT * { GRAPH ?g { ?s ?p ?o } }"


async def ask(engine: Engine, query: str = "ASK {}", client: str | None = None) -> bytes:
    """Return a whole answer."""
    reply = await engine.evaluate(Query(query, format=CSV, client=client))
    return b"".join([chunk async for chunk in reply])


def say(what: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(f"{what:<58} {value:>10,.1f} {unit}", flush=True)


def part(values: list[float], share: float) -> float:
    """Return a quantile in milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


async def timed(work: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Return how long something takes, each time."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        await work()
        found.append(time.perf_counter() - start)
    return found


async def measure(dataset: Path, seconds: float) -> None:
    """Print every figure."""
    start = time.perf_counter()
    pool = Pool(dataset, workers=2, limits=Limits(deadline=2))
    async with pool:
        await ask(pool)
        say("start to first answer", (time.perf_counter() - start) * 1000, "ms")
        await asyncio.sleep(0.5)
        memory = tree_memory()
        say("zygote and two workers, idle", memory / (1 << 20), "MiB")
        say("ASK {}, p50", part(await timed(lambda: ask(pool), 2000), 0.5), "ms")
        start = time.perf_counter()
        many = [asyncio.create_task(timed(lambda: ask(pool), 100)) for _ in range(64)]
        await asyncio.gather(*many)
        say("ASK {}, 64 at a time", 6400 / (time.perf_counter() - start), "/s")
        await compare(pool, dataset)
        await replace(pool)
        await attack(pool, memory)
    await switches(dataset, seconds)


async def compare(pool: Pool, dataset: Path) -> None:
    """Print queries through the pool against the same in this process."""
    store = Store()
    store.bulk_load(path=dataset, format=RdfFormat.N_QUADS)
    for name, query in (("a scan", SCAN), ("a long list", LIST)):
        raw = []
        for _ in range(5):
            start = time.perf_counter()
            store.query(query).serialize(format=CSV.engine)
            raw.append(time.perf_counter() - start)
        own = await timed(lambda query=query: ask(pool, query), 5)
        say(f"{name} through the pool, against raw pyoxigraph", min(own) / min(raw), "x")


async def replace(pool: Pool) -> None:
    """Print the time from a kill -9 of every worker to an answer, and to a full pool."""
    answered, full = [], []
    for _ in range(30):
        workers = tree(zygotes()[0])
        start = time.perf_counter()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        await ask(pool)
        answered.append(time.perf_counter() - start)
        while pool.state().workers["idle"] < 2 or set(workers) & set(tree(zygotes()[0])):
            await asyncio.sleep(0.001)
        full.append(time.perf_counter() - start)
    say("all workers killed, to the next answer, p50", part(answered, 0.5), "ms")
    say("all workers killed, to the next answer, max", part(answered, 1), "ms")
    say("all workers killed, to a full pool, p50", part(full, 0.5), "ms")
    say("all workers killed, to a full pool, max", part(full, 1), "ms")


async def attack(pool: Pool, memory: int) -> None:
    """Print how look-ups fare while hostile queries run."""
    waits: list[float] = []
    ends: dict[str, int] = {}
    over: list[float] = []
    queue = iter(HOSTILE)
    peak = 0

    async def strike() -> None:
        for query in queue:
            end = "answer"
            try:
                await ask(pool, query, "attacker")
            except QueryError as error:
                end = type(error).__name__
                if end == "QueryTimeout":
                    over.append(error.elapsed - error.limit)
            ends[end] = ends.get(end, 0) + 1

    async def probe() -> None:
        nonlocal peak
        while True:
            start = time.perf_counter()
            await ask(pool, client="probe")
            waits.append(time.perf_counter() - start)
            peak = max(peak, tree_memory())
            await asyncio.sleep(0.02)

    probing = asyncio.create_task(probe())
    await asyncio.gather(*(strike() for _ in range(6)))
    assert not probing.done(), probing
    probing.cancel()
    print(f"{len(HOSTILE)} hostile queries, six at a time: {ends}")
    say("probes ASK {} meanwhile, none refused", len(waits), "")
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1)):
        say(f"probes, {name}", part(waits, share), "ms")
    say("deadline exceeded by, max", part(over, 1), "ms")
    say("memory, peak during the attack", peak / (1 << 20), "MiB")
    await asyncio.sleep(1)
    say("memory, after it against before", tree_memory() / memory, "x")
    await asyncio.sleep(_COOL + 1)
    say("the same, when workers are not made ready any more", tree_memory() / memory, "x")


async def switches(dataset: Path, seconds: float) -> None:
    """Switch a release every second under load; check every answer."""
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / DATASET
        shutil.copy(dataset, other)
        marks = {}
        for path, name in ((dataset, "a"), (other, "b")):
            marks[name] = path
        with other.open("a", encoding="utf-8") as file:
            file.write('<http://e/release> <http://e/release> "b" .\n')
        query = (
            "SELECT ?r ?s { { SELECT ?s { ?s ?p ?o } LIMIT 2000 }"
            " OPTIONAL { <http://e/release> <http://e/release> ?r } }"
        )
        counts = {"a": 0, "b": 0}
        waits: list[float] = []
        async with Pool(dataset, release="a", limits=Limits(deadline=10)) as pool:
            end = time.monotonic() + seconds

            async def load(client: str) -> None:
                while time.monotonic() < end:
                    start = time.perf_counter()
                    reply = await pool.evaluate(Query(query, format=CSV, client=client))
                    content = b"".join([chunk async for chunk in reply])
                    waits.append(time.perf_counter() - start)
                    rows = content.split(b"\r\n")[1:-1]
                    expected = b"b," if reply.release == "b" else b","
                    assert len(rows) == 2000
                    assert all(row.startswith(expected) for row in rows)
                    counts[reply.release] += 1

            async def turn() -> None:
                names = ["b", "a"]
                done = 0
                while time.monotonic() < end:
                    name = names[done % 2]
                    await pool.switch(marks[name], name)
                    done += 1
                    await asyncio.sleep(1)
                say(f"switches in {seconds:g} s", done, "")

            await asyncio.gather(turn(), *(load(str(n)) for n in range(4)))
        say("answers meanwhile, each checked, none failed", sum(counts.values()), str(counts))
        say("answers, p99", part(waits, 0.99), "ms")


async def large(statements: int) -> None:
    """Replace workers and switch the release on a dataset made for it; nobody else waits."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder) / DATASET
        with dataset.open("w", encoding="utf-8") as file:
            for n in range(statements):
                file.write(f'<http://e/s{n // 10}> <http://e/p{n % 10}> "value {n % 100003}" .\n')
        begin = time.perf_counter()
        async with Pool(dataset, limits=Limits(deadline=60, memory=4 << 30)) as pool:
            say(f"start on {statements:,} statements", time.perf_counter() - begin, "s")
            await ask(pool, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")
            await replace(pool)
            waits: list[float] = []

            async def probe() -> None:
                while True:
                    start = time.perf_counter()
                    await ask(pool)
                    waits.append(time.perf_counter() - start)
                    await asyncio.sleep(0.01)

            probing = asyncio.create_task(probe())
            begin = time.perf_counter()
            await pool.switch(dataset, "next")
            say("switch", time.perf_counter() - begin, "s")
            probing.cancel()
            say("probes ASK {} meanwhile", len(waits), "")
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1)):
                say(f"probes, {name}", part(waits, share), "ms")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--large", type=int, metavar="N", help="only: replace and switch at N")
    given = parser.parse_args()
    if given.large:
        asyncio.run(large(given.large))
        return
    folder = given.release or current_release(load_settings().out_dir).path
    asyncio.run(measure(folder / DATASET, given.seconds))


if __name__ == "__main__":
    main()
