"""Saved questions: one ``.rq`` file each, run as it stands or with other values.

A parameter is a ``VALUES ?name { … }`` block of the query, its *slot*; what stands in it is the
default. Binding replaces the content of every slot in one pass over the text, with terms that
pyoxigraph serialised. ``Store.query(substitutions=…)`` is not used: it refuses variables that are
not projected and does not reach into a sub-SELECT.

A value may be given as an IRI, a prefixed name, the last part of an IRI (``on-demand-transport``,
``142069``) or a label in Japanese or English; what a label means is looked up among the choices of
the parameter, which a query lists.
"""

from __future__ import annotations

import csv
import difflib
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyoxigraph import Literal, NamedNode, QuerySolutions, Store

from digiden_kg import vocab
from digiden_kg.exceptions import InputError, ParameterError, Problem, QuerySyntaxError
from digiden_kg.normalize import fold
from digiden_kg.results import Answer, Term, read_answer
from digiden_kg.syntax import QueryFile, query_form, read_query, syntax_error, tokens

Text = Mapping[str, str]
"""A text in both languages, by language tag."""
Choices = Callable[["Parameter"], Sequence["Choice"]]
"""Lists what a parameter may be; see :func:`store_choices`."""

_LANGUAGES = ("ja", "en")
_KINDS = ("class", "scheme", "datatype", "values")
_VIEWS = ("bar", "dot", "line", "slope", "map")
_VIEW_KEYS = frozenset({"kind", "label", "values", "unit", "top", "sort"})
_PLACE = re.compile(r"\{(\w+)\}")
RESERVED = ("format", "embed")
"""Names that mean something else in the address of a question."""
_COMMA = re.compile(r"\s*[,，、]\s*")
_YEAR = r"-?[0-9]{4,}"
_LEXICAL = {
    vocab.expand(f"xsd:{name}"): re.compile(pattern)
    for name, pattern in {
        "integer": r"[+-]?[0-9]+",
        "decimal": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)",
        "double": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
        "boolean": r"true|false|1|0",
        "gYear": _YEAR,
        "gYearMonth": rf"{_YEAR}-(?:0[1-9]|1[0-2])",
        "date": rf"{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])",
    }.items()
}
_STRING = vocab.expand("xsd:string")
_NEAR = 5


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a question."""

    name: str
    label: Text
    kind: str
    """``class``, ``scheme``, ``datatype`` or ``values``: how the values are known."""
    range: str
    """IRI of the class, scheme or datatype; or the query that lists the values."""
    default: tuple[Term, ...]
    """What stands in the slot; empty where the parameter is optional (``UNDEF``)."""
    required: bool

    @property
    def choices_query(self) -> str | None:
        """A SELECT of (value, lang, rank, name): what the parameter may be, and every name of it.

        Rank 1 is a label, 2 another name or code, 3 the prefecture that the value lies in. None
        where any literal of a datatype will do.
        """
        members = {
            "class": f"?type rdfs:subClassOf* <{self.range}> . ?value a ?type .",
            "scheme": f"?value skos:inScheme <{self.range}> .",
            "values": f"{{ {self.range} }}",
        }.get(self.kind)
        if members is None:
            return None
        prefixes = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in vocab.PREFIXES.items())
        return f"""{prefixes}
