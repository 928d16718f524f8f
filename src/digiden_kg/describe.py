"""One thing: what is said of it, who says so, what points to it, and what all that is called.

The queries are written here and answered by whoever is given: a server's engine or a store. A
description is complete and useful alone, as a page and in every RDF format.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    RdfFormat,
    Triple,
    parse,
    serialize,
)

from digiden_kg import vocab
from digiden_kg.results import Answer, Format, Term
from digiden_kg.settings import load_settings

Ask = Callable[[str], Awaitable[Answer]]
"""Answers a SELECT query."""
Labels = Mapping[str, Mapping[str, str]]
"""What IRIs are called, by language."""
Name = Callable[[Iterable[str]], Awaitable[Labels]]
"""Says what IRIs are called, in their order."""

INCOMING = 25
"""Incoming links of one kind that a description lists; the others are counted and paged."""
_PREFIXES = "".join(
    f"PREFIX {name}: <{vocab.PREFIXES[name]}>\n" for name in ("dg", "rdf", "rdfs", "skos")
)
_LABEL = NamedNode(vocab.expand("rdfs:label"))
_SUBJECT = vocab.expand("rdf:subject")
_LABELS_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class Said:
    """One statement about a thing, and who makes it."""

    predicate: str
    value: Term
    graphs: tuple[str, ...]
    """Passages, and graphs of ours, that state it."""
    reason: Mapping[str, str]
    """Why we concluded it, by language; empty where somebody else states it."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What points to a thing by one predicate."""

    predicate: str
    total: int
    offset: int
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """Everything that a page or a file says about one thing."""

    iri: str
    statements: tuple[Said, ...]
    incoming: tuple[Incoming, ...]
    labels: Labels

    def label(self, iri: str, language: str) -> str:
        """Return what something is called, in a language if it can be, else its short IRI."""
        return label_in(self.labels, iri, language)

    @functools.cached_property
    def types(self) -> tuple[str, ...]:
        """Classes of the thing."""
        return tuple(self.values("rdf:type"))

    def values(self, predicate: str) -> Iterator[str]:
        """Yield the values of a predicate, given as a prefixed name."""
        wanted = vocab.expand(predicate)
        for said in self.statements:
            if said.predicate == wanted and not isinstance(said.value, Triple):
                yield said.value.value

    def grouped(self) -> dict[str, list[Said]]:
        """Return the statements by predicate, names first, types last."""
        order = {vocab.expand(name): rank for rank, name in enumerate(FIRST)}
        last = vocab.expand("rdf:type")
        groups: dict[str, list[Said]] = {}
        for said in self.statements:
            groups.setdefault(said.predicate, []).append(said)
        return dict(
            sorted(
                groups.items(),
                key=lambda group: (group[0] == last, order.get(group[0], len(order)), group[0]),
            )
        )

    @functools.cached_property
    def quads(self) -> tuple[Quad, ...]:
        """Statements, incoming links and labels; each in the graphs of who says it."""
        return tuple(self._quads())

    def _quads(self) -> Iterator[Quad]:
        subject = NamedNode(self.iri)
        for said in self.statements:
            predicate = NamedNode(said.predicate)
            yield Quad(subject, predicate, said.value)
            for graph in said.graphs:
                yield Quad(subject, predicate, said.value, NamedNode(graph))
        for link in self.incoming:
            for each in link.subjects:
                yield Quad(NamedNode(each), NamedNode(link.predicate), subject)
        for iri, names in self.labels.items():
            if iri != self.iri:
                for language, name in names.items():
                    text = Literal(name, language=language) if language else Literal(name)
                    yield Quad(NamedNode(iri), _LABEL, text)

    @functools.cached_property
    def triples(self) -> tuple[Triple, ...]:
        """The same without who says it."""
        return tuple(
            quad.triple for quad in self.quads if isinstance(quad.graph_name, DefaultGraph)
        )


FIRST = ("rdfs:label", "skos:prefLabel", "dcterms:title", "skos:altLabel", "dcterms:description")
"""What a description says first."""


