"""Dumps over HTTP: written when first asked for, once, whole, and described as they are."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from conftest import serving
from pyoxigraph import DefaultGraph, RdfFormat, parse

from digiden_kg.dumps import dumps_folder, write_dumps
from digiden_kg.release import Release
from digiden_kg.settings import load_settings
from digiden_kg.web.downloads import Dumps
from digiden_kg.web.problems import ProblemError


@pytest.fixture
def site(tiny_release: Release, tiny_project: Path, tmp_path: Path) -> Any:
    """What the dumps need of a site, with a release of its own."""
    folder = tmp_path / "releases"
    target = folder / tiny_release.name
    target.mkdir(parents=True)
    for path in tiny_release.path.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    settings = dataclasses.replace(load_settings(), project_dir=tiny_project, out_dir=folder)
    release = Release(target, tiny_release.manifest)
    return SimpleNamespace(release=release, settings=settings, is_static=False)


def test_a_dump_is_written_when_asked_for(
    tiny_release: Release, tiny_environment: dict[str, str]
) -> None:
    options = ("--release", str(tiny_release.path))
    with serving(tiny_environment, *options) as address, httpx.Client(base_url=address) as client:
        assert client.get("/files/nothing.csv").status_code == 404
        assert client.get("/files/projects.csv").status_code == 404  # there are no tables
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(
                    lambda name: httpx.get(f"{address}/files/{name}", timeout=120),
                    ["digiden.ttl.gz"] * 3 + ["SHA256SUMS"],
                )
            )
        assert [answer.status_code for answer in answers] == [200] * 4
        first = answers[0]
        assert first.headers["Content-Type"] == "application/gzip"
        assert "Content-Encoding" not in first.headers
        store = tiny_release.open_store()
        expected = {
            str(q.triple) for q in store.quads_for_pattern(None, None, None, DefaultGraph())
        }
        content = gzip.decompress(first.content)
        assert {str(q.triple) for q in parse(content, format=RdfFormat.TURTLE)} == expected

        for line in answers[3].text.splitlines():
            checksum, name = line.split("  ")
            content = client.get(f"/files/{name}").content
            assert hashlib.sha256(content).hexdigest() == checksum
        assert [path.name for path in dumps_folder(tiny_release).parent.iterdir()] == [
            tiny_release.name
        ]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_lists_everything(web: httpx.Client, language: str) -> None:
    text = web.get("/downloads", params={"lang": language}).text

    names = set(re.findall(r'href="/files/([^"]+)"', text))
    assert {"digiden.nq", "digiden.trig.gz", "digiden.sqlite", "SHA256SUMS"} <= names
    assert {f"projects.{end}" for end in ("csv", "csv-metadata.json", "xlsx", "parquet")} <= names
    for tool in ("rdflib", "Oxigraph", "pandas", "DuckDB", "SQLite"):
        assert f"<h3>{tool}</h3>" in text
    assert ("交付決定事業" if language == "ja" else "Model services") in text


def test_nothing_is_left_of_what_was_not_finished(site: Any) -> None:
    async def run() -> None:
        dumps = Dumps(site)
        assert dumps.start() is dumps.start()
        await asyncio.sleep(0.3)
        await dumps.stop()
        assert dumps.ready() == []

    asyncio.run(run())
    assert list((site.settings.out_dir / "dumps").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_releases_that_may_only_be_read_have_dumps_elsewhere(site: Any) -> None:
    site.settings.out_dir.chmod(0o555)
    try:
        _elsewhere(site)
    finally:
        site.settings.out_dir.chmod(0o755)


def test_a_folder_that_cannot_be_made_is_made_elsewhere(site: Any) -> None:
    (site.settings.out_dir / "dumps").write_text("no folder", encoding="utf-8")
    _elsewhere(site)


def _elsewhere(site: Any) -> None:
    async def run() -> None:
        dumps = Dumps(site)
        path = await dumps.path("digiden.nq.gz")
        assert gzip.decompress(path.read_bytes()) == site.release.dataset.read_bytes()
        assert [dump.name for dump in dumps.ready()][:2] == ["digiden.nq.gz", "digiden.trig.gz"]
        await dumps.stop()
        assert not path.exists()

    asyncio.run(run())


def test_a_failure_is_said_and_not_repeated_at_once(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site.release.dataset.write_text("no N-Quads", encoding="utf-8")

    async def run() -> None:
        dumps = Dumps(site)
        with pytest.raises(ProblemError, match="could not be") as caught:
            await dumps.path("digiden.ttl.gz")
        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "60"})
        assert dumps.start() is None
        await dumps.stop()

    asyncio.run(run())
    assert "digiden.nq cannot be read" in caplog.text
    assert list((site.settings.out_dir / "dumps").iterdir()) == []


def test_what_was_exported_before_is_taken(site: Any) -> None:
    folder = dumps_folder(site.release)
    folder.mkdir(parents=True)
    (folder / "digiden.ttl.gz").write_bytes(b"made before")
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  digiden.ttl.gz\n", encoding="utf-8")

    async def run() -> None:
        dumps = Dumps(site)
        assert [(dump.name, dump.size) for dump in dumps.ready()] == [("digiden.ttl.gz", 11)]
        assert (await dumps.path("digiden.ttl.gz")).read_bytes() == b"made before"
        await dumps.stop()

    asyncio.run(run())


def test_a_draft_has_no_dumps(site: Any) -> None:
    site.release = Release(site.release.path, {"files": ["a.ttl"], "outputs": {}, "counts": {}})
    dumps = Dumps(site)

    assert (dumps.names(), dumps.ready(), dumps.start()) == ([], [], None)


def test_a_site_of_files_offers_what_is_there(site: Any) -> None:
    site.is_static = True
    assert (Dumps(site).names(), Dumps(site).start()) == ([], None)

    write_dumps(site.release, site.settings, dumps_folder(site.release))
    assert "digiden.jsonld.gz" in Dumps(site).names()
