"""Profiles of bodies: read from rows, never more certain than their passages."""

from __future__ import annotations

import pytest
from pyoxigraph import Literal, NamedNode

from digiden_kg.profiles import Profiles, read_profiles
from digiden_kg.results import Term

Row = list[Term | None]


def iri(name: str) -> NamedNode:
    return NamedNode(f"https://example.org/{name}")


def fact(project: str, row: str, value: str, passage: str | None = "p") -> Row:
    return [iri(project), Literal(row), iri(value), iri(passage) if passage else None]


@pytest.fixture(scope="module")
def profiles() -> Profiles:
    bodies: list[Row] = [
        [iri("north"), iri("Prefecture"), iri("north"), Literal("010006")],
        [iri("south"), iri("Prefecture"), iri("south"), Literal("020001")],
        *(
            [iri(name), iri(kind), iri(prefecture), Literal(code)]
            for name, kind, prefecture, code in [
                ("a", "Town", "north", "010014"),
                ("b", "Town", "north", "010022"),
                ("c", "Town", "south", "020010"),
                ("d", "City", "south", "020028"),
            ]
        ),
    ]
    facts = [
        *(fact(f"of-{body}", "body", body) for body in "abcd"),
        *(fact(f"of-{body}", "type", "type1") for body in "abcd"),
        fact("of-a", "joint", "d"),
        fact("of-a", "service", "bus", None),
        fact("of-b", "service", "library"),
        fact("of-b", "service", "library", "q"),
        fact("of-c", "service", "library"),
        fact("of-d", "service", "bus"),
    ]
    populations: list[Row] = [
        [iri("a"), Literal("1000"), None, iri("p")],
        [iri("c"), Literal("1900"), Literal("2022-12"), iri("p")],
        [iri("d"), Literal("2100"), None, iri("p")],
    ]
    published: list[Row] = [[iri("north"), iri("type1"), Literal("bodies"), Literal("2"), iri("p")]]
    targets: list[Row] = [
        [iri("satisfaction"), Literal(year), Literal(value), Literal("%")]
        for year, value in (("2023", "50"), ("2025", "80"))
    ]
    return read_profiles(bodies, facts, populations, published, targets)


def test_a_fact_is_stated_where_a_passage_says_so(profiles: Profiles) -> None:
    (bus,) = profiles.of(iri("a").value, "service")
    (library,) = profiles.of(iri("b").value, "service")
    assert not bus.stated
    assert library.passages == (iri("p").value, iri("q").value)


def test_a_joint_project_is_of_both_and_granted_to_one(profiles: Profiles) -> None:
    assert profiles.granted[iri("d").value] == (iri("of-d").value, iri("of-a").value)
    assert profiles.owner(iri("of-a").value) == iri("a").value
    uses = {(use.body[-1], use.thing[20:], use.certainty) for use in profiles.uses()}
    assert {("a", "bus", "inferred"), ("d", "bus", "inferred"), ("d", "bus", "stated")} <= uses


def test_a_prefecture_stands_for_its_bodies(profiles: Profiles) -> None:
    north = profiles.by_code["010006"]
    assert [each.code for each in profiles.inside(north)] == ["010014", "010022"]
    town = profiles.by_code["010014"]
    assert profiles.inside(town) == (town,)


def test_size_goes_before_what_is_shared_and_reaches_to_the_double(profiles: Profiles) -> None:
    alike = profiles.alike(profiles.by_code["010014"])
    assert [(each.body.code, each.sizes) for each in alike] == [
        ("020010", (1000, 1900)),
        ("010022", None),
    ]
    assert alike[1].shared == {
        "prefecture": (iri("north").value,),
        "kind": (iri("Town").value,),
    }
    assert [fact.value for fact in alike[0].more] == [iri("library").value]


def test_bodies_that_run_nothing_else_are_not_offered(profiles: Profiles) -> None:
    # d runs the bus itself and in the joint project, so a shows it nothing new.
    assert "010014" not in [each.body.code for each in profiles.alike(profiles.by_code["020028"])]


def test_targets_are_known_by_year(profiles: Profiles) -> None:
    aims = profiles.targets[iri("satisfaction").value]
    assert [(each.year, each.value, each.unit) for each in aims] == [
        ("2023", "50", "%"),
        ("2025", "80", "%"),
    ]