SELECT DISTINCT ?value (LANG(?name) AS ?lang) ?rank ?name WHERE {{
  {{ SELECT DISTINCT ?value WHERE {{ {members} }} }}
  OPTIONAL {{
    {{ ?value rdfs:label|skos:prefLabel ?name BIND(1 AS ?rank) }}
    UNION {{ ?value skos:altLabel|skos:notation|dcterms:identifier ?name BIND(2 AS ?rank) }}
    UNION {{ ?value dg:inPrefecture/rdfs:label ?name BIND(3 AS ?rank) }}
  }}
}} ORDER BY ?value ?rank ?lang ?name"""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that a parameter may have, and its names."""

    value: NamedNode | Literal
    label: Text
    inside: Text
    """Name of the prefecture of a municipality; empty for everything else."""
    names: frozenset[str] = field(repr=False)
    """Every folded name that means this value."""

    def caption(self, language: str) -> str:
        """Return the label, with the prefecture where there is one."""
        label, inside = self.label[language], self.inside.get(language)
        if not inside:
            return label
        return f"{inside}{label}" if language == "ja" else f"{label}, {inside}"

    @property
    def name(self) -> str:
        """The one name that no other choice has: the prefixed IRI, or the literal."""
        value = self.value.value
        return value if isinstance(self.value, Literal) else vocab.shorten(value)

    @property
    def key(self) -> str:
        """Short form that a person can type: the last part of the name."""
        return re.split(r"[/#:]", self.name)[-1] if isinstance(self.value, NamedNode) else self.name


@dataclass(frozen=True, slots=True)
class View:
    """How an answer is shown besides its table."""

    kind: str
    """``bar``, ``dot``, ``line``, ``slope`` or ``map``."""
    label: str
    """Column of the names; of the prefectures, for a map."""
    values: tuple[str, ...]
    """Columns of the figures."""
    unit: str | None = None
    """``yen``, or what stands behind each figure in any language."""
    top: int | None = None
    """Rows that are drawn at most."""
    sort: bool = False
    """Largest first; else in the order of the table."""


@dataclass(frozen=True, slots=True)
class Question:
    """A saved question: what it says about itself, and its query."""

    slug: str
    title: Text
    summary: Text
    tags: tuple[str, ...]
    complete: Text | None
    """How complete the answer is, where it rests on partial listings."""
    sentence: Text | None
    """The title with parameters in it, as ``{name}``."""
    view: View | None
    parameters: Mapping[str, Parameter]
    text: str
    slots: tuple[tuple[str, int, int], ...] = field(repr=False)
    """(parameter, start, end) of the content of each slot, in the order of the text."""

    def pieces(self, language: str) -> list[str | Parameter]:
        """Return the sentence in pieces: words, and the parameters between them."""
        parts = _PLACE.split((self.sentence or self.title)[language])
        return [self.parameters[part] if at % 2 else part for at, part in enumerate(parts) if part]

    def bind(
        self, values: Mapping[str, str | Sequence[str]], choices: Choices | None = None
    ) -> str:
        """Return the query with values in its slots; a value not given keeps the default.

        Args:
            values: Texts as a person writes them, one or several for each parameter.
            choices: Where labels and short names are looked up.

        Raises:
            ParameterError: A parameter is unknown, or a value does not fit.
        """
        contents: dict[str, str] = {}
        for name, given in values.items():
            parameter = self.parameters.get(name)
            if parameter is None:
                known = ", ".join(self.parameters) or "none"
                raise ParameterError(
                    f"{self.slug} has no parameter {name!r}; it has: {known}"
                    f" / 質問 {self.slug} に {name!r} というパラメータはありません。"
                )
            texts = [given] if isinstance(given, str) else list(given)
            terms = [
                term
                for text in texts
                if text.strip()
                for term in read_values(parameter, text.strip(), choices)
            ]
            if terms:
                contents[name] = f" {' '.join(str(term) for term in dict.fromkeys(terms))} "
        for name, parameter in self.parameters.items():
            if parameter.required and not parameter.default and name not in contents:
                raise ParameterError(
                    f"{self.slug} needs {name} ({parameter.label['en']})"
                    f" / {parameter.label['ja']}（{name}）を指定してください。"
                )
        return _fill(self.text, self.slots, contents)


def fill_slots(text: str, contents: Mapping[str, Sequence[NamedNode | Literal]]) -> str:
    """Return a query with terms in its ``VALUES ?name { … }`` blocks."""
    terms = {name: f" {' '.join(map(str, listed))} " for name, listed in contents.items()}
    return _fill(text, _slots_of(text), terms)


