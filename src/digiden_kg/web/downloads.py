"""The files of a release and its dumps, over HTTP.

A build does not write dumps, because most builds are looked at and not published. A server writes
those of its release soon after its start, or when somebody first asks for one: all of them at once,
in a process of its own that gives way to the others, into a folder beside the releases that then
appears as a whole. What ``digiden-kg export --all`` wrote there before is taken as it is. Files of
former releases are offered for as long as they are there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from fastapi import FastAPI, Response

from digiden_kg import metadata
from digiden_kg.dumps import (
    SUMS,
    dump_names,
    dumps_folder,
    expected_dumps,
    find_dumps,
    table_titles,
)
from digiden_kg.questions import Text
from digiden_kg.release import Dump, Release, former_releases
from digiden_kg.web import problems
from digiden_kg.web.site import POLICY, Site, file_response, page_route

_PATIENCE = 45.0
"""Seconds for which a request waits for a dump."""
_AGAIN = 60.0
"""Seconds after which what failed is tried again."""
_SETTLED = 10.0
"""Seconds after which a server has settled on a release and its dumps may be begun."""
_COURTESY = 19
"""How much the process gives way (nice)."""
_REPORT_POLICY = POLICY.replace("style-src 'self'", "style-src 'unsafe-inline'")
_log = logging.getLogger("digiden_kg.dumps")


class Dumps:
    """The dumps of the release that a site serves."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, list[Dump]] = {}
        self._making: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, float] = {}
        self._watching: asyncio.Task[None] | None = None
        self._elsewhere: Path | None = None
        """Where dumps go if the folder of the releases cannot be written to."""

    def names(self) -> list[str]:
        """Return the names of the files that there can be.

        A draft has none, and a site that stays behind as files has those that are there.
        """
        if self._site.release.is_draft or (self._site.is_static and not self.ready()):
            return []
        return dump_names(self._site.settings)

    def titles(self) -> Mapping[str, Text]:
        """Return what the flat tables are called, by their names."""
        return {} if self._site.release.is_draft else table_titles(self._site.settings)

    def ready(self) -> list[Dump]:
        """Return the dumps that there are."""
        release = self._site.release
        if release.is_draft:
            return []
        if not self._known.get(release.name):
            self._known[release.name] = find_dumps(self._site.settings, self.folder(release))
        return self._known[release.name]

    def offered(self) -> list[Dump]:
        """Return the dumps that can be asked for; those that are not there have no sizes yet."""
        if ready := self.ready():
            return ready
        return expected_dumps(self._site.settings) if self.names() else []

    def former(self) -> tuple[list[tuple[Release, list[Dump]]], str | None]:
        """Return former releases with their files, and the name of the first that is gone.

        A site that stays behind as files has the files of one release.
        """
        releases, gone = former_releases(self._site.release)
        if self._site.is_static:
            return [(each, []) for each in releases], gone
        return [
            (
                each,
                [
                    *metadata.release_files(each.path, each.manifest["outputs"]),
                    *find_dumps(self._site.settings, self.folder(each)),
                ],
            )
            for each in releases
        ], gone

    @contextlib.asynccontextmanager
    async def kept_ready(self) -> AsyncIterator[None]:
        """Write the dumps of whatever release is served, each once it has settled."""
        if self._site.settings.dumps == "start" and not self._site.is_static:
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            await self.stop()

    async def _watch(self) -> None:
        begun = None
        while True:
            name = self._site.release.name
            await asyncio.sleep(_SETTLED)
            if begun != name == self._site.release.name:
                begun = name
                self.start()

    def folder(self, release: Release) -> Path:
        """Return where the dumps of a release are, or will be."""
        beside = dumps_folder(release)
        if self._elsewhere and not beside.is_dir():
            return self._elsewhere / release.name
        return beside

    def start(self) -> asyncio.Task[None] | None:
        """Begin to write what is not there yet; None where there is nothing to do or no use."""
        release = self._site.release
        if release.is_draft or self._site.is_static or self.ready():
            return None
        task = self._making.get(release.name)
        if task is None or task.done():
            now = asyncio.get_running_loop().time()
            if now - self._failed.get(release.name, -_AGAIN) < _AGAIN:
                return None
            task = asyncio.create_task(self._make(release))
            self._making[release.name] = task
        return task

    async def path(self, name: str) -> Path:
        """Return the file of a dump, written if it was not yet.

        Raises:
            ProblemError: It cannot be written, or not in the time that a request waits.
        """
        if task := self.start():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(task), _PATIENCE)
        path = self.folder(self._site.release) / name
        if not path.is_file():
            raise problems.ProblemError(
                503,
                "dumps",
                f"{name} is being written, or could not be; ask again in a minute"
                f" / {name} を書き出しています。1分ほど後にもう一度お試しください。",
                {"Retry-After": "60"},
            )
        return path

    async def _make(self, release: Release) -> None:
        try:
            folder = self.folder(release)
            try:
                folder.parent.mkdir(parents=True, exist_ok=True)
                staged = Path(tempfile.mkdtemp(prefix=".staging-", dir=folder.parent))
            except OSError:  # the releases may only be read
                self._elsewhere = Path(tempfile.mkdtemp(prefix="digiden-kg-dumps-"))
                folder = self._elsewhere / release.name
                staged = Path(tempfile.mkdtemp(dir=self._elsewhere))
            try:
                await self._write(release, staged)
                staged.chmod(0o755)
                with contextlib.suppress(OSError):  # another server was quicker
                    staged.replace(folder)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
        except (OSError, RuntimeError) as error:
            self._failed[release.name] = asyncio.get_running_loop().time()
            _log.error("no dumps of %s: %s", release.name, error)

    async def _write(self, release: Release, folder: Path) -> None:
        options = ["export", "--all", str(folder), "--release", str(release.path)]
        environment = {
            **os.environ,
            "DIGIDEN_PROJECT": str(self._site.settings.project_dir),
            "DIGIDEN_BASE": self._site.settings.base,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "digiden_kg", *options),
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _COURTESY)
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(said.decode(errors="replace").strip())

    async def stop(self) -> None:
        """End what is being written, and leave nothing of it."""
        tasks = [task for task in self._making.values() if not task.done()]
        tasks += [self._watching] if self._watching else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._elsewhere:
            shutil.rmtree(self._elsewhere, ignore_errors=True)


