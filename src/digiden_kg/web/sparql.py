"""The SPARQL 1.1 Protocol for queries.

Only what the protocol says is done here: where the query stands in a request, which format and
coding the client wants, and what to answer to what is no query. Evaluation is the engine's.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from collections import OrderedDict
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, quote

from fastapi import Request, Response
from pyoxigraph import NamedNode
from starlette.types import Receive, Scope, Send

from digiden_kg.engine.seam import PAGE, Begun, Engine, Prompt, Query, Reply
from digiden_kg.exceptions import QueryError
from digiden_kg.results import Chosen
from digiden_kg.syntax import has_word, normalise, query_form
from digiden_kg.web import coding
from digiden_kg.web.access import CLIENT, Note, client_of, note_of
from digiden_kg.web.cache import Flight, Kept, ResultCache
from digiden_kg.web.problems import ProblemError, kind_of
from digiden_kg.web.waiting import ClientGone, Clients

MAX_QUERY = 1 << 20
"""Bytes of a request body."""
GONE = 499
"""Status in the log of a request whose client did not wait."""
_FORM = "application/x-www-form-urlencoded"
_DIRECT = "application/sparql-query"
_UPDATE = "application/sparql-update"
_ACCEPT_POST = {"Accept-Post": f"{_FORM}, {_DIRECT}"}
_VARY = "Accept, Accept-Encoding"
_FLEETING = ("NOW", "RAND", "UUID", "STRUUID", "BNODE", "SERVICE")
"""Words of queries whose answer may differ each time."""
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CHARSET = re.compile(r'charset\s*=\s*"?([^";\s]+)', re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_FILE_NAME = 120
"""Characters of the name of a download."""
_BEGUN = "digiden.begun"
"""Key of what has begun to answer a request before there was a task for it."""


@dataclass(slots=True)  # frozen ones take several times as long to make
class SparqlRequest:
    """What a request asks: a query, its dataset, a format by name, and a shorter deadline."""

    query: str | None
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    format: str | None = None
    timeout: float | None = None
    download: str | None = None
    form: str | None = field(init=False)
    """SELECT, ASK, CONSTRUCT, DESCRIBE; None where the text is no query."""

    def __post_init__(self) -> None:
        """Look what form the query has, once for all who want to know."""
        self.form = query_form(self.query) if self.query is not None else None


async def read_request(request: Request) -> SparqlRequest:
    """Read a request of the protocol: GET, POST of a form, or POST of a query.

    Raises:
        ProblemError: It is an update, or no request of the protocol.
    """
    pairs = parameters(request.scope["query_string"])
    is_post = request.method == "POST"
    if is_post:
        content_type = _content_type(request)
        body = await read_body(request)
        pairs += [("query", _text(body))] if content_type == _DIRECT else parameters(body)
    return read_parameters(pairs, is_post=is_post)


def read_parameters(pairs: Iterable[tuple[str, str]], *, is_post: bool = False) -> SparqlRequest:
    """Read the parameters of a request of the protocol.

    Raises:
        ProblemError: It is an update, or no request of the protocol.
    """
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    if "update" in given:
        raise _read_only()
    queries = given.get("query", [])
    if len(queries) > 1:
        raise ProblemError(400, "request", "give one query / query は一つだけ指定してください。")
    if not queries and is_post:
        raise ProblemError(400, "request", "there is no query / query がありません。")
    if not queries and not given.keys().isdisjoint(("default-graph-uri", "named-graph-uri")):
        raise ProblemError(400, "request", "there is a dataset but no query / query がありません。")
    asked = SparqlRequest(
        query=queries[0] if queries else None,
        default_graphs=_iris(given, "default-graph-uri"),
        named_graphs=_iris(given, "named-graph-uri"),
        format=next(filter(None, given.get("format", ())), None),
        timeout=_timeout(next(filter(None, given.get("timeout", ())), None)),
        download=(given["download"][0] or "result") if "download" in given else None,
    )
    if asked.form == "UPDATE":
        raise _read_only()
    return asked


def _content_type(request: Request) -> str:
    header = request.headers.get("content-type", "")
    content_type = header.partition(";")[0].strip().lower()
    if content_type == _UPDATE:
        raise _read_only()
    if content_type not in (_FORM, _DIRECT):
        raise ProblemError(
            415,
            "media-type",
            f"send {_FORM} or {_DIRECT} / 本文の形式は {_FORM} か {_DIRECT} です。",
            _ACCEPT_POST,
        )
    charset = _CHARSET.search(header)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise ProblemError(
            415,
            "media-type",
            f"send UTF-8, not {charset[1]} / 文字コードは UTF-8 です。",
            _ACCEPT_POST,
        )
    return content_type


def _read_only() -> ProblemError:
    return ProblemError(
        403,
        "read-only",
        "updates are not accepted: this endpoint is read-only"
        " / 更新はできません。このエンドポイントは読み取り専用です。",
    )


async def read_body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        ProblemError: It is larger than any query may be.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_QUERY:
            raise ProblemError(
                413, "too-long", f"more than {MAX_QUERY} bytes / {MAX_QUERY} バイトを超えています。"
            )
    return bytes(body)


def parameters(content: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query string or a form.

    Raises:
        ProblemError: An escape is broken, or the text is no UTF-8.
    """
    if broken := _BROKEN_ESCAPE.search(content):
        raise ProblemError(
            400,
            "encoding",
            f"byte {broken.start()}: % without two hexadecimal digits; write %25 for a percent sign"
            f" / {broken.start()}バイト目の % の後に16進数2桁がありません。% は %25 と書きます。",
        )
    try:
        return parse_qsl(content.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise _no_utf8() from error


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _no_utf8() from error


def _no_utf8() -> ProblemError:
    return ProblemError(400, "encoding", "the request is no UTF-8 / UTF-8 ではありません。")


def _timeout(value: str | None) -> float | None:
    if value is None:
        return None
    if not _SECONDS.fullmatch(value) or float(value) == 0:
        raise ProblemError(
            400,
            "request",
            "timeout is a positive number of seconds / timeout は正の秒数で指定してください。",
        )
    return float(value)


def _iris(given: Mapping[str, Sequence[str]], key: str) -> tuple[str, ...]:
    iris = tuple(given.get(key, ()))
    for iri in iris:
        check_iri(iri, key)
    return iris


def check_iri(iri: str, key: str) -> None:
    """Refuse what is no absolute IRI.

    Raises:
        ProblemError: It is none.
    """
    try:
        NamedNode(iri)
    except ValueError as error:
        raise ProblemError(
            400, "request", f"{key} is no absolute IRI: {iri} / {key} が IRI ではありません。"
        ) from error


class _Plan(NamedTuple):
    """How one answer is to be made and sent."""

    asked: SparqlRequest
    chosen: Chosen
    coding: str | None
    tag: str | None
    """Entity tag of the answer; None where it differs each time."""
    release: str
    headers: list[tuple[bytes, bytes]]
    """What an answer is sent with."""

    @property
    def turn(self) -> str:
        """Name of the flight of those who want the same in the same time."""
        return f"{self.tag} {self.asked.timeout}"


class _Beginning:
    """What has begun to answer a request, for the task that goes on with it."""

    def __init__(self, begun: Begun, flight: Flight) -> None:
        self._begun: Begun | None = begun
        self.flight = flight

    def take(self) -> Begun | None:
        """Return what has begun, once."""
        begun, self._begun = self._begun, None
        return begun

    def close(self) -> None:
        """End what was not taken."""
        if begun := self.take():
            begun.close()
            self.flight.land()


_REMEMBERED = 4096
"""Requests whose plans are remembered, and the bytes that the address of one may have."""
_UNCHANGED = (b"vary", b"cache-control", b"digiden-release", b"etag")
"""Headers of an answer that the client has already."""


class Answers:
    """Answers queries over HTTP: from what the client has, from the cache, or by the engine."""

    def __init__(self, engine: Engine, cache: ResultCache, *, base_iri: str | None = None) -> None:
        """Answer by an engine; relative IRIs of a query are relative to the base."""
        self.engine, self.cache, self._base = engine, cache, base_iri
        self._plans: OrderedDict[object, _Plan] = OrderedDict()
        self._clients = Clients()
        self._prompt = engine if isinstance(engine, Prompt) else None

    async def answer(self, request: Request, asked: SparqlRequest, chosen: Chosen) -> Response:
        """Answer a query in a format; a client that has this answer already is told so.

        Raises:
            QueryError: It cannot be answered; see the engine.
        """
        begun: _Beginning | None = request.scope.pop(_BEGUN, None)
        try:
            while True:
                plan = self._plan(request.scope, asked, chosen, self.engine.release)
                with contextlib.suppress(_SwitchedError):  # a tag names the release of the answer
                    return await self._answer(request, plan, begun)
        finally:
            if begun:
                begun.close()

    def begin(
        self,
        scope: Scope,
        asked: SparqlRequest,
        chosen: Chosen,
        done: Callable[[Whole | None], None],
    ) -> Callable[[], bool] | None:
        """Begin to answer a query, if nothing is at hand and this pays.

        Args:
            scope: The request.
            asked: What it asks.
            chosen: In which format.
            done: Called later, and once: with the answer, or with None where it takes a task, which
                then goes on with what has begun.

        Returns:
            What may be called when the client goes away, and says whether all is over with that;
            None where nothing has begun.

        Raises:
            QueryError: The query is refused.
        """
        if not self._prompt:
            return None
        plan = self._plan(scope, asked, chosen, self.engine.release)
        flights, turn, note = self.cache.flights, plan.turn, note_of(scope)
        if not plan.tag or turn in flights or self._at_hand(scope, plan):
            return None
        flight = Flight(flights, turn)

        def tell(answer: Reply | Begun) -> None:
            if not isinstance(answer, Reply):
                scope[_BEGUN] = _Beginning(answer, flight)
            elif answer.release == plan.release and (content := answer.whole()) is not None:
                note.rows = answer.rows
                done(_new(self._keep(content, plan, flight, note.rows), plan))
                return
            else:
                flight.land()
            done(None)

        try:
            begun = self._prompt.begin(self._query(plan, client_of(scope)), tell)
        except QueryError:
            flight.land()
            raise

        def give_up() -> bool:
            if over := begun.give_up():
                flight.land()
                note.status, note.outcome = GONE, "gone"
            return over

        return give_up

    def at_hand(self, scope: Scope) -> Whole | None:
        """Return the answer to a request that came before, if the client or the cache has it.

        It needs no look at the query, its format or its headers, which is most of the work.
        """
        plan = self._plans.get(_key(scope)) if scope["method"] in ("GET", "HEAD") else None
        if plan is None or plan.release != self.engine.release:
            return None
        return self._at_hand(scope, plan)

    def _at_hand(self, scope: Scope, plan: _Plan) -> Whole | None:
        note = note_of(scope)
        note.release, note.query = plan.release, plan.asked.query
        note.format = plan.chosen.format.name
        if plan.tag is None:
            return None
        if holds(header_of(scope, b"if-none-match"), plan.tag):
            note.outcome = "unchanged"
            return Whole(304, [pair for pair in plan.headers if pair[0] in _UNCHANGED])
        if kept := self.cache.get(plan.tag):
            return _kept(kept, plan, note)
        return None

    def _plan(self, scope: Scope, asked: SparqlRequest, chosen: Chosen, release: str) -> _Plan:
        assert asked.query is not None
        coded = coding.choose(header_of(scope, b"accept-encoding"))
        steady = not has_word(asked.query, *_FLEETING)
        tag = etag(release, asked, chosen, coded) if steady else None
        headers = [*_headers(release, chosen.content_type, coded, steady)]
        if tag:
            headers.append((b"etag", tag.encode()))
        if asked.download:
            name = disposition(asked.download, chosen.format.name)
            headers.append((b"content-disposition", name.encode("latin-1")))
        plan = _Plan(asked, chosen, coded, tag, release, headers)
        if tag and scope["method"] != "POST" and len(scope["query_string"]) <= _REMEMBERED:
            self._plans[_key(scope)] = plan
            if len(self._plans) > _REMEMBERED:
                self._plans.popitem(last=False)
        return plan

    async def _answer(
        self, request: Request, plan: _Plan, begun: _Beginning | None = None
    ) -> Response:
        # What is at hand needs no watch over the client.
        if ready := self._at_hand(request.scope, plan):
            return ready
        note = note_of(request.scope)
        try:
            made = await self._clients.unless_gone(request.receive, self._make(plan, note, begun))
        except ClientGone:
            note.outcome = "gone"
            return Response(status_code=GONE)
        if not isinstance(made, _Making):
            return _kept(made, plan, note) if isinstance(made, Kept) else _new(made, plan)
        if request.method == "HEAD":
            await made.aclose()
            return Whole(200, [*plan.headers])  # Starlette would call its length zero
        if request.scope["http_version"] == "1.0":
            # Without chunks only the length tells a cut answer from a whole one.
            return _new(await made.whole(), plan)
        return _Stream(made, plan, note, self._clients)

    async def _make(
        self, plan: _Plan, note: Note, begun: _Beginning | None
    ) -> Kept | bytes | _Making:
        """Return an answer that is kept, a new one that is whole already, or one under way."""
        if begun and (taken := begun.take()):
            return await self._evaluate(taken.reply(), plan, note, begun.flight)
        query = self._query(plan, CLIENT.get())
        if plan.tag is None:
            return await self._evaluate(self.engine.evaluate(query), plan, note, None)
        flights, turn = self.cache.flights, plan.turn
        kept = self.cache.get(plan.tag)
        if kept is None and turn in flights:
            await flights[turn].wait()
            kept = self.cache.get(plan.tag)
        if kept is not None:
            return kept
        # The first one could not be kept where there is another, so nobody waits for that.
        flight = Flight(flights, turn) if turn not in flights else None
        return await self._evaluate(self.engine.evaluate(query), plan, note, flight)

    def _query(self, plan: _Plan, client: str | None) -> Query:
        asked = plan.asked
        assert asked.query is not None
        return Query(
            asked.query,
            plan.chosen.format,
            self._base,
            asked.default_graphs,
            asked.named_graphs,
            asked.timeout,
            client,
        )

    async def _evaluate(
        self, reply: Awaitable[Reply], plan: _Plan, note: Note, flight: Flight | None
    ) -> bytes | _Making:
        """Wait for an answer; keep it, coded, where it is whole and small enough."""
        try:
            chunks = await reply
            if chunks.release != plan.release:
                await chunks.aclose()
                raise _SwitchedError
        except BaseException as error:
            if flight:
                flight.land(error if isinstance(error, QueryError) else None)
            raise
        if (content := chunks.whole()) is not None:
            note.rows = chunks.rows
            return self._keep(content, plan, flight, note.rows)
        making = await _Making.start(self._pieces(chunks, plan, note, flight))
        if flight:
            flight.began()
        return making

    def _keep(self, content: bytes, plan: _Plan, flight: Flight | None, rows: int | None) -> bytes:
        """Return a whole answer in its coding, and keep it."""
        content = coding.encode_whole(content, plan.coding)
        if flight and plan.tag:
            self.cache.put(plan.tag, Kept(content, rows))
            flight.land()
        return content

    async def _pieces(
        self, chunks: Reply, plan: _Plan, note: Note, flight: Flight | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the coded answer piece by piece; keep it where it is whole and small enough."""
        content: bytearray | None = bytearray() if flight else None
        failure = None
        try:
            counted = _counted(chunks, note)
            # A loop that is left does not close what it runs over.
            async with aclosing(coding.encode(counted, plan.coding)) as coded:
                async for piece in coded:
                    if content is not None:
                        content += piece
                        if len(content) > self.cache.largest:
                            content = None
                            assert flight
                            flight.land()
                    yield piece
            if content is not None and plan.tag:
                self.cache.put(plan.tag, Kept(bytes(content), note.rows))
        except QueryError as error:
            failure = error
            raise
        finally:
            if flight:
                flight.land(failure)


@functools.lru_cache(maxsize=256)
def _headers(
    release: str, content_type: str, coded: str | None, steady: bool
) -> Sequence[tuple[bytes, bytes]]:
    """Return the headers that many answers have, as they are sent."""
    headers = {
        "vary": _VARY,
        "cache-control": "no-cache" if steady else "no-store",
        "digiden-release": release,
        "content-type": content_type,
    }
    if coded:
        headers["content-encoding"] = coded
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())


def _new(content: bytes, plan: _Plan) -> Whole:
    return Whole(200, [*plan.headers, (b"content-length", b"%d" % len(content))], content)


def _kept(kept: Kept, plan: _Plan, note: Note) -> Whole:
    note.outcome, note.rows = "hit", kept.rows
    response = _new(kept.content, plan)
    response.raw_headers.append((b"age", b"%d" % kept.age))
    return response


def header_of(scope: Scope, name: bytes) -> str | None:
    """Return the value of a header (name in small letters); None where there is none."""
    values = [value for key, value in scope["headers"] if key == name]
    return b", ".join(values).decode("latin-1") if values else None


def _key(scope: Scope) -> object:
    """Return everything of a request that its plan depends on."""
    chosen = [pair for pair in scope["headers"] if pair[0] in (b"accept", b"accept-encoding")]
    return scope["path"], scope["query_string"], tuple(chosen)


async def _counted(chunks: Reply, note: Note) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        note.rows = chunks.rows
        await chunks.aclose()


class _Making:
    """An answer under way, of which the first piece is known; closing it ends its evaluation."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        self._first, self._rest = first, rest

    @classmethod
    async def start(cls, pieces: AsyncGenerator[bytes, None]) -> Self:
        """Wait for the first piece.

        Raises:
            QueryError: There is none.
        """
        return cls(await anext(pieces, b""), pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._first
        async for piece in self._rest:
            yield piece

    async def whole(self) -> bytes:
        """Return everything.

        Raises:
            QueryError: It broke off, or is too large to be held.
        """
        content = bytearray()
        try:
            async for piece in self:
                content += piece
                if len(content) > PAGE:
                    raise QueryError(
                        f"more than {PAGE} bytes need HTTP/1.1 or newer"
                        f" / {PAGE} バイトを超える結果には HTTP/1.1 以降が必要です。"
                    )
        finally:
            await self.aclose()
        return bytes(content)

    async def aclose(self) -> None:
        """End the evaluation, if it has not ended."""
        await self._rest.aclose()


class Whole(Response):
    """A whole answer, with headers as they are sent."""

    def __init__(
        self, status: int, headers: list[tuple[bytes, bytes]], content: bytes = b""
    ) -> None:
        # Starlette's own would encode them once more for each answer.
        self.status_code, self.body, self.background = status, content, None
        self.raw_headers = headers


class _Stream(Response):
    """An answer in chunks; where it breaks off, it lacks the last one, which clients notice."""

    def __init__(self, made: _Making, plan: _Plan, note: Note, clients: Clients) -> None:
        self._made, self._note, self._clients = made, note, clients
        self.status_code, self.background = 200, None
        self.raw_headers = list(plan.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._clients.unless_gone(receive, self._send(send))
        except ClientGone:
            pass
        except QueryError as error:
            self._note.outcome = f"cut-{kind_of(error).name}"
        finally:
            await self._made.aclose()

    async def _send(self, send: Send) -> None:
        kind = "http.response.body"
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._made:
            await send({"type": kind, "body": piece, "more_body": True})
        await send({"type": kind, "body": b"", "more_body": False})


class _SwitchedError(Exception):
    """The engine has gone over to another release meanwhile."""


def etag(release: str, asked: SparqlRequest, chosen: Chosen, coded: str | None = None) -> str:
    """Return the strong entity tag of an answer: a release never changes."""
    assert asked.query is not None
    parts = (
        release,
        normalise(asked.query),
        sorted(set(asked.default_graphs)),
        sorted(set(asked.named_graphs)),
        chosen.media_type,
        coded,
    )
    return f'"{hashlib.sha256(ascii(parts).encode()).hexdigest()[:32]}"'


def holds(if_none_match: str | None, tag: str) -> bool:
    """Say whether a client has the answer of an entity tag (RFC 9110, section 13.1.2)."""
    tags = {each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")}
    return "*" in tags or tag in tags


def disposition(name: str, extension: str) -> str:
    """Return the header that makes a browser save an answer under a name (RFC 6266)."""
    name = name[:_FILE_NAME].strip(". ") or "result"
    if not name.endswith(f".{extension}"):
        name += f".{extension}"
    plain = re.sub(r"[^\w .()-]", "_", name, flags=re.ASCII)
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"
