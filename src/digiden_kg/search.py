"""Full-text index of a release: names, readings and titles, folded, down to one character.

SQLite's FTS5 holds one- and two-character grams of the folded texts, because its own ``trigram``
finds nothing below three characters and Japanese names are often shorter. What the grams find is
checked against the text itself, so a match is always a real one.
"""

from __future__ import annotations

import difflib
import functools
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from digiden_kg import vocab
from digiden_kg.normalize import fold
from digiden_kg.questions import Question
from digiden_kg.results import Term

FACETS = ("prefecture", "type", "field", "service", "scene", "amount", "year")
"""By what results are narrowed down, besides their kind."""
_LONGEST = 100
"""Characters of a search that are looked at."""
_NEAR = 6
_SUGGESTED = 20


@dataclass(frozen=True)
class Entry:
    """One thing that can be found."""

    iri: str
    kind: str
    """Local name of its class, the first that fits."""
    labels: Mapping[str, str]
    text: str
    """Its own folded names, one a line."""
    rank: int
    """Place of its kind in the order of results."""
    also: list[str] = field(default_factory=list)
    """Folded names of the bodies and service types that it belongs to."""
    bodies: list[str] = field(default_factory=list)
    facets: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def framed(self) -> str:
        """Its names, each between two line ends."""
        return f"\n{self.text}\n"

    @cached_property
    def beside(self) -> str:
        """The names of what it belongs to, one a line."""
        return "\n".join(self.also)

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Its kind and the values of its facets, each with the name of the facet."""
        values = ((name, value) for name, of in self.facets.items() for value in of)
        return (("kind", self.kind), *values)

    def label(self, language: str) -> str:
        """Return its name in a language if it has one there."""
        return self.labels.get(language) or next(
            iter(self.labels.values()), vocab.shorten(self.iri)
        )


@dataclass(frozen=True)
class Found:
    """What a search found."""

    entries: tuple[Entry, ...]
    """Best first."""
    facets: Mapping[str, Mapping[str, int]]
    """How many results each value of a facet would leave, the facet's own choice left out."""
    near: tuple[Entry, ...]
    """What is called alike, where nothing was found."""
    named: int
    """How many of the entries, which are the first, are themselves called what was asked for."""


