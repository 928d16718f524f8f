"""The SPARQL 1.1 Protocol against a live server, with the clients that people use."""

from __future__ import annotations

import gzip
import io
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import httpx
import pytest
import rdflib
import zstandard
from pyoxigraph import QueryResultsFormat, RdfFormat, parse, parse_query_results
from rdflib.plugins.stores.sparqlstore import SPARQLStore
from SPARQLWrapper import (
    CSV,
    GET,
    JSON,
    JSONLD,
    N3,
    POST,
    POSTDIRECTLY,
    RDFXML,
    TSV,
    TURTLE,
    URLENCODED,
    XML,
    SPARQLWrapper,
)
from SPARQLWrapper.SPARQLExceptions import QueryBadFormed

from digiden_kg.results import GRAPHS, Format

ODAWARA = "https://w3id.org/digiden/id/body/142069"
REGISTER = "https://w3id.org/digiden/source/register"
SCHEMES = "https://w3id.org/digiden/source/schemes"
SELECT = f'SELECT ?label {{ <{ODAWARA}> rdfs:label ?label FILTER(LANG(?label) = "ja") }}'
SELECT = f"PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> {SELECT}"
CONSTRUCT = f"CONSTRUCT {{ <{ODAWARA}> ?p ?o }} WHERE {{ <{ODAWARA}> ?p ?o }}"
COUNT = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
RUNAWAY = """SELECT (COUNT(*) AS ?n)
{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?o ?p FILTER(?a != ?p) }"""
ENDLESS = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?o ?p }"
FORM = "application/x-www-form-urlencoded"
CLOSE = "Connection: close"


def raw(live_server: str, request: str) -> bytes:
    """Return what comes back for some bytes, up to the end of the connection."""
    address = httpx.URL(live_server)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.fixture(scope="module")
def client(live_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server, timeout=30) as client:
        yield client


# --- The three ways to send a query -------------------------------------------------------------


def test_get(client: httpx.Client) -> None:
    answer = client.get("/sparql", params={"query": SELECT})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/sparql-results+json"
    (binding,) = answer.json()["results"]["bindings"]
    assert binding["label"] == {"type": "literal", "value": "小田原市", "xml:lang": "ja"}


