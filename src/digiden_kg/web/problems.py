"""Errors over HTTP: one shape for every route (problem details, RFC 9457), in both languages."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
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
    QueryMemoryError,
    QueryNestingError,
    QuerySizeError,
    QuerySyntaxError,
    QueryTimeout,
)
from digiden_kg.results import Format, negotiate
from digiden_kg.web.access import note_of

MEDIA_TYPE = "application/problem+json"
_JSON = Format(("json",), (MEDIA_TYPE, "application/json"))
_TEXT = Format(("txt",), ("text/plain", "text/html"))


class Kind(NamedTuple):
    """What an error means over HTTP."""

    error: type[DigidenError]
    status: int
    name: str
    title: str
    advice: str | None = None


_SMALLER = (
    "Narrow the patterns down, add LIMIT, or take all data from /files/digiden.nq."
    " / 条件を絞る、LIMIT を付ける、または /files/digiden.nq から全データを取得してください。"
)
_KINDS = [
    Kind(
        QuerySyntaxError,
        400,
        "syntax",
        "Not a SPARQL query / 構文の誤り",
        "Prefixes must be declared; /prefixes lists ours."
        " / 接頭辞は宣言が必要です。一覧は /prefixes にあります。",
    ),
    Kind(ParameterError, 400, "parameter", "A value does not fit / 値の誤り"),
    Kind(QueryTimeout, 504, "timeout", "The query took too long / 時間の上限超過", _SMALLER),
    Kind(
        QueryMemoryError,
        507,
        "memory",
        "The query needs too much memory / メモリの上限超過",
        _SMALLER,
    ),
    Kind(QuerySizeError, 400, "size", "The result is too large / 結果が大きすぎる", _SMALLER),
    Kind(QueryNestingError, 400, "nesting", "Nested too deeply / 入れ子が深すぎる"),
    Kind(QueryLengthError, 413, "too-long", "The query is too long / 問い合わせが長すぎる"),
    Kind(QueryInterrupted, 503, "interrupted", "The evaluation was interrupted / 処理の中断"),
    Kind(QueryForbidden, 400, "query", "Not allowed here / 許可されない操作"),
    Kind(
        QueryBusy,
        503,
        "busy",
        "Every worker is busy / 混雑",
        "Ask again after the seconds of Retry-After."
        " / Retry-After の秒数だけ待ってから、もう一度お試しください。",
    ),
    Kind(FormatError, 406, "format", "No such format / 形式の誤り"),
    Kind(QueryError, 400, "query", "The query cannot be run / 実行できない問い合わせ"),
    Kind(DigidenError, 500, "error", "Something is wrong here / エラー"),
]


class ProblemError(Exception):
    """A request that cannot be answered, with status and words for it."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        headers: dict[str, str] | None = None,
        advice: str | None = None,
    ) -> None:
        """Make a problem; the detail says what is wrong in English and Japanese."""
        self.status, self.kind, self.detail, self.headers = status, kind, detail, headers
        self.advice = advice
        super().__init__(detail)


def problem(
    request: Request,
    status: int,
    kind: str,
    title: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return a problem, as JSON unless the client would rather have text."""
    note = note_of(request.scope)
    note.outcome = kind
    content = {
        "type": f"{vocab.BASE}problem/{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "elapsed": round(note.elapsed, 3),
        **{name: value for name, value in more.items() if value is not None},
    }
    headers = {"Cache-Control": "no-store", "Vary": "Accept", **(headers or {})}
    if _wants_text(request.headers.get("accept")):
        lines = [f"{name}: {value}" for name, value in content.items() if name != "title"]
        return PlainTextResponse("\n".join([title, *lines]) + "\n", status, headers)
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def _wants_text(accept: str | None) -> bool:
    try:
        return negotiate((_JSON, _TEXT), accept).format is _TEXT
    except FormatError:
        return False


def problem_of(request: Request, error: DigidenError) -> Response:
    """Return the problem response of an error."""
    kind = kind_of(error)
    more = {
        name: getattr(error, name, None) for name in ("line", "column", "limit", "unit", "elapsed")
    }
    return problem(
        request,
        kind.status,
        kind.name,
        kind.title,
        str(error),
        headers={"Retry-After": str(error.retry_after)} if isinstance(error, QueryBusy) else None,
        available=list(error.available) if isinstance(error, FormatError) else None,
        advice=getattr(error, "advice", None) or kind.advice,
        **more,
    )


def kind_of(error: DigidenError) -> Kind:
    """Return what an error means over HTTP; the first that fits, so the special ones go first."""
    return next(kind for kind in _KINDS if isinstance(error, kind.error))


def answer_of(request: Request, error: DigidenError | ProblemError) -> Response:
    """Return the response of an error of ours."""
    if isinstance(error, DigidenError):
        return problem_of(request, error)
    return problem(
        request,
        error.status,
        error.kind,
        HTTPStatus(error.status).phrase,
        error.detail,
        headers=error.headers,
        advice=error.advice,
    )


def install(app: FastAPI) -> None:
    """Let an application answer every error by a problem."""

    @app.exception_handler(DigidenError)
    @app.exception_handler(ProblemError)
    async def on_ours(request: Request, error: DigidenError | ProblemError) -> Response:
        return answer_of(request, error)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        words = {
            404: f"there is nothing at {request.url.path} / {request.url.path} はありません。",
            405: f"{request.method} is not allowed here: everything is read-only"
            f" / {request.method} は使えません。読み取り専用です。",
        }
        return problem(
            request,
            error.status_code,
            "http",
            HTTPStatus(error.status_code).phrase,
            words.get(error.status_code, str(error.detail)),
            headers=dict(error.headers or {}),
        )
