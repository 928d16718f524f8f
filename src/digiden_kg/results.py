"""Formats of query results: which there are, which one a client wants, and how they are written.

Tables (SELECT, ASK) and graphs (CONSTRUCT, DESCRIBE) have formats of their own; some names, such as
``json`` and ``xml``, mean one of each. Serialising is pyoxigraph's work.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from pyoxigraph import (
    BlankNode,
    Literal,
    NamedNode,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    QueryTriples,
    RdfFormat,
    Triple,
    serialize,
)

from digiden_kg import vocab
from digiden_kg.exceptions import FormatError

Results = QuerySolutions | QueryBoolean | QueryTriples
Term = NamedNode | BlankNode | Literal | Triple


@dataclass(frozen=True, slots=True)
class Answer:
    """A result table; a cell is None where the variable is unbound."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Term | None, ...], ...]


def read_answer(solutions: QuerySolutions | QueryBoolean) -> Answer:
    """Return solutions as a table; yes or no is one of one cell."""
    if isinstance(solutions, QueryBoolean):
        return Answer(("ask",), ((Literal(bool(solutions)),),))
    columns = tuple(variable.value for variable in solutions.variables)
    return Answer(columns, tuple(map(tuple, solutions)))


@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """One way to write results; each is itself alone, so that tables of them are fast."""

    names: tuple[str, ...]
    """What ``?format=`` and ``--format`` call it; the first is also the file extension."""
    media_types: tuple[str, ...]
    """The registered type, then others that clients ask for."""
    engine: QueryResultsFormat | RdfFormat | None = None
    """How pyoxigraph writes it; None for a page."""

    @property
    def name(self) -> str:
        """The first of the names."""
        return self.names[0]


TABLES = (
    Format(
        ("json", "srj"),
        ("application/sparql-results+json", "application/json", "text/javascript"),
        QueryResultsFormat.JSON,
    ),
    Format(
        ("xml", "srx"),
        ("application/sparql-results+xml", "application/xml", "text/xml"),
        QueryResultsFormat.XML,
    ),
    Format(("csv",), ("text/csv",), QueryResultsFormat.CSV),
    Format(("tsv",), ("text/tab-separated-values",), QueryResultsFormat.TSV),
)
GRAPHS = (
    Format(
        ("ttl", "turtle", "n3"),
        ("text/turtle", "application/turtle", "application/x-turtle", "text/n3", "text/rdf+n3"),
        RdfFormat.TURTLE,
    ),
    Format(
        ("nt", "ntriples", "n-triples"),
        ("application/n-triples", "text/plain"),
        RdfFormat.N_TRIPLES,
    ),
    Format(
        ("jsonld", "json-ld", "json"),
        ("application/ld+json", "application/json"),
        RdfFormat.JSON_LD,
    ),
    Format(
        ("rdf", "rdfxml", "rdf+xml", "xml"),
        ("application/rdf+xml", "application/xml", "text/xml"),
        RdfFormat.RDF_XML,
    ),
    # The triples of an answer are the default graph of these two.
    Format(("trig",), ("application/trig", "application/x-trig"), RdfFormat.TRIG),
    Format(
        ("nq", "nquads", "n-quads"), ("application/n-quads", "text/x-nquads"), RdfFormat.N_QUADS
    ),
)
HTML = Format(("html",), ("text/html", "application/xhtml+xml"))
"""A page for people; only the web offers it."""
XLSX = Format(("xlsx",), ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",))
"""A table for spreadsheets; written from the whole answer, see ``export``."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The format of an answer, and the media type under which the client knows it."""

    format: Format
    media_type: str

    @property
    def content_type(self) -> str:
        """Value of the ``Content-Type`` header."""
        text = self.media_type.startswith("text/")
        return f"{self.media_type}; charset=utf-8" if text else self.media_type


def formats_of(form: str | None) -> tuple[Format, ...]:
    """Return the formats of a query form (``SELECT`` …)."""
    return GRAPHS if form in {"CONSTRUCT", "DESCRIBE"} else TABLES


def find_format(offers: Sequence[Format], name: str) -> Chosen:
    """Return the format of a name or media type.

    Raises:
        FormatError: None of the offers is called so.
    """
    wanted = name.strip().lower()
    for offer in offers:
        if wanted in offer.names:
            return Chosen(offer, offer.media_types[0])
        if wanted in offer.media_types:
            return Chosen(offer, wanted)
    raise _no_format(name, offers)


@functools.lru_cache(maxsize=64)  # the headers of a few programs come over and over
def negotiate(offers: tuple[Format, ...], accept: str | None) -> Chosen:
    """Return the format that an ``Accept`` header prefers (RFC 9110, section 12.5.1).

    The quality of a media type is that of the most specific range that covers it. Among equals, a
    type that the client names goes before one that only a wildcard covers, then the order of the
    header, then ours.

    Raises:
        FormatError: The client accepts none of the offers.
    """
    ranges = list(_ranges(accept)) if accept else []
    if not ranges:
        return Chosen(offers[0], offers[0].media_types[0])
    best: tuple[tuple[float, int, int], Chosen] | None = None
    for offer in offers:
        for media_type in offer.media_types:
            quality, precision, place = _quality(media_type, ranges)
            # A wildcard stands for the registered types only.
            if quality <= 0 or (precision < 2 and media_type != offer.media_types[0]):
                continue
            rank = (quality, precision, -place if precision == 2 else 0)
            if best is None or rank > best[0]:
                best = rank, Chosen(offer, media_type)
    if best is None:
        raise _no_format(accept or "", offers)
    return best[1]


def _no_format(wanted: str, offers: Sequence[Format]) -> FormatError:
    names = ", ".join(offer.name for offer in offers)
    return FormatError(
        f"{wanted!r} is no format of this query; there are: {names}"
        f" / この問い合わせの形式は次のとおりです: {names}",
        [media_type for offer in offers for media_type in offer.media_types[:1]],
    )


_ELEMENT = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')
_PARAMETER = re.compile(r';\s*([\w!#$&^.+-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)')
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for element in _ELEMENT.findall(accept):
        media_range = element.partition(";")[0].strip().lower()
        if "/" not in media_range:
            if media_range == "*":  # sent by java.net.URLConnection
                media_range = "*/*"
            else:
                continue
        quality = 1.0
        for name, value in _PARAMETER.findall(element):
            if name.lower() == "q":
                quality = float(value) if _QVALUE.fullmatch(value) else 0.0
        yield media_range, quality


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int, int]:
    """Return (quality, precision 0 to 2, place in the header) of a media type."""
    patterns = ("*/*", media_type.partition("/")[0] + "/*", media_type)
    for precision in (2, 1, 0):
        for place, (media_range, quality) in enumerate(ranges):
            if media_range == patterns[precision]:
                return quality, precision, place
    return 0.0, 0, 0


