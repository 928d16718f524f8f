"""What the dataset says of itself, recounted from the data."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import pyshacl
import pytest
import rdflib
from pyoxigraph import DefaultGraph, NamedNode, Store
from rdflib.namespace import DCAT, DCTERMS, RDF, SH, VOID

from digiden_kg import vocab
from digiden_kg.metadata import Counts, dataset_description, former_description
from digiden_kg.questions import load_questions
from digiden_kg.release import DESCRIPTION, Release
from digiden_kg.report import Report
from digiden_kg.results import GRAPHS

PROJECT = Path(__file__).parents[1]
DQV = rdflib.Namespace("http://www.w3.org/ns/dqv#")
SPDX = rdflib.Namespace("http://spdx.org/rdf/terms#")

MANDATORY = """
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix spdx: <http://spdx.org/rdf/terms#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix ex: <http://example.org/> .

ex:Catalogue a sh:NodeShape ; sh:targetClass dcat:Catalog ;
  sh:property [ sh:path dcterms:title ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dcterms:description ; sh:minCount 1 ; sh:nodeKind sh:Literal ] ,
    [ sh:path dcterms:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ] ,
    [ sh:path dcat:dataset ; sh:minCount 1 ; sh:class dcat:Dataset ] ,
    [ sh:path dcat:service ; sh:minCount 1 ; sh:class dcat:DataService ] .
ex:Dataset a sh:NodeShape ; sh:targetClass dcat:Dataset ;
  sh:property [ sh:path dcterms:title ; sh:minCount 2 ; sh:uniqueLang true ] ,
    [ sh:path dcterms:description ; sh:minCount 2 ; sh:uniqueLang true ] ,
    [ sh:path dcat:distribution ; sh:minCount 1 ; sh:class dcat:Distribution ] ,
    [ sh:path dcterms:license ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcterms:temporal ; sh:minCount 1 ; sh:class dcterms:PeriodOfTime ] ,
    [ sh:path dcterms:spatial ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcat:version ; sh:minCount 1 ; sh:maxCount 1 ] .
ex:Distribution a sh:NodeShape ; sh:targetClass dcat:Distribution ;
  sh:property [ sh:path dcat:accessURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcat:byteSize ; sh:minCount 1 ; sh:datatype xsd:integer ] ,
    [ sh:path dcat:mediaType ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcterms:license ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path spdx:checksum ; sh:minCount 1 ; sh:maxCount 1 ; sh:class spdx:Checksum ] .
ex:DataService a sh:NodeShape ; sh:targetClass dcat:DataService ;
  sh:property [ sh:path dcterms:title ; sh:minCount 1 ] ,
    [ sh:path dcat:endpointURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcat:servesDataset ; sh:minCount 1 ; sh:class dcat:Dataset ] .
ex:Checksum a sh:NodeShape ; sh:targetClass spdx:Checksum ;
  sh:property [ sh:path spdx:algorithm ; sh:minCount 1 ; sh:maxCount 1 ] ,
    [ sh:path spdx:checksumValue ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:hexBinary ] .
ex:Period a sh:NodeShape ; sh:targetClass dcterms:PeriodOfTime ;
  sh:property [ sh:path dcat:startDate ; sh:minCount 1 ] ,
    [ sh:path dcat:endDate ; sh:minCount 1 ] .
