"""What each local government runs, with whom and for how much, as far as it is named.

Read from the rows of ``queries/pages/`` once a release; the lens of reuse and the comparison of
bodies are views of it. A fact without a passage is concluded by us and never passes as stated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from digiden_kg.results import Term

Row = Sequence[Term | None]
_LARGER = 2.0
"""How many times larger or smaller a body of similar size may be."""


@dataclass(frozen=True, slots=True)
class Body:
    """A local government."""

    iri: str
    kind: str
    """IRI of its most specific class."""
    prefecture: str
    """The prefecture that it lies in; itself, if it is one."""
    code: str

    @property
    def is_prefecture(self) -> bool:
        """Whether it is a prefecture."""
        return self.iri == self.prefecture


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a project."""

    project: str
    row: str
    """What it is about: ``service``, ``platform``, ``partner``, ``cost`` …"""
    value: str
    """An IRI, or an amount in yen."""
    passages: tuple[str, ...]
    """Where the document states it."""

    @property
    def stated(self) -> bool:
        """Whether the document says so."""
        return bool(self.passages)


@dataclass(frozen=True, slots=True)
class Population:
    """A population that the document states."""

    value: int
    period: str | None
    passage: str


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that the document publishes for a prefecture."""

    type: str
    measure: str
    """``bodies``, ``projects`` or ``share`` (yen)."""
    value: int
    passage: str


@dataclass(frozen=True, slots=True)
class Target:
    """A value that is set for an indicator."""

    year: str
    value: str
    unit: str


@dataclass(frozen=True, slots=True)
class Use:
    """One body that runs or works with something in one project under one grant type; IRIs."""

    row: str
    """What kind of thing it is: ``service``, ``platform`` or ``partner``."""
    thing: str
    prefecture: str
    body: str
    project: str
    type: str
    certainty: str
    """``stated`` or ``inferred``."""
    round: str
    fields: tuple[str, ...]
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """A body that is like another one."""

    body: Body
    sizes: tuple[int, int] | None
    """The stated populations of the other one and of this one, where they are near."""
    shared: Mapping[str, tuple[str, ...]]
    """What both have, by ``prefecture``, ``kind``, ``category``, ``theme`` and ``service``."""
    more: tuple[Fact, ...]
    """The types of service that this one is named for and the other one is not."""


@dataclass(frozen=True)
class Profiles:
    """All that is known of the bodies of a release."""

    bodies: Mapping[str, Body]
    facts: Mapping[str, tuple[Fact, ...]]
    """By project."""
    populations: Mapping[str, tuple[Population, ...]]
    published: Mapping[str, tuple[Published, ...]]
    """By prefecture."""
    targets: Mapping[str, tuple[Target, ...]]
    """By indicator, in the order of years."""
    granted: Mapping[str, tuple[str, ...]] = field(repr=False)
    """Projects of each body: those granted to it, then those that it joins."""
    by_code: Mapping[str, Body] = field(repr=False)
    _alike: dict[str, list[Alike]] = field(default_factory=dict, repr=False, compare=False)

    def inside(self, body: Body) -> tuple[Body, ...]:
        """Return the bodies whose projects a body stands for: a prefecture also for its own."""
        if not body.is_prefecture:
            return (body,)
        inside = [self.bodies[each] for each in self.granted if each in self.bodies]
        return tuple(
            sorted(
                (each for each in inside if each.prefecture == body.iri), key=lambda each: each.code
            )
        )

    def of(self, body: str, *rows: str) -> tuple[Fact, ...]:
        """Return the facts of the projects of one body; all, or those of some rows."""
        return tuple(
            fact
            for project in self.granted.get(body, ())
            for fact in self.facts[project]
            if not rows or fact.row in rows
        )

    def owner(self, project: str) -> str:
        """Return the body that a project was granted to."""
        return next((fact.value for fact in self.facts[project] if fact.row == "body"), "")

    def uses(self, *kinds: str) -> list[Use]:
        """Return who runs which type of service, one for each stated grant type of a project.

        Args:
            kinds: ``service`` unless others are asked for: ``platform``, ``partner``.
        """
        return [use for use in self._every if use.row in (kinds or ("service",))]

    @cached_property
    def _every(self) -> list[Use]:
        found = []
        for project, facts in self.facts.items():
            rows: dict[str, list[Fact]] = {}
            for fact in facts:
                rows.setdefault(fact.row, []).append(fact)
            fields = tuple(sorted({fact.value for fact in rows.get("field", ())}))
            rounds = [fact.value for fact in rows.get("round", ())] or [""]
            found += [
                Use(
                    row,
                    thing.value,
                    self.bodies[body.value].prefecture,
                    body.value,
                    project,
                    kind.value,
                    "stated" if thing.stated else "inferred",
                    rounds[0],
                    fields,
                    thing.passages,
                )
                for row in ("service", "platform", "partner")
                for thing in rows.get(row, ())
                for body in (*rows.get("body", ()), *rows.get("joint", ()))
                for kind in rows.get("type", ())
                if kind.stated and body.value in self.bodies and body.value != thing.value
            ]
        return sorted(found, key=lambda use: (use.thing, use.prefecture, use.body, use.project))

    @cached_property
    def _traits(self) -> Mapping[str, tuple[Fact, ...]]:
        return {iri: self.of(iri, *_TRAITS) for iri in self.granted}

    def alike(self, body: Body) -> list[Alike]:
        """Return bodies like another one that are named for a type of service it is not.

        Bodies of the same kind and of similar stated size come first; populations are stated for
        few, so what both have in common otherwise decides between the rest.
        """
        if body.iri not in self._alike:
            self._alike[body.iri] = self._find_alike(body)
        return self._alike[body.iri]

    def _find_alike(self, body: Body) -> list[Alike]:
        own = {(fact.row, fact.value) for fact in self._traits.get(body.iri, ())}
        found = []
        for iri, facts in self._traits.items():
            other = self.bodies.get(iri)
            if other is None or other.iri == body.iri or other.is_prefecture != body.is_prefecture:
                continue
            more = {
                fact.value: fact
                for fact in facts
                if fact.row == "service" and ("service", fact.value) not in own
            }
            shared = self._shared(body, other, own, facts)
            sizes = self._sizes(body, other)
            if more and (sizes or shared.keys() - {"kind"}):
                found.append(Alike(other, sizes, shared, tuple(more.values())))
        return sorted(found, key=lambda each: (-_likeness(each), each.body.code))

    def _shared(
        self, body: Body, other: Body, own: set[tuple[str, str]], facts: Iterable[Fact]
    ) -> dict[str, tuple[str, ...]]:
        shared: dict[str, tuple[str, ...]] = {}
        if body.prefecture == other.prefecture:
            shared["prefecture"] = (body.prefecture,)
        if body.kind == other.kind:
            shared["kind"] = (body.kind,)
        for row in _TRAITS:
            both = {fact.value for fact in facts if fact.row == row and (row, fact.value) in own}
            if both:
                shared[row] = tuple(sorted(both))
        return shared

    def _sizes(self, body: Body, other: Body) -> tuple[int, int] | None:
        mine, theirs = self.populations.get(body.iri), self.populations.get(other.iri)
        if not mine or not theirs:
            return None
        sizes = mine[0].value, theirs[0].value
        return sizes if max(sizes) <= _LARGER * min(sizes) else None


_TRAITS = ("category", "theme", "service")


def _likeness(each: Alike) -> float:
    size = 0.0
    if each.sizes:
        size = (10 if "kind" in each.shared else 3) - abs(math.log(each.sizes[0] / each.sizes[1]))
    weights = {"prefecture": 2, "kind": 2, "theme": 2, "category": 1, "service": 2}
    return size + sum(weights[row] * len(values) for row, values in each.shared.items())


def read_profiles(
    bodies: Iterable[Row],
    facts: Iterable[Row],
    populations: Iterable[Row],
    published: Iterable[Row],
    targets: Iterable[Row],
) -> Profiles:
    """Return profiles from the rows of ``bodies.rq``, ``profiles.rq``, ``populations.rq``,
    ``prefecture-figures.rq`` and ``indicator-values.rq``.
    """
    known = {
        iri: Body(iri, kind, prefecture, code)
        for iri, kind, prefecture, code in map(_texts, bodies)
    }
    passages: dict[tuple[str, str, str], list[str]] = {}
    for project, row, value, passage in map(_texts, facts):
        found = passages.setdefault((project, row, value), [])
        if passage:
            found.append(passage)
    by_project: dict[str, list[Fact]] = {}
    granted: dict[str, list[str]] = {}
    for (project, row, value), where in passages.items():
        by_project.setdefault(project, []).append(Fact(project, row, value, tuple(where)))
    for part in ("body", "joint"):
        for project, row, value in passages:
            if row == part and project not in granted.get(value, ()):
                granted.setdefault(value, []).append(project)
    people: dict[str, list[Population]] = {}
    for body, population, period, passage in map(_texts, populations):
        people.setdefault(body, []).append(Population(int(population), period or None, passage))
    figures: dict[str, list[Published]] = {}
    for prefecture, kind, measure, value, passage in map(_texts, published):
        figures.setdefault(prefecture, []).append(Published(kind, measure, int(value), passage))
    aims: dict[str, list[Target]] = {}
    for indicator, year, value, unit in map(_texts, targets):
        aims.setdefault(indicator, []).append(Target(year, value, unit))
    return Profiles(
        known,
        {project: tuple(found) for project, found in by_project.items()},
        {body: tuple(found) for body, found in people.items()},
        {prefecture: tuple(found) for prefecture, found in figures.items()},
        {indicator: tuple(found) for indicator, found in aims.items()},
        {body: tuple(found) for body, found in granted.items()},
        {body.code: body for body in known.values()},
    )


def _texts(row: Row) -> list[str]:
    return [getattr(term, "value", "") for term in row]
