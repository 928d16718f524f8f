"""Queries for people who write none: class, relation, value, as the shapes and the data know them.

A :class:`Model` says what can be asked; a :class:`Wish` is what somebody asks, read from the
parameters of an address; the wish writes the SPARQL. What the model does not offer is never part of
a wish, so every wish is a query that runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.describe import Labels
from digiden_kg.questions import Text
from digiden_kg.results import Term

STEPS = 3
"""Relations that a condition may follow one after the other."""
VALUES = 2000
"""Values of a relation that are listed."""
ALTERNATIVES = 20
"""Values of which one condition may ask for any."""
LIMITS = (20, 100, 1000)
"""Rows that may be asked for."""
_LANGUAGES = ("ja", "en")
_NUMBERS = frozenset(vocab.expand(f"xsd:{name}") for name in ("integer", "decimal", "double"))
_TIMES = frozenset(vocab.expand(f"xsd:{name}") for name in ("gYear", "gYearMonth", "date"))
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_TIME = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_MARKS = {"ge": ">=", "le": "<=", "eq": "="}
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "thing": ("is", "has", "some", "none"),
    "number": ("ge", "le", "eq", "some", "none"),
    "time": ("eq", "ge", "le", "some", "none"),
    "text": ("has", "some", "none"),
}
"""What may be asked of a value of each kind, the usual first."""
WORDS: Mapping[str, Text] = {
    "is": {"ja": "が次のもの", "en": "is"},
    "has": {"ja": "が次の語を含む", "en": "contains the word"},
    "ge": {"ja": "が次の値以上", "en": "is at least"},
    "le": {"ja": "が次の値以下", "en": "is at most"},
    "eq": {"ja": "が次の値", "en": "equals"},
    "some": {"ja": "の記載がある", "en": "is stated"},
    "none": {"ja": "の記載がない（ないとは限らない）", "en": "is not stated (which is not “no”)"},
}
"""What the operations are called."""
WITH_ALTERNATIVES = ("is", "has", "eq")
"""Operations that may ask for any of several values."""
_OR = {"ja": "、または ", "en": " or "}


@dataclass(frozen=True, slots=True)
class Relation:
    """One step from the things of a class to values."""

    key: str
    """``dg:grantedTo``; ``^dg:grantedTo(dg:Project)`` against its direction."""
    label: Text = field(hash=False)
    kind: str
    """``thing``, ``number``, ``time`` or ``text``."""
    range: str | None
    """Class of the values, as a prefixed name, where the shapes know it."""
    things: int | None
    """Things that have it; None against its direction."""
    languages: tuple[str, ...] = ()
    """Languages of its texts."""

    @property
    def predicate(self) -> str:
        """The property as a prefixed name."""
        return self.key.removeprefix("^").partition("(")[0]

    @property
    def inverse(self) -> bool:
        """Whether the values point here."""
        return self.key.startswith("^")

    @property
    def name(self) -> str:
        """Name of a variable for its values."""
        name = (self.range or self.predicate if self.inverse else self.predicate).partition(":")[2]
        return name[0].lower() + name[1:]


@dataclass(frozen=True, slots=True)
class Kind:
    """A class to start from."""

    key: str
    label: Text
    things: int
    relations: Mapping[str, Relation]

    @property
    def name(self) -> str:
        """Name of a variable for its things."""
        name = self.key.partition(":")[2]
        return name[0].lower() + name[1:]


@dataclass(frozen=True)
class Model:
    """What can be asked: classes and their relations."""

    kinds: Mapping[str, Kind]

    def relations(self, key: str | None) -> Mapping[str, Relation]:
        """Return the relations of a class; none where the class is unknown."""
        kind = self.kinds.get(key or "")
        return kind.relations if kind else {}

    def path(self, start: str, keys: Iterable[str]) -> tuple[Relation, ...]:
        """Return the steps that are offered one after the other, up to the first that is not."""
        steps: list[Relation] = []
        at: str | None = start
        for key in keys:
            step = self.relations(at).get(key)
            if step is None or len(steps) == STEPS:
                break
            steps.append(step)
            at = step.range
        return tuple(steps)


def read_model(
    classes: Iterable[Sequence[Term | None]],
    relations: Iterable[Sequence[Term | None]],
    uses: Iterable[Sequence[Term | None]],
    labels: Labels,
    terms: Mapping[str, Text],
) -> Model:
    """Return the model from the rows of the queries of ``queries/pages/builder*.rq``.

    Args:
        classes: Rows of (class, things, IRIs of the classes above).
        relations: Rows of (class, path, class of the values); they hold for classes below, too.
        uses: Rows of (class, path, things, IRIs among the values, datatypes, languages).
        labels: What classes and relations of ours are called.
        terms: What those of others are called, by prefixed name.
    """

    def named(iri: str) -> Text | None:
        found = labels.get(iri, {})
        if all(language in found for language in _LANGUAGES):
            return {language: found[language] for language in _LANGUAGES}
        return terms.get(vocab.shorten(iri))

    counted = [_texts(row) for row in classes]
    above = {iri: set(higher.split()) for iri, _, higher in counted}
    used = {(iri, path): rest for iri, path, *rest in map(_texts, uses)}
    forward: dict[str, dict[str, Relation]] = {iri: {} for iri in above}
    backward: dict[str, dict[str, Relation]] = {iri: {} for iri in above}
    shaped = [
        (iri, path, target)
        for of, path, target in map(_texts, relations)
        for iri, higher in above.items()
        if of in higher
    ]
    for iri, path, target in shaped:
        label, of, use = named(path), named(iri), used.get((iri, path))
        if iri not in forward or not label or not of or not use:
            continue
        things, iris, datatypes, languages = use
        kind = _kind(int(iris), frozenset(datatypes.split()))
        known = vocab.shorten(target) if target in above else None
        key = vocab.shorten(path)
        spoken = tuple(each for each in languages.split() if each in _LANGUAGES)
        forward[iri][key] = Relation(key, label, kind, known, int(things), spoken)
        back, short = f"^{key}({vocab.shorten(iri)})", vocab.shorten(iri)
        words = {"ja": f"{of['ja']}（{label['ja']}）", "en": f"{of['en']} ({label['en']})"}
        for other, higher in above.items():
            if target in above and target in higher:
                backward[other][back] = Relation(back, words, "thing", short, None)
    for iri, higher in above.items():  # what some of the things have can be asked of all of them
        for other in (higher & forward.keys()) - {iri}:
            for key, relation in forward[iri].items():
                forward[other].setdefault(key, relation)
    kinds = {}
    for iri, things, _ in counted:
        called, key = named(iri), vocab.shorten(iri)
        if called and forward[iri]:
            listed = sorted(forward[iri].values(), key=lambda each: -(each.things or 0))
            offered = {each.key: each for each in (*listed, *backward[iri].values())}
            kinds[key] = Kind(key, called, int(things), offered)
    return Model(kinds)


def _texts(row: Sequence[Term | None]) -> list[str]:
    return [each.value if isinstance(each, NamedNode | Literal) else "" for each in row]


def _kind(iris: int, datatypes: frozenset[str]) -> str:
    if iris:
        return "thing"
    if datatypes and datatypes <= _NUMBERS:
        return "number"
    return "time" if datatypes and datatypes <= _TIMES else "text"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: a path, what is asked of its end, and values; maybe not finished yet."""

    steps: tuple[Relation, ...]
    operation: str
    values: tuple[str, ...]
    """Any of them fits."""
    wrong: Mapping[str, Text] = field(default_factory=dict, hash=False)
    """Values that cannot be used, and why."""

    @property
    def kind(self) -> str:
        """Kind of the value."""
        return self.steps[-1].kind

    @property
    def ready(self) -> bool:
        """Whether it says something."""
        return self.operation in ("some", "none") or bool(self.values and not self.wrong)


