"""Search: a page with facets, and the same as JSON and CSV; the address is the state."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from digiden_kg import vocab
from digiden_kg.describe import Labels, label_in, labels_of
from digiden_kg.questions import Text
from digiden_kg.search import FACETS, Entry, Found
from digiden_kg.web.site import LANGUAGES, Site, address_of_thing, language_of, page_route

_SHOWN = 50
"""Results of one page."""
_CHOICES = 12
"""Values of a facet that are shown; chosen ones always are."""
_TITLES: Mapping[str, Text] = {
    "kind": {"ja": "種類", "en": "Kind"},
    "prefecture": {"ja": "都道府県", "en": "Prefecture"},
    "type": {"ja": "交付金のタイプ", "en": "Grant type"},
    "field": {"ja": "分野", "en": "Field"},
    "service": {"ja": "サービスの型", "en": "Service type"},
}
_CSV = ("iri", "kind", "label_ja", "label_en", "bodies_ja", "bodies_en")


def add_search(app: FastAPI, site: Site) -> None:
    """Add the page of search and its interface for programs."""

    @page_route(app, "/search", site)
    async def search(request: Request) -> Response:
        text, chosen = _asked(request)
        found = await _find(site, text, chosen)
        if request.query_params.get("format") == "csv":
            return await _csv(site, found)
        language = language_of(request)
        start = _start(request)
        shown = found.entries[start : start + _SHOWN]
        labels = await _labels(site, found, shown, chosen)
        rest = [("q", text), *((name, v) for name, values in chosen.items() for v in values)]
        return site.page(
            request,
            "search.html",
            text=text,
            total=len(found.entries),
            first=start + 1,
            results=[_shown(entry, labels, language) for entry in shown],
            near=[_shown(entry, labels, language) for entry in found.near],
            facets=_facets(found, chosen, labels, rest, language),
            more=_address(rest, language, start=start + _SHOWN)
            if start + _SHOWN < len(found.entries)
            else None,
            formats={
                "CSV": _address(rest, language, format="csv"),
                "JSON": "/api" + _address(rest, language),
            },
        )

    @page_route(app, "/api/search", site)
    async def search_api(request: Request) -> Response:
        text, chosen = _asked(request)
        found = await _find(site, text, chosen)
        language = language_of(request)
        start = _start(request)
        shown = found.entries[start : start + _limit(request)]
        labels = await _labels(site, found, shown, chosen)
        return JSONResponse(
            {
                "query": text,
                "total": len(found.entries),
                "results": [_record(entry, labels, language) for entry in shown],
                "facets": {
                    name: [
                        {
                            "value": value,
                            "label": label_in(labels, value, language),
                            "count": count,
                        }
                        for value, count in _ordered(counts)
                    ]
                    for name, counts in found.facets.items()
                },
                "near": [_record(entry, labels, language) for entry in found.near],
            }
        )


def _asked(request: Request) -> tuple[str, dict[str, list[str]]]:
    query = request.query_params
    chosen = {name: query.getlist(name) for name in ("kind", *FACETS)}
    return query.get("q", ""), {name: values for name, values in chosen.items() if any(values)}


def _start(request: Request) -> int:
    start = request.query_params.get("start", "0")
    return int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 0


def _limit(request: Request) -> int:
    limit = request.query_params.get("limit", "20")
    return min(200, int(limit)) if limit.isascii() and limit.isdigit() and len(limit) < 7 else 20


async def _find(site: Site, text: str, chosen: Mapping[str, list[str]]) -> Found:
    index = await site.index()
    return await asyncio.to_thread(index.search, text, chosen)


async def _labels(
    site: Site, found: Found, shown: tuple[Entry, ...], chosen: Mapping[str, list[str]]
) -> Labels:
    """Return the names of every facet's values and of the bodies that are shown."""
    index = await site.index()
    wanted = {value for name in FACETS for value in found.facets[name]}
    wanted |= {iri for entry in (*shown, *found.near) for iri in entry.bodies}
    labels = {iri: index.entries[iri].labels for iri in wanted if iri in index.entries}
    missing = sorted(iri for iri in wanted if iri not in labels)
    kinds = {_class_of(kind): kind for kind in (*found.facets["kind"], *chosen.get("kind", ()))}
    kinds |= {_class_of(entry.kind): entry.kind for entry in (*shown, *found.near)}
    named = await labels_of(site.ask, [*missing, *(iri for iri in sorted(kinds) if iri)])
    return {
        **labels,
        **named,
        **{kind: _KINDS.get(kind) or named.get(iri, {}) for iri, kind in kinds.items()},
    }


