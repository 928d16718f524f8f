"""The reuse lens: types of service by prefecture, and what two prefectures have in common."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response

from digiden_kg import vocab
from digiden_kg.describe import Labels, labels_of
from digiden_kg.export import Edge, Node, write_gexf, write_graphml
from digiden_kg.results import Format, find_format
from digiden_kg.web.site import Site, address_of_thing, language_of, page_route

_FORMATS = (
    Format(("html",), ("text/html",)),
    Format(("csv",), ("text/csv",)),
    Format(("graphml",), ("application/graphml+xml",)),
    Format(("gexf",), ("application/gexf+xml",)),
)
_COLUMNS = ("service", "prefecture", "body", "project", "type")


@dataclass(frozen=True, slots=True)
class Use:
    """One body that runs a type of service; each field but the last is an IRI."""

    service: str
    prefecture: str
    body: str
    project: str
    type: str
    certainty: str
    """``stated`` or ``inferred``."""


def add_reuse(app: FastAPI, site: Site) -> None:
    """Add the reuse lens."""

    @page_route(app, "/reuse", site)
    async def reuse(request: Request) -> Response:
        query = request.query_params
        chosen = find_format(_FORMATS, query.get("format") or "html")
        every = await _uses(site)
        kind, certainty = query.get("type") or None, query.get("certainty") or None
        uses = [
            use for use in every if kind in (None, use.type) and certainty in (None, use.certainty)
        ]
        names = await labels_of(
            site.ask,
            sorted({iri for use in every for iri in (use.service, use.prefecture, use.body)})
            + sorted({use.type for use in every} | {use.project for use in every}),
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
            prefectures=[(iri, _name(names, iri, language)) for iri in _prefectures(every)],
            types=sorted((_name(names, t, language), t) for t in {use.type for use in every}),
            chosen={"type": kind, "certainty": certainty, "a": pair[0], "b": pair[1]},
            matrix=_matrix(uses, names, language),
            columns=[
                (_name(names, iri, language), address_of_thing(iri, language))
                for iri in _prefectures(uses)
            ],
            shared=_shared(uses, pair, names, language) if all(pair) else None,
            pair=[_name(names, iri, language) for iri in pair],
            formats={
                each.name.upper(): "/reuse?" + urlencode({**rest, "format": each.name})
                for each in _FORMATS[1:]
            },
        )


async def _uses(site: Site) -> list[Use]:
    path = site.settings.queries_dir / "pages" / "reuse.rq"
    if not path.is_file() or site.release.is_draft:
        return []  # data of somebody else has no types of service
    answer = await site.ask(vocab.rebase(path.read_text(encoding="utf-8")))
    rows = {tuple(getattr(term, "value", "") for term in row) for row in answer.rows}
    return [Use(*row) for row in sorted(rows)]


def _name(names: Labels, iri: str, language: str) -> str:
    found = names.get(iri, {})
    return found.get(language) or next(iter(found.values()), vocab.shorten(iri) if iri else "")


def _prefectures(uses: list[Use]) -> list[str]:
    return sorted({use.prefecture for use in uses})


def _matrix(uses: list[Use], names: Labels, language: str) -> list[dict[str, Any]]:
    cells: dict[str, dict[str, dict[str, bool]]] = {}
    for use in uses:
        bodies = cells.setdefault(use.service, {}).setdefault(use.prefecture, {})
        bodies[use.body] = bodies.get(use.body, False) or use.certainty == "stated"
    order = sorted(cells, key=lambda iri: (-len(cells[iri]), iri))
    return [
        {
            "label": _name(names, service, language),
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
        (_name(names, body, language), address_of_thing(body, language), stated)
        for body, stated in sorted(bodies.items())
    ]


def _shared(uses: list[Use], pair: list[str], names: Labels, language: str) -> list[dict[str, Any]]:
    sides: list[dict[str, dict[str, bool]]] = [{}, {}]
    for use in uses:
        for side, prefecture in zip(sides, pair, strict=True):
            if use.prefecture == prefecture:
                bodies = side.setdefault(use.service, {})
                bodies[use.body] = bodies.get(use.body, False) or use.certainty == "stated"
    return [
        {
            "label": _name(names, service, language),
            "address": address_of_thing(service, language),
            "sides": [_bodies(side[service], names, language) for side in sides],
        }
        for service in sorted(set(sides[0]) & set(sides[1]))
    ]


def _table(uses: list[Use], names: Labels, language: str) -> Response:
    output = io.StringIO()
    writer = csv.writer(output)
    columns = [column for name in _COLUMNS for column in (name, f"{name}Label")]
    writer.writerow([*columns, "certainty"])
    for use in uses:
        iris = (use.service, use.prefecture, use.body, use.project, use.type)
        row = [cell for iri in iris for cell in (iri, _name(names, iri, language))]
        writer.writerow([*row, use.certainty])
    headers = {"Content-Disposition": 'attachment; filename="reuse.csv"'}
    return Response(output.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _network(uses: list[Use], names: Labels, language: str, kind: str) -> Response:
    """Return bodies and types of service as a network: a body runs a type, so often."""
    nodes = [
        Node(iri, _name(names, iri, language), {"kind": what})
        for what, iris in (
            ("body", sorted({use.body for use in uses})),
            ("service type", sorted({use.service for use in uses})),
        )
        for iri in iris
    ]
    stated: dict[tuple[str, str], bool] = {}
    for use in uses:
        pair = use.body, use.service
        stated[pair] = stated.get(pair, False) or use.certainty == "stated"
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
