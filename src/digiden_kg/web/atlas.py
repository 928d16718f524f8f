"""The map: a figure for each prefecture, by queries that say what they count."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response

from digiden_kg.questions import Question, Text, load_question
from digiden_kg.results import HTML, TABLES, Answer
from digiden_kg.syntax import read_query
from digiden_kg.web import problems, sparql, wording
from digiden_kg.web.maps import (
    Point,
    PrefectureMap,
    code_of,
    names_of_prefectures,
    place,
    prefecture_map,
    value_of,
)
from digiden_kg.web.site import (
    Site,
    address_of,
    address_of_thing,
    choose,
    language_of,
    page_route,
    table_of,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """What a map can show: a query with a row for each prefecture."""

    question: Question
    order: int
    value: str
    """Column of the figure."""
    unit: Text | None
    """What stands behind the figure; None for yen."""
    columns: Mapping[str, Text]
    """What columns of its own are called."""

    @property
    def slug(self) -> str:
        """Its name in addresses."""
        return self.question.slug.removeprefix("map-")

    def words(self, language: str) -> Callable[[Decimal], str]:
        """Return what writes the figure."""
        if self.unit is None:
            return lambda value: wording.yen(value, language)
        unit = self.unit[language]
        space = "" if language == "ja" or unit == "%" else " "
        return lambda value: f"{wording.number(value, language)}{space}{unit}"


@functools.cache
def figures(folder: Path) -> Mapping[str, Figure]:
    """Return what a map can show, in order.

    Raises:
        InputError: The header of a query is wrong.
    """
    found = []
    for path in sorted(folder.glob("map-*.rq")):
        header = read_query(path).header
        unit = header["unit"]
        found.append(
            Figure(
                load_question(path),
                header["order"],
                header["value"],
                None if unit == "yen" else unit,
                header.get("columns") or {},
            )
        )
    return {each.slug: each for each in sorted(found, key=lambda each: each.order)}


def add_atlas(app: FastAPI, site: Site) -> None:
    """Add the page of the map."""

    @page_route(app, "/map", site)
    async def atlas(request: Request) -> Response:
        listed = figures_of(site)
        if not listed:
            title = "地図" if language_of(request) == "ja" else "Map"
            return site.page(request, "empty.html", title=title)
        slug = request.query_params.get("figure") or next(iter(listed))
        if slug not in listed:
            raise problems.ProblemError(
                404, "http", f"there is no figure {slug} / 数値 {slug} はありません。"
            )
        figure = listed[slug]
        chosen = choose(request, (HTML, *TABLES))
        text = await bind(site, figure, language_of(request))
        if chosen.format is not HTML:
            wanted = "format" in request.query_params
            asked = sparql.SparqlRequest(text, download=f"map-{slug}" if wanted else None)
            return await site.answers.answer(request, asked, chosen)
        return await _page(site, request, figure, text)


def figures_of(site: Site) -> Mapping[str, Figure]:
    """Return what a map of the release can show; a draft speaks of other things."""
    return {} if site.release.is_draft else figures(site.settings.queries_dir / "pages")


async def bind(site: Site, figure: Figure, language: str) -> str:
    """Return the query of a figure, with labels in a language."""
    choices = {name: await site.choices(each) for name, each in figure.question.parameters.items()}
    return figure.question.bind({"lang": [language]}, lambda each: choices[each.name])


async def answer_of(site: Site, figure: Figure, language: str) -> Answer:
    """Return the answer of a figure; asked once for each release."""
    text = await bind(site, figure, language)
    return await site.kept(f"map-{figure.slug}-{language}", lambda: site.ask(text))


def read_figures(figure: Figure, answer: Answer) -> dict[str, tuple[Decimal, int]]:
    """Return the figure of each prefecture and its row, by code."""
    at, value = answer.columns.index("prefecture"), answer.columns.index(figure.value)
    found: dict[str, tuple[Decimal, int]] = {}
    for index, row in enumerate(answer.rows):
        number = value_of(row[value])
        if number:
            found[code_of(value_of(row[at]))] = (Decimal(number), index)
    return found


async def draw(
    site: Site,
    figure: Figure,
    answer: Answer,
    language: str,
    *,
    chosen: str | None = None,
    view: str = "map",
    points: Sequence[Point] = (),
) -> PrefectureMap:
    """Return the map of a figure; each prefecture leads to the map narrowed down to it."""

    def link(code: str) -> str:
        state = {"figure": figure.slug, "view": view if view != "map" else "", "lang": language}
        narrowed = "" if code == chosen else code
        return f"/map?{_query({**state, 'prefecture': narrowed})}"

    return await prefecture_map(
        site,
        language,
        {code: value for code, (value, _) in read_figures(figure, answer).items()},
        words=figure.words(language),
        link=link,
        chosen=chosen,
        points=points,
    )


async def _page(site: Site, request: Request, figure: Figure, text: str) -> Response:
    language, query = language_of(request), request.query_params
    names = await names_of_prefectures(site)
    chosen = query.get("prefecture") or None
    chosen = chosen if chosen in names else None
    view = "tiles" if query.get("view") == "tiles" else "map"
    answer = await answer_of(site, figure, language)
    values = read_figures(figure, answer)
    ranked = sorted(values, key=lambda code: (-values[code][0], code))
    rows = tuple(answer.rows[values[code][1]] for code in ranked)
    bodies = await _bodies(site, language)
    map_ = await draw(
        site,
        figure,
        answer,
        language,
        chosen=chosen,
        view=view,
        points=[point for body in bodies if (point := body["point"]) is not None],
    )
    headings = {**await site.headings(), **figure.columns}
    here = {"figure": figure.slug, "lang": language}
    state = {"view": view if view != "map" else "", "lang": language}
    return site.page(
        request,
        "places.html",
        figure=figure,
        figures=figures_of(site).values(),
        map=map_,
        view=view,
        message=_message(figure, values, ranked, names, language),
        table=table_of(
            dataclasses.replace(answer, rows=rows), language, headings, amounts=site.amounts
        ),
        codes=ranked,
        chosen=_chosen(chosen, names, values, figure, language),
        bodies=[each for each in bodies if chosen in (None, each["code"])],
        text=text,
        formats={offer.name: f"/map?{_query({**here, 'format': offer.name})}" for offer in TABLES},
        others=[
            (each.question.title[language], f"/map?{_query({'figure': each.slug, **state})}")
            for each in figures_of(site).values()
            if each is not figure
        ],
        views={each: address_of(request, view=each) for each in ("map", "tiles")},
    )


def _message(
    figure: Figure,
    values: Mapping[str, tuple[Decimal, int]],
    ranked: Sequence[str],
    names: Mapping[str, tuple[str, Mapping[str, str]]],
    language: str,
) -> str:
    """Return who has most, and who of those with a figure has least."""
    words = figure.words(language)

    def told(code: str) -> str:
        name = names[code][1].get(language, code)
        value = words(values[code][0])
        return f"{name}（{value}）" if language == "ja" else f"{name} ({value})"

    if not ranked:
        return ""
    first = [code for code in ranked if values[code][0] == values[ranked[0]][0]]
    if language == "ja":
        return f"最も大きいのは{'、'.join(map(told, first))}、最も小さいのは{told(ranked[-1])}"
    return f"Greatest: {', '.join(map(told, first))}; least: {told(ranked[-1])}"


def _chosen(
    code: str | None,
    names: Mapping[str, tuple[str, Mapping[str, str]]],
    values: Mapping[str, tuple[Decimal, int]],
    figure: Figure,
    language: str,
) -> dict[str, Any] | None:
    if code is None:
        return None
    iri, called = names[code]
    value = values.get(code)
    return {
        "code": code,
        "name": called.get(language, code),
        "address": address_of_thing(iri, language),
        "value": figure.words(language)(value[0]) if value else None,
    }


async def _bodies(site: Site, language: str) -> list[dict[str, Any]]:
    """Return the bodies with a named project, with the projects and where they are."""
    found: dict[str, dict[str, Any]] = {}
    rows = await site.kept("named-bodies", lambda: site.page_rows("named-bodies"))
    for prefecture, body, name, latitude, longitude, project, title in rows:
        if getattr(name, "language", None) != language:
            continue
        code, iri, called = code_of(value_of(prefecture)), value_of(body), value_of(name)
        address = address_of_thing(iri, language)
        if iri not in found:
            point = None
            if latitude is not None and longitude is not None:
                x, y = place(float(value_of(longitude)), float(value_of(latitude)))
                point = Point(called, address, x, y, code)
            entry = {"code": code, "name": called, "address": address, "point": point}
            found[iri] = {**entry, "projects": []}
        where = address_of_thing(value_of(project), language)
        found[iri]["projects"].append((value_of(title), where))
    return list(found.values())


def _query(parameters: Mapping[str, str]) -> str:
    return urlencode({name: value for name, value in parameters.items() if value})
