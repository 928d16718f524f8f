"""Search: a page with facets and views, and the same as JSON and CSV; the address is the state."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from digiden_kg import vocab
from digiden_kg.describe import Labels, label_in
from digiden_kg.normalize import fold
from digiden_kg.questions import Text
from digiden_kg.search import FACETS, QUESTION, Entry, Found, spans
from digiden_kg.web import wording
from digiden_kg.web.maps import (
    PrefectureMap,
    code_of,
    names_of_prefectures,
    prefecture_map,
)
from digiden_kg.web.site import LANGUAGES, Site, address_of_thing, language_of, page_route

_SHOWN = 50
"""Results of one page."""
_GROUP = 5
"""Results of each kind where kinds stand beside each other."""
_CHOICES = 12
"""Values of a facet that are shown; chosen ones always are."""
_VIEWS = ("list", "table", "map")
_TITLES: Mapping[str, Text] = {
    "kind": {"ja": "種類", "en": "Kind"},
    "prefecture": {"ja": "都道府県", "en": "Prefecture"},
    "type": {"ja": "交付金のタイプ", "en": "Grant type"},
    "field": {"ja": "分野", "en": "Field"},
    "service": {"ja": "サービスの型", "en": "Service type"},
    "scene": {"ja": "カードの利用シーン", "en": "Scene of the My Number Card"},
    "amount": {"ja": "事業費", "en": "Project cost"},
    "year": {"ja": "KPIの年度", "en": "Fiscal year of KPIs"},
}
_CSV = (
    *("iri", "kind", "label_ja", "label_en", "bodies_ja", "bodies_en"),
    *("prefectures_ja", "prefectures_en"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    text: str
    chosen: Mapping[str, list[str]]
    view: str
    start: int
    language: str
    words: list[str]
    """The folded words of the text."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of an address that asks for the same."""
        pairs = [("q", self.text)] if self.text else []
        pairs += [(name, value) for name, values in self.chosen.items() for value in values]
        return pairs + ([("view", self.view)] if self.view != _VIEWS[0] else [])

    def address(self, pairs: Sequence[tuple[str, str]], **more: object) -> str:
        """Return the address of a search in the language of this one."""
        return "/search?" + urlencode([*pairs, ("lang", self.language), *more.items()])

    def toggled(self, name: str, value: str) -> str:
        """Return the address of the search with a value of a facet added or taken away."""
        pair = (name, value)
        pairs = self.pairs
        pairs = [each for each in pairs if each != pair] if pair in pairs else [*pairs, pair]
        return self.address(pairs)


