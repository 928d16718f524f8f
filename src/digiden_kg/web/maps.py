"""Maps of the 47 prefectures, drawn by the server: shapes, and tiles that show small ones.

The shapes are those of the npm package ``@svg-maps/japan`` (CC BY 4.0), which the build hook puts
beside the scripts; without them the tiles are drawn alone. The template ``map.html`` draws what
:func:`prefecture_map` returns, so any page that knows a figure for each prefecture can show it.
"""

from __future__ import annotations

import csv
import functools
import json
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pyoxigraph import NamedNode

from digiden_kg import vocab
from digiden_kg.results import Answer, Term, is_number
from digiden_kg.web import wording
from digiden_kg.web.site import STATIC, Site, address_of_thing

LEVELS = 5
"""Steps of colour; level 0 is for prefectures of which nothing is said."""
_SCALE, _EAST, _NORTH = 19.657, 243.50, 247.79
"""Mercator projection of the map: units per degree, and the place of 136°E 36°N in it.

Fitted to the 1,741 municipal offices of the register: 1,717 lie within one unit of the shape of
their own prefecture; the others are on small islands that the map does not draw."""
_FAR = 418
"""Units from the top at which the Amami islands and Okinawa begin; they are drawn in an inset."""
_INSET_SCALE, _INSET_EAST, _INSET_NORTH = 1.35, 94, 4


@dataclass(frozen=True, slots=True)
class Shape:
    """How a prefecture is drawn."""

    code: str
    main: str
    inset: str
    """Path of what lies in the inset."""
    column: int
    row: int
    short: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Area:
    """A prefecture on a map."""

    shape: Shape
    iri: str
    name: str
    text: str
    """Its figure in words."""
    level: int
    address: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Point:
    """A body on a map."""

    name: str
    address: str | None
    x: float
    y: float
    code: str
    """Code of its prefecture."""


@dataclass(frozen=True)
class PrefectureMap:
    """What the template draws."""

    areas: Sequence[Area]
    legend: Sequence[tuple[int, str]]
    """Level and the words for its figures, from the least to the greatest."""
    points: Sequence[Point]
    drawn: bool
    """Whether there are shapes; if not there are tiles alone."""
    inset: str = (
        f"translate({_INSET_EAST} {_INSET_NORTH}) scale({_INSET_SCALE}) translate(0 {-_FAR})"
    )
    """How the paths of the inset are moved."""


@functools.cache
def shapes() -> Mapping[str, Shape]:
    """Return how each prefecture is drawn, by its two-digit code."""
    bundled = STATIC / "dist" / "prefectures.json"
    drawn = json.loads(bundled.read_text("utf-8"))["shapes"] if bundled.is_file() else []
    paths = {each["code"]: each for each in drawn}
    with Path(__file__).with_name("prefectures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        code = row["code"]
        path, far = (paths.get(code, {}).get(key, "") for key in ("path", "far"))
        main, inset = ("", path) if code == "47" else (path, far)
        short = {"ja": row["short_ja"], "en": row["short_en"]}
        found[code] = Shape(code, main, inset, int(row["column"]), int(row["row"]), short)
    return found


def place(longitude: float, latitude: float) -> tuple[float, float]:
    """Return where a place is on the map, in the inset if it lies there."""
    x = _EAST + _SCALE * (longitude - 136)
    y = _NORTH - _SCALE * (_mercator(latitude) - _mercator(36))
    if y > _FAR:
        x = _INSET_EAST + _INSET_SCALE * x
        y = _INSET_NORTH + _INSET_SCALE * (y - _FAR)
    return x, y


def _mercator(latitude: float) -> float:
    return math.degrees(math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2)))


def levels(values: Iterable[Decimal]) -> Callable[[Decimal], int]:
    """Return the level of each value: fifths of the prefectures, equal values together."""
    ordered = sorted(values)
    distinct = sorted(set(ordered))
    if len(distinct) <= LEVELS:
        first = LEVELS - len(distinct) + 1
        return lambda value: first + bisect_left(distinct, value)
    return lambda value: 1 + LEVELS * bisect_left(ordered, value) // len(ordered)


def value_of(term: Term | None) -> str:
    """Return the text or IRI of a term, nothing for no term."""
    return str(getattr(term, "value", ""))


