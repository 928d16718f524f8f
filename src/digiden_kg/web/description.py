"""What this endpoint says about itself in RDF: the service description, and its prefixes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, serialize

from digiden_kg import vocab
from digiden_kg.results import GRAPHS, TABLES, Answer, Format

GRAPHS_QUERY = """SELECT ?g (COUNT(*) AS ?n)
{ { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } FILTER(isIRI(?g)) } }
GROUP BY ?g ORDER BY ?g"""
"""Sizes of the default graph (where ``?g`` is unbound) and of the named graphs."""

_IRIS: Mapping[object, str] = {RdfFormat.JSON_LD: "http://www.w3.org/ns/formats/JSON-LD"}
"""Formats that W3C's list of file formats names otherwise than pyoxigraph."""
_Statement = tuple[NamedNode, str, NamedNode | Literal]


def sizes(answer: Answer) -> tuple[int, dict[str, int]]:
    """Return the sizes of the default graph and of each named graph, from its answer."""
    default, named = 0, {}
    for graph, count in answer.rows:
        assert isinstance(count, Literal)
        if isinstance(graph, NamedNode):
            named[graph.value] = int(count.value)
        else:
            default = int(count.value)
    return default, named


def service_description(
    endpoint: str, default_size: int, named: Mapping[str, int], chosen: Format
) -> bytes:
    """Return what this endpoint is, in RDF (SPARQL 1.1 Service Description).

    None of the features that the specification names is claimed, because none holds: the default
    graph is no union, no graph is fetched, nothing is federated. RDF 1.2 is not served.

    Args:
        endpoint: Address of the endpoint.
        default_size: Triples of the default graph.
        named: Triples of each named graph.
        chosen: Format to write.
    """
    here = NamedNode(f"{endpoint}#service")
    dataset = NamedNode(f"{endpoint}#dataset")
    default = NamedNode(f"{endpoint}#default-graph")
    statements: list[_Statement] = [
        (here, "rdf:type", _named("sd:Service")),
        (here, "sd:endpoint", NamedNode(endpoint)),
        (here, "sd:supportedLanguage", _named("sd:SPARQL11Query")),
        (here, "sd:defaultEntailmentRegime", NamedNode("http://www.w3.org/ns/entailment/Simple")),
        (here, "sd:defaultDataset", dataset),
        (here, "sd:availableGraphs", dataset),
        (dataset, "rdf:type", _named("sd:Dataset")),
        (dataset, "rdf:type", _named("sd:GraphCollection")),
        (dataset, "sd:defaultGraph", default),
        (default, "rdf:type", _named("sd:Graph")),
        (default, "void:triples", Literal(default_size)),
    ]
    statements += [
        (here, "sd:resultFormat", NamedNode(_IRIS.get(offer.engine, offer.engine.iri)))
        for offer in (*TABLES, *GRAPHS)
        if offer.engine
    ]
    for name, size in named.items():
        node = NamedNode(f"{endpoint}#graph-{quote(name.removeprefix(vocab.SOURCES), safe='')}")
        graph = NamedNode(f"{node.value}-content")
        statements += [
            (dataset, "sd:namedGraph", node),
            (node, "rdf:type", _named("sd:NamedGraph")),
            (node, "sd:name", NamedNode(name)),
            (node, "sd:graph", graph),
            (graph, "rdf:type", _named("sd:Graph")),
            (graph, "void:triples", Literal(size)),
        ]
    return write(statements, chosen)


def prefix_declarations(address: str, prefixes: Mapping[str, str], chosen: Format) -> bytes:
    """Return prefixes as SHACL declares them, which SHACL engines and editors read."""
    here = NamedNode(address)
    statements: list[_Statement] = [(here, "rdf:type", _named("owl:Ontology"))]
    for prefix, namespace in prefixes.items():
        node = NamedNode(f"{address}#{prefix}")
        statements += [
            (here, "sh:declare", node),
            (node, "rdf:type", _named("sh:PrefixDeclaration")),
            (node, "sh:prefix", Literal(prefix)),
            (node, "sh:namespace", Literal(namespace, datatype=_named("xsd:anyURI"))),
        ]
    return write(statements, chosen)


def write(statements: Iterable[_Statement], chosen: Format) -> bytes:
    """Return statements in a format of graphs."""
    assert isinstance(chosen.engine, RdfFormat)
    readable = chosen.engine in (RdfFormat.TURTLE, RdfFormat.TRIG)
    content = serialize(
        (Triple(s, _named(p), o) for s, p, o in statements),
        format=chosen.engine,
        prefixes=vocab.PREFIXES if readable else None,
    )
    assert content is not None
    return content


def _named(name: str) -> NamedNode:
    return NamedNode(vocab.expand(name))
