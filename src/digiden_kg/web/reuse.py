"""The reuse lens: types of service by prefecture, what two prefectures have in common, and the
network of bodies through services, platforms and partners.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from digiden_kg.describe import Labels, label_in
from digiden_kg.export import Edge, Node, write_gexf, write_graphml
from digiden_kg.profiles import Profiles, Use
from digiden_kg.questions import Text
from digiden_kg.results import Format, find_format
from digiden_kg.web.site import Site, address_of_thing, language_of, page_route

_FORMATS = (
    Format(("html",), ("text/html",)),
    Format(("csv",), ("text/csv",)),
    Format(("graphml",), ("application/graphml+xml",)),
    Format(("gexf",), ("application/gexf+xml",)),
)
_COLUMNS = ("service", "prefecture", "body", "project", "type", "round")
_FILTERS: Mapping[str, Text] = {
    "type": {"ja": "交付金のタイプ", "en": "Grant type"},
    "field": {"ja": "分野", "en": "Field"},
    "round": {"ja": "交付の回", "en": "Round"},
    "service": {"ja": "サービスの型", "en": "Service type"},
    "prefecture": {"ja": "都道府県", "en": "Prefecture"},
}
_THROUGH: Mapping[str, Text] = {
    "service": {"ja": "サービスの型", "en": "Service type"},
    "platform": {"ja": "データ連携基盤", "en": "Data-integration platform"},
    "partner": {"ja": "相手（構成員）", "en": "Partner (consortium member)"},
}
_EDGES = {"service": "runs", "platform": "uses", "partner": "works with"}
_KINDS = {"service": "service type", "platform": "platform", "partner": "partner"}
_VIEWS = ("table", "network")
_NAMED = 8
"""Prefectures up to which the cells of the table have room for names."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    filters: Mapping[str, str]
    certainty: str
    through: tuple[str, ...]
    pair: tuple[str, str]
    view: str
    language: str

    def address(self, without: Iterable[str] = (), **changes: str) -> str:
        """Return the address of the same with something changed."""
        pairs = [*self.filters.items(), ("certainty", self.certainty)]
        pairs += [("a", self.pair[0]), ("b", self.pair[1])]
        pairs += [("view", self.view)] if self.view != _VIEWS[0] else []
        if self.through != tuple(_THROUGH):
            pairs += [("through", each) for each in self.through]
        skipped = {*without, *changes}
        kept = [(name, value) for name, value in pairs if value and name not in skipped]
        return "/reuse?" + urlencode([*kept, *changes.items(), ("lang", self.language)])

    def takes(self, use: Use) -> bool:
        """Say whether a use passes the filters."""
        values = {
            "type": (use.type,),
            "field": use.fields,
            "round": (use.round,),
            "service": (use.thing,) if use.row == "service" else (),
            "prefecture": (use.prefecture,),
        }
        return self.certainty in ("", use.certainty) and all(
            wanted in values[name] for name, wanted in self.filters.items()
        )