async def names_of_prefectures(site: Site) -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """Return IRI and names of each prefecture by its two-digit code."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    rows = await site.kept("prefectures", lambda: site.page_rows("prefectures"))
    for iri, code, name in rows:
        if iri is not None and code is not None and name is not None:
            names = found.setdefault(value_of(code)[:2], (value_of(iri), {}))[1]
            names[getattr(name, "language", None) or ""] = value_of(name)
    return found


def code_of(iri: str) -> str:
    """Return the two-digit code of the IRI of a prefecture."""
    return iri.removeprefix(vocab.thing("body", ""))[:2]


async def prefecture_map(
    site: Site,
    language: str,
    values: Mapping[str, Decimal],
    *,
    words: Callable[[Decimal], str],
    link: Callable[[str], str],
    chosen: str | None = None,
    points: Sequence[Point] = (),
    silent: str | None = None,
) -> PrefectureMap:
    """Return a map of figures.

    Args:
        site: Knows the names of the prefectures.
        language: Language of the page.
        values: Figures by two-digit code; a prefecture that is missing is not said to be zero.
        words: Writes a figure.
        link: Returns where a prefecture of a code leads.
        chosen: Code of the prefecture that the page is narrowed down to.
        points: Bodies to mark.
        silent: What is said of a prefecture that is missing, if not that nothing is stated.
    """
    level = levels(values.values()) if values else lambda value: 0
    known = await names_of_prefectures(site)
    silent = silent or ("記載なし" if language == "ja" else "nothing stated")
    areas = [
        Area(
            shape,
            names[0],
            names[1].get(language, code),
            words(values[code]) if code in values else silent,
            level(values[code]) if code in values else 0,
            link(code),
            code == chosen,
        )
        for code, shape in shapes().items()
        if (names := known.get(code))
    ]
    groups: dict[int, list[Decimal]] = {}
    for value in sorted(values.values()):
        groups.setdefault(level(value), []).append(value)
    legend = [
        (
            each,
            words(group[0]) if group[0] == group[-1] else f"{words(group[0])} – {words(group[-1])}",
        )
        for each, group in sorted(groups.items())
    ]
    if any(not area.level for area in areas):
        legend.insert(0, (0, silent))
    return PrefectureMap(areas, legend, points, any(shape.main for shape in shapes().values()))


async def map_of(
    site: Site, answer: Answer, language: str, place: int, figure: int | None, unit: str | None
) -> PrefectureMap:
    """Return the map of an answer; each prefecture leads to its page.

    Args:
        site: Knows the prefectures.
        answer: The answer.
        language: Language of the page.
        place: Column of prefectures or of bodies in them.
        figure: Column of the figures; if there is none the rows of each prefecture are counted.
        unit: ``yen`` for amounts.
    """
    values: dict[str, Decimal] = {}
    for row in answer.rows:
        body = row[place]
        if not isinstance(body, NamedNode):
            continue
        code = code_of(body.value)
        if figure is None:
            values[code] = values.get(code, Decimal(0)) + 1
        elif is_number(row[figure]):
            values[code] = Decimal(value_of(row[figure]))
    known = await names_of_prefectures(site)
    written = wording.yen if unit == "yen" else wording.number

    def link(code: str) -> str:
        return address_of_thing(known[code][0], language) or ""

    return await prefecture_map(
        site, language, values, words=lambda value: written(value, language), link=link
    )


async def any_map(
    site: Site, answer: Answer, language: str
) -> tuple[str | None, PrefectureMap] | None:
    """Return a map of any answer that has a column of prefectures or bodies, None for others.

    With it comes the column whose figures it shows, None where it counts rows.
    """
    bodies = vocab.thing("body", "")
    places = [
        at
        for at in range(len(answer.columns))
        if all(
            isinstance(row[at], NamedNode) and value_of(row[at]).startswith(bodies)
            for row in answer.rows
        )
    ]
    if not places or len(answer.rows) < 2:
        return None
    listed = [value_of(row[places[0]]) for row in answer.rows]
    prefectures = {iri for iri, _ in (await names_of_prefectures(site)).values()}
    numbers = [
        at
        for at in range(len(answer.columns))
        if any(row[at] is not None for row in answer.rows)
        and all(row[at] is None or is_number(row[at]) for row in answer.rows)
    ]
    alone = len(set(listed)) == len(listed) and set(listed) <= prefectures
    figure = numbers[-1] if alone and numbers else None
    drawn = await map_of(site, answer, language, places[0], figure, None)
    return (None if figure is None else answer.columns[figure]), drawn
