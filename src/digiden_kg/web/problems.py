"""Errors over HTTP: one shape for every route (problem details, RFC 9457), in both languages."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from digiden_kg import vocab
from digiden_kg.exceptions import (
    DigidenError,
    FormatError,
    ParameterError,
    QueryBusy,
    QueryError,
    QueryForbidden,
    QueryInterrupted,
    QueryLengthError,
    QueryLimitError,
    QueryMemoryError,
    QueryNestingError,
    QuerySizeError,
    QuerySyntaxError,
    QueryTimeout,
)

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """What an error means over HTTP."""

    error: type[DigidenError]
    status: int
    name: str
    title: str


_KINDS = [
    Kind(QuerySyntaxError, 400, "syntax", "Not a SPARQL query / 構文の誤り"),
    Kind(ParameterError, 400, "parameter", "A value does not fit / 値の誤り"),
    Kind(QueryTimeout, 504, "timeout", "The query took too long / 時間の上限超過"),
    Kind(QueryMemoryError, 507, "memory", "The query needs too much memory / メモリの上限超過"),
    Kind(QuerySizeError, 400, "size", "The result is too large / 結果が大きすぎる"),
    Kind(QueryNestingError, 400, "nesting", "Nested too deeply / 入れ子が深すぎる"),
    Kind(QueryLengthError, 413, "too-long", "The query is too long / 問い合わせが長すぎる"),
    Kind(QueryInterrupted, 503, "interrupted", "The evaluation was interrupted / 処理の中断"),
    Kind(QueryForbidden, 400, "query", "Not allowed here / 許可されない操作"),
    Kind(QueryBusy, 503, "busy", "Every worker is busy / 混雑"),
    Kind(FormatError, 406, "format", "No such format / 形式の誤り"),
    Kind(QueryError, 400, "query", "The query cannot be run / 実行できない問い合わせ"),
    Kind(DigidenError, 500, "error", "Something is wrong here / エラー"),
]


class ProblemError(Exception):
    """A request that cannot be answered, with status and words for it."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        """Make a problem; the detail says what is wrong in English and Japanese."""
        self.status, self.kind, self.detail, self.headers = status, kind, detail, headers
        super().__init__(detail)


def problem(
    status: int,
    kind: str,
    title: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """Return a problem response."""
    content = {
        "type": f"{vocab.BASE}problem/{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        **{name: value for name, value in more.items() if value is not None},
    }
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def problem_of(error: DigidenError) -> JSONResponse:
    """Return the problem response of an error."""
    kind = kind_of(error)
    return problem(
        kind.status,
        kind.name,
        kind.title,
        str(error),
        headers={"Retry-After": str(error.retry_after)} if isinstance(error, QueryBusy) else None,
        line=getattr(error, "line", None),
        column=getattr(error, "column", None),
        limit=error.limit if isinstance(error, QueryLimitError) else None,
        elapsed=error.elapsed if isinstance(error, QueryLimitError) else None,
        available=list(error.available) if isinstance(error, FormatError) else None,
    )


def kind_of(error: DigidenError) -> Kind:
    """Return what an error means over HTTP; the first that fits, so the special ones go first."""
    return next(kind for kind in _KINDS if isinstance(error, kind.error))


def install(app: FastAPI) -> None:
    """Let an application answer every error by a problem."""

    @app.exception_handler(DigidenError)
    async def on_digiden(_: Request, error: DigidenError) -> JSONResponse:
        return problem_of(error)

    @app.exception_handler(ProblemError)
    async def on_problem(_: Request, error: ProblemError) -> JSONResponse:
        title = HTTPStatus(error.status).phrase
        return problem(error.status, error.kind, title, error.detail, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        words = {
            404: f"there is nothing at {request.url.path} / {request.url.path} はありません。",
            405: f"{request.method} is not allowed here: everything is read-only"
            f" / {request.method} は使えません。読み取り専用です。",
        }
        return problem(
            error.status_code,
            "http",
            HTTPStatus(error.status_code).phrase,
            words.get(error.status_code, str(error.detail)),
            headers=dict(error.headers or {}),
        )