def add_reuse(app: FastAPI, site: Site) -> None:
    """Add the reuse lens."""

    @page_route(app, "/reuse", site)
    async def reuse(request: Request) -> Response:
        chosen = find_format(_FORMATS, request.query_params.get("format") or "html")
        asked, profiles = _asked(request), await site.profiles()
        names, language = await _names(site, profiles), asked.language
        every = profiles.uses()
        uses = [use for use in every if asked.takes(use)]
        if chosen.format.name == "csv":
            return _table(uses, names, language)
        hubs = [use for use in profiles.uses(*asked.through) if asked.takes(use)]
        if chosen.format.name != "html":
            return _network(hubs, names, language, chosen.format.name)
        named = _prefectures(uses)
        return site.page(
            request,
            "reuse.html",
            behind="profiles",
            selects=_selects(every, asked, names),
            prefectures=[(iri, label_in(names, iri, language)) for iri in _prefectures(every)],
            asked=asked,
            through=[
                (name, title[language], name in asked.through) for name, title in _THROUGH.items()
            ],
            views=[(view, asked.address(view=view)) for view in _VIEWS],
            matrix=_matrix(uses, named, asked, names),
            columns=[
                (
                    label_in(names, iri, language),
                    address_of_thing(iri, language),
                    asked.address(prefecture=iri) + "#list",
                )
                for iri in named
            ],
            compact=len(named) > _NAMED,
            listed=_listed(uses, names, language)
            if asked.filters.keys() & {"service", "prefecture"}
            else None,
            heading="・".join(
                label_in(names, asked.filters[name], language)
                for name in ("service", "prefecture")
                if name in asked.filters
            ),
            without=asked.address(without=("service", "prefecture")),
            shared=_shared(uses, asked, names) if all(asked.pair) else None,
            pair=[label_in(names, iri, language) if iri else "" for iri in asked.pair],
            compare="/compare?"
            + urlencode(
                [
                    *(("body", profiles.bodies[iri].code) for iri in asked.pair),
                    ("lang", language),
                ]
            )
            if all(iri in profiles.bodies for iri in asked.pair)
            else None,
            hubs=_hubs(hubs, names, language) if asked.view == "network" else [],
            drawing=_drawing(hubs, names, language) if asked.view == "network" else None,
            formats={
                **{each.name.upper(): asked.address(format=each.name) for each in _FORMATS[1:]},
                "JSON": "/api" + asked.address(),
            },
        )

    @page_route(app, "/api/reuse", site)
    async def reuse_api(request: Request) -> Response:
        asked, profiles = _asked(request), await site.profiles()
        names, language = await _names(site, profiles), asked.language
        uses = [use for use in profiles.uses() if asked.takes(use)]
        hubs = [use for use in profiles.uses(*asked.through) if asked.takes(use)]

        def named(iri: str) -> dict[str, str]:
            return {"iri": iri, "label": label_in(names, iri, language)}

        cells = _cells(uses)
        data: dict[str, Any] = {
            "uses": [
                {
                    "service": named(use.thing),
                    "prefecture": named(use.prefecture),
                    "body": named(use.body),
                    "project": named(use.project),
                    "type": named(use.type),
                    "round": named(use.round),
                    "fields": [named(iri) for iri in use.fields],
                    "certainty": use.certainty,
                    "passages": list(use.passages),
                }
                for use in uses
            ],
            "network": {
                "nodes": [
                    {"iri": node.key, "label": node.label, **node.values}
                    for node in _nodes(hubs, names, language)
                ],
                "edges": [
                    {
                        "source": edge.source,
                        "target": edge.target,
                        "kind": edge.label,
                        **edge.values,
                    }
                    for edge in _edges(hubs)
                ],
            },
        }
        if all(asked.pair):
            both = [iri for iri in cells if all(side in cells[iri] for side in asked.pair)]
            data["shared"] = [named(iri) for iri in sorted(both)]
        return JSONResponse(data)


def _asked(request: Request) -> Asked:
    query = request.query_params
    certainty = query.get("certainty", "")
    through = tuple(each for each in _THROUGH if each in query.getlist("through"))
    return Asked(
        {name: query[name] for name in _FILTERS if query.get(name)},
        certainty,
        through or tuple(_THROUGH),
        (query.get("a", ""), query.get("b", "")),
        _VIEWS[query.get("view") == _VIEWS[1]],
        language_of(request),
    )


async def _names(site: Site, profiles: Profiles) -> Labels:
    """Return what all the things are called that the lens can speak of."""
    return await site.labels(
        iri
        for use in profiles.uses(*_THROUGH)
        for iri in (
            *(use.thing, use.prefecture, use.body, use.type, use.project, use.round),
            *use.fields,
            *use.passages,
        )
        if iri
    )


def _selects(every: Sequence[Use], asked: Asked, names: Labels) -> list[dict[str, Any]]:
    """Return the fields of the form, each with what can be chosen."""
    values: dict[str, set[str]] = {
        "type": {use.type for use in every},
        "field": {iri for use in every for iri in use.fields},
        "round": {use.round for use in every if use.round},
    }
    return [
        {
            "name": name,
            "title": _FILTERS[name][asked.language],
            "options": sorted((label_in(names, iri, asked.language), iri) for iri in found),
            "chosen": asked.filters.get(name),
        }
        for name, found in values.items()
    ]


def _cells(uses: Sequence[Use]) -> dict[str, dict[str, dict[str, bool]]]:
    """Return by thing and prefecture the bodies, and whether the document states each."""
    cells: dict[str, dict[str, dict[str, bool]]] = {}
    for use in uses:
        bodies = cells.setdefault(use.thing, {}).setdefault(use.prefecture, {})
        bodies[use.body] = bodies.get(use.body, False) or use.certainty == "stated"
    return cells


def _prefectures(uses: Sequence[Use]) -> list[str]:
    return sorted({use.prefecture for use in uses})


def _matrix(
    uses: Sequence[Use], prefectures: Sequence[str], asked: Asked, names: Labels
) -> list[dict[str, Any]]:
    cells, language = _cells(uses), asked.language
    order = sorted(cells, key=lambda iri: (-len(cells[iri]), iri))
    return [
        {
            "label": label_in(names, service, language),
            "address": address_of_thing(service, language),
            "prefectures": len(cells[service]),
            "bodies": len({body for bodies in cells[service].values() for body in bodies}),
            "list": asked.address(service=service) + "#list",
            "cells": [
                (
                    label_in(names, prefecture, language),
                    _bodies(cells[service].get(prefecture, {}), names, language),
                    asked.address(service=service, prefecture=prefecture) + "#list"
                    if prefecture in cells[service]
                    else "",
                )
                for prefecture in prefectures
            ],
        }
        for service in order
    ]