def add_search(app: FastAPI, site: Site) -> None:
    """Add the page of search and its interface for programs."""

    @page_route(app, "/search", site)
    async def search(request: Request) -> Response:
        asked = _asked(request)
        found = await _find(site, asked)
        if request.query_params.get("format") == "csv":
            return await _csv(site, found)
        kinds = list(dict.fromkeys(entry.kind for entry in found.entries))
        grouped = asked.view == "list" and len(kinds) > 1 and not asked.start
        shown = found.entries[asked.start : asked.start + _SHOWN]
        groups = [("", shown)]
        if grouped:
            by_kind: dict[str, list[Entry]] = {kind: [] for kind in kinds}
            for entry in found.entries:
                by_kind[entry.kind].append(entry)
            # Kinds with a thing that is called so come before those that only belong to one.
            called = {entry.kind for entry in found.entries[: found.named]}
            order = sorted(kinds, key=lambda kind: (kind not in called, by_kind[kind][0].rank))
            groups = [(kind, tuple(by_kind[kind][:_GROUP])) for kind in order]
        listed = tuple(entry for _, entries in groups for entry in entries)
        labels = await _labels(site, found, listed, asked)
        more = None
        if not grouped and asked.start + _SHOWN < len(found.entries):
            more = asked.address(asked.pairs, start=asked.start + _SHOWN)
        return site.page(
            request,
            "search.html",
            text=asked.text,
            total=len(found.entries),
            first=asked.start + 1,
            view=asked.view,
            views=[
                (view, asked.address([p for p in asked.pairs if p[0] != "view"], view=view))
                for view in _VIEWS
            ],
            groups=[
                {
                    "kind": label_in(labels, kind, asked.language) if kind else None,
                    "total": found.facets["kind"].get(kind, 0),
                    "all": asked.toggled("kind", kind),
                    "results": [_shown(entry, labels, asked) for entry in entries],
                }
                for kind, entries in groups
            ],
            near=[_shown(entry, labels, asked) for entry in found.near],
            chips=[
                (
                    _TITLES[name][asked.language],
                    _value_label(name, value, labels, asked.language),
                    asked.toggled(name, value),
                )
                for name, values in asked.chosen.items()
                for value in values
            ],
            clear=asked.address([pair for pair in asked.pairs if pair[0] in ("q", "view")]),
            kept=[pair for pair in asked.pairs if pair[0] != "q"],
            facets=_facets(found, asked, labels),
            places=_places(found, asked, labels),
            map=await _map(site, found, asked) if asked.view == "map" else None,
            more=more,
            formats={
                "CSV": asked.address(asked.pairs, format="csv"),
                "JSON": "/api" + asked.address(asked.pairs),
            },
        )

    @page_route(app, "/api/search", site)
    async def search_api(request: Request) -> Response:
        asked, limit = _asked(request), _number(request, "limit", 20, 200)
        if request.query_params.get("facets") == "0" and not asked.chosen.keys() - {"kind"}:
            index = await site.index()
            entries = tuple(index.suggest(asked.text, asked.chosen.get("kind", ()), limit))
            labels = await _labels(site, Found(entries, {}, (), len(entries)), entries, asked)
            records = [_record(entry, labels, asked) for entry in entries]
            return JSONResponse({"query": asked.text, "results": records})
        found = await _find(site, asked)
        shown = found.entries[asked.start : asked.start + limit]
        labels = await _labels(site, found, shown, asked)
        return JSONResponse(
            {
                "query": asked.text,
                "total": len(found.entries),
                "results": [_record(entry, labels, asked) for entry in shown],
                "facets": _counted(found, labels, asked.language),
                "near": [_record(entry, labels, asked) for entry in found.near],
            }
        )

    @page_route(app, "/api/facets", site)
    async def facets_api(request: Request) -> Response:
        asked = _asked(request)
        found = await _find(site, asked)
        labels = await _labels(site, found, (), asked)
        counted = _counted(found, labels, asked.language)
        return JSONResponse({"query": asked.text, "total": len(found.entries), "facets": counted})


def _counted(found: Found, labels: Labels, language: str) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            {
                "value": value,
                "label": _value_label(name, value, labels, language),
                "count": count,
            }
            for value, count in _ordered(counts)
        ]
        for name, counts in found.facets.items()
    }