def _fill(text: str, slots: Iterable[tuple[str, int, int]], contents: Mapping[str, str]) -> str:
    # One pass: a literal that happens to contain "VALUES ?round {" is never read as a slot.
    pieces, done = [], 0
    for name, start, end in slots:
        if name in contents:
            pieces += [text[done:start], contents[name]]
            done = end
    return "".join([*pieces, text[done:]])


def read_values(
    parameter: Parameter, text: str, choices: Choices | None = None
) -> list[NamedNode | Literal]:
    """Return the terms that a text means: one, or several separated by commas.

    Raises:
        ParameterError: The text means nothing, or more than one thing.
    """
    if parameter.kind == "datatype":
        parts = [text] if parameter.range == _STRING else _COMMA.split(text)
        return [_literal(parameter, part) for part in parts if part]
    listed = list(choices(parameter)) if choices else None
    # A label may contain a comma, so the whole text is tried first.
    if _COMMA.search(text) and not (listed and _matches(text, listed)):
        return [_one(parameter, part, listed) for part in _COMMA.split(text) if part]
    return [_one(parameter, text, listed)]


def _literal(parameter: Parameter, text: str) -> Literal:
    pattern = _LEXICAL.get(parameter.range)
    if pattern and not pattern.fullmatch(text):
        datatype = vocab.shorten(parameter.range)
        raise ParameterError(
            f"{parameter.name}: {text!r} is no {datatype}"
            f" / {parameter.label['ja']}: {text!r} は {datatype} ではありません。"
        )
    return Literal(text, datatype=NamedNode(parameter.range))


def _one(parameter: Parameter, text: str, listed: Sequence[Choice] | None) -> NamedNode | Literal:
    found = _matches(text, listed or ())
    if len(found) == 1:
        return found[0].value
    if found:
        raise ParameterError(
            f"{parameter.name}: {text!r} may mean {_listing(found)}; give one of these names"
            f" / {parameter.label['ja']}: {text!r} は複数あります。どれか一つを指定してください。"
        )
    iri = _iri(text)
    if iri and listed is None:
        return iri
    near = _near(text, listed or ())
    hint = f" ({_listing(near)})" if near else ""
    raise ParameterError(
        f"{parameter.name}: nothing is called {text!r}"
        f" / {parameter.label['ja']}: {text!r} はありません{hint}"
    )


def _iri(text: str) -> NamedNode | None:
    if ":" not in text:
        return None
    try:
        return NamedNode(vocab.expand(text.removeprefix("<").removesuffix(">")))
    except (KeyError, ValueError):
        return None


def _matches(text: str, listed: Iterable[Choice]) -> list[Choice]:
    """Return the choices of a name; an exact spelling beats a folded one."""
    iri, folded = _iri(text), fold(text)
    found = [choice for choice in listed if choice.value == iri or folded in choice.names]
    exact = [
        choice
        for choice in found
        if choice.value == iri or text in (choice.key, *choice.label.values())
    ]
    return exact or found


def _near(text: str, listed: Sequence[Choice]) -> list[Choice]:
    folded = fold(text)
    names = {name: choice for choice in listed for name in choice.names}
    close = [name for name in names if folded and (folded in name or name in folded)]
    close += difflib.get_close_matches(folded, names, n=_NEAR, cutoff=0.5)
    return list({names[name].value: names[name] for name in close}.values())[:_NEAR]


def _listing(choices: Iterable[Choice]) -> str:
    return ", ".join(f"{choice.caption('ja')} = {choice.name}" for choice in choices)


def read_choices(rows: Iterable[Sequence[Term | None]]) -> tuple[Choice, ...]:
    """Return the choices from the rows of :attr:`Parameter.choices_query`."""
    names: dict[NamedNode | Literal, list[tuple[str, str, str]]] = {}
    for value, lang, rank, name in rows:
        if isinstance(value, NamedNode | Literal):
            listed = names.setdefault(value, [])
            if isinstance(name, Literal) and isinstance(rank, Literal):
                language = lang.value if isinstance(lang, Literal) else ""
                listed.append((rank.value, language, name.value))
    choices = [_choice(value, listed) for value, listed in names.items()]
    return tuple(sorted(choices, key=lambda c: (c.inside.get("ja", ""), c.label["ja"], c.key)))


