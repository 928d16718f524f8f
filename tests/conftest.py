"""Fixtures that several test modules share."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from pyoxigraph import RdfFormat, Store

from digiden_kg.build import build
from digiden_kg.questions import Question, load_question
from digiden_kg.register import Register, load_register
from digiden_kg.release import DATASET, Release, publish, staging
from digiden_kg.report import Report
from digiden_kg.settings import load_settings
from digiden_kg.web.access import query_hash

hypothesis.settings.register_profile("digiden", deadline=None)  # how fast is for benchmarks
hypothesis.settings.load_profile("digiden")
DATA = Path(__file__).parent / "data"
PROJECT = Path(__file__).parents[1]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what takes its time on a busy machine."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


def lines_about(log: Path, query: str, count: int = 1) -> list[dict[str, Any]]:
    """Lines of an access log about a query, as soon as there are so many."""
    for _ in range(200):  # a line is written after the answer has been sent
        parsed = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        found = [line for line in parsed if line.get("query") == query_hash(query)]
        if len(found) >= count:
            return found
        time.sleep(0.02)
    return found


def tree(pid: int) -> list[int]:
    """Processes under one."""
    found: list[int] = []
    queue = [pid]
    while queue:
        for task in Path(f"/proc/{queue.pop()}/task").glob("*/children"):
            try:
                children = [int(each) for each in task.read_text(encoding="ascii").split()]
            except OSError:
                continue
            found += children
            queue += children
    return found


def started(command: bytes) -> list[int]:
    """Processes that this one started, with something in their command line."""
    children = Path("/proc/self/task").glob("*/children")
    ours = [int(pid) for each in children for pid in each.read_text(encoding="ascii").split()]
    found = []
    for pid in ours:
        with contextlib.suppress(OSError):
            if command in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def zygotes() -> list[int]:
    """Zygotes that this process started, not those of a server that it started."""
    return started(b"engine.zygote")


def tree_memory() -> int:
    """Bytes that our zygotes and their workers use, what they share counted once."""
    total = 0
    for pid in (each for zygote in zygotes() for each in (zygote, *tree(zygote))):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        total += sum(int(each) for each in re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)) << 10
    return total


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--golden``, which rewrites the expected answers of the saved questions."""
    parser.addoption("--golden", action="store_true", help="rewrite tests/golden")


@pytest.fixture(scope="session")
def register() -> Register:
    """The register of the project."""
    return load_register(PROJECT / "data" / "register")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Release, Report]:
    """The release of the project's own tables, with the report of its checks.

    It is made once, whichever of the processes of a run needs it first.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    kept = shared / "built.pickle"
    with (shared / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            settings = dataclasses.replace(
                load_settings(), project_dir=PROJECT, out_dir=shared / "built"
            )
            kept.write_bytes(pickle.dumps(build(settings)))
    release: tuple[Release, Report] = pickle.loads(kept.read_bytes())
    return release


@pytest.fixture(scope="session")
def real_store(built: tuple[Release, Report]) -> Store:
    """What a build of the project makes, findings included; for reading only."""
    return built[0].open_store()


@pytest.fixture(scope="session")
def tiny_store() -> Store:
    """A few bodies, projects and statistics of the source; for reading only."""
    store = Store()
    store.bulk_load(path=DATA / "tiny.nq", format=RdfFormat.N_QUADS)
    return store


@pytest.fixture(scope="session")
def project_question() -> Question:
    """A question with a parameter of each kind."""
    return load_question(DATA / "questions" / "projects-of-a-body.rq")


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of the tiny dataset."""
    out = tmp_path_factory.mktemp("releases")
    with staging(out) as folder:
        shutil.copy(DATA / "tiny.nq", folder / DATASET)
        (folder / "report.html").write_text("<!doctype html><p>report</p>", encoding="utf-8")
        (folder / "report.csv").write_text("severity\n", encoding="utf-8")
        counts = {"triples": 97, "projects": 3, "services": 2, "bodies": 8, "findings": 0}
        return publish(folder, out, {"version": "0", "inputs": {}, "counts": counts})


@pytest.fixture(scope="session")
def tiny_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder that holds the questions of the tests and the queries of the pages."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(DATA / "questions", folder / "queries" / "questions")
    shutil.copy(PROJECT / "queries" / "columns.csv", folder / "queries")
    shutil.copytree(PROJECT / "queries" / "pages", folder / "queries" / "pages")
    return folder


@pytest.fixture(scope="session")
def tiny_environment(tiny_project: Path, tiny_release: Release) -> dict[str, str]:
    """Environment in which the command line works on the tiny release."""
    return {
        **os.environ,
        "DIGIDEN_PROJECT": str(tiny_project),
        "DIGIDEN_OUT": str(tiny_release.path.parent),
        "DIGIDEN_DEADLINE": "5",
        "DIGIDEN_WORKERS": "2",
        "DIGIDEN_LOG": "off",
        "DIGIDEN_DUMPS": "asked",
    }


@contextlib.contextmanager
def serving(environment: dict[str, str], *options: str) -> Iterator[str]:
    """Run a server process and give its address."""
    command = [sys.executable, "-m", "digiden_kg", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if address := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield address[0]
                break
        else:
            pytest.fail("the server did not start")
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM


@pytest.fixture(scope="session")
def live_server(tiny_environment: dict[str, str], tiny_release: Release) -> Iterator[str]:
    """Address of a server process that serves the tiny release."""
    with serving(tiny_environment, "--release", str(tiny_release.path)) as address:
        yield address


@pytest.fixture(scope="session")
def real_server(built: tuple[Release, Report], tiny_environment: dict[str, str]) -> Iterator[str]:
    """Address of a server process that serves the release of the project's own tables."""
    environment = {**tiny_environment, "DIGIDEN_PROJECT": str(PROJECT), "DIGIDEN_DEADLINE": "10"}
    with serving(environment, "--release", str(built[0].path)) as address:
        yield address


@pytest.fixture(scope="session")
def web(real_server: str) -> Iterator[httpx.Client]:
    """A client of that server."""
    with httpx.Client(base_url=real_server, timeout=60) as client:
        yield client
