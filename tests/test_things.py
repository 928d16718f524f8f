"""Every IRI of the graph answers, in every format, and what it answers is true."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, quote, urldefrag, urljoin, urlsplit
from zlib import crc32

import httpx
import pytest
import rdflib
from conftest import serving
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store, parse

from digiden_kg import vocab
from digiden_kg.describe import context, describe
from digiden_kg.questions import evaluate
from digiden_kg.results import GRAPHS, Format
from digiden_kg.results import HTML as HTML_PAGE
from digiden_kg.web.site import address_of_thing
from digiden_kg.web.things import _BIBTEX as BIBTEX

BODY = "/doc/body/142069"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
QUIET = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
"""rdflib's reader of JSON-LD uses what rdflib itself calls deprecated."""
PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def iris(real_store: Store) -> list[str]:
    """Every IRI of ours in the dataset, wherever it stands."""
    found: set[str] = set()
    for quad in real_store:
        for term in (quad.subject, quad.predicate, quad.object, quad.graph_name):
            if isinstance(term, NamedNode) and term.value.startswith(vocab.BASE):
                found.add(term.value)
    return sorted(found)


def path_of(iri: str) -> str:
    """Path of an IRI on the server, as a client asks for it: without the fragment."""
    return "/" + iri.removeprefix(vocab.BASE).partition("#")[0]


FORMATS = (*GRAPHS, BIBTEX)
"""Every format besides pages."""
NO_CITATION = ("ontology", "shapes", "question/", "dataset", "context/")
"""What is cited as a whole: it has no entry for BibTeX."""


def checked(web: httpx.Client, iri: str, offer: Format) -> None:
    """Check that an IRI answers in a format, by negotiation, with something about itself."""
    answer = web.get(path_of(iri), headers={"Accept": offer.media_types[0]}, follow_redirects=True)
    assert answer.status_code == 200, (iri, offer.name, answer.text[:300])
    assert answer.headers["Content-Type"].partition(";")[0] == offer.media_types[0], iri
    if offer is HTML_PAGE:
        assert "</html>" in answer.text, iri
    elif offer is BIBTEX:
        assert answer.text.startswith("@misc{") and f"url = {{{iri}}}" in answer.text
    elif offer.name == "jsonld":
        document = json.loads(answer.text)
        assert document["graph"] if "graph" in document else document, iri  # noqa: SIM401 a list
    else:
        terms = {
            term.value.partition("#")[0]
            for quad in parse(answer.content, format=offer.engine)
            for term in (quad.subject, quad.object, quad.graph_name)
            if isinstance(term, NamedNode)
        }
        assert iri.partition("#")[0] in terms, (iri, offer.name)


def formats_of(iri: str) -> tuple[Format, ...]:
    """Formats in which an IRI is described."""
    whole = iri.removeprefix(vocab.BASE).startswith(NO_CITATION)
    return GRAPHS if whole else FORMATS


def test_every_iri_answers_in_some_format(web: httpx.Client, iris: list[str]) -> None:
    """Each is asked for in one format, so that every format answers for its share of them."""
    assert len(iris) > 4000
    used: Counter[str] = Counter()
    seen = set()
    for iri in iris:
        path = path_of(iri)
        if path in seen:
            continue
        seen.add(path)
        offers = formats_of(iri)
        offer = offers[crc32(iri.encode()) % len(offers)]
        checked(web, iri, offer)
        used[offer.name] += 1
    assert min(used.values()) > len(seen) / 10
    assert set(used) == {each.name for each in FORMATS}


def test_things_of_every_class_answer_in_every_format(
    web: httpx.Client, real_store: Store, iris: list[str]
) -> None:
    ours, of = set(iris), defaultdict(list)
    for quad in real_store.quads_for_pattern(
        None, NamedNode(vocab.expand("rdf:type")), None, DefaultGraph()
    ):
        if isinstance(quad.subject, NamedNode) and quad.subject.value in ours:
            of[quad.object.value].append(quad.subject.value)
    sample = {iri for listed in of.values() for iri in sorted(listed, key=_chance)[:2]}
    assert len(of) > 30
    assert len(sample) > 60
    for iri in {path_of(iri): iri for iri in sorted(sample)}.values():
        for offer in (*formats_of(iri), HTML_PAGE):
            checked(web, iri, offer)


def _chance(iri: str) -> int:
    return crc32(iri.encode())


def test_every_fragment_is_on_its_page(web: httpx.Client, iris: list[str]) -> None:
    pages: dict[str, str] = {}
    for iri in iris:
        path, _, fragment = iri.removeprefix(vocab.BASE).partition("#")
        if fragment:
            if path not in pages:
                pages[path] = web.get(f"/{path}", headers=HTML, follow_redirects=True).text
            assert f'id="{fragment}"' in pages[path], iri
    assert {"ontology", "shapes"} <= set(pages)


