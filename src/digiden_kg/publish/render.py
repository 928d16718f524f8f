"""Asks the application for one address after another, in a process of its own, and writes files."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.middleware.exceptions import ExceptionMiddleware

from digiden_kg.engine.local import Local
from digiden_kg.publish.addresses import ANYWHERE, DATA, NeedsServer, Place, place, relative
from digiden_kg.publish.rewrite import (
    Found,
    redirect_page,
    rewrite_data,
    rewrite_page,
    rewrite_sitemap,
)
from digiden_kg.release import Release
from digiden_kg.settings import Settings
from digiden_kg.web.inside import ask

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_JAPANESE = "ja"
_NICE = 10
"""Niceness of the processes that write pages."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every process of a publication knows."""

    release: Release
    settings: Settings
    root: str
    """Public address, without a slash at the end."""
    staging: Path
    """Folder that is written."""
    before: Path | None
    """Folder of the site as it was, from which what has not changed is linked."""
    known: Mapping[str, str]
    """Checksums of the site as it was, by file."""


class Written(NamedTuple):
    """What became of one address."""

    place: Place
    sha256: str
    size: int
    changed: bool
    links: tuple[tuple[Place, str], ...]
    """What it leads to, with the id that is meant inside of it; told once by each process."""
    ids: tuple[str, ...]
    redirect: str | None
    """File that it only leads to."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An address that did not answer as it should."""

    place: Place
    reason: str


class Renderer:
    """The application of one release, and what it answers as files."""

    def __init__(self, job: Job) -> None:
        from digiden_kg.web.app import create_app  # noqa: PLC0415 -- slow, and only here needed

        self._job = job
        settings = dataclasses.replace(job.settings, public_url=job.root, log="off", cache=0)
        engine = Local(job.release.dataset, job.release.name)
        self._app = create_app(job.release, settings, engine=engine)
        # Without what is for readers only: the log, the cache, headers.
        self._pages = ExceptionMiddleware(self._app.router, self._app.exception_handlers)
        self._runner = asyncio.Runner()
        self._told: set[tuple[str, str]] = set()

    def render(self, places: Sequence[Place]) -> list[Written | Failed]:
        """Write the files of some addresses."""
        return self._runner.run(self._all(places))

    async def _all(self, places: Sequence[Place]) -> list[Written | Failed]:
        return [await self._one(each) for each in places]

    def close(self) -> None:
        """Give back what it holds."""
        self._runner.close()

    def get(self, address: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of an address."""
        return self._runner.run(self._ask(address))

    async def _ask(self, address: str) -> tuple[int, dict[str, str], bytes]:
        return await ask(self._pages, address, self._job.root, app=self._app)

    async def _one(self, asked: Place) -> Written | Failed:
        status, headers, body = await self._ask(asked.address)
        kind = headers.get("content-type", "").partition(";")[0]
        language = "en" if "lang=en" in asked.address else _JAPANESE
        if status in _REDIRECTS:
            return self._redirect(asked, headers["location"], language)
        if status != 200:
            return Failed(asked, f"{status} {body[:200].decode(errors='replace')}")
        if (kind == "text/html") != asked.is_page:
            return Failed(
                asked,
                f"{kind} has no place in {asked.file}: name it in publish/addresses.py, PLAIN"
                f" / {kind} は {asked.file} に入れられません。publish/addresses.py の PLAIN に"
                "書いてください。",
            )
        found = Found()
        if asked.is_page:
            anywhere = asked.file.startswith(ANYWHERE)
            prefix = urlsplit(self._job.root).path + "/" if anywhere else None
            text, found = rewrite_page(body.decode(), asked.file, language, prefix)
            body = text.encode()
        elif asked.file.startswith(DATA):
            text, found = rewrite_data(body.decode(), asked.file)
            body = text.encode()
        elif asked.file == "sitemap.xml":
            text, found = rewrite_sitemap(body.decode(), self._job.root)
            body = text.encode()
        return self._written(asked, body, found, None)

    def _redirect(self, asked: Place, location: str, language: str) -> Written | Failed:
        location = location.removeprefix(self._job.root)
        target = place(location, language)
        if isinstance(target, NeedsServer):
            return Failed(asked, f"leads to {location}, which needs a server")
        body = redirect_page(relative(asked.file, target.file) + target.suffix, language)
        return self._written(asked, body.encode(), Found({(target.file, ""): target}), target.file)

    def _written(self, asked: Place, body: bytes, found: Found, redirect: str | None) -> Written:
        checksum, changed = put(self._job, asked.file, body)
        links = [
            (target, link[1]) for link, target in found.links.items() if link not in self._told
        ]
        self._told.update(found.links)
        return Written(
            asked, checksum, len(body), changed, tuple(links), tuple(found.ids), redirect
        )


def put(job: Job, file: str, body: bytes) -> tuple[str, bool]:
    """Write a file, or link to it where it was the same before; return its checksum."""
    checksum = hashlib.sha256(body).hexdigest()
    path = job.staging / file
    if job.before and job.known.get(file) == checksum:
        old = job.before / file
        if old.is_file() and old.stat().st_size == len(body):
            path.parent.mkdir(parents=True, exist_ok=True)
            link(old, path)
            return checksum, False
    try:
        path.write_bytes(body)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return checksum, True


def link(old: Path, new: Path) -> None:
    """Let a file be in two places; a copy where the file system knows no links."""
    try:
        os.link(old, new)
    except OSError:
        shutil.copy2(old, new)


_renderer: list[Renderer] = []


def start(job: Job) -> None:
    """Prepare this process for :func:`render`; it ends when the one that started it ends.

    It gives way to others, such as a server that answers meanwhile.
    """
    if hasattr(os, "nice"):
        os.nice(_NICE)
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    _renderer[:] = [Renderer(job)]
    gc.disable()  # what a page leaves behind is collected after each batch


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def render(places: Sequence[Place]) -> list[Written | Failed]:
    """Write the files of some addresses, in a process that :func:`start` prepared."""
    answers = _renderer[0].render(places)
    gc.collect(0)  # everything else is frozen
    gc.freeze()  # what is left now is there to stay
    return answers