async def describe(
    ask: Ask,
    iri: str,
    *,
    relation: str | None = None,
    offset: int = 0,
    name: Name | None = None,
) -> Description | None:
    """Return the description of a thing, or None where nothing is said of it.

    Args:
        ask: Answers queries.
        iri: The thing.
        relation: Predicate whose incoming links are wanted from an offset on.
        offset: How many of them to leave out.
        name: Says what IRIs are called, for whoever knows it already.

    Raises:
        QueryError: A query could not be answered.
        ValueError: The text is no IRI.
    """
    node = NamedNode(iri)
    rows = (await ask(_STATEMENTS.format(node))).rows
    graphs: dict[tuple[str, Term], list[str]] = {}
    for predicate, value, graph in rows:
        if isinstance(predicate, NamedNode) and value is not None:
            found = graphs.setdefault((predicate.value, value), [])
            if isinstance(graph, NamedNode):
                found.append(graph.value)
    counts = [
        (predicate.value, int(count.value))
        for predicate, count in (await ask(_COUNTS.format(node))).rows
        if isinstance(predicate, NamedNode) and isinstance(count, Literal)
    ]
    if not graphs and not counts and not (await ask(_GRAPH.format(node))).rows:
        return None
    concluded = any(predicate == _SUBJECT for predicate, _ in counts)
    reasons = await _reasons(ask, node) if concluded else {}
    statements = tuple(
        Said(predicate, value, tuple(sorted(found)), reasons.get((predicate, value), {}))
        for (predicate, value), found in graphs.items()
    )
    incoming = await _incoming(ask, node, counts, relation, offset)
    mentioned = {iri, *(said.predicate for said in statements)}
    mentioned |= {said.value.value for said in statements if isinstance(said.value, NamedNode)}
    mentioned |= {
        said.value.datatype.value for said in statements if isinstance(said.value, Literal)
    }
    mentioned |= {graph for said in statements for graph in said.graphs}
    mentioned |= {each for link in incoming for each in (link.predicate, *link.subjects)}
    labels = await (name(mentioned) if name else labels_of(ask, sorted(mentioned)))
    return Description(iri, statements, incoming, labels)


_STATEMENTS = """SELECT ?p ?o ?g {{
  {0} ?p ?o . OPTIONAL {{ GRAPH ?g {{ {0} ?p ?o }} }}
}} ORDER BY ?p ?o ?g"""
_GRAPH = "SELECT ?s {{ GRAPH {} {{ ?s ?p ?o }} }} LIMIT 1"
_COUNTS = "SELECT ?p (COUNT(*) AS ?n) {{ ?s ?p {} }} GROUP BY ?p ORDER BY ?p"
_REASONS = (
    _PREFIXES
    + """SELECT ?p ?o ?reason {{
  ?inference rdf:subject {} ; rdf:predicate ?p ; rdf:object ?o ; dg:reason ?reason
}} ORDER BY ?p ?o ?reason"""
)


async def _reasons(ask: Ask, node: NamedNode) -> dict[tuple[str, Term], dict[str, str]]:
    reasons: dict[tuple[str, Term], dict[str, str]] = {}
    for predicate, value, reason in (await ask(_REASONS.format(node))).rows:
        if isinstance(predicate, NamedNode) and value is not None and isinstance(reason, Literal):
            found = reasons.setdefault((predicate.value, value), {})
            found[reason.language or ""] = reason.value
    return reasons


async def _incoming(
    ask: Ask, node: NamedNode, counts: Sequence[tuple[str, int]], relation: str | None, offset: int
) -> tuple[Incoming, ...]:
    if not counts:
        return ()
    starts = {predicate: offset if predicate == relation else 0 for predicate, _ in counts}
    parts = " UNION ".join(
        f"{{ SELECT (<{predicate}> AS ?p) ?s {{ ?s <{predicate}> {node} }}"
        f" ORDER BY ?s LIMIT {INCOMING} OFFSET {start} }}"
        for predicate, start in starts.items()
    )
    subjects: dict[str, list[str]] = {}
    for predicate, subject in (await ask(f"SELECT ?p ?s {{ {parts} }}")).rows:
        if isinstance(predicate, NamedNode) and isinstance(subject, NamedNode):
            subjects.setdefault(predicate.value, []).append(subject.value)
    return tuple(
        Incoming(predicate, total, starts[predicate], tuple(sorted(subjects.get(predicate, []))))
        for predicate, total in counts
    )


def label_in(labels: Labels, iri: str, language: str) -> str:
    """Return what something is called, in a language if it can be, else its short IRI."""
    names = labels.get(iri, {})
    return names.get(language) or next(iter(names.values()), vocab.shorten(iri))


