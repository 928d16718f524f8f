"""The flat tables of a release: one row for each thing of a class.

What a table holds is a query of ``queries/tables/``. Its one parameter is the thing that a row is
about; the query runs as it stands, and the export binds some hundred things at a time, so that no
table is ever in memory as a whole. For the same reason ``VALUES`` with the thing stands again in
every part of a query that the engine joins to the rest by a hash (a branch of a union, an optional
part of several patterns): it would read such a part of all things. Rows go to a SQLite file, which
sorts them and which everything else is read from.

Besides what a saved question says of itself, the header of a table has

    types   what columns hold that is not text: integer, decimal, year or boolean
    lists   columns of several values. They are sorted; what stands before a tab orders a value and
            is left out, so that lists of codes and of labels stay side by side
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import DefaultGraph, Literal, NamedNode, QuerySolutions, Store

from digiden_kg import vocab
from digiden_kg.exceptions import InputError, Problem
from digiden_kg.questions import (
    TERMS_QUERY,
    Question,
    Text,
    evaluate,
    heading,
    load_headings,
    load_question,
    read_terms,
)
from digiden_kg.syntax import read_query

Value = str | int | float | bool | None

SEPARATOR = " | "
"""Stands between the values of one cell."""
TYPES = ("string", "integer", "decimal", "year", "boolean")
_TYPE = NamedNode(vocab.expand("rdf:type"))
_LITERALS = NamedNode(vocab.expand("owl:DatatypeProperty"))
_AT_ONCE = 200
"""Things that one query is asked about."""
_ROWS = 1000
_SQLITE = {"string": "TEXT", "decimal": "REAL"}
_MARKS = {"ja": "（日本語）", "en": "（英語）"}, {"ja": " (Japanese)", "en": " (English)"}
_LABEL = {"ja": "名称", "en": "Name"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called and what it holds."""

    name: str
    type: str
    """One of :data:`TYPES`."""
    many: bool
    """Whether a cell may hold several values."""
    heading: Text
    description: Text
    """Definition of the term that the column is named after; empty where it is named otherwise."""
    term: str | None
    """IRI of that term, where it is a property whose literals are what the column holds."""


@dataclass(frozen=True, slots=True)
class Table:
    """One flat table."""

    name: str
    question: Question
    key: str
    """Column that holds the thing that a row is about."""
    cls: str
    """IRI of the class of these things."""
    columns: tuple[Column, ...]


def load_tables(folder: Path, store: Store) -> list[Table]:
    """Read the tables of ``queries/``; the words of their columns come from there and the ontology.

    Raises:
        InputError: A file is wrong, or a column has no name in both languages.
    """
    listed = load_headings(folder / "columns.csv")
    terms = read_terms(evaluate(store, TERMS_QUERY).rows)
    meanings = read_terms(evaluate(store, _DEFINITIONS).rows)
    literals = {
        quad.subject.value.removeprefix(vocab.PREFIXES["dg"])
        for quad in store.quads_for_pattern(None, _TYPE, _LITERALS, DefaultGraph())
        if isinstance(quad.subject, NamedNode)
    }
    tables: list[Table] = []
    problems: list[Problem] = []
    for path in sorted((folder / "tables").glob("*.rq")):
        try:
            tables.append(_load_table(path, {**terms, **listed}, meanings, literals))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tables


_DEFINITIONS = TERMS_QUERY.replace("rdfs:label", "skos:definition").replace(
    "PREFIX", f"PREFIX skos: <{vocab.PREFIXES['skos']}>\nPREFIX", 1
)


