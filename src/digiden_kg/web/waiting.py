"""Work for a client that may go away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from starlette.types import Receive

_SOON = 0.25
"""Seconds of some work after which the server looks whether the client is still there."""
_T = TypeVar("_T")


class ClientGone(Exception):
    """The client has closed the connection before there was an answer."""


@dataclass(slots=True, eq=False)
class _Client:
    """One that waits."""

    receive: Receive
    task: asyncio.Task[object]
    """What works for it."""
    watch: asyncio.Task[None] | None = None
    gone: bool = False

    async def look(self) -> None:
        """Stop the work when the client goes away."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self.task.cancel()


class Clients:
    """Those who wait; one timer for all, because most have their answer before it pays to look."""

    def __init__(self) -> None:
        self._due: dict[_Client, float] = {}
        """When to look at each that is not looked at yet; the first comes first."""
        self._timer: asyncio.TimerHandle | None = None

    async def unless_gone(self, receive: Receive, work: Awaitable[_T]) -> _T:
        """Return what some work returns; stop it when the client goes away.

        Raises:
            ClientGone: It did.
        """
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        client = _Client(receive, task)
        self._due[client] = loop.time() + _SOON
        if self._timer is None:
            self._timer = loop.call_later(_SOON, self._look)
        try:
            return await work
        except asyncio.CancelledError:
            if client.gone and task.uncancel() == 0:
                raise ClientGone from None
            raise
        finally:
            self._due.pop(client, None)
            if client.watch:
                client.watch.cancel()

    def _look(self) -> None:
        self._timer, loop = None, asyncio.get_running_loop()
        while self._due:
            client, due = next(iter(self._due.items()))
            if due > loop.time():
                self._timer = loop.call_at(due, self._look)
                break
            del self._due[client]
            client.watch = asyncio.create_task(client.look())
