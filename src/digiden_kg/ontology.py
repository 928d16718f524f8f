"""Load the ontology, keep its canonical form, and check that it stays within OWL 2 DL.

The profile check is our own because no reasoner in Python does one. It covers what named classes
and properties need; the section numbers in its messages are those of the OWL 2 Structural
Specification (second edition).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from rdflib import OWL, RDF, RDFS, XSD, BNode, Graph, Literal, URIRef
from rdflib.term import Node

from digiden_kg.vocab import rebase

_KINDS = {
    OWL.Class: "class",
    RDFS.Datatype: "datatype",
    OWL.ObjectProperty: "object property",
    OWL.DatatypeProperty: "datatype property",
    OWL.AnnotationProperty: "annotation property",
}
_PROPERTY_KINDS = {"object property", "datatype property", "annotation property"}

# Section 4: the OWL 2 datatype map. It has no xsd:date, xsd:gYear or xsd:gYearMonth.
_XSD_DATATYPES = """
    decimal integer nonNegativeInteger nonPositiveInteger positiveInteger negativeInteger
    long int short byte unsignedLong unsignedInt unsignedShort unsignedByte double float
    string normalizedString token language Name NCName NMTOKEN boolean hexBinary base64Binary
    anyURI dateTime dateTimeStamp
"""
_DATATYPES: set[Node] = {
    RDFS.Literal,
    RDF.PlainLiteral,
    RDF.XMLLiteral,
    OWL.real,
    OWL.rational,
    *(XSD[name] for name in _XSD_DATATYPES.split()),
}
# Section 5: what needs no declaration.
_BUILT_IN: dict[Node, str] = {
    **dict.fromkeys(_DATATYPES, "datatype"),
    **dict.fromkeys((OWL.Thing, OWL.Nothing), "class"),
    **dict.fromkeys((OWL.topObjectProperty, OWL.bottomObjectProperty), "object property"),
    **dict.fromkeys((OWL.topDataProperty, OWL.bottomDataProperty), "datatype property"),
    **dict.fromkeys(
        (
            RDFS.label,
            RDFS.comment,
            RDFS.seeAlso,
            RDFS.isDefinedBy,
            OWL.deprecated,
            OWL.versionInfo,
            OWL.priorVersion,
            OWL.backwardCompatibleWith,
            OWL.incompatibleWith,
        ),
        "annotation property",
    ),
}
# Section 2.4, table 3: the names that make up axioms.
_SYNTAX: set[Node] = {
    RDF.type,
    RDF.first,
    RDF.rest,
    RDF.nil,
    RDF.List,
    RDFS.domain,
    RDFS.range,
    RDFS.subClassOf,
    RDFS.subPropertyOf,
    RDFS.Datatype,
    *(URIRef(str(name)) for name in dir(OWL)),
}
_RESERVED = (str(RDF), str(RDFS), str(OWL), str(XSD))
_OBJECT_ONLY = (
    OWL.InverseFunctionalProperty,
    OWL.TransitiveProperty,
    OWL.SymmetricProperty,
    OWL.AsymmetricProperty,
    OWL.ReflexiveProperty,
    OWL.IrreflexiveProperty,
)
_NEEDS_SIMPLE = (
    OWL.FunctionalProperty,
    OWL.InverseFunctionalProperty,
    OWL.AsymmetricProperty,
    OWL.IrreflexiveProperty,
)
_CARDINALITIES = (
    OWL.cardinality,
    OWL.minCardinality,
    OWL.maxCardinality,
    OWL.qualifiedCardinality,
    OWL.minQualifiedCardinality,
    OWL.maxQualifiedCardinality,
    OWL.hasSelf,
)


def load_ontology(folder: Path) -> Graph:
    """Return the ontology with its alignments as one graph, at the base of the settings."""
    graph = Graph(bind_namespaces="none")
    for path in (folder / "digiden.ttl", *sorted((folder / "alignments").glob("*.ttl"))):
        graph.parse(data=rebase(path.read_text(encoding="utf-8")), format="turtle")
    return graph


def canonical_turtle(text: str) -> str:
    """Return Turtle in the one form that this project stores: sorted, one value a line."""
    graph = Graph(bind_namespaces="none").parse(data=text, format="turtle")
    return graph.serialize(format="longturtle").strip() + "\n"


def format_turtle(path: Path) -> bool:
    """Rewrite a Turtle file in canonical form; return whether that changed it.

    Comments do not survive: prose belongs into annotations.
    """
    text = path.read_text(encoding="utf-8")
    canonical = canonical_turtle(text)
    if canonical == text:
        return False
    path.write_text(canonical, encoding="utf-8")
    return True


def profile_violations(graph: Graph) -> list[str]:
    """Return each way in which a graph leaves OWL 2 DL, as ``rule: term: what is wrong``.

    Class expressions in blank nodes are looked at only where they count a property; an ontology
    that uses them otherwise needs a full parser.
    """
    profile = _Profile(graph)
    return sorted(
        {
            *profile.header(),
            *profile.names(),
            *profile.typing(),
            *profile.axioms(),
            *profile.assertions(),
            *profile.literals(),
            *profile.simple_properties(),
        }
    )


class _Profile:
    """The declared kinds of a graph's terms, and one method for each group of rules."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kinds: dict[Node, set[str]] = {}
        for declared, kind in _KINDS.items():
            for term in graph.subjects(RDF.type, declared):
                self.kinds.setdefault(term, set()).add(kind)

    def kind(self, term: Node) -> set[str]:
        """Return what a term is: declared, or known from the specification."""
        if term in _BUILT_IN:
            return {_BUILT_IN[term]}
        return self.kinds.get(term, set())

    def header(self) -> Iterator[str]:
        """One ontology, with at most one version IRI (sections 3 and 3.1)."""
        ontologies = set(self.graph.subjects(RDF.type, OWL.Ontology))
        if len(ontologies) != 1:
            yield f"header: {len(ontologies)} ontologies: a document holds exactly one (3)"
        for ontology in ontologies:
            versions = list(self.graph.objects(ontology, OWL.versionIRI))
            if len(versions) > 1:
                yield f"header: {ontology}: has {len(versions)} version IRIs (3.1)"
            if versions and isinstance(ontology, BNode):
                yield f"header: {ontology}: has a version IRI but no IRI (3.1)"

    def names(self) -> Iterator[str]:
        """No entity has a name of the reserved vocabulary (section 2.4)."""
        for term, kinds in self.kinds.items():
            if _is_reserved(term) and kinds != {_BUILT_IN.get(term)}:
                yield f"reserved: {term}: is reserved and names no entity (2.4)"
        for subject, predicate, value in self.graph:
            for term in (predicate, value if predicate == RDF.type else subject):
                if _is_reserved(term) and term not in _SYNTAX and term not in _BUILT_IN:
                    yield f"reserved: {term}: is disallowed vocabulary (2.4)"

    def typing(self) -> Iterator[str]:
        """No term is two kinds of property, or class and datatype (section 5.8.1)."""
        for term, kinds in self.kinds.items():
            if len(kinds & _PROPERTY_KINDS) > 1 or kinds >= {"class", "datatype"}:
                yield f"punning: {term}: is {' and '.join(sorted(kinds))} (5.8.1)"
        for subject, _, characteristic in self.graph.triples((None, RDF.type, None)):
            if characteristic in _OBJECT_ONLY and "object property" not in self.kind(subject):
                yield (
                    f"characteristic: {subject}: {characteristic} is for object properties (9.2)"
                )

    def axioms(self) -> Iterator[str]:
        """Each side of an axiom is a term of the declared kind (sections 5.8.1, 9.1 to 9.3)."""
        for predicate in (RDFS.subClassOf, OWL.equivalentClass, OWL.disjointWith):
            for pair in self.graph.subject_objects(predicate):
                for term in pair:
                    yield from self._expect(term, {"class"})
        for predicate in (RDFS.subPropertyOf, OWL.equivalentProperty, OWL.propertyDisjointWith):
            for left, right in self.graph.subject_objects(predicate):
                yield from self._expect(left, _PROPERTY_KINDS)
                yield from self._expect(right, self.kind(left) & _PROPERTY_KINDS)
        for pair in self.graph.subject_objects(OWL.inverseOf):
            for term in pair:
                yield from self._expect(term, {"object property"})
        for term, domain in self.graph.subject_objects(RDFS.domain):
            yield from self._expect(term, _PROPERTY_KINDS)
            if self.kind(term) != {"annotation property"}:
                yield from self._expect(domain, {"class"})
        for term, value in self.graph.subject_objects(RDFS.range):
            yield from self._expect(term, _PROPERTY_KINDS)
            if "object property" in self.kind(term):
                yield from self._expect(value, {"class"})
            if "datatype property" in self.kind(term):
                yield from self._expect(value, {"datatype"})

    def _expect(self, term: Node, kinds: set[str]) -> Iterator[str]:
        if isinstance(term, BNode) or self.kind(term) & kinds:
            return
        if self.kind(term):
            found = " and ".join(sorted(self.kind(term)))
            yield f"kind: {term}: is {found}, but stands for {' or '.join(sorted(kinds))} (9)"
        elif _is_reserved(term) and kinds == {"datatype"}:
            yield f"datatype: {term}: is not in the datatype map (5.2)"
        elif _is_reserved(term):
            yield f"reserved: {term}: is used as {' or '.join(sorted(kinds))} (2.4)"
        else:
            yield f"undeclared: {term}: is used as {' or '.join(sorted(kinds))} (5.8.1)"

    def assertions(self) -> Iterator[str]:
        """Individuals use declared classes and properties, with the right values (9.6)."""
        for _, predicate, value in self.graph:
            if predicate == RDF.type:
                if not _is_reserved(value):
                    yield from self._expect(value, {"class"})
                continue
            if _is_reserved(predicate):
                continue
            yield from self._expect(predicate, _PROPERTY_KINDS)
            kinds = self.kind(predicate)
            if "object property" in kinds and isinstance(value, Literal):
                yield f"value: {predicate}: is an object property with a literal (9.6.4)"
            if "datatype property" in kinds and not isinstance(value, Literal):
                yield f"value: {predicate}: is a datatype property with a thing (9.6.6)"

    def literals(self) -> Iterator[str]:
        """Each literal has a datatype that OWL knows or the graph declares (sections 4, 5.2)."""
        for value in self.graph.objects():
            datatype = value.datatype if isinstance(value, Literal) else None
            if datatype and datatype != RDF.langString and "datatype" not in self.kind(datatype):
                yield f"datatype: {datatype}: is not in the datatype map (5.2)"

    def simple_properties(self) -> Iterator[str]:
        """No property that follows from a chain is counted or functional (section 11.2)."""
        composite: set[Node] = set()
        roots = {
            *self.graph.subjects(RDF.type, OWL.TransitiveProperty),
            *self.graph.subjects(OWL.propertyChainAxiom),
        }
        for root in roots:
            above = self.graph.transitive_objects(root, RDFS.subPropertyOf)
            composite.update(term for term in above if term is not None)
        for term in composite:
            uses = [*self.graph.objects(term, RDF.type)]
            for restriction in self.graph.subjects(OWL.onProperty, term):
                uses += self.graph.predicates(restriction)
            uses += self.graph.predicates(term)
            for use in uses:
                if use in (*_NEEDS_SIMPLE, *_CARDINALITIES, OWL.propertyDisjointWith):
                    yield f"simple: {term}: is transitive or a chain, so not {use} (11.2)"


def _is_reserved(term: Node) -> bool:
    return isinstance(term, URIRef) and str(term).startswith(_RESERVED)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        for file in sorted(Path(folder).rglob("*.ttl")):
            format_turtle(file)
