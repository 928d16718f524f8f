"""Errors of digiden-kg.

DigidenError
├── InputError         the tables, shapes or queries given to a build are wrong (carries problems)
│   └── (list of Problem: file, row, column, value, remedy)
├── AmountError        a text is no amount of money
├── CodeError          a code has the wrong length or check digit
├── ReleaseError       a release folder is missing or damaged
└── QueryError         a query cannot be run
    ├── QuerySyntaxError   it is no SPARQL query (carries line and column)
    ├── QueryTimeout       it ran longer than its time limit
    ├── QueryMemoryError   it needed more memory or stack than a worker has
    ├── QueryBusy          no worker was free in time
    └── ParameterError     a value given to a saved question does not fit
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DigidenError(Exception):
    """Anything that digiden-kg can say in one line to the person who asked."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in an input file, with the place and what to do about it.

    ``row`` is the line of the file (the header is row 1); ``column`` is the column's name.
    """

    file: str
    row: int | None
    column: str | None
    value: str | None
    message: str
    remedy: str

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (
                self.file,
                f"row {self.row}" if self.row is not None else "",
                f"column {self.column}" if self.column else "",
            )
            if part
        )
        value = f" ({self.value!r})" if self.value is not None else ""
        return f"{place}: {self.message}{value}. {self.remedy}"


class InputError(DigidenError):
    """The input of a build is wrong; ``problems`` holds every one that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the input:\n{lines}")


class AmountError(DigidenError):
    """A text is no amount of money."""


class CodeError(DigidenError):
    """A code of a local government or corporation is malformed."""


class ReleaseError(DigidenError):
    """A release folder is missing, incomplete or damaged."""


class QueryError(DigidenError):
    """A query cannot be run; the message says why."""


class QuerySyntaxError(QueryError):
    """A text is no SPARQL query; ``line`` and ``column`` count from 1, None where not known."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.line = line
        self.column = column
        super().__init__(message)


class QueryTimeout(QueryError):
    """A query ran longer than its time limit."""


class QueryMemoryError(QueryError):
    """A query needed more memory, or a deeper stack, than a worker may use."""


class QueryBusy(QueryError):
    """Every worker was busy for as long as a query may wait."""


class FormatError(QueryError):
    """No format that was asked for fits the query; ``available`` lists those that do."""

    def __init__(self, message: str, available: Sequence[str]) -> None:
        self.available = tuple(available)
        super().__init__(message)


class ParameterError(QueryError):
    """A value given to a saved question does not fit its parameter."""