def test_post_of_a_form(client: httpx.Client) -> None:
    answer = client.post("/sparql", data={"query": SELECT}, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text == "label\r\n小田原市\r\n"


def test_post_of_a_query(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/sparql-query; charset=utf-8"}
    answer = client.post("/sparql?format=tsv", content=SELECT.encode(), headers=headers)
    assert answer.text == '?label\n"小田原市"@ja\n'


@pytest.mark.parametrize(
    ("accept", "form", "content_type"),
    [
        ("application/sparql-results+json", SELECT, "application/sparql-results+json"),
        ("application/sparql-results+xml", SELECT, "application/sparql-results+xml"),
        ("text/csv", SELECT, "text/csv; charset=utf-8"),
        ("text/tab-separated-values", SELECT, "text/tab-separated-values; charset=utf-8"),
        ("text/csv;q=0.1,application/json", "ASK {}", "application/json"),
        ("*/*", CONSTRUCT, "text/turtle; charset=utf-8"),
        ("application/n-triples", CONSTRUCT, "application/n-triples"),
        ("application/ld+json", CONSTRUCT, "application/ld+json"),
        ("application/rdf+xml", f"DESCRIBE <{ODAWARA}>", "application/rdf+xml"),
        ("text/html,*/*;q=0.8", SELECT, "text/html; charset=utf-8"),
    ],
)
def test_the_format_is_negotiated(
    client: httpx.Client, accept: str, form: str, content_type: str
) -> None:
    answer = client.get("/sparql", params={"query": form}, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize("name", ["json", "xml", "csv", "tsv"])
def test_a_format_by_name_beats_the_header(client: httpx.Client, name: str) -> None:
    params = {"query": "ASK {}", "format": name}
    answer = client.get("/sparql", params=params, headers={"Accept": "image/png"})
    assert answer.status_code == 200
    if name in ("json", "xml"):
        engine = {"json": QueryResultsFormat.JSON, "xml": QueryResultsFormat.XML}[name]
        assert bool(parse_query_results(answer.content, format=engine))


# --- Dataset ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "direct"])
def test_the_dataset_may_be_given(client: httpx.Client, method: str) -> None:
    def count(query: str, **graphs: list[str]) -> int:
        params = {name.replace("_", "-"): value for name, value in graphs.items()}
        if method == "GET":
            answer = client.get("/sparql", params={"query": query, **params})
        elif method == "POST":
            answer = client.post("/sparql", data={"query": query, **params})
        else:
            headers = {"Content-Type": "application/sparql-query"}
            answer = client.post("/sparql", params=params, content=query, headers=headers)
        return int(answer.json()["results"]["bindings"][0]["n"]["value"])

    assert count(COUNT) == 97
    assert count(COUNT, default_graph_uri=[REGISTER]) == 36
    assert count(COUNT, default_graph_uri=[REGISTER, SCHEMES]) == 44
    assert count(COUNT, default_graph_uri=["http://example.org/none"]) == 0
    named = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }"
    assert count(named, named_graph_uri=[REGISTER, SCHEMES]) == 44
    assert count(named, named_graph_uri=[SCHEMES]) == 8


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_of", "status", "kind"),
    [
        (("GET", "/sparql?query=SELECT"), 400, "syntax"),
        (("GET", "/sparql?query="), 400, "syntax"),
        (("GET", "/sparql?query=ASK{}&query=ASK{}"), 400, "request"),
        (("GET", "/sparql?query=ASK%7B%22%FF%22%7D"), 400, "encoding"),
        (("GET", "/sparql?query=ASK{}&default-graph-uri=relative"), 400, "request"),
        (("GET", "/sparql?query=ASK{}&format=png"), 406, "format"),
        (("GET", "/sparql?update=DROP+ALL"), 403, "read-only"),
        (("GET", "/sparql?query=INSERT+DATA+{}"), 403, "read-only"),
        (("GET", "/sparql?query=SELECT*{SERVICE<http://e>{}}"), 400, "query"),
        (("PUT", "/sparql"), 405, "http"),
        (("DELETE", "/sparql"), 405, "http"),
        (("POST", "/"), 405, "http"),
        (("GET", "/nothing"), 404, "http"),
        (("GET", "/questions/nothing"), 404, "http"),
        (("GET", "/files/passwd"), 404, "http"),
    ],
)
def test_refusals_have_one_shape(
    client: httpx.Client, request_of: tuple[str, str], status: int, kind: str
) -> None:
    answer = client.request(*request_of)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].endswith(f"/problem/{kind}")
    assert problem["title"] and problem["detail"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/sparql-update", b"DROP ALL", 403),
        (FORM, b"update=DROP+ALL", 403),
        (FORM, b"", 400),
        (FORM, b"query=ASK{}&query=ASK{}", 400),
        (FORM, "query=ASK{} #日本".encode(), 400),
        ("application/sparql-query", b"ASK{} #\xff", 400),
        ("text/plain", b"ASK{}", 415),
        ("application/sparql-query", b"ASK{} #" + b"x" * (1 << 20), 413),
    ],
)
def test_bodies_that_are_refused(
    client: httpx.Client, content_type: str, body: bytes, status: int
) -> None:
    answer = client.post("/sparql", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_query_in_address_and_body_is_two_queries(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/sparql-query"}
    answer = client.post("/sparql?query=ASK{}", content="ASK{}", headers=headers)
    assert answer.status_code == 400


def test_a_syntax_error_has_line_and_column(client: httpx.Client) -> None:
    problem = client.get("/sparql", params={"query": "SELECT ?a\n <?b> {}"}).json()
    # The parser names the end of the farthest token that it understood.
    assert (problem["line"], problem["column"]) == (2, 7)


def test_what_can_be_had_is_listed(client: httpx.Client) -> None:
    answer = client.get("/sparql", params={"query": SELECT}, headers={"Accept": "text/turtle"})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["available"]


# --- Limits -------------------------------------------------------------------------------------


def test_a_runaway_query_ends_and_others_answer(client: httpx.Client, live_server: str) -> None:
    address = httpx.URL(live_server)
    request = f"GET /sparql?query={quote(RUNAWAY)} HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n"
    with socket.create_connection((address.host, address.port or 80)) as runaway:
        runaway.sendall(request.encode())
        for number in range(50):
            query = f"ASK {{ FILTER({number} = {number}) }}"
            assert client.get("/sparql", params={"query": query}).json()["boolean"]
        content = b"".join(iter(lambda: runaway.recv(65536), b""))
    assert content.startswith(b"HTTP/1.1 504 ")
    assert b"/problem/timeout" in content


def test_a_cut_answer_does_not_look_whole(client: httpx.Client) -> None:
    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream("GET", "/sparql", params={"query": ENDLESS}) as answer,
    ):
        assert answer.status_code == 200
        for _ in answer.iter_raw():
            pass


# --- HTTP ---------------------------------------------------------------------------------------


def test_an_etag_spares_the_work(client: httpx.Client) -> None:
    first = client.get("/sparql", params={"query": SELECT})
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for sent in (tag, f'"other", W/{tag}', "*"):
        again = client.get("/sparql", params={"query": SELECT}, headers={"If-None-Match": sent})
        assert again.status_code == 304
        assert again.headers["etag"] == tag
        assert again.content == b""
    other = client.get("/sparql", params={"query": SELECT, "format": "csv"})
    assert other.headers["etag"] != tag
    graphs = {"query": SELECT, "default-graph-uri": REGISTER}
    assert client.get("/sparql", params=graphs).headers["etag"] != tag


def test_what_changes_each_time_has_no_etag(client: httpx.Client) -> None:
    answer = client.get("/sparql", params={"query": "SELECT (NOW() AS ?now) {}"})
    assert "etag" not in answer.headers


def test_head_answers_like_get(client: httpx.Client) -> None:
    for path in ("/", f"/sparql?query={quote(SELECT)}", "/health", "/files/digiden.nq"):
        get, head = client.get(path), client.head(path)
        assert head.status_code == get.status_code == 200
        assert head.content == b""
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers.get("etag") == get.headers.get("etag")
    assert client.head("/sparql?query=SELECT").status_code == 400


def test_options_and_cors(client: httpx.Client) -> None:
    preflight = client.options(
        "/sparql",
        headers={"Origin": "http://example.org", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "POST" in preflight.headers["allow"]
    assert "POST" not in client.options("/").headers["allow"]


def test_every_answer_names_its_release(client: httpx.Client) -> None:
    name = client.get("/health").json()["release"]
    assert client.get("/sparql?query=ASK{}").headers["digiden-release"] == name


# --- The request, case by case from the text of the specification --------------------------------


@pytest.mark.parametrize(
    ("method", "content_type", "body", "status"),
    [
        ("PUT", "application/sparql-query", "ASK {}", 405),
        ("PATCH", "application/sparql-query", "ASK {}", 405),
        ("POST", None, "query=ASK%20%7B%7D", 415),
        ("POST", None, "ASK {}", 415),
        ("POST", "text/plain", "query=ASK%20%7B%7D", 415),
        ("POST", "multipart/form-data; boundary=x", "--x--", 415),
        ("POST", "application/sparql-query; charset=UTF-16", "ASK {}", 415),
        ("POST", "Application/SPARQL-Query;charset=UTF-8", "ASK {}", 200),
        ("POST", FORM, "query=ASK%20%7B%7D&other=1", 200),
        ("POST", f"{FORM}; charset=utf-8", "query=ASK+%7B%7D", 200),
        ("POST", FORM, "query=ASK%2", 400),
        ("POST", FORM, "query=ASK+%7B%7D&default-graph-uri=http%3A%2F%2Fe%2Fnone", 200),
        ("POST", FORM, "update=CLEAR+ALL", 403),
        ("POST", "application/sparql-update", "CLEAR ALL", 403),
        ("POST", "application/sparql-query", "CLEAR ALL", 403),
        ("POST", "application/sparql-query", "", 400),
    ],
)
def test_what_the_protocol_takes_and_refuses(
    client: httpx.Client, method: str, content_type: str | None, body: str, status: int
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.request(method, "/sparql", content=body.encode(), headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert "application/sparql-query" in answer.headers["accept-post"]
    if status == 405:
        assert {"GET", "POST"} <= set(re.findall(r"\w+", answer.headers["allow"]))
        assert "read-only" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query_string", "status", "kind"),
    [
        ("query=ASK%7B%7D%", 400, "encoding"),
        ("query=ASK%7B%7D%2", 400, "encoding"),
        ("query=ASK%7B%7D%zz", 400, "encoding"),
        ("query=ASK%7B%7D%23%ED%A0%80", 400, "encoding"),
        ("query=ASK%7B%7D%23%C0%80", 400, "encoding"),
        ("query=ASK%00%7B%7D", 400, "syntax"),
        ("query=ASK%7B%7D&default-graph-uri=", 400, "request"),
        ("query=ASK%7B%7D&named-graph-uri=http://e/%00", 400, "request"),
        ("query=ASK%7B%7D&named-graph-uri=http://e/a%20b", 400, "request"),
        ("default-graph-uri=http://e/", 400, "request"),
        ("query=ASK%7B%7D&timeout=0", 400, "request"),
        ("query=ASK%7B%7D&timeout=-1", 400, "request"),
        ("query=ASK%7B%7D&timeout=NaN", 400, "request"),
        ("query=ASK%7B%7D&timeout=soon", 400, "request"),
        ("query=ASK%7B%7D&format=turtle", 406, "format"),
    ],
)
def test_a_request_that_is_malformed(
    live_server: str, query_string: str, status: int, kind: str
) -> None:
    # Over a plain socket, because a client would mend the address.
    content = raw(live_server, f"GET /sparql?{query_string} HTTP/1.1\r\nHost: e\r\n{CLOSE}\r\n\r\n")
    assert content.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"/problem/{kind}".encode() in content


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    bindings = answer.json()["results"]["bindings"]
    return [{name: term["value"] for name, term in row.items()} for row in bindings]


def test_the_dataset_of_the_protocol_replaces_that_of_the_query(client: httpx.Client) -> None:
    query = f"SELECT (COUNT(*) AS ?n) FROM <{REGISTER}> {{ ?s ?p ?o }}"
    assert rows(client.get("/sparql", params={"query": query})) == [{"n": "36"}]
    replaced = {"query": query, "default-graph-uri": SCHEMES}
    assert rows(client.get("/sparql", params=replaced)) == [{"n": "8"}]
    # Named graphs alone leave the default graph empty.
    replaced = {"query": query, "named-graph-uri": SCHEMES}
    assert rows(client.get("/sparql", params=replaced)) == [{"n": "0"}]


def test_default_and_named_graphs_are_kept_apart(client: httpx.Client) -> None:
    query = """SELECT ?g (COUNT(*) AS ?n)
      { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } } GROUP BY ?g ORDER BY ?g"""
    params = {"query": query, "default-graph-uri": REGISTER, "named-graph-uri": SCHEMES}
    assert rows(client.get("/sparql", params=params)) == [{"n": "36"}, {"g": SCHEMES, "n": "8"}]


def test_a_relative_iri_is_relative_to_the_base(client: httpx.Client) -> None:
    query = "ASK { <id/body/142069> ?p ?o }"
    assert client.get("/sparql", params={"query": query}).json()["boolean"] is True


# --- Result formats ------------------------------------------------------------------------------

TERMS = """SELECT ?iri ?plain ?lang ?number ?unbound {
  VALUES (?iri ?plain ?lang ?number ?unbound) {
    (<http://e/?a=1&b=2> "a,\\"b\\" <c>\\nd" "日本"@ja 42 UNDEF)
    (UNDEF "" UNDEF 1.5 UNDEF)
  }
}"""


def test_json_says_what_each_term_is(client: httpx.Client) -> None:
    answer = client.get("/sparql", params={"query": TERMS}).json()
    assert answer["head"]["vars"] == ["iri", "plain", "lang", "number", "unbound"]
    first, second = answer["results"]["bindings"]
    assert first["iri"] == {"type": "uri", "value": "http://e/?a=1&b=2"}
    assert first["plain"] == {"type": "literal", "value": 'a,"b" <c>\nd'}
    assert first["lang"] == {"type": "literal", "value": "日本", "xml:lang": "ja"}
    integer = "http://www.w3.org/2001/XMLSchema#integer"
    assert first["number"] == {"type": "literal", "value": "42", "datatype": integer}
    assert set(second) == {"plain", "number"}


def test_xml_says_what_each_term_is(client: httpx.Client) -> None:
    answer = client.get("/sparql", params={"query": TERMS, "format": "xml"})
    sr = "{http://www.w3.org/2005/sparql-results#}"
    root = ElementTree.fromstring(answer.content)
    names = [each.get("name") for each in root.findall(f"{sr}head/{sr}variable")]
    assert names == ["iri", "plain", "lang", "number", "unbound"]
    first, second = root.findall(f"{sr}results/{sr}result")
    terms = {each.get("name"): each[0] for each in first}
    assert terms["iri"].tag == f"{sr}uri"
    assert terms["plain"].text == 'a,"b" <c>\nd'
    assert terms["lang"].get("{http://www.w3.org/XML/1998/namespace}lang") == "ja"
    assert {each.get("name") for each in second} == {"plain", "number"}


def test_csv_and_tsv_follow_their_rules(client: httpx.Client) -> None:
    lines = client.get("/sparql.csv", params={"query": TERMS}).content.decode().split("\r\n")
    assert lines == [
        "iri,plain,lang,number,unbound",
        'http://e/?a=1&b=2,"a,""b"" <c>\nd",日本,42,',
        ",,,1.5,",
        "",
    ]
    lines = client.get("/sparql.tsv", params={"query": TERMS}).text.split("\n")
    assert lines == [
        "?iri\t?plain\t?lang\t?number\t?unbound",
        '<http://e/?a=1&b=2>\t"a,\\"b\\" <c>\\nd"\t"日本"@ja\t42\t',
        '\t""\t\t1.5\t',
        "",
    ]


@pytest.mark.parametrize(("query", "value"), [("ASK {}", True), ("ASK { FILTER(false) }", False)])
def test_ask_is_a_boolean_in_json_and_xml(client: httpx.Client, query: str, value: bool) -> None:
    assert client.get("/sparql", params={"query": query}).json()["boolean"] is value
    for name in ("xml", "application/sparql-results+xml"):
        answer = client.get("/sparql", params={"query": query, "format": name})
        assert f"<boolean>{str(value).lower()}</boolean>" in answer.text


def test_a_result_without_rows_is_a_result(client: httpx.Client) -> None:
    query = "SELECT ?a { FILTER(false) }"
    assert rows(client.get("/sparql", params={"query": query})) == []
    assert client.get("/sparql.csv", params={"query": query}).text == "a\r\n"
    graph = client.get("/sparql.nt", params={"query": "CONSTRUCT { ?a ?a ?a } { FILTER(false) }"})
    assert (graph.status_code, graph.text) == (200, "")


@pytest.mark.parametrize("name", [name for offer in GRAPHS for name in offer.names])
def test_a_graph_is_the_same_in_every_format(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/sparql.{name}", params={"query": CONSTRUCT})
    media_type = answer.headers["content-type"].partition(";")[0]
    (chosen,) = [offer for offer in GRAPHS if offer.media_types[0] == media_type]
    assert isinstance(chosen.engine, RdfFormat)
    graph = {quad.triple for quad in parse(answer.content, format=chosen.engine)}
    plain = client.get("/sparql.nt", params={"query": CONSTRUCT}).content
    assert graph == {quad.triple for quad in parse(plain, format=RdfFormat.N_TRIPLES)}
    assert len(graph) >= 3


def test_the_end_of_the_address_chooses_a_format(client: httpx.Client) -> None:
    headers = {"Accept": "application/json"}
    answer = client.get("/sparql.csv", params={"query": SELECT, "format": "xml"}, headers=headers)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert client.post("/sparql.tsv", data={"query": SELECT}).text.startswith("?label\n")
    assert client.get("/sparql.pdf", params={"query": SELECT}).status_code == 406
    assert client.get("/sparql.ttl", params={"query": SELECT}).status_code == 406
    assert client.get("/sparql.rdf").headers["content-type"] == "application/rdf+xml"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("towns", 'attachment; filename="towns.csv"'),
        ("towns.csv", 'attachment; filename="towns.csv"'),
        ("", 'attachment; filename="result.csv"'),
        ('a"b\r\nX: y/..\\', 'attachment; filename="a_b__X_ y_.._.csv";'),
        ("結果", "filename*=UTF-8''%E7%B5%90%E6%9E%9C.csv"),
    ],
)
def test_an_answer_can_be_saved_under_a_name(client: httpx.Client, name: str, header: str) -> None:
    params = {"query": SELECT, "format": "csv", "download": name}
    assert header in client.get("/sparql", params=params).headers["content-disposition"]
    del params["download"]
    assert "content-disposition" not in client.get("/sparql", params=params).headers


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["text/plain", "text/html, */*;q=0.1", "text/*"])
def test_errors_come_as_text_to_who_wants_text(client: httpx.Client, accept: str) -> None:
    answer = client.get("/nothing", headers={"Accept": accept})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "status: 404\n" in answer.text
    assert "/problem/http" in answer.text


@pytest.mark.parametrize(
    "accept", ["*/*", "text/csv", "application/json", "application/problem+json, text/html;q=0.9"]
)
def test_errors_come_as_json_to_everyone_else(client: httpx.Client, accept: str) -> None:
    answer = client.get("/nothing", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


def test_an_error_has_its_time_and_advice(client: httpx.Client) -> None:
    problem = client.get("/sparql", params={"query": RUNAWAY, "timeout": "0.2"}).json()
    assert problem["type"].endswith("/problem/timeout")
    assert problem["elapsed"] > 0
    assert "LIMIT" in problem["advice"] and "LIMIT を付ける" in problem["advice"]
    assert "/prefixes" in client.get("/sparql?query=SELECT").json()["advice"]


def test_timeout_lowers_the_deadline_and_never_raises_it(client: httpx.Client) -> None:
    for timeout in ("0.1", "100"):
        answer = client.get("/sparql", params={"query": RUNAWAY, "timeout": timeout})
        assert answer.status_code == 504
        assert "etag" not in answer.headers
    assert client.get("/sparql?query=ASK{}&timeout=3").status_code == 200


def test_a_cut_answer_has_no_last_chunk_on_the_wire(live_server: str) -> None:
    path = f"/sparql.csv?query={quote(ENDLESS)}&timeout=3"
    content = raw(live_server, f"GET {path} HTTP/1.1\r\nHost: e\r\n{CLOSE}\r\n\r\n")
    assert content.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding: chunked" in content[:2000].lower()
    assert not content.endswith(b"\r\n0\r\n\r\n")
    path = f"/sparql.csv?query={quote(SELECT + '#whole')}"
    whole = raw(live_server, f"GET {path} HTTP/1.1\r\nHost: e\r\n{CLOSE}\r\n\r\n")
    assert whole.endswith(b"\r\n0\r\n\r\n") or b"content-length" in whole


def test_a_client_without_chunks_gets_a_length_or_an_error(live_server: str) -> None:
    request = f"GET /sparql.csv?query={quote(SELECT)} HTTP/1.0\r\n\r\n"
    head, _, body = raw(live_server, request).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    cut = raw(live_server, f"GET /sparql.csv?query={quote(ENDLESS)} HTTP/1.0\r\n\r\n")
    assert cut.split(b"\r\n")[0].split()[1] in (b"400", b"504")
    assert b"/problem/" in cut


def test_a_cut_answer_in_a_coding_is_cut_too(client: httpx.Client) -> None:
    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream(
            "GET",
            "/sparql.csv",
            params={"query": ENDLESS, "timeout": "2"},
            headers={"Accept-Encoding": "gzip"},
        ) as answer,
    ):
        assert answer.headers["content-encoding"] == "gzip"
        for _ in answer.iter_raw():
            pass


# --- Cache and codings ---------------------------------------------------------------------------


def test_a_kept_answer_has_an_age(client: httpx.Client) -> None:
    query = "SELECT (COUNT(*) AS ?kept) { ?s ?p ?o }"
    first = client.get("/sparql", params={"query": query})
    assert "age" not in first.headers
    for answer in (
        client.get("/sparql", params={"query": f"{query} # again"}),
        client.post("/sparql", data={"query": query.replace(" ", "\n")}),
    ):
        assert int(answer.headers["age"]) >= 0
        assert answer.content == first.content
        assert answer.headers["etag"] == first.headers["etag"]
        assert answer.headers["content-type"] == first.headers["content-type"]
    assert "age" not in client.get("/sparql.csv", params={"query": query}).headers
    graphs = {"query": query, "default-graph-uri": REGISTER}
    assert rows(client.get("/sparql", params=graphs)) == [{"kept": "36"}]


@pytest.mark.parametrize(
    "query", ["SELECT", RUNAWAY, "SELECT * { SERVICE <http://e> { ?a ?b ?c } }"]
)
def test_errors_are_not_kept(client: httpx.Client, query: str) -> None:
    for _ in range(2):
        answer = client.get("/sparql", params={"query": query, "timeout": "0.1"})
        assert answer.status_code >= 400
        assert "age" not in answer.headers
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("call", ["NOW()", "RAND()", "UUID()", "STRUUID()", "BNODE()"])
def test_what_differs_each_time_is_not_kept(client: httpx.Client, call: str) -> None:
    for _ in range(2):
        answer = client.get("/sparql", params={"query": f"SELECT ({call} AS ?x) {{}}"})
        assert answer.status_code == 200
        assert "age" not in answer.headers
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


def test_a_cut_answer_is_not_kept(client: httpx.Client) -> None:
    for _ in range(2):
        with (
            pytest.raises(httpx.RemoteProtocolError),
            client.stream("GET", "/sparql.csv", params={"query": ENDLESS, "timeout": "2"}) as cut,
        ):
            assert "age" not in cut.headers
            cut.read()


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ("ASK { }", "ASK\n  { # comment\n}", True),
        (" ASK { }", "ASK { }#", True),
        ('ASK { FILTER("a  b" = "") }', 'ASK { FILTER("a b" = "") }', False),
        ('ASK { FILTER("""a\n\nb""" = "") }', 'ASK { FILTER("""a\nb""" = "") }', False),
        ('ASK { FILTER("#" = "") }', 'ASK { FILTER("" = "") }', False),
        ("ASK { FILTER(1 = 2) }", "ASK { FILTER(1 = 3) }", False),
        ("ASK { <http://e/#a> ?p ?o }", "ASK { <http://e/#b> ?p ?o }", False),
    ],
)
def test_only_equal_queries_share_a_tag(
    client: httpx.Client, first: str, second: str, equal: bool
) -> None:
    tags = [
        client.get("/sparql", params={"query": query}).headers["etag"] for query in (first, second)
    ]
    assert (tags[0] == tags[1]) is equal


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.8", "gzip"),
        ("zstd;q=0, gzip;q=0", None),
        ("identity", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("br", None),
        ("*", "zstd"),
        ("", None),
        ("gzip;q=high", None),
    ],
)
def test_an_answer_comes_in_the_coding_that_is_wanted(
    client: httpx.Client, accept: str, expected: str | None
) -> None:
    params = {"query": "SELECT * { ?s ?p ?o }"}
    plain = client.get("/sparql.csv", params=params, headers={"Accept-Encoding": ""})
    for _ in range(2):  # made, then kept
        with client.stream(
            "GET", "/sparql.csv", params=params, headers={"Accept-Encoding": accept}
        ) as answer:
            content = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding") == expected
        assert "Accept-Encoding" in answer.headers["vary"]
        assert (answer.headers["etag"] == plain.headers["etag"]) is (expected is None)
        if expected == "gzip":
            content = gzip.decompress(content)
        elif expected == "zstd":
            content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        assert content == plain.content


