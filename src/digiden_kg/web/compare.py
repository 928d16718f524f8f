"""Two to four local governments side by side, and bodies like them; the address is the state."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from digiden_kg import vocab
from digiden_kg.describe import Labels, label_in
from digiden_kg.normalize import fold
from digiden_kg.profiles import Alike, Body, Fact, Profiles
from digiden_kg.questions import Text
from digiden_kg.search import Entry
from digiden_kg.web import wording
from digiden_kg.web.site import Site, address_of_thing, language_of, page_route

_MOST = 4
"""Bodies that stand side by side."""
_OFFERED = 12
"""Bodies offered where a name means several."""
_ALIKE = 6
_SHOW = ("all", "only", "both")
"""Every row; rows of exactly one body; rows of all bodies."""
_SETS: Mapping[str, Text] = {
    "type": {"ja": "交付金のタイプ", "en": "Grant types"},
    "field": {"ja": "分野", "en": "Fields"},
    "category": {"ja": "カテゴリ", "en": "Categories"},
    "theme": {"ja": "テーマ", "en": "Themes"},
    "service": {"ja": "サービスの型", "en": "Service types"},
    "scene": {"ja": "カードの利用シーン", "en": "Scenes in which the card is used"},
    "platform": {"ja": "データ連携基盤", "en": "Data-integration platforms"},
    "partner": {"ja": "相手（構成員）", "en": "Partners (consortium members)"},
}
"""Rows with a line for each value, which bodies can share."""
_LISTS: Mapping[str, Text] = {
    "delivered": {"ja": "サービスの名前", "en": "Services by name"},
    "indicator": {"ja": "KPI", "en": "KPIs"},
}
"""Rows whose values are each project's own."""
_MONEY: Mapping[str, Text] = {
    "cost": {"ja": "事業費", "en": "Project cost"},
    "share": {"ja": "国費", "en": "National share"},
}
_MEASURES: Mapping[str, Text] = {
    "bodies": {"ja": "団体", "en": "bodies"},
    "projects": {"ja": "件", "en": "projects"},
    "share": {"ja": "国費", "en": "national share"},
}
_ONE = {"bodies": "body", "projects": "project"}
_LIKE: Mapping[str, Text] = {
    "prefecture": {"ja": "同じ都道府県", "en": "same prefecture"},
    "kind": {"ja": "同じ種類", "en": "same kind"},
    "category": {"ja": "同じカテゴリ", "en": "same category"},
    "theme": {"ja": "同じテーマ", "en": "same theme"},
    "service": {"ja": "同じサービスの型", "en": "same service type"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request names: bodies, and texts that mean no body or more than one."""

    bodies: tuple[Body, ...]
    open: tuple[tuple[str, tuple[Entry, ...]], ...]
    """Each such text, and the bodies that it may mean."""
    left_out: bool
    """Whether there were more bodies than can be shown."""
    exact: bool
    """Whether every body was named by its code, once."""


_NOBODY = Asked((), (), False, True)


def add_compare(app: FastAPI, site: Site) -> None:
    """Add the comparison of bodies."""

    if site.is_static:
        _add_offline(app, site)
        return

    @page_route(app, "/compare", site)
    async def compare(request: Request) -> Response:
        profiles, language = await site.profiles(), language_of(request)
        asked, show = await _asked(site, request, profiles), _shown(request)
        if request.query_params.get("format") == "csv":
            return _csv(asked, await _names(site, profiles, asked), profiles, language, show)
        if not asked.exact and not asked.open and not asked.left_out:
            return RedirectResponse(_address(asked.bodies, language, show), 303)
        names = await _names(site, profiles, asked)
        return site.page(
            request,
            "compare.html",
            behind="profiles",
            columns=[
                _column(body, asked, profiles, names, language, show) for body in asked.bodies
            ],
            groups=_groups(asked.bodies, profiles, names, language, show),
            open=[
                (text, [_offer(entry, asked, names, language, show) for entry in entries])
                for text, entries in asked.open
            ],
            left_out=asked.left_out,
            most=_MOST,
            show=show,
            filters=[
                (each, _address(asked.bodies, language, each), each == show) for each in _SHOW
            ],
            alike=[
                (
                    label_in(names, body.iri, language),
                    [
                        _like(each, asked, names, language, show)
                        for each in profiles.alike(body)[:_ALIKE]
                    ],
                )
                for body in asked.bodies
            ],
            formats={
                "CSV": _address(asked.bodies, language, show, format="csv"),
                "JSON": "/api" + _address(asked.bodies, language, show),
            },
        )

    @page_route(app, "/api/compare", site)
    async def compare_api(request: Request) -> Response:
        profiles, language = await site.profiles(), language_of(request)
        asked, show = await _asked(site, request, profiles), _shown(request)
        names = await _names(site, profiles, asked)

        def named(iri: str) -> dict[str, str]:
            return {"iri": iri, "label": label_in(names, iri, language)}

        return JSONResponse(
            {
                "bodies": [
                    {
                        **named(body.iri),
                        "code": body.code,
                        "prefecture": named(body.prefecture),
                        "populations": [
                            {"value": each.value, "period": each.period, "passage": each.passage}
                            for each in profiles.populations.get(body.iri, ())
                        ],
                        "alike": [
                            {
                                **named(each.body.iri),
                                "populations": each.sizes,
                                "shared": each.shared,
                                "services": [named(fact.value) for fact in each.more],
                            }
                            for each in profiles.alike(body)[:_ALIKE]
                        ],
                    }
                    for body in asked.bodies
                ],
                "facts": _records(asked, names, profiles, language, show),
                "notFound": [text for text, entries in asked.open if not entries],
                "ambiguous": {
                    text: [named(entry.iri) for entry in entries]
                    for text, entries in asked.open
                    if entries
                },
            }
        )


def _add_offline(app: FastAPI, site: Site) -> None:
    """Add the page that compares in the browser, and the columns that it puts side by side."""

    @page_route(app, "/compare", site)
    async def compare(request: Request) -> Response:
        language, profiles = language_of(request), await site.profiles()
        prefectures = [body for body in profiles.bodies.values() if body.is_prefecture]
        names = await site.labels(body.iri for body in prefectures)
        links = [
            (body.code, *_link(body.iri, names, language))
            for body in sorted(prefectures, key=lambda each: each.code)
        ]
        return site.page(
            request,
            "offline_compare.html",
            prefectures=links,
            size=len(await _columns_file(site, language)),
        )

    @page_route(app, "/compare/columns.json", site)
    async def columns(request: Request) -> Response:
        content = await _columns_file(site, language_of(request))
        return Response(content, media_type="application/json")


async def _columns_file(site: Site, language: str) -> bytes:
    """Return the columns of all bodies in a language, for browsers that put them side by side."""

    async def make() -> bytes:
        profiles = await site.profiles()
        told = tuple(
            body
            for body in profiles.bodies.values()
            if body.is_prefecture
            or body.iri in profiles.granted
            or profiles.populations.get(body.iri)
        )
        known = frozenset(told)
        # What the others are like follows from where and what they are: one speaks for all.
        others = {
            (body.prefecture, body.kind): body
            for body in profiles.bodies.values()
            if body not in known
        }.values()
        names = {
            **await _names(site, profiles, replace(_NOBODY, bodies=(*told, *others))),
            **await site.labels(
                iri for body in profiles.bodies.values() for iri in (body.iri, body.kind)
            ),
        }
        record = _columns_record(told, others, profiles, names, language)
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()

    return await site.kept(f"columns-{language}", make)


def _columns_record(
    told: Sequence[Body],
    others: Iterable[Body],
    profiles: Profiles,
    names: Labels,
    language: str,
) -> dict[str, Any]:
    """Return all bodies, of those that the document tells more of their columns, and what the
    others, by prefecture and kind, are like.

    Names and addresses stand once in ``links`` and are named by their places elsewhere.
    """
    links: dict[tuple[str, str | None], int] = {}
    item = _items(profiles, names, language)

    def place(link: tuple[str, str | None]) -> int:
        return links.setdefault(link, len(links))

    def record(line: int, each: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "line": line,
            "project": place(each["project"]),
            "sources": [place(source) for source in each["sources"]],
            **{name: place(each[name]) for name in ("body", "thing") if each.get(name)},
        }

    def money(body: Body) -> list[dict[str, Any]]:
        return [
            {
                **record(line, each),
                "amount": each["amount"],
                "words": wording.yen(each["amount"], language),
                "full": wording.full_yen(each["amount"], language),
            }
            for group in _money([body], profiles, names, language)
            for line, said in enumerate(group["lines"])
            for each in said["cells"][0]
        ]

    def facts(body: Body, row: str) -> list[dict[str, Any]]:
        return [
            {
                **record(0 if row in _LISTS else place(_link(fact.value, names, language)), each),
                **(
                    {
                        "targets": [
                            (*shown, target.value, target.unit)
                            for shown, target in zip(
                                each["targets"], profiles.targets[fact.value], strict=True
                            )
                        ]
                    }
                    if each["targets"]
                    else {}
                ),
            }
            for inside, fact in _held(body, profiles, (row,))
            for each in [item(body, (inside, fact))]
        ]

    def column(body: Body) -> dict[str, Any]:
        said = _column(body, _NOBODY, profiles, names, language, _SHOW[0])
        return {
            "projects": said["projects"],
            "area": said["area"],
            "populations": [
                [
                    wording.number(value, language),
                    wording.date(period, language) if period else "",
                    place((heading, where)),
                ]
                for value, period, heading, where in said["populations"]
            ],
            "cells": {
                "money": money(body),
                **{row: facts(body, row) for row in (*_SETS, *_LISTS)},
            },
        }

    def alike(body: Body) -> list[tuple[str, list[int], list[tuple[int, int]]]]:
        return [
            (
                each.body.code,
                [place((reason, None)) for reason in said["reasons"]],
                [(place((label, where)), int(stated)) for label, where, stated in said["services"]],
            )
            for each in profiles.alike(body)[:_ALIKE]
            for said in [_like(each, _NOBODY, names, language, _SHOW[0])]
        ]

    def kind_of(body: Body) -> str:
        return f"{profiles.bodies[body.prefecture].code} {label_in(names, body.kind, language)}"

    return {
        "base": vocab.BASE,
        "most": _MOST,
        "bodies": [
            [
                body.code,
                place(_link(body.iri, names, language)),
                label_in(names, body.kind, language),
                profiles.bodies[body.prefecture].code,
            ]
            for body in profiles.bodies.values()
        ],
        "columns": {body.code: column(body) for body in told},
        "published": {
            body.code: [
                [
                    label_in(names, kind, language),
                    [[words, place((heading, where))] for words, heading, where in figures],
                ]
                for kind, figures in _published(body, profiles, names, language)
            ]
            for body in told
            if body.is_prefecture
        },
        "alike": {
            key: found
            for key, body in (
                *((body.code, body) for body in told),
                *((kind_of(body), body) for body in others),
            )
            if (found := alike(body))
        },
        "groups": [
            {
                "title": group["title"],
                "row": group["row"],
                "own": group["own"],
                "lines": [line["label"] for line in group["lines"]] if group["own"] else [],
            }
            for group in _groups(told[:1], profiles, names, language, _SHOW[0])
        ],
        "money": list(_MONEY),
        "table": _CSV,
        "links": list(links),
    }


async def _asked(site: Site, request: Request, profiles: Profiles) -> Asked:
    index = await site.index()
    bodies: list[Body] = []
    unclear: list[tuple[str, tuple[Entry, ...]]] = []
    given = [text for text in request.query_params.getlist("body") if text.strip()]
    for text in given[: 2 * _MOST]:
        body = profiles.by_code.get(text) or profiles.bodies.get(text)
        if body is None:
            found = index.search(text, {"kind": ["LocalGovernment"]})
            named = [each for each in found.entries if fold(text) in each.text.split("\n")]
            meant = named or list(found.entries)
            if len(meant) != 1:
                near = [each for each in found.near if each.iri in profiles.bodies]
                unclear.append((text, tuple(meant or near)[:_OFFERED]))
                continue
            body = profiles.bodies.get(meant[0].iri)
        if body and body not in bodies:
            bodies.append(body)
    kept = tuple(bodies[:_MOST])
    exact = request.query_params.getlist("body") == [body.code for body in kept]
    return Asked(kept, tuple(unclear), len(bodies) > _MOST, exact)


def _shown(request: Request) -> str:
    show = request.query_params.get("show", "")
    return show if show in _SHOW else _SHOW[0]


def _address(bodies: Iterable[Body], language: str, show: str, **more: str) -> str:
    pairs = [("body", body.code) for body in bodies] + [("lang", language)]
    pairs += [("show", show)] if show != _SHOW[0] else []
    return "/compare?" + urlencode([*pairs, *more.items()])


async def _names(site: Site, profiles: Profiles, asked: Asked) -> Labels:
    """Return what everything is called that the comparison speaks of."""
    iris = {entry.iri for _, entries in asked.open for entry in entries}
    iris |= {profiles.bodies[iri].prefecture for iri in iris if iri in profiles.bodies}
    for body in asked.bodies:
        iris |= {body.iri, body.kind, body.prefecture}
        for inside in profiles.inside(body):
            iris.add(inside.iri)
            for fact in profiles.of(inside.iri):
                iris |= {fact.project, *fact.passages}
                iris |= {fact.value} if fact.row not in _MONEY else set()
        for population in profiles.populations.get(body.iri, ()):
            iris.add(population.passage)
        for figure in profiles.published.get(body.prefecture, ()):
            iris |= {figure.type, figure.passage}
        for each in profiles.alike(body)[:_ALIKE]:
            iris |= {each.body.iri, each.body.prefecture, *(fact.value for fact in each.more)}
            iris |= {value for values in each.shared.values() for value in values}
    return await site.labels(iris)


def _link(iri: str, names: Labels, language: str) -> tuple[str, str | None]:
    return label_in(names, iri, language), address_of_thing(iri, language)


def _of(column: Body, body: Body, names: Labels, language: str) -> tuple[str, str | None] | None:
    """Return whose fact it is, where a column stands for more than one body."""
    return _link(body.iri, names, language) if column.is_prefecture else None


def _links(iris: Iterable[str], names: Labels, language: str) -> list[tuple[str, str | None]]:
    return [_link(iri, names, language) for iri in iris]


def _column(
    body: Body, asked: Asked, profiles: Profiles, names: Labels, language: str, show: str
) -> dict[str, Any]:
    inside = profiles.inside(body)
    projects = {project for each in inside for project in profiles.granted.get(each.iri, ())}
    return {
        "name": label_in(names, body.iri, language),
        "address": address_of_thing(body.iri, language),
        "code": body.code,
        "kind": label_in(names, body.kind, language),
        "prefecture": None if body.is_prefecture else _link(body.prefecture, names, language),
        "projects": len(projects),
        "area": len(inside) if body.is_prefecture else None,
        "populations": [
            (each.value, each.period, *_link(each.passage, names, language))
            for each in profiles.populations.get(body.iri, ())
        ],
        "published": [
            (label_in(names, kind, language), figures)
            for kind, figures in _published(body, profiles, names, language)
        ],
        "without": _address([each for each in asked.bodies if each != body], language, show),
    }


def _published(
    body: Body, profiles: Profiles, names: Labels, language: str
) -> list[tuple[str, list[tuple[str, str, str | None]]]]:
    """Return the figures of a body's prefecture by grant type: what in words, and its passage."""
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for each in profiles.published.get(body.prefecture, ()):
        write = wording.yen if each.measure == "share" else wording.number
        words = write(each.value, language)
        if language == "en":
            unit = _MEASURES[each.measure]["en"]
            words += f" {_ONE.get(unit, unit) if each.value == 1 else unit}"
        elif each.measure != "share":
            words += _MEASURES[each.measure]["ja"]
        found.setdefault(each.type, []).append((words, *_link(each.passage, names, language)))
    return list(found.items())


def _held(body: Body, profiles: Profiles, rows: Iterable[str]) -> list[tuple[Body, Fact]]:
    """Return the facts of the bodies that a column stands for, each with its body."""
    return [
        (inside, fact)
        for inside in profiles.inside(body)
        for fact in profiles.of(inside.iri, *rows)
        # What a joint project costs is the sum of the body to which it was granted.
        if fact.row not in _MONEY or profiles.owner(fact.project) == inside.iri
        if fact.row != "partner" or fact.value != inside.iri
    ]


def _groups(
    bodies: Sequence[Body], profiles: Profiles, names: Labels, language: str, show: str
) -> list[dict[str, Any]]:
    """Return the rows of the table in groups; each row has a cell for each body."""
    if not bodies:
        return []
    item = _items(profiles, names, language)
    groups = []
    for row, title in {**_SETS, **({} if show != _SHOW[0] else _LISTS)}.items():
        held = [_held(body, profiles, (row,)) for body in bodies]
        if row in _LISTS:
            cells = [
                [item(body, each) for each in facts]
                for body, facts in zip(bodies, held, strict=True)
            ]
            lines = [{"label": title[language], "address": None, "cells": cells}]
        else:
            lines = [
                {
                    "label": label_in(names, value, language),
                    "address": address_of_thing(value, language),
                    "cells": [
                        [item(body, each) for each in facts if each[1].value == value]
                        for body, facts in zip(bodies, held, strict=True)
                    ],
                }
                for value in _values(held, names, language, show)
            ]
        groups.append({"title": title[language], "lines": lines, "own": row in _LISTS, "row": row})
    return groups if show != _SHOW[0] else [*_money(bodies, profiles, names, language), *groups]


def _items(
    profiles: Profiles, names: Labels, language: str
) -> Callable[[Body, tuple[Body, Fact]], dict[str, Any]]:
    def item(column: Body, held: tuple[Body, Fact]) -> dict[str, Any]:
        body, fact = held
        own = fact.row in _LISTS
        return {
            "body": _of(column, body, names, language),
            "thing": _link(fact.value, names, language) if own else None,
            "targets": [
                (target.year, f"{wording.number(target.value, language)}{target.unit}")
                for target in profiles.targets.get(fact.value, ())
            ],
            "stated": fact.stated,
            "sources": _links(fact.passages, names, language),
            "project": _link(fact.project, names, language),
        }

    return item


def _values(
    held: Sequence[Sequence[tuple[Body, Fact]]], names: Labels, language: str, show: str
) -> list[str]:
    """Return the values of a row, those that most bodies share first."""
    counts: dict[str, int] = {}
    for facts in held:
        for value in {fact.value for _, fact in facts}:
            counts[value] = counts.get(value, 0) + 1
    wanted = {"only": 1, "both": len(held)}.get(show)
    return sorted(
        (value for value, count in counts.items() if wanted in (None, count)),
        key=lambda value: (-counts[value], label_in(names, value, language)),
    )


def _money(
    bodies: Sequence[Body], profiles: Profiles, names: Labels, language: str
) -> list[dict[str, Any]]:
    """Return the rows of money: each project's, as far as it is stated; and per resident."""
    lines: list[dict[str, Any]] = []
    for row, title in _MONEY.items():
        cells = [
            [
                {
                    "amount": int(fact.value),
                    "each": None,
                    "body": _of(body, inside, names, language),
                    "project": _link(fact.project, names, language),
                    "sources": _links(fact.passages, names, language),
                }
                for inside, fact in _held(body, profiles, (row,))
            ]
            for body in bodies
        ]
        lines.append({"label": title[language], "cells": cells})
    cells = []
    for body in bodies:
        cell = []
        people = profiles.populations.get(body.iri, ())
        for inside, fact in _held(body, profiles, ("cost",)) if people else ():
            if inside != body:  # the residents of the prefecture are not those of a body in it
                continue
            cell.append(
                {
                    "amount": round(int(fact.value) / people[0].value),
                    "each": people[0].value,
                    "body": None,
                    "project": _link(fact.project, names, language),
                    "sources": _links(
                        dict.fromkeys((*fact.passages, people[0].passage)), names, language
                    ),
                }
            )
        cells.append(cell)
    per_resident = {"ja": "住民1人あたりの事業費", "en": "Project cost per resident"}[language]
    lines.append({"label": per_resident, "cells": cells})
    heading = {"ja": "お金", "en": "Money"}[language]
    return [{"title": heading, "lines": lines, "own": True, "row": "money"}]


def _offer(
    entry: Entry, asked: Asked, names: Labels, language: str, show: str
) -> tuple[str, str, str]:
    code = entry.iri.rpartition("/")[2]
    pairs = [("body", body.code) for body in asked.bodies] + [("body", code), ("lang", language)]
    pairs += [("show", show)] if show != _SHOW[0] else []
    inside = [iri for iri in entry.facets.get("prefecture", ()) if iri != entry.iri]
    where = label_in(names, inside[0], language) if inside else ""
    return entry.label(language), where, "/compare?" + urlencode(pairs)


def _like(each: Alike, asked: Asked, names: Labels, language: str, show: str) -> dict[str, Any]:
    reasons = []
    if each.sizes:
        sizes = [wording.number(size, language) for size in each.sizes]
        said = {"ja": "人口 {} と {}", "en": "populations {} and {}"}[language]
        reasons.append(said.format(*sizes))
    mark = {"ja": "（{}）", "en": " ({})"}[language]
    for row, values in each.shared.items():
        listed = {"ja": "、", "en": ", "}[language].join(
            label_in(names, v, language) for v in values
        )
        reasons.append(_LIKE[row][language] + mark.format(listed))
    return {
        "body": _link(each.body.iri, names, language),
        "prefecture": None
        if each.body.is_prefecture
        else label_in(names, each.body.prefecture, language),
        "reasons": reasons,
        "services": [(*_link(fact.value, names, language), fact.stated) for fact in each.more],
        "add": _address([*asked.bodies, each.body], language, show)
        if len(asked.bodies) < _MOST and each.body not in asked.bodies
        else None,
    }


def _records(
    asked: Asked, names: Labels, profiles: Profiles, language: str, show: str
) -> list[dict[str, Any]]:
    """Return the comparison as one record for each fact of each column."""
    rows = (*_SETS, *(() if show != _SHOW[0] else (*_MONEY, *_LISTS)))
    held = {row: [_held(body, profiles, (row,)) for body in asked.bodies] for row in rows}
    kept = {row: set(_values(held[row], names, language, show)) for row in rows}
    return [
        {
            "column": column.code,
            "body": body.iri,
            "bodyLabel": label_in(names, body.iri, language),
            "row": row,
            "value": int(fact.value) if row in _MONEY else fact.value,
            "valueLabel": None if row in _MONEY else label_in(names, fact.value, language),
            "certainty": "stated" if fact.stated else "inferred",
            "targets": [
                {"year": target.year, "value": target.value, "unit": target.unit}
                for target in profiles.targets.get(fact.value, ())
            ],
            "project": fact.project,
            "projectLabel": label_in(names, fact.project, language),
            "passages": list(fact.passages),
        }
        for number, column in enumerate(asked.bodies)
        for row in rows
        for body, fact in held[row][number]
        if fact.value in kept[row]
    ]


_CSV = (
    *("column", "body", "bodyLabel", "row", "value", "valueLabel", "certainty"),
    *("targets", "project", "projectLabel", "passages"),
)


def _csv(asked: Asked, names: Labels, profiles: Profiles, language: str, show: str) -> Response:
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(_CSV)
    for record in _records(asked, names, profiles, language, show):
        record["passages"] = " ".join(record["passages"])
        record["targets"] = "; ".join(
            f"{each['year']}: {each['value']}{each['unit']}" for each in record["targets"]
        )
        writer.writerow(["" if record[name] is None else record[name] for name in _CSV])
    headers = {"Content-Disposition": 'attachment; filename="compare.csv"'}
    return Response(output.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
