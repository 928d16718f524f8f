"""Hostile clients over HTTP: whatever they do with their sockets, others are answered."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import httpx
import pytest
from conftest import serving
from test_faults import HOSTILE

from digiden_kg.release import Release

ENDLESS = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
HEAD = b"GET /sparql.csv?timeout=2&query=%s HTTP/1.1\r\nHost: x\r\n\r\n"
NOISE = [
    b"\x00" * 4096,
    b"GET /sparql?query=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /sparql?query=%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /sparql?query=ASK{}\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nquery=",
    b"POST /sparql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
    b"GET /sparql HTTP/1.1\r\n" + b"X: " + b"y" * (1 << 20) + b"\r\n\r\n",
]


@pytest.fixture(scope="module")
def server(tiny_environment: dict[str, str], tiny_release: Release) -> Iterator[str]:
    environment = {**tiny_environment, "DIGIDEN_DEADLINE": "10"}  # the attackers ask for 2
    with serving(environment, "--release", str(tiny_release.path)) as address:
        yield address


def connect(address: str, *, window: int | None = None) -> socket.socket:
    client = socket.socket()
    if window:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    client.settimeout(20)
    parts = urlsplit(address)
    client.connect((parts.hostname, parts.port))
    return client


@contextlib.contextmanager
def probing(address: str) -> Iterator[list[float]]:
    """Ask ``ASK {}`` all the time; none is refused, and hardly any waits.

    On a machine of its own 99 of 100 are answered in well under a second, which ``benchmarks/``
    measures. Here other tests have the processors too, so that 90 must do.
    """
    waits: list[float] = []
    wrong: list[str] = []
    over = threading.Event()

    def probe() -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            while not over.is_set():
                start = time.monotonic()
                # A query of its own each time, so that no answer comes from the cache.
                answer = client.get("/sparql", params={"query": f"ASK {{}} LIMIT {len(waits) + 1}"})
                waits.append(time.monotonic() - start)
                if answer.status_code != 200 or answer.json()["boolean"] is not True:
                    wrong.append(answer.text)
                time.sleep(0.01)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()
    assert not wrong
    assert len(waits) > 30
    assert sorted(waits)[len(waits) * 9 // 10] < 1


def test_slow_readers_hold_nobody_up(server: str) -> None:
    readers = []
    with probing(server) as waits:
        for _ in range(40):
            readers.append(connect(server, window=4096))
            readers[-1].sendall(HEAD % quote(ENDLESS).encode())
        while len(waits) < 150:
            for reader in readers[:5]:
                with contextlib.suppress(OSError):
                    reader.recv(1)
            time.sleep(0.05)
    for reader in readers:
        reader.close()


def test_a_slow_reader_is_cut_at_the_deadline(server: str) -> None:
    with connect(server, window=4096) as reader:
        reader.sendall(HEAD % quote(ENDLESS).encode())
        time.sleep(4)
        content = b""
        with contextlib.suppress(ConnectionError):
            while piece := reader.recv(1 << 20):
                content += piece
    assert content.startswith(b"HTTP/1.1 200")
    assert not content.endswith(b"\r\n0\r\n\r\n")


def test_half_closed_and_broken_connections_hold_nobody_up(server: str) -> None:
    with probing(server) as waits:
        for turn in range(60):
            with connect(server) as client:
                query = ENDLESS if turn % 2 else "ASK {}"
                client.sendall(HEAD % quote(query).encode())
                client.shutdown(socket.SHUT_WR)
                if turn % 3:
                    with contextlib.suppress(OSError):
                        client.settimeout(1)
                        client.recv(100)
        before = len(waits)
        while len(waits) < before + 60:
            time.sleep(0.05)


def test_noise_and_hostile_queries_over_http_hold_nobody_up(server: str) -> None:
    statuses: list[int] = []
    queries = [query for query in HOSTILE if query != ENDLESS] + [ENDLESS]
    queue = iter(queries)
    lock = threading.Lock()

    def attack() -> None:
        with httpx.Client(base_url=server, timeout=60) as client:
            while True:
                with lock:
                    query = next(queue, None)
                if query is None:
                    return
                try:
                    asked = {"query": query, "timeout": "2"}
                    with client.stream("POST", "/sparql.csv", data=asked) as answer:
                        statuses.append(answer.status_code)
                        for _ in answer.iter_raw():
                            pass
                except httpx.HTTPError:
                    statuses.append(0)  # cut after it began, which is what a client should see

    def shout() -> None:
        for noise in NOISE * 5:
            with connect(server) as client, contextlib.suppress(OSError):
                client.settimeout(0.3)
                client.sendall(noise)
                client.recv(100)

    with probing(server):
        threads = [threading.Thread(target=attack) for _ in range(4)]
        threads.append(threading.Thread(target=shout))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(statuses) >= len(queries)
    assert set(statuses) <= {0, 200, 400, 413, 503, 504, 507}
    # A busy machine may turn some of the impossible away before it has read them.
    assert statuses.count(400) + statuses.count(503) >= 50 > statuses.count(503)
    assert 413 in statuses
    for _ in range(200):
        state = httpx.get(f"{server}/health").json()
        if state["status"] == "ok" and state["workers"] == {"idle": 2, "quick": 0, "slow": 0}:
            break
        time.sleep(0.05)
    else:
        pytest.fail(str(state))
