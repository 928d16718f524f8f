"""What the front keeps and notes: the cache, the access log, and data of somebody else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from conftest import lines_about, serving
from pyoxigraph import RdfFormat, parse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digiden_kg.engine.seam import EngineState, Query, Reply
from digiden_kg.exceptions import QueryError, QueryTimeout
from digiden_kg.release import FORMATS
from digiden_kg.results import TABLES, Chosen
from digiden_kg.web import access, coding
from digiden_kg.web.cache import Kept, ResultCache
from digiden_kg.web.sparql import Answers, SparqlRequest

ENDLESS = "SELECT * { " + " . ".join(f"?a{each} ?b{each} ?c{each}" for each in range(16)) + " }"

# --- The cache -----------------------------------------------------------------------------------


def test_the_cache_holds_no_more_bytes_than_it_may() -> None:
    cache = ResultCache(64 << 10)
    for number in range(100):
        cache.put(str(number), Kept(b"x" * 4000, None))
        assert cache.bytes <= cache.size
    assert 10 < len(cache) < 16
    assert cache.get("0") is None
    assert cache.get("99") is not None
    cache.put("large", Kept(b"x" * (cache.largest + 1), None))
    assert cache.get("large") is None


def test_what_is_used_stays() -> None:
    cache = ResultCache(64 << 10)
    cache.put("used", Kept(b"x" * 4000, None))
    for number in range(100):
        cache.put(str(number), Kept(b"x" * 4000, None))
        assert cache.get("used") is not None


def test_an_answer_that_is_made_again_counts_once() -> None:
    cache = ResultCache(64 << 10)
    for _ in range(3):
        cache.put("a", Kept(b"x" * 100, None))
    assert len(cache) == 1
    size = cache.bytes
    cache.put("a", Kept(b"x" * 50, None))
    assert cache.bytes == size - 50


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache = ResultCache(0)
    cache.put("a", Kept(b"", None))
    assert cache.get("a") is None


class Slow:
    """An engine that counts what it is asked, and answers when it is let."""

    def __init__(self, pieces: list[bytes], error: QueryError | None = None) -> None:
        self.asked, self.closed = 0, 0
        self.go = asyncio.Event()
        self._pieces, self._error = pieces, error

    release = "r"

    def state(self) -> EngineState:
        return EngineState(self.release, True, {}, {}, {})

    async def evaluate(self, query: Query) -> Reply:
        self.asked += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.closed += 1
            raise
        if self._error:
            raise self._error
        self._rest = iter(self._pieces)
        return Reply("r", [], self)

    async def next(self) -> bytes | None:
        await asyncio.sleep(0)
        return next(self._rest, None)

    async def aclose(self) -> None:
        self.closed += 1


def asking(engine: Slow, test: Callable[[httpx.AsyncClient, ResultCache], Awaitable[None]]) -> None:
    cache = ResultCache(1 << 20)
    answers = Answers(engine, cache)

    async def endpoint(request: Request) -> Response:
        asked = SparqlRequest("ASK {}")
        try:
            return await answers.answer(request, asked, Chosen(TABLES[0], "application/json"))
        except QueryError as error:
            return Response(str(error), 504)

    async def main() -> None:
        app = Starlette(routes=[Route("/", endpoint)])
        transport = httpx.ASGITransport(app)
        headers = {"Accept-Encoding": "identity"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://e", headers=headers
        ) as client:
            await test(client, cache)

    asyncio.run(main())


async def _settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_equal_queries_are_evaluated_once() -> None:
    engine = Slow([b"a", b"b"])

    async def test(client: httpx.AsyncClient, cache: ResultCache) -> None:
        waiting = [asyncio.create_task(client.get("/")) for _ in range(5)]
        await _settle()
        engine.go.set()
        answers = await asyncio.gather(*waiting)
        assert {answer.content for answer in answers} == {b"ab"}
        assert engine.asked == 1
        assert sum("age" in answer.headers for answer in answers) == 4
        assert not cache.flights

    asking(engine, test)


def test_an_error_is_shared_and_not_kept() -> None:
    engine = Slow([], QueryTimeout(1.0))

    async def test(client: httpx.AsyncClient, cache: ResultCache) -> None:
        waiting = [asyncio.create_task(client.get("/")) for _ in range(3)]
        await _settle()
        engine.go.set()
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [504] * 3
        assert engine.asked == 1
        assert (await client.get("/")).status_code == 504
        assert engine.asked == 2
        assert len(cache) == 0
        assert not cache.flights

    asking(engine, test)


def test_a_large_answer_is_passed_on_and_not_kept() -> None:
    engine = Slow([b"x" * (1 << 16)] * 8)

    async def test(client: httpx.AsyncClient, cache: ResultCache) -> None:
        engine.go.set()
        assert len((await client.get("/")).content) == 1 << 19
        assert len(cache) == 0
        assert not cache.flights
        assert engine.closed == 1

    asking(engine, test)


def test_head_ends_the_evaluation() -> None:
    engine = Slow([b"x" * (1 << 16)] * 8)

    async def test(client: httpx.AsyncClient, cache: ResultCache) -> None:
        engine.go.set()
        answer = await client.head("/")
        assert (answer.status_code, answer.content) == (200, b"")
        assert "content-length" not in answer.headers
        assert engine.closed == 1
        assert len(cache) == 0
        assert not cache.flights

    asking(engine, test)


@pytest.mark.parametrize("name", ["zstd", "gzip"])
def test_a_coded_answer_flows_piece_by_piece(name: str) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        for number in range(3):
            yield f"piece {number}".encode()

    async def main() -> None:
        sizes = [len(piece) async for piece in coding.encode(pieces(), name)]
        assert len(sizes) == 4
        assert all(size > 0 for size in sizes)

    asyncio.run(main())


# --- The log -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", None),
        (None, None),
    ],
)
def test_an_address_is_shortened(address: str | None, network: str | None) -> None:
    assert access.shorten_address(address) == network


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        (("127.0.0.1", 1), [], True),
        (("::1", 1), [], True),
        (("203.0.113.77", 1), [], False),
        (("127.0.0.1", 1), [(b"x-forwarded-for", b"127.0.0.1")], False),
        (None, [], False),
    ],
)
def test_who_is_on_this_machine(client: Any, headers: Any, local: bool) -> None:
    assert access.is_local({"type": "http", "client": client, "headers": headers}) is local


@pytest.fixture(scope="module")
def draft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one RDF file of each format, and a file that is none."""
    folder = tmp_path_factory.mktemp("draft")
    quads = {
        ".ttl": "@prefix ex: <http://e/> . ex:ttl a <Thing> ; ex:p _:a .",
        ".nt": "<http://e/nt> a <http://e/Thing> .".replace(" a ", f" <{RDF_TYPE}> "),
        ".trig": "@prefix ex: <http://e/> . ex:g { ex:trig a ex:Thing ; ex:p _:a } ",
        ".nq": f"<http://e/nq> <{RDF_TYPE}> <http://e/Thing> <http://e/g> .",
        ".rdf": '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="http://e/rdf"><rdf:type rdf:resource="Thing"/>'
        "</rdf:Description></rdf:RDF>",
        ".jsonld": '{"@id": "http://e/jsonld", "@type": "http://e/Thing"}',
    }
    assert set(quads) < set(FORMATS)
    (folder / "deeper").mkdir()
    for suffix, text in quads.items():
        (folder / "deeper" / f"file{suffix}").write_text(text, encoding="utf-8")
    (folder / "package.json").write_text("{}", encoding="utf-8")
    (folder / "README.md").write_text("# no RDF", encoding="utf-8")
    return folder


RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.log"


@pytest.fixture(scope="module")
def client(draft: Path, log: Path, tiny_environment: dict[str, str]) -> Iterator[httpx.Client]:
    options = ["--data", str(draft), "--base", "http://e/", "--deadline", "3", "--workers", "1"]
    options += ["--memory", "512", "--max-rows", "100000"]
    environment = {**tiny_environment, "DIGIDEN_LOG": str(log), "DIGIDEN_METRICS": "off"}
    with (
        serving(environment, *options) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield client


def test_a_line_of_the_log_says_what_happened(client: httpx.Client, log: Path) -> None:
    query = "SELECT ?s { ?s a ?logged }"
    first = client.get("/sparql.csv", params={"query": query})
    lines_about(log, query, 1)  # lines stand in the order in which requests end
    client.get("/sparql.csv", params={"query": query})
    lines_about(log, query, 2)
    client.get("/sparql.csv", params={"query": query}, headers={"If-None-Match": "*"})
    client.post("/sparql", data={"query": "SELECT ?wrong"})
    made, kept, unchanged = lines_about(log, query, 3)
    assert (made["outcome"], made["status"]) == ("ok", 200)
    assert made["client"] == "127.0.0.0/24"
    assert made["rows"] == kept["rows"] == len(first.text.splitlines()) - 1
    assert made["bytes"] == kept["bytes"] == int(first.headers.get("content-length", made["bytes"]))
    assert made["seconds"] >= 0
    assert made["release"] == first.headers["digiden-release"]
    assert made["format"] == "csv"
    assert kept["outcome"] == "hit"
    assert (unchanged["outcome"], unchanged["status"]) == ("unchanged", 304)
    (wrong,) = lines_about(log, "SELECT ?wrong")
    assert (wrong["outcome"], wrong["status"], wrong["method"]) == ("syntax", 400, "POST")
    assert "wrong" not in log.read_text(encoding="utf-8")


def test_the_log_tells_a_cut_answer_and_a_client_that_left(client: httpx.Client, log: Path) -> None:
    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream("GET", "/sparql.csv", params={"query": ENDLESS}) as answer,
    ):
        answer.read()
    assert [line["outcome"][:4] for line in lines_about(log, ENDLESS)] == ["cut-"]
    left = f"{ENDLESS} # left"
    address = client.base_url
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(
            f"GET /sparql.csv?query={quote(left)} HTTP/1.1\r\nHost: e\r\n\r\n".encode()
        )
        connection.recv(100)
    for _ in range(100):
        client.get("/ready")
        if lines_about(log, left):
            break
    assert [line["outcome"] for line in lines_about(log, left)] == ["gone"]


