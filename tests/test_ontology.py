"""The ontology, its alignments and its examples."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import owlrl
import pytest
from rdflib import OWL, RDF, RDFS, SKOS, XSD, BNode, Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCTERMS, QB

from digiden_kg.ontology import (
    canonical_turtle,
    format_turtle,
    load_ontology,
    profile_violations,
)

PROJECT = Path(__file__).resolve().parent.parent
ONTOLOGY = PROJECT / "ontology"
DG = Namespace("https://w3id.org/digiden/ontology#")
IRI = URIRef("https://w3id.org/digiden/ontology")
TURTLE_FILES = sorted(ONTOLOGY.rglob("*.ttl"))
EXAMPLES = sorted((ONTOLOGY / "examples").glob("*.ttl"))
LANGUAGES = ["en", "ja"]
PREFIXES = """
@prefix : <https://example.org/> .
@prefix dg: <https://w3id.org/digiden/ontology#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""


@pytest.fixture(scope="module")
def ontology() -> Graph:
    return load_ontology(ONTOLOGY)


def own_terms() -> list[URIRef]:
    graph = Graph().parse(ONTOLOGY / "digiden.ttl")
    return sorted({s for s in graph.subjects() if isinstance(s, URIRef) and s.startswith(DG)})


def with_examples(graph: Graph) -> Graph:
    merged = Graph() + graph
    for path in EXAMPLES:
        merged.parse(path)
    return merged


def inconsistencies(graph: Graph) -> list[str]:
    """Close a graph under OWL 2 RL and return what contradicts itself."""
    closure = Graph() + graph
    owlrl.DeductiveClosure(owlrl.OWLRL_Semantics).expand(closure)
    error = URIRef("http://www.daml.org/2002/03/agents/agent-ont#error")
    return sorted(str(message) for message in closure.objects(None, error))


def test_there_is_something_to_test() -> None:
    assert len(own_terms()) >= 120
    assert len(EXAMPLES) >= 6
    assert {path.stem for path in (ONTOLOGY / "alignments").glob("*.ttl")} == {
        "cpsv",
        "imi",
        "org",
        "prov",
        "sacs",
        "schema",
    }


@pytest.mark.parametrize("path", TURTLE_FILES, ids=lambda path: path.stem)
def test_turtle_is_in_canonical_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert canonical_turtle(text) == text, "run `make fmt`"


@pytest.mark.parametrize("path", TURTLE_FILES, ids=lambda path: path.stem)
def test_turtle_has_no_blank_nodes(path: Path) -> None:
    graph = Graph().parse(path)
    assert not [term for triple in graph for term in triple if isinstance(term, BNode)]


def test_formatting_keeps_the_meaning_and_settles(tmp_path: Path) -> None:
    path = tmp_path / "loose.ttl"
    path.write_text(PREFIXES + ":b a :C . :a :p 'y'@ja , 'x'@en ; a :C .", encoding="utf-8")
    before = Graph().parse(path)

    changed = format_turtle(path)

    assert changed
    assert set(Graph().parse(path)) == set(before)
    assert not format_turtle(path)


def test_header_names_version_licence_and_namespace(ontology: Graph) -> None:
    version = ontology.value(IRI, OWL.versionInfo)
    assert ontology.value(IRI, OWL.versionIRI) == URIRef(f"{IRI}/{version}")
    assert ontology.value(IRI, DCTERMS.license) == URIRef(
        "https://creativecommons.org/licenses/by/4.0/"
    )
    for predicate in (DCTERMS.title, DCTERMS.description, DCTERMS.creator):
        assert sorted(text.language for text in ontology.objects(IRI, predicate)) == LANGUAGES
    for predicate in (DCTERMS.created, DCTERMS.modified):
        assert str(ontology.value(IRI, predicate)).startswith("20")
    vann = Namespace("http://purl.org/vocab/vann/")
    assert ontology.value(IRI, vann.preferredNamespacePrefix) == Literal("dg")
    assert ontology.value(IRI, vann.preferredNamespaceUri) == Literal(str(DG))


@pytest.mark.parametrize("term", own_terms(), ids=lambda term: term.removeprefix(DG))
def test_term_is_explained_in_both_languages(ontology: Graph, term: URIRef) -> None:
    for predicate in (RDFS.label, SKOS.definition, SKOS.example):
        texts = list(ontology.objects(term, predicate))
        assert sorted(text.language for text in texts) == LANGUAGES
        assert all(str(text).strip() for text in texts)
    assert ontology.value(term, RDFS.isDefinedBy) == IRI


def test_labels_are_unique_within_a_language_and_kind(ontology: Graph) -> None:
    for kind in (OWL.Class, OWL.ObjectProperty, OWL.DatatypeProperty):
        for language in LANGUAGES:
            labels = [
                str(label)
                for term in own_terms()
                if (term, RDF.type, kind) in ontology
                for label in ontology.objects(term, RDFS.label)
                if label.language == language
            ]
            assert len(labels) == len(set(labels)), [x for x in labels if labels.count(x) > 1]


