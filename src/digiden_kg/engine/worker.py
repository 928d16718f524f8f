"""One process that evaluates one query at a time.

pyoxigraph can neither stop a query nor refuse federation, so the process is what bounds both: the
kernel ends it when its time or memory is used up, and once it has the dataset it may open no file
and no socket any more, so that ``SERVICE`` reaches nothing. (RocksDB opens files as it needs them,
so on disk a system call filter forbids sockets alone.) A worker is forked from the zygote.

Frames go over a socket pair: one byte for the kind, four for the length, then the content. A
worker begins with one ``Z`` (end) frame when it is ready. A request is a mapping, as Python
marshals it; the answer is any number of ``D`` (data) frames, then one ``Z`` or one ``E`` (error: a
JSON object). A ``Z`` with content asks to be replaced.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import io
import json
import marshal
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Store

from digiden_kg.engine.guard import inspect
from digiden_kg.engine.warming import Warming
from digiden_kg.exceptions import QueryError, QueryForbidden, QueryNestingError
from digiden_kg.results import GRAPHS, TABLES, write_results
from digiden_kg.syntax import syntax_error

DATA, END, ERROR, REQUEST = b"D", b"Z", b"E", b"Q"
HEADER = struct.Struct(">cI")
CHUNK = 64 * 1024
_GRACE = 1.0
"""Seconds after which a worker ends itself, should the process that asked be gone."""
_GROWTH = 64 * 1024
"""KiB by which a worker may grow before it asks to be replaced: memory once used stays used."""
_FORMATS = {offer.name: offer for offer in (*TABLES, *GRAPHS)}
_KINDS = {QueryNestingError: "nesting", QueryForbidden: "forbidden"}


class _Frames(io.RawIOBase):
    """A file that sends what is written to it as data frames."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.rest = b""
        """The last short piece, which goes out together with what follows it."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.rest:
            send(self._channel, DATA, self.rest)
        self.rest = bytes(data) if len(data) < CHUNK else b""
        if not self.rest:
            send(self._channel, DATA, data)
        return len(data)


def send(channel: socket.socket, kind: bytes, content: bytes = b"") -> None:
    """Send one frame."""
    header = HEADER.pack(kind, len(content))
    sent = channel.sendmsg([header, content])
    if sent < len(header):
        channel.sendall(header[sent:])
    if (rest := max(0, sent - len(header))) < len(content):
        channel.sendall(memoryview(content)[rest:])


def send_error(channel: socket.socket, kind: str, message: str, **more: Any) -> None:
    """Send an error frame."""
    send(channel, ERROR, json.dumps({"kind": kind, "message": message, **more}).encode())


def requests(channel: socket.socket, warming: Warming) -> Iterator[dict[str, Any]]:
    """Yield requests until the other side closes."""
    with channel.makefile("rb") as stream:
        while True:
            warming.until_asked(channel)
            # A read would be woken by the reader of the last answer too, for nothing.
            select.select([channel], [], [])
            if not (header := stream.read(HEADER.size)):
                return
            yield marshal.loads(stream.read(HEADER.unpack(header)[1]))  # noqa: S302 -- ours


def write_answer(store: Store, output: _Frames, request: dict[str, Any]) -> None:
    """Evaluate one request and write its answer."""
    if request["inspect"]:
        inspect(request["query"])
    default: list[NamedNode | BlankNode | DefaultGraph] = []
    default += [NamedNode(iri) for iri in request["default_graphs"]]
    named: list[NamedNode | BlankNode] = [NamedNode(iri) for iri in request["named_graphs"]]
    # A dataset of the protocol replaces that of the query as a whole (SPARQL 1.1 Protocol, 2.1.4).
    given = bool(default or named)
    results = store.query(
        request["query"],
        base_iri=request["base_iri"],
        default_graph=default if given else None,
        named_graphs=named if given else None,
    )
    with io.BufferedWriter(output, CHUNK) as buffer:
        write_results(results, buffer, _FORMATS[request["format"]])


def answer(store: Store, channel: socket.socket, request: dict[str, Any]) -> bytes | None:
    """Answer one request; return the last piece, which is still to be sent, None after an error."""
    output = _Frames(channel)
    try:
        write_answer(store, output, request)
    except SyntaxError as error:
        found = syntax_error(error)
        send_error(channel, "syntax", str(found), line=found.line, column=found.column)
    except MemoryError:
        send_error(channel, "memory", "")
    except (OSError, ValueError, RuntimeError, QueryError) as error:
        send_error(channel, _KINDS.get(type(error), "query"), str(error))
    else:
        return output.rest
    return None


def close_doors(memory: int, *, needs_files: bool) -> None:
    """Bound memory, forbid new files and sockets, and leave no core dump behind.

    Raises:
        OSError: A store needs files and this system cannot forbid sockets alone.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # where memory runs short, a worker goes before the server
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    with contextlib.suppress(OSError, ValueError):  # only Linux says how much is in use
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    if needs_files:
        forbid_sockets()
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def forbid_sockets() -> None:
    """Let every further call of socket(2) fail, by a seccomp filter.

    Raises:
        OSError: This system has no such filter.
    """
    numbers = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in numbers:
        raise OSError(f"no socket filter for {sys.platform} on {machine}; load it into memory")
    architecture, number = numbers[machine]
    load, equal, give = 0x20, 0x15, 0x06
    refuse, allow = 0x00050000 | errno.EACCES, 0x7FFF0000
    steps = (
        (load, 0, 0, 4),  # the architecture that the call is made for
        (equal, 0, 2, architecture),
        (load, 0, 0, 0),  # the number of the call
        (equal, 0, 1, number),
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
    )
    program = b"".join(struct.pack("=HBBI", *step) for step in steps)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, filter_calls, by_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(filter_calls, by_filter, header):
        raise OSError(ctypes.get_errno(), "sockets cannot be forbidden; load it into memory")


def serve(
    channel: socket.socket, store: Store, memory: int, copied: range, *, needs_files: bool
) -> None:
    """Say that the worker is ready, then answer until the other side closes.

    Args:
        channel: Where requests come from.
        store: What they ask.
        memory: Bytes that a query may use.
        copied: Addresses of which the worker makes a copy of its own while it is at rest.
        needs_files: Whether the store opens files while it is read.

    Raises:
        OSError: The worker cannot be closed off.
    """
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor is what is needed
        os.dup2(nowhere.fileno(), 2)  # the allocator's last words are no log of the server
    close_doors(memory, needs_files=needs_files)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    base, warming = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, Warming(copied)
    send(channel, END, str(os.getpid()).encode())
    for request in requests(channel, warming):
        signal.setitimer(signal.ITIMER_REAL, request["timeout"] + _GRACE)
        if (rest := answer(store, channel, request)) is not None:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base > _GROWTH
            end = b"grown" if grown else b""
            # One system call for both: a short answer wakes the front once.
            channel.sendall(HEADER.pack(DATA, len(rest)) + rest + HEADER.pack(END, len(end)) + end)
        signal.setitimer(signal.ITIMER_REAL, 0)
