"""Dumps over HTTP: written when first asked for, once, whole, and described as they are."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import rdflib
from conftest import serving
from pyoxigraph import DefaultGraph, RdfFormat, parse

from digiden_kg import vocab
from digiden_kg.dumps import dumps_folder, write_dumps
from digiden_kg.release import Release
from digiden_kg.settings import load_settings
from digiden_kg.web import downloads
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


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server settle at once."""
    monkeypatch.setattr(downloads, "_SETTLED", 0.01)


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


@pytest.mark.usefixtures("at_once")
def test_a_server_writes_the_dumps_of_each_release_once_it_has_settled(site: Any) -> None:
    first = site.release

    async def run() -> None:
        dumps = Dumps(site)
        async with dumps.kept_ready():
            first_dump = dumps.offered()[0]
            assert (first_dump.name, first_dump.size) == ("digiden.nq.gz", None)
            await until(dumps.ready)
            target = first.path.parent / "0-another"
            target.mkdir()
            for path in first.path.iterdir():
                (target / path.name).write_bytes(path.read_bytes())
            site.release = Release(target, first.manifest)
            assert dumps.ready() == []
            await until(dumps.ready)
            assert [dump.name for dump in dumps.offered()] == dumps.names()
            assert all(dump.size and dump.sha256 for dump in dumps.offered())

    asyncio.run(run())
    assert sorted(path.name for path in (site.settings.out_dir / "dumps").iterdir()) == sorted(
        [first.name, "0-another"]
    )


async def until(there_is: Callable[[], object]) -> None:
    while not there_is():
        await asyncio.sleep(0.05)


@pytest.mark.usefixtures("at_once")
def test_a_server_may_be_told_to_wait_until_it_is_asked(site: Any) -> None:
    site.settings = dataclasses.replace(site.settings, dumps="asked")

    async def run() -> None:
        async with Dumps(site).kept_ready():
            await asyncio.sleep(0.2)

    asyncio.run(run())
    assert not (site.settings.out_dir / "dumps").exists()


DCAT = "http://www.w3.org/ns/dcat#"
PREVIOUS = rdflib.URIRef(f"{DCAT}previousVersion")


@pytest.fixture(scope="module")
def releases(
    tiny_release: Release,
    tiny_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A server of a release that followed two: of the first, only the name is left."""
    tmp_path = tmp_path_factory.mktemp("followed")
    before = "0-00000000"
    for name, previous in (("0-11111111", before), ("0-22222222", "0-11111111")):
        shutil.copytree(tiny_release.path, tmp_path / name)
        manifest = {**tiny_release.manifest, "previous": previous, "built": "2026-01-02T03:04:05Z"}
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        here = vocab.dataset(name)
        (tmp_path / name / "dataset.ttl").write_text(
            f"<{here}> a <{DCAT}Dataset> ; <{DCAT}distribution> <{here}#gone> ;"
            f" <{DCAT}previousVersion> <{vocab.dataset(previous)}> ."
            f"<{here}#gone> a <{DCAT}Distribution> .",
            encoding="utf-8",
        )
    dumps = tmp_path / "dumps" / "0-11111111"
    dumps.mkdir(parents=True)
    (dumps / "digiden.ttl.gz").write_bytes(b"made before")
    checksum = hashlib.sha256(b"made before").hexdigest()
    (dumps / "SHA256SUMS").write_text(f"{checksum}  digiden.ttl.gz\n", encoding="utf-8")
    with (
        serving(tiny_environment, "--release", str(tmp_path / "0-22222222")) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client


def graph_of(answer: httpx.Response) -> rdflib.Graph:
    assert answer.status_code == 200
    return rdflib.Graph().parse(data=answer.text, format="turtle")


def test_former_releases_are_offered_for_as_long_as_they_are_there(releases: httpx.Client) -> None:
    turtle = {"Accept": "text/turtle"}
    now = graph_of(releases.get("/dataset/0-22222222", headers=turtle))
    before = now.value(rdflib.URIRef(vocab.dataset("0-22222222")), PREVIOUS)
    assert str(before) == vocab.dataset("0-11111111")

    former = graph_of(releases.get("/" + str(before).removeprefix(vocab.BASE), headers=turtle))
    files = list(former.objects(before, rdflib.DCAT.distribution))
    assert (before, rdflib.URIRef(f"{DCAT}hasCurrentVersion"), None) in former
    assert {str(each).partition("#")[2] for each in files} == {
        *("digiden.nq", "dataset.ttl", "manifest.json", "report.csv", "digiden.ttl.gz")
    }
    for each in files:
        url = str(former.value(each, rdflib.DCAT.downloadURL))
        content = releases.get(url)
        assert content.status_code == 200, url
        assert len(content.content) == former.value(each, rdflib.DCAT.byteSize).toPython()
        assert "0-11111111" in content.headers["Content-Disposition"]
    oldest = former.value(before, PREVIOUS)
    gone = releases.get("/" + str(oldest).removeprefix(vocab.BASE), headers=turtle)
    assert gone.status_code == 410
    assert "0-22222222" in gone.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("0-00000000/digiden.nq", 410),
        ("0-11111111/digiden.trig.gz", 404),
        ("0-11111111/SHA256SUMS", 404),
        ("0-11111111/report.html", 404),
        ("0-22222222/report.html", 404),
        ("0-22222222/digiden.nq", 200),
        ("0-33333333/digiden.nq", 404),
        ("dumps/0-11111111", 404),
        ("%2e%2e/digiden.nq", 404),
        ("0-11111111/..%2fmanifest.json", 404),
    ],
)
def test_nothing_else_is_given(releases: httpx.Client, path: str, status: int) -> None:
    assert releases.get(f"/files/{path}").status_code == status


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ja", "0-11111111 より前のリリースは、ここにはもうありません"),
        ("en", "Releases before 0-11111111 are not kept here any more"),
    ],
)
def test_the_page_lists_former_releases(releases: httpx.Client, language: str, words: str) -> None:
    text = releases.get("/downloads", params={"lang": language}).text
    section = text.partition('id="former"')[2]
    assert words in section
    assert "2026-01-02" in section
    for link in re.findall(r'href="(/(?:files|dataset)/0-11111111[^"]*)"', section):
        assert releases.get(link).status_code == 200
    assert 'href="/files/0-11111111/digiden.ttl.gz"' in section


def test_a_catalogue_lists_every_dump_before_it_is_written(web: httpx.Client) -> None:
    described = graph_of(web.get("/.well-known/void?format=ttl"))
    names = set(re.findall(r'href="/files/([^"]+)"', web.get("/downloads").text)) - {"SHA256SUMS"}
    listed = {}
    for each in described.subjects(rdflib.RDF.type, rdflib.DCAT.Distribution):
        name = str(described.value(each, rdflib.DCAT.downloadURL)).rpartition("/")[2]
        listed[name] = each
        assert described.value(each, rdflib.DCAT.mediaType)
    assert names <= set(listed)
    assert {"digiden.trig.gz", "projects.parquet", "projects.xlsx", "digiden.sqlite"} <= names
