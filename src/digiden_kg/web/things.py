"""Every IRI that the graph mints answers here: as a page, and in every RDF format.

``id/…`` names a thing that is no document, so it leads (303) to ``doc/…``, which is one. Concept
schemes, sources and datasets are documents and answer at once, as the vocabularies do
(:mod:`digiden_kg.web.vocabularies`); the end of an address (``.ttl``) chooses a format for good.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode
from xml.sax.saxutils import escape

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.describe import (
    Description,
    Said,
    label_in,
    labels_of,
    write,
)
from digiden_kg.normalize import fold
from digiden_kg.results import GRAPHS, HTML, Chosen, Format, negotiate
from digiden_kg.web import problems, sparql
from digiden_kg.web.datasets import bibtex
from digiden_kg.web.entities import entity_of
from digiden_kg.web.site import (
    LANGUAGES,
    Site,
    address_of_thing,
    choose,
    language_of,
    page_route,
    root_of,
)

_OFFERS = (HTML, *GRAPHS)
_BIBTEX = Format(("bib",), ("application/x-bibtex",))
ENDS = {name: offer for offer in _OFFERS for name in offer.names[:1]}
VARY = {"Vary": "Accept, Accept-Language", "Cache-Control": "no-cache"}
_NEAR = 8
_SCHEMA = {
    "dg:Project": "Project",
    "dg:LocalGovernment": "GovernmentOrganization",
    "dg:Organisation": "Organization",
    "dg:Service": "Service",
    "dg:ModelService": "DefinedTerm",
    "dg:SourceDocument": "CreativeWork",
    "dg:DataPlatform": "SoftwareApplication",
    "qb:DataSet": "Dataset",
}
"""What search engines call our classes (schema.org)."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value as a page shows it."""

    text: str
    address: str | None
    language: str | None
    number: bool
    sources: tuple[tuple[str, str], ...]
    """(label, address) of each passage or graph that states it."""
    reason: str | None
    """Why we concluded it; None where it is stated."""


def add_things(app: FastAPI, site: Site) -> None:
    """Add the addresses of everything that the graph mints."""

    @page_route(app, "/id/{path:path}", site)
    async def thing(request: Request, path: str) -> Response:
        iri = iri_of(f"id/{path}")
        if (await site.ask(_KNOWN.format(NamedNode(iri)))).rows:
            query = f"?{request.url.query}" if request.url.query else ""
            address = f"/doc/{quote(path)}{query}"
            return RedirectResponse(address, 303, headers={"Vary": "Accept"})
        return await elsewhere(site, request, iri)

    @page_route(app, "/doc/{path:path}", site)
    async def document(request: Request, path: str) -> Response:
        return await _document(site, request, f"id/{path}")

    for folder in ("scheme", "source", "dataset", ".well-known/genid"):

        @page_route(app, f"/{folder}/{{path:path}}", site)
        async def part(request: Request, path: str, folder: str = folder) -> Response:
            return await _document(site, request, f"{folder}/{path}")

    @page_route(app, "/robots.txt", site)
    async def robots(request: Request) -> Response:
        sitemap = f"{root_of(request)}/sitemap.xml"
        return PlainTextResponse(
            f"User-agent: *\nDisallow: /sparql\nDisallow: /data\nSitemap: {sitemap}\n"
        )

    @page_route(app, "/sitemap.xml", site)
    async def sitemap(request: Request) -> Response:
        root = root_of(request)
        paths = await site.kept("paths", functools.partial(_paths, site))
        lines = [f"<url><loc>{escape(root + path)}</loc></url>" for path in paths]
        content = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            + "\n".join(lines)
            + "\n</urlset>\n"
        )
        return Response(content, media_type="application/xml")


_KNOWN = "SELECT ?p {{ {{ {0} ?p ?o }} UNION {{ ?s ?p {0} }} }} LIMIT 1"
_ALL = """SELECT DISTINCT ?s {{
  ?s ?p ?o FILTER(STRSTARTS(STR(?s), "{0}") && !CONTAINS(STR(?s), "#"))
}} ORDER BY ?s"""


async def _paths(site: Site) -> list[str]:
    """Return the addresses of all pages that are found by their links."""
    rows = (await site.ask(_ALL.format(vocab.BASE))).rows
    paths = ["/", "/ontology", "/shapes", *(f"/questions/{slug}" for slug in site.questions)]
    paths += [
        address_of_thing(row[0].value, None) or "/" for row in rows if isinstance(row[0], NamedNode)
    ]
    return list(dict.fromkeys(paths))


