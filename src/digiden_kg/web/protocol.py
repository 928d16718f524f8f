"""How whole answers go out: in one piece, to uvicorn's connection.

uvicorn checks every header of every answer and takes two messages for one; a task of its own begins
before anything looks at a request. That is more work than an answer that is at hand, or a look-up.
An application that has a whole answer may hand it over as it is sent (``scope[DIRECT]``), and may
say that it has one before there is a task (``at_once`` in the state of its lifespan). Under any
other server there is neither, and everything goes the usual way.
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
Answer = Callable[[int, Iterable[tuple[bytes, bytes]], bytes], None]
AtOnce = Callable[[Scope], bool]


class Protocol(HttpToolsProtocol):
    """A connection that takes whole answers."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # Who has not read the answer before waits for that, as uvicorn does.
        if not self.flow.write_paused:
            scope: Scope = cycle.scope  # type: ignore[assignment]  # of another library's types
            scope[DIRECT] = partial(self._answer, cycle)
            at_once: AtOnce | None = self.app_state.get("at_once")
            if at_once and at_once(scope):
                return
        super()._start_asgi_task(cycle, app)

    def _answer(
        self,
        cycle: RequestResponseCycle,
        status: int,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> None:
        if not cycle.disconnected:
            pieces = [STATUS_LINE[status]]
            for name, value in (*cycle.default_headers, *headers):
                pieces += (name, b": ", value, b"\r\n")
            pieces.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
            if cycle.scope["method"] != "HEAD":
                pieces.append(body)
            self.transport.write(b"".join(pieces))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