def _asked(request: Request) -> Asked:
    query = request.query_params
    chosen = {name: [v for v in query.getlist(name) if v] for name in _TITLES}
    view, text = query.get("view", ""), query.get("q", "")
    return Asked(
        text,
        {name: list(dict.fromkeys(values)) for name, values in chosen.items() if values},
        view if view in _VIEWS else _VIEWS[0],
        _number(request, "start", 0, 10**6),
        language_of(request),
        fold(text).split(),
    )


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    return min(most, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else default


async def _find(site: Site, asked: Asked) -> Found:
    index = await site.index()
    return await asyncio.to_thread(index.search, asked.text, asked.chosen)


_NO_IRIS = ("kind", "amount", "year")
"""Facets whose values are no IRIs."""


async def _labels(site: Site, found: Found, shown: Sequence[Entry], asked: Asked) -> Labels:
    """Return the names of every facet's values and of the bodies that are shown."""
    index = await site.index()
    named = [name for name in FACETS if name not in _NO_IRIS]
    wanted = {value for name in named for value in found.facets.get(name, ())}
    wanted |= {iri for entry in (*shown, *found.near) for iri in entry.bodies}
    wanted |= {iri for entry in shown for iri in entry.facets.get("prefecture", ())}
    labels = {iri: index.entries[iri].labels for iri in wanted if iri in index.entries}
    kinds = {*found.facets.get("kind", ()), *(entry.kind for entry in (*shown, *found.near))}
    classes = {_class_of(kind): kind for kind in kinds if kind not in _KINDS}
    other = await site.labels({*wanted, *classes} - labels.keys())
    return {
        **labels,
        **other,
        **{kind: other[iri] for iri, kind in classes.items() if iri in other},
        **_KINDS,
    }


_KINDS: Mapping[str, Text] = {
    "Concept": {"ja": "概念", "en": "Concept"},
    "Observation": {"ja": "公表された統計値", "en": "Published figure"},
    "Question": {"ja": "質問", "en": "Question"},
}
"""Names of classes that are not ours."""


def _class_of(kind: str) -> str:
    return vocab.expand(f"dg:{kind}")


def _value_label(facet: str, value: str, labels: Labels, language: str) -> str:
    if facet == "amount":
        low, _, high = value.partition("-")
        if not (low.isdigit() and (high.isdigit() or not high)):
            return value
        if not high:
            least = wording.yen(low, language)
            return f"{least}以上" if language == "ja" else f"{least} or more"
        if low == "0":
            under = wording.yen(high, language)
            return f"{under}未満" if language == "ja" else f"under {under}"
        between = "{}～{}" if language == "ja" else "{} to {}"
        return between.format(wording.yen(low, language), wording.yen(high, language))
    if facet == "year":
        return f"{value}年度" if language == "ja" else f"FY {value}"
    return label_in(labels, value, language)


def _marked(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """Return a text in pieces, each with whether it is what was looked for."""
    pieces, done = [], 0
    for start, end in spans(text, words):
        pieces += [(text[done:start], False), (text[start:end], True)]
        done = end
    return [piece for piece in (*pieces, (text[done:], False)) if piece[0]]


def _other_name(entry: Entry, shown: Sequence[str], words: Sequence[str]) -> str | None:
    """Return the name that was found, where the names that are shown do not say why."""
    if entry.kind == "Question" or not words:
        return None
    if any(word in fold(text) for text in shown for word in words):
        return None
    names = entry.text.split("\n")
    return next((name for name in names if all(word in name for word in words)), None)


def _address_of(entry: Entry, language: str) -> str | None:
    if entry.kind == "Question":
        slug = entry.iri.removeprefix(vocab.BASE + QUESTION)
        return f"/questions/{slug}?" + urlencode({"lang": language})
    return address_of_thing(entry.iri, language)


def _shown(entry: Entry, labels: Labels, asked: Asked) -> dict[str, Any]:
    language, words = asked.language, asked.words
    label = entry.label(language)
    other = entry.labels.get(LANGUAGES[1 - LANGUAGES.index(language)])
    name = _other_name(entry, [text for text in (label, other) if text], words)
    bodies = [(label_in(labels, iri, language), iri) for iri in entry.bodies]
    return {
        "label": label,
        "marked": _marked(label, words),
        "other": other,
        "other_marked": _marked(other, words) if other and spans(other, words) else None,
        "name": _marked(name, words) if name else None,
        "kind": label_in(labels, entry.kind, language),
        "address": _address_of(entry, language),
        "bodies": [
            (text, address_of_thing(iri, language), _marked(text, words)) for text, iri in bodies
        ],
        "prefectures": [
            label_in(labels, iri, language)
            for iri in entry.facets.get("prefecture", ())
            if iri != entry.iri
        ],
        "compare": "/compare?" + urlencode({"body": entry.iri.rpartition("/")[2], "lang": language})
        if entry.kind == "LocalGovernment"
        else None,
    }


def _record(entry: Entry, labels: Labels, asked: Asked) -> dict[str, Any]:
    language = asked.language
    label = entry.label(language)
    inside = [iri for iri in entry.facets.get("prefecture", ()) if iri != entry.iri]
    return {
        "iri": entry.iri,
        "address": _address_of(entry, language),
        "kind": entry.kind,
        "kindLabel": label_in(labels, entry.kind, language),
        "label": label,
        "labelOther": entry.labels.get(LANGUAGES[1 - LANGUAGES.index(language)]),
        "matches": spans(label, asked.words),
        "prefecture": ", ".join(label_in(labels, iri, language) for iri in inside) or None,
        "bodies": [label_in(labels, iri, language) for iri in entry.bodies],
    }


def _facets(found: Found, asked: Asked, labels: Labels) -> list[dict[str, Any]]:
    facets = []
    for name, counts in found.facets.items():
        picked = asked.chosen.get(name, [])
        values = sorted(counts.items()) if name in ("amount", "year") else _ordered(counts)
        if name == "amount":
            values.sort(key=lambda each: int(each[0].partition("-")[0] or 0))
        shown = [each for each in values if each[0] in picked]
        shown += [each for each in values if each[0] not in picked][:_CHOICES]
        shown += [(each, 0) for each in picked if each not in counts]
        if shown:
            facets.append(
                {
                    "title": _TITLES[name][asked.language],
                    "chosen": bool(picked),
                    "values": [
                        {
                            "label": _value_label(name, value, labels, asked.language),
                            "count": count,
                            "chosen": value in picked,
                            "address": asked.toggled(name, value),
                        }
                        for value, count in shown
                    ],
                }
            )
    return facets


def _places(found: Found, asked: Asked, labels: Labels) -> list[dict[str, Any]]:
    """Return the prefectures of the results, each with how many lie in it."""
    picked = asked.chosen.get("prefecture", [])
    return [
        {
            "label": label_in(labels, iri, asked.language),
            "iri": iri,
            "count": count,
            "chosen": iri in picked,
            "address": asked.toggled("prefecture", iri),
        }
        for iri, count in sorted(found.facets["prefecture"].items())
    ]


async def _map(site: Site, found: Found, asked: Asked) -> PrefectureMap:
    """Return the same as a map; each prefecture leads to the search narrowed down to it."""
    language, picked = asked.language, asked.chosen.get("prefecture", [])
    iris = {code: iri for code, (iri, _) in (await names_of_prefectures(site)).items()}
    return await prefecture_map(
        site,
        language,
        {code_of(iri): Decimal(count) for iri, count in found.facets["prefecture"].items()},
        words=lambda value: (
            f"{value:,}件" if language == "ja" else f"{value:,} result{'' if value == 1 else 's'}"
        ),
        link=lambda code: asked.toggled("prefecture", iris[code]),
        chosen=code_of(picked[0]) if len(picked) == 1 else None,
        silent="0件" if language == "ja" else "none",
    )


def _ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


async def _csv(site: Site, found: Found) -> Response:
    index = await site.index()
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(_CSV)

    def names(iris: Sequence[str]) -> list[str]:
        listed = [index.entries[iri] for iri in iris if iri in index.entries]
        return ["; ".join(each.label(language) for each in listed) for language in LANGUAGES]

    for entry in found.entries:
        writer.writerow(
            [
                entry.iri,
                entry.kind,
                *(entry.labels.get(language, "") for language in LANGUAGES),
                *names(entry.bodies),
                *names(entry.facets.get("prefecture", ())),
            ]
        )
    headers = {"Content-Disposition": 'attachment; filename="search.csv"'}
    return Response(output.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


async def facet_words(site: Site) -> dict[str, tuple[Text, dict[str, Text]]]:
    """Return the titles of all facets, and what their values are called, for an index of files."""
    request = Asked("", {}, _VIEWS[0], 0, LANGUAGES[0], [])
    found = await _find(site, request)
    labels = await _labels(site, found, (), request)
    return {
        name: (
            title,
            {
                value: {each: _value_label(name, value, labels, each) for each in LANGUAGES}
                for value, _ in _ordered(found.facets.get(name, {}))
            },
        )
        for name, title in _TITLES.items()
    }
