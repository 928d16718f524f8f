"""Faults that are really caused: processes are killed and strangers attack, and others answer."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from conftest import tree, tree_memory, until, zygotes

from digiden_kg.engine.pool import Pool
from digiden_kg.engine.seam import Limits, Query
from digiden_kg.exceptions import QueryError, QueryInterrupted, QueryLengthError, ReleaseError
from digiden_kg.release import DATASET as NAME
from digiden_kg.release import MANIFEST, Release, sha256
from digiden_kg.results import TABLES

DATASET = Path(__file__).parent / "data" / "tiny.nq"
JSON, CSV = TABLES[0], TABLES[2]
ENDLESS = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?o ?p }"
RUNAWAY = f"SELECT (COUNT(*) AS ?n) {ENDLESS[9:]}"


def run(test: Callable[[Pool], Awaitable[None]], *, workers: int = 2, **limits: float) -> None:
    async def main() -> None:
        bounds = Limits(
            **{
                "deadline": 10,
                "memory": 256 << 20,
                "max_bytes": 1 << 40,
                "max_rows": 1 << 40,
                **limits,
            }
        )
        async with Pool(DATASET, workers=workers, limits=bounds) as pool:
            await test(pool)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert zygotes() == []


async def ask(pool: Pool, query: str = "ASK {}", client: str | None = None) -> bytes:
    reply = await pool.evaluate(Query(query, format=JSON, client=client))
    return b"".join([chunk async for chunk in reply])


def processes() -> tuple[int, list[int]]:
    """The zygote, and its workers."""
    (zygote,) = zygotes()
    return zygote, tree(zygote)


def test_a_worker_killed_during_a_stream_breaks_that_stream_alone() -> None:
    async def test(pool: Pool) -> None:
        before = set(processes()[1])
        reply = await pool.evaluate(Query(ENDLESS, format=CSV))
        async for _ in reply:
            break
        # The one that streams is the one that is niced, once it has been away for a while.
        ours = os.getpriority(os.PRIO_PROCESS, 0)

        def niced() -> list[int]:
            return [pid for pid in before if os.getpriority(os.PRIO_PROCESS, pid) > ours]

        await until(lambda: len(niced()) == 1)
        (streaming,) = niced()
        os.kill(streaming, signal.SIGKILL)
        with pytest.raises(QueryInterrupted):
            async for _ in reply:
                pass
        assert b"true" in await ask(pool)
        assert pool.state().workers["slow"] == 0

    run(test)


def test_workers_killed_while_idle_or_busy_are_replaced_and_nobody_notices() -> None:
    async def test(pool: Pool) -> None:
        for _ in range(10):
            before = set(processes()[1])
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            assert b"true" in await ask(pool)
            await until(lambda: pool.state().workers["idle"] == 2)
            assert not before & set(processes()[1])
        counting = asyncio.create_task(ask(pool, "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f }"))
        await asyncio.sleep(0)
        for pid in processes()[1]:
            os.kill(pid, signal.SIGKILL)
        assert b'"9409"' in await counting
        assert pool.state().restarts["worker"] >= 20

    run(test)


def test_a_killed_zygote_is_replaced_while_its_workers_answer_on() -> None:
    async def test(pool: Pool) -> None:
        runaway = asyncio.create_task(ask(pool, RUNAWAY))
        await until(lambda: pool.state().workers["slow"] == 1)
        zygote, workers = processes()
        os.kill(zygote, signal.SIGKILL)
        assert b"true" in await ask(pool)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        assert b"true" in await ask(pool)
        assert pool.state().ready
        assert pool.state().restarts["zygote"] == 1
        # It had sent nothing, so it runs again, on a worker of the new zygote.
        await until(lambda: pool.state().workers["slow"] == 1)
        assert not runaway.done()
        runaway.cancel()

    run(test, deadline=60)


def test_a_zygote_without_its_dataset_is_tried_again(tmp_path: Path) -> None:
    dataset = tmp_path / NAME
    shutil.copy(DATASET, dataset)

    async def main() -> None:
        async with Pool(dataset, limits=Limits(deadline=5)) as pool:
            zygote, workers = processes()
            moved = dataset.rename(tmp_path / "moved")
            for pid in (zygote, *workers):
                os.kill(pid, signal.SIGKILL)
            await until(lambda: not pool.state().ready)
            answer = asyncio.create_task(ask(pool))
            await asyncio.sleep(0.5)
            moved.rename(dataset)
            assert b"true" in await answer

    asyncio.run(main())


def test_workers_end_with_the_server() -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from digiden_kg.engine.pool import Pool\n"
        "async def main():\n"
        "    async with Pool(Path(sys.argv[1])):\n"
        "        print(flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(DATASET)], stdout=subprocess.PIPE
    ) as server:
        assert server.stdout
        server.stdout.readline()
        started = tree(server.pid)
        assert len(started) == 3
        server.kill()
    deadline = time.monotonic() + 30
    while alive := [pid for pid in started if Path(f"/proc/{pid}/exe").exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.01)


@pytest.mark.parametrize("fault", ["missing", "no RDF", "a folder without RDF", "cut"])
def test_a_release_that_cannot_be_read_is_a_clear_error(fault: str, tmp_path: Path) -> None:
    dataset = tmp_path / NAME
    if fault == "a folder without RDF":
        dataset.mkdir()
    elif fault != "missing":
        text = DATASET.read_text(encoding="utf-8")
        dataset.write_text("no quads" if fault == "no RDF" else text[:-20], encoding="utf-8")

    async def main() -> None:
        async with Pool(dataset):
            pass

    with pytest.raises(ReleaseError, match=rf"{NAME} cannot be read: .*{NAME}"):
        asyncio.run(main())
    assert zygotes() == []


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    dataset = tmp_path / NAME
    shutil.copy(DATASET, dataset)
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
    code = (
        f"{limited} import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "import asyncio\n"
        "from pathlib import Path\n"
        "from digiden_kg.engine.pool import Pool\n"
        "from digiden_kg.engine.seam import Limits\n"
        "async def main():\n"
        "    async with Pool(Path(sys.argv[1]), limits=Limits(in_memory=10)): pass\n"
        "asyncio.run(main())\n"
    )

    found = subprocess.run(
        [sys.executable, "-c", code, str(dataset)], capture_output=True, text=True, check=False
    )

    assert found.returncode == 1
    assert "ReleaseError" in found.stderr.splitlines()[-1]
    assert NAME in found.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_damaged_release_ends_the_server_with_a_word(
    tiny_release: Release, tiny_environment: dict[str, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_release.path, tmp_path / tiny_release.name)
    (folder / NAME).write_text("no quads", encoding="utf-8")

    found = subprocess.run(
        [sys.executable, "-m", "digiden_kg", "serve", "--port", "0", "--release", str(folder)],
        env=tiny_environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert found.returncode == 1
    assert NAME in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("fault", ["a full disk", "a release of nonsense", "no admin socket"])
def test_a_server_that_cannot_start_says_why_and_ends(
    fault: str, tiny_release: Release, tiny_environment: dict[str, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_release.path, tmp_path / tiny_release.name)
    environment = dict(tiny_environment)
    limit, reason = "", "No such file"
    if fault == "a full disk":
        environment["DIGIDEN_IN_MEMORY"] = "10"  # so that a copy for the disk is made
        limit, reason = "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))", "File too large"
    elif fault == "a release of nonsense":  # its checksum is right
        (folder / NAME).write_text("no quads", encoding="utf-8")
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest["outputs"][NAME] = sha256(folder / NAME)
        (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        reason = f"{NAME} cannot be read"
    else:
        environment["DIGIDEN_ADMIN"] = str(tmp_path / "none" / "admin")
    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"{limit}\n"
        "from digiden_kg.cli import main\n"
        "main()\n"
    )

    found = subprocess.run(
        [sys.executable, "-c", code, "serve", "--port", "0", "--release", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert found.returncode == 1
    assert reason in found.stderr
    assert found.stderr.startswith("digiden-kg: ")
    assert "Traceback" not in found.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in tiny_release.path.iterdir()
    )


def nest(left: str, middle: str, right: str, head: str, tail: str) -> list[str]:
    return [
        head + left * depth + middle + (right * depth + tail) * closed
        for depth in (1_000, 10_000, 100_000)
        for closed in (0, 1)
    ]


_SOME = "http://e/"
HOSTILE = [
    *[RUNAWAY] * 8,
    *[ENDLESS] * 8,
    *["SELECT * { ?a (<x:a>|!<x:a>)* ?b . ?c (<x:a>|!<x:a>)* ?d . ?e (!<x:b>)* ?f }"] * 4,
    *["SELECT (GROUP_CONCAT(?x) AS ?y) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i BIND(STR(?a) AS ?x) }"] * 4,
    *["SELECT DISTINCT ?a ?d ?g { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?c ?f ?i"] * 4,
    *["SELECT * { ?s ?p ?o . ?d ?e ?f FILTER REGEX(STR(?o), '(a*)*(b*)*(.*)*$') }"] * 4,
    *["ASK { ?s ?p ?o FILTER REGEX(CONCAT(?o, ?o, ?o), '((.{0,200}){0,200}){0,200}x') }"] * 2,
    *nest("(", "1", ")", "SELECT (", " AS ?x) {}"),
    *nest("{", "", "}", "SELECT * {", "}"),
    *nest("ABS(", "1", ")", "SELECT (", " AS ?x) {}"),
    *nest("{SELECT*", "{}", "}", "SELECT * {", "}"),
    *nest("OPTIONAL {", "", "}", "SELECT * {", "}"),
    *nest("{ BIND(1 AS ?x) ", "", "}", "SELECT * {", "}"),
    *nest("(<x:a>/", "<x:a>", ")", "SELECT * { ?s ", " ?o }"),
    *nest("(", "1", ")", "SELECT * { ?s ?p ", " }"),
    *nest("[ <x:a> ", "1", "]", "SELECT * { ?s ?p ", " }"),
    *["SELECT * { {} " + "UNION {} " * times + "}" for times in (1_000, 10_000, 100_000)],
    *["SELECT * { " + "OPTIONAL { ?a ?b ?c } " * times + "}" for times in (1_000, 10_000)],
    *["SELECT (1" + "+1" * times + " AS ?x) {}" for times in (1_000, 10_000, 100_000)],
    *["SELECT * { ?s <x:a>" + "/<x:a>" * times + " ?o }" for times in (1_000, 10_000)],
    *["SELECT * { FILTER(1<" + "(" * times + "1>2) }" for times in (1_000, 10_000, 100_000)],
    "SELECT * { ?s ?p ?o FILTER(?s IN ("
    + ",".join(f"<{_SOME}{n}>" for n in range(10_000))
    + ")) }",
    "SELECT * { VALUES ?s {" + " ".join(f"<{_SOME}{n}>" for n in range(10_000)) + "} ?s ?p ?o }",
    "SELECT * { ?s ?p '" + "x" * (20 << 20) + "' }",
    "SELECT * { " + "?s ?p ?o . " * 80_000 + "}",
]


def test_look_ups_are_answered_while_a_hundred_hostile_queries_run() -> None:
    assert len(HOSTILE) >= 100

    async def test(pool: Pool) -> None:
        await asyncio.gather(*(ask(pool) for _ in range(20)))
        memory = tree_memory()
        waits: list[float] = []
        ends: dict[str, int] = {}
        queue = iter(HOSTILE)

        async def attack() -> None:
            for query in queue:
                end = "answer"
                try:
                    reply = await pool.evaluate(
                        Query(query, format=CSV, client="attacker", timeout=1)
                    )
                    async for _ in reply:
                        pass
                except QueryError as error:
                    end = type(error).__name__
                ends[end] = ends.get(end, 0) + 1

        async def probe() -> None:
            while True:
                start = time.monotonic()
                assert b"true" in await ask(pool, client="probe")
                waits.append(time.monotonic() - start)
                await asyncio.sleep(0.01)

        probing = asyncio.create_task(probe())
        await asyncio.gather(*(attack() for _ in range(6)))
        probing.cancel()
        with pytest.raises(asyncio.CancelledError):  # or what a refused probe raised
            await probing

        waits.sort()
        assert len(waits) > 50
        assert waits[len(waits) * 99 // 100] < 1
        assert sum(ends.values()) == len(HOSTILE)
        assert ends["QueryNestingError"] >= 50
        assert ends["QueryTimeout"] + ends["QueryBusy"] >= 20
        assert ends["QueryLengthError"] >= 1
        await until(lambda: pool.state().workers == {"idle": 2, "quick": 0, "slow": 0})
        await until(lambda: tree_memory() < memory + (32 << 20))
        with pytest.raises(QueryLengthError):
            await ask(pool, HOSTILE[-2])

    run(test)


def test_a_look_up_that_waits_for_a_processor_stays_in_the_quick_lane() -> None:
    async def test(pool: Pool) -> None:
        await ask(pool)
        _, workers = processes()
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        asking = asyncio.create_task(ask(pool))
        await asyncio.sleep(0.5)
        lanes = dict(pool.state().workers)
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        assert b"true" in await asking
        assert (lanes["quick"], lanes["slow"]) == (1, 0)

    run(test, quick=0.2)
