"""What is noted of each request: one line in the access log, and sums for Prometheus.

A line holds no personal data beyond a shortened address, and of a query only a hash: enough to
find a query that somebody reports, or one that is asked over and over.
"""

from __future__ import annotations

import bisect
import hashlib
import ipaddress
import json
import logging
import logging.handlers
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BOUNDS = (0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Upper bounds of the histogram of durations, in seconds."""
_HASH = 16
"""Hexadecimal digits of a query's hash."""
_PROXIED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
_KEY = "digiden.note"
CLIENT: ContextVar[str | None] = ContextVar("client", default=None)
"""Address of who sent the request that is answered; clients take turns by it."""


@dataclass(slots=True)
class Note:
    """What is noted of one request."""

    start: float = field(default_factory=time.monotonic)
    status: int = 0
    bytes: int = 0
    outcome: str | None = None
    """``ok``, ``hit`` (from the cache), ``unchanged`` (304), ``cut``, ``gone`` (the client), or
    the kind of the problem."""
    query: str | None = None
    """Of which the hash is written."""
    format: str | None = None
    rows: int | None = None
    release: str | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the request came."""
        return round(time.monotonic() - self.start, 6)


def note_of(scope: Scope) -> Note:
    """Return the note of a request."""
    note: Note | None = scope.get(_KEY)
    if note is None:
        note = scope[_KEY] = Note()
    return note


def client_of(scope: Scope) -> str | None:
    """Return the address of who sent a request."""
    return (scope.get("client") or (None,))[0]


def query_hash(query: str) -> str:
    """Return the start of the sha256 of a query."""
    return hashlib.sha256(query.encode()).hexdigest()[:_HASH]


def shorten_address(address: str | None) -> str | None:
    """Return the network of an address: /24 of IPv4, /48 of IPv6."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    bits = 24 if ip.version == 4 else 48
    return str(ipaddress.ip_network((ip, bits), strict=False))


def is_local(scope: Scope) -> bool:
    """Say whether a request comes from this machine and not through a proxy on it."""
    if _is_proxied(scope):
        return False
    try:
        return ipaddress.ip_address(client_of(scope) or "").is_loopback
    except ValueError:
        return False


def _is_proxied(scope: Scope) -> bool:
    return not _PROXIED.isdisjoint([name for name, _ in scope["headers"]])


def open_log(target: str) -> logging.Logger:
    """Return the access log: a file, ``-`` for standard error, ``off`` for none."""
    log = logging.Logger("digiden_kg.access")
    if target != "off":
        handler = (
            logging.StreamHandler(sys.stderr)
            if target == "-"
            # A file that is moved away by logrotate is opened anew.
            else logging.handlers.WatchedFileHandler(target, encoding="utf-8")
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    else:
        log.disabled = True
    return log


class Access:
    """Notes every request: outermost layer of the application."""

    def __init__(self, app: ASGIApp, log: logging.Logger, sums: Sums) -> None:
        self._app, self._log, self._sums = app, log, sums

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        note, whole = note_of(scope), False
        CLIENT.set(client_of(scope))

        async def send_and_count(message: Message) -> None:
            nonlocal whole
            if message["type"] == "http.response.start":
                note.status = message["status"]
            elif message["type"] == "http.response.body":
                note.bytes += len(message.get("body", b"")) if scope["method"] != "HEAD" else 0
                whole = not message.get("more_body", False)
            await send(message)

        self._sums.open += 1
        try:
            await self._app(scope, receive, send_and_count)
        finally:
            self._sums.open -= 1
            if note.outcome is None:
                note.outcome = ("ok" if note.status < 400 else "error") if whole else "gone"
            self._add(scope)

    def at_once(self, scope: Scope, answer: Callable[[Scope], bool]) -> bool:
        """Let a request be answered that needs no waiting, and note it if it was."""
        # Whose address is in the log, the server's own layer finds out; it has not been there yet.
        if not self._log.disabled and _is_proxied(scope):
            return False
        if answered := answer(scope):
            self._add(scope)
        return answered

    def begin(
        self,
        scope: Scope,
        begin: Callable[[Scope, Callable[[bool], None]], Callable[[], bool] | None],
        otherwise: Callable[[], None],
    ) -> Callable[[], bool] | None:
        """Let a request be answered without a task, and note it; if it is not, do otherwise.

        Returns:
            What ends it, if that is still possible, when the client goes away; None where nothing
            has begun.
        """
        # Whose turn it is, the server's own layer finds out; it has not been there yet.
        if _is_proxied(scope):
            return None

        def end(answered: bool) -> None:
            self._sums.open -= 1
            self._add(scope) if answered else otherwise()

        stop = begin(scope, end)
        if stop is None:
            return None
        self._sums.open += 1

        def give_up() -> bool:
            over = stop()
            if over:
                end(answered=True)
            return over

        return give_up

    def _add(self, scope: Scope) -> None:
        note = note_of(scope)
        self._sums.add(note)
        self._write(scope, note)

    def _write(self, scope: Scope, note: Note) -> None:
        if self._log.disabled:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": shorten_address(client_of(scope)),
            "method": scope["method"],
            "path": scope["path"],
            "status": note.status,
            "outcome": note.outcome,
            "seconds": note.elapsed,
            "bytes": note.bytes,
            "rows": note.rows,
            "query": query_hash(note.query) if note.query is not None else None,
            "format": note.format,
            "release": note.release,
        }
        self._log.info(
            json.dumps({name: value for name, value in line.items() if value is not None})
        )


class Sums:
    """Sums over all requests since the start, in the text format of Prometheus."""

    def __init__(self) -> None:
        self.open = 0
        self._requests: Counter[tuple[str, str]] = Counter()
        self._buckets = [0] * (len(_BOUNDS) + 1)
        """Queries by the first bound that their time keeps within; the last are those of none."""
        self._seconds, self._bytes, self._rows, self._queries = 0.0, 0, 0, 0

    def add(self, note: Note) -> None:
        """Add a request."""
        self._requests[str(note.status), note.outcome or ""] += 1
        self._bytes += note.bytes
        if note.query is None:
            return
        self._queries += 1
        self._rows += note.rows or 0
        seconds = note.elapsed
        self._seconds += seconds
        self._buckets[bisect.bisect_left(_BOUNDS, seconds)] += 1

    def text(self, gauges: Mapping[str, float] | None = None) -> str:
        """Return the sums, and some values of the moment by name."""
        lines = [
            *_metric("requests_total", "counter", "Requests by status and outcome."),
            *(
                f'digiden_requests_total{{status="{status}",outcome="{outcome}"}} {count}'
                for (status, outcome), count in sorted(self._requests.items())
            ),
            *_metric("query_seconds", "histogram", "Time from request to end of answer."),
            *(
                f'digiden_query_seconds_bucket{{le="{bound:g}"}} {count}'
                for bound, count in zip(_BOUNDS, accumulate(self._buckets), strict=False)
            ),
            f'digiden_query_seconds_bucket{{le="+Inf"}} {self._queries}',
            f"digiden_query_seconds_sum {self._seconds:.6f}",
            f"digiden_query_seconds_count {self._queries}",
            *_metric("response_bytes_total", "counter", "Bytes of all answers.", self._bytes),
            *_metric("query_rows_total", "counter", "Rows of all answers.", self._rows),
            *_metric("requests_open", "gauge", "Requests under way.", self.open),
        ]
        for name, value in (gauges or {}).items():
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += _metric(name, kind, name.replace("_", " ").capitalize() + ".", value)
        return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, words: str, value: float | None = None) -> Iterable[str]:
    yield f"# HELP digiden_{name} {words}"
    yield f"# TYPE digiden_{name} {kind}"
    if value is not None:
        yield f"digiden_{name} {value:g}" if isinstance(value, float) else f"digiden_{name} {value}"
