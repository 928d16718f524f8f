"""Matches names that a person wrote to things of a release, as reconciliation services do.

Identifiers are paths under the base (``id/body/142069``); classes and properties of ours go by
their local names, those of others by prefixed names. A candidate is called a match only where
nothing else fits as well: 池田町 lies in four prefectures and matches none of them by its name.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.exceptions import ParameterError
from digiden_kg.normalize import fold
from digiden_kg.results import Term
from digiden_kg.search import Entry, Index

MOST_QUERIES = 50
"""Queries of a batch."""
MOST_CANDIDATES = 100
"""Candidates that one query may ask for."""
_USUAL = 10
_LONGEST = 200
"""Characters of a name."""
_MOST_PROPERTIES = 20
_CLOSE = 0.5
"""Likeness of names from which on a thing is a candidate."""
_TRIED = 60
"""Names that are compared letter by letter."""
_UNKNOWN, _CONTRADICTED = 0.8, 0.4
"""What is left of a score where a wanted value is not known (or a type that only should fit does
not), or where it is another one."""
_CODES = ("code", "areaCode", "corporateNumber", "dcterms:identifier")
"""Properties whose values name a thing as well as its name does."""
_FACETS = {
    "inPrefecture": "prefecture",
    "grantType": "type",
    "field": "field",
    "implements": "service",
}
"""Properties that what belongs to a body or project has through it."""

Column = Mapping[str, Sequence[Term]]
"""Values of one property by the IRIs of things."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value that candidates should have."""

    property: str
    """IRI."""
    values: tuple[str | float | bool, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a batch."""

    text: str
    types: tuple[str, ...] = ()
    """IRIs."""
    strict: str = "any"
    """``any`` or ``all`` of the types are needed, or they only ``should`` fit."""
    limit: int = _USUAL
    wanted: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A thing that may be meant."""

    entry: Entry
    score: float
    """0 to 100."""
    match: bool
    features: Mapping[str, float | bool]


@dataclass(frozen=True, slots=True)
class Property:
    """A property, and of how many things of each class it is said."""

    iri: str
    uses: Mapping[str, int]
    ranges: frozenset[str]


def identifier(iri: str) -> str:
    """Return the short name of an IRI: a path, a local or a prefixed name; foreign ones stay."""
    own = vocab.PREFIXES["dg"]
    if iri.startswith(own):
        return iri.removeprefix(own)
    return iri.removeprefix(vocab.BASE) if iri.startswith(vocab.BASE) else vocab.shorten(iri)


def term_iri(name: str) -> str:
    """Return the IRI of a class or property; the other way of :func:`identifier`."""
    if name.isalnum():
        return vocab.PREFIXES["dg"] + name
    try:
        return vocab.expand(name)
    except KeyError:
        return name


def thing_iri(name: str) -> str:
    """Return the IRI of a thing by its identifier or IRI."""
    return name if name.startswith(("http://", "https://")) else vocab.BASE + name


class Matcher:
    """What names are matched against: the full-text index of a release, and the classes of it."""

    def __init__(
        self,
        index: Index,
        types: Iterable[Sequence[Term | None]],
        classes: Iterable[Sequence[Term | None]],
        properties: Iterable[Sequence[Term | None]],
    ) -> None:
        """Make one from the rows of ``queries/pages/matching-*.rq``."""
        self._index = index
        self._types: dict[str, list[str]] = defaultdict(list)
        for thing, cls in types:
            if _text(thing) in index.entries:
                self._types[_text(thing)].append(_text(cls))
        self.entries = {iri: index.entries[iri] for iri in self._types}
        self.sizes = Counter(each for listed in self._types.values() for each in listed)
        self.broader: dict[str, list[str]] = defaultdict(list)
        for cls, above in classes:
            self.broader[_text(cls)].append(_text(above))
        found: dict[str, tuple[dict[str, int], set[str]]] = {}
        for predicate, cls, target, count in properties:
            uses, ranges = found.setdefault(_text(predicate), ({}, set()))
            uses[_text(cls)] = int(_text(count))
            if target is not None:
                ranges.add(_text(target))
        self.properties = {
            iri: Property(iri, uses, frozenset(ranges)) for iri, (uses, ranges) in found.items()
        }
        self._names: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries.values():
            for name in entry.text.split("\n"):
                self._names[_squeeze(name)].append(entry)
        self._grams: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            for gram in _pairs(name):
                self._grams[gram].append(name)

    def types_of(self, iri: str) -> list[str]:
        """Return the classes of a thing, the most special first."""
        above = {each for cls in self._types[iri] for each in self._above(cls)}
        return sorted(self._types[iri], key=lambda cls: (cls in above, self.sizes[cls], cls))

    def _above(self, cls: str) -> set[str]:
        found, queue = set(), list(self.broader.get(cls, ()))
        while queue:
            each = queue.pop()
            if each not in found:
                found.add(each)
                queue += self.broader.get(each, ())
        return found

    def starting(self, text: str, languages: Sequence[str]) -> list[Entry]:
        """Return what a person may be about to write: identifiers, then names, best first."""
        known = self.entries.get(thing_iri(text))
        found = [*([known] if known else []), *self._index.search(text).entries]
        folded = _squeeze(fold(text))
        own = [
            each
            for each in found
            if each is known or (each.iri in self.entries and folded in _squeeze(each.text))
        ]
        return list({each.iri: each for each in own}.values())

    def match(self, query: Query, columns: Mapping[str, Column]) -> list[Candidate]:
        """Return what a query may mean, best first.

        Args:
            query: What is looked for.
            columns: Values of the properties of the query, and of those that are codes.
        """
        folded = _squeeze(fold(query.text))
        likeness = (
            self._alike(query.text, folded, columns) if folded else self._with(query, columns)
        )
        found = []
        for iri, alike in likeness.items():
            features: dict[str, float | bool] = {"name": round(alike, 3)} if folded else {}
            score = 100 * alike
            if query.types:
                fits = self._fits(iri, query)
                if not fits and query.strict != "should":
                    continue
                features["type"] = fits
                score *= 1 if fits else _UNKNOWN
            verdicts = []
            for wanted in query.wanted:
                verdict = self._has(self.entries[iri], wanted, columns)
                verdicts.append(verdict)
                if verdict is None:
                    score *= _UNKNOWN
                    continue
                features[identifier(wanted.property)] = verdict
                score *= 1 if verdict else _CONTRADICTED
            certain = alike == 1 and all(verdicts) and features.get("type", True) is True
            possible = alike == 1 and False not in verdicts and features.get("type", True) is True
            found.append((self.entries[iri], round(score, 1), certain, possible, features))
        found.sort(key=lambda each: (-each[1], each[0].rank, len(each[0].text), each[0].iri))
        alone = sum(possible for *_, possible, _ in found) == 1
        return [
            Candidate(entry, score, certain and alone, features)
            for entry, score, certain, _, features in found[: query.limit]
        ]

    def _alike(self, text: str, folded: str, columns: Mapping[str, Column]) -> dict[str, float]:
        """Return how much the names of things are like a text; 1 is the same."""
        likeness = dict.fromkeys((entry.iri for entry in self._names.get(folded, ())), 1.0)
        if thing_iri(text) in self.entries:
            likeness[thing_iri(text)] = 1.0
        for name in _CODES:
            for iri, values in columns.get(term_iri(name), {}).items():
                if iri in self.entries and any(_text(each) == text.strip() for each in values):
                    likeness[iri] = 1.0
        if folded.isdecimal():  # another number is another thing, however few digits differ
            return likeness
        names: set[str] = set()
        for entry in self._index.containing(text)[:_TRIED]:
            names.update(map(_squeeze, entry.text.split("\n")))
        shared = Counter(name for gram in _pairs(folded) for name in self._grams.get(gram, ()))
        # Names of the same many grams go by their length: the nearest to that of the text first.
        close = sorted(shared, key=lambda name: (-shared[name], abs(len(name) - len(folded)), name))
        names.update(close[:_TRIED])
        matcher = difflib.SequenceMatcher(autojunk=False)
        matcher.set_seq2(folded)
        for name in sorted(names):
            matcher.set_seq1(name)
            if matcher.real_quick_ratio() < _CLOSE or matcher.quick_ratio() < _CLOSE:
                continue
            alike = min(0.95, matcher.ratio())
            if alike >= _CLOSE:
                for entry in self._names.get(name, ()):
                    likeness[entry.iri] = max(alike, likeness.get(entry.iri, 0))
        return likeness

    def _with(self, query: Query, columns: Mapping[str, Column]) -> dict[str, float]:
        """Return what has the first wanted value, where a query gives no name."""
        return {
            iri: 1.0
            for iri, entry in self.entries.items()
            if query.wanted and self._has(entry, query.wanted[0], columns)
        }

    def _fits(self, iri: str, query: Query) -> bool:
        own = set(self._types[iri])
        own |= {above for cls in own for above in self._above(cls)}
        return own.issuperset(query.types) if query.strict == "all" else bool(own & {*query.types})

    def _has(self, entry: Entry, wanted: Wanted, columns: Mapping[str, Column]) -> bool | None:
        """Return whether a thing has a wanted value; None where it is not known."""
        terms: list[Term] = list(columns.get(wanted.property, {}).get(entry.iri, ()))
        name = identifier(wanted.property)
        if not terms and name in _FACETS:
            terms = [NamedNode(each) for each in entry.facets.get(_FACETS[name], ())]
        if not terms and name == "grantedTo":
            terms = [NamedNode(each) for each in entry.bodies]
        if not terms:
            return None
        return any(self._is(term, value) for term in terms for value in wanted.values)

    def _is(self, term: Term, value: str | float | bool) -> bool:
        if isinstance(term, NamedNode):
            if not isinstance(value, str):
                return False
            if term.value in (thing_iri(value), value):
                return True
            entry = self.entries.get(term.value)
            folded = _squeeze(fold(value))
            names = map(_squeeze, entry.text.split("\n")) if entry else ()
            # 長野 is 長野県.
            return any(
                name == folded or (len(folded) > 1 and name.startswith(folded)) for name in names
            )
        text = _text(term)
        if isinstance(value, bool):
            return text in (("true", "1") if value else ("false", "0"))
        if isinstance(value, int | float):
            return _number(text) == value
        return _squeeze(fold(text)) == _squeeze(fold(value))


def read_queries(text: str, known: Mapping[str, object]) -> dict[str, Query]:
    """Return the queries of a batch in JSON.

    Args:
        text: An object of queries by names of the client's own.
        known: IRIs of the properties that there are.

    Raises:
        ParameterError: It is no batch; the message says which query is wrong, and how.
    """
    batch = _object(text, "queries")
    return {name: _query(f"queries.{name}", content, known) for name, content in batch.items()}


def _query(place: str, content: Any, known: Mapping[str, object]) -> Query:
    if not isinstance(content, dict):
        raise _wrong(place, "an object", "オブジェクト")
    strange = sorted(set(content) - {"query", "type", "limit", "properties", "type_strict"})
    if strange:
        raise ParameterError(
            f"{place}: unknown field {strange[0]!r} / {strange[0]!r} という項目はありません。"
        )
    text = content.get("query", "")
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise _wrong(
            f"{place}.query",
            f"a text of at most {_LONGEST} characters",
            f"{_LONGEST}文字以内の文字列",
        )
    types = content.get("type") or []
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
        raise _wrong(f"{place}.type", "a text or a list of texts", "文字列またはその配列")
    strict = content.get("type_strict", "any")
    if strict not in ("any", "all", "should"):
        raise _wrong(f"{place}.type_strict", "any, all or should", "any、all、should のどれか")
    limit = content.get("limit", _USUAL)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= MOST_CANDIDATES:
        raise _wrong(
            f"{place}.limit",
            f"a whole number from 1 to {MOST_CANDIDATES}",
            f"1 から {MOST_CANDIDATES} までの整数",
        )
    wanted = content.get("properties", [])
    if not isinstance(wanted, list) or len(wanted) > _MOST_PROPERTIES:
        raise _wrong(
            f"{place}.properties",
            f"a list of at most {_MOST_PROPERTIES} objects",
            f"{_MOST_PROPERTIES}個以内のオブジェクトの配列",
        )
    if not text.strip() and not wanted:
        raise ParameterError(
            f"{place}: give query or properties / query か properties を指定してください。"
        )
    return Query(
        text.strip(),
        tuple(term_iri(each) for each in types),
        strict,
        limit,
        tuple(
            _wanted(f"{place}.properties[{number}]", each, known)
            for number, each in enumerate(wanted)
        ),
    )


def _wanted(place: str, content: Any, known: Mapping[str, object]) -> Wanted:
    if not isinstance(content, dict) or not isinstance(content.get("pid"), str):
        raise _wrong(place, "an object with pid and v", "pid と v のあるオブジェクト")
    iri = term_iri(content["pid"])
    if iri not in known:
        raise ParameterError(
            f"{place}.pid: there is no property {content['pid']!r}; /api/reconcile/suggest/property"
            f" lists them / {content['pid']!r} というプロパティはありません。"
        )
    given = content.get("v")
    values = []
    for each in given if isinstance(given, list) else [given]:
        value = each.get("id") if isinstance(each, dict) else each
        if not isinstance(value, str | int | float):
            raise _wrong(
                f"{place}.v",
                "a text, a number, true or false, an object with id, or a list of them",
                "文字列、数、真偽値、id のあるオブジェクト、またはその配列",
            )
        values.append(value)
    return Wanted(iri, tuple(values))


@dataclass(frozen=True, slots=True)
class Extension:
    """Which values of which things are asked for."""

    things: tuple[str, ...]
    """Identifiers as the client writes them."""
    properties: tuple[tuple[str, Mapping[str, Any]], ...]
    """IRI and settings of each."""
    names: tuple[str, ...] = field(default=())
    """The properties as the client writes them."""


def read_extension(text: str, most_things: int, known: Mapping[str, object]) -> Extension:
    """Return a data extension query in JSON.

    Raises:
        ParameterError: It is none; the message says where it is wrong, and how.
    """
    content = _object(text, "extend")
    things, wanted = content.get("ids"), content.get("properties")
    if (
        not isinstance(things, list)
        or len(things) > most_things
        or not all(isinstance(each, str) for each in things)
    ):
        raise _wrong(
            "extend.ids",
            f"a list of at most {most_things} texts",
            f"{most_things}個以内の文字列の配列",
        )
    if not isinstance(wanted, list) or len(wanted) > _MOST_PROPERTIES:
        raise _wrong(
            "extend.properties",
            f"a list of at most {_MOST_PROPERTIES} objects",
            f"{_MOST_PROPERTIES}個以内のオブジェクトの配列",
        )
    properties, names = [], []
    for number, each in enumerate(wanted):
        place = f"extend.properties[{number}]"
        settings = each.get("settings", {}) if isinstance(each, dict) else None
        if settings is None or not isinstance(each.get("id"), str):
            raise _wrong(place, "an object with id", "id のあるオブジェクト")
        iri = term_iri(each["id"])
        if iri not in known:
            raise ParameterError(
                f"{place}.id: there is no property {each['id']!r};"
                " /api/reconcile/suggest/property lists them"
                f" / {each['id']!r} というプロパティはありません。"
            )
        if not isinstance(settings, dict):
            raise _wrong(f"{place}.settings", "an object", "オブジェクト")
        properties.append((iri, settings))
        names.append(each["id"])
    return Extension(tuple(things), tuple(properties), tuple(names))


def codes() -> list[str]:
    """Return the IRIs of the properties whose values name a thing."""
    return [term_iri(name) for name in _CODES]


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{place}: no JSON: {error} / JSON として読めません。") from error
    if not isinstance(content, dict):
        raise _wrong(place, "an object", "オブジェクト")
    return content


def _wrong(place: str, english: str, japanese: str) -> ParameterError:
    return ParameterError(f"{place}: must be {english} / {japanese}にしてください。")


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)} or {text}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(term: Term | None) -> str:
    return term.value if isinstance(term, NamedNode | Literal) else ""
