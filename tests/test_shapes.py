"""The shapes: each case breaks exactly what its header says, and no constraint is untried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pyoxigraph import Store
from pyshacl import validate
from rdflib import OWL, RDF, RDFS, SH, SKOS, BNode, Graph, Literal, URIRef
from rdflib.term import Node

from digiden_kg import vocab
from digiden_kg.ontology import canonical_turtle, load_ontology
from digiden_kg.release import Release
from digiden_kg.report import Finding, Report
from digiden_kg.validate import default_graph, load_shapes, run_shapes

PROJECT = Path(__file__).resolve().parent.parent
SHAPES = PROJECT / "shapes"
HEADER = SHAPES / "shapes.ttl"
FILES = sorted(path for path in SHAPES.glob("*.ttl") if path != HEADER)
CASES = sorted((PROJECT / "tests" / "shapes").glob("*/*.ttl"))
VALID = [path for path in CASES if path.stem.startswith("valid_")]
INVALID = [path for path in CASES if path.stem.startswith("invalid_")]
EXAMPLES = sorted((PROJECT / "ontology" / "examples").glob("*.ttl"))
EXPECTS = re.compile(r"(?m)^# expects: (\S+) (\S+) (Violation|Warning|Info) (\S+)$")
DGS = vocab.PREFIXES["dgs"]
TARGETS = (SH.targetClass, SH.targetNode, SH.targetSubjectsOf, SH.targetObjectsOf, SH.target)
CONSTRAINTS = {
    URIRef(f"{SH}{name}")
    for name in (
        *("class", "datatype", "nodeKind", "minCount", "maxCount", "minInclusive", "maxInclusive"),
        *("minLength", "pattern", "languageIn", "uniqueLang"),
        *("equals", "disjoint", "lessThanOrEquals", "hasValue", "sparql"),
    )
}
STRUCTURE = {
    RDF.type,
    SH.message,
    SH.path,
    SH.property,
    SH.severity,
    RDFS.comment,
    *TARGETS,
}


def case_id(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@cache
def shapes_of(stem: str) -> Graph:
    """Return one file of shapes with the header that declares its prefixes and lists."""
    return Graph().parse(HEADER).parse(SHAPES / f"{stem}.ttl")


@cache
def all_shapes() -> Graph:
    return load_shapes(SHAPES)


@cache
def data_of(path: Path) -> Graph:
    return Graph().parse(path)


@cache
def findings(path: Path) -> tuple[Finding, ...]:
    return tuple(run_shapes(data_of(path), shapes_of(path.parent.name)))


def is_shape(graph: Graph, node: Node) -> bool:
    return (node, RDF.type, SH.NodeShape) in graph or (node, RDF.type, SH.PropertyShape) in graph


def shapes_in(graph: Graph) -> list[URIRef]:
    return sorted(
        node
        for node in graph.subjects(RDF.type)
        if isinstance(node, URIRef) and is_shape(graph, node)
    )


def constraints_in(graph: Graph) -> set[tuple[str, str]]:
    """Return each (shape, constraint component) pair."""
    return {
        (vocab.shorten(str(shape)), component(predicate))
        for shape in shapes_in(graph)
        for predicate in graph.predicates(shape)
        if predicate in CONSTRAINTS
    }


def component(parameter: Node) -> str:
    name = str(parameter).removeprefix(str(SH))
    return "SPARQL" if name == "sparql" else name[0].upper() + name[1:]


def test_there_are_shapes_and_cases_for_every_file() -> None:
    assert len(FILES) >= 18
    assert len(shapes_in(all_shapes())) >= 250
    assert len(CASES) >= 67
    for kind in (VALID, INVALID):
        assert {path.parent.name for path in kind} == {path.stem for path in FILES}
    assert len(VALID) + len(INVALID) == len(CASES)
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("path", CASES, ids=case_id)
def test_case_reports_exactly_what_its_header_says(path: Path) -> None:
    expected = set(EXPECTS.findall(path.read_text(encoding="utf-8")))

    found = {
        (
            vocab.shorten(finding.focus),
            vocab.shorten(finding.path) if finding.path else "-",
            finding.severity,
            vocab.shorten(finding.check),
        )
        for finding in findings(path)
    }

    assert found == expected
    assert bool(expected) == (path in INVALID)


@pytest.mark.parametrize("path", INVALID, ids=case_id)
def test_findings_speak_both_languages(path: Path) -> None:
    for finding in findings(path):
        assert re.search("[ぁ-んァ-ヶ一-龯]", finding.message_ja), finding
        assert not re.search("[ぁ-んァ-ヶ]|{[?$]", finding.message_en), finding
        assert "{?" not in finding.message_ja, finding


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_constraint_is_broken_by_a_case(path: Path) -> None:
    broken = set()
    for case in INVALID:
        if case.parent.name == path.stem:
            _, results, _ = validate(data_of(case), shacl_graph=shapes_of(path.stem), advanced=True)
            for result in results.subjects(RDF.type, SH.ValidationResult):
                name = str(results.value(result, SH.sourceConstraintComponent))
                broken.add(
                    (
                        vocab.shorten(str(results.value(result, SH.sourceShape))),
                        name.removeprefix(str(SH)).removesuffix("ConstraintComponent"),
                    )
                )

    assert constraints_in(shapes_of(path.stem)) - broken == set()


def probes_of(shapes: Graph) -> Graph:
    """Return shapes with the same names and targets that nothing can satisfy."""
    probes = Graph().parse(HEADER)
    for shape in shapes_in(shapes):
        for predicate in TARGETS:
            for target in shapes.objects(shape, predicate):
                probes.add((shape, predicate, target))
                probes += shapes.triples((target, None, None))
        probes.add((shape, RDF.type, SH.NodeShape))
        probes.add((shape, SH.nodeKind, SH.Literal))
    return probes


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_target_and_property_occurs_in_a_valid_case(path: Path) -> None:
    """A shape that nothing in the valid cases reaches would hold of them whatever it says."""
    shapes = shapes_of(path.stem)
    reached: dict[Node, list[tuple[Graph, URIRef]]] = {}
    for case in VALID:
        if case.parent.name == path.stem:
            for finding in run_shapes(data_of(case), probes_of(shapes)):
                focus = (data_of(case), URIRef(finding.focus))
                reached.setdefault(URIRef(finding.check), []).append(focus)

    for shape in shapes_in(shapes):
        wanted = shapes.value(shape, SH.path)
        if wanted is None:
            members = list(shapes.objects(shape, SH.property))
            assert shape in reached or set(members) <= set(reached), shape
        elif (shape, SH.maxCount, Literal(0)) not in shapes:
            owner = shapes.value(None, SH.property, shape)
            places = reached.get(shape) or reached.get(owner) or []
            assert any((focus, wanted, None) in graph for graph, focus in places), shape


def test_shapes_say_nothing_that_the_tests_do_not_know() -> None:
    graph = all_shapes()
    unknown = {predicate for shape in shapes_in(graph) for predicate in graph.predicates(shape)} - (
        CONSTRAINTS | STRUCTURE
    )
    assert unknown == set()


@pytest.mark.parametrize(
    "shape", shapes_in(all_shapes()), ids=lambda shape: shape.removeprefix(DGS)
)
def test_shape_has_its_name_and_its_messages(shape: URIRef) -> None:
    graph = all_shapes()
    name = shape.removeprefix(DGS)
    path = graph.value(shape, SH.path)
    if path is not None:
        owners = list(graph.subjects(SH.property, shape))
        assert len(owners) == 1
        owner = owners[0].removeprefix(DGS)
        local = re.split(r"[#/]", path)[-1]
        assert re.fullmatch(rf"{re.escape(owner)}-{local}(-[a-z]+)?", name)
    elif any(True for parameter in CONSTRAINTS if (shape, parameter, None) in graph):
        assert any((shape, target, None) in graph for target in TARGETS)
    for speaker in messengers(graph, shape):
        messages = list(graph.objects(speaker, SH.message))
        assert sorted(message.language for message in messages) == ["en", "ja"], speaker


def messengers(graph: Graph, shape: URIRef) -> Iterator[Node]:
    """Yield the nodes that hold the messages of a shape."""
    rules = list(graph.objects(shape, SH.sparql))
    yield from rules
    if any((shape, parameter, None) in graph for parameter in CONSTRAINTS - {SH.sparql}):
        yield shape


@pytest.mark.parametrize("path", [HEADER, *FILES], ids=lambda path: path.stem)
def test_file_is_canonical_and_without_blank_nodes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert canonical_turtle(text) == text, "run `make fmt`"
    assert not [
        term for triple in Graph().parse(path) for term in triple if isinstance(term, BNode)
    ]


def test_every_class_of_the_ontology_is_the_target_of_a_shape() -> None:
    ontology = Graph().parse(PROJECT / "ontology" / "digiden.ttl")
    targets = set(all_shapes().objects(None, SH.targetClass))

    missing = {
        str(cls)
        for cls in ontology.subjects(RDF.type, OWL.Class)
        if str(cls).startswith(vocab.PREFIXES["dg"])
        and not targets & set(ontology.transitive_objects(cls, RDFS.subClassOf))
    }

    assert missing == set()


def test_rates_and_ceilings_are_read_from_the_graph() -> None:
    """A rule that spelled an amount would go on judging by it after the table is mended."""
    graph = shapes_of("programme_rules")
    for _, query in graph.subject_objects(SH.select):
        without_iris = re.sub(r"<[^>]*>|[?$]\w+|skos:\w+", "", str(query))
        assert not set(re.findall(r"\d+", without_iris)) - {"0", "1", "2"}, query


@pytest.fixture(scope="module")
def dataset(real_store: Store) -> Graph:
    return default_graph(real_store)


def test_dataset_is_valid_but_for_what_corrections_explain(
    built: tuple[Release, Report],
) -> None:
    found = [f for f in built[1].findings if f.check.startswith(DGS)]

    assert [f for f in found if f.severity == "Violation" and not f.explained_by] == []
    assert 0 < len([f for f in found if f.severity != "Info"]) <= 40


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_of_the_ontology_is_valid(path: Path, dataset: Graph) -> None:
    """What an example only mentions is looked up in the dataset."""
    example = Graph().parse(path)
    described = set(example.subjects(RDF.type))
    graph = example + load_ontology(PROJECT / "ontology")
    for mentioned in {*example.subjects(), *example.objects()} - described:
        for predicate in (RDF.type, SKOS.broader):
            graph += dataset.triples((mentioned, predicate, None))

    wrong = [
        (finding.focus, finding.check)
        for finding in run_shapes(graph, all_shapes())
        if URIRef(finding.focus) in described and finding.severity != "Info"
    ]

    assert described
    assert wrong == []
