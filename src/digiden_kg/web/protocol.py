"""How whole answers go out: in one piece, to uvicorn's connection.

uvicorn checks every header of every answer and takes two messages for one; a task of its own begins
before anything looks at a request. That is more work than an answer that is at hand, or a look-up.
An application that has a whole answer may hand it over as it is sent (``scope[DIRECT]``), and may
say that it has one before there is a task (``at_once`` in the state of its lifespan). Under any
other server there is neither, and everything goes the usual way.

A request that was answered so is often followed by others that are equal to the byte. What was read
in it is remembered, so that those need not be taken apart again.
"""

from __future__ import annotations

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
_ADDED = "digiden."
"""How keys of a scope begin that are no server's."""
Headers = Iterable[tuple[bytes, bytes]]
AtOnce = Callable[[Scope], bool]
_REMEMBERED = 1024
"""Requests that are remembered, and the bytes that one may have."""


class Protocol(HttpToolsProtocol):
    """A connection that takes whole answers."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._at_once: AtOnce = self.app_state.get("at_once", lambda _: False)
        # uvicorn gives the same state to every connection, so what one has read helps all.
        self._known: dict[bytes, Scope] = self.app_state.setdefault("known", {})
        self._begun = self._ended = 0
        """Requests whose first and last byte the parser has seen."""
        self._answered: Scope | None = None

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
        if rests and (known := self._known.get(data)) and self._repeat(known):
            return
        self._answered = None
        super().data_received(data)
        if rests and self._answered and self._begun == self._ended == ended + 1:
            self._remember(data, self._answered)

    def _repeat(self, known: Scope) -> bool:
        """Answer a request that came before, if its answer is at hand."""
        if self.flow.write_paused:
            return False
        scope = {**known, "client": self.client, "server": self.server}
        scope[DIRECT] = partial(self._write_again, known["method"])
        return self._at_once(scope)

    def _remember(self, data: bytes, scope: Scope) -> None:
        if len(data) <= _REMEMBERED and self.cycle.keep_alive:
            read = {key: value for key, value in scope.items() if not key.startswith(_ADDED)}
            self._known[data] = read
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # Who has not read the answer before waits for that, as uvicorn does.
        if not self.flow.write_paused:
            scope: Scope = cycle.scope  # type: ignore[assignment]  # of another library's types
            scope[DIRECT] = partial(self._write_end, cycle)
            if self._at_once(scope):
                self._answered = scope
                return
        super()._start_asgi_task(cycle, app)

    def _write_end(
        self, cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes
    ) -> None:
        if not cycle.disconnected:
            self._write(cycle.scope["method"], status, headers, body, cycle.keep_alive)
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
