"""Publishes a release as a folder of files: the whole site or nothing.

The new site is written into a folder beside the old one and the two are exchanged in one step, so
that an interruption at any moment leaves the old site whole. What has not changed is the very same
file as before (a hard link), so tools that copy a site somewhere copy only the rest.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pyoxigraph import NamedNode, RdfFormat, parse

from digiden_kg import vocab
from digiden_kg.dumps import SUMS, dump_names, dumps_folder, find_dumps, write_dumps
from digiden_kg.exceptions import PublishError
from digiden_kg.publish import hosts
from digiden_kg.publish.addresses import CITED, RDF, SEEDS, NeedsServer, Place, place
from digiden_kg.publish.render import Failed, Job, Written, link, put, render, start
from digiden_kg.release import Release
from digiden_kg.settings import Settings
from digiden_kg.web.site import LANGUAGES, STATIC

MANIFEST = "site.json"
"""File of a published site that lists all others with their checksums."""
_BATCH, _AHEAD = 48, 3
"""Addresses that a process is given at a time, or a few more, and how many such lots wait."""
_MOST = 4000
"""Pages of one path; more than these are no pages but a computation."""
Progress = Callable[[str, int, int], None]
"""Told what is done, of how many."""


@dataclass
class Published:
    """What a publication did."""

    folder: Path
    root: str
    files: int = 0
    bytes: int = 0
    written: int = 0
    """Files that are new or have changed."""
    removed: int = 0
    fresh: bool = True
    """False where the site was already what it should be."""


@dataclass
class _Walk:
    """What the walk through the site has found so far."""

    written: dict[str, Written] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)
    seen: dict[str, Place] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)


def publish_site(
    release: Release,
    settings: Settings,
    out: Path,
    *,
    base_url: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Publish a release as files.

    Args:
        release: What is published.
        settings: Where the questions are; its public address is used if none is given.
        out: Folder of the site; what is in it and is not ours stays.
        base_url: Address at which the folder will be reached.
        progress: Told how far it is.

    Raises:
        PublishError: A page does not answer or a link is broken; the old site stays as it is.
    """
    tell = progress or (lambda what, done, total: None)
    root = public_root(base_url, settings)
    out = out.absolute()
    with _alone(out):
        before = _manifest(out)
        made_of = _made_of(release, root)
        result = Published(out, root)
        if before.get("madeOf") == made_of and _is_whole(out, before["files"]):
            sizes = [(out / name).stat().st_size for name in before["files"]]
            result.files, result.bytes, result.fresh = len(sizes), sum(sizes), False
            return result
        tell("dumps", 0, 1)
        _dump(release, settings)
        staging = _beside(out, "new")
        staging.mkdir()
        known: Mapping[str, str] = before.get("files", {})
        job = Job(release, settings, root, staging, out if before else None, known)
        walk = _walk(job, tell)
        _check(walk)
        files = {each.place.file: each.sha256 for each in walk.written.values()}
        changed = {each.place.file for each in walk.written.values() if each.changed}
        redirects = {
            each.place.file: each.redirect for each in walk.written.values() if each.redirect
        }
        for name, body in _extra(root, redirects):
            files[name], is_new = put(job, name, body)
            if is_new:
                changed.add(name)
        _keep_foreign(out, staging, known, files)
        manifest = {"release": release.name, "address": root, "madeOf": made_of}
        text = json.dumps({**manifest, "files": dict(sorted(files.items()))}, indent=0)
        (staging / MANIFEST).write_text(text + "\n", encoding="utf-8")
        result.bytes = sum((staging / name).stat().st_size for name in files)
        result.files, result.written = len(files), len(changed)
        result.removed = len(known.keys() - files.keys())
        staging.chmod(0o755)
        _exchange(staging, out)
        return result


def public_root(base_url: str | None, settings: Settings) -> str:
    """Return the public address of a site, without a slash at the end."""
    return (base_url or settings.public_url or vocab.BASE).rstrip("/")


