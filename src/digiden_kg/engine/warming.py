"""What a worker does at rest: it makes the memory that it shares with the zygote its own.

Reading a statement writes to its page (it counts its readers), and the first write to a shared page
copies it, one interruption of the kernel for each 4 KiB. A query that reads all of the data took up
to twice as long in a worker that was forked a moment ago. Many pages are copied at once in a
fifth of that time, and nobody waits for it. It costs as much memory as the data takes, so it is
done only while there are such queries.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
from pathlib import Path

_DELAY = 0.2
"""Seconds without a request after which a worker is at rest."""
_STEP = 2 << 20
"""Bytes that are copied between two looks for a request: one or two milliseconds."""
_PAUSE = 0.004
"""Seconds between two steps: others may need the processor, such as the query that went before."""
_MOST = 512 << 20
"""Bytes up to which it is done; more memory than this is not used where no query asks for it."""
_POPULATE_WRITE = 23
"""Advice of madvise(2), from Linux 5.14 on: what is refused leaves things as they are."""


def heap() -> range:
    """Return the addresses of this process's heap; empty where no system says."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            if line.endswith("[heap]"):
                start, end = line.split(" ", 1)[0].split("-")
                return range(int(start, 16), int(end, 16))
    return range(0)


class Warming:
    """Copies pages as long as no request comes."""

    def __init__(self, shared: range) -> None:
        """Copy these addresses, which a process has from the one that it was forked from."""
        self._rest = shared if len(shared) <= _MOST else range(0)
        if self._rest:
            self._advise = ctypes.CDLL(None, use_errno=True).madvise
            self._advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def until_asked(self, channel: socket.socket) -> None:
        """Copy what is left of them until something can be read from a channel."""
        patience = _DELAY
        while self._rest and not select.select([channel], [], [], patience)[0]:
            part, self._rest = self._rest[:_STEP], self._rest[_STEP:]
            if self._advise(part.start, len(part), _POPULATE_WRITE):
                self._rest = range(0)
            patience = _PAUSE
