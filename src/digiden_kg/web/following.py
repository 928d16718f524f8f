"""Going over to a new release while the server runs.

Three things lead to the same look at what should be served: a changed ``current`` pointer, the
signal SIGHUP, and a POST to ``/release`` at the admin socket (a UNIX socket that only its owner may
use; ``curl -X POST --unix-socket PATH http://admin/release``). The new release is read while the
old one answers; if it cannot be served, the old one stays and the reason is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from digiden_kg.exceptions import DigidenError
from digiden_kg.release import Release
from digiden_kg.web.site import Site

Find = Callable[[], Release]
"""Returns the release that should be served, read and checked; it may take its time."""

_EACH = 1.0
"""Seconds between two looks at the pointer."""
_HEAD = 16 * 1024
"""Bytes that a request to the admin socket may have."""
_PATIENCE = 10.0
"""Seconds in which a request to the admin socket must have come."""
_log = logging.getLogger("digiden_kg.release")


class Follower:
    """Keeps a site at the release that should be served."""

    def __init__(self, site: Site, find: Find, pointer: Path | None = None) -> None:
        """Prepare to follow.

        Args:
            site: What is kept up to date.
            find: Says what should be served.
            pointer: File whose change means that something else should be served.
        """
        self._site, self._find, self._pointer = site, find, pointer
        self._seen = self._mark()
        self._turn = asyncio.Lock()

    async def look(self) -> str | None:
        """Go over to the release that should be served; return why that is not possible."""
        async with self._turn:
            before = self._site.release.name
            try:
                release = await asyncio.to_thread(self._find)
                if release.name != before:
                    await self._site.switch(release)
                    _log.warning("release %s, after %s", release.name, before)
            except (DigidenError, OSError) as error:
                _log.error("still release %s: %s", before, error)
                return str(error)
            return None

    @asynccontextmanager
    async def following(self, admin: Path | None = None) -> AsyncIterator[None]:
        """Follow the pointer, SIGHUP and, if a path is given, an admin socket there.

        Raises:
            OSError: There can be no socket at that path.
        """
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[str | None]] = set()

        def hang_up() -> None:
            tasks.add(task := loop.create_task(self.look()))
            task.add_done_callback(tasks.discard)

        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(signal.SIGHUP, hang_up)  # only in the main thread
        watch = loop.create_task(self._watch())
        server = None
        if admin:
            _make_way(admin)
            old = os.umask(0o177)
            try:
                server = await asyncio.start_unix_server(self._administer, str(admin), limit=_HEAD)
            finally:
                os.umask(old)
        try:
            yield
        finally:
            if server and admin:
                server.close()
                admin.unlink(missing_ok=True)
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.remove_signal_handler(signal.SIGHUP)
            for task in (watch, *tasks):
                task.cancel()
            await asyncio.gather(watch, *tasks, return_exceptions=True)

    def _mark(self) -> tuple[int, int] | None:
        """Return what changes whenever the pointer does."""
        try:
            found = self._pointer.stat() if self._pointer else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino) if found else None

    async def _watch(self) -> None:
        while self._pointer:
            await asyncio.sleep(_EACH)
            if (mark := self._mark()) and mark != self._seen:
                self._seen = mark
                await self.look()

    async def _administer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                head = await _read_head(reader)
            status, content = await self._act(head)
            body = json.dumps(content, ensure_ascii=False).encode() + b"\n"
            writer.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        writer.close()

    async def _act(self, head: str) -> tuple[HTTPStatus, dict[str, object]]:
        words = head.split("\r\n", 1)[0].split()
        match words:
            case ["POST", "/release", _]:
                if reason := await self.look():
                    return HTTPStatus.CONFLICT, {"release": self._site.release.name, "why": reason}
                return HTTPStatus.OK, {"release": self._site.release.name}
            case ["GET", "/release", _]:
                return HTTPStatus.OK, {"release": self._site.release.name}
        return HTTPStatus.NOT_FOUND, {
            "why": "POST /release goes over to the current release, GET /release names it"
            " / POST /release で最新のリリースに切り替え、GET /release で確認します。"
        }


def _make_way(admin: Path) -> None:
    """Remove the socket that a killed server left.

    Raises:
        OSError: A server listens at it.
    """
    if not admin.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(admin))
        except ConnectionRefusedError:
            admin.unlink(missing_ok=True)
            return
    raise OSError(
        errno.EADDRINUSE,
        "another server is administered here; set DIGIDEN_ADMIN to another path"
        " / 別のサーバーが使用中です。DIGIDEN_ADMIN を変えてください",
        str(admin),
    )


async def _read_head(reader: asyncio.StreamReader) -> str:
    """Return the head of a request.

    Raises:
        IncompleteReadError: It ends too early, or is too long.
    """
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError as error:
        raise asyncio.IncompleteReadError(b"", None) from error
