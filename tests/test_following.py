"""Going over to a new release while the server runs: real processes, real signals, real sockets."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from conftest import DATA

from digiden_kg.build import input_hashes
from digiden_kg.release import DATASET, Release, publish, sha256, staging
from digiden_kg.settings import load_settings

PROJECTS: list[Path] = []
"""The project folder of the servers of this module."""
MARK = "https://w3id.org/digiden/id/mark"
ASKED = f"SELECT ?mark ?s {{ {{ SELECT ?s {{ ?s ?p ?o }} LIMIT 90 }} <{MARK}> <{MARK}> ?mark }}"


def make_release(out: Path, mark: str, *, current: bool = True) -> Release:
    """A release of the tiny dataset whose content names it."""
    with staging(out) as folder:
        shutil.copy(DATA / "tiny.nq", folder / DATASET)
        with (folder / DATASET).open("a", encoding="utf-8") as file:
            file.write(f'<{MARK}> <{MARK}> "{mark}" .\n')
        (folder / "report.html").write_text("<!doctype html><p>report</p>", encoding="utf-8")
        counts = {"triples": 98, "projects": 3, "services": 2, "bodies": 8, "findings": 0}
        manifest = {"version": mark, "inputs": inputs(), "counts": counts}
        return publish(folder, out, manifest, current=current)


def inputs() -> dict[str, str]:
    """What the files of the tiny project are, so that a server does not build them anew."""
    return input_hashes(dataclasses.replace(load_settings(), project_dir=PROJECTS[0]))


def point(out: Path, release: Release) -> None:
    """Make a release the current one."""
    (out / ".next").write_text(release.name, encoding="utf-8")
    (out / ".next").replace(out / "current")


@contextlib.contextmanager
def server(environment: dict[str, str], *options: str) -> Iterator[tuple[str, subprocess.Popen]]:
    command = [sys.executable, "-m", "digiden_kg", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if address := re.search(r"http://127\.0\.0\.1:\d+", line):
                    until(lambda: ready(address[0]))
                    yield address[0], process
                    break
        finally:
            process.kill()


def ready(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{address}/ready").status_code == 200
    return False


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def served(address: str) -> str:
    return str(httpx.get(f"{address}/health").json()["release"])


@pytest.fixture
def environment(tmp_path: Path, tiny_environment: dict[str, str]) -> dict[str, str]:
    PROJECTS[:] = [Path(tiny_environment["DIGIDEN_PROJECT"])]
    return {
        **tiny_environment,
        "DIGIDEN_OUT": str(tmp_path / "out"),
        "DIGIDEN_DEADLINE": "10",
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_a_new_current_release_is_served_everywhere(out: Path, environment: dict[str, str]) -> None:
    old = make_release(out, "a")
    with server(environment) as (address, _):
        assert served(address) == old.name
        tag = httpx.get(f"{address}/sparql.csv", params={"query": ASKED}).headers["ETag"]
        new = make_release(out, "b")
        until(lambda: served(address) == new.name)
        page = httpx.get(f"{address}/", headers={"Accept": "text/html"})
        assert new.name in page.text
        assert old.name not in page.text
        for path in ("/", "/health", "/sparql", "/sparql.csv?query=ASK{}", "/prefixes", "/none"):
            found = httpx.get(address + path).headers["Digiden-Release"]
            assert found == new.name, path
        answer = httpx.get(
            f"{address}/sparql.csv", params={"query": ASKED}, headers={"If-None-Match": tag}
        )
        assert answer.status_code == 200
        assert answer.text.splitlines()[1].startswith("b,")
        assert httpx.get(f"{address}/files/manifest.json").json()["release"] == new.name


def test_hang_up_and_the_admin_socket_look_again(
    out: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    releases = [make_release(out, mark) for mark in "abc"]
    point(out, releases[0])
    admin = Path(os.path.relpath(tmp_path_factory.mktemp("a") / "s"))
    with server({**environment, "DIGIDEN_ADMIN": str(admin)}) as (address, process):
        assert stat.S_IMODE(admin.stat().st_mode) == 0o600
        point(out, releases[1])
        process.send_signal(signal.SIGHUP)
        until(lambda: served(address) == releases[1].name)
        assert admin_says(admin, "GET /release") == (200, {"release": releases[1].name})
        point(out, releases[2])
        assert admin_says(admin, "POST /release") == (200, {"release": releases[2].name})
        assert served(address) == releases[2].name
        assert admin_says(admin, "GET /")[0] == 404
        second = subprocess.run(
            [sys.executable, "-m", "digiden_kg", "serve", "--port", "0"],
            env={**environment, "DIGIDEN_ADMIN": str(admin)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert second.returncode == 1
        assert "another server" in second.stderr
        assert admin_says(admin, "GET /release") == (200, {"release": releases[2].name})
        assert process.poll() is None


def admin_says(path: Path, request: str) -> tuple[int, dict[str, str]]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(15)
        client.connect(str(path))
        client.sendall(f"{request} HTTP/1.1\r\nHost: admin\r\nContent-Length: 0\r\n\r\n".encode())
        answer = client.makefile("rb").read().decode("utf-8")
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_a_release_that_is_damaged_is_refused_and_the_old_one_stays(
    out: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = make_release(out, "a")
    bad = make_release(out, "b", current=False)
    with bad.dataset.open("a", encoding="utf-8") as file:
        file.write("no RDF\n")
    admin = Path(os.path.relpath(tmp_path_factory.mktemp("a") / "s"))
    with server({**environment, "DIGIDEN_ADMIN": str(admin)}) as (address, _):
        point(out, bad)
        status, said = admin_says(admin, "POST /release")
        assert status == 409
        assert said["release"] == old.name
        assert "damaged" in said["why"]
        # Its checksum is right, so that only the engine can find out.
        manifest = json.loads((bad.path / "manifest.json").read_text(encoding="utf-8"))
        manifest["outputs"][DATASET] = sha256(bad.dataset)
        (bad.path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        status, said = admin_says(admin, "POST /release")
        assert status == 409
        assert "cannot be read" in said["why"]
        assert served(address) == old.name
        answer = httpx.get(f"{address}/sparql.csv", params={"query": ASKED})
        assert answer.text.splitlines()[1].startswith("a,")


def test_files_of_a_draft_are_read_again(tmp_path: Path, environment: dict[str, str]) -> None:
    file = tmp_path / "mine.ttl"
    file.write_text('<a> <b> "old" .', encoding="utf-8")
    with server(environment, "--data", str(file)) as (address, process):
        before = served(address)
        file.write_text('<a> <b> "new" .', encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        until(lambda: served(address) != before)
        answer = httpx.get(f"{address}/sparql.csv", params={"query": "SELECT ?o { ?s ?p ?o }"})
        assert answer.text == "o\r\nnew\r\n"


def test_a_killed_server_serves_the_same_release_when_started_again(
    out: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    release = make_release(out, "a")
    admin = Path(os.path.relpath(tmp_path_factory.mktemp("a") / "s"))
    for _ in range(2):
        with server({**environment, "DIGIDEN_ADMIN": str(admin)}) as (address, process):
            assert served(address) == release.name
            answer = httpx.get(f"{address}/sparql.csv", params={"query": ASKED})
            assert answer.text.count("\na,") == 90
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait(10) == -signal.SIGKILL
        assert admin.exists()  # nobody could tidy up


def test_a_release_every_second_for_a_minute_and_every_answer_is_of_one_release(
    out: Path, environment: dict[str, str]
) -> None:
    releases = [make_release(out, mark) for mark in "ab"]
    marks = {release.name: release.manifest["version"] for release in releases}
    counts = dict.fromkeys(marks, 0)
    failures: list[str] = []
    end = time.monotonic() + 60

    def load(address: str, path: str) -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            while time.monotonic() < end and not failures:
                answer = client.get(
                    path, params={"query": ASKED}, headers={"Accept": "text/csv, text/html;q=0.1"}
                )
                name = answer.headers["Digiden-Release"]
                if path == "/":
                    # A page names the release that it was made of.
                    right = name in answer.text
                else:
                    rows = answer.text.split("\r\n")[1:-1]
                    right = len(rows) == 90 and all(row.startswith(marks[name]) for row in rows)
                if answer.status_code != 200 or not right:
                    failures.append(f"{path}: {answer.status_code} {name} {answer.text[:200]}")
                counts[name] += 1

    with server({**environment, "DIGIDEN_CACHE": "0"}) as (address, _):
        threads = [
            threading.Thread(target=load, args=(address, path))
            for path in ("/sparql", "/sparql", "/sparql.csv", "/")
        ]
        for thread in threads:
            thread.start()
        turn = 0
        while time.monotonic() < end and not failures:
            turn += 1
            point(out, releases[turn % 2])
            time.sleep(1)
        for thread in threads:
            thread.join()
    assert not failures
    assert turn >= 50
    assert min(counts.values()) > 100