@dataclass(frozen=True)
class Wish:
    """What somebody asks: things of a class, conditions, columns, order."""

    kind: Kind
    conditions: tuple[Condition, ...] = ()
    columns: tuple[tuple[Relation, ...], ...] = ()
    by: tuple[Relation, ...] = ()
    """Count the things for each value of this instead of listing them."""
    order: str = ""
    """Key of the column that orders; empty for the name."""
    descending: bool = False
    limit: int | None = LIMITS[1]

    def query(self, language: str, names: Mapping[str, str] | None = None) -> str:
        """Return the query that answers, with names in a language.

        Args:
            language: Language of the names and of the comments.
            names: What the values are called, for the comments.
        """
        writer = _Writer(self, language, names or {})
        return writer.counts() if self.by else writer.rows()

    def count_query(self) -> str:
        """Return the query of how many things there are."""
        return _Writer(self, "ja").total()

    def values_query(self, at: int | None) -> str:
        """Return the query of the values that a condition could have, and of how many things.

        Args:
            at: The condition, whose own value then does not count.
        """
        return _Writer(self, "ja").values(at)


def read_wish(model: Model, parameters: Mapping[str, Sequence[str]]) -> Wish | None:
    """Return what the parameters of an address ask, None if they name no class.

    ``class``; for each condition n ``r{n}.1`` … (relations), ``o{n}`` (operation), ``v{n}`` (a
    value, several for alternatives) and ``p{n}`` (path that they were chosen for); ``c`` (columns),
    ``by``, ``order``, ``desc``, ``limit``. What is not offered is left out.
    """

    def several(name: str) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(each.strip() for each in parameters.get(name, ()) if each.strip())
        )

    def one(name: str) -> str:
        return next(iter(several(name)), "")

    kind = model.kinds.get(one("class"))
    if kind is None:
        return None
    numbers = sorted(
        {int(match[1]) for name in parameters if (match := re.fullmatch(r"r(\d{1,2})\.1", name))}
    )
    conditions = []
    for number in numbers:
        keys = [one(f"r{number}.{step}") for step in range(1, STEPS + 1)]
        steps = model.path(kind.key, keys)
        if steps:
            before = one(f"p{number}")
            values = several(f"v{number}") if before in ("", path_key(steps)) else ()
            conditions.append(_condition(steps, one(f"o{number}"), values))
    columns = dict.fromkeys(
        model.path(kind.key, each.split("/")) for each in parameters.get("c", ())
    )
    order, limit = one("order"), one("limit")
    shown = tuple(each for each in columns if each)
    return Wish(
        kind,
        tuple(conditions),
        shown,
        model.path(kind.key, one("by").split("/")),
        order if order in {path_key(each) for each in shown} else "",
        one("desc") == "1",
        None if limit == "all" else int(limit) if limit in map(str, LIMITS) else LIMITS[1],
    )


