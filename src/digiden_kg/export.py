"""Write answers and graphs as files of other programs: spreadsheets and network tools.

Everything is written as a stream and says nothing of the clock, so that equal content gives equal
bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr

from pyoxigraph import Literal, NamedNode

from digiden_kg.results import Answer, Term, is_number

EPOCH = datetime(2000, 1, 1)
"""Creation date of every file that has to have one."""
_SHEET_ROWS = 1_048_575
"""Rows of a sheet under its header."""
_CELL = 32_767
"""Characters that a cell of a spreadsheet holds."""
_EXACT = 15
"""Digits that a spreadsheet keeps of a number."""
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML has no way to write."""
_SHEET_NAME = re.compile(r"[\[\]:*?/\\']")

Value = str | int | float | bool
"""What a node or an edge of a network may be said to be."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook: columns and rows that are read once."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[tuple[Any, ...]]


def write_workbook(sheets: Iterable[Sheet], output: IO[bytes], *, title: str = "") -> None:
    """Write sheets as XLSX, row by row.

    Text is always text: what begins like a formula is none. Numbers are numbers unless a
    spreadsheet would lose digits of them. What does not fit into one sheet goes on in another.
    """
    import xlsxwriter  # noqa: PLC0415 - a server starts without it in a twentieth less of a second

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    workbook = xlsxwriter.Workbook(output, options)
    workbook.set_properties({"title": title, "created": EPOCH})
    bold = workbook.add_format({"bold": True})
    for sheet in sheets:
        page, at, part = None, 0, 0
        for row in sheet.rows:
            if page is None or at > _SHEET_ROWS:
                part += 1
                page, at = _add_sheet(workbook, sheet, part, bold), 1
            for column, value in enumerate(row):
                _write_cell(page, at, column, value)
            at += 1
        if page is None:
            _add_sheet(workbook, sheet, 1, bold)
    workbook.close()


def _add_sheet(workbook: Any, sheet: Sheet, part: int, bold: Any) -> Any:
    name = sheet.name if part == 1 else f"{sheet.name[:27]} {part}"
    page = workbook.add_worksheet(_SHEET_NAME.sub(" ", name)[:31])
    page.freeze_panes(1, 0)
    for column, heading in enumerate(sheet.columns):
        page.set_column(column, column, 18)
        page.write_string(0, column, _clean(heading)[:_CELL], bold)
    return page


def _write_cell(page: Any, row: int, column: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        page.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        page.write_number(row, column, value)
    else:
        page.write_string(row, column, _clean(str(value))[:_CELL])


def write_xlsx(
    answer: Answer,
    output: IO[bytes],
    *,
    title: str,
    headings: Mapping[str, str] | None = None,
    notes: Iterable[tuple[str, str]] = (),
) -> None:
    """Write the answer of a SELECT as XLSX.

    Args:
        answer: Columns and rows.
        output: Where to write.
        title: What the answer is about; also the name of its sheet.
        headings: What the columns are called, where not by their variables.
        notes: What a reader must know (release, query, licence), on a second sheet.
    """
    names = tuple((headings or {}).get(column, column) for column in answer.columns)
    rows = (tuple(plain(term) for term in row) for row in answer.rows)
    sheets = [Sheet(title, names, rows)]
    listed = [(name, text) for name, text in notes if text]
    if listed:
        sheets.append(Sheet("About", ("", ""), listed))
    write_workbook(sheets, output, title=title)


def plain(term: Term | None) -> Any:
    """Return a term as a value of Python: numbers as numbers where none of their digits is lost."""
    if term is None:
        return None
    if isinstance(term, NamedNode):
        return term.value
    if not isinstance(term, Literal):
        return str(term)
    if is_number(term) and sum(character.isdigit() for character in term.value) <= _EXACT:
        try:
            return int(term.value)
        except ValueError:
            number = float(term.value)
            return number if abs(number) != float("inf") and number == number else term.value  # noqa: PLR0124
    return term.value


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a network."""

    key: str
    label: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """A directed edge between two nodes."""

    source: str
    target: str
    label: str
    values: Mapping[str, Value] = field(default_factory=dict)