def add_downloads(app: FastAPI, site: Site, dumps: Dumps) -> None:
    """Add the report, the files of the release and its dumps."""

    @page_route(app, "/report", site)
    async def report() -> Response:
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return file_response(site.release.path / "report.html", "text/html; charset=utf-8", headers)

    @page_route(app, "/files/{name}", site)
    async def file(name: str) -> Response:
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        if name in metadata.FILES:
            content_type = metadata.FILES[name][0]
            path = site.release.path / name
        elif name == SUMS or name in dumps.names():
            path = await dumps.path(name)
            found = {dump.name: dump.packing or dump.media_type for dump in dumps.ready()}
            content_type = found.get(name, "text/plain")
        else:
            raise problems.ProblemError(404, "http", f"no file {name} / {name} はありません。")
        return file_response(path, _with_charset(content_type), headers)

    @page_route(app, "/files/{release}/{name}", site)
    async def file_of(release: str, name: str) -> Response:
        if release == site.release.name:
            return await file(name)
        releases, gone = dumps.former()
        found = {former.name: (former, files) for former, files in releases}
        if release == gone:
            raise gone_release(release, site.release.name)
        former, files = found.get(release, (site.release, []))
        dump = next((each for each in files if each.name == name), None)
        if dump is None:
            raise problems.ProblemError(
                404, "http", f"no file {name} of {release} / {release} の {name} はありません。"
            )
        folder = former.path if name in metadata.FILES else dumps.folder(former)
        stem, _, end = name.partition(".")
        saved = f"{stem}-{release}.{end}"
        headers = {"Content-Disposition": f'attachment; filename="{saved}"'}
        content_type = dump.packing or dump.media_type
        return file_response(folder / name, _with_charset(content_type), headers)


def gone_release(name: str, current: str) -> problems.ProblemError:
    """Return what is said of a release that was here once."""
    return problems.ProblemError(
        410,
        "http",
        f"the release {name} is not kept here any more; {current} is served, and /downloads lists"
        f" those that are / リリース {name} はもう置いていません。いまは {current} を公開して"
        "います（残っているものは /downloads）。",
    )


def _with_charset(content_type: str) -> str:
    return f"{content_type}; charset=utf-8" if content_type.startswith("text/") else content_type