def path_key(steps: Sequence[Relation]) -> str:
    """Return a path as it stands in an address."""
    return "/".join(each.key for each in steps)


def path_label(steps: Sequence[Relation], language: str) -> str:
    """Return what a path is called."""
    return " → ".join(each.label[language] for each in steps)


def _condition(steps: tuple[Relation, ...], operation: str, values: tuple[str, ...]) -> Condition:
    kind = steps[-1].kind
    if operation not in OPERATIONS[kind]:
        operation, values = OPERATIONS[kind][0], () if operation else values
    if operation in _MARKS and kind == "number":
        values = tuple(dict.fromkeys(each.replace(",", "") for each in values))
    values = values[: ALTERNATIVES if operation in WITH_ALTERNATIVES else 1]
    found = {each: why for each in values if (why := _wrong(kind, operation, each))}
    return Condition(steps, operation, values, found)


def _wrong(kind: str, operation: str, value: str) -> Text | None:
    """Return why a value cannot be used, None where it can."""
    if operation in _MARKS and kind == "number":
        if not _NUMBER.fullmatch(value):
            return {
                "ja": "数字で書いてください（例 1000000）。",
                "en": "Write a number (1000000).",
            }
    elif operation in _MARKS and not _TIME.fullmatch(value):
        return {"ja": "2023 か 2023-04 の形で書いてください。", "en": "Write 2023 or 2023-04."}
    elif operation == "is" and _node(value) is None:
        return {"ja": "一覧から選んでください。", "en": "Choose from the list."}
    return None


def _node(value: str) -> NamedNode | None:
    try:
        return NamedNode(vocab.expand(value))
    except (KeyError, ValueError):
        return None