def write_graphml(nodes: Collection[Node], edges: Collection[Edge], output: IO[bytes]) -> None:
    """Write a network as GraphML (Gephi, yEd, Cytoscape, networkx, igraph)."""

    def write(text: str) -> None:
        output.write(text.encode())

    write('<?xml version="1.0" encoding="UTF-8"?>\n')
    write('<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
    keys: dict[tuple[str, str], str] = {}
    for domain, things in (("node", nodes), ("edge", edges)):
        for name, kind in (("label", "string"), *_kinds(things)):
            key = keys[domain, name] = f"{domain[0]}{len(keys)}"
            title = quoteattr(_clean(name))
            write(f'<key id="{key}" for="{domain}" attr.name={title} attr.type="{kind}"/>\n')
    write('<graph id="G" edgedefault="directed">\n')

    def data(domain: str, thing: Node | Edge) -> str:
        values = {"label": thing.label, **thing.values}
        return "".join(
            f'<data key="{keys[domain, name]}">{escape(_clean(_text(value)))}</data>'
            for name, value in values.items()
        )

    for node in nodes:
        write(f"<node id={quoteattr(_clean(node.key))}>{data('node', node)}</node>\n")
    for edge in edges:
        ends = f"source={quoteattr(_clean(edge.source))} target={quoteattr(_clean(edge.target))}"
        write(f"<edge {ends}>{data('edge', edge)}</edge>\n")
    write("</graph>\n</graphml>\n")


def write_gexf(nodes: Collection[Node], edges: Collection[Edge], output: IO[bytes]) -> None:
    """Write a network as GEXF 1.3 (Gephi, sigma.js)."""

    def write(text: str) -> None:
        output.write(text.encode())

    write('<?xml version="1.0" encoding="UTF-8"?>\n')
    write('<gexf xmlns="http://gexf.net/1.3" version="1.3">\n')
    write('<graph defaultedgetype="directed" mode="static">\n')
    keys: dict[tuple[str, str], str] = {}
    for domain, things in (("node", nodes), ("edge", edges)):
        write(f'<attributes class="{domain}">\n')
        for name, kind in _kinds(things):
            key = keys[domain, name] = f"{domain[0]}{len(keys)}"
            write(f'<attribute id="{key}" title={quoteattr(_clean(name))} type="{kind}"/>\n')
        write("</attributes>\n")

    def data(domain: str, thing: Node | Edge) -> str:
        values = "".join(
            f'<attvalue for="{keys[domain, name]}" value={quoteattr(_clean(_text(value)))}/>'
            for name, value in thing.values.items()
        )
        return f"<attvalues>{values}</attvalues>" if values else ""

    write("<nodes>\n")
    for node in nodes:
        head = f"id={quoteattr(_clean(node.key))} label={quoteattr(_clean(node.label))}"
        write(f"<node {head}>{data('node', node)}</node>\n")
    write("</nodes>\n<edges>\n")
    for number, edge in enumerate(edges):
        ends = f"source={quoteattr(_clean(edge.source))} target={quoteattr(_clean(edge.target))}"
        head = f'id="{number}" {ends} label={quoteattr(_clean(edge.label))}'
        write(f"<edge {head}>{data('edge', edge)}</edge>\n")
    write("</edges>\n</graph>\n</gexf>\n")


def _kinds(things: Iterable[Node | Edge]) -> list[tuple[str, str]]:
    """Return each name of a value with its type; ``string`` where the values differ."""
    found: dict[str, str] = {}
    for thing in things:
        for name, value in thing.values.items():
            if name == "label":
                continue
            kind = _KINDS[type(value)]
            found[name] = kind if found.get(name, kind) == kind else "string"
    return list(found.items())


_KINDS = {str: "string", int: "long", float: "double", bool: "boolean"}


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