def _load_table(
    path: Path, names: Mapping[str, Text], meanings: Mapping[str, Text], literals: Collection[str]
) -> Table:
    question = load_question(path)
    file = read_query(path)
    types, lists = file.header.get("types") or {}, file.header.get("lists") or []
    problems: list[Problem] = []
    keys = [each for each in question.parameters.values() if each.kind == "class"]
    if len(keys) != 1 or len(question.parameters) != 1:
        remedy = "Give one: params: {project: {…, class: dg:Project}}."
        problems.append(file.problem(("params",), "not one parameter of a class", remedy))
    if not isinstance(types, dict) or set(types.values()) - set(TYPES):
        problems.append(
            file.problem(("types",), "no mapping of types", f"Known: {', '.join(TYPES)}.")
        )
        types = {}
    solutions = Store().query(question.text)
    assert isinstance(solutions, QuerySolutions)
    variables = [variable.value for variable in solutions.variables]
    for name in {*types, *lists} - set(variables):
        problems.append(file.problem((), f"the query has no column {name}", "Mend the header."))
    columns = []
    for name in variables:
        found = _heading(name, names, many=name in lists)
        if found is None:
            remedy = "Add it to queries/columns.csv."
            problems.append(file.problem((), f"column {name} has no name", remedy))
            continue
        stem = _stem(name)[0]
        description = meanings.get(stem) or meanings.get(_singular(stem)) or {}
        term = vocab.expand(f"dg:{name}") if name in literals and name not in lists else None
        columns.append(
            Column(name, types.get(name, "string"), name in lists, found, description, term)
        )
    if problems:
        raise InputError(problems)
    return Table(path.stem, question, keys[0].name, keys[0].range, tuple(columns))


def _stem(name: str) -> tuple[str, str | None]:
    """Return what a column is named after, and the language of its texts."""
    for end, language in (("Ja", "ja"), ("En", "en")):
        if name.endswith(end):
            stem = name.removesuffix(end)
            return stem.removesuffix("Labels").removesuffix("Label") or stem, language
    return name, None


def _heading(name: str, names: Mapping[str, Text], *, many: bool) -> Text | None:
    stem, language = _stem(name)
    # The plural of a word is the name of a number: "projects" says how many.
    keys = (_singular(stem), stem) if many else (stem,)
    found = next((each for key in keys if (each := heading(key, names))), None)
    found = found or (_LABEL if stem == "label" else None)
    if found is None or language is None:
        return found
    ja, en = _MARKS
    return {"ja": found["ja"] + ja[language], "en": found["en"] + en[language]}


def _singular(word: str) -> str:
    return f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")


def write_tables(tables: Sequence[Table], store: Store, path: Path) -> None:
    """Write the rows of tables to a new SQLite file, sorted, with a list of tables and columns.

    Raises:
        InputError: A query gives other than one row for a thing, or a value of another type.
    """
    with _database(path) as database:
        database.execute(
            "CREATE TABLE tables (name TEXT PRIMARY KEY, title_ja TEXT, title_en TEXT,"
            " summary_ja TEXT, summary_en TEXT, class TEXT) WITHOUT ROWID"
        )
        database.execute(
            "CREATE TABLE columns (table_name TEXT, position INTEGER, name TEXT,"
            " heading_ja TEXT, heading_en TEXT, description_ja TEXT, description_en TEXT,"
            " type TEXT, several INTEGER, PRIMARY KEY (table_name, position)) WITHOUT ROWID"
        )
        for table in tables:
            _fill(table, store, database)
            title, summary = table.question.title, table.question.summary
            database.execute(
                "INSERT INTO tables VALUES (?, ?, ?, ?, ?, ?)",
                (table.name, title["ja"], title["en"], summary["ja"], summary["en"], table.cls),
            )
            database.executemany(
                "INSERT INTO columns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(table.name, at, *row) for at, row in enumerate(dictionary(table), 1)],
            )
        database.commit()
        database.execute("VACUUM")


def dictionary(table: Table) -> Iterator[tuple[str, str, str, str | None, str | None, str, bool]]:
    """Yield of each column: name, heading and description in both languages, type, several?"""
    for column in table.columns:
        yield (
            column.name,
            column.heading["ja"],
            column.heading["en"],
            column.description.get("ja"),
            column.description.get("en"),
            column.type,
            column.many,
        )


