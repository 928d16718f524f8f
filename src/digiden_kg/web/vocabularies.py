"""The ontology and the shapes as documents: every term at its fragment, in every format.

The page of the ontology is made from the ontology and from the data that uses it. The JSON-LD
context of every description is served here too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.describe import CONTEXT, context, context_version, label_in, labels_of
from digiden_kg.engine.seam import read_page
from digiden_kg.results import GRAPHS, HTML, find_format
from digiden_kg.web import access, problems
from digiden_kg.web.site import Site, address_of_thing, language_of, page_route
from digiden_kg.web.things import ENDS, VARY, choose_by_end, elsewhere, iri_of, links_of, tagged

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
            return await elsewhere(site, request, known)
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
        client = access.CLIENT.get()
        reply = await site.engine.evaluate(query, format=chosen.format, client=client)
        content = await read_page(reply)
        return tagged(request, content, chosen, headers)
    language = language_of(request)
    rows = (await site.ask(_TERMS.format(graph, vocab.BASE + name))).rows
    terms: dict[str, dict[str, Any]] = {}
    for term, predicate, value in rows:
        if isinstance(term, NamedNode) and isinstance(predicate, NamedNode) and value is not None:
            found = terms.setdefault(term.value, {})
            found.setdefault(vocab.shorten(predicate.value), []).append(value)
    counts = await site.counts()
    uses = {**counts.classes, **{term: each[0] for term, each in counts.properties.items()}}
    mentioned = sorted(
        {
            value.value
            for found in terms.values()
            for listed in found.values()
            for value in listed
            if isinstance(value, NamedNode)
        }
    )
    labels = await labels_of(site.ask, [*terms, *mentioned])
    shown = [
        {
            "id": iri.partition("#")[2],
            "name": vocab.shorten(iri),
            "label": label_in(labels, iri, language),
            "definition": _text(found.get("skos:definition") or found.get("sh:message"), language),
            "examples": [
                value.value
                for value in found.get("skos:example", ())
                if isinstance(value, Literal) and value.language in (language, None)
            ],
            "kinds": [vocab.shorten(value.value) for value in found.get("rdf:type", ())],
            "links": [
                (
                    label_in(labels, vocab.expand(key), language),
                    [
                        (
                            label_in(labels, value.value, language),
                            address_of_thing(value.value, language),
                        )
                        for value in found[key]
                        if isinstance(value, NamedNode)
                    ],
                )
                for key in _RELATIONS
                if any(isinstance(value, NamedNode) for value in found.get(key, ()))
            ],
            "uses": uses.get(iri),
            "query": _use_query(iri, found),
        }
        for iri, found in terms.items()
    ]
    page = site.page(
        request,
        "vocabulary.html",
        name=name,
        iri=vocab.BASE + name,
        terms=shown,
        formats=[offer.name for offer in GRAPHS],
    )
    page.headers.update(headers)
    return page


_RELATIONS = (
    *("rdfs:subClassOf", "rdfs:subPropertyOf", "rdfs:domain", "rdfs:range"),
    *("sh:targetClass", "sh:path", "sh:class", "sh:datatype", "sh:severity", "sh:property"),
)
_TERMS = """SELECT ?t ?p ?o {{
  GRAPH <{0}> {{ ?t ?p ?o FILTER(STRSTARTS(STR(?t), "{1}#")) }}
}} ORDER BY ?t ?p ?o"""


def _use_query(iri: str, found: Mapping[str, Sequence[Any]]) -> str:
    kinds = {vocab.shorten(value.value) for value in found.get("rdf:type", ())}
    if "owl:Class" in kinds:
        return f"SELECT ?thing {{ ?thing a <{iri}> }} ORDER BY ?thing LIMIT 100"
    return f"SELECT ?thing ?value {{ ?thing <{iri}> ?value }} ORDER BY ?thing ?value LIMIT 100"


def _text(values: Sequence[Any] | None, language: str) -> str | None:
    texts = {value.language: value.value for value in values or () if isinstance(value, Literal)}
    return texts.get(language) or next(iter(texts.values()), None)
