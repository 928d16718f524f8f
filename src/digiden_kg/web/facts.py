"""Statements about several things as a page walks through them, each with who makes it.

A template asks a thing for the values of a property by its prefixed name, and a value for its
passages; it never sees a row of an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.describe import Labels, label_in
from digiden_kg.results import Term
from digiden_kg.web import wording
from digiden_kg.web.site import LANGUAGES, address_of_thing

Row = Sequence[Term | None]
"""Subject, property, value, and the passage or graph that states it."""
_OURS = frozenset({vocab.source(vocab.DERIVED), vocab.source(vocab.EDITORIAL)})
_CIRCLES = range(1, 21)


class Thing:
    """One thing on a page."""

    def __init__(self, facts: Facts, iri: str) -> None:
        self._facts, self.iri = facts, iri

    @cached_property
    def label(self) -> str:
        """What it is called in the language of the page."""
        return label_in(self._facts.labels, self.iri, self._facts.language)

    @cached_property
    def address(self) -> str:
        """Where its page is."""
        return address_of_thing(self.iri, self._facts.language) or self.iri

    @property
    def name(self) -> str:
        """Its prefixed name."""
        return vocab.shorten(self.iri)

    def is_a(self, *classes: str) -> bool:
        """Say whether it is of one of some classes."""
        wanted = set(map(vocab.expand, classes))
        return any(each.iri in wanted for each in self.things("rdf:type"))

    def all(self, *properties: str) -> list[Fact]:
        """Return the values of properties; texts of the other language only if there are no own."""
        return [fact for name in properties for fact in self._facts.values(self, name)]

    def one(self, *properties: str) -> Fact | None:
        """Return the first value of the first property that has any."""
        return next(iter(self.all(*properties)), None)

    def things(self, *properties: str) -> list[Thing]:
        """Return the values that are things, each once."""
        found = {fact.thing.iri: fact.thing for fact in self.all(*properties) if fact.thing}
        return list(found.values())

    def back(self, *properties: str) -> list[Thing]:
        """Return the things of the page that point to this one, each once."""
        found = {each.iri: each for name in properties for each in self._facts.pointing(self, name)}
        return list(found.values())

    def fact(self, property: str, thing: Thing) -> Fact | None:
        """Return the statement that this has a property with a thing as value."""
        return next((each for each in self.all(property) if each.thing is thing), None)

    @property
    def is_project(self) -> bool:
        """Whether it is a project."""
        return self.is_a("dg:Project")

    @property
    def is_check(self) -> bool:
        """Whether it compares a published figure with what is listed."""
        return self.is_a("dg:Reconciliation")

    @property
    def is_correction(self) -> bool:
        """Whether it corrects something."""
        return self.is_a("dg:Correction")

    @property
    def is_inference(self) -> bool:
        """Whether it is a conclusion of ours."""
        return self.is_a("dg:Inference")

    @property
    def priced(self) -> bool:
        """Whether its cost is known."""
        return self.one("dg:projectCost") is not None

    @property
    def place(self) -> str:
        """The code of who got a project: sorts by prefecture, then body."""
        return min((each.iri for each in self.things("dg:grantedTo")), default="") + self.iri

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands among its like."""
        place = self.one("dg:order")
        return (int(place.text) if place else 10**6, self.iri)


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of one property."""

    value: Term
    thing: Thing | None
    """The value, where it is a thing."""
    sources: tuple[str, ...]
    """Passages of the document that state it; graphs of ours only where none does."""
    inference: Thing | None
    """Our conclusion that it rests on; None where it is stated."""

    @property
    def text(self) -> str:
        """The value as it stands in the graph, or what the thing is called."""
        return self.thing.label if self.thing else str(getattr(self.value, "value", ""))

    @property
    def number(self) -> Decimal:
        """The value of a number."""
        return Decimal(self.text)

    @property
    def is_integer(self) -> bool:
        """Whether the value is a whole number."""
        value = self.value
        return isinstance(value, Literal) and value.datatype.value == vocab.expand("xsd:integer")

    @property
    def language(self) -> str | None:
        """The language of a text."""
        value = self.value
        return wording.tongue(value.value, value.language) if isinstance(value, Literal) else None


@dataclass(frozen=True, slots=True)
class Note:
    """One numbered source of a page."""

    mark: str
    label: str
    address: str


class Statements:
    """What is said on one page, in every language."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.values: dict[tuple[str, str], dict[Term, list[str]]] = {}
        """By subject and property: values, and who states each."""
        self.back: dict[tuple[str, str], list[str]] = {}
        """By value and property: subjects."""
        for subject, property, value, passage in rows:
            if not isinstance(subject, NamedNode) or not isinstance(property, NamedNode):
                continue
            if value is None:
                continue
            key = (subject.value, property.value)
            said = self.values.setdefault(key, {})
            if value not in said:
                said[value] = []
                if isinstance(value, NamedNode):
                    pointing = self.back.setdefault((value.value, property.value), [])
                    pointing.append(subject.value)
            if isinstance(passage, NamedNode):
                said[value].append(passage.value)
        self.inferences = self._infer()
        """By subject and property: what we concluded, and the inference."""

    def _infer(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        rdf = vocab.PREFIXES["rdf"]
        for (subject, property), said in self.values.items():
            if property != f"{rdf}subject":
                continue
            terms = [
                next(iter(self.values.get((subject, rdf + part), ())), None)
                for part in ("predicate", "object")
            ]
            for about in said:
                if terms[0] is not None and terms[1] is not None:
                    key = (_value(about), _value(terms[0]))
                    found.setdefault(key, []).append((_value(terms[1]), subject))
        return found


class Facts:
    """What is said on one page, in one language."""

    def __init__(
        self,
        said: Statements,
        labels: Labels,
        language: str,
        terms: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.labels, self.language, self._terms = labels, language, terms
        self._values, self._back, self._inferences = said.values, said.back, said.inferences
        self._things: dict[str, Thing] = {}
        self._notes: dict[str, Note] = {}
        self._read: dict[tuple[str, str], list[Fact]] = {}

    def name_of(self, term: str) -> str:
        """Return what a class or property is called, given as a prefixed name."""
        iri = vocab.expand(term)
        if not self.labels.get(iri) and term in self._terms:
            return self._terms[term][self.language]
        return label_in(self.labels, iri, self.language)

    def thing(self, iri: str) -> Thing:
        """Return a thing; there is one object for each."""
        return self._things.setdefault(iri, Thing(self, iri))

    def pointing(self, thing: Thing, property: str) -> list[Thing]:
        """Return the things that point to one."""
        listed = self._back.get((thing.iri, vocab.expand(property)), ())
        return sorted((self.thing(iri) for iri in listed), key=lambda each: each.order)

    def values(self, thing: Thing, property: str) -> list[Fact]:
        """Return the values of a property of a thing."""
        key = (thing.iri, property)
        if key not in self._read:
            self._read[key] = self._values_of(thing, vocab.expand(property))
        return self._read[key]

    def _values_of(self, thing: Thing, name: str) -> list[Fact]:
        said = self._values.get((thing.iri, name))
        if not said:
            return []
        tags = {value.language for value in said if isinstance(value, Literal)}
        others = set(LANGUAGES) - {self.language} if self.language in tags else set()
        facts = [
            self._fact(thing.iri, name, value, graphs)
            for value, graphs in said.items()
            if not (isinstance(value, Literal) and value.language in others)
        ]
        return sorted(facts, key=lambda each: each.thing.order if each.thing else (0, ""))

    def _fact(self, subject: str, property: str, value: Term, graphs: list[str]) -> Fact:
        thing = self.thing(value.value) if isinstance(value, NamedNode) else None
        stated = [each for each in graphs if each not in _OURS]
        inference = None
        if not stated:
            inference = self._inference(subject, property, _value(value), graphs)
        ours = [each for each in graphs if each != vocab.source(vocab.DERIVED)] or graphs
        return Fact(value, thing, tuple(sorted(stated or ours)), inference)

    def _inference(
        self, subject: str, property: str, value: str, graphs: Sequence[str]
    ) -> Thing | None:
        """Return the conclusion that a value is, or follows from."""
        concluded = self._inferences.get((subject, property), [])
        for about, iri in concluded:
            if about == value:
                return self.thing(iri)
        if vocab.source(vocab.DERIVED) not in graphs:
            return None
        # What a rule derives is no surer than what it derives it from.
        parts = [_value(each) for each in self._values.get((subject, _DELIVERS), ())]
        if any(
            graph not in _OURS
            for part in parts
            for term, said in self._values.get((part, property), {}).items()
            for graph in said
            if _value(term) == value
        ):
            return None
        listed = [
            each for part in parts for each in self._inferences.get((part, property), [])
        ] + concluded
        best = sorted(listed, key=lambda each: each[0] != value)
        return self.thing(best[0][1]) if best else None

    def all_of(self, kind: str) -> list[Thing]:
        """Return the things of a class on the page."""
        name = vocab.expand("rdf:type")
        listed = self._back.get((vocab.expand(kind), name), ())
        return [self.thing(iri) for iri in sorted(listed)]

    def any_has(self, things: Iterable[Thing], property: str) -> bool:
        """Say whether any of some things has a property."""
        return any(each.all(property) for each in things)

    def differs(self, things: Iterable[Thing], property: str) -> bool:
        """Say whether some things do not all have the same values of a property."""
        return len({frozenset(fact.value for fact in each.all(property)) for each in things}) > 1

    def notes_of(self, fact: Fact) -> list[Note]:
        """Return the sources of a value, numbered by their first use on the page."""
        if fact.inference:
            sources = [each.iri for each in fact.inference.things("dcterms:source")]
        else:
            sources = list(fact.sources)
        return [self._note(iri) for iri in sources]

    def _note(self, iri: str) -> Note:
        if iri not in self._notes:
            number = len(self._notes) + 1
            mark = chr(0x245F + number) if number in _CIRCLES else f"({number})"
            thing = self.thing(iri)
            self._notes[iri] = Note(mark, thing.label, thing.address)
        return self._notes[iri]

    @property
    def notes(self) -> list[Note]:
        """The sources used so far."""
        return list(self._notes.values())


_DELIVERS = vocab.expand("dg:delivers")


def _value(term: Term) -> str:
    return str(getattr(term, "value", ""))


def mentioned(rows: Iterable[Row]) -> set[str]:
    """Return every IRI of some rows."""
    return {term.value for row in rows for term in row if isinstance(term, NamedNode)}