"""
"""The mandatory properties of DCAT-AP 3, and what we promise beyond them, in our own words."""


@pytest.fixture(scope="module")
def dumped(web: httpx.Client) -> None:
    """Wait until the server has written its dumps."""
    while (answer := web.get("/files/SHA256SUMS")).status_code == 503:
        assert answer.headers["Retry-After"]
    assert answer.status_code == 200


@pytest.fixture(scope="module")
def void(web: httpx.Client, dumped: None) -> rdflib.Graph:
    return rdflib.Graph().parse(data=web.get("/.well-known/void").text, format="turtle")


@pytest.fixture(scope="module")
def here(built: tuple[Release, Report]) -> rdflib.URIRef:
    return rdflib.URIRef(vocab.dataset(built[0].name))


def test_void_equals_a_recount(void: rdflib.Graph, here: rdflib.URIRef, real_store: Store) -> None:
    quads = list(real_store.quads_for_pattern(None, None, None, DefaultGraph()))
    classes, triples = Counter(), Counter()
    subjects, objects = defaultdict(set), defaultdict(set)
    entities = set()
    for quad in quads:
        triples[quad.predicate.value] += 1
        subjects[quad.predicate.value].add(quad.subject)
        objects[quad.predicate.value].add(quad.object)
        if quad.predicate.value == str(RDF.type):
            classes[quad.object.value] += 1
            if quad.subject.value.startswith(vocab.BASE):
                entities.add(quad.subject)

    def number(subject: rdflib.term.Node, predicate: rdflib.URIRef) -> int:
        return void.value(subject, predicate, any=False).toPython()

    assert number(here, VOID.triples) == len(quads)
    assert number(here, VOID.entities) == len(entities)
    assert number(here, VOID.distinctSubjects) == len({quad.subject for quad in quads})
    assert number(here, VOID.distinctObjects) == len({quad.object for quad in quads})
    assert number(here, VOID.classes) == len(classes)
    assert number(here, VOID.properties) == len(triples)
    theirs = {
        str(void.value(part, VOID["class"])): number(part, VOID.entities)
        for part in void.objects(here, VOID.classPartition)
    }
    assert theirs == dict(classes)
    parts = {
        str(void.value(part, VOID.property)): part
        for part in void.objects(here, VOID.propertyPartition)
    }
    assert parts.keys() == triples.keys()
    for name, part in parts.items():
        assert number(part, VOID.triples) == triples[name]
        assert number(part, VOID.distinctSubjects) == len(subjects[name])
        assert number(part, VOID.distinctObjects) == len(objects[name])


def test_linksets_equal_a_recount(void: rdflib.Graph, real_store: Store) -> None:
    sets = list(void.subjects(RDF.type, VOID.Linkset))
    assert sets
    for each in sets:
        predicate = NamedNode(str(void.value(each, VOID.linkPredicate)))
        target = void.value(each, VOID.objectsTarget)
        space = str(void.value(target, VOID.uriSpace))
        counted = sum(
            quad.object.value.startswith(space)
            for quad in real_store.quads_for_pattern(None, predicate, None, DefaultGraph())
        )
        assert void.value(each, VOID.triples).toPython() == counted > 0


def test_the_catalogue_has_what_is_mandatory(void: rdflib.Graph) -> None:
    shapes = rdflib.Graph().parse(data=MANDATORY, format="turtle")
    conforms, _, text = pyshacl.validate(void, shacl_graph=shapes)
    assert conforms, text
    assert len(list(void.subjects(RDF.type, DCAT.Distribution))) >= 4
    void.remove((None, DCAT.byteSize, None))
    assert not pyshacl.validate(void, shacl_graph=shapes)[0]


@pytest.mark.usefixtures("dumped")
def test_distributions_are_what_they_say(web: httpx.Client, built, here) -> None:
    text = web.get("/dataset/" + built[0].name, headers={"Accept": "text/turtle"}).text
    graph = rdflib.Graph().parse(data=text, format="turtle")
    offered = list(graph.objects(here, DCAT.distribution))
    assert len(offered) > 50
    for each in offered:
        content = web.get(str(graph.value(each, DCAT.downloadURL))).content
        assert graph.value(each, DCAT.byteSize).toPython() == len(content)
        stated = graph.value(graph.value(each, SPDX.checksum), SPDX.checksumValue)
        assert str(stated) == hashlib.sha256(content).hexdigest()


def test_quality_is_what_the_report_says(
    void: rdflib.Graph, here: rdflib.URIRef, built: tuple[Release, Report]
) -> None:
    measured = {
        str(each).rpartition("#measured-")[2]: void.value(each, DQV.value).toPython()
        for each in void.objects(here, DQV.hasQualityMeasurement)
    }
    report = built[1]
    severities = Counter(f"findings-{finding.severity}" for finding in report.findings)
    verdicts = Counter(f"reconciliations-{each.verdict}" for each in report.reconciliations)
    assert measured == {**severities, **verdicts}


def test_questions_are_executables(web: httpx.Client) -> None:
    text = web.get("/.well-known/sparql-examples").text
    graph = rdflib.Graph().parse(data=text, format="turtle")
    questions = load_questions(PROJECT / "queries" / "questions")
    assert len(set(graph.subjects(RDF.type, SH.SPARQLExecutable))) == len(questions)
    for question in questions:
        node = rdflib.URIRef(f"{vocab.BASE}question/{question.slug}")
        assert str(graph.value(node, SH.select)) == question.text
        assert {label.language for label in graph.objects(node, rdflib.RDFS.label)} == {"ja", "en"}
        assert len(list(graph.objects(node, SH.parameter))) == len(question.parameters)
    prefixes = str(next(graph.objects(None, SH.prefixes)))
    assert "sh:declare" in web.get(prefixes, headers={"Accept": "text/turtle"}).text


def test_every_iri_of_the_descriptions_answers(web: httpx.Client) -> None:
    seen: set[str] = set()
    for document in ("/.well-known/sparql-examples", "/.well-known/void"):
        graph = rdflib.Graph().parse(data=web.get(document).text, format="turtle")
        for term in {term for statement in graph for term in statement}:
            if isinstance(term, rdflib.URIRef) and term.startswith(vocab.BASE):
                seen.add("/" + term.removeprefix(vocab.BASE).partition("#")[0])
    assert len(seen) > 60
    for path in sorted(seen):
        answer = web.get(path, headers={"Accept": "text/turtle"}, follow_redirects=True)
        assert answer.status_code == 200, path


def test_a_question_has_an_iri(web: httpx.Client) -> None:
    path = "/question/projects-of-a-body"
    page = web.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert 'href="/questions/projects-of-a-body?lang=' in page.text
    for offer in GRAPHS:
        text = web.get(f"{path}.{offer.name}")
        assert text.headers["Content-Type"].startswith(offer.media_types[0])
        assert "SPARQLSelectExecutable" in text.text
    data = web.get(path, headers={"Accept": "text/turtle"})
    assert "SPARQLSelectExecutable" in data.text
    assert web.get("/question/none").status_code == 404


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_of_downloads(web: httpx.Client, built, language: str) -> None:
    text = web.get("/downloads", params={"lang": language}).text
    for name, checksum in built[0].manifest["outputs"].items():
        if name != "report.html":  # a page of its own
            assert name in text
            assert checksum in text
    assert built[0].name in web.get("/citation.bib").text
    cited = web.get("/datacite.json").json()
    assert cited["version"] == built[0].name
    assert re.fullmatch(r"\d{4}", cited["publicationYear"])
    moved = web.get("/dataset", headers={"Accept": "text/html"})
    assert moved.headers["Location"].startswith("/downloads")
    assert web.get("/dataset/none").status_code == 404


def test_the_temporal_coverage_is_that_of_the_data(void: rdflib.Graph, real_store: Store) -> None:
    years = sorted(
        quad.object.value
        for quad in real_store.quads_for_pattern(
            None, NamedNode(vocab.expand("dg:fiscalYear")), None, DefaultGraph()
        )
    )
    period = next(void.objects(None, DCTERMS.temporal))
    assert str(void.value(period, DCAT.startDate)) == years[0]
    assert str(void.value(period, DCAT.endDate)) == years[-1]


def test_the_questions_are_a_graph_of_the_dataset(real_store: Store) -> None:
    graph = NamedNode(vocab.source("questions"))
    kind = NamedNode(vocab.expand("sh:SPARQLExecutable"))
    found = {
        quad.subject.value
        for quad in real_store.quads_for_pattern(None, NamedNode(str(RDF.type)), kind, graph)
    }
    questions = load_questions(PROJECT / "queries" / "questions")
    assert found == {f"{vocab.BASE}question/{question.slug}" for question in questions}
    select = NamedNode(vocab.expand("sh:select"))
    prefixes = NamedNode(vocab.expand("sh:prefixes"))
    declare = NamedNode(vocab.expand("sh:declare"))
    for question in questions:
        node = NamedNode(f"{vocab.BASE}question/{question.slug}")
        (text,) = real_store.quads_for_pattern(node, select, None, DefaultGraph())
        assert text.object.value == question.text
        (declared,) = real_store.quads_for_pattern(node, prefixes, None, graph)
        assert list(real_store.quads_for_pattern(declared.object, declare, None, DefaultGraph()))
        for parameter in question.parameters:
            path = NamedNode(f"{node.value}#{parameter}")
            (of,) = real_store.quads_for_pattern(None, NamedNode(str(SH.path)), path, graph)
            assert of.subject.value == f"{node.value}#parameter-{parameter}"


def test_a_build_describes_its_release(
    built: tuple[Release, Report], void: rdflib.Graph, here: rdflib.URIRef
) -> None:
    release = built[0]
    written = rdflib.Graph().parse(release.path / DESCRIPTION, format="turtle")
    for predicate in (VOID.triples, VOID.entities, VOID.classes, DCTERMS.issued):
        assert written.value(here, predicate) == void.value(here, predicate) is not None
    for each in written.objects(here, DCAT.distribution):
        address = str(written.value(each, DCAT.downloadURL))
        name = address.removeprefix(f"{vocab.BASE}files/")
        content = (release.path / name).read_bytes()
        assert written.value(each, DCAT.byteSize).toPython() == len(content)
        checksum = written.value(each, SPDX.checksum)
        stated = str(written.value(checksum, SPDX.checksumValue))
        assert stated == hashlib.sha256(content).hexdigest()
    shapes = rdflib.Graph().parse(data=MANDATORY, format="turtle")
    assert pyshacl.validate(written, shacl_graph=shapes)[0]


def test_a_former_release_is_described_without_its_files(built: tuple[Release, Report]) -> None:
    path = built[0].path / DESCRIPTION
    text = former_description(path, "0.1.0-00000000", GRAPHS[0])
    former = rdflib.Graph().parse(data=text, format="turtle")
    here = rdflib.URIRef(vocab.dataset(path.parent.name))

    now = rdflib.URIRef(vocab.dataset("0.1.0-00000000"))
    assert former.value(here, rdflib.URIRef(f"{DCAT}hasCurrentVersion")) == now
    assert former.value(here, VOID.triples).toPython() == built[0].counts["triples"]
    assert not list(former.objects(here, DCAT.distribution))
    assert not list(former.subjects(RDF.type, DCAT.Distribution))
    derived = set(former.objects(here, rdflib.PROV.wasDerivedFrom))
    checksums = set(former.subjects(RDF.type, SPDX.Checksum))
    assert checksums == {former.value(each, SPDX.checksum) for each in derived} - {None}


def test_the_release_before_is_named(built: tuple[Release, Report]) -> None:
    release = built[0]
    manifest = {**release.manifest, "previous": "0.0.9-11111111"}
    counts = Counts(1, 1, 1, 1, {}, {}, {}, {}, {}, ("2022", "2025"))
    text = dataset_description(
        Release(release.path, manifest), counts, "https://example.org", GRAPHS[0], []
    )
    graph = rdflib.Graph().parse(data=text, format="turtle")
    before = graph.value(
        rdflib.URIRef(vocab.dataset(release.name)), rdflib.URIRef(f"{DCAT}previousVersion")
    )
    assert str(before) == vocab.dataset("0.0.9-11111111")
