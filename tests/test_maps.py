"""Maps of the prefectures: where things are drawn, and what colours mean."""

from __future__ import annotations

import csv
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from jinja2 import Environment, PackageLoader, StrictUndefined

from digiden_kg.web import maps
from digiden_kg.web.maps import Area, PrefectureMap, levels, place, shapes

REGISTER = Path(__file__).parents[1] / "data" / "register" / "local_governments.csv"
Ring = list[tuple[float, float]]


def rings(path: str) -> list[Ring]:
    found: list[Ring] = []
    for kind, line in re.findall(r"([Mm])([^z]*)z", path):
        start, *steps = [
            tuple(map(float, pair.split(","))) for pair in line.replace("l", " ").split()
        ]
        origin = found[-1][0] if kind == "m" and found else (0.0, 0.0)
        ring = [(origin[0] + start[0], origin[1] + start[1])]
        for dx, dy in steps:
            ring.append((ring[-1][0] + dx, ring[-1][1] + dy))
        found.append(ring)
    return found


def is_inside(ring: Ring, x: float, y: float) -> bool:
    inside = False
    for (ax, ay), (bx, by) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            inside = not inside
    return inside


def test_every_prefecture_has_a_shape_and_a_tile_of_its_own() -> None:
    drawn = shapes().values()
    assert [each.code for each in drawn] == [f"{code:02}" for code in range(1, 48)]
    assert all(each.main or each.inset for each in drawn)
    assert max(Counter((each.column, each.row) for each in drawn).values()) == 1
    assert {each.code for each in drawn if each.inset} == {"46", "47"}


def test_islands_of_amami_belong_to_kagoshima() -> None:
    # Naze, the seat of Amami City; Naha for the other side.
    for code, longitude, latitude in (("46", 129.4938, 28.3775), ("47", 127.6809, 26.2124)):
        x, y = place(longitude, latitude)
        east, north, scale, far = maps._INSET_EAST, maps._INSET_NORTH, maps._INSET_SCALE, maps._FAR
        x, y = (x - east) / scale, (y - north) / scale + far
        near = [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        for other in ("46", "47"):
            hits = any(is_inside(ring, *at) for ring in rings(shapes()[other].inset) for at in near)
            assert hits == (other == code)


def test_offices_lie_in_the_shape_of_their_prefecture() -> None:
    outlines = {code: rings(shape.main) for code, shape in shapes().items() if shape.main}
    with REGISTER.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["latitude"]]
    far = []
    for row in rows:
        x, y = place(float(row["longitude"]), float(row["latitude"]))
        near = [(x, y), (x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
        outline = outlines.get(row["area_code"][:2], [])
        if not any(is_inside(ring, *at) for ring in outline for at in near):
            far.append(row["full_name"])
    main = [each for each in far if not each.startswith(("沖縄県", "鹿児島県"))]
    assert len(rows) == 1741
    # Islands that the map does not draw, and a few narrow places.
    assert len(main) <= 20, main
    assert {"東京都小笠原村", "東京都青ヶ島村", "新潟県粟島浦村"} <= set(main)


def test_levels_are_fifths_and_keep_equal_values_together() -> None:
    level = levels(map(Decimal, range(1, 11)))
    assert [level(Decimal(each)) for each in range(1, 11)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    few = levels(map(Decimal, (1, 1, 1, 2, 7)))
    assert [few(Decimal(each)) for each in (1, 2, 7)] == [3, 4, 5]


@pytest.mark.parametrize("drawn", [True, False])
def test_tiles_stand_in_for_missing_shapes(drawn: bool) -> None:
    areas = [
        Area(shape, "", shape.short["en"], "1", 1, "/map", False) for shape in shapes().values()
    ]
    environment = Environment(loader=PackageLoader("digiden_kg.web"), undefined=StrictUndefined)
    macro = environment.get_template("map.html").module.draw
    text = macro(PrefectureMap(areas, [], [], drawn), lambda ja, en: en, "en", "Bodies")
    assert ("<path" in text) == drawn
    assert ("<rect" in text and "Okinawa</text>" in text) or drawn
    assert text.count('class="area') == 47
