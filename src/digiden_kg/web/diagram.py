"""Lays out the classes of an ontology: a box for each, its properties in it, lines to their ranges.

Columns follow the properties from left to right, so that a line leads from the row of a property
to the box on its right. Nothing is drawn here; a template does that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

WIDTH, ROW, HEAD = 216, 24, 32
"""Pixels: width of a box, height of a row and of the head of a box."""
_GAP, _BETWEEN = 24, 84
"""Pixels between boxes of a column, and between columns."""
_MARGIN = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A property in a box, or a class below that of the box."""

    iri: str
    target: str | None
    """Class that the property leads to; None for a class below."""
    y: int


@dataclass(frozen=True, slots=True)
class Box:
    """A class, placed."""

    iri: str
    x: int
    y: int
    height: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """From a row to a box."""

    property: str
    path: str
    """Data of an SVG path."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """All of it, and how large it is."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def lay_out(
    classes: Iterable[str],
    below: Mapping[str, Sequence[str]],
    links: Iterable[tuple[str, str, str]],
) -> Diagram:
    """Place classes and what joins them.

    Args:
        classes: Every class.
        below: Direct subclasses of each.
        links: (class, property, class that it leads to).
    """
    leads: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for source, name, target in links:
        leads[source].append((name, target))
    ends = {target for listed in leads.values() for _, target in listed}
    nested = {
        each
        for listed in below.values()
        for each in listed
        if each not in leads and each not in ends
    }
    shown = [each for each in classes if each not in nested]
    columns = _columns(shown, leads)
    contents = {each: _contents(each, below, leads, nested) for each in shown}
    boxes: dict[str, Box] = {}
    bottoms: list[int] = []
    for number, column in enumerate(columns):
        y = _MARGIN
        for each in _by_sources(column, leads, boxes):
            height = HEAD + ROW * len(contents[each]) + 8
            rows = tuple(
                Row(iri, target, y + HEAD + ROW * place)
                for place, (iri, target) in enumerate(contents[each])
            )
            boxes[each] = Box(each, _MARGIN + number * (WIDTH + _BETWEEN), y, height, rows)
            y += height + _GAP
        bottoms.append(y)
    lines = tuple(
        Line(row.iri, _path(box, row, boxes[row.target]))
        for box in boxes.values()
        for row in box.rows
        if row.target in boxes
    )
    width = 2 * _MARGIN + len(columns) * (WIDTH + _BETWEEN) - _BETWEEN
    return Diagram(width, max(bottoms, default=0), tuple(boxes.values()), lines)


def _contents(
    cls: str,
    below: Mapping[str, Sequence[str]],
    leads: Mapping[str, Sequence[tuple[str, str]]],
    nested: set[str],
) -> list[tuple[str, str | None]]:
    rows: list[tuple[str, str | None]] = list(leads.get(cls, ()))
    queue = list(below.get(cls, ()))
    while queue:
        each = queue.pop(0)
        if each in nested:
            rows.append((each, None))
            queue += below.get(each, ())
    return rows


def _columns(
    classes: Sequence[str], leads: Mapping[str, Sequence[tuple[str, str]]]
) -> list[list[str]]:
    """Return the classes in columns: each right of all that lead to it, as far as that goes."""
    column: dict[str, int] = {}
    ahead: dict[str, int] = {}

    def longest(each: str, behind: tuple[str, ...]) -> int:
        """Return how many columns must follow a class; what leads back is left out."""
        if each not in ahead:
            following = [
                longest(target, (*behind, each)) + 1
                for _, target in leads.get(each, ())
                if target != each and target not in behind
            ]
            ahead[each] = max(following, default=0)
        return ahead[each]

    for each in classes:
        longest(each, ())
    for each in sorted(classes, key=lambda cls: (-ahead[cls], cls)):
        column.setdefault(each, 0)
        for _, target in leads.get(each, ()):
            if ahead.get(target, 0) < ahead[each]:
                column[target] = max(column.get(target, 0), column[each] + 1)
    ends = {target for listed in leads.values() for _, target in listed}
    for each in classes:  # what nothing leads to stands just before what it leads to
        targets = [column[target] for _, target in leads.get(each, ()) if target in column]
        if each not in ends and targets:
            column[each] = max(0, min(targets) - 1)
    count = max(column.values(), default=0) + 1
    listed: list[list[str]] = [[] for _ in range(count)]
    alone = [each for each in classes if each not in ends and not leads.get(each)]
    for each in classes:
        if each not in alone:
            listed[column[each]].append(each)
    for each in alone:  # joined to nothing: where there is room
        size = [sum(1 + len(leads.get(one, ())) for one in names) for names in listed]
        listed[size.index(min(size))].append(each)
    return listed


def _by_sources(
    column: Sequence[str],
    leads: Mapping[str, Sequence[tuple[str, str]]],
    placed: Mapping[str, Box],
) -> list[str]:
    """Return a column in the order of what leads to it, so that few lines cross."""

    def mean(cls: str) -> float:
        rows = [row.y for box in placed.values() for row in box.rows if row.target == cls]
        return sum(rows) / len(rows) if rows else 1e6 - len(leads.get(cls, ()))

    return sorted(column, key=lambda cls: (mean(cls), cls))


def _path(box: Box, row: Row, target: Box) -> str:
    x, y = box.x + WIDTH, row.y + ROW // 2
    top = target.y + HEAD // 2
    if target is box:  # a loop at its own head
        return f"M{x},{y}c{_GAP},0 {_GAP},{top - y} 0,{top - y}"
    if target.x > box.x:
        end, bend = target.x, _BETWEEN // 2
        return f"M{x},{y}C{x + bend},{y} {end - bend},{top} {end},{top}"
    end = target.x + WIDTH  # to the same column or back: around the right side
    return f"M{x},{y}C{x + _BETWEEN},{y} {end + _BETWEEN},{top} {end},{top}"