def _choice(value: NamedNode | Literal, listed: Sequence[tuple[str, str, str]]) -> Choice:
    def by_language(rank: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for each, language, name in listed:
            if each == rank:
                found.setdefault(language, name)
        return found

    labels, inside = by_language("1"), by_language("3")
    fallback = next(iter(labels.values()), Choice(value, {}, {}, frozenset()).name)
    label = {language: labels.get(language, fallback) for language in _LANGUAGES}
    choice = Choice(value, label, inside, frozenset())
    spoken = [name for rank, _, name in listed if rank != "3"]
    captions = [choice.caption(language) for language in _LANGUAGES]
    names = frozenset(fold(name) for name in (*spoken, *captions, choice.key, choice.name))
    return Choice(value, label, inside, names)


def store_choices(store: Store) -> Choices:
    """Return a look-up of choices in a store."""

    def choices(parameter: Parameter) -> Sequence[Choice]:
        query = parameter.choices_query
        return read_choices(evaluate(store, query).rows) if query else ()

    return choices


def evaluate(store: Store, query: str) -> Answer:
    """Return the table of a SELECT query.

    Raises:
        QuerySyntaxError: The text is no SELECT query.
    """
    try:
        result = store.query(query)
    except SyntaxError as error:
        raise syntax_error(error) from error
    if not isinstance(result, QuerySolutions):
        raise QuerySyntaxError("not a SELECT query / SELECT クエリではありません。")
    return read_answer(result)


def run_question(
    store: Store, question: Question, values: Mapping[str, str | Sequence[str]]
) -> Answer:
    """Answer a question from a store.

    Raises:
        ParameterError: A parameter is unknown, or a value does not fit.
    """
    return evaluate(store, question.bind(values, store_choices(store)))


def load_questions(folder: Path) -> list[Question]:
    """Read every question of a folder, sorted by name.

    Raises:
        InputError: Files are wrong; it holds every problem of every file.
    """
    questions: list[Question] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.rq")):
        try:
            questions.append(load_question(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return questions


def load_headings(file: Path) -> dict[str, Text]:
    """Read what columns are called that no class or property of the ontology explains."""
    with file.open(encoding="utf-8", newline="") as lines:
        return {
            row["name"]: {each: row[each] for each in _LANGUAGES}
            for row in csv.DictReader(lines)
            if row["ja"]
        }


def load_amounts(file: Path) -> frozenset[str]:
    """Read which columns hold amounts in yen."""
    with file.open(encoding="utf-8", newline="") as lines:
        return frozenset(row["name"] for row in csv.DictReader(lines) if row["unit"] == "yen")


TERMS_QUERY = f"""PREFIX rdfs: <{vocab.PREFIXES["rdfs"]}>
SELECT ?term ?label {{
  ?term rdfs:label ?label FILTER(STRSTARTS(STR(?term), "{vocab.PREFIXES["dg"]}"))
}}"""
"""Lists the terms of the ontology with their labels, for :func:`heading`."""


def read_terms(rows: Iterable[Sequence[Term | None]]) -> dict[str, Text]:
    """Return the labels of the terms from the rows of :data:`TERMS_QUERY`, by local name."""
    labels: dict[str, dict[str, str]] = {}
    for term, label in rows:
        if isinstance(term, NamedNode) and isinstance(label, Literal) and label.language:
            name = term.value.removeprefix(vocab.PREFIXES["dg"])
            labels.setdefault(name, {})[label.language] = label.value
    return {name: found for name, found in labels.items() if set(_LANGUAGES) <= found.keys()}


def heading(column: str, names: Mapping[str, Text]) -> Text | None:
    """Return what a column is called: the variable is a term of ours, or listed by itself."""
    stem = column.removesuffix("Labels").removesuffix("Label") or column
    keys = (column, stem, stem[0].upper() + stem[1:])
    return next((names[key] for key in keys if key in names), None)


def load_question(path: Path) -> Question:
    """Read one question.

    Raises:
        InputError: Its header or query is wrong.
    """
    file = read_query(path)
    problems: list[Problem] = []
    slots = tuple(_slots(file.text))
    params = file.header.get("params") or {}
    if not isinstance(params, dict):
        problems.append(file.problem(("params",), "no mapping", "Write name: {en: …, ja: …}."))
        params = {}
    parameters = {
        name: parameter
        for name in params
        if (parameter := _parameter(file, name, params[name], slots, problems))
    }
    title = _text(file, ("title",), file.header.get("title"), problems)
    summary = _text(file, ("summary",), file.header.get("summary"), problems)
    complete = file.header.get("complete")
    tags = file.header.get("tags") or []
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        problems.append(file.problem(("tags",), "no list of words", "Write [reuse, money]."))
        tags = []
    columns = _check_query(file, problems)
    sentence = file.header.get("sentence")
    question = Question(
        slug=path.stem,
        title=title,
        summary=summary,
        tags=tuple(tags),
        complete=_text(file, ("complete",), complete, problems) if complete else None,
        sentence=_sentence(file, sentence, parameters, problems) if sentence else None,
        view=_view(file, file.header.get("view"), columns, problems),
        parameters=parameters,
        text=file.text,
        slots=tuple(slot for slot in slots if slot[0] in parameters),
    )
    if problems:
        raise InputError(problems)
    return question


@functools.lru_cache(maxsize=64)
def _slots_of(text: str) -> tuple[tuple[str, int, int], ...]:
    return tuple(_slots(text))


def _slots(text: str) -> Iterable[tuple[str, int, int]]:
    found = list(tokens(text))
    for index, token in enumerate(found[:-2]):
        variable, brace = found[index + 1 : index + 3]
        if token.text.upper() == "VALUES" and variable.kind == "variable" and brace.text == "{":
            close = next((each for each in found[index + 3 :] if each.text == "}"), None)
            if close:
                yield variable.text[1:], brace.end, close.start


def _default(content: str) -> tuple[Term, ...]:
    prefixes = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in vocab.PREFIXES.items())
    result = Store().query(f"{prefixes}SELECT ?x {{ VALUES ?x {{ {content} }} }}")
    return tuple(row[0] for row in read_answer(result).rows if row[0] is not None)  # type: ignore[arg-type]


def _text(
    file: QueryFile, key: tuple[str, ...], value: object, problems: list[Problem]
) -> dict[str, str]:
    if isinstance(value, dict) and all(isinstance(value.get(lang), str) for lang in _LANGUAGES):
        return {language: value[language] for language in _LANGUAGES}
    problems.append(
        file.problem(key, "a text in both languages is missing", "Write {en: …, ja: …}.")
    )
    return dict.fromkeys(_LANGUAGES, "")


def _parameter(
    file: QueryFile,
    name: str,
    entry: Any,
    slots: Sequence[tuple[str, int, int]],
    problems: list[Problem],
) -> Parameter | None:
    key = ("params", name)
    label = _text(file, key, entry, problems)
    if not isinstance(entry, dict):
        return None
    for unknown in entry.keys() - {*_LANGUAGES, *_KINDS, "required"}:
        problems.append(
            file.problem((*key, str(unknown)), "unknown key", f"Known: {', '.join(_KINDS)}.")
        )
    if name in RESERVED:
        problems.append(file.problem(key, "the name is taken", "Choose another name."))
    kinds = [kind for kind in _KINDS if kind in entry]
    kind = kinds[0] if len(kinds) == 1 else ""
    value = entry.get(kind)
    if kind == "values" and isinstance(value, list) and value:
        value = f"VALUES ?value {{ {' '.join(str(Literal(str(each))) for each in value)} }}"
    if not isinstance(value, str):
        problems.append(file.problem(key, f"one of {', '.join(_KINDS)} is missing", "Give one."))
        return None
    if kind != "values":
        try:
            bare = kind == "scheme" and not re.search("[:/]", value)
            value = NamedNode(vocab.expand(f"scheme/{value}" if bare else value)).value
        except (KeyError, ValueError):
            problems.append(file.problem((*key, kind), "unknown prefix or no IRI", "Mend it."))
            return None
    contents = [file.text[start:end] for slot, start, end in slots if slot == name]
    if not contents:
        remedy = f"Add VALUES ?{name} {{ UNDEF }} to the query, or remove the parameter."
        problems.append(file.problem(key, "the query has no slot of this name", remedy))
        return None
    try:
        defaults = {_default(content) for content in contents}
    except SyntaxError as error:
        problems.append(file.problem(key, f"the slot cannot be read: {error}", "Mend the slot."))
        return None
    if len(defaults) > 1:
        problems.append(
            file.problem(key, "the slots of this name differ", "Give all the same content.")
        )
    default = defaults.pop()
    required = entry.get("required", bool(default))
    return Parameter(name, label, kind, value, default, bool(required))


def _sentence(
    file: QueryFile, entry: object, parameters: Mapping[str, Parameter], problems: list[Problem]
) -> Text:
    found = _text(file, ("sentence",), entry, problems)
    named = {language: sorted(_PLACE.findall(text)) for language, text in found.items()}
    if named["ja"] != named["en"] or not set(named["ja"]) <= parameters.keys():
        remedy = f"Name the same of these once in each language: {', '.join(parameters)}."
        problems.append(file.problem(("sentence",), "the parameters do not fit", remedy))
        return dict.fromkeys(_LANGUAGES, "")
    return found


def _view(
    file: QueryFile, entry: Any, columns: Sequence[str], problems: list[Problem]
) -> View | None:
    if entry is None:
        return None
    remedy = f"Write {{kind: {'|'.join(_VIEWS)}, label: COLUMN, values: [COLUMN]}}."
    if (
        not isinstance(entry, dict)
        or not entry.keys() <= _VIEW_KEYS
        or entry.get("kind") not in _VIEWS
        or not isinstance(entry.get("values"), list)
    ):
        problems.append(file.problem(("view",), "no view", remedy))
        return None
    unknown = [each for each in (entry.get("label"), *entry["values"]) if each not in columns]
    if unknown:
        problems.append(file.problem(("view",), f"no column: {unknown}", remedy))
        return None
    return View(
        entry["kind"],
        entry["label"],
        tuple(entry["values"]),
        entry.get("unit"),
        entry.get("top"),
        bool(entry.get("sort")),
    )


def describe_query(text: str, columns: Sequence[str]) -> str:
    """Return the query that describes the things in some columns of a SELECT query."""
    listed = list(tokens(text))
    start = next(each for each in listed if each.text.upper() == "SELECT")
    after = [each for each in listed if each.start > start.start]
    end = next(each for each in after if each.text.upper() == "WHERE" or each.text == "{")
    names = " ".join(f"?{column}" for column in columns)
    return f"{text[: start.start]}DESCRIBE {names}\n{text[end.start :]}"


def _check_query(file: QueryFile, problems: list[Problem]) -> list[str]:
    """Return the columns; the engine's own parser has the last word, an empty store answers."""
    if query_form(file.text) != "SELECT":
        problems.append(
            Problem(file.name, None, None, None, "not a SELECT query", "Write a SELECT query.")
        )
        return []
    try:
        result = Store().query(file.text)
    except SyntaxError as error:
        found = syntax_error(error)
        problems.append(Problem(file.name, found.line, None, None, str(found), "Mend the query."))
        return []
    assert isinstance(result, QuerySolutions)
    return [variable.value for variable in result.variables]
