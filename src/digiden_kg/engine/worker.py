"""One process that holds a dataset in memory and evaluates one query at a time.

pyoxigraph can neither stop a query nor refuse federation, so the process is what bounds both: the
kernel ends it when its time or memory is used up, and after loading it may open no file and no
socket any more, so that ``SERVICE`` reaches nothing.

Frames go over a socket pair: one byte for the kind, four for the length, then the content. A
request is a JSON object; the answer is any number of ``D`` (data) frames, then one ``Z`` (end) or
one ``E`` (error: a JSON object).
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, RdfFormat, Store

from digiden_kg.exceptions import QueryError
from digiden_kg.results import GRAPHS, TABLES, write_results
from digiden_kg.syntax import syntax_error

DATA, END, ERROR, REQUEST = b"D", b"Z", b"E", b"Q"
HEADER = struct.Struct(">cI")
CHUNK = 64 * 1024
_GRACE = 1.0
"""Seconds after which a worker ends itself, should the process that asked be gone."""
_FORMATS = {offer.name: offer for offer in (*TABLES, *GRAPHS)}


class _Frames(io.RawIOBase):
    """A file that sends what is written to it as data frames."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        send(self._channel, DATA, data)
        return len(data)


def send(channel: socket.socket, kind: bytes, content: bytes = b"") -> None:
    """Send one frame."""
    channel.sendall(HEADER.pack(kind, len(content)) + content)


def requests(channel: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield requests until the other side closes."""
    with channel.makefile("rb") as stream:
        while header := stream.read(HEADER.size):
            yield json.loads(stream.read(HEADER.unpack(header)[1]))


def answer(store: Store, channel: socket.socket, request: dict[str, Any]) -> None:
    """Evaluate one request and send its answer."""
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
    with io.BufferedWriter(_Frames(channel), CHUNK) as output:
        write_results(results, output, _FORMATS[request["format"]])


def close_doors(memory: int) -> None:
    """Bound memory, forbid new files and sockets, and leave no core dump behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # only Linux says how much is in use
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def serve(channel: socket.socket, dataset: str, memory: int) -> None:
    """Load the dataset, say so by an end frame, then answer until the other side closes."""
    store = Store()
    try:
        store.bulk_load(path=dataset, format=RdfFormat.N_QUADS)
    except (OSError, SyntaxError) as error:
        send(channel, ERROR, json.dumps({"kind": "load", "message": str(error)}).encode())
        return
    close_doors(memory)
    send(channel, END)
    for request in requests(channel):
        signal.setitimer(signal.ITIMER_REAL, request["timeout"] + _GRACE)
        try:
            answer(store, channel, request)
        except SyntaxError as error:
            found = syntax_error(error)
            report = {"kind": "syntax", "line": found.line, "column": found.column}
            send(channel, ERROR, json.dumps({**report, "message": str(found)}).encode())
        except (OSError, ValueError, RuntimeError, QueryError) as error:
            send(channel, ERROR, json.dumps({"kind": "query", "message": str(error)}).encode())
        else:
            send(channel, END)
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    """Run a worker: file descriptor of its channel, dataset, bytes of memory for queries."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its workers
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    descriptor, dataset, memory = sys.argv[1:]
    with socket.socket(fileno=int(descriptor)) as channel, contextlib.suppress(BrokenPipeError):
        serve(channel, dataset, int(memory))


if __name__ == "__main__":
    main()
