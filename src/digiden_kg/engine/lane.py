"""A lane: a number of places, and a queue in which clients take turns.

Whoever sends a hundred queries at once waits behind his own; another client's query is next. Where
the queue is full, the client with the most waiting queries loses the latest of them.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable

from digiden_kg.exceptions import QueryBusy

_WEIGHT = 0.1
"""Weight of the latest stay in the average that ``Retry-After`` is made of."""


class Turn:
    """A place in the queue of a lane."""

    __slots__ = ("client", "entered", "tell", "until")

    def __init__(
        self, client: str | None, until: float, tell: Callable[[QueryBusy | None], None]
    ) -> None:
        self.client, self.until, self.tell, self.entered = client, until, tell, False


class Lane:
    """Places for queries that run, and a bounded queue for those that wait."""

    def __init__(self, places: int, queue: int) -> None:
        self._free, self.places, self._queue = places, places, queue
        self._waiting: OrderedDict[str | None, deque[Turn]] = OrderedDict()
        self.waiting = 0
        self._stay = 0.1
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None
        """Looks for turns whose patience is used up: one for all, because few wait so long."""

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
        told: asyncio.Future[QueryBusy | None] = asyncio.get_running_loop().create_future()
        turn = self.queue(
            client, patience, lambda refusal: None if told.done() else told.set_result(refusal)
        )
        try:
            refusal = await told
        except BaseException:
            self.give_up(turn)
            if turn.entered:
                self.leave()  # the place came in the same moment
            raise
        if refusal:
            raise refusal

    def queue(
        self, client: str | None, patience: float, tell: Callable[[QueryBusy | None], None]
    ) -> Turn:
        """Wait for a place without a task; be told of it, or why there will be none.

        Raises:
            QueryBusy: The queue is full.
        """
        if self.waiting >= self._queue:
            self._make_room(client)
        loop = asyncio.get_running_loop()
        turn = Turn(client, loop.time() + patience, tell)
        self._waiting.setdefault(client, deque()).append(turn)
        self.waiting += 1
        if turn.until < self._due:
            self._set_timer(turn.until)
        return turn

    def give_up(self, turn: Turn) -> None:
        """Wait no longer, if there is no place yet; nothing is told any more."""
        turns = self._waiting.get(turn.client)
        if turns and turn in turns:
            turns.remove(turn)
            self._leaves_queue(turn)

    def leave(self, stay: float = 0.0) -> None:
        """Give a place back after a number of seconds; the next client in turn gets it."""
        self._stay += _WEIGHT * (stay - self._stay)
        if not self._waiting:
            self._free += 1
            return
        client = next(iter(self._waiting))
        self._waiting.move_to_end(client)
        turn = self._waiting[client].popleft()
        self._leaves_queue(turn)
        turn.entered = True
        turn.tell(None)

    def retry_after(self) -> int:
        """Return the seconds after which the queue should be gone, at least 1."""
        return max(1, math.ceil((self.waiting + 1) * self._stay / self.places))

    def _make_room(self, client: str | None) -> None:
        greediest = max(self._waiting, key=lambda each: len(self._waiting[each]))
        if len(self._waiting[greediest]) <= len(self._waiting.get(client, ())) + 1:
            raise QueryBusy(self.retry_after())
        self._refuse(self._waiting[greediest][-1])

    def _refuse(self, turn: Turn) -> None:
        self.give_up(turn)
        turn.tell(QueryBusy(self.retry_after()))

    def _look(self) -> None:
        """Refuse those who have waited too long."""
        self._due, now = math.inf, asyncio.get_running_loop().time()
        waiting = [turn for turns in self._waiting.values() for turn in turns]
        for turn in waiting:
            if turn.until <= now:
                self._refuse(turn)
        if self._waiting:
            self._set_timer(min(turn.until for turn in waiting if turn.until > now))

    def _set_timer(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._look)

    def _leaves_queue(self, turn: Turn) -> None:
        self.waiting -= 1
        if not self._waiting[turn.client]:
            del self._waiting[turn.client]