def read_rows(table: Table, path: Path) -> Iterator[tuple[Value, ...]]:
    """Yield the rows of a table from the file that :func:`write_tables` wrote, in its order."""
    booleans = [at for at, column in enumerate(table.columns) if column.type == "boolean"]
    with _database(path) as database:
        for row in database.execute(f"SELECT * FROM {_quoted(table.name)} ORDER BY rowid"):  # noqa: S608
            if booleans:
                values = list(row)
                for at in booleans:
                    values[at] = None if values[at] is None else bool(values[at])
                yield tuple(values)
            else:
                yield row


class _database:  # noqa: N801
    """A connection that is closed at the end; the one of sqlite3 is not."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)

    def __enter__(self) -> sqlite3.Connection:
        # A temporary file is sorted on disk once it is larger than this many KiB.
        self._connection.execute("PRAGMA cache_size = -8192")
        self._connection.execute("PRAGMA temp_store = FILE")
        self._connection.execute("PRAGMA journal_mode = OFF")
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _fill(table: Table, store: Store, database: sqlite3.Connection) -> None:
    name = _quoted(table.name)
    columns = ", ".join(
        f"{_quoted(column.name)} {_SQLITE.get(column.type, 'INTEGER')}" for column in table.columns
    )
    database.execute(f"CREATE TEMP TABLE unsorted ({columns})")
    marks = ", ".join("?" * len(table.columns))
    rows = _rows(table, store)
    while part := list(itertools.islice(rows, _ROWS)):
        database.executemany(f"INSERT INTO unsorted VALUES ({marks})", part)  # noqa: S608
    key = _quoted(table.key)
    double = database.execute(
        f"SELECT {key} FROM unsorted GROUP BY {key} HAVING COUNT(*) > 1 LIMIT 1"  # noqa: S608
    ).fetchone()
    if double:
        message = "more than one row for a thing"
        remedy = "Group its values, or name the column under lists."
        raise InputError([Problem(f"{table.name}.rq", None, table.key, double[0], message, remedy)])
    database.execute(f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({key}))")
    database.execute(f"INSERT INTO {name} SELECT * FROM unsorted ORDER BY {key}")  # noqa: S608
    database.execute("DROP TABLE unsorted")


def _rows(table: Table, store: Store) -> Iterator[tuple[Value, ...]]:
    cls = NamedNode(table.cls)
    things = (q.subject for q in store.quads_for_pattern(None, _TYPE, cls, DefaultGraph()))
    while part := list(itertools.islice(things, _AT_ONCE)):
        solutions = store.query(_bound(table.question, part))
        assert isinstance(solutions, QuerySolutions)
        for row in solutions:
            yield tuple(_value(table, column, row[column.name]) for column in table.columns)


def _bound(question: Question, things: Iterable[object]) -> str:
    """Return the query of a table about some things."""
    listed = f" {' '.join(map(str, things))} "
    pieces, done = [], 0
    for _, start, end in question.slots:
        pieces += [question.text[done:start], listed]
        done = end
    return "".join([*pieces, question.text[done:]])


def _value(table: Table, column: Column, term: object) -> Value:
    if not isinstance(term, NamedNode | Literal) or term.value == "":
        return None
    if column.many:
        parts = sorted(filter(None, term.value.split(SEPARATOR)))
        return SEPARATOR.join(part.rpartition("\t")[2] for part in parts) or None
    try:
        return _READ[column.type](term.value)
    except (ValueError, KeyError) as error:
        remedy = "Mend the query, or the type under types in its header."
        problem = Problem(
            f"{table.name}.rq", None, column.name, term.value, f"no {column.type}", remedy
        )
        raise InputError([problem]) from error


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_READ: Mapping[str, Callable[[str], Value]] = {
    "string": str,
    "integer": int,
    "decimal": float,
    "year": lambda text: int(text[:4]),
    "boolean": lambda text: _BOOLEANS[text],
}