def iri_of(path: str) -> str:
    """Return the IRI that a path stands for; what no IRI may hold is percent-encoded."""
    try:
        return NamedNode(vocab.BASE + path).value
    except ValueError:
        return vocab.BASE + quote(path)


def choose_by_end(
    request: Request, path: str, offers: Sequence[Format] = _OFFERS
) -> tuple[str, Chosen]:
    """Return the path without its end, and the format that it or the client asks for.

    Raises:
        FormatError: The client accepts none of ours.
    """
    stem, dot, end = path.rpartition(".")
    named = next((offer for offer in offers if offer.name == end), None)
    if dot and named and not stem.endswith("/"):
        return stem, Chosen(named, named.media_types[0])
    # Whoever has no wish gets what a person can read.
    return path, choose(request, offers)


async def _document(site: Site, request: Request, path: str) -> Response:
    stem, chosen = choose_by_end(request, path, (*_OFFERS, _BIBTEX))
    iri = iri_of(stem)
    relation = request.query_params.get("relation")
    offset = request.query_params.get("offset", "0")
    found = await site.describe(
        iri,
        relation=relation,
        offset=int(offset) if offset.isascii() and offset.isdigit() and len(offset) < 8 else 0,
    )
    if found is None:
        return await elsewhere(site, request, iri)
    if moved := replacement(request, found):
        return moved
    address = address_of_thing(iri, None) or "/"
    headers = {**VARY, "Link": links_of(iri, address)}
    if chosen.format is _BIBTEX:  # what has no name is cited by its IRI
        title = found.label(iri, language_of(request)) if iri in found.labels else iri
        return tagged(request, bibtex(site.release, iri, title).encode(), chosen, headers)
    if chosen.format is HTML:
        return await _page(site, request, found, address, headers)
    return tagged(request, write(found, chosen.format), chosen, headers)


