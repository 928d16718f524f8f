"""The process that holds a dataset and forks workers from itself.

It is started as a fresh interpreter and has no thread and no event loop, because only such a
process may fork and go on. A worker that it forks has the dataset at once and shares its memory.

Over its control socket it gets one byte for each worker to start (``W`` for one that shall make
ready for heavy queries, ``F`` for others), with the worker's end of a socket pair; it sends an end
frame when the dataset is loaded (or an error frame, and ends), and an ``X`` frame with process and
status for each worker that ended. When the socket closes, it kills its workers and ends.

A dataset is an RDF file, a folder of RDF files, or a folder that RocksDB made. A large one is never
loaded: the zygote makes a RocksDB folder from it once, and each worker opens that, read-only.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pyoxigraph import RdfFormat, Store

from digiden_kg.engine.warming import heap
from digiden_kg.engine.worker import END, send, send_error, serve

EXIT, COLD, WARM = b"X", b"F", b"W"
STATUS = struct.Struct(">ii")
"""Process and its status (negative: the signal that ended it)."""
_BLOCK = 1 << 20
_BYTES = 100
"""Bytes of an average statement, in formats that do not have one on each line."""
_LINES = (RdfFormat.N_QUADS, RdfFormat.N_TRIPLES)
_SUFFIXES = frozenset({".nq", ".nt", ".trig", ".ttl", ".rdf", ".owl", ".jsonld"})
"""What is taken from a folder; a file that is named may be called otherwise."""
_DISK = ".rocksdb"


def rdf_files(dataset: Path) -> Iterator[tuple[Path, RdfFormat]]:
    """Yield the files of a dataset with their formats.

    Raises:
        OSError: There is none.
    """
    folder = dataset.is_dir()
    found = False
    for file in sorted(dataset.rglob("*")) if folder else [dataset]:
        if folder and file.suffix not in _SUFFIXES:
            continue
        if format := RdfFormat.from_extension(file.suffix[1:]):
            found = True
            yield file, format
    if not found:
        raise FileNotFoundError(f"there is no RDF file: {dataset}")


def size(dataset: Path, enough: int) -> int:
    """Return about how many statements a dataset has; counting stops at *enough*."""
    count = 0
    for path, format in rdf_files(dataset):
        if format not in _LINES:
            count += path.stat().st_size // _BYTES
            continue
        with path.open("rb", buffering=0) as file:
            while count <= enough and (block := file.read(_BLOCK)):
                count += block.count(b"\n")
    return count


def load(store: Store, dataset: Path) -> None:
    """Load every file of a dataset.

    Raises:
        OSError: A file cannot be read.
        SyntaxError: A file is no RDF; the message names it.
    """
    for path, format in rdf_files(dataset):
        try:
            store.bulk_load(path=path, format=format, base_iri=path.absolute().as_uri())
        except SyntaxError as error:
            raise SyntaxError(f"{path}: {error}") from error


def disk_copy(dataset: Path) -> Path:
    """Return the RocksDB folder of a dataset; made once, complete or not there at all."""
    if (dataset / "CURRENT").is_file():
        return dataset
    target = dataset.with_name(dataset.name + _DISK)
    if target.is_dir():
        return target
    staged = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        # RocksDB starts threads, after which nothing may fork; so it is done in a process of its
        # own, whose error message comes over a pipe.
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                store = Store(str(staged))
                load(store, dataset)
                store.flush()
                status = 0
            except (OSError, SyntaxError) as error:
                os.write(writer, str(error).encode()[:4096])
            finally:
                os._exit(status)
        os.close(writer)
        with open(reader, "rb") as pipe:  # noqa: PTH123 - a pipe has no path
            message = pipe.read().decode("utf-8", "replace")
        if os.waitpid(child, 0)[1]:
            raise OSError(message or "it could not be written to disk")
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return target


def opener(dataset: Path, in_memory: int) -> tuple[Callable[[], Store], bool]:
    """Return what gives a worker its store, and whether it is on disk.

    Raises:
        OSError: The dataset cannot be read.
        SyntaxError: It is no RDF.
    """
    if (dataset / "CURRENT").is_file() or size(dataset, in_memory) > in_memory:
        folder = str(disk_copy(dataset))
        return lambda: Store.read_only(folder), True
    store = Store()
    load(store, dataset)
    return lambda: store, False


def run(control: socket.socket, work: Callable[[socket.socket, bytes], None]) -> None:
    """Fork workers on request, and report those that end, until the control socket closes."""
    wake, waker = socket.socketpair()
    wake.setblocking(False)
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    children: set[int] = set()
    try:
        while True:
            ready, _, _ = select.select([control, wake], [], [])
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    while wake.recv(4096):
                        pass
                _reap(control, children)
            if control in ready:
                message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
                if not message:
                    return
                with socket.socket(fileno=descriptors[0]) as channel:
                    child = os.fork()
                    if not child:
                        signal.set_wakeup_fd(-1)
                        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                        for each in (control, wake, waker):
                            each.close()
                        work(channel, message)
                    children.add(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def _work(
    channel: socket.socket,
    kind: bytes,
    open_store: Callable[[], Store],
    memory: int,
    shared: range,
    *,
    on_disk: bool,
) -> None:
    """Be a worker; never returns."""
    try:
        with contextlib.suppress(ConnectionError):
            try:
                copied = shared if kind == WARM else range(0)
                serve(channel, open_store(), memory, copied, needs_files=on_disk)
            except OSError as error:
                send_error(channel, "load", str(error))
    finally:
        os._exit(0)


def _reap(control: socket.socket, children: set[int]) -> None:
    while children:
        process, status = os.waitpid(-1, os.WNOHANG)
        if not process:
            return
        children.discard(process)
        send(control, EXIT, STATUS.pack(process, os.waitstatus_to_exitcode(status)))


def main() -> None:
    """Run a zygote: descriptor of its control socket, dataset, most statements, bytes of memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends the others
    descriptor, dataset, in_memory, memory = sys.argv[1:]
    with socket.socket(fileno=int(descriptor)) as control, contextlib.suppress(ConnectionError):
        try:
            open_store, on_disk = opener(Path(dataset), int(in_memory))
        except (OSError, SyntaxError) as error:
            send_error(control, "load", str(error))
            return
        gc.collect()
        gc.freeze()  # a collection in a worker would otherwise write to every shared page
        send(control, END)
        work = partial(
            _work,
            open_store=open_store,
            memory=int(memory),
            shared=range(0) if on_disk else heap(),
            on_disk=on_disk,
        )
        run(control, work)


if __name__ == "__main__":
    main()
