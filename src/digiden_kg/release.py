"""Releases: immutable folders with a dataset, its checksums and its report.

    build/
      0.1.0-1f3a9c2e/        one release; its name is the version and a hash of the content
        digiden.nq           sorted N-Quads; the default graph holds every statement once
        dataset.ttl          what it is: VoID, DCAT, quality
        manifest.json        sha256 of inputs and outputs, counts, version, time
        report.ttl|csv|html  what the checks found
      current                the name of the release that is served

``current`` is replaced in one step, after everything else is on disk: a build that fails or is
killed leaves the last good release in place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyoxigraph import RdfFormat, Store, parse

from digiden_kg.exceptions import ReleaseError

DATASET = "digiden.nq"
MANIFEST = "manifest.json"
DESCRIPTION = "dataset.ttl"
_CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Release:
    """One release folder and what its manifest says."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Version and hash, e.g. ``0.1.0-1f3a9c2e``; part of the IRI of the dataset."""
        return self.path.name

    @property
    def counts(self) -> Mapping[str, int]:
        """Numbers of triples, graphs, projects, findings and more."""
        counts: Mapping[str, int] = self.manifest["counts"]
        return counts

    @property
    def dataset(self) -> Path:
        """The N-Quads file."""
        return self.path / DATASET

    @property
    def is_draft(self) -> bool:
        """Whether this is data of somebody else, see :func:`draft`."""
        return "files" in self.manifest

    @property
    def prefixes(self) -> Mapping[str, str]:
        """Prefixes that the files of a draft declare."""
        prefixes: Mapping[str, str] = self.manifest.get("prefixes", {})
        return prefixes

    def open_store(self) -> Store:
        """Return a store in memory that holds the dataset.

        Raises:
            ReleaseError: The dataset cannot be read.
        """
        store = Store()
        try:
            store.bulk_load(path=self.dataset, format=RdfFormat.N_QUADS)
        except (OSError, SyntaxError) as error:
            raise ReleaseError(f"{self.dataset} cannot be read: {error}. Build again.") from error
        return store


@dataclass(frozen=True, slots=True)
class Dump:
    """A file in which a release, or a part of it, is offered."""

    name: str
    media_type: str
    """Of the content; ``packing`` is that of the file, where it is compressed."""
    size: int | None
    """None, like ``sha256``, where it is written once somebody asks for it."""
    sha256: str | None
    title: Mapping[str, str]
    """What it holds, by language."""
    packing: str | None = None
    table: str | None = None
    """The flat table that it holds; None where it holds everything."""


def open_release(path: Path) -> Release:
    """Return the release in a folder.

    Raises:
        ReleaseError: The folder holds no complete release.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReleaseError(
            f"{path} holds no release ({error}). Make one with: digiden-kg build"
        ) from error
    if not (path / DATASET).is_file():
        raise ReleaseError(f"{path} has no {DATASET}. Make it again with: digiden-kg build")
    return Release(path, manifest)


def former_release(release: Release) -> Release | None:
    """Return the release that this one followed, if its folder is still there."""
    name = release.manifest.get("previous")
    try:
        return open_release(release.path.parent / str(name)) if name else None
    except ReleaseError:
        return None


def former_releases(release: Release) -> tuple[list[Release], str | None]:
    """Return the releases before one, latest first, and the name of the first that is gone."""
    found: list[Release] = []
    names = {release.name}
    while former := former_release(found[-1] if found else release):
        if former.name in names:
            return found, None
        names.add(former.name)
        found.append(former)
    gone = (found[-1] if found else release).manifest.get("previous")
    return found, str(gone) if gone else None


def pointer_of(out_dir: Path) -> Path:
    """Return the file that names the current release."""
    return out_dir / _CURRENT


def current_release(out_dir: Path) -> Release:
    """Return the release that is served.

    Raises:
        ReleaseError: There is none.
    """
    pointer = pointer_of(out_dir)
    try:
        name = pointer.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ReleaseError(f"{out_dir} has no release. Make one with: digiden-kg build") from error
    return open_release(out_dir / name)


def sha256(path: Path) -> str:
    """Return the checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def release_name(staged: Path, manifest: Mapping[str, Any]) -> str:
    """Return the name of a staged release: its version, and a hash of dataset and inputs."""
    content = json.dumps([sha256(staged / DATASET), manifest["inputs"]]).encode()
    return f"{manifest['version']}-{hashlib.sha256(content).hexdigest()[:8]}"


