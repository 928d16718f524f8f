"""Answers that were given before, and those that are being made.

A release never changes, so an answer that is kept under release, query, dataset, format and coding
is exact. Only whole answers are kept, never errors. The oldest unused ones make room for new ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from digiden_kg.exceptions import QueryError

_SHARE = 8
"""One answer may take this part of the cache."""
_PATIENCE = 0.5
"""Seconds that somebody waits for the rest of an answer that flows to somebody else."""
_OVERHEAD = 512
"""Bytes that an entry costs beside its content."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole answer, as it was sent."""

    content: bytes
    rows: int | None
    made: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> int:
        """Seconds since it was made."""
        return int(time.monotonic() - self.made)


class Flight:
    """An evaluation under way, on which equal requests wait instead of starting their own."""

    def __init__(self, flights: dict[str, Flight], turn: str) -> None:
        """Be found among others by a name."""
        self._flights, self._turn = flights, turn
        flights[turn] = self
        self._has_begun = self._has_landed = False
        self._news: asyncio.Event | None = None
        self._error: QueryError | None = None

    def land(self, error: QueryError | None = None) -> None:
        """Let those who wait go on: to the kept answer, to the error, or to ask themselves."""
        if not self._has_landed:
            self._error, self._has_landed = error, True
            if self._flights.get(self._turn) is self:
                del self._flights[self._turn]
            self.began()

    def began(self) -> None:
        """Note that the first piece is there."""
        self._has_begun = True
        if self._news:  # for most nobody waits
            self._news.set()

    async def wait(self) -> None:
        """Wait for the end; once the answer flows, not for a client that reads it slowly.

        Raises:
            QueryError: The evaluation failed, as an equal one would.
        """
        await self._until(lambda: self._has_begun)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._until(lambda: self._has_landed)
        if self._error is not None:
            raise self._error

    async def _until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            self._news = self._news or asyncio.Event()
            self._news.clear()
            await self._news.wait()


class ResultCache:
    """A bounded number of bytes of answers."""

    def __init__(self, size: int) -> None:
        """Make a cache of some bytes; one of none keeps nothing."""
        self.size, self.bytes, self.hits, self.misses = size, 0, 0, 0
        self.flights: dict[str, Flight] = {}
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    @property
    def largest(self) -> int:
        """Bytes of the largest answer that is kept."""
        return self.size // _SHARE

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Kept | None:
        """Return an answer that is kept."""
        kept = self._kept.get(key)
        if kept is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(key)
        return kept

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer unless it is too large."""
        if len(kept.content) + _OVERHEAD > self.largest:
            return
        self._remove(key)
        self._kept[key] = kept
        self.bytes += len(kept.content) + _OVERHEAD
        while self.bytes > self.size:
            self._remove(next(iter(self._kept)))

    def _remove(self, key: str) -> None:
        if old := self._kept.pop(key, None):
            self.bytes -= len(old.content) + _OVERHEAD
