"""Map rows to quads, as the CSVW sidecars say.

The sidecar of a table is its mapping: ``aboutUrl``, ``propertyUrl`` and ``valueUrl`` are the terms
of W3C "Generating RDF from Tabular Data on the Web". Four rules are ours:

- templates give paths relative to the base IRI, or prefixed names;
- a column with a separator states each of its values, also through ``valueUrl``;
- a statement stands in the graph of every passage that its row names, or, where the column or the
  table has ``dcterms:source``, in that graph of ours;
- a statement whose templates name an empty cell is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import uritemplate
from pyoxigraph import Literal, NamedNode, Quad
from uritemplate.variable import VariableValue

from digiden_kg import vocab
from digiden_kg.exceptions import InputError, Problem
from digiden_kg.tables import PASSAGE, Cell, Column, Row, Table

DOCUMENT = "digiden-2023-04"
"""Key of the document whose passages the tables cite."""

_ROUNDED = NamedNode(vocab.expand("dg:roundedTo"))
_INTEGER = NamedNode(vocab.expand("xsd:integer"))


@dataclass(frozen=True, slots=True)
class Statement:
    """A quad and the cell that states it."""

    quad: Quad
    file: str
    row: int
    column: str
    value: str


def map_table(table: Table) -> Iterator[Statement]:
    """Yield what a table states.

    Raises:
        InputError: A row names no passage and its table no graph, or a prefix is unknown.
    """
    templates = {
        text: uritemplate.URITemplate(text)
        for column in table.columns
        for text in (column.about or table.about, column.property, column.value)
        if text
    }
    for row in table.rows:
        yield from _map_row(table, row, templates)


def _map_row(
    table: Table, row: Row, templates: dict[str, uritemplate.URITemplate]
) -> Iterator[Statement]:
    rounded: dict[tuple[NamedNode, NamedNode], int] = {}
    for column in table.columns:
        about = column.about or table.about
        if not column.property or not about:
            continue
        cells = row.cells.get(column.name, ())
        if not cells and column.default is not None:
            cells = (Cell(column.default),)
        if not cells and column.virtual and column.value:
            cells = (Cell(""),)
        for cell in cells:
            variables = _variables(row, column, cell)
            subject = _iri(templates[about], variables)
            predicate = _iri(templates[column.property], variables)
            value = _iri(templates[column.value], variables) if column.value else None
            if subject is None or predicate is None or (column.value and value is None):
                continue
            for graph in _graphs(table, row, column):

                def state(
                    predicate: NamedNode,
                    value: NamedNode | Literal,
                    *,
                    subject: NamedNode = subject,
                    graph: NamedNode = graph,
                    column: Column = column,
                    cell: Cell = cell,
                ) -> Statement:
                    return Statement(
                        Quad(subject, predicate, value, graph),
                        table.name,
                        row.number,
                        column.name,
                        cell.text,
                    )

                yield state(predicate, value or _literal(column, cell))
                if cell.amount:
                    printed = NamedNode(f"{predicate.value}AsPrinted")
                    yield state(printed, Literal(cell.text))
                    place = (subject, graph)
                    rounded[place] = max(rounded.get(place, 0), cell.amount.rounded_to)
    for (subject, graph), unit in rounded.items():
        quad = Quad(subject, _ROUNDED, Literal(str(unit), datatype=_INTEGER), graph)
        yield Statement(quad, table.name, row.number, "", "")


def _variables(row: Row, column: Column, cell: Cell) -> dict[str, VariableValue]:
    variables: dict[str, VariableValue] = {
        name: cells[0].text for name, cells in row.cells.items() if cells
    }
    if not column.virtual:
        variables[column.name] = cell.text
    return variables


def _iri(
    template: uritemplate.URITemplate, variables: dict[str, VariableValue]
) -> NamedNode | None:
    if any(name not in variables for name in template.variable_names):
        return None
    return NamedNode(vocab.expand(template.expand(variables)))


def _graphs(table: Table, row: Row, column: Column) -> list[NamedNode]:
    ours = column.source or table.source
    if ours:
        return [NamedNode(vocab.source(ours))]
    passages = row.cells.get(PASSAGE, ())
    if not passages:
        raise InputError(
            [
                Problem(
                    table.name,
                    row.number,
                    PASSAGE,
                    "",
                    "nothing says where this row comes from",
                    "Name the passage, a key of passages.csv.",
                )
            ]
        )
    return [NamedNode(vocab.source(f"{DOCUMENT}/{cell.text}")) for cell in passages]


def _literal(column: Column, cell: Cell) -> Literal:
    if cell.amount:
        return Literal(str(cell.amount.yen), datatype=_INTEGER)
    if column.lang:
        return Literal(cell.text, language=column.lang)
    if column.datatype in ("string", "localGovernment"):
        return Literal(cell.text)
    return Literal(cell.text, datatype=NamedNode(vocab.expand(f"xsd:{column.datatype}")))
