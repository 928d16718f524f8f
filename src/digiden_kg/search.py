"""Full-text index of a release: names, readings and titles, folded, down to one character.

SQLite's FTS5 holds one- and two-character grams of the folded texts, because its own ``trigram``
finds nothing below three characters and Japanese names are often shorter. What the grams find is
checked against the text itself, so a match is always a real one.
"""

from __future__ import annotations

import difflib
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from digiden_kg import vocab
from digiden_kg.normalize import fold
from digiden_kg.results import Term

FACETS = ("prefecture", "type", "field", "service")
"""By what results are narrowed down, besides their kind."""
_LONGEST = 100
"""Characters of a search that are looked at."""
_NEAR = 6


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


class Index:
    """A full-text index in memory; a search takes a millisecond or two."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = {entry.iri: entry for entry in entries}
        self._order = list(self.entries.values())
        self._lock = threading.Lock()
        self._base = sqlite3.connect(":memory:", check_same_thread=False)
        self._base.execute(
            "CREATE VIRTUAL TABLE texts USING fts5(grams, content='', detail=none,"
            " tokenize='unicode61 remove_diacritics 0')"
        )
        self._base.executemany(
            "INSERT INTO texts (rowid, grams) VALUES (?, ?)",
            (
                (number, " ".join(sorted(_grams("\n".join((entry.text, *entry.also))))))
                for number, entry in enumerate(self._order, 1)
            ),
        )

    def search(self, text: str, chosen: Mapping[str, Sequence[str]] | None = None) -> Found:
        """Return what contains every word of a text; everything where there is none.

        Args:
            text: Words as a person writes them.
            chosen: Values of ``kind`` and of the facets that results must have, one of each.
        """
        words = fold(text[:_LONGEST]).split()
        matching = self._matching(words)
        chosen = {name: values for name, values in (chosen or {}).items() if values}
        counts: dict[str, Counter[str]] = {name: Counter() for name in ("kind", *FACETS)}
        kept = []
        for entry in matching:
            failed = [name for name, values in chosen.items() if not _has(entry, name, values)]
            if not failed:
                kept.append(entry)
            for name, counter in counts.items():
                if not failed or failed == [name]:
                    counter.update(_values(entry, name))
        kept.sort(key=lambda entry: _rank(entry, words))
        near = () if kept or not words else self._near(" ".join(words))
        return Found(tuple(kept), counts, near)

    def containing(self, text: str) -> list[Entry]:
        """Return what has every word of a text in its own names, the best name first."""
        words = fold(text[:_LONGEST]).split()
        found = [
            entry
            for entry in self._matching(words)
            if words and all(word in entry.text for word in words)
        ]
        return sorted(found, key=lambda entry: _rank(entry, words))

    def _matching(self, words: Sequence[str]) -> list[Entry]:
        if not words:
            return self._order
        grams = sorted({gram for word in words for gram in _needed(word)})
        if grams:
            query = " AND ".join(f'"{gram}"' for gram in grams)
            with self._lock:
                rows = self._base.execute(
                    "SELECT rowid FROM texts WHERE texts MATCH ?", (query,)
                ).fetchall()
            found = [self._order[number - 1] for (number,) in rows]
        else:  # nothing but signs that the index leaves out
            found = self._order
        return [
            entry
            for entry in found
            if all(word in entry.text or any(word in each for each in entry.also) for word in words)
        ]

    def _near(self, text: str) -> tuple[Entry, ...]:
        names: dict[str, Entry] = {}
        for entry in self._order:
            for line in entry.text.split("\n"):
                names.setdefault(line, entry)
        close = difflib.get_close_matches(text, names, n=2 * _NEAR, cutoff=0.6)
        return tuple({names[each].iri: names[each] for each in close}.values())[:_NEAR]


def _grams(text: str) -> set[str]:
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


def _rank(entry: Entry, words: Sequence[str]) -> tuple[int, int, int, str]:
    names = entry.text.split("\n")
    text = " ".join(words)
    if not words or text in names:
        quality = 0
    elif any(name.startswith(text) for name in names):
        quality = 1
    elif all(word in entry.text for word in words):
        quality = 2
    else:
        quality = 3  # only what it belongs to is called so
    return quality, entry.rank, len(entry.text), entry.iri


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
    *("LocalGovernment", "ModelService", "Project", "Service", "DataPlatform", "Organisation"),
    *("Indicator", "Facility", "LinkedSystem", "GrantType", "StatedFigure", "Observation"),
    *("Passage", "Concept"),
)
"""Local names of the classes in the order of results."""


def _text(term: Term | None) -> str:
    return getattr(term, "value", "")


def _local(iri: str) -> str:
    return iri.rpartition("#")[2]