def write_results(results: Results | Sequence[Triple], output: IO[bytes], chosen: Format) -> None:
    """Write results in a format of their kind.

    Raises:
        FormatError: The format is one of tables and the results are a graph, or the reverse.
    """
    if isinstance(results, QueryTriples | Sequence):
        if not isinstance(chosen.engine, RdfFormat):
            raise _no_format(chosen.name, GRAPHS)
        readable = chosen.engine in (RdfFormat.TURTLE, RdfFormat.RDF_XML, RdfFormat.TRIG)
        prefixes = vocab.PREFIXES if readable else None
        serialize(results, output, chosen.engine, prefixes=prefixes)
    else:
        if not isinstance(chosen.engine, QueryResultsFormat):
            raise _no_format(chosen.name, TABLES)
        results.serialize(output, chosen.engine)


class RowCount:
    """Counts the rows of a serialised answer while it passes by, without parsing it.

    In JSON a row begins where an object follows another one. A string may end in the same three
    characters, but then its quote is followed by what no name begins with. Other formats than
    those here have no rows to count.
    """

    _MARKS: Mapping[str, bytes] = {
        "csv": b"\n",
        "tsv": b"\n",
        "xml": b"<result>",
        "json": b'},{"',
        "nt": b"\n",
        "nq": b"\n",
    }
    """What begins or ends a row, by the name of the format."""

    _NO_MARKS = bytes(set(range(256)) - set(b'"\n'))
    """What does not matter to the number of rows of CSV."""

    _FIRST = b'"bindings":[{'
    """Where the first row of JSON begins."""

    def __init__(self, chosen: Format) -> None:
        self._format, self._mark = chosen.name, self._MARKS.get(chosen.name)
        self._is_table = isinstance(chosen.engine, QueryResultsFormat)
        self._head, self._tail, self._count = b"", b"", 0
        self._quoted, self._table = False, False

    def add(self, chunk: bytes) -> None:
        """Take the next piece of the answer."""
        if self._mark is None:
            return
        if self._format == "csv":
            # A line break between quotes belongs to a value.
            parts = chunk.translate(None, self._NO_MARKS).split(b'"')
            self._count += sum(map(len, parts[self._quoted :: 2]))
            self._quoted ^= len(parts) % 2 == 0
        elif self._format == "json":
            text = self._tail + chunk
            # A mark at the very end is looked at when what follows it is there.
            self._tail = text[-len(self._mark) :]
            self._count += text.count(self._mark, 0, len(text) - 1)
            self._count -= sum(text.count(self._mark + after) for after in (b"}", b","))
            if not self._table:
                head = self._head + chunk
                self._table = self._FIRST in head
                self._head = head[-len(self._FIRST) :]
        else:
            text = self._tail + chunk
            self._tail = text[max(0, len(text) - len(self._mark) + 1) :]
            self._count += text.count(self._mark)

    @property
    def rows(self) -> int | None:
        """Rows up to now; None where the format has none."""
        if self._mark is None:
            return None
        if self._format == "json":
            return self._count + self._table
        return max(0, self._count - (self._format in ("csv", "tsv")))  # without the header

    @property
    def table_rows(self) -> int:
        """Rows up to now that a limit counts: those of tables; graphs are bounded by bytes."""
        return (self.rows or 0) if self._is_table else 0


def cell_text(term: Term | None) -> str:
    """Return a term as a person reads it: IRIs short, literals without datatype."""
    if term is None:
        return ""
    if isinstance(term, NamedNode):
        return vocab.shorten(term.value)
    return term.value if isinstance(term, Literal) else str(term)


def is_number(term: Term | None) -> bool:
    """Say whether a term is a number, which tables align to the right."""
    return isinstance(term, Literal) and term.datatype.value in _NUMBERS


_NUMBERS = {vocab.expand(f"xsd:{name}") for name in ("integer", "decimal", "double", "float")}


def table_text(answer: Answer, *, width: int | None = None) -> str:
    """Return a table as text; East Asian characters take two columns.

    Args:
        answer: Columns and rows.
        width: Columns of the terminal, into which cells are folded; None where the text goes to a
            file or a pipe and each row keeps its line.
    """
    # Imported here because a worker process imports this module at every start.
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(answer.columns):
        right = bool(answer.rows) and all(
            row[index] is None or is_number(row[index]) for row in answer.rows
        )
        table.add_column(
            column,
            justify="right" if right else "left",
            no_wrap=width is None,
            overflow="fold",
        )
    for row in answer.rows:
        table.add_row(*(Text(cell_text(term)) for term in row))
    output = io.StringIO()
    console = Console(
        file=output, width=width or 1_000_000, color_system=None, legacy_windows=False
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"