async def labels_of(ask: Ask, iris: Sequence[str]) -> Labels:
    """Return what IRIs are called, by language; those without a name are left out."""
    labels: dict[str, dict[str, str]] = {}
    for start in range(0, len(iris), _LABELS_AT_ONCE):
        values = " ".join(f"<{iri}>" for iri in iris[start : start + _LABELS_AT_ONCE])
        query = f"""{_PREFIXES}SELECT ?x ?name {{
  VALUES ?x {{ {values} }} ?x rdfs:label|skos:prefLabel ?name
}} ORDER BY ?x ?name"""
        for iri, name in (await ask(query)).rows:
            if isinstance(iri, NamedNode) and isinstance(name, Literal):
                language = name.language or ""
                if language in ("", "ja", "en"):
                    labels.setdefault(iri.value, {}).setdefault(language, name.value)
    return labels


def write(description: Description, chosen: Format) -> bytes:
    """Return a description in a format of graphs; TriG and N-Quads say who says what."""
    assert isinstance(chosen.engine, RdfFormat)
    if chosen.engine == RdfFormat.JSON_LD:
        return f"{_in_lines(compact(description.triples, description.iri))}\n".encode()
    readable = chosen.engine in (RdfFormat.TURTLE, RdfFormat.TRIG, RdfFormat.RDF_XML)
    prefixes = vocab.PREFIXES if readable else None
    if chosen.engine in (RdfFormat.TRIG, RdfFormat.N_QUADS):
        content = serialize(description.quads, format=chosen.engine, prefixes=prefixes)
    else:
        content = serialize(description.triples, format=chosen.engine, prefixes=prefixes)
    assert content is not None
    return content


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _in_lines(value: Any, indent: str = "\n ") -> str:
    """Return JSON as ``json.dumps(…, indent=1)`` writes it, in a fraction of the time."""
    if not value or not isinstance(value, dict | list):
        return _encode(value)
    deeper = indent + " "
    if isinstance(value, list):
        opening, closing, parts = "[", "]", [_in_lines(each, deeper) for each in value]
    else:
        parts = [f"{_encode(key)}: {_in_lines(each, deeper)}" for key, each in value.items()]
        opening, closing = "{", "}"
    return f"{opening}{indent}{f',{indent}'.join(parts)}{indent[:-1]}{closing}"


CONTEXT = "context.jsonld"
"""Where the JSON-LD context is, under the base; ``context/{version}.jsonld`` is that of a version
of the ontology, to which documents refer."""
_NAMES = {
    "label": "rdfs:label",
    "comment": "rdfs:comment",
    "prefLabel": "skos:prefLabel",
    "altLabel": "skos:altLabel",
    "definition": "skos:definition",
    "title": "dcterms:title",
    "description": "dcterms:description",
    "identifier": "dcterms:identifier",
}
"""Properties of others that have a short name in JSON; those of ours are called by their own."""
_MAPS = frozenset(_NAMES) - {"identifier"}
"""Keys of others whose texts stand under their languages."""
_ID, _BY_LANGUAGE, _PLAIN = "@id", "@language", ""
_RANGES = {
    "xsd:integer": "xsd:integer",
    "xsd:decimal": "xsd:decimal",
    "rdf:PlainLiteral": _BY_LANGUAGE,
}
"""How values of a range are written: as numbers, as texts of numbers, or by language."""


@dataclass(frozen=True)
class _Terms:
    """The terms of the ontology as JSON-LD writes them."""

    version: str
    kinds: Mapping[str, str]
    """By prefixed names: ``@id`` where values are things, ``@language`` where they are texts by
    their languages, a datatype, or nothing."""


@functools.cache
def _terms() -> _Terms:
    """Read the ontology of the project; a project without one has no terms of its own."""
    path = load_settings().ontology_dir / "digiden.ttl"
    if not path.is_file():
        return _Terms("", {})
    version, kinds, ranges = "", {}, {}
    text = vocab.rebase(path.read_text(encoding="utf-8"))
    for quad in parse(text, format=RdfFormat.TURTLE):
        if not isinstance(quad.subject, NamedNode) or isinstance(quad.object, Triple):
            continue
        name, value = vocab.shorten(quad.subject.value), quad.object.value
        predicate = vocab.shorten(quad.predicate.value)
        if predicate == "owl:versionInfo":
            version = value
        elif predicate == "rdfs:range":
            ranges[name] = _RANGES.get(vocab.shorten(value), _PLAIN)
        elif predicate == "rdf:type" and value.startswith(vocab.PREFIXES["owl"]):
            kind = vocab.shorten(value)
            if kind == "owl:ObjectProperty":
                kinds[name] = _ID
            elif kind in ("owl:Class", "owl:DatatypeProperty", "owl:AnnotationProperty"):
                kinds.setdefault(name, _PLAIN)
    kinds |= {name: kind for name, kind in ranges.items() if kinds.get(name) == _PLAIN}
    own = {name: kind for name, kind in kinds.items() if name.startswith("dg:") or kind == _ID}
    return _Terms(version, dict(sorted(own.items())))


