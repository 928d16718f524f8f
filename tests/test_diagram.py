"""Classes are placed so that what leads somewhere stands left of it, and nothing overlaps."""

from __future__ import annotations

import itertools

from digiden_kg.web.diagram import HEAD, WIDTH, Diagram, lay_out

CLASSES = ["Project", "Service", "Body", "Town", "Place", "Type", "Alone"]
BELOW = {"Body": ["Town", "Place"]}
LINKS = [
    ("Project", "delivers", "Service"),
    ("Project", "grantedTo", "Body"),
    ("Project", "type", "Type"),
    ("Project", "continues", "Project"),
    ("Service", "type", "Type"),
    ("Body", "inPlace", "Place"),
    ("Type", "back", "Project"),
]


def boxes(diagram: Diagram) -> dict[str, tuple[int, int]]:
    return {box.iri: (box.x, box.y) for box in diagram.boxes}


def test_every_class_has_a_place_and_no_two_overlap() -> None:
    diagram = lay_out(CLASSES, BELOW, LINKS)
    assert set(boxes(diagram)) == {*CLASSES} - {"Town"}
    for one, other in itertools.combinations(diagram.boxes, 2):
        apart = (
            one.x + WIDTH <= other.x
            or other.x + WIDTH <= one.x
            or one.y + one.height <= other.y
            or other.y + other.height <= one.y
        )
        assert apart, (one.iri, other.iri)
    for box in diagram.boxes:
        assert box.x + WIDTH <= diagram.width
        assert box.y + box.height <= diagram.height


def test_properties_lead_to_the_right() -> None:
    places = boxes(lay_out(CLASSES, BELOW, LINKS))
    assert places["Project"][0] < places["Service"][0] < places["Type"][0]
    assert places["Project"][0] < places["Body"][0] < places["Place"][0]


def test_every_property_is_a_row_and_a_line() -> None:
    diagram = lay_out(CLASSES, BELOW, LINKS)
    assert sorted(line.property for line in diagram.lines) == sorted(name for _, name, _ in LINKS)
    (body,) = [box for box in diagram.boxes if box.iri == "Body"]
    assert [(row.iri, row.target) for row in body.rows] == [("inPlace", "Place"), ("Town", None)]
    assert all(body.y + HEAD <= row.y < body.y + body.height for row in body.rows)


def test_nothing_has_no_size() -> None:
    diagram = lay_out([], {}, [])
    assert diagram.boxes == diagram.lines == ()
