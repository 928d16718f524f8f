"""The Reconciliation Service API 0.2: OpenRefine and other tools match names to our IRIs by it.

https://www.w3.org/community/reports/reconciliation/CG-FINAL-specs-0.2-20230410/
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pyoxigraph import Literal, NamedNode

from digiden_kg import metadata, vocab
from digiden_kg.describe import Labels, label_in, labels_of
from digiden_kg.matching import (
    MOST_CANDIDATES,
    MOST_QUERIES,
    Candidate,
    Column,
    Matcher,
    Property,
    codes,
    identifier,
    read_extension,
    read_queries,
    term_iri,
    thing_iri,
)
from digiden_kg.normalize import fold
from digiden_kg.results import Term
from digiden_kg.search import Entry
from digiden_kg.web import problems, sparql
from digiden_kg.web.site import FRAMED, LANGUAGES, Site, language_of, page_route, root_of

PATH = "/api/reconcile"
_MOST_THINGS = 200
"""Things whose values are given at once."""
_SUGGESTED = 20
_DEFAULT = ("LocalGovernment", "ModelService", "Project", "Service", "DataPlatform", "Organisation")
_WIDTH, _HEIGHT = 430, 260
_PREVIEWED = ("code", "inPrefecture", "grantedTo", "grantType", "projectCost", "implements")
"""What a preview says of a thing, where it is known."""


def add_matching(app: FastAPI, site: Site) -> None:
    """Add the reconciliation service."""

    @app.api_route(PATH, methods=["GET", "HEAD", "POST"], response_model=None)
    async def reconcile(request: Request) -> Response:
        given = dict(sparql.parameters(request.scope["query_string"]))
        if request.method == "POST":
            given |= dict(sparql.parameters(await sparql.read_body(request)))
        return await site.steady(lambda: _answer(site, request, given))

    @page_route(app, f"{PATH}/suggest/entity", site)
    async def suggest_entity(request: Request) -> Response:
        matcher, language = await matcher_of(site), language_of(request)
        prefix, start = _prefix(request)
        found = await asyncio.to_thread(matcher.starting, prefix, LANGUAGES) if prefix else []
        shown = found[start : start + _SUGGESTED]
        labels = await _names(site, _classes(matcher, shown))
        return _json([_suggestion(each, matcher, labels, language) for each in shown])

    @page_route(app, f"{PATH}/suggest/type", site)
    async def suggest_type(request: Request) -> Response:
        matcher = await matcher_of(site)
        listed = sorted(matcher.sizes, key=lambda each: (-matcher.sizes[each], each))
        return await _suggest_terms(site, request, listed)

    @page_route(app, f"{PATH}/suggest/property", site)
    async def suggest_property(request: Request) -> Response:
        return await _suggest_terms(site, request, list((await matcher_of(site)).properties))

    @page_route(app, f"{PATH}/properties", site)
    async def propose_properties(request: Request) -> Response:
        return await _propose(site, request)

    @page_route(app, f"{PATH}/preview", site)
    async def preview(request: Request) -> Response:
        return await _preview(site, request)


async def matcher_of(site: Site) -> Matcher:
    """Return what names are matched against, made once for a release."""

    async def make() -> Matcher:
        index = await site.index()
        rows = [
            await site.page_rows(f"matching-{name}") for name in ("types", "classes", "properties")
        ]
        return await asyncio.to_thread(Matcher, index, *rows)

    return await site.kept("matcher", make)


async def _column(site: Site, iri: str) -> Column:
    async def make() -> Column:
        values: dict[str, list[Term]] = {}
        for thing, value in await site.page_rows("matching-values", property=iri):
            if isinstance(thing, NamedNode) and value is not None:
                values.setdefault(thing.value, []).append(value)
        return values

    return await site.kept(f"column {iri}", make)


async def _answer(site: Site, request: Request, given: Mapping[str, str]) -> Response:
    if "queries" in given:
        return await _reconcile(site, request, given["queries"])
    if "extend" in given:
        return await _extend(site, request, given["extend"])
    if request.method == "POST":
        raise problems.ProblemError(
            400,
            "request",
            "give queries or extend in a form / フォームに queries か extend を指定してください。",
        )
    return JSONResponse(await _manifest(site, request))


async def _manifest(site: Site, request: Request) -> dict[str, Any]:
    root, language = root_of(request), language_of(request)
    defaults = [term_iri(name) for name in _DEFAULT]
    labels = await _names(site, defaults)

    def service(path: str) -> dict[str, str]:
        return {"service_url": root, "service_path": f"{PATH}/{path}"}

    languages = [{"value": "", "name": "すべて / all"}]
    languages += [{"value": "ja", "name": "日本語"}, {"value": "en", "name": "English"}]
    return {
        "versions": ["0.2"],
        "name": metadata.TITLE[language],
        "identifierSpace": vocab.BASE,
        "schemaSpace": vocab.PREFIXES["dg"],
        "documentation": f"{root}/api?lang={language}",
        "serviceVersion": site.release.name,
        "logo": f"{root}/static/icon.svg",
        "defaultTypes": [_term(each, labels, language) for each in defaults],
        "view": {"url": f"{root}/{{{{id}}}}"},
        "preview": {
            "url": f"{root}{PATH}/preview?id={{{{id}}}}",
            "width": _WIDTH,
            "height": _HEIGHT,
        },
        "suggest": {each: service(f"suggest/{each}") for each in ("entity", "type", "property")},
        "extend": {
            "propose_properties": service("properties"),
            "property_settings": [
                {
                    "name": "limit",
                    "label": "値の数の上限 / Most values",
                    "type": "number",
                    "default": 0,
                    "help_text": "0 はすべて / 0 for all",
                },
                {
                    "name": "lang",
                    "label": "言語 / Language",
                    "type": "select",
                    "default": "",
                    "help_text": "文字列の言語 / Language of texts",
                    "choices": languages,
                },
            ],
        },
        "batchSize": MOST_QUERIES,
    }


async def _reconcile(site: Site, request: Request, text: str) -> Response:
    matcher, language = await matcher_of(site), language_of(request)
    queries = read_queries(text, matcher.properties)
    if len(queries) > MOST_QUERIES:
        raise problems.ProblemError(
            413,
            "too-many",
            f"{len(queries)} queries; send at most {MOST_QUERIES} at once"
            f" / {len(queries)}件あります。一度に送れるのは{MOST_QUERIES}件までです。",
        )
    wanted = {each.property for query in queries.values() for each in query.wanted}
    columns = {iri: await _column(site, iri) for iri in sorted({*wanted, *codes()})}

    def match() -> dict[str, list[Candidate]]:
        return {name: matcher.match(query, columns) for name, query in queries.items()}

    found = await asyncio.to_thread(match)
    entries = [each.entry for listed in found.values() for each in listed]
    labels = await _names(site, _classes(matcher, entries))
    return JSONResponse(
        {
            name: {
                "result": [
                    {
                        "id": identifier(each.entry.iri),
                        "name": each.entry.label(language),
                        "description": _description(each.entry, matcher, labels, language),
                        "score": each.score,
                        "match": each.match,
                        "type": [
                            _term(kind, labels, language)
                            for kind in matcher.types_of(each.entry.iri)
                        ],
                        "features": [
                            {"id": feature, "value": value}
                            for feature, value in each.features.items()
                        ],
                    }
                    for each in listed
                ]
            }
            for name, listed in found.items()
        }
    )


async def _extend(site: Site, request: Request, text: str) -> Response:
    matcher, language = await matcher_of(site), language_of(request)
    asked = read_extension(text, _MOST_THINGS, matcher.properties)
    columns = {iri: await _column(site, iri) for iri, _ in asked.properties}
    things = {name: thing_iri(name) for name in asked.things}
    values = {
        (name, iri): _chosen(columns[iri].get(thing, ()), settings)
        for name, thing in things.items()
        for iri, settings in asked.properties
    }
    ranges = [each for iri, _ in asked.properties for each in matcher.properties[iri].ranges]
    mentioned = {
        term.value
        for terms in values.values()
        for term in terms
        if isinstance(term, NamedNode) and term.value.startswith(vocab.BASE)
    }
    labels = await _names(site, [*columns, *ranges, *sorted(mentioned)])
    return JSONResponse(
        {
            "meta": [
                _meta(name, matcher.properties[iri], labels, language)
                for name, (iri, _) in zip(asked.names, asked.properties, strict=True)
            ],
            "rows": {
                thing: {
                    name: [_value(term, labels, language) for term in values[thing, iri]]
                    for name, (iri, _) in zip(asked.names, asked.properties, strict=True)
                }
                for thing in things
            },
        }
    )


def _meta(name: str, of: Property, labels: Labels, language: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"id": name, "name": label_in(labels, of.iri, language)}
    if of.ranges:
        meta["type"] = _term(min(of.ranges), labels, language)
    return meta


def _chosen(terms: Iterable[Term], settings: Mapping[str, Any]) -> list[Term]:
    language, limit = settings.get("lang"), settings.get("limit")
    chosen = [
        term
        for term in terms
        if not language or not isinstance(term, Literal) or term.language in (None, language)
    ]
    if isinstance(limit, str):  # from the field of a form
        limit = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 7 else 0
    return chosen[: int(limit)] if isinstance(limit, int | float) and limit > 0 else chosen


def _value(term: Term, labels: Labels, language: str) -> dict[str, Any]:
    if isinstance(term, NamedNode):
        if term.value.startswith(vocab.BASE):
            return {"id": identifier(term.value), "name": label_in(labels, term.value, language)}
        return {"str": term.value}
    assert isinstance(term, Literal)
    kind = vocab.shorten(term.datatype.value)
    if kind == "xsd:integer":
        return {"int": int(term.value)}
    if kind in ("xsd:decimal", "xsd:double"):
        return {"float": float(term.value)}
    if kind == "xsd:date":
        return {"date": f"{term.value[:10]}T00:00:00"}
    return {"str": term.value}


async def _propose(site: Site, request: Request) -> Response:
    matcher, language = await matcher_of(site), language_of(request)
    name, wish = request.query_params.get("type"), request.query_params.get("limit", "")
    kind = term_iri(name) if name else None
    if kind and kind not in matcher.sizes:
        raise problems.ProblemError(
            404,
            "http",
            f"there is no type {name}; {PATH}/suggest/type lists them"
            f" / {name} という型はありません。",
        )
    used = {
        each.iri: each.uses.get(kind, 0) if kind else max(each.uses.values())
        for each in matcher.properties.values()
    }
    listed = sorted((iri for iri in used if used[iri]), key=lambda iri: (-used[iri], iri))
    limited = wish.isascii() and wish.isdigit() and len(wish) < 5
    listed = listed[: int(wish)] if limited else listed
    labels = await _names(site, listed)
    return JSONResponse(
        {"type": name, "properties": [_term(each, labels, language) for each in listed]}
        | ({"limit": int(wish)} if limited else {})
    )


async def _suggest_terms(site: Site, request: Request, listed: list[str]) -> Response:
    """Return the classes or properties whose name or identifier has what was typed."""
    language = language_of(request)
    prefix, start = _prefix(request)
    labels = await _names(site, listed)
    folded = fold(prefix)
    found = [
        (not any(fold(name).startswith(folded) for name in names), iri)
        for iri in listed
        for names in [(identifier(iri), iri, *labels.get(iri, {}).values())]
        if any(folded in fold(name) for name in names)
    ]
    found.sort(key=lambda each: each[0])
    shown = [iri for _, iri in found[start : start + _SUGGESTED]]
    return _json(
        [{**_term(each, labels, language), "description": vocab.shorten(each)} for each in shown]
    )


def _prefix(request: Request) -> tuple[str, int]:
    cursor = request.query_params.get("cursor", "0")
    start = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 7 else 0
    return request.query_params.get("prefix", "")[:MOST_CANDIDATES], start


async def _preview(site: Site, request: Request) -> Response:
    matcher, language = await matcher_of(site), language_of(request)
    name = request.query_params.get("id", "")
    entry = matcher.entries.get(thing_iri(name))
    if entry is None:
        raise problems.ProblemError(
            404, "http", f"there is nothing called {name} / {name} はありません。"
        )
    facts = []
    for each in map(term_iri, _PREVIEWED):
        column = await _column(site, each)
        if entry.iri in column:
            facts.append((each, column[entry.iri]))
    mentioned = [term.value for _, terms in facts for term in terms if isinstance(term, NamedNode)]
    classes = _classes(matcher, [entry])
    labels = await _names(site, [*(iri for iri, _ in facts), *mentioned, *classes])
    page = site.page(
        request,
        "matched.html",
        title=entry.label(language),
        address=f"/{identifier(entry.iri)}?lang={language}",
        description=_description(entry, matcher, labels, language),
        facts=[
            (
                label_in(labels, iri, language),
                [
                    label_in(labels, term.value, language)
                    if isinstance(term, NamedNode)
                    else str(getattr(term, "value", ""))
                    for term in terms
                ],
                iri == term_iri("projectCost"),
            )
            for iri, terms in facts
        ],
    )
    page.headers["Content-Security-Policy"] = FRAMED
    return page


async def _names(site: Site, iris: Iterable[str]) -> Labels:
    """Return the labels of terms and things; those of reused terms are in a list of ours."""
    wanted = sorted(set(iris))
    index = await site.index()
    labels: dict[str, Mapping[str, str]] = {
        iri: index.entries[iri].labels for iri in wanted if iri in index.entries
    }
    missing = [iri for iri in wanted if iri not in labels]
    labels |= await labels_of(site.ask, missing)
    for iri in missing:
        reused = site.terms.get(vocab.shorten(iri))
        if iri not in labels and reused:
            labels[iri] = reused
    return labels


def _classes(matcher: Matcher, entries: Iterable[Entry]) -> list[str]:
    kinds = {kind for entry in entries for kind in matcher.types_of(entry.iri)}
    places = {each for entry in entries for each in entry.facets.get("prefecture", ())}
    return sorted(kinds | places)


def _description(entry: Entry, matcher: Matcher, labels: Labels, language: str) -> str:
    """Return what tells namesakes apart: class, code or prefecture, and body."""
    kinds = matcher.types_of(entry.iri)[:1]
    parts = [label_in(labels, each, language) for each in kinds]
    places = [each for each in entry.facets.get("prefecture", ()) if each != entry.iri]
    parts += [label_in(labels, each, language) for each in places[:2]]
    parts += [matcher.entries[each].label(language) for each in entry.bodies[:2]]
    return " · ".join(dict.fromkeys(parts))


async def describe_entry(site: Site, entry: Entry, language: str) -> str:
    """Return what tells a thing from its namesakes."""
    matcher = await matcher_of(site)
    labels = await _names(site, _classes(matcher, [entry]))
    return _description(entry, matcher, labels, language)


def _suggestion(entry: Entry, matcher: Matcher, labels: Labels, language: str) -> dict[str, Any]:
    return {
        "id": identifier(entry.iri),
        "name": entry.label(language),
        "description": _description(entry, matcher, labels, language),
        "notable": [_term(each, labels, language) for each in matcher.types_of(entry.iri)],
    }


def _term(iri: str, labels: Labels, language: str) -> dict[str, str]:
    return {"id": identifier(iri), "name": label_in(labels, iri, language)}


def _json(result: list[dict[str, Any]]) -> Response:
    return JSONResponse({"result": result})
