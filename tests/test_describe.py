"""Descriptions in JSON-LD: readable JSON, and the same statements for who reads them as RDF."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import httpx
import pytest
import rdflib
from pyoxigraph import DefaultGraph, Literal, NamedNode, RdfFormat, Store, Triple, parse

from digiden_kg import vocab
from digiden_kg.describe import _in_lines, compact, context, context_iri, context_version
from digiden_kg.ontology import load_ontology
from digiden_kg.settings import load_settings


def statements(store: Store, subject: str | None = None) -> list[Triple]:
    """Statements of the default graph, in order."""
    node = NamedNode(subject) if subject else None
    quads = store.quads_for_pattern(node, None, None, DefaultGraph())
    return sorted((quad.triple for quad in quads), key=str)


def inlined(documents: Iterable[dict]) -> str:
    """One document with the context in it, so that nothing has to be fetched."""
    nodes = [node for document in documents for node in document["graph"]]
    return json.dumps({"@context": context()["@context"], "graph": nodes})


def key(triple: Triple) -> tuple[str, ...]:
    """A triple; tags of languages are the same in capitals."""
    value = triple.object
    tag = (value.language or "").lower() if isinstance(value, Literal) else ""
    kind = value.datatype.value if isinstance(value, Literal) else "iri"
    return (triple.subject.value, triple.predicate.value, value.value, kind, tag)


def test_every_statement_survives_the_way_through_json(real_store: Store) -> None:
    triples = statements(real_store)
    assert len(triples) > 40000
    documents = (
        compact(list(group), subject.value)
        for subject, group in itertools.groupby(triples, key=lambda each: each.subject)
    )
    read = parse(inlined(documents), format=RdfFormat.JSON_LD)
    assert {key(quad.triple) for quad in read} == {key(triple) for triple in triples}


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
@pytest.mark.parametrize(
    "path",
    [
        *("body/142069", "project/r4-2-type2-3-142069", "platform/odawara", "round/r4-2"),
        *("model-service/on-demand-transport", "observation/use-scenes-other"),
        "indicator-value/r4-2-type2-3-142069-1-2023",
    ],
)
def test_another_processor_reads_the_same(real_store: Store, path: str) -> None:
    triples = statements(real_store, f"{vocab.BASE}id/{path}")
    if path.startswith("indicator-value"):
        some = next(real_store.quads_for_pattern(None, NamedNode(vocab.expand("dg:value")), None))
        triples = statements(real_store, some.subject.value)
    assert len(triples) > 3
    text = inlined([compact(triples, triples[0].subject.value)])
    theirs = rdflib.Graph().parse(data=text, format="json-ld")
    again = {
        key(quad.triple)
        for quad in parse(theirs.serialize(format="nt"), format=RdfFormat.N_TRIPLES)
    }
    assert again == {key(triple) for triple in triples}


def test_the_context_has_every_term_of_the_ontology() -> None:
    graph = load_ontology(load_settings().ontology_dir)
    own = vocab.PREFIXES["dg"]
    terms = context()["@context"]
    things, numbers = 0, 0
    for kind in (rdflib.OWL.Class, rdflib.OWL.ObjectProperty, rdflib.OWL.DatatypeProperty):
        for term in graph.subjects(rdflib.RDF.type, kind):
            if str(term).startswith(own):
                content = terms[str(term).removeprefix(own)]
                is_thing = isinstance(content, dict) and content.get("@type") == "@id"
                assert is_thing == (kind == rdflib.OWL.ObjectProperty), term
                things += is_thing
                if (term, rdflib.RDFS.range, rdflib.XSD.integer) in graph:
                    assert content["@type"] == "xsd:integer"
                    numbers += 1
    assert things > 40
    assert numbers > 10
    assert terms["reason"] == {"@id": "dg:reason", "@container": "@language"}


def test_json_is_readable(real_store: Store) -> None:
    iri = f"{vocab.BASE}id/project/r4-2-type2-3-142069"
    (node,) = compact(statements(real_store, iri), iri)["graph"]
    assert node["type"] == "Project"
    assert node["projectCost"] == 661074000
    assert node["grantedTo"] == f"{vocab.BASE}id/body/142069"
    assert node["label"]["en"] == "Town centre as a digital hub (Odawara)"


def test_json_is_written_as_the_library_writes_it() -> None:
    value = {"町": ['<a>\n"\\', 1, True, None, [], {}, {"b": [{"c": "\u2028"}, ["d"]]}], "e": {}}
    for each in (value, [value], [], {}, "f"):
        assert _in_lines(each) == json.dumps(each, ensure_ascii=False, indent=1)


def test_the_context_is_served_by_version(web: httpx.Client) -> None:
    assert context_version() == "0.1.0"
    latest = web.get("/context.jsonld")
    assert latest.json() == context()
    assert latest.headers["Content-Type"] == "application/ld+json"
    path = "/" + context_iri().removeprefix(vocab.BASE)
    ours = web.get(path)
    assert ours.content == latest.content
    assert ours.headers["Access-Control-Allow-Origin"] == "*"
    tag = ours.headers["ETag"]
    assert web.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert web.head(path).headers["ETag"] == tag
    wrong = web.get("/context/9.9.9.jsonld")
    assert wrong.status_code == 404
    assert "0.1.0" in wrong.json()["detail"]