# --- Description ---------------------------------------------------------------------------------

SD = rdflib.Namespace("http://www.w3.org/ns/sparql-service-description#")
SH = rdflib.Namespace("http://www.w3.org/ns/shacl#")
TRIPLES = rdflib.URIRef("http://rdfs.org/ns/void#triples")


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> rdflib.Graph:
    answer = client.get("/sparql", headers={"Accept": "application/n-triples"})
    assert answer.status_code == 200
    return rdflib.Graph().parse(data=answer.content, format="nt")


@pytest.mark.parametrize("offer", GRAPHS, ids=lambda offer: offer.name)
def test_the_description_is_the_same_in_every_format(
    client: httpx.Client, offer: Format, described: rdflib.Graph
) -> None:
    answer = client.get("/sparql", headers={"Accept": offer.media_types[0]})
    assert isinstance(offer.engine, RdfFormat)
    triples = {str(quad.triple) for quad in parse(answer.content, format=offer.engine)}
    assert len(triples) == len(described)
    assert client.get("/sparql").headers["content-type"] == "text/turtle; charset=utf-8"


def test_the_description_names_this_endpoint(described: rdflib.Graph, live_server: str) -> None:
    (service,) = described.subjects(rdflib.RDF.type, SD.Service)
    assert str(described.value(service, SD.endpoint)) == f"{live_server}/sparql"
    assert set(described.objects(service, SD.supportedLanguage)) == {SD.SPARQL11Query}
    # None of the features holds, and RDF 1.2 is not served.
    assert not list(described.objects(None, SD.feature))
    assert "1.2" not in described.serialize(format="nt").replace("127.0.0.1", "")


