"""A lane: a number of places, and a queue in which clients take turns.

Whoever sends a hundred queries at once waits behind his own; another client's query is next. Where
the queue is full, the client with the most waiting queries loses the latest of them.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque

from digiden_kg.exceptions import QueryBusy

_WEIGHT = 0.1
"""Weight of the latest stay in the average that ``Retry-After`` is made of."""


class Lane:
    """Places for queries that run, and a bounded queue for those that wait."""

    def __init__(self, places: int, queue: int) -> None:
        self._free, self.places, self._queue = places, places, queue
        self._waiting: OrderedDict[str | None, deque[asyncio.Future[None]]] = OrderedDict()
        self.waiting = 0
        self._stay = 0.1

    @property
    def taken(self) -> int:
        """Places in use."""
        return self.places - self._free

    def try_enter(self) -> bool:
        """Take a place if one is free, which it is not while somebody waits."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def enter(self, client: str | None, patience: float) -> None:
        """Take a place as soon as it is the client's turn.

        Raises:
            QueryBusy: The queue is full, or the patience is used up.
        """
        if self.try_enter():
            return
        if self.waiting >= self._queue:
            self._make_room(client)
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self.waiting += 1
        timer = loop.call_later(patience, self._refuse, turn)
        try:
            await turn
        except BaseException:
            self._give_up(client, turn)
            raise
        finally:
            timer.cancel()

    def _refuse(self, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            turn.set_exception(QueryBusy(self.retry_after()))

    def leave(self, stay: float = 0.0) -> None:
        """Give a place back after a number of seconds; the next client in turn gets it."""
        self._stay += _WEIGHT * (stay - self._stay)
        while self._waiting:
            client, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            self.waiting -= 1
            if turns:
                self._waiting[client] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def retry_after(self) -> int:
        """Return the seconds after which the queue should be gone, at least 1."""
        return max(1, math.ceil((self.waiting + 1) * self._stay / self.places))

    def _make_room(self, client: str | None) -> None:
        greediest = max(self._waiting, key=lambda each: len(self._waiting[each]))
        if len(self._waiting[greediest]) <= len(self._waiting.get(client, ())) + 1:
            raise QueryBusy(self.retry_after())
        turn = self._waiting[greediest].pop()
        self.waiting -= 1
        if not turn.done():
            turn.set_exception(QueryBusy(self.retry_after()))

    def _give_up(self, client: str | None, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(client)
        if turns and turn in turns:
            turns.remove(turn)
            self.waiting -= 1
            if not turns:
                del self._waiting[client]
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self.leave()  # the place came in the same moment
