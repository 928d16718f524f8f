"""How whole answers go out: in one piece, to uvicorn's connection.

uvicorn checks every header of every answer and takes two messages for one; a task of its own begins
before anything looks at a request. That is more work than an answer that is at hand, or a look-up.
An application that has a whole answer may hand it over as it is sent (``scope[DIRECT]``), and may
say that it has one, or will have one in a moment, before there is a task (``at_once`` and ``begin``
in the state of its lifespan). Under any other server there is neither, and everything goes the
usual way.

A client sends the same headers with every request. What was read in them is remembered, so that
they need not be taken apart again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

DIRECT = "digiden.direct"
"""Key of what takes a whole answer: status, headers as they are sent, and body."""
Headers = Iterable[tuple[bytes, bytes]]
AtOnce = Callable[[Scope], bool]
"""Answers a request that needs no waiting, and says whether it did."""
Begin = Callable[[Scope, Callable[[], None]], Callable[[], bool] | None]
"""Begins to answer a request; calls back if that takes a task after all.

Returns what ends it, if that is still possible, when the client goes away; None where nothing has
begun.
"""
_LINE = re.compile(
    rb"(GET|HEAD) ((?:/[\w.~-]+)+)(?:\?([\w%&=+.,:;/?@!$'()*~-]*))? HTTP/1\.1", re.ASCII
)
"""The first line of most requests."""
_OF_HEAD = ("type", "asgi", "http_version", "scheme", "root_path", "headers")
"""Parts of a scope that requests with the same headers have in common."""
_BODY = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""Headers of requests that are more than their head."""
_REMEMBERED = 1024
"""Requests, and heads of requests, that are remembered, and the bytes that one may have."""


def _keep(known: dict[bytes, Scope], data: bytes, read: Scope) -> None:
    if len(data) <= _REMEMBERED:
        known[data] = read
        if len(known) > _REMEMBERED:
            del known[next(iter(known))]


class Protocol(HttpToolsProtocol):
    """A connection that takes whole answers."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._at_once: AtOnce = self.app_state.get("at_once", lambda _: False)
        self._begin: Begin = self.app_state.get("begin", lambda *_: None)
        # uvicorn gives the same state to every connection, so what one has read helps all.
        self._requests: dict[bytes, Scope] = self.app_state.setdefault("requests", {})
        self._heads: dict[bytes, Scope] = self.app_state.setdefault("heads", {})
        """Requests, and what comes after the first line of some, with what was read in them."""
        self._begun = self._ended = 0
        """Requests whose first and last byte the parser has seen."""
        self._give_up: Callable[[], bool] | None = None
        """Ends the request that has begun without a task, if it can."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is not wanted any more; called by the loop."""
        super().connection_lost(exc)
        if self._give_up and self._give_up():
            self._give_up = None

    def on_message_begin(self) -> None:
        """Begin a request; called by the parser."""
        self._begun += 1
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """End a request; called by the parser."""
        self._ended += 1
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Take what has come; called by the loop."""
        ended = self._ended
        rests = self._begun == ended and (self.cycle is None or self.cycle.response_complete)
        # Who has not read the answer before waits for that, as uvicorn does.
        if rests and not self.flow.write_paused and self._repeat(data):
            return
        super().data_received(data)
        if rests and self._begun == self._ended == ended + 1:
            self._remember(data)

    def _remember(self, data: bytes) -> None:
        """Remember what the parser has read in a request after its first line."""
        names = [name for name, _ in self.headers]
        if self.cycle.keep_alive and not self.root_path and _BODY.isdisjoint(names):
            scope: Scope = self.scope  # type: ignore[assignment]  # of another library's types
            head = {name: scope[name] for name in _OF_HEAD}
            _keep(self._heads, data.partition(b"\r\n")[2], head)

    def _repeat(self, data: bytes) -> bool:
        """Answer a request that came before, or whose headers did; say whether it is one."""
        known = self._requests.get(data)
        read = known or self._read(data)
        if not read:
            return False
        scope: Scope = {**read, "client": self.client, "server": self.server}
        scope[DIRECT] = partial(self._write_again, read["method"])
        if self._at_once(scope):
            if not known:
                _keep(self._requests, data, read)
            return True
        self._unset_keepalive_if_required()
        scope["state"] = self.app_state.copy()
        self.cycle = RequestResponseCycle(
            scope=scope,  # type: ignore[arg-type]
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=self.on_response_complete,
        )
        self.cycle.more_body = False
        self.cycle.message_event.set()
        scope[DIRECT] = partial(self._write_end, self.cycle)
        self._start(self.cycle, self.app)
        return True

    def _read(self, data: bytes) -> Scope | None:
        """Read the first line of a request whose headers are known."""
        line, _, rest = data.partition(b"\r\n")
        head = self._heads.get(rest)
        if not head or not (found := _LINE.fullmatch(line)):
            return None
        method, path, query = found.groups()
        return {
            **head,
            "method": method.decode("ascii"),
            "path": path.decode("ascii"),
            "raw_path": path,
            "query_string": query or b"",
        }

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.flow.write_paused:
            super()._start_asgi_task(cycle, app)
            return
        scope: Scope = cycle.scope  # type: ignore[assignment]
        scope[DIRECT] = partial(self._write_end, cycle)
        if not self._at_once(scope):
            self._start(cycle, app)

    def _start(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin to answer what is not at hand: without a task, if that may do."""

        def go_on() -> None:
            self._give_up = None
            HttpToolsProtocol._start_asgi_task(self, cycle, app)

        scope: Scope = cycle.scope  # type: ignore[assignment]
        self._give_up = self._begin(scope, go_on)
        if not self._give_up:
            go_on()

    def _write_end(
        self, cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes
    ) -> None:
        # Of a request with others behind it, uvicorn does not say that its client is gone.
        if not cycle.disconnected and not self.transport.is_closing():
            self._write(cycle.scope["method"], status, headers, body, cycle.keep_alive)
        self._give_up = None
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _write_again(self, method: str, status: int, headers: Headers, body: bytes) -> None:
        self._write(method, status, headers, body)
        self.on_response_complete()

    def _write(
        self, method: str, status: int, headers: Headers, body: bytes, keep_alive: bool = True
    ) -> None:
        pieces = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            pieces += (name, b": ", value, b"\r\n")
        pieces.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        if method != "HEAD":
            pieces.append(body)
        self.transport.write(b"".join(pieces))
