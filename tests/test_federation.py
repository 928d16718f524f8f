"""Federation: named endpoints are asked in front of the engine, and nobody else is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import serving

from digiden_kg import vocab

OWN = """@prefix dg: <https://w3id.org/digiden/ontology#> .
<http://e/visit> dg:about <https://w3id.org/digiden/id/body/142069> .
<http://e/other> dg:about <http://e/unknown> .
"""
NOBODY = "http://127.0.0.1:9/sparql"
PREFIXES = f"PREFIX dg: <{vocab.PREFIXES['dg']}> PREFIX rdfs: <{vocab.PREFIXES['rdfs']}> "


@pytest.fixture(scope="module")
def remote(live_server: str) -> str:
    return f"{live_server}/sparql"


@pytest.fixture(scope="module")
def client(
    remote: str, tiny_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a server whose queries may ask the server of the tiny release, and nobody."""
    draft = tmp_path_factory.mktemp("draft") / "own.ttl"
    draft.write_text(OWN, encoding="utf-8")
    environment = {**tiny_environment, "DIGIDEN_FEDERATION": f"{remote} {NOBODY}"}
    with (
        serving(environment, "--data", str(draft)) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    found = answer.json()["results"]["bindings"]
    return [{name: cell["value"] for name, cell in row.items()} for row in found]


def ask(client: httpx.Client, query: str) -> httpx.Response:
    accept = {"Accept": "application/sparql-results+json"}
    return client.post("/sparql", data={"query": PREFIXES + query}, headers=accept)


LABELS = '{ ?body rdfs:label ?name FILTER(LANG(?name) = "ja") }'


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            f"SELECT ?name {{ ?visit dg:about ?body SERVICE <REMOTE> {LABELS} }}",
            [{"name": "小田原市"}],
        ),
        (
            "SELECT ?visit ?name { ?visit dg:about ?body"
            f" OPTIONAL {{ SERVICE <REMOTE> {LABELS} }} }}",
            [{"visit": "http://e/other"}, {"visit": "http://e/visit", "name": "小田原市"}],
        ),
        (
            "SELECT ?visit { ?visit dg:about ?body"
            f" FILTER NOT EXISTS {{ SERVICE <REMOTE> {LABELS} }} }}",
            [{"visit": "http://e/other"}],
        ),
        (
            "PREFIX far: <FOLDER> SELECT ?name { ?visit dg:about ?body"
            f" service far:sparql {LABELS} }}",
            [{"name": "小田原市"}],
        ),
        (
            'SELECT ?x { SERVICE <REMOTE> { BIND("a \\"quoted\\" } line\\n#" AS ?x) } }',
            [{"x": 'a "quoted" } line\n#'}],
        ),
        ('SELECT ?x { BIND("SERVICE <http://e> {" AS ?x) }', [{"x": "SERVICE <http://e> {"}]),
        ("SELECT ?x { SERVICE <REMOTE> { VALUES (?x ?y) { (1 UNDEF) (2.5 3) } } }",
         [{"x": "1"}, {"x": "2.5"}]),
        ("SELECT ?x { BIND(1 AS ?x) SERVICE <REMOTE> { FILTER(false) } }", []),
        ("SELECT ?x { BIND(1 AS ?x) SERVICE <REMOTE> { } }", [{"x": "1"}]),
        (f"SELECT ?x {{ BIND(1 AS ?x) SERVICE SILENT <{NOBODY}> {{ ?a ?b ?c }} }}", [{"x": "1"}]),
        ("SELECT ?x { SERVICE <REMOTE> { BIND(1 AS ?x) } SERVICE <REMOTE> { BIND(1 AS ?x) } }",
         [{"x": "1"}]),
    ],
)  # fmt: skip
def test_a_pattern_is_answered_by_the_endpoint_that_it_names(
    client: httpx.Client, remote: str, query: str, expected: list[dict[str, str]]
) -> None:
    folder = remote.removesuffix("sparql")
    answer = ask(client, query.replace("REMOTE", remote).replace("FOLDER", folder))
    assert sorted(rows(answer), key=json.dumps) == sorted(expected, key=json.dumps)
    if "SERVICE" in query and 'BIND("SERVICE' not in query:
        assert "etag" not in answer.headers  # others change without a release of ours


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("ASK { SERVICE <http://127.0.0.1:1/sparql> { ?a ?b ?c } }", "not among the endpoints"),
        ("ASK { VALUES ?e { <REMOTE> } SERVICE ?e { ?a ?b ?c } }", "the IRI of one endpoint"),
        ("ASK { SERVICE none:at-all { ?a ?b ?c } }", "the IRI of one endpoint"),
        ("ASK { SERVICE <REMOTE> }", "the IRI of one endpoint"),
        ("ASK { SERVICE <REMOTE> { ?a ?b ?c ", "the IRI of one endpoint"),
        ("ASK { SERVICE <REMOTE> { SERVICE <REMOTE> { ?a ?b ?c } } }", "inside another"),
        ("ASK {" + "SERVICE <REMOTE> { } " * 9 + "}", "at most 8"),
        ("ASK { SERVICE", "the IRI of one endpoint"),
        ("ASK { SERVICE <REMOTE> { ?s ?p [] . BIND(BNODE() AS ?x) } }", "blank nodes"),
        ("ASK { SERVICE <REMOTE> { ?a ?b } }", "<REMOTE>"),
        (f"ASK {{ SERVICE <{NOBODY}> {{ ?a ?b ?c }} }}", NOBODY),
        ("SELECT * { SERVICE <REMOTE> { ?a ?b ?c . ?d ?e ?f } }", "2,000"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    client: httpx.Client, remote: str, query: str, words: str
) -> None:
    answer = ask(client, query.replace("REMOTE", remote))
    assert answer.status_code == 400
    assert words.replace("REMOTE", remote) in answer.json()["detail"]


def test_it_is_announced_where_it_is_allowed(client: httpx.Client, live_server: str) -> None:
    turtle = {"Accept": "text/turtle"}
    assert "BasicFederatedQuery" in client.get("/sparql", headers=turtle).text
    assert "BasicFederatedQuery" not in httpx.get(f"{live_server}/sparql", headers=turtle).text


def test_a_setting_that_is_no_address_is_named(
    tiny_environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "own.ttl").write_text(OWN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "digiden_kg", "serve", "--data", str(tmp_path / "own.ttl")],
        env={**tiny_environment, "DIGIDEN_FEDERATION": "wikidata"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert "DIGIDEN_FEDERATION has 'wikidata'" in done.stderr