def test_reused_terms_are_declared_and_not_described(ontology: Graph) -> None:
    described = {
        subject
        for subject, predicate in ontology.subject_predicates()
        if predicate != RDF.type and subject != IRI and not str(subject).startswith(str(DG))
    }
    assert not described


def test_names_follow_their_kind(ontology: Graph) -> None:
    for term in own_terms():
        first = term.removeprefix(DG)[0]
        assert first.isupper() == ((term, RDF.type, OWL.Class) in ontology), term


def test_every_dimension_has_a_range_and_every_concept_dimension_a_scheme(
    ontology: Graph,
) -> None:
    """IC-4 and IC-5 of the Data Cube specification."""
    dimensions = set(ontology.subjects(RDF.type, QB.DimensionProperty))
    assert len(dimensions) >= 15
    for dimension in dimensions:
        ranges = set(ontology.objects(dimension, RDFS.range))
        assert ranges, dimension
        if SKOS.Concept in ranges:
            scheme = ontology.value(dimension, QB.codeList)
            assert scheme is not None, dimension
            name = str(scheme).rsplit("/", 1)[-1]
            assert (PROJECT / "data" / "codes" / f"{name}.csv").is_file(), name


def test_printed_twins_stand_beside_their_values(ontology: Graph) -> None:
    twins = [term for term in own_terms() if term.endswith("AsPrinted")]
    assert len(twins) >= 8
    for twin in twins:
        value = twin.removesuffix("AsPrinted")
        if value not in (f"{DG}name", f"{DG}rate"):
            assert (URIRef(value), RDF.type, OWL.DatatypeProperty) in ontology, twin


def test_ontology_is_within_owl_2_dl(ontology: Graph) -> None:
    assert profile_violations(ontology) == []


def test_examples_leave_owl_2_dl_only_where_the_decision_says(ontology: Graph) -> None:
    """Decision 7: calendar datatypes and reified statements."""
    rdf, xsd = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/2001/XMLSchema#"
    assert {text.split(": ")[1] for text in profile_violations(with_examples(ontology))} == {
        f"{rdf}subject",
        f"{rdf}predicate",
        f"{rdf}object",
        f"{xsd}date",
        f"{xsd}gYear",
        f"{xsd}gYearMonth",
    }


CLEAN = """
:o a owl:Ontology ; owl:versionIRI :v1 .
:C a owl:Class . :D a owl:Class ; rdfs:subClassOf :C ; owl:disjointWith :E . :E a owl:Class .
:p a owl:ObjectProperty ; rdfs:domain :C ; rdfs:range :D .
:q a owl:DatatypeProperty ; rdfs:range xsd:integer .
:n a owl:AnnotationProperty .
:t a owl:ObjectProperty , owl:TransitiveProperty .
:x a :C ; :p :y ; :q 5 ; :n "note"@en , :y ; rdfs:label "x"@en .
"""


def test_a_clean_graph_has_no_violation() -> None:
    assert profile_violations(Graph().parse(data=PREFIXES + CLEAN, format="turtle")) == []


@pytest.mark.parametrize(
    ("turtle", "expected"),
    [
        (":o2 a owl:Ontology .", "header: 2 ontologies"),
        (":o owl:versionIRI :v2 .", "header: https://example.org/o: has 2 version IRIs"),
        ("xsd:date a rdfs:Datatype .", "reserved: http://www.w3.org/2001/XMLSchema#date"),
        (
            "rdfs:label a owl:DatatypeProperty .",
            "reserved: http://www.w3.org/2000/01/rdf-schema#label",
        ),
        (
            ":x rdf:subject :y .",
            "reserved: http://www.w3.org/1999/02/22-rdf-syntax-ns#subject: is disallowed",
        ),
        (
            ":C rdfs:subClassOf rdf:Statement .",
            "reserved: http://www.w3.org/1999/02/22-rdf-syntax-ns#Statement: is used as class",
        ),
        (":p a owl:DatatypeProperty .", "punning: https://example.org/p"),
        (":n a owl:ObjectProperty .", "punning: https://example.org/n"),
        (":C a rdfs:Datatype .", "punning: https://example.org/C: is class and datatype"),
        (":x a :Unknown .", "undeclared: https://example.org/Unknown"),
        (":x :unknown :y .", "undeclared: https://example.org/unknown"),
        (":p rdfs:range :Unknown .", "undeclared: https://example.org/Unknown: is used as class"),
        (":E rdfs:subClassOf :Unknown .", "undeclared: https://example.org/Unknown"),
        (":E owl:disjointWith :Unknown .", "undeclared: https://example.org/Unknown"),
        (":p rdfs:range xsd:string .", "kind: http://www.w3.org/2001/XMLSchema#string"),
        (":q rdfs:range :C .", "kind: https://example.org/C: is class"),
        (":q rdfs:range xsd:gYear .", "datatype: http://www.w3.org/2001/XMLSchema#gYear"),
        (':x :q "2023"^^xsd:gYear .', "datatype: http://www.w3.org/2001/XMLSchema#gYear"),
        (":q rdfs:subPropertyOf :p .", "kind: https://example.org/p: is object property"),
        (":q owl:inverseOf :p .", "kind: https://example.org/q: is datatype property"),
        (':x :p "text" .', "value: https://example.org/p: is an object property with a literal"),
        (":x :q :y .", "value: https://example.org/q: is a datatype property with a thing"),
        (":q a owl:TransitiveProperty .", "characteristic: https://example.org/q"),
        (":t a owl:FunctionalProperty .", "simple: https://example.org/t"),
        (
            ":t rdfs:subPropertyOf :p . :p a owl:AsymmetricProperty .",
            "simple: https://example.org/p",
        ),
        (
            ":r a owl:Restriction ; owl:onProperty :t ; owl:maxCardinality 1 .",
            "simple: https://example.org/t",
        ),
    ],
)
def test_profile_check_finds(turtle: str, expected: str) -> None:
    graph = Graph().parse(data=PREFIXES + CLEAN + turtle, format="turtle")

    found = profile_violations(graph)

    assert [text for text in found if text.startswith(expected)], found


