"""Links between things: neighbours, connections, what a view shows."""

from __future__ import annotations

import pytest

from digiden_kg.network import Expansion, Link, Network, Relation, Thing, View


def link(source: str, relation: str, target: str, reach: str = "link", *, inferred: bool = False):
    return Link(source, relation, target, reach, inferred, ())


@pytest.fixture
def network() -> Network:
    """Two towns of one prefecture whose projects are of one type; a third town apart."""
    links = [
        link("p1", "grantedTo", "a"),
        link("p2", "grantedTo", "b"),
        link("p1", "implements", "t", inferred=True),
        link("p2", "implements", "t"),
        link("p1", "illustrates", "t"),
        link("a", "inPrefecture", "k", "shared"),
        link("b", "inPrefecture", "k", "shared"),
        link("c", "inPrefecture", "k", "shared"),
        link("a", "source", "s", "record"),
        link("d", "source", "s", "record"),
    ]
    groups = {"a": "body", "b": "body", "c": "body", "k": "body", "p1": "project", "p2": "project"}
    things = {iri: Thing(iri, None, group, {"ja": iri}) for iri, group in groups.items()}
    return Network(things, links)


def test_relations_are_counted_in_both_directions(network: Network) -> None:
    assert network.relations("a") == (
        Relation("grantedTo", False, 1, 0),
        Relation("inPrefecture", True, 1, 0),
        Relation("source", True, 1, 0),
    )
    assert network.relations("t")[1] == Relation("implements", False, 2, 1)
    assert [each.source for each in network.neighbours("k", "inPrefecture", False)] == [*"abc"]
    assert network.relations("nothing") == ()


def test_a_connection_prefers_links_to_shared_traits(network: Network) -> None:
    found = network.connect("a", "b", 10)
    assert found.reach == "link"
    assert [[each.relation for each in path] for path in found.paths] == [
        ["grantedTo", "illustrates", "implements", "grantedTo"]
    ], "between the same two things the stated link is named, not the inferred one"
    assert found.total == 1


def test_a_shared_trait_connects_what_no_link_does(network: Network) -> None:
    found = network.connect("a", "c")
    assert found.reach == "shared"
    assert [each.relation for each in found.paths[0]] == ["inPrefecture", "inPrefecture"]


def test_what_is_written_in_one_place_is_not_connected_by_that(network: Network) -> None:
    found = network.connect("a", "d")
    assert (found.reach, found.total, found.paths) == (None, 0, ())


def test_a_thing_is_connected_with_itself_by_nothing(network: Network) -> None:
    assert network.connect("a", "a").paths == ((),)


def test_every_shortest_connection_is_counted() -> None:
    links = [link("a", "r", x) for x in "xyz"] + [link(x, "r", "b") for x in "xyz"]
    found = Network({}, links).connect("a", "b", 2)
    assert found.total == 3
    assert [[each.source + each.target for each in path] for path in found.paths] == [
        ["ax", "xb"],
        ["ay", "yb"],
    ]


def test_a_view_shows_what_is_expanded_and_not_hidden(network: Network) -> None:
    opened = (Expansion("a", "grantedTo", False), Expansion("p1", "implements", True))
    shown = network.show(View(("a",), opened), 10)
    assert set(shown.things) == {"a", "p1", "t"}
    assert [each.relation for each in shown.links] == ["grantedTo", "implements"]

    hidden = network.show(View(("a",), opened, hidden=frozenset({"p1"})), 10)
    assert hidden.things == ("a",)
    without = network.show(View(("a",), opened, without=frozenset({"body"})), 10)
    assert set(without.things) == {"a", "p1", "t"}, "a start stays"


def test_a_view_says_what_did_not_fit(network: Network) -> None:
    shown = network.show(View(("k",), (Expansion("k", "inPrefecture", False),)), 3)
    assert shown.things == ("k", "a", "b")
    assert shown.left_out == 1
    assert all({each.source, each.target} <= set(shown.things) for each in shown.links)


def test_every_link_between_what_is_shown_can_be_shown(network: Network) -> None:
    opened = (Expansion("t", "implements", False),)
    assert len(network.show(View(("t", "a"), opened), 10).links) == 2
    shown = network.show(View(("t", "a"), opened, among=True), 10)
    assert {each.relation for each in shown.links} == {"implements", "illustrates", "grantedTo"}