def _bodies(
    bodies: Mapping[str, bool], names: Labels, language: str
) -> list[tuple[str, str | None, bool]]:
    return [
        (label_in(names, body, language), address_of_thing(body, language), stated)
        for body, stated in sorted(bodies.items())
    ]


def _listed(uses: Sequence[Use], names: Labels, language: str) -> list[dict[str, Any]]:
    """Return the uses one by one, each with who says so."""

    def link(iri: str) -> tuple[str, str | None]:
        return label_in(names, iri, language), address_of_thing(iri, language)

    return [
        {
            "service": link(use.thing),
            "prefecture": link(use.prefecture),
            "body": link(use.body),
            "project": link(use.project),
            "type": link(use.type),
            "stated": use.certainty == "stated",
            "sources": [link(iri) for iri in use.passages],
        }
        for use in uses
    ]


def _shared(uses: Sequence[Use], asked: Asked, names: Labels) -> list[dict[str, Any]]:
    cells, language = _cells(uses), asked.language
    return [
        {
            "label": label_in(names, service, language),
            "address": address_of_thing(service, language),
            "sides": [_bodies(cells[service][side], names, language) for side in asked.pair],
        }
        for service in sorted(cells)
        if all(side in cells[service] for side in asked.pair)
    ]


def _hubs(uses: Sequence[Use], names: Labels, language: str) -> list[dict[str, Any]]:
    """Return what bodies are connected through, what connects the most first."""
    rows = {use.thing: use.row for use in uses}
    hubs = [
        {
            "label": label_in(names, thing, language),
            "address": address_of_thing(thing, language),
            "kind": _THROUGH[rows[thing]][language],
            "bodies": _bodies(
                {body: said for bodies in prefectures.values() for body, said in bodies.items()},
                names,
                language,
            ),
        }
        for thing, prefectures in _cells(uses).items()
    ]
    return sorted(hubs, key=lambda hub: (-len(hub["bodies"]), hub["kind"], hub["label"]))


def _drawing(uses: Sequence[Use], names: Labels, language: str) -> str:
    """Return what connects two bodies or more, for the script that draws it."""
    bodies: dict[str, set[str]] = {}
    for use in uses:
        bodies.setdefault(use.thing, set()).add(use.body)
    uses = [use for use in uses if len(bodies[use.thing]) > 1]
    nodes = _nodes(uses, names, language)
    places = {node.key: number for number, node in enumerate(nodes)}
    data = {
        "nodes": [
            [node.label, node.values["kind"], address_of_thing(node.key, language)]
            for node in nodes
        ],
        "edges": [
            [places[edge.source], places[edge.target], edge.values["certainty"] == "inferred"]
            for edge in _edges(uses)
        ],
    }
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")


def _table(uses: Sequence[Use], names: Labels, language: str) -> Response:
    output = io.StringIO()
    writer = csv.writer(output)
    columns = [column for name in _COLUMNS for column in (name, f"{name}Label")]
    writer.writerow([*columns, "fields", "certainty", "passages"])
    for use in uses:
        iris = (use.thing, use.prefecture, use.body, use.project, use.type, use.round)
        row = [
            cell for iri in iris for cell in (iri, label_in(names, iri, language) if iri else "")
        ]
        writer.writerow([*row, " ".join(use.fields), use.certainty, " ".join(use.passages)])
    headers = {"Content-Disposition": 'attachment; filename="reuse.csv"'}
    return Response(output.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _nodes(uses: Sequence[Use], names: Labels, language: str) -> list[Node]:
    """Return the bodies, and what they are connected through."""
    kinds = {use.thing: _KINDS[use.row] for use in uses}
    kinds |= {use.body: "body" for use in uses}  # a body can be the partner of another one
    return [
        Node(iri, label_in(names, iri, language), {"kind": kind})
        for iri, kind in sorted(kinds.items(), key=lambda each: (each[1], each[0]))
    ]


def _edges(uses: Sequence[Use]) -> list[Edge]:
    """Return one edge for each body and what it runs, uses or works with."""
    stated: dict[tuple[str, str, str], bool] = {}
    for use in uses:
        key = (use.body, use.thing, _EDGES[use.row])
        stated[key] = stated.get(key, False) or use.certainty == "stated"
    return [
        Edge(body, thing, label, {"certainty": "stated" if said else "inferred"})
        for (body, thing, label), said in sorted(stated.items())
    ]


def _network(uses: Sequence[Use], names: Labels, language: str, kind: str) -> Response:
    """Return the network as a file: a body runs a type, uses a platform, works with a partner."""
    output = io.BytesIO()
    write = write_graphml if kind == "graphml" else write_gexf
    write(_nodes(uses, names, language), _edges(uses), output)
    chosen = find_format(_FORMATS, kind)
    headers = {
        "Content-Disposition": f'attachment; filename="reuse.{kind}"',
        "Content-Type": chosen.content_type,
    }
    return Response(output.getvalue(), headers=headers)