def tagged(
    request: Request, content: bytes, chosen: Chosen, headers: Mapping[str, str]
) -> Response:
    """Return content under a strong entity tag, or say that the client has it."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if sparql.holds(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers={**headers, "ETag": tag})
    return Response(content, headers={**headers, "ETag": tag, "Content-Type": chosen.content_type})


@functools.lru_cache(maxsize=64)
def links_of(iri: str, address: str) -> str:
    """Return the ``Link`` header: what it is about, its other forms, its one address."""
    stem = quote(address, safe="/:@!$&'()*+,;=~-._%")
    parts = [f'<{quote(iri, safe=_SAFE)}>; rel="describes"', f'<{stem}>; rel="canonical"']
    parts.append(f'<{stem}.ttl>; rel="describedby"; type="text/turtle"')
    parts += [
        f'<{stem}.{offer.name}>; rel="alternate"; type="{offer.media_types[0]}"' for offer in GRAPHS
    ]
    return ", ".join(parts)


_SAFE = "/:#?&=%@!$'()*+,;~-._"


async def _page(
    site: Site,
    request: Request,
    found: Description,
    address: str,
    headers: Mapping[str, str],
) -> Response:
    language = language_of(request)
    groups = [
        (
            _term(site, found, predicate, language),
            vocab.shorten(predicate),
            [_shown(found, said, language) for said in _in_language(listed, language)],
        )
        for predicate, listed in found.grouped().items()
    ]
    incoming = [
        {
            "label": _term(site, found, link.predicate, language),
            "name": vocab.shorten(link.predicate),
            "total": link.total,
            "first": link.offset + 1,
            "last": link.offset + len(link.subjects),
            "things": [
                (found.label(each, language), address_of_thing(each, language))
                for each in link.subjects
            ],
            "more": _more(address, language, link.predicate, link.offset + len(link.subjects))
            if link.offset + len(link.subjects) < link.total
            else None,
        }
        for link in found.incoming
    ]
    entity = await entity_of(site, found, language)
    page = site.page(
        request,
        entity.template if entity else "thing.html",
        iri=found.iri,
        title=found.label(found.iri, language),
        types=[
            (found.label(each, language), address_of_thing(each, language))
            for each in found.types
            if each.startswith(vocab.PREFIXES["dg"])
        ],
        groups=groups,
        incoming=incoming,
        address=address,
        formats=[(offer.name, offer.media_types[0]) for offer in GRAPHS],
        query=entity.query if entity else f"DESCRIBE <{found.iri}>",
        embedded=_schema_org(found, language),
        is_linked=not site.release.is_draft and found.iri in await site.network(),
        every_open="relation" in request.query_params,
        # A file is read on another day than it is made.
        accessed=None if site.is_static else _today(),
        **(entity.values if entity else {}),
    )
    page.headers.update(headers)
    return page


def _today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def _term(site: Site, found: Description, predicate: str, language: str) -> str:
    """Return what a predicate is called: by the ontology, or for reused terms by our list."""
    if predicate not in found.labels:
        names = site.terms.get(vocab.shorten(predicate))
        if names:
            return names[language]
    return found.label(predicate, language)


def _more(address: str, language: str, relation: str, offset: int) -> str:
    asked = urlencode({"lang": language, "relation": relation, "offset": offset})
    return f"{address}?{asked}"


def _in_language(listed: Sequence[Said], language: str) -> list[Said]:
    """Return statements without texts of the other language, where this one has any."""
    tags = [said.value.language for said in listed if isinstance(said.value, Literal)]
    if language not in tags:
        return list(listed)
    others = set(LANGUAGES) - {language}
    return [
        said
        for said in listed
        if not isinstance(said.value, Literal) or said.value.language not in others
    ]


def _shown(found: Description, said: Said, language: str) -> Value:
    term = said.value
    sources = tuple(
        (found.label(graph, language), address_of_thing(graph, language) or "")
        for graph in said.graphs
    )
    reason = said.reason.get(language) or next(iter(said.reason.values()), None)
    if isinstance(term, NamedNode):
        text = found.label(term.value, language)
        return Value(text, address_of_thing(term.value, language), None, False, sources, reason)
    assert isinstance(term, Literal)
    text, number = term.value, False
    if term.datatype.value == vocab.expand("xsd:integer"):
        text, number = f"{int(text):,}", True
    return Value(text, None, term.language, number, sources, reason)


def _schema_org(found: Description, language: str) -> str | None:
    """Return what search engines read of a page, as the text of a script that does nothing."""
    kinds = [_SCHEMA[each] for each in map(vocab.shorten, found.types) if each in _SCHEMA]
    if not kinds:
        return None
    content: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": kinds[0],
        "@id": found.iri,
        "url": found.iri,
        "name": found.label(found.iri, language),
        "inLanguage": language,
    }
    identifiers = list(found.values("dcterms:identifier"))
    if identifiers:
        content["identifier"] = identifiers[0]
    # "<" would end the element; JSON knows another way to write it.
    return json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")


def replacement(request: Request, found: Description) -> Response | None:
    """Return where a retired thing has gone: 301 to what replaced it, 410 to nothing."""
    replaced = vocab.expand("dcterms:isReplacedBy")
    successors = [said.value for said in found.statements if said.predicate == replaced]
    # A programme that another one followed is still what it was; a retired thing has no class.
    if found.types if successors else "true" not in found.values("owl:deprecated"):
        return None
    for by in successors:
        if isinstance(by, NamedNode):
            address = address_of_thing(by.value, request.query_params.get("lang"))
            if address:
                return RedirectResponse(address, 301)
    message = f"{found.iri} was retired / {found.iri} は廃止されました。"
    raise problems.ProblemError(410, "gone", message)


async def elsewhere(site: Site, request: Request, iri: str) -> Response:
    """Answer 404 with what is called or written alike."""
    last = unquote(iri.rstrip("/").rpartition("/")[2])
    near = await _near(site, last)
    language = language_of(request)
    if negotiate((GRAPHS[0], HTML), request.headers.get("accept") or "*/*").format is HTML:
        return site.page(
            request,
            "missing.html",
            404,
            iri=iri,
            near=[(names[language], address_of_thing(each, language)) for each, names in near],
        )
    return problems.problem(
        request,
        404,
        "http",
        "Not Found",
        f"nothing is said of {iri} / {iri} についての記述はありません。",
        near=[each for each, _ in near] or None,
    )


async def _near(site: Site, text: str) -> list[tuple[str, dict[str, str]]]:
    folded = fold(text)
    if not folded or site.release.is_draft:
        return []
    wanted = Literal(folded)
    code = Literal(text.lower())
    query = f"""PREFIX dg: <{vocab.PREFIXES["dg"]}>
SELECT DISTINCT ?thing {{ ?thing dg:searchText ?text
  FILTER(CONTAINS(?text, {wanted}) || CONTAINS(STR(?thing), {code}))
}} ORDER BY STRLEN(?text) ?thing LIMIT {_NEAR}"""
    things = [row[0].value for row in (await site.ask(query)).rows if isinstance(row[0], NamedNode)]
    labels = await labels_of(site.ask, things)
    return [
        (each, {language: label_in(labels, each, language) for language in LANGUAGES})
        for each in things
    ]