class Index:
    """A full-text index in memory; a search takes a millisecond or two."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = {entry.iri: entry for entry in entries}
        self._order = sorted(
            self.entries.values(), key=lambda entry: (entry.rank, len(entry.text), entry.iri)
        )
        self._lock = threading.Lock()
        # Everybody begins to type with the same few characters, which find the most.
        self._suggest = functools.lru_cache(maxsize=1024)(self._suggested)
        self._base = sqlite3.connect(":memory:", check_same_thread=False)
        self._base.execute(
            "CREATE VIRTUAL TABLE texts USING fts5(grams, content='', detail=none,"
            " tokenize='unicode61 remove_diacritics 0')"
        )
        self._base.executemany(
            "INSERT INTO texts (rowid, grams) VALUES (?, ?)",
            (
                (number, " ".join(sorted(grams("\n".join((entry.text, *entry.also))))))
                for number, entry in enumerate(self._order, 1)
            ),
        )

    @property
    def ordered(self) -> Sequence[Entry]:
        """All entries, in the order of results that fit equally well."""
        return self._order

    def suggest(self, text: str, kinds: Collection[str] = (), most: int = 8) -> list[Entry]:
        """Return the best few things that contain every word of a text, as fast as typing.

        Args:
            text: Words as a person writes them; nothing is found for none.
            kinds: Only things of these kinds, if any.
            most: How many, up to 20.
        """
        return self._suggest(" ".join(fold(text[:_LONGEST]).split()), frozenset(kinds))[:most]

    def _suggested(self, text: str, kinds: frozenset[str]) -> list[Entry]:
        words = text.split()
        found = self._matching(words) if words else []
        if kinds:
            found = [entry for entry in found if entry.kind in kinds]
        return _best_first(found, words)[:_SUGGESTED]

    def search(self, text: str, chosen: Mapping[str, Sequence[str]] | None = None) -> Found:
        """Return what contains every word of a text; everything where there is none.

        Args:
            text: Words as a person writes them.
            chosen: Values of ``kind`` and of the facets that results must have, one of each.
        """
        words = fold(text[:_LONGEST]).split()
        matching = self._matching(words)
        chosen = {name: values for name, values in (chosen or {}).items() if values}
        kept = []
        pairs: Counter[tuple[str, str]] = Counter()
        for entry in matching:
            failed = [name for name, values in chosen.items() if not _has(entry, name, values)]
            if not failed:
                kept.append(entry)
            elif len(failed) == 1:
                pairs.update(pair for pair in entry.pairs if pair[0] == failed[0])
        pairs.update(chain.from_iterable(entry.pairs for entry in kept))
        counts: dict[str, dict[str, int]] = {name: {} for name in ("kind", *FACETS)}
        for (name, value), count in pairs.items():
            counts[name][value] = count
        groups = _by_fit(kept, words)
        found = tuple(entry for group in groups for entry in group)
        near = () if found or not words else self._near(" ".join(words))
        return Found(found, counts, near, len(found) - len(groups[-1]))

    def containing(self, text: str) -> list[Entry]:
        """Return what has every word of a text in its own names, the best name first."""
        words = fold(text[:_LONGEST]).split()
        found = [
            entry
            for entry in self._matching(words)
            if words and all(word in entry.text for word in words)
        ]
        return _best_first(found, words)

    def _matching(self, words: Sequence[str]) -> list[Entry]:
        if not words:
            return self._order
        grams = sorted({gram for word in words for gram in _needed(word)})
        found = self._order  # for nothing but signs, which the index leaves out
        if grams:
            found = self._having(" AND ".join(f'"{gram}"' for gram in grams))
        return [
            entry
            for entry in found
            if all(word in entry.text or word in entry.beside for word in words)
        ]

    def _near(self, text: str) -> tuple[Entry, ...]:
        """Return what is called alike, among what has two characters in a row in common."""
        pairs = sorted(gram for gram in grams(text) if len(gram) == 2)
        names: dict[str, Entry] = {}
        for entry in self._having(" OR ".join(f'"{gram}"' for gram in pairs)) if pairs else ():
            for line in entry.text.split("\n"):
                names.setdefault(line, entry)
        close = difflib.get_close_matches(text, names, n=2 * _NEAR, cutoff=0.6)
        return tuple({names[each].iri: names[each] for each in close}.values())[:_NEAR]

    def _having(self, query: str) -> list[Entry]:
        """Return what a query of FTS5 finds, in the order of the index."""
        with self._lock:
            rows = self._base.execute(
                "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rowid", (query,)
            ).fetchall()
        return [self._order[number - 1] for (number,) in rows]


def grams(text: str) -> set[str]:
    """Return the grams of one and two letters or digits of each word."""
    return {
        word[at : at + size]
        for word in _runs(text)
        for size in (1, 2)
        for at in range(len(word) - size + 1)
    }


def _needed(word: str) -> set[str]:
    """Return the grams that a text with a word in it must have."""
    runs = _runs(word)
    return {
        gram
        for run in runs
        for gram in ([run] if len(run) == 1 else [run[at : at + 2] for at in range(len(run) - 1)])
    }


def _runs(text: str) -> list[str]:
    """Return the runs of letters and digits; SQLite takes everything else for a gap."""
    return "".join(each if each.isalnum() else " " for each in text).split()


def _values(entry: Entry, name: str) -> Sequence[str]:
    return (entry.kind,) if name == "kind" else entry.facets.get(name, ())


def _has(entry: Entry, name: str, values: Sequence[str]) -> bool:
    return not set(values).isdisjoint(_values(entry, name))


def _best_first(entries: Iterable[Entry], words: Sequence[str]) -> list[Entry]:
    return [entry for group in _by_fit(entries, words) for entry in group]


def _by_fit(entries: Iterable[Entry], words: Sequence[str]) -> tuple[list[Entry], ...]:
    """Return entries, which come in the order of an index, by how well their names fit."""
    text = " ".join(words)
    whole, start = f"\n{text}\n", f"\n{text}"
    # The name itself; the start of a name; in the names; only what it belongs to is called so.
    groups: tuple[list[Entry], ...] = ([], [], [], [])
    for entry in entries:
        names = entry.framed
        if not words or whole in names:
            groups[0].append(entry)
        elif start in names:
            groups[1].append(entry)
        elif all(word in names for word in words):
            groups[2].append(entry)
        else:
            groups[3].append(entry)
    return groups


def spans(label: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Return where folded words stand in a label, in its own characters and order."""
    folded, places = _places(label)
    marked = [False] * len(label)
    for word in words if places else ():
        at = folded.find(word)
        while at >= 0:
            for place in places[at : at + len(word)]:
                marked[place] = True
            at = folded.find(word, at + 1)
    found: list[tuple[int, int]] = []
    for place, is_marked in enumerate(marked):
        if is_marked and found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        elif is_marked:
            found.append((place, place + 1))
    return found