@dataclass
class _Writer:
    """Writes the SPARQL of a wish; every name of a variable is used for one thing only."""

    wish: Wish
    language: str
    names: Mapping[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    thing: str = ""

    def __post_init__(self) -> None:
        self.thing = self._variable(self.wish.kind.name)

    def rows(self) -> str:
        wish = self.wish
        label = self._label_of(self.thing)
        head, body, ordering = [self.thing, label[0]], list(label[1]), label[0]
        for steps in wish.columns:
            if steps[-1].key == "rdfs:label" and len(steps) == 1:
                continue  # the name is always there
            lines, end = self._chain(steps, keep=True)
            shown = end
            head.append(end)
            if steps[-1].kind == "thing":
                name, optional = self._label_of(end)
                head.append(name)
                lines += optional
                shown = name
            elif self.language in steps[-1].languages:
                lines.append(f'FILTER(LANG({end}) = "{self.language}")')
            body += ["OPTIONAL {", *(f"  {line}" for line in lines), "}"]
            if path_key(steps) == wish.order:
                ordering = end if steps[-1].kind in ("number", "time") else shown
        order = f"DESC({ordering})" if wish.descending else ordering
        limit = [f"LIMIT {wish.limit}"] if wish.limit else []
        where = [*self._where(), *body]
        return self._text(
            f"SELECT DISTINCT {' '.join(head)}", where, [f"ORDER BY {order} {self.thing}", *limit]
        )

    def counts(self) -> str:
        where = self._where()
        lines, end = self._chain(self.wish.by, keep=True)
        head, group = [end], [end]
        if self.wish.by[-1].kind == "thing":
            name, optional = self._label_of(end)
            lines += optional
            head.append(name)
            group.append(name)
        elif self.language in self.wish.by[-1].languages:
            lines.append(f'FILTER(LANG({end}) = "{self.language}")')
        number = self._variable("count")
        limit = [f"LIMIT {self.wish.limit}"] if self.wish.limit else []
        return self._text(
            f"SELECT {' '.join(head)} (COUNT(DISTINCT {self.thing}) AS {number})",
            [*where, *lines],
            [f"GROUP BY {' '.join(group)}", f"ORDER BY DESC({number}) {end}", *limit],
        )

    def total(self) -> str:
        return self._text(f"SELECT (COUNT(DISTINCT {self.thing}) AS ?n)", self._where(), [])

    def values(self, at: int | None) -> str:
        steps = self.wish.by if at is None else self.wish.conditions[at].steps
        where = self._where(without=at)
        lines, end = self._chain(steps, keep=True)
        return self._text(
            f"SELECT {end} (COUNT(DISTINCT {self.thing}) AS ?n)",
            [*where, *lines],
            [f"GROUP BY {end}", f"ORDER BY DESC(?n) {end}", f"LIMIT {VALUES}"],
        )

    def _where(self, without: int | None = None) -> list[str]:
        lines = [f"{self.thing} a {self.wish.kind.key} ."]
        for at, condition in enumerate(self.wish.conditions):
            if condition.ready and at != without:
                lines += ["", f"# {self._words(condition)}", *self._patterns(condition)]
        return [*lines, ""]

    def _words(self, condition: Condition) -> str:
        path = path_label(condition.steps, self.language)
        gap = "" if self.language == "ja" else " "
        words = path + gap + WORDS[condition.operation][self.language]
        if condition.operation not in ("some", "none"):
            called = (self.names.get(each, each) for each in condition.values)
            words += f": {_OR[self.language].join(called)}"
        return re.sub(r"\s+", " ", words)

    def _patterns(self, condition: Condition) -> list[str]:
        operation, values = condition.operation, condition.values
        nodes = [_short(node) for each in values if (node := _node(each)) is not None]
        if operation == "is" and len(nodes) == 1:
            return self._chain(condition.steps, end=nodes[0])[0]
        lines, end = self._chain(condition.steps, keep=True)
        if operation == "is":
            return [f"VALUES {end} {{ {' '.join(nodes)} }}", *lines]
        if operation == "none":
            return ["MINUS {", *(f"  {line}" for line in lines), "}"]
        if operation == "has":
            if condition.kind == "thing":
                label = self._variable(f"{end[1:]}Name")
                lines.append(f"{end} rdfs:label|skos:altLabel {label} .")
                end = label
            tests = [f"CONTAINS(LCASE(STR({end})), LCASE({Literal(each)}))" for each in values]
            return [*lines, f"FILTER({' || '.join(tests)})"]
        if operation in _MARKS:
            mark = _MARKS[operation]
            # Years, months and days compare as they are written, to the length that is given.
            tests = [
                f"{end} {mark} {each}"
                if condition.kind == "number"
                else f"SUBSTR(STR({end}), 1, {len(each)}) {mark} {Literal(each)}"
                for each in values
            ]
            return [*lines, f"FILTER({' || '.join(tests)})"]
        return lines

    def _chain(
        self, steps: Sequence[Relation], *, end: str = "", keep: bool = False
    ) -> tuple[list[str], str]:
        lines, at = [], self.thing
        for number, step in enumerate(steps):
            last = number == len(steps) - 1
            to = end if last and not keep else self._variable(step.name)
            if step.inverse:
                lines.append(f"{to} {step.predicate} {at} ; a {step.range} .")
            else:
                lines.append(f"{at} {step.predicate} {to} .")
            at = to
        return lines, at

    def _label_of(self, variable: str) -> tuple[str, list[str]]:
        name = f"{variable}Label"  # kept free by _variable
        in_language = f'FILTER(LANG({name}) = "{self.language}")'
        return name, [f"OPTIONAL {{ {variable} rdfs:label {name} . {in_language} }}"]

    def _variable(self, name: str) -> str:
        numbered = (name if number == 1 else f"{name}{number}" for number in count(1))
        free = next(each for each in numbered if not {each, f"{each}Label"} & self.used)
        self.used |= {free, f"{free}Label"}
        return f"?{free}"

    def _text(self, head: str, where: Sequence[str], tail: Sequence[str]) -> str:
        lines = [f"  {line}".rstrip() for line in where]
        while lines and not lines[-1]:
            lines.pop()
        body = "\n".join([head, "WHERE {", *lines, "}", *tail])
        found = dict.fromkeys(re.findall(r"(?<![\w?<:])([a-z]+):\w", body))
        prefixes = "".join(
            f"PREFIX {name}: <{vocab.PREFIXES[name]}>\n" for name in vocab.PREFIXES if name in found
        )
        return f"{prefixes}\n{body}\n"


def _short(node: NamedNode) -> str:
    """Return an IRI as it stands in a query: short where that can be read without escapes."""
    short = vocab.shorten(node.value)
    return short if re.fullmatch(r"[a-z]+:\w+", short) else str(node)