def test_every_format_of_the_description_is_given(
    client: httpx.Client, described: rdflib.Graph
) -> None:
    formats = "http://www.w3.org/ns/formats/"
    media_types = {
        "SPARQL_Results_JSON": "application/sparql-results+json",
        "SPARQL_Results_XML": "application/sparql-results+xml",
        "SPARQL_Results_CSV": "text/csv",
        "SPARQL_Results_TSV": "text/tab-separated-values",
        "Turtle": "text/turtle",
        "N-Triples": "application/n-triples",
        "JSON-LD": "application/ld+json",
        "RDF_XML": "application/rdf+xml",
        "TriG": "application/trig",
        "N-Quads": "application/n-quads",
    }
    stated = {str(each) for each in described.objects(None, SD.resultFormat)}
    assert stated == {formats + name for name in media_types}
    for name, media_type in media_types.items():
        query = "ASK {}" if name.startswith("SPARQL_") else CONSTRUCT
        answer = client.get("/sparql", params={"query": query}, headers={"Accept": media_type})
        assert answer.headers["content-type"].partition(";")[0] == media_type


def test_the_graphs_of_the_description_are_there(
    client: httpx.Client, described: rdflib.Graph
) -> None:
    stated = {
        str(described.value(node, SD.name)): int(
            described.value(described.value(node, SD.graph), TRIPLES)
        )
        for node in described.objects(None, SD.namedGraph)
    }
    query = "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g"
    counted = rows(client.get("/sparql", params={"query": query}))
    assert stated == {row["g"]: int(row["n"]) for row in counted}
    assert len(stated) >= 3
    (dataset,) = described.objects(None, SD.defaultDataset)
    default = described.value(dataset, SD.defaultGraph)
    assert int(described.value(default, TRIPLES)) == 97