MOST = 2
"""Links that are asked for of those that differ in their values alone."""
PAGES = (
    *("/", "/search?q=%E5%B0%8F%E7%94%B0%E5%8E%9F", "/questions", "/sparql", "/browser-sparql"),
    *("/builder", "/map", "/statistics", "/statistics/model-services", "/quality", "/rounds"),
    *("/reuse", "/compare?body=142069&body=041009", "/explore?iri=id:body/142069", "/downloads"),
    *("/about", "/api", "/ontology", "/shapes", "/questions/adopters-of-a-model-service"),
)


def test_every_link_of_a_page_leads_somewhere(web: httpx.Client, iris: list[str]) -> None:
    kinds = {iri.removeprefix(vocab.BASE).rpartition("/")[0]: iri for iri in iris}
    known = {path_of(iri) for iri in iris}
    known |= {path.replace("/id/", "/doc/", 1) for path in known}
    starts = {*PAGES, *(address_of_thing(iri, "ja") or "" for iri in kinds.values())}
    asked: set[str] = set()
    shapes: Counter[object] = Counter()
    forms: set[str] = set()
    for start in sorted(starts):
        page = web.get(start, headers=HTML)
        assert page.status_code == 200, start
        links = Links(page.text)
        forms |= links.forms
        for link in links.addresses:
            address = urldefrag(urljoin(start, link)).url
            path, _, query = address.partition("?")
            # That every IRI answers is tested above; a page of it in either language is that.
            if not address.startswith("/") or (path in known and query in ("", "lang=ja")):
                continue
            shape = (
                path if path not in known else path.split("/")[1],
                tuple(sorted(name for name, _ in parse_qsl(query))),
            )
            if address in asked or shapes[shape] >= MOST:
                continue
            asked.add(address)
            shapes[shape] += 1
            answer = web.get(address, headers=HTML, follow_redirects=True)
            assert answer.status_code == 200, f"{start} -> {address}"
    assert len(asked) > 300
    for target in sorted(forms):
        if not target.startswith("/api/"):  # the examples of the interfaces have tests of their own
            assert web.get(target, headers=HTML).status_code in (200, 303), target
    assert {"/search", "/sparql"} <= forms


