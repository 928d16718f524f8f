"""The pages: what a person sees, in both languages and without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from pyoxigraph import Store

from digiden_kg.questions import (
    TERMS_QUERY,
    evaluate,
    heading,
    load_amounts,
    load_headings,
    load_questions,
    read_terms,
)
from digiden_kg.web.start import TAGS

PROJECT = Path(__file__).parents[1]

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
QUESTION = "/questions/projects-of-a-body"
PAGES = ["/", QUESTION, "/questions/model-services", "/sparql", "/sparql?query=ASK{}"]


@pytest.fixture(scope="module")
def client(live_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server, headers=BROWSER, timeout=30) as client:
        yield client


class Links(HTMLParser):
    """Collects the addresses of a page, the tags, and tags that are never closed."""

    VOID = ("meta", "link", "input", "br", "option", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.forms: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("href", "src", "action")
        ]
        self.forms += [value or "" for name, value in attrs if name == "action"]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_page_is_whole_and_loads_nothing_from_elsewhere(
    client: httpx.Client, path: str, language: str
) -> None:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    page = Links(answer.text)
    assert not page.open
    assert page.tags.isdisjoint({"style", "iframe"})
    for address in page.addresses:
        assert not address.startswith("//")
        assert urljoin(str(client.base_url), address).startswith(str(client.base_url))


def test_every_link_leads_somewhere(client: httpx.Client) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting and len(seen) < 120:
        address = waiting.pop(0)
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        if answer.headers["content-type"].startswith("text/html") and len(seen) < 20:
            page = Links(answer.text)
            links = set(page.addresses) - set(page.forms)
            # The examples of the interfaces are of the real data.
            links = {a for a in links if not a.startswith(("/api/", "/preview/"))}
            links = set() if address.partition("?")[0] == "/api" else links
            waiting += sorted(a.partition("#")[0] for a in links if a[0] == "/")
    assert any(address.startswith("/questions/") for address in seen)
    assert any("format=csv" in address for address in seen)


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "ja"),
        ("", "en", "en"),
        ("", "en-GB,en;q=0.9,ja;q=0.8", "en"),
        ("", "fr, ja;q=0.5, en;q=0.4", "ja"),
        ("", "fr", "ja"),
        ("?lang=en", "ja", "en"),
        ("?lang=ja", "en", "ja"),
        ("?lang=xx", "en", "en"),
    ],
)
def test_the_language_of_the_reader(
    client: httpx.Client, query: str, header: str | None, language: str
) -> None:
    headers = {"Accept-Language": header} if header else {}
    assert f'<html lang="{language}">' in client.get(f"/{query}", headers=headers).text


def test_the_switch_keeps_the_values(client: httpx.Client) -> None:
    page = Links(client.get(QUESTION, params={"body": "日進市", "lang": "ja"}).text)
    (english,) = [a for a in page.addresses if a.startswith(QUESTION) and a.endswith("lang=en")]
    answer = client.get(english)
    assert "A card for every citizen" not in answer.text  # the question shows Japanese labels
    assert "日進市市民カード化構想" in answer.text
    assert '<html lang="en">' in answer.text


def test_the_start_page_counts_and_the_list_of_questions_lists(client: httpx.Client) -> None:
    text = client.get("/?lang=en").text
    assert re.search(r"<strong>97</strong>\s*Statements", text)
    assert re.search(r"<strong>3</strong>\s*Projects", text)
    assert "Which projects does this body carry out?" in client.get("/questions?lang=en").text
    assert "この団体の交付決定事業は？" in client.get("/questions?lang=ja").text


def test_a_question_shows_labels_and_numbers(client: httpx.Client) -> None:
    text = client.get(QUESTION).text
    assert "661,074,000" in text
    assert 'title="id:body/142069">小田原市</a>' in text
    assert "名前の挙がった事業だけです。" in text
    assert '<th scope="col">projectLabel</th>' not in text


def test_a_question_takes_values(client: httpx.Client) -> None:
    text = client.get(QUESTION, params={"body": "福島県昭和村", "theme": "", "lang": "ja"}).text
    assert "84,246,000" in text
    assert re.search(r'value="id:body/074462" selected>福島県昭和村', text)
    assert "id/body/074462" in text
    chosen = client.get(QUESTION, params={"theme": "scheme:theme/tourism"}).text
    assert re.search(r'value="scheme:theme/tourism" selected>観光', chosen)


def test_a_value_that_does_not_fit_is_explained_on_the_page(client: httpx.Client) -> None:
    answer = client.get(QUESTION, params={"body": "昭和村"})
    assert answer.status_code == 400
    assert "id:body/104485" in answer.text
    assert 'role="alert"' in answer.text


def test_a_question_is_also_an_interface(client: httpx.Client) -> None:
    answer = client.get(QUESTION, params={"body": "日進市", "format": "csv"})
    assert answer.headers["content-disposition"] == (
        'attachment; filename="projects-of-a-body.csv"'
    )
    assert "日進市市民カード化構想" in answer.text
    headers = {"Accept": "application/sparql-results+json"}
    answer = client.get(QUESTION, params={"cost": "1000000000"}, headers=headers)
    assert answer.json()["results"]["bindings"] == []
    answer = client.get(QUESTION, params={"town": "x"}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/problem/parameter")
    assert client.get(QUESTION, headers={"Accept": "image/png"}).status_code == 406


def test_the_form_runs_a_query(client: httpx.Client) -> None:
    query = (
        "SELECT ?label { ?s <http://www.w3.org/2000/01/rdf-schema#label> ?label } ORDER BY ?label"
    )
    text = client.get("/sparql", params={"query": query, "lang": "en"}).text
    assert '<td lang="ja">小田原市</td>' in text
    graph = client.get("/sparql", params={"query": "CONSTRUCT { <http://e> a <http://e> } {}"})
    assert "&lt;http://e&gt;" in graph.text
    assert "true" in client.get("/sparql", params={"query": "ASK {}"}).text
    wrong = client.get("/sparql", params={"query": "SELECT <script>alert(1)</script>"})
    assert wrong.status_code == 400
    assert "<script>" not in wrong.text


def test_a_thing_can_be_followed(client: httpx.Client) -> None:
    page = Links(client.get(QUESTION, params={"lang": "ja"}).text)
    (thing,) = {a for a in page.addresses if a.startswith("/doc/project/")}
    text = client.get(thing).text
    assert "661,074千円" in text
    assert "小田原市" in text


def test_the_files_of_the_release(client: httpx.Client) -> None:
    assert client.get("/report").text.startswith("<!doctype html>")
    assert client.get("/files/report.csv").text == "severity\n"
    dataset = client.get("/files/digiden.nq")
    assert dataset.headers["content-type"] == "application/n-quads"
    assert len(dataset.text.splitlines()) == 195
    assert client.get("/files/report.ttl").status_code == 404
    assert client.get("/files/..%2Fmanifest.json").status_code == 404


def test_health(client: httpx.Client) -> None:
    answer = client.get("/health").json()
    assert answer["status"] == "ok"
    assert answer["release"].startswith("0-")


def test_every_column_and_tag_of_a_question_has_words() -> None:
    ontology = Store()
    ontology.load(path=PROJECT / "ontology" / "digiden.ttl")
    terms = read_terms(evaluate(ontology, TERMS_QUERY).rows)
    listed = load_headings(PROJECT / "queries" / "columns.csv")
    used, columns = set(), set()
    for question in load_questions(PROJECT / "queries" / "questions"):
        assert not set(question.tags) - TAGS.keys()
        for column in evaluate(Store(), question.text).columns:
            columns.add(column)
            found = heading(column, {**terms, **listed})
            assert found, f"{question.slug}: add {column} to queries/columns.csv"
            used |= {name for name, text in listed.items() if text is found}
    for path in (PROJECT / "queries" / "tables").glob("*.rq"):
        for column in evaluate(Store(), path.read_text(encoding="utf-8")).columns:
            stem = re.sub(r"(Labels?)?(Ja|En)$", "", column)
            singular = f"{stem[:-3]}y" if stem.endswith("ies") else stem.removesuffix("s")
            found = [heading(each, {**terms, **listed}) for each in (column, stem, singular)]
            used |= {name for name, text in listed.items() if any(text is f for f in found)}
    used.add("count")  # what the builder counts
    assert listed.keys() == used, "queries/columns.csv names what no question shows"
    assert load_amounts(PROJECT / "queries" / "columns.csv") <= columns


def test_columns_have_headings(client: httpx.Client) -> None:
    text = client.get("/sparql", params={"query": "SELECT (1 AS ?named) {}", "lang": "ja"}).text
    assert "名前が分かる数<br><small>named</small>" in text