def context_version() -> str:
    """Return the version of the ontology that the context belongs to, empty without one."""
    return _terms().version


def context_iri() -> str:
    """Return the IRI of the context to which documents refer."""
    version = context_version()
    return vocab.BASE + (f"context/{version}.jsonld" if version else CONTEXT)


def context() -> dict[str, Any]:
    """Return the JSON-LD 1.1 context that every description in JSON-LD refers to.

    It is made from the ontology: each term of ours, and which values are things, numbers or texts
    by their languages.
    """
    prefixes = {
        name: {"@id": iri, "@prefix": True} if iri[-1] not in "#/" else iri
        for name, iri in vocab.PREFIXES.items()
        if name != "id"  # which is the name of a key
    }
    terms: dict[str, Any] = {
        key: {"@id": name, "@container": "@language"} if key in _MAPS else name
        for key, name in _NAMES.items()
    }
    for name, kind in _terms().kinds.items():
        key = name.removeprefix("dg:")
        if kind == _PLAIN:
            terms[key] = name
        elif kind == _BY_LANGUAGE:
            terms[key] = {"@id": name, "@container": "@language"}
        else:
            terms[key] = {"@id": name, "@type": kind}
    own: dict[str, Any] = {"@version": 1.1, "id": "@id", "type": "@type", "graph": "@graph"}
    return {"@context": {**own, **prefixes, "@vocab": vocab.PREFIXES["dg"], **terms}}


def compact(triples: Sequence[Triple], first: str) -> dict[str, Any]:
    """Return triples as JSON that a person can read, by :func:`context`.

    Args:
        triples: Statements without blank nodes.
        first: The subject that the document is about; it comes first.
    """
    keys = {vocab.expand(name): key for key, name in _NAMES.items()}
    kinds = _terms().kinds
    nodes: dict[str, dict[str, Any]] = {first: {"id": first}}
    for triple in triples:
        if isinstance(triple.subject, BlankNode | Triple):
            continue
        node = nodes.setdefault(triple.subject.value, {"id": triple.subject.value})
        if triple.predicate.value == vocab.expand("rdf:type"):
            assert isinstance(triple.object, NamedNode)
            node.setdefault("type", []).append(_name(triple.object.value))
            continue
        key = keys.get(triple.predicate.value) or _name(triple.predicate.value)
        kind = kinds.get(vocab.shorten(triple.predicate.value), _PLAIN)
        if (key in _MAPS or kind == _BY_LANGUAGE) and isinstance(triple.object, Literal):
            names = node.setdefault(key, {})
            names.setdefault(triple.object.language or "@none", []).append(triple.object.value)
        else:
            node.setdefault(key, []).append(_value(triple.object, kind))
    for node in nodes.values():
        for key, value in node.items():
            if isinstance(value, list) and len(value) == 1:
                node[key] = value[0]
            elif isinstance(value, dict):
                node[key] = {k: v[0] if len(v) == 1 else v for k, v in value.items()}
    return {"@context": context_iri(), "graph": list(nodes.values())}


def _name(iri: str) -> str:
    own = vocab.PREFIXES["dg"]
    local = iri.removeprefix(own)
    return local if iri.startswith(own) and local.isalnum() else vocab.shorten(iri)


def _value(term: Term, kind: str) -> Any:
    if isinstance(term, NamedNode):
        return term.value if kind == _ID else {"id": term.value}
    assert isinstance(term, Literal)
    if term.language:
        return {"@value": term.value, "@language": term.language}
    datatype = vocab.shorten(term.datatype.value)
    if datatype == "xsd:string":
        return {"@value": term.value} if kind else term.value
    if datatype == "xsd:integer" and kind in ("xsd:integer", _PLAIN):
        return int(term.value)
    if datatype == "xsd:boolean" and not kind:
        return term.value in ("true", "1")
    return term.value if datatype == kind else {"@value": term.value, "@type": datatype}