class Links(HTMLParser):
    """Addresses of a page: what it leads to, loads and is also there as, and where forms go."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.forms: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        self.forms |= {value for name, value in attrs if name in ("action", "formaction") and value}


def test_a_thing_leads_to_its_document(web: httpx.Client) -> None:
    answer = web.get("/id/body/142069?lang=en")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{BODY}?lang=en"
    assert web.head("/id/body/142069").status_code == 303


@QUIET
@pytest.mark.parametrize("offer", GRAPHS, ids=lambda offer: offer.name)
def test_every_format_says_the_same(web: httpx.Client, real_store: Store, offer) -> None:
    by_end = web.get(f"{BODY}.{offer.name}")
    by_header = web.get(BODY, headers={"Accept": offer.media_types[0]})
    assert by_end.content == by_header.content
    assert by_end.headers["Content-Type"].startswith(offer.media_types[0])
    assert by_end.headers["ETag"] == by_header.headers["ETag"]
    text = by_end.text
    if offer.name == "jsonld":
        document = json.loads(text)
        assert document["@context"] == vocab.BASE + "context/0.1.0.jsonld"
        assert document["graph"][0]["label"]["en"] == "Odawara City"
        document["@context"] = context()["@context"]
        text = json.dumps(document)
        theirs = {
            (str(s), str(p), str(o))
            for s, p, o in rdflib.Graph().parse(data=text, format="json-ld")
        }
    else:
        theirs = {
            (quad.subject.value, quad.predicate.value, quad.object.value)
            for quad in parse(text, format=offer.engine)
            if isinstance(quad.graph_name, DefaultGraph)
        }
    subject = NamedNode(vocab.BASE + "id/body/142069")
    ours = {
        (subject.value, quad.predicate.value, quad.object.value)
        for quad in real_store.quads_for_pattern(subject, None, None, DefaultGraph())
    }
    assert ours <= theirs
    incoming = {
        (quad.subject.value, quad.predicate.value, subject.value)
        for quad in real_store.quads_for_pattern(None, None, subject, DefaultGraph())
    }
    assert incoming & theirs
    for s, p, o in theirs - ours - incoming:
        assert p == vocab.expand("rdfs:label"), (s, p, o)


def test_who_says_so_is_in_trig_and_on_the_page(web: httpx.Client, real_store: Store) -> None:
    path = "/doc/project/r4-2-type2-3-142069"
    graphs = {
        quad.graph_name.value
        for quad in parse(web.get(f"{path}.trig").text, format=RdfFormat.TRIG)
        if isinstance(quad.graph_name, NamedNode)
    }
    subject = NamedNode(vocab.BASE + "id/project/r4-2-type2-3-142069")
    assert graphs == {
        quad.graph_name.value
        for quad in real_store.quads_for_pattern(subject, None, None, None)
        if isinstance(quad.graph_name, NamedNode)
    }
    page = web.get(path, params={"lang": "en"}, headers=HTML).text
    for graph in graphs:
        assert address_of_thing(graph, "en") in page
    assert "661,074,000" in page
    assert "inferred" in page


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_predicate_of_a_page_has_words(
    web: httpx.Client, iris: list[str], language: str
) -> None:
    # One thing of each kind; what belongs to the vocabularies themselves is for those who know RDF.
    kinds = {iri.removeprefix(vocab.BASE).rpartition("/")[0]: iri for iri in iris}
    checked = 0
    for kind, iri in kinds.items():
        if kind.startswith(("id/", "source/", "scheme/")):
            page = web.get(address_of_thing(iri, language) or "", headers=HTML).text
            for words, name in re.findall(r"<(?:dt|h3)>([^<]*) <small>([\w-]+:[\w-]+)", page):
                assert words != name, f"{iri}: {name} has no words"
                checked += 1
    assert checked > 200


def test_incoming_links_are_counted_and_paged(web: httpx.Client, real_store: Store) -> None:
    prefecture = NamedNode(vocab.BASE + "id/body/010006")
    lies_in = NamedNode(vocab.expand("dg:inPrefecture"))
    inside = sorted(
        quad.subject.value
        for quad in real_store.quads_for_pattern(None, lies_in, prefecture, DefaultGraph())
    )
    assert len(inside) > 100
    address = "/doc/body/010006?lang=en"
    seen: list[str] = []
    while address:
        text = web.get(address, headers=HTML).text
        section = next(part for part in text.split("<h3>") if "dg:inPrefecture" in part)
        assert f"{len(inside)} in all" in section
        links = Links(section).addresses
        seen += [link for link in links if link.startswith("/doc/body/0") and "offset" not in link]
        address = next((link for link in links if "offset=" in link), "")
    assert [vocab.BASE + "id/" + urlsplit(each).path.removeprefix("/doc/") for each in seen] == (
        inside
    )


def test_headers_tell_the_other_forms(web: httpx.Client) -> None:
    answer = web.get(BODY, headers={"Accept": "text/turtle"})
    links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["Link"]))
    assert links[vocab.BASE + "id/body/142069"] == "describes"
    assert links[BODY] == "canonical"
    assert links[f"{BODY}.jsonld"] == "alternate"
    assert "Accept" in answer.headers["Vary"]
    again = web.get(
        BODY, headers={"Accept": "text/turtle", "If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304
    assert not again.content
    head = web.head(BODY, headers={"Accept": "text/turtle"})
    assert head.headers["ETag"] == answer.headers["ETag"]
    assert not head.content


@QUIET
@pytest.mark.parametrize("name", ["ontology", "shapes"])
@pytest.mark.parametrize("end", ["ttl", "jsonld", "rdf", "nt"])
def test_vocabularies_come_whole(web: httpx.Client, real_store: Store, name: str, end: str) -> None:
    text = web.get(f"/{name}.{end}").text
    size = sum(
        1 for _ in real_store.quads_for_pattern(None, None, None, NamedNode(vocab.source(name)))
    )
    formats = {"ttl": "turtle", "jsonld": "json-ld", "rdf": "xml", "nt": "nt"}
    assert len(rdflib.Graph().parse(data=text, format=formats[end])) == size


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_ontology_page_defines_every_term(
    web: httpx.Client, real_store: Store, language: str
) -> None:
    text = web.get(f"/ontology?lang={language}", headers=HTML).text
    rows = evaluate(
        real_store,
        f"""PREFIX skos: <{vocab.PREFIXES["skos"]}>
