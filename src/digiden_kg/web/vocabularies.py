"""The ontology and the shapes as documents: every term at its fragment, in every format.

The page of the ontology is made from the ontology and from the data that uses it. The JSON-LD
context of every description is served here too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.describe import CONTEXT, context, context_version, label_in, labels_of
from digiden_kg.engine.seam import Query, read_page
from digiden_kg.questions import Text
from digiden_kg.results import GRAPHS, HTML, Term, find_format
from digiden_kg.web import access, diagram, problems
from digiden_kg.web.site import LANGUAGES, Site, address_of_thing, language_of, page_route
from digiden_kg.web.things import (
    ENDS,
    VARY,
    choose_by_end,
    elsewhere,
    iri_of,
    links_of,
    replacement,
    tagged,
)
from digiden_kg.web.wording import number

_VOCABULARIES = {"ontology": vocab.ONTOLOGY, "shapes": vocab.SHAPES}
"""Documents whose terms are their fragments, and the graphs that hold them."""
_VERSION = "SELECT ?s {{ ?s <http://www.w3.org/2002/07/owl#versionIRI> {0} }} LIMIT 1"


def add_vocabularies(app: FastAPI, site: Site) -> None:
    """Add the addresses of the ontology, its versions, the shapes and the JSON-LD context."""

    for name in _VOCABULARIES:
        for end in ("", *(f".{end}" for end in ENDS)):

            @page_route(app, f"/{name}{end}", site)
            async def terms(
                request: Request, name: str = name, end: str = end.removeprefix(".")
            ) -> Response:
                return await _vocabulary(site, request, name, end)

    @page_route(app, "/ontology/{version}", site)
    async def version(request: Request, version: str) -> Response:
        stem, dot, end = version.rpartition(".")
        if not dot or end not in ENDS:
            stem, end = version, ""
        known = iri_of(f"ontology/{stem}")
        if not (await site.ask(_VERSION.format(NamedNode(known)))).rows:
            former = await site.describe(known)
            moved = replacement(request, former) if former else None
            return moved or await elsewhere(site, request, known)
        return await _vocabulary(site, request, "ontology", end)

    @page_route(app, f"/{CONTEXT}", site)
    async def json_context(request: Request) -> Response:
        return _context(request, "no-cache")

    @page_route(app, "/context/{version}.jsonld", site)
    async def context_of_a_version(request: Request, version: str) -> Response:
        if version != context_version():
            raise problems.ProblemError(
                404,
                "http",
                f"the context served here is that of version {context_version()}, not {version}"
                f" / ここで公開しているのは版 {context_version()} のコンテキストです。",
            )
        return _context(request, "max-age=86400")


def _context(request: Request, caching: str) -> Response:
    content = json.dumps(context(), ensure_ascii=False, indent=1).encode()
    headers = {"Cache-Control": caching}
    return tagged(request, content, _JSON_LD, headers)


_JSON_LD = find_format(GRAPHS, "jsonld")


async def _vocabulary(site: Site, request: Request, name: str, end: str) -> Response:
    """Answer with the ontology or the shapes as a whole."""
    _, chosen = choose_by_end(request, f"{name}.{end}" if end else name)
    graph = vocab.source(_VOCABULARIES[name])
    headers = {**VARY, "Link": links_of(vocab.BASE + name, f"/{name}")}
    if chosen.format is not HTML:
        query = f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}"
        asked = Query(query, chosen.format, client=access.CLIENT.get())
        reply = await site.engine.evaluate(asked)
        content = await read_page(reply)
        return tagged(request, content, chosen, headers)
    language = language_of(request)
    terms = await site.kept(f"{name} {language}", lambda: _terms_of(site, name, language))
    document = await site.kept(f"{name} itself", lambda: _said_of(site, graph, vocab.BASE + name))
    kinds = [
        (title, [term for term in terms if term["kind"] == kind]) for kind, title in _KINDS.items()
    ]
    page = site.page(
        request,
        "vocabulary.html",
        name=name,
        iri=vocab.BASE + name,
        version=_value(document, "owl:versionInfo"),
        version_iri=_value(document, "owl:versionIRI"),
        changed=_value(document, "dcterms:modified"),
        licence=_value(document, "dcterms:license"),
        groups=[(title[language], listed) for title, listed in kinds if listed],
        diagram=await site.kept("diagram", lambda: _diagram(site)) if name == "ontology" else None,
        names={term["iri"]: term["label"] for term in terms},
        sizes=(diagram.WIDTH, diagram.ROW, diagram.HEAD),
        formats=[offer.name for offer in GRAPHS],
    )
    page.headers.update(headers)
    return page


_KINDS: Mapping[str, Text] = {
    "owl:Class": {"ja": "クラス", "en": "Classes"},
    "owl:ObjectProperty": {"ja": "ものとものをつなぐプロパティ", "en": "Properties between things"},
    "owl:DatatypeProperty": {"ja": "値を持つプロパティ", "en": "Properties with values"},
    "owl:AnnotationProperty": {"ja": "注釈", "en": "Annotations"},
    "sh:NodeShape": {"ja": "クラスのシェイプ", "en": "Shapes of classes"},
    "sh:PropertyShape": {"ja": "プロパティのシェイプ", "en": "Shapes of properties"},
    "": {"ja": "そのほか", "en": "Others"},
}
"""Groups of the terms of a page, by the type of a term."""

Said = dict[str, list[Term]]


async def _said_of(site: Site, graph: str, iri: str) -> Said:
    """Return what a graph says of a document."""
    found: Said = {}
    for predicate, value in (await site.ask(_DOCUMENT.format(graph, NamedNode(iri)))).rows:
        if isinstance(predicate, NamedNode) and value is not None:
            found.setdefault(vocab.shorten(predicate.value), []).append(value)
    return found


def _value(said: Mapping[str, Sequence[Term]], name: str) -> str | None:
    return next((str(getattr(each, "value", "")) for each in said.get(name, ())), None)


async def _terms_of(site: Site, name: str, language: str) -> list[dict[str, Any]]:
    """Return the terms of a vocabulary as its page shows them."""
    graph = vocab.source(_VOCABULARIES[name])
    said: dict[str, Said] = {}
    for term, predicate, value in (await site.ask(_TERMS.format(graph, vocab.BASE + name))).rows:
        if isinstance(term, NamedNode) and isinstance(predicate, NamedNode) and value is not None:
            found = said.setdefault(term.value, {})
            found.setdefault(vocab.shorten(predicate.value), []).append(value)
    facts = await _Facts.read(site)
    counts = await site.counts()
    uses = {**counts.classes, **{term: each[0] for term, each in counts.properties.items()}}
    mentioned = {
        value.value
        for found in said.values()
        for listed in found.values()
        for value in listed
        if isinstance(value, NamedNode)
    }
    labels = {**await labels_of(site.ask, sorted({*said, *mentioned, *facts.things()}))}
    # Terms of others have names in a list of ours.
    for iri in {*mentioned, *facts.things(), *map(vocab.expand, _RELATIONS)}:
        reused = site.terms.get(vocab.shorten(iri))
        if reused and iri not in labels:
            labels[iri] = reused

    def linked(iri: str) -> tuple[str, str | None]:
        return label_in(labels, iri, language), address_of_thing(iri, language)

    shown = [
        {
            "iri": iri,
            "id": iri.partition("#")[2],
            "name": vocab.shorten(iri),
            "label": label_in(labels, iri, language),
            "kind": _kind(found),
            "definition": _text(found.get("skos:definition") or found.get("sh:message"), language),
            "examples": [
                value.value
                for value in found.get("skos:example", ())
                if isinstance(value, Literal) and value.language in (language, None)
            ],
            "links": [
                (
                    label_in(labels, vocab.expand(key), language),
                    [linked(value.value) for value in found[key] if isinstance(value, NamedNode)],
                )
                for key in _RELATIONS
                if any(isinstance(value, NamedNode) for value in found.get(key, ()))
            ],
            "uses": uses.get(iri),
            "query": _use_query(iri, found),
            "instance": linked(facts.instances[iri]) if iri in facts.instances else None,
            "statement": _statement(facts.statements.get(iri), linked, language),
            "subjects": [(*linked(cls), count) for cls, count in facts.subjects(iri)],
            "shapes": [
                (
                    vocab.shorten(shape),
                    address_of_thing(shape, language),
                    _text(messages, language),
                    linked(severity)[0] if severity else None,
                )
                for shape, (severity, messages) in facts.shapes.get(iri, {}).items()
            ],
        }
        for iri, found in said.items()
    ]
    return sorted(shown, key=lambda term: str(term["name"]))


def _kind(found: Mapping[str, Sequence[Term]]) -> str:
    types = {
        vocab.shorten(value.value)
        for value in found.get("rdf:type", ())
        if isinstance(value, NamedNode)
    }
    return next((kind for kind in _KINDS if kind in types), "")


@dataclass(frozen=True)
class _Facts:
    """What the data of a release shows of the terms of ours."""

    instances: Mapping[str, str]
    """One thing of each class."""
    statements: Mapping[str, tuple[str, Sequence[Term]]]
    """One thing with its values of each property."""
    used: Mapping[str, Sequence[tuple[str, int]]]
    """Of how many things of which class each property is said."""
    broader: Mapping[str, Collection[str]]
    shapes: Mapping[str, Mapping[str, tuple[str | None, Sequence[Term]]]]
    """Shapes of each term, each with severity and messages."""

    @classmethod
    async def read(cls, site: Site) -> _Facts:
        """Ask the data, once for a release."""
        return await site.kept("facts of terms", lambda: cls._read(site))

    @classmethod
    async def _read(cls, site: Site) -> _Facts:
        instances = {_iri(c): _iri(e) for c, e in await site.page_rows("ontology-instances")}
        statements: dict[str, tuple[str, list[Term]]] = {}
        for name, thing, value in await site.page_rows("ontology-statements"):
            if value is not None:
                statements.setdefault(_iri(name), (_iri(thing), []))[1].append(value)
        used: dict[str, list[tuple[str, int]]] = {}
        for name, kind, count in await site.page_rows("ontology-uses"):
            used.setdefault(_iri(name), []).append((_iri(kind), int(_iri(count))))
        broader: dict[str, set[str]] = {}
        for kind, above in await site.page_rows("matching-classes"):
            broader.setdefault(_iri(kind), set()).add(_iri(above))
        shapes: dict[str, dict[str, tuple[str | None, list[Term]]]] = {}
        for term, shape, severity, message in await site.page_rows("ontology-shapes"):
            listed = shapes.setdefault(_iri(term), {})
            entry = listed.setdefault(_iri(shape), (_iri(severity) or None, []))
            if message is not None:
                entry[1].append(message)
        return cls(instances, statements, used, broader, shapes)

    def subjects(self, iri: str) -> list[tuple[str, int]]:
        """Return the classes that a property is said of, without those below another of them."""
        listed = self.used.get(iri, ())
        kinds = {kind for kind, _ in listed}
        return [(kind, n) for kind, n in listed if not kinds & {*self.broader.get(kind, ())}]

    def things(self) -> set[str]:
        """Return every IRI whose label is shown."""
        found = {*self.instances.values()}
        for thing, values in self.statements.values():
            found |= {thing, *(each.value for each in values if isinstance(each, NamedNode))}
        for listed in self.shapes.values():
            found |= {severity for severity, _ in listed.values() if severity}
        return found | {kind for listed in self.used.values() for kind, _ in listed}


def _statement(
    found: tuple[str, Sequence[Term]] | None,
    linked: Callable[[str], tuple[str, str | None]],
    language: str,
) -> dict[str, Any] | None:
    """Return a statement of the data in a language, if there is one."""
    if found is None:
        return None
    thing, values = found
    spoken = [each for each in values if isinstance(each, Literal) and each.language == language]
    value = (spoken or values)[0]
    if isinstance(value, NamedNode):
        return {"thing": linked(thing), "value": linked(value.value), "language": None}
    assert isinstance(value, Literal)
    text = value.value.replace("\n", " · ")
    if value.datatype.value == vocab.expand("xsd:integer"):
        text = number(text, language)
    return {"thing": linked(thing), "value": (text, None), "language": value.language}


async def _diagram(site: Site) -> diagram.Diagram:
    links = [
        (_iri(source), _iri(name), _iri(target))
        for source, name, target in await site.page_rows("ontology-diagram")
    ]
    below: dict[str, list[str]] = {}
    for kind, above in await site.page_rows("matching-classes"):
        below.setdefault(_iri(above), []).append(_iri(kind))
    terms = await _terms_of(site, "ontology", LANGUAGES[0])
    classes = [str(term["iri"]) for term in terms if term["kind"] == "owl:Class"]
    return diagram.lay_out(classes, below, links)


def _iri(term: Term | None) -> str:
    return str(getattr(term, "value", ""))


_RELATIONS = (
    *("rdfs:subClassOf", "rdfs:subPropertyOf", "rdfs:domain", "rdfs:range"),
    *("sh:targetClass", "sh:path", "sh:class", "sh:datatype", "sh:severity", "sh:property"),
)
_TERMS = """SELECT ?t ?p ?o {{
  GRAPH <{0}> {{ ?t ?p ?o FILTER(STRSTARTS(STR(?t), "{1}#")) }}
}} ORDER BY ?t ?p ?o"""
_DOCUMENT = "SELECT ?p ?o {{ GRAPH <{0}> {{ {1} ?p ?o }} }} ORDER BY ?p ?o"


def _use_query(iri: str, found: Mapping[str, Sequence[Any]]) -> str:
    kinds = {vocab.shorten(value.value) for value in found.get("rdf:type", ())}
    if "owl:Class" in kinds:
        return f"SELECT ?thing {{ ?thing a <{iri}> }} ORDER BY ?thing LIMIT 100"
    return f"SELECT ?thing ?value {{ ?thing <{iri}> ?value }} ORDER BY ?thing ?value LIMIT 100"


def _text(values: Sequence[Any] | None, language: str) -> str | None:
    texts = {value.language: value.value for value in values or () if isinstance(value, Literal)}
    return texts.get(language) or next(iter(texts.values()), None)
