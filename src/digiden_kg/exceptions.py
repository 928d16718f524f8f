"""Errors of digiden-kg.

DigidenError
├── InputError         the tables, shapes or queries given to a build are wrong (carries problems)
│   └── (list of Problem: file, row, column, value, remedy)
├── AmountError        a text is no amount of money
├── CodeError          a code has the wrong length or check digit
├── SettingsError      a setting has a value that it cannot have
├── ReleaseError       a release folder is missing or damaged
└── QueryError         a query cannot be run
    ├── QuerySyntaxError   it is no SPARQL query (carries line and column)
    ├── QueryForbidden     it asks for what this endpoint never does: SERVICE, updates
    ├── QueryLimitError    it broke a limit (carries the limit and the seconds that it ran)
    │   ├── QueryTimeout       time
    │   ├── QueryMemoryError   memory
    │   ├── QuerySizeError     rows or bytes of the result
    │   ├── QueryNestingError  depth of its brackets, or the stack of the parser
    │   └── QueryLengthError   length of its text
    ├── QueryBusy          no worker was free in time (carries when to ask again)
    ├── QueryInterrupted   whoever evaluated it ended
    ├── FormatError        no format that was asked for fits
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


class SettingsError(DigidenError):
    """A setting has a value that it cannot have."""


class ReleaseError(DigidenError):
    """A release folder is missing, incomplete or damaged."""


class PublishError(DigidenError):
    """A site cannot be published as it should be."""


class QueryError(DigidenError):
    """A query cannot be run; the message says why."""


class QuerySyntaxError(QueryError):
    """A text is no SPARQL query; ``line`` and ``column`` count from 1, None where not known."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.line = line
        self.column = column
        super().__init__(message)


class QueryForbidden(QueryError):
    """A query asks for what the endpoint never does."""


class QueryLimitError(QueryError):
    """A query broke a limit.

    ``limit`` is the limit in its own unit; ``elapsed`` the seconds that the query ran, None where
    it never did.
    """

    def __init__(self, english: str, japanese: str, limit: float, elapsed: float | None) -> None:
        self.limit = limit
        self.elapsed = None if elapsed is None else round(elapsed, 3)
        if elapsed is not None:
            english += f" (after {elapsed:.1f} s)"
            japanese += f"（経過 {elapsed:.1f} 秒）"
        super().__init__(f"{english} / {japanese}")


class QueryTimeout(QueryLimitError):
    """A query ran longer than its time limit; ``limit`` is in seconds."""

    def __init__(self, limit: float, elapsed: float | None = None) -> None:
        super().__init__(
            f"the query ran longer than the {limit:g} s that it may; narrow it down, add LIMIT,"
            " or download the dataset",
            f"実行時間の上限 {limit:g} 秒を超えました。条件を絞るか LIMIT を付けるか、"
            "データセットをダウンロードしてください。",
            limit,
            elapsed,
        )


class QueryMemoryError(QueryLimitError):
    """A query needed more memory than it may use; ``limit`` is in bytes."""

    def __init__(self, limit: int, elapsed: float | None = None) -> None:
        size = f"{limit / (1 << 20):g} MiB"
        super().__init__(
            f"the query needs more than the {size} of memory that it may use; narrow it down, or"
            " avoid sorting, grouping and DISTINCT over many rows",
            f"メモリの上限 {size} を超えました。条件を絞るか、多数の行に対する並べ替え・集約・"
            "DISTINCT を避けてください。",
            limit,
            elapsed,
        )


class QuerySizeError(QueryLimitError):
    """A result is larger than it may be; ``unit`` is rows or bytes."""

    def __init__(self, unit: str, limit: int, elapsed: float | None = None) -> None:
        self.unit = unit
        japanese = {"rows": "行", "bytes": "バイト"}[unit]
        super().__init__(
            f"the result has more than {limit:,} {unit}; add LIMIT, ask in parts, or download the"
            " dataset",
            f"結果が上限 {limit:,} {japanese}を超えました。LIMIT を付けるか、分けて問い合わせるか、"
            "データセットをダウンロードしてください。",
            limit,
            elapsed,
        )


class QueryNestingError(QueryLimitError):
    """A query is nested too deeply; ``limit`` is the depth of brackets."""

    def __init__(self, limit: int, elapsed: float | None = None) -> None:
        super().__init__(
            f"the query is nested too deeply: brackets may be {limit} deep, chains of operators"
            " some thousands long; use VALUES or IN for long lists",
            f"入れ子が深すぎます。括弧は {limit} 段まで、演算子の連鎖は数千個までです。"
            "長い列挙には VALUES か IN を使ってください。",
            limit,
            elapsed,
        )


class QueryLengthError(QueryLimitError):
    """The text of a query is too long; ``limit`` is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the query is longer than {limit:,} bytes; ask in parts",
            f"問い合わせの長さが {limit:,} バイトを超えています。分けて問い合わせてください。",
            limit,
            None,
        )


class QueryBusy(QueryError):
    """No worker was free in time; ``retry_after`` says in how many seconds to ask again."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"too many queries are waiting; ask again in {retry_after} s"
            f" / 混み合っています。{retry_after} 秒後にもう一度お試しください。"
        )


class QueryInterrupted(QueryError):
    """Whoever evaluated a query ended before its answer did."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the evaluation was interrupted ({reason}); ask again"
            " / 処理が中断しました。もう一度お試しください。"
        )


class FormatError(QueryError):
    """No format that was asked for fits the query; ``available`` lists those that do."""

    def __init__(self, message: str, available: Sequence[str]) -> None:
        self.available = tuple(available)
        super().__init__(message)


class ParameterError(QueryError):
    """A value given to a saved question does not fit its parameter."""