@functools.lru_cache(maxsize=4096)
def _places(label: str) -> tuple[str, tuple[int, ...]]:
    """Return a folded label and the character that each of its characters comes from.

    Where characters fold together, which is rare, nothing is said of places.
    """
    folded = fold(label)
    places = [place for place, each in enumerate(label) for _ in fold(each)]
    return folded, tuple(places) if len(places) == len(folded) else ()


def question_entries(
    questions: Iterable[Question], entries: Mapping[str, Entry]
) -> Iterator[Entry]:
    """Yield saved questions as things that can be found, also by the names of what they ask for.

    Args:
        questions: The questions.
        entries: The things that their queries may name.
    """
    for question in questions:
        asked, done = "", 0
        for _, start, end in question.slots:  # what stands in a slot is only a default
            asked, done = asked + question.text[done:start], end
        named = dict.fromkeys(re.findall(r"<([^<>\s]+)>", asked + question.text[done:]))
        names = [fold(text) for text in (*question.title.values(), *question.summary.values())]
        names += [question.slug, *(entries[iri].text for iri in named if iri in entries)]
        yield Entry(
            vocab.BASE + QUESTION + question.slug,
            "Question",
            question.title,
            "\n".join(names),
            _KINDS.index("Question"),
        )


QUESTION = "question/"
"""Under this, below the base, saved questions have their IRIs."""


def read_entries(
    things: Iterable[Sequence[Term | None]], facets: Iterable[Sequence[Term | None]]
) -> list[Entry]:
    """Return entries from the rows of ``queries/pages/search-things.rq`` and ``-facets.rq``."""
    entries: dict[str, Entry] = {}
    for thing, cls, text, label, code in things:
        assert thing is not None and cls is not None and text is not None
        kind = _local(_text(cls))
        rank = _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
        entry = entries.get(_text(thing))
        if entry is None or rank < entry.rank:
            labels = entry.labels if entry else {}
            names = "\n".join(filter(None, (_text(text), _text(code))))
            entry = Entry(_text(thing), kind, dict(labels), names, rank)
            entries[entry.iri] = entry
        language = getattr(label, "language", None)
        if label is not None and language and isinstance(entry.labels, dict):
            entry.labels.setdefault(language, _text(label))
    for thing, name, value in facets:
        entry = entries.get(_text(thing))
        if entry is None:
            continue
        if _text(name) == "body":
            entry.bodies.append(_text(value))
        else:
            entry.facets.setdefault(_text(name), []).append(_text(value))
    for entry in entries.values():
        for iri in (*entry.bodies, *entry.facets.get("service", ())):
            if iri in entries and iri != entry.iri:
                entry.also.append(entries[iri].text)
    return list(entries.values())


_KINDS = (
    *("LocalGovernment", "ModelService", "GrantType", "Question", "Project", "Service"),
    *("DataPlatform", "Organisation"),
    *("Indicator", "Facility", "LinkedSystem", "StatedFigure", "Observation"),
    *("Passage", "Concept"),
)
"""Local names of the classes in the order of results."""


def _text(term: Term | None) -> str:
    return getattr(term, "value", "")


def _local(iri: str) -> str:
    return iri.rpartition("#")[2]