def test_metrics_can_be_off(client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 403


# --- Data of somebody else -----------------------------------------------------------------------


def count(client: httpx.Client, pattern: str) -> int:
    query = f"SELECT (COUNT(*) AS ?n) {{ {pattern} }}"
    answer = client.get("/sparql", params={"query": query}).json()
    return int(answer["results"]["bindings"][0]["n"]["value"])


def test_a_folder_is_served_in_every_format(client: httpx.Client) -> None:
    for name in ("ttl", "nt", "rdf", "jsonld"):
        assert count(client, f"<http://e/{name}> a <http://e/Thing>") == 1
    for name in ("trig", "nq"):
        assert count(client, f"GRAPH <http://e/g> {{ <http://e/{name}> a <Thing> }}") == 1


def test_the_default_graph_is_not_the_union(client: httpx.Client) -> None:
    assert count(client, "?s ?p ?o") == 5
    assert count(client, "GRAPH ?g { ?s ?p ?o }") == 3
    # "_:a" of two files is two nodes.
    assert count(client, "?s <http://e/p> ?o . GRAPH ?g { ?t <http://e/p> ?o }") == 0


def test_the_pages_of_a_draft_do_not_speak_of_grants(client: httpx.Client) -> None:
    for path in ("/", "/sparql?format=html"):
        page = client.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "内閣府" not in page.text
        assert "/report" not in page.text
    assert client.get("/report").status_code == 404
    assert client.get("/prefixes").json()["ex"] == "http://e/"


def test_a_draft_describes_itself(client: httpx.Client) -> None:
    answer = client.get("/sparql", headers={"Accept": "application/n-triples"})
    values = [quad.object for quad in parse(answer.content, format=RdfFormat.N_TRIPLES)]
    assert {"5", "3", "http://e/g"} <= {getattr(value, "value", None) for value in values}
    everything = client.get("/data")
    assert len(everything.text.splitlines()) == 8
    assert answer.headers["digiden-release"].startswith("draft-")


def test_the_options_are_the_limits(client: httpx.Client) -> None:
    query = "SELECT (COUNT(*) AS ?n) { " + ENDLESS.partition("{")[2]
    assert client.get("/sparql", params={"query": query}).status_code == 504


def test_rows_are_bounded(client: httpx.Client) -> None:
    values = " ".join(f"VALUES ?{name} {{ {'1 ' * 60} }}" for name in "abc")
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/sparql.csv", params={"query": f"SELECT * {{ {values} }}"})
