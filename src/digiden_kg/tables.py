"""Read curated tables into rows whose cells know where they stand.

A table is a CSV file with a CSVW sidecar (``<name>.csv-metadata.json``). Cells keep their text and
their coordinates, because every triple must point back to the cell it came from; we use ``csv``
and the sidecar instead of a data frame, which would turn the code "011002" into a number.

Two cell types of our own stand beside the XML Schema types: ``dg:printedAmount`` (money as
printed, ``22.8億円``) and ``dg:localGovernment`` (the name of a body, resolved to its code).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from csvw.metadata import Table as CsvwTable

from digiden_kg.exceptions import AmountError, InputError, Problem
from digiden_kg.normalize import Amount, parse_yen
from digiden_kg.register import Register

SIDECAR = ".csv-metadata.json"
PASSAGE = "passage"
"""Name of the column that says which passages of the source state the row."""

_SOURCE = "dcterms:source"
_AMOUNT = "#printedAmount"
_BODY = "#localGovernment"


@dataclass(frozen=True, slots=True)
class Column:
    """What the sidecar says of one column; templates are RFC 6570, relative to the base IRI."""

    name: str
    title_ja: str
    title_en: str
    datatype: str
    """Name of an XML Schema type, or ``printedAmount`` or ``localGovernment``."""
    virtual: bool
    required: bool
    separator: str | None
    lang: str | None
    about: str | None
    property: str | None
    value: str | None
    default: str | None
    source: str | None
    """Graph of ours that holds the statements, instead of the passages of the row."""
    spec: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Cell:
    """One value: what templates and literals see, and the amount where it is one."""

    text: str
    amount: Amount | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; ``cells`` has a list of values per column, empty where there is none."""

    number: int
    cells: dict[str, tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was read, with the columns of its sidecar."""

    path: Path
    name: str
    """Path of the CSV file, as messages show it."""
    title_ja: str
    title_en: str
    about: str | None
    source: str | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def find_sidecars(folder: Path) -> list[Path]:
    """Return the sidecars below a folder, in a stable order."""
    return sorted(folder.rglob(f"*{SIDECAR}"))


def read_tables(folder: Path, register: Register) -> list[Table]:
    """Return every table below a folder.

    Raises:
        InputError: Something is wrong in them; it carries every problem of every table.
    """
    problems: list[Problem] = []
    tables = []
    for path in sorted(folder.rglob("*.csv")):
        if not path.with_name(path.stem + SIDECAR).exists():
            problems.append(
                Problem(
                    str(path.relative_to(folder.parent)),
                    None,
                    None,
                    None,
                    "this table has no sidecar",
                    f"Describe its columns in {path.stem}{SIDECAR}.",
                )
            )
    for sidecar in find_sidecars(folder):
        try:
            tables.append(read_table(sidecar, register, relative_to=folder.parent))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    return tables


def read_table(sidecar: Path, register: Register, *, relative_to: Path | None = None) -> Table:
    """Return one table.

    Args:
        sidecar: The CSVW description; the CSV file stands beside it.
        register: Resolves the names of local governments.
        relative_to: Folder that messages show paths from.

    Raises:
        InputError: The sidecar or cells are wrong; it carries every problem of the table.
    """
    csv_path = sidecar.with_name(sidecar.name.removesuffix(SIDECAR) + ".csv")
    shown = str(csv_path.relative_to(relative_to)) if relative_to else csv_path.name
    description = _read_sidecar(sidecar, shown)
    columns = tuple(_column(spec) for spec in description.tableSchema.columns)
    problems: list[Problem] = []
    rows = tuple(_read_rows(csv_path, shown, columns, register, problems))
    keys = description.tableSchema.primaryKey or []
    problems.extend(_duplicate_keys(shown, rows, keys))
    if problems:
        raise InputError(problems)
    titles = {
        entry["@language"]: entry["@value"]
        for entry in description.common_props.get("dcterms:title", [])
    }
    return Table(
        path=csv_path,
        name=shown,
        title_ja=titles.get("ja", shown),
        title_en=titles.get("en", shown),
        about=str(description.tableSchema.aboutUrl) if description.tableSchema.aboutUrl else None,
        source=description.common_props.get(_SOURCE),
        columns=columns,
        rows=rows,
    )


def _read_sidecar(sidecar: Path, shown: str) -> CsvwTable:
    try:
        return CsvwTable.from_file(sidecar)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise InputError(
            [
                Problem(
                    f"{shown.removesuffix('.csv')}{SIDECAR}",
                    line,
                    None,
                    None,
                    f"this sidecar is no CSVW table description: {error}",
                    "Mend the JSON; the other sidecars show the form.",
                )
            ]
        ) from error


def _column(spec: Any) -> Column:
    datatype = spec.inherit("datatype")
    own = (datatype.at_props.get("id") or "") if datatype else ""
    titles = spec.titles or {}
    return Column(
        name=spec.name,
        title_ja=(titles.get("ja") or [spec.name])[0],
        title_en=(titles.get("en") or [spec.name])[0],
        datatype=own.rpartition("#")[2] if own else (datatype.base if datatype else "string"),
        virtual=spec.virtual,
        required=bool(spec.required),
        separator=spec.inherit("separator"),
        lang=None if spec.lang in {None, "und"} else spec.lang,
        about=str(spec.aboutUrl) if spec.aboutUrl else None,
        property=str(spec.propertyUrl) if spec.propertyUrl else None,
        value=str(spec.valueUrl) if spec.valueUrl else None,
        default=spec.default or None,
        source=spec.common_props.get(_SOURCE),
        spec=spec,
    )


def _read_rows(
    path: Path,
    shown: str,
    columns: Sequence[Column],
    register: Register,
    problems: list[Problem],
) -> Iterator[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        problems.append(
            Problem(shown, None, None, None, "the file is missing", "Add it or drop its sidecar.")
        )
        return
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        problems.append(
            Problem(
                shown,
                line,
                None,
                repr(error.object[error.start : error.end]),
                "the file is not UTF-8",
                "Save it as UTF-8 (it may be Shift_JIS).",
            )
        )
        return
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    header = next(reader, [])
    stated = [column for column in columns if not column.virtual]
    missing = [column.name for column in stated if column.name not in header]
    problems.extend(
        Problem(shown, 1, name, None, "this column is missing", "Add it, or mend its heading.")
        for name in missing
    )
    problems.extend(
        Problem(
            shown,
            1,
            name,
            None,
            "the sidecar does not know this column",
            "Describe it there, or remove it.",
        )
        for name in header
        if name not in {column.name for column in stated}
    )
    if missing:
        return
    start = reader.line_num + 1
    try:
        for values in reader:
            number, start = start, reader.line_num + 1
            if len(values) != len(header):
                problems.append(
                    Problem(
                        shown,
                        number,
                        None,
                        None,
                        f"the row has {len(values)} cells, the header {len(header)}",
                        "Look for a comma too many, or quote the cell that has one.",
                    )
                )
                continue
            texts = dict(zip(header, values, strict=True))
            cells = {
                column.name: tuple(
                    _read_cells(shown, number, column, texts[column.name], register, problems)
                )
                for column in stated
            }
            yield Row(number, cells)
    except csv.Error as error:
        problems.append(
            Problem(
                shown,
                reader.line_num,
                None,
                None,
                f"this is no CSV: {error}",
                "Look at the quotation marks of this row.",
            )
        )


def _read_cells(
    shown: str,
    number: int,
    column: Column,
    text: str,
    register: Register,
    problems: list[Problem],
) -> Iterator[Cell]:
    def problem(value: str, message: str, remedy: str) -> None:
        problems.append(Problem(shown, number, column.name, value, message, remedy))

    if not text:
        if column.required:
            problem(text, "a value is required", f"Fill in {column.title_en}.")
        return
    for part in text.split(column.separator) if column.separator else (text,):
        if part != part.strip() or not part:
            problem(text, "there is white space at an end, or an empty part", "Remove it.")
            continue
        try:
            column.spec.datatype and column.spec.datatype.read(part)
        except ValueError as error:
            problem(part, f"this is no {column.datatype}: {error}", _remedy(column))
            continue
        if column.datatype == "printedAmount":
            try:
                yield Cell(part, parse_yen(part))
            except AmountError as error:
                problem(part, str(error), "Write it as printed, with its unit: 22.8億円, 450千円.")
        elif column.datatype == "localGovernment":
            match = register.match(part)
            if match.code:
                yield Cell(match.code)
            else:
                near = ", ".join(match.candidates) or "none"
                problem(
                    part,
                    f"no local government has this name: {match.note}",
                    f"Write prefecture and name (福島県昭和村). Near: {near}.",
                )
        else:
            yield Cell(part)


def _remedy(column: Column) -> str:
    pattern = column.spec.datatype.format if column.spec.datatype else None
    return f"It must match {pattern}." if pattern else f"Write a value of type {column.datatype}."


def _duplicate_keys(shown: str, rows: Sequence[Row], keys: Sequence[str]) -> Iterator[Problem]:
    seen: dict[tuple[tuple[Cell, ...], ...], int] = {}
    for row in rows if keys else ():
        key = tuple(row.cells[name] for name in keys)
        if not all(key):
            continue
        first = seen.setdefault(key, row.number)
        if first != row.number:
            yield Problem(
                shown,
                row.number,
                ", ".join(keys),
                " / ".join(cell.text for cells in key for cell in cells),
                f"row {first} has the same key",
                "Remove one of the two rows or give it another key.",
            )