SELECT ?term ?definition {{ ?term skos:definition ?definition
  FILTER(STRSTARTS(STR(?term), "{vocab.PREFIXES["dg"]}") && LANG(?definition) = "{language}") }}""",
    ).rows
    assert len(rows) > 100
    plain = HTMLText(text).text
    for term, definition in rows:
        assert f'id="{term.value.partition("#")[2]}"' in text
        assert definition.value in plain


@pytest.mark.parametrize("end", ["", ".html", ".ttl", ".jsonld", ".rdf", ".nt"])
def test_the_version_of_the_ontology_that_is_served_has_its_address(
    web: httpx.Client, end: str
) -> None:
    found = re.findall(r"versionIRI> <([^>]+)>", web.get("/ontology.nt").text)
    (version,) = found
    answer = web.get(path_of(version) + end)
    assert answer.status_code == 200
    if end not in ("", ".html"):
        assert answer.text == web.get(f"/ontology{end}").text
    for other in ("9.9", "<script>", "0.1.0.exe"):
        assert web.get(f"/ontology/{other}{end}").status_code == 404


class HTMLText(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_is_unknown_has_neighbours(web: httpx.Client) -> None:
    data = web.get("/id/body/小田原", headers={"Accept": "text/turtle"})
    assert data.status_code == 404
    assert vocab.BASE + "id/body/142069" in data.json()["near"]
    page = web.get("/doc/body/おだわら?lang=en", headers=HTML)
    assert page.status_code == 404
    assert "Odawara City" in page.text
    assert web.get("/scheme/none", headers=HTML).status_code == 404
    assert web.get("/ontology/9.9", headers=HTML).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/id/body/142069/",
        "/id//body/142069",
        "/doc/../../etc/passwd",
        "/doc/%2e%2e/%2e%2e/etc/passwd",
        "/doc/body/142069%0d%0aSet-Cookie:%20a=b",
        "/id/body/%0d%0aSet-Cookie:%20a=b",
        "/doc/body/<script>alert(1)</script>",
        "/doc/body/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/doc/body/%22%3E%3Cscript%3E",
        "/doc/body/%00",
        "/doc/body/%ff",
        "/scheme/%7B%7D%20UNION",
        "/source/%3E%20%3Fp%20%3Fo%20%7D",
        "/doc/" + quote("市町村" * 300),
        "/doc/body/142069.ttl.ttl",
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "text/turtle"])
def test_strange_paths_are_not_found_and_nothing_leaks(
    web: httpx.Client, path: str, accept: str
) -> None:
    answer = web.get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers
    assert "<script>" not in answer.text
    assert "root:" not in answer.text


def test_parameters_are_not_believed(web: httpx.Client) -> None:
    for query in ("relation=%3E%3Cscript%3E", "offset=-1", "offset=1e9", "lang=%0d%0aX:%20y"):
        answer = web.get(f"{BODY}?{query}", headers=HTML)
        assert answer.status_code == 200, query
        assert "<script>" not in answer.text
        assert "X" not in answer.headers
    assert web.get(f"{BODY}?format=none").status_code == 406
    assert web.get(BODY, headers={"Accept": "image/png"}).status_code == 406


def test_search_engines_are_told(web: httpx.Client) -> None:
    text = web.get(BODY, params={"lang": "en"}, headers=HTML).text
    (script,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
    content = json.loads(script)
    assert content["@type"] == "GovernmentOrganization"
    assert content["name"] == "Odawara City"
    assert content["@id"] == vocab.BASE + "id/body/142069"
    assert web.get("/robots.txt").text.count("Sitemap: ") == 1
    sitemap = web.get("/sitemap.xml").text
    assert BODY in sitemap
    assert sitemap.count("<loc>") > 3000


def test_retired_things_lead_on_or_are_gone(
    tmp_path: Path, tiny_environment: dict[str, str]
) -> None:
    base = f"{vocab.BASE}id/body/"
    file = tmp_path / "retired.ttl"
    file.write_text(
        f"""@prefix dcterms: <{vocab.PREFIXES["dcterms"]}> .
@prefix owl: <{vocab.PREFIXES["owl"]}> .
@prefix rdfs: <{vocab.PREFIXES["rdfs"]}> .
<{base}old> dcterms:isReplacedBy <{base}new> .
<{base}new> rdfs:label "New" .
<{base}gone> owl:deprecated true .""",
        encoding="utf-8",
    )
    with serving(tiny_environment, "--data", str(file)) as address:
        for start in ("id", "doc"):
            moved = httpx.get(f"{address}/{start}/body/old", headers=HTML)
            while moved.status_code == 303:
                moved = httpx.get(address + moved.headers["Location"], headers=HTML)
            assert (moved.status_code, moved.headers["Location"]) == (301, "/doc/body/new")
        assert httpx.get(f"{address}/doc/body/gone").status_code == 410
        assert "New" in httpx.get(f"{address}/doc/body/new", headers=HTML).text


def test_a_description_of_nothing_is_none(tiny_store: Store) -> None:
    async def ask(query: str):
        return evaluate(tiny_store, query)

    assert asyncio.run(describe(ask, "http://example.org/none")) is None
    found = asyncio.run(describe(ask, next(_subjects(tiny_store))))
    assert found is not None
    assert found.statements


def _subjects(store: Store) -> Iterator[str]:
    for quad in store.quads_for_pattern(None, None, None, DefaultGraph()):
        assert isinstance(quad, Quad)
        if isinstance(quad.subject, NamedNode):
            yield quad.subject.value
