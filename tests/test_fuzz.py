"""Whatever is sent to the endpoint, it answers in the shape that it promises, and lives on."""

from __future__ import annotations

import json
import socket
import string
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PROMISED = {200, 304, 400, 403, 404, 405, 406, 413, 415, 504, 507}
QUERIES = [
    "ASK {}",
    "SELECT * { ?s ?p ?o } LIMIT 3",
    "CONSTRUCT { ?s ?p ?o } { ?s ?p ?o } LIMIT 3",
    "DESCRIBE <http://e/>",
    "SELECT (NOW() AS ?n) {}",
    "DROP ALL",
    "SELECT * { SERVICE <http://e> {} }",
    "",
]
IRIS = ["https://w3id.org/digiden/source/register", "http://e/none", "relative", ""]
PATHS = ["/sparql", "/sparql.csv", "/sparql.ttl", "/sparql.html", "/data", "/prefixes", "/api/fold"]
TYPES = [
    "application/x-www-form-urlencoded",
    "application/sparql-query",
    "application/sparql-update",
    "application/sparql-query; charset=latin-1",
    "text/plain",
]
ACCEPTS = ["*/*", "text/html", "text/csv;q=0.5, */*;q=0.1", "text/turtle", "image/png", ";q=1", ","]

printable = st.text(string.printable, max_size=20)
anything = st.text(max_size=20)
header = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40).map(str.strip)
parameter = st.one_of(
    st.tuples(st.just("query"), st.one_of(st.sampled_from(QUERIES), anything)),
    st.tuples(
        st.sampled_from(["default-graph-uri", "named-graph-uri", "graph"]),
        st.one_of(st.sampled_from(IRIS), anything),
    ),
    st.tuples(
        st.just("format"), st.one_of(st.sampled_from(["json", "csv", "ttl", "html"]), anything)
    ),
    st.tuples(st.just("timeout"), st.one_of(st.sampled_from(["1", "0", "1e9", "-1"]), anything)),
    st.tuples(st.sampled_from(["default", "download", "lang", "text", "update"]), anything),
    st.tuples(anything, anything),
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.one_of(st.sampled_from(ACCEPTS), header),
        "Accept-Encoding": st.one_of(st.sampled_from(["gzip", "zstd", "*;q=0"]), header),
        "Accept-Language": header,
        "If-None-Match": st.one_of(st.just("*"), header),
        "Content-Type": st.one_of(st.sampled_from(TYPES), header),
    },
)


@pytest.fixture(scope="module")
def client(live_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server, timeout=30) as client:
        yield client


def check(answer: httpx.Response) -> None:
    assert answer.status_code in PROMISED, answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["digiden-release"]
    kind = answer.headers.get("content-type", "")
    if answer.status_code >= 400 and answer.content and not kind.startswith("text/"):
        problem = json.loads(answer.content)
        assert problem["status"] == answer.status_code
        assert problem["type"] and problem["title"] and problem["detail"]


@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]),
    path=st.sampled_from(PATHS),
    pairs=st.lists(parameter, max_size=4),
    body=st.one_of(
        st.binary(max_size=60), st.lists(parameter, max_size=3).map(lambda p: urlencode(p).encode())
    ),
    given_headers=headers,
)
@settings(max_examples=300)
def test_every_request_gets_an_answer_of_the_promised_shape(
    client: httpx.Client,
    method: str,
    path: str,
    pairs: list[tuple[str, str]],
    body: bytes,
    given_headers: dict[str, str],
) -> None:
    request = client.build_request(
        method,
        f"{path}?{urlencode(pairs)}",
        content=body if method in ("POST", "PUT") else None,
        headers=given_headers,
    )
    answer = client.send(request)
    if method == "OPTIONS":
        assert answer.status_code == 204
    else:
        check(answer)


@given(query=st.one_of(printable, anything), wrap=st.sampled_from(["{}", "ASK {{ {} }}"]))
@settings(max_examples=100)
def test_any_text_is_a_query_or_an_error(client: httpx.Client, query: str, wrap: str) -> None:
    text = wrap.format(query)
    direct = {"Content-Type": "application/sparql-query"}
    answers = [
        client.get(f"/sparql?query={quote(text)}"),
        client.post("/sparql", content=text.encode(), headers=direct),
    ]
    for answer in answers:
        check(answer)
    assert answers[0].status_code == answers[1].status_code


@given(
    content=st.binary(max_size=200),
    start=st.sampled_from([b"", b"GET /sparql?query=", b"POST /sparql HTTP/1.1\r\nHost: e\r\n"]),
)
@settings(max_examples=100)
def test_any_bytes_leave_the_server_alive(
    client: httpx.Client, live_server: str, content: bytes, start: bytes
) -> None:
    address = httpx.URL(live_server)
    with socket.create_connection((address.host, address.port or 80), timeout=20) as connection:
        connection.sendall(start + content)
        connection.shutdown(socket.SHUT_WR)
        try:
            while connection.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
    assert client.get("/sparql?query=ASK{}").status_code == 200
