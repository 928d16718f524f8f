"""The page of the ontology shows each term with what the data and the shapes say of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
import rdflib
from pyoxigraph import Store

from digiden_kg import vocab
from digiden_kg.ontology import load_ontology
from digiden_kg.questions import load_headings
from digiden_kg.settings import load_settings

HTML = {"Accept": "text/html"}
DG = vocab.PREFIXES["dg"]
PROJECT = Path(__file__).parents[1]


def section(page: str, term: str) -> str:
    """The part of a page that is about a term."""
    found = re.search(rf'<section id="{term}".*?</section>', page, re.DOTALL)
    assert found, term
    return found[0]


@pytest.fixture(scope="module", params=["ja", "en"])
def page(request: pytest.FixtureRequest, web: httpx.Client) -> str:
    return web.get("/ontology", params={"lang": request.param}, headers=HTML).text


def test_every_term_that_is_used_has_an_example_from_the_data(page: str) -> None:
    graph = load_ontology(load_settings().ontology_dir)
    terms = {
        str(term).removeprefix(DG)
        for kind in ("Class", "ObjectProperty", "DatatypeProperty", "AnnotationProperty")
        for term in graph.subjects(rdflib.RDF.type, rdflib.OWL[kind])
        if str(term).startswith(DG)
    }
    assert len(terms) > 120
    for term in terms:
        text = section(page, term)
        used = "/sparql?" in text
        assert ('class="real"' in text) == used, term


def test_examples_are_true(web: httpx.Client, page: str) -> None:
    """Each statement that is shown is in the data."""
    language = "ja" if 'lang="ja"' in page[:100] else "en"
    shown = re.findall(
        r'<section id="(\w+)"(?:(?!</section>).)*?class="real"><a href="/([^"?]+)[^"]*">'
        r'[^<]*</a> → <a href="/([^"?]+)',
        page,
        re.DOTALL,
    )
    assert len(shown) > 40
    for term, thing, value in shown:
        subject, target = (vocab.BASE + re.sub("^doc/", "id/", each) for each in (thing, value))
        if term in ("measure",):  # a term of ours: its page is the fragment of this one
            continue
        query = f"ASK {{ <{subject}> <{DG}{term}> <{target}> }}"
        answer = web.get("/sparql", params={"query": query, "format": "json"}).json()
        assert answer["boolean"], (language, term)


def test_a_class_shows_what_holds_for_it(page: str) -> None:
    text = section(page, "Project")
    assert "dgs:Project" in text
    assert re.search(r">202 ", text)
    cost = section(page, "projectCost")
    assert "dgs:Project-projectCost" in cost
    assert "xsd:integer" in cost
    for shape in re.findall(r'href="(/shapes[^"]*)"', cost):
        assert "#" in shape


def test_the_diagram_has_the_classes_and_their_properties(page: str) -> None:
    (svg,) = re.findall(r'<svg class="classes".*?</svg>', page, re.DOTALL)
    targets = set(re.findall(r'href="#(\w+)"', svg))
    graph = load_ontology(load_settings().ontology_dir)
    for cls in graph.subjects(rdflib.RDF.type, rdflib.OWL.Class):
        if str(cls).startswith(DG):
            assert str(cls).removeprefix(DG) in targets
    for name, domain in graph.subject_objects(rdflib.RDFS.domain):
        ends = [str(each) for each in graph.objects(name, rdflib.RDFS.range)]
        if str(domain).startswith(DG) and ends and ends[0].startswith(DG):
            assert str(name).removeprefix(DG) in targets
    assert svg.count('class="line"') > 25
    rows = re.search(r"<details>.*?</details>", page.partition("</svg>")[2], re.DOTALL)
    assert rows
    assert rows[0].count("<tr><td>") == svg.count('class="line"')


class Texts(HTMLParser):
    """What a reader sees, without what is code or in another language."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.shown: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "dt":
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "dt":
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.shown.append(data.strip())


def test_words_are_in_the_language_of_the_page(page: str) -> None:
    japanese = 'lang="ja"' in page[:100]
    words = {each for each in Texts(page).shown if each and each != "IRI"}
    assert len(words) > 5
    for each in words:
        assert bool(re.search("[ぁ-んァ-ヶ一-龥]", each)) == japanese, each


@pytest.mark.parametrize(
    "media_type", ["text/turtle", "application/ld+json", "application/rdf+xml"]
)
@pytest.mark.parametrize("path", ["/ontology", "/ontology/0.1.0", "/shapes"])
def test_programs_get_what_they_accept(web: httpx.Client, path: str, media_type: str) -> None:
    answer = web.get(path, headers={"Accept": media_type})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(media_type)
    assert "Accept" in answer.headers["Vary"]


def test_the_page_names_its_version(page: str) -> None:
    assert 'href="/ontology/0.1.0"' in page
    assert f"<code>{vocab.BASE}ontology/0.1.0</code>" in page


def test_every_property_and_class_of_the_dataset_has_both_names(real_store: Store) -> None:
    terms = load_headings(PROJECT / "queries" / "terms.csv")
    used = """SELECT DISTINCT ?term WHERE {
        { ?s ?term ?o } UNION { GRAPH ?g { ?s ?term ?o } } UNION { ?s a ?term }
        UNION { GRAPH ?g { ?s a ?term } } }"""
    named = """SELECT DISTINCT ?term WHERE {
        ?term rdfs:label ?ja, ?en FILTER(LANG(?ja) = "ja" && LANG(?en) = "en") }"""
    prefix = "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n"
    found = {row[0].value for row in real_store.query(used)}
    ours = {
        row[0].value for row in real_store.query(prefix + named, use_default_graph_as_union=True)
    }
    assert {vocab.shorten(iri) for iri in found - ours} <= terms.keys()
    assert all(name["ja"] and name["en"] for name in terms.values())


def test_the_question_about_statements_names_every_reused_property(real_store: Store) -> None:
    query = (PROJECT / "queries/questions/what-the-document-says-of-a-body.rq").read_text("utf-8")
    terms = load_headings(PROJECT / "queries" / "terms.csv")
    named: dict[str, dict[str, str]] = {}
    for term, text, language in re.findall(r'\((\w+:\w+) "([^"]+)"@(\w\w)\)', query):
        named.setdefault(term, {})[language] = text
    assert named == {term: terms[term] for term in named}
    stated = """PREFIX dg: <https://w3id.org/digiden/ontology#>
        PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
        SELECT DISTINCT ?property WHERE {
          ?passage a dg:Passage . GRAPH ?passage { ?thing ?property ?value }
          FILTER NOT EXISTS { ?property rdfs:label ?label } FILTER(?property != rdf:type) }"""
    rows = real_store.query(
        "PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>\n" + stated,
        use_default_graph_as_union=True,
    )
    assert {vocab.shorten(row[0].value) for row in rows} == named.keys()
