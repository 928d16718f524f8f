"""The SPARQL 1.1 Protocol against a live server, with the clients that people use."""

from __future__ import annotations

import io
import socket
import subprocess
import time
from urllib.parse import quote

import httpx
import pytest
import rdflib
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


@pytest.fixture(scope="module")
def client(live_server: str) -> httpx.Client:
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
    start = time.monotonic()
    with socket.create_connection((address.host, address.port or 80)) as runaway:
        runaway.sendall(request.encode())
        waits = []
        while time.monotonic() - start < 1.5:
            asked = time.monotonic()
            assert client.get("/sparql", params={"query": "ASK {}"}).json()["boolean"]
            waits.append(time.monotonic() - asked)
        content = b"".join(iter(lambda: runaway.recv(65536), b""))
    assert 1.9 < time.monotonic() - start < 3
    assert content.startswith(b"HTTP/1.1 504 ")
    assert b"/problem/timeout" in content
    assert max(waits) < 0.5


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


@pytest.mark.parametrize(
    ("accept", "engine"),
    [
        ("*/*", RdfFormat.TURTLE),
        ("application/rdf+xml", RdfFormat.RDF_XML),
        ("application/ld+json", RdfFormat.JSON_LD),
    ],
)
def test_the_service_describes_itself(
    client: httpx.Client, live_server: str, accept: str, engine: RdfFormat
) -> None:
    answer = client.get("/sparql", headers={"Accept": accept})
    assert answer.status_code == 200
    triples = [quad.triple for quad in parse(answer.content, format=engine)]
    sd = "http://www.w3.org/ns/sparql-service-description#"
    stated = {(t.predicate.value.removeprefix(sd), getattr(t.object, "value", "")) for t in triples}
    assert ("endpoint", f"{live_server}/sparql") in stated
    assert ("supportedLanguage", f"{sd}SPARQL11Query") in stated
    assert ("name", REGISTER) in stated
    assert ("http://rdfs.org/ns/void#triples", "97") in stated
    assert ("http://rdfs.org/ns/void#triples", "36") in stated


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
