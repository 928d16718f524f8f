"""The reuse lens: types of service by prefecture, and what two prefectures have in common."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response

from digiden_kg.describe import Labels, label_in
from digiden_kg.export import Edge, Node, write_gexf, write_graphml
from digiden_kg.profiles import Use
from digiden_kg.results import Format, find_format
from digiden_kg.web.site import Site, address_of_thing, language_of, page_route

_FORMATS = (
    Format(("html",), ("text/html",)),
    Format(("csv",), ("text/csv",)),
    Format(("graphml",), ("application/graphml+xml",)),
    Format(("gexf",), ("application/gexf+xml",)),
)
_COLUMNS = ("service", "prefecture", "body", "project", "type")


def add_reuse(app: FastAPI, site: Site) -> None:
    """Add the reuse lens."""

    @page_route(app, "/reuse", site)
    async def reuse(request: Request) -> Response:
        query = request.query_params
        chosen = find_format(_FORMATS, query.get("format") or "html")
        every = (await site.profiles()).uses()
        kind, certainty = query.get("type") or None, query.get("certainty") or None
        uses = [
            use for use in every if kind in (None, use.type) and certainty in (None, use.certainty)
        ]
        names = await site.labels(
            iri
            for use in every
            for iri in (use.service, use.prefecture, use.body, use.type, use.project)
        )
        language = language_of(request)
        if chosen.format.name == "csv":
            return _table(uses, names, language)
        if chosen.format.name != "html":
            return _network(uses, names, language, chosen.format.name)
        pair = [query.get("a") or "", query.get("b") or ""]
        rest = {"lang": language, **({"type": kind} if kind else {})}
        rest |= {"certainty": certainty} if certainty else {}
        return site.page(
            request,
            "reuse.html",
            prefectures=[(iri, label_in(names, iri, language)) for iri in _prefectures(every)],
            types=sorted((label_in(names, t, language), t) for t in {use.type for use in every}),
            chosen={"type": kind, "certainty": certainty, "a": pair[0], "b": pair[1]},
            matrix=_matrix(uses, names, language),
            columns=[
                (label_in(names, iri, language), address_of_thing(iri, language))
                for iri in _prefectures(uses)
            ],
            shared=_shared(uses, pair, names, language) if all(pair) else None,
            pair=[label_in(names, iri, language) if iri else "" for iri in pair],
            formats={
                each.name.upper(): "/reuse?" + urlencode({**rest, "format": each.name})
                for each in _FORMATS[1:]
            },
        )


def _cells(uses: list[Use]) -> dict[str, dict[str, dict[str, bool]]]:
    """Return by service and prefecture the bodies, and whether the document states each."""
    cells: dict[str, dict[str, dict[str, bool]]] = {}
    for use in uses:
        bodies = cells.setdefault(use.service, {}).setdefault(use.prefecture, {})
        bodies[use.body] = bodies.get(use.body, False) or use.certainty == "stated"
    return cells


def _prefectures(uses: list[Use]) -> list[str]:
    return sorted({use.prefecture for use in uses})


def _matrix(uses: list[Use], names: Labels, language: str) -> list[dict[str, Any]]:
    cells = _cells(uses)
    order = sorted(cells, key=lambda iri: (-len(cells[iri]), iri))
    return [
        {
            "label": label_in(names, service, language),
            "address": address_of_thing(service, language),
            "prefectures": len(cells[service]),
            "bodies": len({body for bodies in cells[service].values() for body in bodies}),
            "cells": [
                _bodies(cells[service].get(prefecture, {}), names, language)
                for prefecture in _prefectures(uses)
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


def _shared(uses: list[Use], pair: list[str], names: Labels, language: str) -> list[dict[str, Any]]:
    cells = _cells(uses)
    return [
        {
            "label": label_in(names, service, language),
            "address": address_of_thing(service, language),
            "sides": [_bodies(cells[service][side], names, language) for side in pair],
        }
        for service in sorted(cells)
        if all(side in cells[service] for side in pair)
    ]


def _table(uses: list[Use], names: Labels, language: str) -> Response:
    output = io.StringIO()
    writer = csv.writer(output)
    columns = [column for name in _COLUMNS for column in (name, f"{name}Label")]
    writer.writerow([*columns, "certainty"])
    for use in uses:
        iris = (use.service, use.prefecture, use.body, use.project, use.type)
        row = [cell for iri in iris for cell in (iri, label_in(names, iri, language))]
        writer.writerow([*row, use.certainty])
    headers = {"Content-Disposition": 'attachment; filename="reuse.csv"'}
    return Response(output.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _network(uses: list[Use], names: Labels, language: str, kind: str) -> Response:
    """Return bodies and types of service as a network: a body runs a type, so often."""
    nodes = [
        Node(iri, label_in(names, iri, language), {"kind": what})
        for what, iris in (
            ("body", sorted({use.body for use in uses})),
            ("service type", sorted({use.service for use in uses})),
        )
        for iri in iris
    ]
    # A body lies in one prefecture, so nothing is merged here.
    stated = {
        (body, service): said
        for service, prefectures in _cells(uses).items()
        for bodies in prefectures.values()
        for body, said in bodies.items()
    }
    edges = [
        Edge(body, service, "runs", {"certainty": "stated" if said else "inferred"})
        for (body, service), said in sorted(stated.items())
    ]
    output = io.BytesIO()
    (write_graphml if kind == "graphml" else write_gexf)(nodes, edges, output)
    chosen = find_format(_FORMATS, kind)
    headers = {
        "Content-Disposition": f'attachment; filename="reuse.{kind}"',
        "Content-Type": chosen.content_type,
    }
    return Response(output.getvalue(), headers=headers)