def _dump(release: Release, settings: Settings) -> None:
    """Write the dumps of a release where the pages look for them, if they are not there.

    Raises:
        PublishError: They cannot be written.
    """
    folder = dumps_folder(release)
    if release.is_draft or len(find_dumps(settings, folder)) == len(dump_names(settings)):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".staging-", dir=folder.parent) as name:
            write_dumps(release, settings, Path(name))
            for file in sorted(Path(name).iterdir(), key=lambda each: each.name == SUMS):
                file.replace(folder / file.name)  # the list of them comes last
    except OSError as error:
        raise PublishError(
            f"no dumps can be written to {folder}: {error.strerror}"
            f" / {folder} にダンプを書き込めません。"
        ) from error


def _walk(job: Job, tell: Progress) -> _Walk:
    """Write every page that can be reached, and every IRI of the graph in every format."""
    walk = _Walk()
    waiting = deque(_seeds(job.release))
    for each in waiting:
        walk.seen[each.file] = each
    workers = os.cpu_count() or 1
    running: set[Future[list[Written | Failed]]] = set()
    with ProcessPoolExecutor(
        max_workers=workers,
        mp_context=get_context("spawn"),
        initializer=start,
        initargs=(job,),
    ) as pool:
        while waiting or running:
            while waiting and len(running) < _AHEAD * workers:
                running.add(pool.submit(render, _batch(waiting)))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for answer in (answer for batch in done for answer in batch.result()):
                if isinstance(answer, Failed):
                    walk.failed.append(answer)
                else:
                    walk.written[answer.place.file] = answer
                    waiting += (target for target, _ in answer.links if _is_new(walk, target))
            tell("pages", len(walk.written), len(walk.seen))
    return walk


def _batch(waiting: deque[Place]) -> list[Place]:
    """Take the next files; those of one thing stay together, because they are made of the same."""
    batch = [waiting.popleft()]
    while waiting and len(batch) < 2 * _BATCH:
        if len(batch) >= _BATCH and _stem(waiting[0]) != _stem(batch[-1]):
            break
        batch.append(waiting.popleft())
    return batch


def _stem(target: Place) -> str:
    return target.file.partition(".")[0]


def _is_new(walk: _Walk, target: Place) -> bool:
    """Take note of a file that is to be written, once.

    Raises:
        PublishError: A path has no end of pages, or two addresses have one file.
    """
    known = walk.seen.get(target.file)
    if known is not None:
        if known.meaning != target.meaning:
            raise PublishError(
                f"{known.address} and {target.address} have one file, {target.file}"
                f" / {known.address} と {target.address} が同じファイルになります。"
            )
        return False
    walk.seen[target.file] = target
    path = target.address.partition("?")[0]
    count = walk.states[path] = walk.states.get(path, 0) + 1
    if count > _MOST:
        raise PublishError(
            f"{path} has more than {_MOST} pages; if it needs a server, name it in"
            " publish/addresses.py, SERVER_ONLY"
            f" / {path} のページが {_MOST} を超えました。サーバーが要るものなら"
            " publish/addresses.py の SERVER_ONLY に書いてください。"
        )
    return True


def _seeds(release: Release) -> Iterator[Place]:
    """Yield the addresses that the walk begins with, those of one thing next to each other."""
    addresses = [f"{seed}?lang={language}" for seed in SEEDS for language in LANGUAGES]
    for asset in sorted(Path(STATIC).rglob("*")):  # a script may load what no page names
        if asset.is_file() and not asset.name.startswith("."):
            addresses.append(f"/static/{asset.relative_to(STATIC).as_posix()}")
    for iri in iris(release):
        path = "/" + iri.removeprefix(vocab.BASE)
        addresses += [path, f"{path}?lang=en", *(f"{path}.{end}" for end in RDF)]
        if path.startswith(CITED):
            addresses += [f"{path}.bib", f"{path}.bib?lang=en"]
    seen = set()
    for address in addresses:
        target = place(address, "ja")
        if not isinstance(target, NeedsServer) and target.file not in seen:
            seen.add(target.file)
            yield target


def iris(release: Release) -> list[str]:
    """Return every IRI of ours in a release, without fragments."""
    found = set()
    for quad in parse(path=release.dataset, format=RdfFormat.N_QUADS):
        for term in (quad.subject, quad.predicate, quad.object, quad.graph_name):
            if isinstance(term, NamedNode) and term.value.startswith(vocab.BASE):
                found.add(term.value.partition("#")[0])
    return sorted(found)