@contextmanager
def staging(out_dir: Path) -> Iterator[Path]:
    """Give a folder to write a release into; it vanishes unless :func:`publish` moves it."""
    out_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=out_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(
    staged: Path, out_dir: Path, manifest: dict[str, Any], *, current: bool = True
) -> Release:
    """Complete a staged release, move it to its name and make it the current one if asked to.

    A release of the same name is the same release, because the name is a hash of the dataset and
    of every input: it stays as it is.
    """
    outputs = {path.name: sha256(path) for path in sorted(staged.iterdir())}
    name = release_name(staged, manifest)
    manifest = {"release": name, **manifest, "outputs": outputs}
    text = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
    (staged / MANIFEST).write_text(text, encoding="utf-8")
    staged.chmod(0o755)
    target = out_dir / name
    if not target.exists():
        staged.replace(target)
    if not current:
        return open_release(target)
    pointer = out_dir / f".{_CURRENT}-{os.getpid()}"
    pointer.write_text(f"{name}\n", encoding="utf-8")
    pointer.replace(pointer_of(out_dir))
    return open_release(target)


FORMATS = {
    ".ttl": RdfFormat.TURTLE,
    ".trig": RdfFormat.TRIG,
    ".nt": RdfFormat.N_TRIPLES,
    ".nq": RdfFormat.N_QUADS,
    ".rdf": RdfFormat.RDF_XML,
    ".owl": RdfFormat.RDF_XML,
    ".xml": RdfFormat.RDF_XML,
    ".jsonld": RdfFormat.JSON_LD,
    ".json": RdfFormat.JSON_LD,
}
"""Formats of RDF files by the ends of their names."""
_AMBIGUOUS = {".xml", ".json"}
"""Ends of names that are RDF only if somebody says so."""


def draft(paths: Sequence[Path], folder: Path, *, base: str) -> Release:
    """Return a release of RDF files, and of those in folders, as they are: unchecked.

    What a file says of no graph goes to the default graph, which is not the union of the others.
    Blank nodes of two files stay two.

    Args:
        paths: Files and folders.
        folder: Empty folder to write into.
        base: What relative IRIs are relative to.

    Raises:
        ReleaseError: There is no RDF, or a file is wrong.
    """
    files = list(dict.fromkeys(file for path in paths for file in _rdf_files(path)))
    if not files:
        names = " ".join(FORMATS)
        raise ReleaseError(f"no RDF file ({names}) / RDF のファイルがありません。")
    prefixes: dict[str, str] = {}
    count = 0
    with (folder / DATASET).open("wb") as output:
        for file in files:
            try:
                # Without a name of its own per file, "_:a" of two files would be one node.
                quads = parse(
                    path=file,
                    format=FORMATS[file.suffix.lower()],
                    base_iri=base,
                    rename_blank_nodes=True,
                )
                for quad in quads:
                    output.write(f"{quad} .\n".encode())
                    count += 1
                prefixes = {**quads.prefixes, **prefixes}
            except (OSError, SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None)
                place = f"{file}, row {line}" if line else str(file)
                raise ReleaseError(f"{place}: {error} / 読めません。") from error
    prefixes = {name: namespace for name, namespace in prefixes.items() if _PREFIX.fullmatch(name)}
    checksum = sha256(folder / DATASET)
    manifest = {
        "files": [str(file) for file in files],
        "prefixes": prefixes,
        "counts": {"triples": count, "findings": 0},
        "outputs": {DATASET: checksum},
    }
    path = folder / f"draft-{checksum[:8]}"
    path.mkdir()
    (folder / DATASET).replace(path / DATASET)
    return Release(path, manifest)


_PREFIX = re.compile(r"[A-Za-z][\w-]*")


def _rdf_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            suffix = file.suffix.lower()
            if file.is_file() and suffix in FORMATS and suffix not in _AMBIGUOUS:
                yield file
    elif path.suffix.lower() in FORMATS:
        yield path
    else:
        names = " ".join(FORMATS)
        raise ReleaseError(
            f"{path}: the end of its name is none of {names} / 拡張子は {names} のどれかです。"
        )
