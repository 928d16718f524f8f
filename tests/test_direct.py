"""Whole answers go out in one piece; nobody can tell by what is in them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from conftest import lines_about, serving, started
from hypothesis import given
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from digiden_kg.release import Release
from digiden_kg.web.protocol import DIRECT, Protocol

QUERY = "SELECT ?p { ?s ?p ?o } ORDER BY ?p LIMIT 3"
PATH = f"/sparql.csv?query={quote(QUERY)}"
PLAIN = {"Accept-Encoding": "identity"}
PROXY = {"X-Forwarded-For": "203.0.113.77"}
"""A request that passes by nothing, because the log needs to know who it is from."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.log"


@pytest.fixture(scope="module")
def server(tiny_environment: dict[str, str], tiny_release: Release, log: Path) -> Iterator[str]:
    environment = {**tiny_environment, "DIGIDEN_LOG": str(log)}
    with serving(environment, "--release", str(tiny_release.path)) as address:
        yield address


def talk(address: str, *requests: str) -> bytes:
    """Send requests at once, the last of which ends the connection; return all that comes."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as client:
        client.sendall("".join(requests).encode())
        content = b""
        while piece := client.recv(1 << 16):
            content += piece
    return content


def get(path: str = PATH, *headers: str, method: str = "GET", version: str = "1.1") -> str:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""])


def front_memory() -> int:
    """Bytes that the servers of this process have, without their workers."""
    statm = [Path(f"/proc/{pid}/statm") for pid in started(b"digiden_kg")]
    return sum(
        int(file.read_text(encoding="ascii").split()[1]) * resource.getpagesize() for file in statm
    )


def shown(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in ("age", "date")}


def test_an_answer_is_the_same_whichever_way_it_goes(server: str) -> None:
    with httpx.Client(base_url=server) as client:
        first, second = client.get(PATH), client.get(PATH)
        through = client.get(PATH, headers=PROXY)
        for answer in (second, through):
            assert (answer.status_code, answer.content) == (200, first.content)
            assert shown(answer) == shown(first)
            assert answer.headers["age"] == "0"
        assert first.content.count(b"\r\n") == 4
        known = {"If-None-Match": first.headers["etag"]}
        unchanged, through = (
            client.get(PATH, headers=known),
            client.get(PATH, headers={**known, **PROXY}),
        )
        for answer in (unchanged, through):
            assert (answer.status_code, answer.content) == (304, b"")
        assert shown(unchanged) == shown(through)
        assert unchanged.headers["etag"] == first.headers["etag"]
        assert "content-security-policy" in unchanged.headers
        assert "content-type" not in unchanged.headers


def test_head_has_no_body(server: str) -> None:
    with httpx.Client(base_url=server, headers=PLAIN) as client:
        whole = client.get(PATH)
        for _ in range(2):
            head = client.head(PATH)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.content))
            assert client.get(PATH).content == whole.content


@pytest.mark.parametrize("request_", [get(PATH, version="1.0"), get(PATH, "Connection: close")])
def test_a_client_that_wants_no_more_is_let_go(server: str, request_: str) -> None:
    body = httpx.get(server + PATH).content
    for _ in range(2):
        head, _, content = talk(server, request_).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"connection: close" in head.lower()
        assert content == body


def test_requests_in_one_piece_are_answered_in_their_order(server: str) -> None:
    new = PATH.replace(quote("LIMIT 3"), quote("LIMIT 2"))
    bodies = [httpx.get(server + PATH).content, httpx.get(server + new).content]
    fresh = "/sparql.csv?query=" + quote("SELECT (1 AS ?x) {}")
    content = talk(
        server, get(), get(fresh), get(new), get(method="HEAD"), get(PATH, "Connection: close")
    )
    parts = [part.rpartition(b"\r\n\r\n")[2] for part in content.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert parts == [bodies[0], b"x\r\n1\r\n", bodies[1], b"", bodies[0]]


def test_each_is_logged_and_counted(server: str, log: Path) -> None:
    def sums() -> dict[str, float]:
        text = httpx.get(f"{server}/metrics").text
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    query = "SELECT (2 AS ?x) {}"
    path, before = f"/sparql.csv?query={quote(query)}", sums()
    with httpx.Client(base_url=server, headers=PLAIN) as client:
        tag = client.get(path).headers["etag"]
        client.get(path)
        client.get(path, headers={"If-None-Match": tag})
        client.get(path, headers=PROXY)
    lines = lines_about(log, query, 4)
    assert [line["outcome"] for line in lines] == ["ok", "hit", "unchanged", "hit"]
    assert [line["status"] for line in lines] == [200, 200, 304, 200]
    assert [line["bytes"] for line in lines] == [6, 6, 0, 6]
    assert [line.get("rows") for line in lines] == [1, 1, None, 1]
    assert [line["client"] for line in lines] == ["127.0.0.0/24"] * 3 + ["203.0.113.0/24"]
    assert {line["path"] for line in lines} == {"/sparql.csv"}
    after = sums()
    assert after["digiden_query_seconds_count"] - before["digiden_query_seconds_count"] == 4
    assert after["digiden_response_bytes_total"] > before["digiden_response_bytes_total"] + 17
    for outcome, status in (("hit", 200), ("unchanged", 304)):
        name = f'digiden_requests_total{{status="{status}",outcome="{outcome}"}}'
        assert after[name] > before.get(name, 0)


def test_a_client_that_leaves_before_its_answer_harms_nobody(server: str) -> None:
    parts = urlsplit(server)
    for number in range(30):
        with socket.create_connection((parts.hostname, parts.port)) as client:
            fresh = quote(f"SELECT ({number} AS ?gone) {{}}")
            client.sendall(get(f"/sparql.csv?query={fresh}").encode())
            if number % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with contextlib.suppress(OSError):
        talk(server, get(), "GET / HTTP/9\r\n\r\n")
    assert httpx.get(server + PATH).status_code == 200


def test_who_asks_and_does_not_read_fills_no_memory(server: str) -> None:
    long = "SELECT ?x ?y { " + " ".join(
        f"VALUES ?{name} {{ {' '.join(str(n) for n in range(150))} }}" for name in "xy"
    )
    path = f"/sparql.csv?query={quote(long + ' }')}"
    size = len(httpx.get(server + path, headers=PLAIN).content)
    assert size > 100_000
    parts = urlsplit(server)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((parts.hostname, parts.port))
        client.settimeout(2)
        asked = get(path).encode()
        before, sent = front_memory(), 0
        with contextlib.suppress(TimeoutError):
            for _ in range(20):
                client.sendall(asked * 50)
                sent += 50
        assert sent * size > 100 << 20
        for _ in range(20):  # what was asked is answered meanwhile, if anything is
            time.sleep(0.1)
            assert front_memory() - before < 40 << 20
        assert httpx.get(server + PATH).status_code == 200


def test_requests_equal_to_the_byte_are_answered_as_the_first(server: str, log: Path) -> None:
    query = "SELECT (3 AS ?x) {}"
    fresh = f"/sparql.csv?query={quote(query)}"
    parts = urlsplit(server)

    def ask(client: socket.socket) -> tuple[list[bytes], bytes]:
        client.sendall(get(fresh, "User-Agent: again").encode())
        content = b""
        while not content.endswith(b"x\r\n3\r\n"):
            content += client.recv(1 << 16)
        head, _, body = content.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith((b"age:", b"date:"))]
        return sorted(lines), body

    with (
        socket.create_connection((parts.hostname, parts.port), timeout=20) as one,
        socket.create_connection((parts.hostname, parts.port), timeout=20) as other,
    ):
        answers = [ask(client) for client in (one, one, other, one, other, one)]
    assert all(answer == answers[0] for answer in answers)
    lines = lines_about(log, query, 6)
    assert [line["outcome"] for line in lines] == ["ok", *["hit"] * 5]
    assert {(line["client"], line["bytes"]) for line in lines} == {("127.0.0.0/24", 6)}


class Wire(asyncio.Transport):
    """Takes what a connection writes."""

    def __init__(self) -> None:
        super().__init__()
        self.content, self.closed = bytearray(), False

    def write(self, data: Any) -> None:
        self.content += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def head_of(path: str, *headers: str, method: str = "GET") -> bytes:
    return get(path, *headers, method=method).encode()


REQUESTS = {
    head_of("/a"): b"GET /a ",
    head_of("/a", "Accept: */*"): b"GET /a */*",
    head_of("/b?x=1"): b"GET /b ",
    head_of("/b?x=1", method="HEAD"): b"",
    head_of("/far"): b"GET /far ",
    head_of("/soon?x=1"): b"GET /soon ",
    head_of("/soon", "Accept: */*"): b"GET /soon */*",
    head_of("/late"): b"GET /late ",
    head_of("/late", method="HEAD"): b"",
    # What is written in no usual way is not read in ours.
    head_of("/%61"): b"GET /a ",
    head_of("/b#part"): b"GET /b ",
    head_of("/b?x=|\\"): b"GET /b ",
    # Were the body taken for a request, there would be one answer more.
    head_of("/a", f"Content-Length: {len(head_of('/a'))}", method="POST") + head_of("/a"): (
        b"POST /a " + head_of("/a")
    ),
    head_of("/a", f"Content-Length: {len(head_of('/a'))}") + head_of("/a"): b"GET /a ",
}


@given(
    st.lists(st.sampled_from(list(REQUESTS)), min_size=1, max_size=12),
    st.lists(st.integers(0, 1200), max_size=8),
)
def test_however_requests_come_each_has_its_own_answer(asked: list[bytes], cuts: list[int]) -> None:
    content = b"".join(asked)
    # Where they are not cut by chance, each comes alone, as most do, and so does a body.
    ends = {blank.end() for blank in re.finditer(rb"\r\n\r\n", content)}
    edges = {cut for cut in cuts if cut < len(content)} or ends
    pieces = [content[a:b] for a, b in pairwise(sorted({0, *edges, len(content)}))]
    assert asyncio.run(answered(pieces)) == [REQUESTS[each] for each in asked]


async def answered(pieces: list[bytes]) -> list[bytes]:
    """Return the bodies of all answers to what comes in pieces, on connections of one server."""

    def body_of(scope: Any) -> bytes:
        accept = dict(scope["headers"]).get(b"accept", b"")
        return b"%s %s %s" % (scope["method"].encode(), scope["path"].encode(), accept)

    def at_once(scope: Any) -> bool:
        if scope["path"] in ("/far", "/soon", "/late") or scope["method"] == "POST":
            return False
        hand_over(scope)
        return True

    def begin(scope: Any, otherwise: Any) -> Any:
        if scope["path"] not in ("/soon", "/late"):
            return None
        soon = scope["path"] == "/soon"
        asyncio.get_running_loop().call_soon(lambda: hand_over(scope) if soon else otherwise())
        return lambda: False

    def hand_over(scope: Any) -> None:
        body = body_of(scope)
        scope[DIRECT](200, [(b"content-length", b"%d" % len(body))], body)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = body_of(scope), scope["method"] == "POST"
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await asyncio.sleep(0)
        scope[DIRECT](200, [(b"content-length", b"%d" % len(body))], body)

    config = Config(app, http=Protocol, log_config=None)
    state = {"at_once": at_once, "begin": begin}
    found = []
    for _ in range(2):  # the second connection knows what the first has seen
        connection, wire = Protocol(config, ServerState(), state), Wire()
        connection.connection_made(wire)
        for piece in pieces:
            connection.data_received(piece)
            await asyncio.sleep(0)
        while connection.tasks or (connection.cycle and not connection.cycle.response_complete):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        found.append(re.split(rb"HTTP/1\.1 200 OK\r\n.*?\r\n\r\n", bytes(wire.content), flags=re.S))
    assert found[0] == found[1]
    return found[0][1:]


def test_what_came_before_is_not_taken_apart_again() -> None:
    async def run() -> None:
        def at_once(scope: Any) -> bool:
            body = scope["path"].encode() + scope["query_string"]
            scope[DIRECT](200, [(b"content-length", b"%d" % len(body))], body)
            return True

        config, state = Config(print, http=Protocol, log_config=None), {"at_once": at_once}
        wires = Wire(), Wire()
        for wire in wires:
            connection = Protocol(config, ServerState(), state)
            connection.connection_made(wire)
            connection.data_received(head_of("/a"))
            connection.parser = None
            connection.data_received(head_of("/a"))
            connection.data_received(head_of("/b?c=d"))  # with the same headers
            for another in (head_of("/b", "Accept: */*"), head_of("/b#c"), head_of("//b")):
                with pytest.raises(AttributeError):
                    connection.data_received(another)
        assert wires[0].content == wires[1].content
        bodies = re.findall(rb"\r\n\r\n(/[a-z=]+)", bytes(wires[0].content))
        assert bodies == [b"/a", b"/a", b"/bc=d"]

    asyncio.run(run())


def test_headers_of_requests_with_more_than_a_head_are_not_remembered() -> None:
    async def run() -> None:
        def at_once(scope: Any) -> bool:
            scope[DIRECT](200, [(b"content-length", b"0")], b"")
            return True

        config, state = Config(print, http=Protocol, log_config=None), {"at_once": at_once}
        connection = Protocol(config, ServerState(), state)
        connection.connection_made(Wire())
        for headers in (
            ("Content-Length: 0",),
            ("Transfer-Encoding: chunked",),
            ("Expect: 100-continue",),
            ("Connection: upgrade", "Upgrade: h2c"),
            ("Connection: close",),
            (f"Accept: {'x' * 1024}",),
        ):
            end = b"0\r\n\r\n" if headers[0].startswith("Transfer") else b""
            connection.data_received(head_of("/a", *headers) + end)
        assert not connection._heads
        connection = Protocol(config, ServerState(), state)
        connection.connection_made(Wire())
        for number in range(3000):
            connection.data_received(head_of("/a", f"Accept: {number}"))
        assert len(connection._heads) == 1024

    asyncio.run(run())


def test_who_goes_away_ends_what_has_begun() -> None:
    async def run() -> None:
        over: list[bool] = []

        def give_up() -> bool:
            over.append(True)
            return True

        state = {"begin": lambda *_: give_up}
        connection = Protocol(
            Config(print, http=Protocol, log_config=None), ServerState(), {**state}
        )
        connection.connection_made(Wire())
        connection.data_received(head_of("/a"))
        assert not connection.tasks
        connection.connection_lost(None)
        assert over == [True]

    asyncio.run(run())


def test_the_server_still_begins_an_answer_where_ours_are_handed_over() -> None:
    """Were it done elsewhere, everything would be answered as well, but more slowly."""
    assert "_start_asgi_task" in vars(HttpToolsProtocol)