def _check(walk: _Walk) -> None:
    """Check that everything answered and that every link leads somewhere.

    Raises:
        PublishError: It is not so; the message lists where.
    """
    linked: dict[str, str] = {}
    for page in walk.written.values():
        for target, _ in page.links:
            linked.setdefault(target.file, page.place.file)
    problems = [
        f"{each.place.address}: {each.reason}"
        + (f" (linked from {linked[each.place.file]})" if each.place.file in linked else "")
        for each in walk.failed
    ]
    for page in walk.written.values():
        for target, fragment in page.links:
            there = walk.written.get(target.file)
            if there is not None and fragment and fragment not in there.ids:
                problems.append(
                    f"{page.place.file} -> {target.file}#{fragment}: no such place"
                    " / その場所はありません。"
                )
    if problems:
        shown = "\n".join(sorted(problems)[:_SHOWN])
        raise PublishError(f"{len(problems)} broken / リンク切れなど {len(problems)} 件:\n{shown}")


_SHOWN = 40


def _extra(root: str, redirects: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield the files that are no pages of the server."""
    for name, text in hosts.rules(root, redirects).items():
        yield name, text.encode()


# --- Folders ------------------------------------------------------------------------------------


def _beside(out: Path, what: str) -> Path:
    return out.parent / f".{out.name}.{what}"


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Let nobody else publish into a folder, and clear what an interrupted run left.

    Raises:
        PublishError: Somebody else does, or the folder holds something else.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = _beside(out, "lock").open("w")
    except OSError as error:
        raise PublishError(
            f"{out} cannot be written: {error.strerror} / 書き込めません。"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PublishError(
                f"another run publishes into {out} / 別の処理が {out} に公開しています。"
            ) from error
        old = _beside(out, "old")
        if old.exists() and not out.exists():
            old.replace(out)  # interrupted between the two steps of an exchange
        for left in (old, _beside(out, "new")):
            shutil.rmtree(left, ignore_errors=True)
        if out.exists() and not out.is_dir():
            raise PublishError(f"{out} is no folder / {out} はフォルダーではありません。")
        if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
            raise PublishError(
                f"{out} holds something that was not published by this command; give an empty"
                f" folder / {out} にはこのコマンドが公開したものでないファイルがあります。"
                "空のフォルダーを指定してください。"
            )
        try:
            yield
        finally:
            shutil.rmtree(_beside(out, "new"), ignore_errors=True)
            _beside(out, "lock").unlink(missing_ok=True)


def _manifest(out: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _made_of(release: Release, root: str) -> str:
    """Return a checksum of everything that decides what the site is."""
    total = hashlib.sha256(f"{release.name}\n{root}\n".encode())
    total.update(json.dumps(release.manifest["outputs"], sort_keys=True).encode())
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*")):
        if path.is_file() and not {"__pycache__", "node_modules"} & set(path.parts):
            total.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return total.hexdigest()


def _is_whole(out: Path, files: Mapping[str, str]) -> bool:
    for name, checksum in files.items():
        try:
            content = (out / name).read_bytes()
        except OSError:
            return False
        if hashlib.sha256(content).hexdigest() != checksum:
            return False
    return True


def _keep_foreign(
    out: Path, staging: Path, known: Mapping[str, str], files: Mapping[str, str]
) -> None:
    """Take over what is in the folder and is not ours (``CNAME``, ``.git``)."""
    if not out.is_dir():
        return
    for folder, _, names in os.walk(out):
        for name in names:
            path = Path(folder, name)
            file = path.relative_to(out).as_posix()
            if file != MANIFEST and file not in known and file not in files:
                (staging / file).parent.mkdir(parents=True, exist_ok=True)
                link(path, staging / file)


_EXCHANGE, _HERE = 2, -100


def _exchange(staging: Path, out: Path) -> None:
    """Put the new folder in the place of the old one, in one step where the system can."""
    if out.exists():
        libc = ctypes.CDLL(None, use_errno=True)
        renameat2 = getattr(libc, "renameat2", None)
        if renameat2 is not None and not renameat2(
            _HERE, os.fsencode(staging), _HERE, os.fsencode(out), _EXCHANGE
        ):
            shutil.rmtree(staging)
            return
        if renameat2 is not None and ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise PublishError(f"{out}: {os.strerror(ctypes.get_errno())}")
        out.replace(_beside(out, "old"))
    staging.replace(out)
    shutil.rmtree(_beside(out, "old"), ignore_errors=True)