def test_a_browser_gets_the_editor(client: httpx.Client) -> None:
    answer = client.get("/sparql", headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "<textarea" in answer.text


def test_the_editor_declares_known_prefixes(client: httpx.Client) -> None:
    query = 'SELECT ?label { ?s rdfs:label ?label FILTER(?label = "小田原市"@ja) }'
    assert client.get("/sparql", params={"query": query}).status_code == 400
    page = client.get("/sparql", params={"query": query, "format": "html"})
    assert page.status_code == 200
    assert "PREFIX rdfs: &lt;http://www.w3.org/2000/01/rdf-schema#&gt;" in page.text
    assert "小田原市" in page.text


def test_the_prefixes_are_served(client: httpx.Client) -> None:
    listed = client.get("/prefixes").json()
    assert listed["dg"] == "https://w3id.org/digiden/ontology#"
    answer = client.get("/prefixes", headers={"Accept": "text/turtle"})
    graph = rdflib.Graph().parse(data=answer.content, format="turtle")
    declared = {
        str(graph.value(node, SH.prefix)): graph.value(node, SH.namespace)
        for node in graph.objects(None, SH.declare)
    }
    assert {name: str(value) for name, value in declared.items()} == listed
    assert {value.datatype for value in declared.values()} == {rdflib.XSD.anyURI}
    assert client.get("/prefixes?format=csv").status_code == 406


@pytest.mark.parametrize(
    ("text", "folded"),
    [("ｵﾀﾞﾜﾗ", "オダワラ"), ("おだわら", "オダワラ"), ("小田原市", "小田原市"), ("ＡＢ", "ab")],
)
def test_a_text_is_folded_for_search(client: httpx.Client, text: str, folded: str) -> None:
    assert client.get("/api/fold", params={"text": text}).json() == {"text": text, "folded": folded}


@pytest.mark.parametrize("query_string", ["", "?text=%", "?text=%FF", "?text=" + "a" * 3000])
def test_what_cannot_be_folded(live_server: str, query_string: str) -> None:
    content = raw(
        live_server, f"GET /api/fold{query_string} HTTP/1.1\r\nHost: e\r\n{CLOSE}\r\n\r\n"
    )
    assert content.startswith(b"HTTP/1.1 400 ")


# --- Graph store ---------------------------------------------------------------------------------


def test_a_graph_can_be_read(client: httpx.Client) -> None:
    answer = client.get("/data", params={"graph": REGISTER})
    assert answer.headers["content-type"] == "text/turtle; charset=utf-8"
    assert len(list(parse(answer.content, format=RdfFormat.TURTLE))) == 36
    answer = client.get("/data?default", headers={"Accept": "application/n-triples"})
    assert len(answer.text.splitlines()) == 97
    tag = {"If-None-Match": answer.headers["etag"], "Accept": "application/n-triples"}
    assert client.get("/data?default=", headers=tag).status_code == 304
    everything = client.get("/data", headers={"Accept": "application/n-quads"})
    assert len(everything.text.splitlines()) == 195
    head = client.head("/data", params={"graph": REGISTER})
    assert (head.status_code, head.content) == (200, b"")
    named = client.get("/data", params={"default": "", "format": "nq", "download": "all"})
    assert named.headers["content-disposition"] == 'attachment; filename="all.nq"'


@pytest.mark.parametrize(
    ("method", "query_string", "status"),
    [
        ("GET", "?graph=http://e/none", 404),
        ("GET", "?graph=none", 400),
        ("GET", f"?graph={REGISTER}&graph={SCHEMES}", 400),
        ("GET", f"?graph={REGISTER}&default", 400),
        ("GET", "?default&format=csv", 406),
        ("GET", "?format=ttl", 406),
        ("PUT", f"?graph={REGISTER}", 405),
        ("POST", f"?graph={REGISTER}", 405),
        ("DELETE", "?default", 405),
        ("PATCH", "?default", 405),
    ],
)
def test_what_the_graph_store_refuses(
    client: httpx.Client, method: str, query_string: str, status: int
) -> None:
    answer = client.request(method, f"/data{query_string}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert "read-only" in answer.json()["detail"]
        assert "GET" in answer.headers["allow"]


# --- State ---------------------------------------------------------------------------------------


def test_the_server_lives_and_is_ready(client: httpx.Client) -> None:
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").json()["status"] == "ready"
    assert client.get("/ready").headers["cache-control"] == "no-store"


def test_metrics_are_read_on_the_machine_only(client: httpx.Client) -> None:
    client.get("/sparql?query=ASK{}")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert int(values['digiden_requests_total{status="200",outcome="ok"}']) > 0
    assert int(values["digiden_requests_open"]) >= 1
    assert (
        values['digiden_query_seconds_bucket{le="+Inf"}'] == values["digiden_query_seconds_count"]
    )
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        refused = client.get("/metrics", headers={header: "127.0.0.1"})
        assert refused.status_code == 403


# --- Clients ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "request_method"), [(GET, URLENCODED), (POST, URLENCODED), (POST, POSTDIRECTLY)]
)
@pytest.mark.parametrize("name", [JSON, XML, CSV, TSV])
def test_sparqlwrapper_reads_tables(
    live_server: str, method: str, request_method: str, name: str
) -> None:
    wrapper = SPARQLWrapper(f"{live_server}/sparql")
    wrapper.setQuery(SELECT)
    wrapper.setMethod(method)
    wrapper.setRequestMethod(request_method)
    wrapper.setReturnFormat(name)
    response = wrapper.query()
    with response.response:
        result = response.convert()
    text = result.toxml() if name == XML else result.decode() if name in (CSV, TSV) else str(result)
    assert "小田原市" in text


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")
@pytest.mark.parametrize("name", [TURTLE, N3, RDFXML, JSONLD, XML])
def test_sparqlwrapper_reads_graphs(live_server: str, name: str) -> None:
    wrapper = SPARQLWrapper(f"{live_server}/sparql")
    wrapper.setQuery(CONSTRUCT)
    wrapper.setReturnFormat(name)
    response = wrapper.query()
    with response.response:
        result = response.convert()
    graph = result if isinstance(result, rdflib.Graph) else rdflib.Graph().parse(data=result)
    assert rdflib.Literal("小田原市", lang="ja") in set(graph.objects())


def test_sparqlwrapper_sees_errors(live_server: str) -> None:
    wrapper = SPARQLWrapper(f"{live_server}/sparql")
    wrapper.setQuery("SELECT")
    with pytest.raises(QueryBadFormed):
        wrapper.query()


@pytest.mark.parametrize("method", ["GET", "POST", "POST_FORM"])
def test_rdflib_reads_the_endpoint(live_server: str, method: str) -> None:
    store = SPARQLStore(f"{live_server}/sparql", method=method)
    graph = rdflib.Graph(store)
    (row,) = graph.query(SELECT)
    assert str(row[0]) == "小田原市"
    label = rdflib.RDFS.label
    assert rdflib.Literal("Odawara", lang="en") in set(graph.objects(rdflib.URIRef(ODAWARA), label))


def test_curl_reads_the_example(live_server: str) -> None:
    command = ["curl", "-sf", "-H", "Accept: text/csv", f"{live_server}/sparql"]
    command += ["--data-urlencode", f"query={SELECT}"]
    content = subprocess.run(command, capture_output=True, check=True).stdout
    assert io.BytesIO(content).readlines() == [b"label\r\n", "小田原市\r\n".encode()]


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")
@pytest.mark.parametrize(
    ("method", "request_method"), [(GET, URLENCODED), (POST, URLENCODED), (POST, POSTDIRECTLY)]
)
@pytest.mark.parametrize("query", [CONSTRUCT, f"DESCRIBE <{ODAWARA}>", "ASK {}"])
def test_sparqlwrapper_asks_by_every_method(
    live_server: str, method: str, request_method: str, query: str
) -> None:
    wrapper = SPARQLWrapper(f"{live_server}/sparql")
    wrapper.setQuery(query)
    wrapper.setMethod(method)
    wrapper.setRequestMethod(request_method)
    wrapper.setReturnFormat(JSON if query.startswith("ASK") else RDFXML)
    wrapper.addParameter("default-graph-uri", REGISTER)
    response = wrapper.query()
    with response.response:
        result = response.convert()
    if query.startswith("ASK"):
        assert result["boolean"] is True
    else:
        assert len(result) >= 3


def test_rdflib_reads_a_named_graph(live_server: str) -> None:
    store = SPARQLStore(f"{live_server}/sparql")
    graph = rdflib.Graph(store, identifier=rdflib.URIRef(SCHEMES))
    assert len(list(graph.query("SELECT * { ?s ?p ?o }"))) == 8
    assert rdflib.Graph(store).query("ASK {}").askAnswer is True


def test_curl_reads_a_coding_and_is_told_that_nothing_changed(
    live_server: str, tmp_path: Path
) -> None:
    tag = str(tmp_path / "tag")
    command = ["curl", "-sf", "--compressed", "--etag-save", tag, "--etag-compare", tag]
    command += ["-G", f"{live_server}/sparql.csv", "--data-urlencode", f"query={SELECT}"]
    command += ["-w", "%{http_code}"]
    first = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    again = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert first == "label\r\n小田原市\r\n200"
    assert again == "304"


def test_curl_sees_that_an_answer_is_cut(live_server: str) -> None:
    command = ["curl", "-s", "-o", "/dev/null", "-G", f"{live_server}/sparql.csv"]
    command += ["--data-urlencode", f"query={ENDLESS}", "-d", "timeout=2"]
    assert subprocess.run(command, check=False).returncode == 18  # partial file
