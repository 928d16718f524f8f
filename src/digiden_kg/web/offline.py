"""What works in the reader's browser alone: SPARQL over the dump, search over an index in parts.

A server offers SPARQL in the browser too, for queries that it would stop; a site of files has
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from digiden_kg import vocab
from digiden_kg.dumps import dumps_folder
from digiden_kg.normalize import fold_rules
from digiden_kg.questions import Text
from digiden_kg.release import DATASET
from digiden_kg.search import QUESTION, Entry, Index, grams
from digiden_kg.web import problems
from digiden_kg.web.maps import names_of_prefectures, prefecture_map
from digiden_kg.web.search import facet_words
from digiden_kg.web.site import LANGUAGES, Site, language_of, page_route
from digiden_kg.web.start import TAGS, by_tag

PACKED = f"{DATASET}.gz"
"""The dump that a site of files gives to browsers."""
_BLOCK = 200
"""Things of one file of the index."""
_SHARDS = 64
"""Files of grams."""


def add_offline(app: FastAPI, site: Site) -> None:
    """Add the pages that compute in the browser."""

    @page_route(app, "/browser-sparql", site)
    async def browser_sparql(request: Request) -> Response:
        dump = site.release.dataset
        if site.is_static:
            dump = dumps_folder(site.release) / PACKED
        return site.page(
            request,
            "browser_sparql.html",
            query=site.example,
            dump=f"/files/{dump.name}",
            size=dump.stat().st_size,
            base=vocab.BASE,
            prefixes=dict(site.prefixes),
            examples=by_tag(site.questions.values()),
            tags=TAGS,
        )

    if not site.is_static:
        return

    @page_route(app, "/search", site)
    async def search(request: Request) -> Response:
        language = language_of(request)
        iris = {code: iri for code, (iri, _) in (await names_of_prefectures(site)).items()}

        def link(code: str) -> str:
            return "/search?" + urlencode({"prefecture": iris[code], "lang": language})

        drawn = await prefecture_map(site, language, {}, words=str, link=link) if iris else None
        return site.page(request, "offline_search.html", map=drawn)

    @page_route(app, "/404", site)
    async def missing(request: Request) -> Response:
        return site.page(request, "offline_missing.html")

    @page_route(app, "/search-index/{name}.json", site)
    async def part(name: str) -> Response:
        parts = await index_parts(site)
        if name not in parts:
            raise problems.ProblemError(404, "http", f"no part {name} / {name} はありません。")
        return JSONResponse(parts[name])


async def index_parts(site: Site) -> Mapping[str, Any]:
    """Return the full-text index in parts: how to fold, where what is, things and their grams."""
    index = await site.index()
    if index not in _made:
        _made.clear()
        _made[index] = _parts(index.ordered, await facet_words(site))
    return _made[index]


_made: dict[Index, Mapping[str, Any]] = {}


def _parts(
    entries: Sequence[Entry], words: Mapping[str, tuple[Text, Mapping[str, Text]]]
) -> Mapping[str, Any]:
    places = {name: list(values) for name, (_, values) in words.items()}
    numbers = {name: {value: at for at, value in enumerate(each)} for name, each in places.items()}
    shards: list[dict[str, list[int]]] = [{} for _ in range(_SHARDS)]
    for number, entry in enumerate(entries):
        for gram in sorted(grams("\n".join((entry.text, *entry.also)))):
            shards[shard_of(gram)].setdefault(gram, []).append(number)
    known = {entry.iri: entry for entry in entries}
    blocks = [
        [_record(entry, known, numbers) for entry in entries[at : at + _BLOCK]]
        for at in range(0, len(entries), _BLOCK)
    ]
    return {
        "meta": {
            "rules": fold_rules(),
            "block": _BLOCK,
            "total": len(entries),
            "facets": [
                {
                    "name": name,
                    "title": title,
                    "values": [{"value": value, **values[value]} for value in places[name]],
                }
                for name, (title, values) in words.items()
            ],
            "blocks": [f"/search-index/block-{at}.json" for at in range(len(blocks))],
            "grams": [f"/search-index/grams-{at}.json" for at in range(_SHARDS)],
        },
        **{f"block-{at}": block for at, block in enumerate(blocks)},
        **{f"grams-{at}": shard for at, shard in enumerate(shards)},
    }


def shard_of(gram: str) -> int:
    """Return the file of a gram."""
    return (31 * ord(gram[0]) + ord(gram[-1])) % _SHARDS


def _record(
    entry: Entry, known: Mapping[str, Entry], numbers: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    facets = {"kind": [entry.kind], **entry.facets}
    found: dict[str, Any] = {
        "at": _path(entry.iri),
        "names": {name: entry.labels[name] for name in LANGUAGES if name in entry.labels},
        "text": entry.text,
        "facets": {
            name: [numbers[name][value] for value in values if value in numbers[name]]
            for name, values in facets.items()
            if name in numbers
        },
    }
    if entry.also:
        found["beside"] = entry.beside
    if entry.bodies:
        found["bodies"] = [
            {"at": _path(iri), "names": dict(known[iri].labels)}
            for iri in entry.bodies
            if iri in known
        ]
    return found


def _path(iri: str) -> str:
    """Return the path of the page of a thing, without its language and end."""
    path = iri.removeprefix(vocab.BASE)
    if path.startswith(QUESTION):
        return f"questions/{path.removeprefix(QUESTION)}"
    return f"doc/{path.removeprefix('id/')}" if path.startswith("id/") else path