def test_ontology_and_examples_are_consistent(ontology: Graph) -> None:
    assert inconsistencies(with_examples(ontology)) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_literals_of_the_examples_are_in_range(ontology: Graph, path: Path) -> None:
    narrower = {XSD.decimal: {XSD.decimal, XSD.integer}, RDF.PlainLiteral: {RDF.langString}}
    for _, predicate, value in Graph().parse(path):
        required = ontology.value(predicate, RDFS.range)
        if isinstance(value, Literal) and required not in (None, RDFS.Literal):
            datatype = value.datatype or (RDF.langString if value.language else XSD.string)
            assert datatype in narrower.get(required, {required}), (predicate, value)


@pytest.mark.parametrize(
    "turtle",
    [
        ":x a dg:Project , dg:Service .",
        ":x a dg:City , dg:Prefecture .",
        ":x a dg:Town , dg:Village .",
        ":x a dg:UnnamedParty , dg:Organisation .",
        ":x dg:grantedTo :y . :y dg:delivers :z .",
        ":x dg:buildsPlatform :y . :y a dg:Organisation .",
        ":x dg:code '142069' ; a dg:Passage .",
    ],
)
def test_contradiction_is_found(ontology: Graph, turtle: str) -> None:
    graph = Graph() + ontology
    graph.parse(data=PREFIXES + turtle, format="turtle")

    assert inconsistencies(graph)


def test_building_a_platform_entails_using_it(ontology: Graph) -> None:
    graph = Graph() + ontology
    graph.parse(data=PREFIXES + ":x dg:extendsPlatform :y .", format="turtle")
    owlrl.DeductiveClosure(owlrl.RDFS_Semantics).expand(graph)

    example = Namespace("https://example.org/")
    assert (example.x, DG.usesPlatform, example.y) in graph
    assert (example.y, RDF.type, DG.DataPlatform) in graph


def used_terms(text: str) -> set[str]:
    """Return the local names of our terms that a file of any syntax spells."""
    pattern = r"(?<![\w-])dg:([A-Za-z]\w*)|digiden/ontology#([A-Za-z]\w*)"
    return {match[1] or match[2] for match in re.finditer(pattern, text)}


@pytest.mark.parametrize(
    "pattern",
    [
        "ontology/**/*.ttl",
        "data/**/*.csv-metadata.json",
        "queries/**/*.rq",
        "shapes/**/*.ttl",
        "src/**/*.py",
        "tests/shapes/**/*.ttl",
    ],
)
def test_only_terms_of_the_ontology_are_used(pattern: str) -> None:
    known = {term.removeprefix(DG) for term in own_terms()}

    unknown = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path in PROJECT.glob(pattern)
        for name in used_terms(path.read_text(encoding="utf-8")) - known
    }

    assert sorted(unknown) == []


def test_components_of_the_statistics_are_component_properties(ontology: Graph) -> None:
    kinds = {
        "dimension": QB.DimensionProperty,
        "measure": QB.MeasureProperty,
        "attribute": QB.AttributeProperty,
    }
    table = PROJECT / "data" / "tables" / "statistics_components.csv"
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    for row in rows:
        assert (DG[row["property"]], RDF.type, kinds[row["kind"]]) in ontology, row


def test_an_unknown_term_would_be_seen() -> None:
    text = "?x dg:projectCost ?y ; <https://w3id.org/digiden/ontology#madeUp> ?z . dgs:Project"
    assert used_terms(text) == {"projectCost", "madeUp"}


def test_codes_of_the_examples_exist() -> None:
    """Every concept that an example names is in the code lists."""
    pattern = re.compile(r"digiden/scheme/([a-z-]+)/([\w-]+)")
    named = {
        match.groups()
        for path in EXAMPLES
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    }
    assert named
    for scheme, code in named:
        rows = (PROJECT / "data" / "codes" / f"{scheme}.csv").read_text(encoding="utf-8")
        assert re.search(rf"(?m)^{re.escape(code)},", rows), f"{scheme}/{code}"