_KINDS: Mapping[str, Text] = {
    "Concept": {"ja": "概念", "en": "Concept"},
    "Observation": {"ja": "公表された統計値", "en": "Published figure"},
}
"""Names of classes that are not ours."""


def _class_of(kind: str) -> str:
    name = f"dg:{kind}"
    return vocab.expand(name) if kind.isalpha() and kind not in _KINDS else vocab.BASE + "none"


def _shown(entry: Entry, labels: Labels, language: str) -> dict[str, Any]:
    other = LANGUAGES[1 - LANGUAGES.index(language)]
    return {
        "label": entry.label(language),
        "other": entry.labels.get(other),
        "kind": label_in(labels, entry.kind, language),
        "address": address_of_thing(entry.iri, language),
        "bodies": [
            (label_in(labels, iri, language), address_of_thing(iri, language))
            for iri in entry.bodies
        ],
        "prefectures": [
            label_in(labels, iri, language)
            for iri in entry.facets.get("prefecture", ())
            if iri != entry.iri
        ],
    }


def _record(entry: Entry, labels: Labels, language: str) -> dict[str, Any]:
    shown = _shown(entry, labels, language)
    return {
        "iri": entry.iri,
        "address": shown["address"],
        "kind": entry.kind,
        "kindLabel": shown["kind"],
        "label": shown["label"],
        "labelOther": shown["other"],
        "prefecture": ", ".join(shown["prefectures"]) or None,
        "bodies": [name for name, _ in shown["bodies"]],
    }


def _facets(
    found: Found,
    chosen: Mapping[str, list[str]],
    labels: Labels,
    rest: list[tuple[str, str]],
    language: str,
) -> list[dict[str, Any]]:
    facets = []
    for name, counts in found.facets.items():
        picked = chosen.get(name, [])
        values = _ordered(counts)
        shown = [each for each in values if each[0] in picked]
        shown += [each for each in values if each[0] not in picked][:_CHOICES]
        shown += [(each, 0) for each in picked if each not in counts]
        if shown:
            facets.append(
                {
                    "title": _TITLES[name][language],
                    "values": [
                        {
                            "label": label_in(labels, value, language),
                            "count": count,
                            "chosen": value in picked,
                            "address": _address(_toggled(rest, (name, value)), language),
                        }
                        for value, count in shown
                    ],
                }
            )
    return facets


def _ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _toggled(pairs: list[tuple[str, str]], pair: tuple[str, str]) -> list[tuple[str, str]]:
    return [each for each in pairs if each != pair] if pair in pairs else [*pairs, pair]


def _address(pairs: list[tuple[str, str]], language: str, **more: object) -> str:
    return "/search?" + urlencode([*pairs, ("lang", language), *more.items()])


async def _csv(site: Site, found: Found) -> Response:
    index = await site.index()
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(_CSV)
    for entry in found.entries:
        bodies = [index.entries[iri] for iri in entry.bodies if iri in index.entries]
        writer.writerow(
            [
                entry.iri,
                entry.kind,
                *(entry.labels.get(language, "") for language in LANGUAGES),
                *("; ".join(body.label(language) for body in bodies) for language in LANGUAGES),
            ]
        )
    headers = {"Content-Disposition": 'attachment; filename="search.csv"'}
    return Response(output.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
