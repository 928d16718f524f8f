"""The site as files: whole, linked, the same wherever it lies, and never half replaced."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from conftest import DATA, PROJECT
from pyoxigraph import NamedNode, Quad, RdfFormat, parse

from digiden_kg import vocab
from digiden_kg.dumps import SUMS, dump_names, dumps_folder, find_dumps
from digiden_kg.exceptions import PublishError
from digiden_kg.publish import publisher
from digiden_kg.publish.addresses import RDF, NeedsServer, Place, place, relative
from digiden_kg.publish.publisher import MANIFEST, Published, iris, publish_site
from digiden_kg.publish.rewrite import rewrite_page
from digiden_kg.release import DATASET, Release, publish, staging
from digiden_kg.settings import Settings, load_settings

ROOT = "https://data.example/grants"
Check = Callable[[publisher._Walk], None]


_LINK = re.compile(r'\s(?:href|src|action)="([^"]*)"')
_ID = re.compile(r'\sid="([^"]*)"')


@contextlib.contextmanager
def files_served(folder: Path) -> Iterator[str]:
    """Serve a folder as whoever has Python can, and give its address."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None
            port = re.search(r"port (\d+)", process.stdout.readline())
            assert port is not None
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            process.terminate()


@functools.lru_cache(maxsize=1 << 16)
def _resolved(folder: str, link: str) -> tuple[str, str]:
    address, fragment = urldefrag(urljoin(folder, link))
    return address, fragment


def walk(root: str, folder: Path) -> tuple[set[str], list[str]]:
    """Follow every link of a site; return the pages and what is wrong with them.

    Every page is asked for, and every tenth of the files that link nowhere; the others are there.
    """
    wrong: list[str] = []
    ids: dict[str, set[str]] = {}
    meant: list[tuple[str, str, str]] = []
    waiting, seen = [f"{root}/index.html"], {f"{root}/index.html"}
    client = HTTPConnection(urlsplit(root).netloc)
    with contextlib.closing(client):
        while waiting:
            page = waiting.pop()
            if not page.endswith(".html") and len(seen) % 10:
                if not (folder / unquote(page.removeprefix(f"{root}/"))).is_file():
                    wrong.append(f"no file {page}")
                continue
            client.request("GET", urlsplit(page).path)
            answer = client.getresponse()
            content = answer.read()
            if answer.status != 200:
                wrong.append(f"{answer.status} {page}")
            if not answer.headers["Content-Type"].startswith("text/html"):
                continue
            text = content.decode()
            ids[page] = {html.unescape(each) for each in _ID.findall(text)}
            here = page.rpartition("/")[0] + "/"
            for link in dict.fromkeys(map(html.unescape, _LINK.findall(text))):
                if link.startswith("/"):
                    wrong.append(f"{page} -> {link}: leaves the folder")
                address, fragment = _resolved(here, link)
                if link.startswith(("#", "?")) or not link:
                    address = page
                if not address.startswith(root):
                    continue
                address = address.partition("?")[0]
                if fragment and "=" not in fragment:
                    meant.append((page, address, fragment))
                if address not in seen:
                    seen.add(address)
                    waiting.append(address)
    wrong += [f"{page} -> {to}#{id}" for page, to, id in meant if id not in ids.get(to, ())]
    return seen, wrong


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the questions of the tests and the pages of ours."""
    queries = tmp_path_factory.mktemp("project") / "queries"
    shutil.copytree(DATA / "questions", queries / "questions")
    shutil.copytree(PROJECT / "queries" / "pages", queries / "pages")
    for path in (PROJECT / "queries").glob("*.csv"):
        shutil.copy(path, queries)
    return queries.parent


@pytest.fixture(scope="module")
def settings(project: Path) -> Settings:
    return dataclasses.replace(load_settings(), project_dir=project)


@pytest.fixture(scope="module", autouse=True)
def no_check() -> Iterator[Check]:
    """Let the few things of the tests be published, to more of which the pages link."""
    check = publisher._check
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "_check", lambda walk: None)
        yield check


@pytest.fixture(scope="module")
def small(tiny_release: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The tiny release with the ontology, to which its pages link."""
    out = tmp_path_factory.mktemp("small")
    lines = {*tiny_release.dataset.read_text(encoding="utf-8").splitlines()}
    for path in (
        *sorted((PROJECT / "ontology").glob("*.ttl")),
        *(PROJECT / "shapes").glob("*.ttl"),
    ):
        name = "ontology" if path.parent.name == "ontology" else "shapes"
        for quad in parse(path=path, format=RdfFormat.TURTLE, rename_blank_nodes=True):
            graph = NamedNode(vocab.source(name))
            lines |= {f"{quad} .", f"{Quad(*quad.triple, graph)} ."}
    with staging(out) as folder:
        (folder / DATASET).write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")
        for name in ("report.html", "report.csv"):
            shutil.copy(tiny_release.path / name, folder)
        counts = tiny_release.manifest["counts"]
        return publish(folder, out, {"version": "0", "inputs": {}, "counts": counts})


@pytest.fixture(scope="module")
def site(small: Release, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Published:
    out = tmp_path_factory.mktemp("public") / "site"
    return publish_site(small, settings, out, base_url=ROOT)


def sums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


@pytest.mark.parametrize(
    ("address", "file", "suffix"),
    [
        ("/", "index.html", ""),
        ("/?lang=en#questions", "index.en.html", "#questions"),
        ("/doc/body/142069?lang=ja", "doc/body/142069.html", ""),
        ("/id/body/142069?lang=en", "doc/body/142069.en.html", ""),
        ("/doc/body/142069.ttl?lang=en", "doc/body/142069.ttl", ""),
        ("/ontology/0.1.0", "ontology/0.1.0.html", ""),
        ("/questions/a?format=csv&lang=en", "questions/a.en.csv", ""),
        ("/reuse?b=22&a=33", "reuse.a-33.b-22.html", ""),
        ("/static/dist/site.js?v=12", "static/dist/site.js", ""),
        ("/search?q=%E7%94%BA&lang=en", "search.en.html", "?q=%E7%94%BA"),
        ("/compare?lang=en&body=22&body=11", "compare.en.html", "?body=22&body=11"),
        ("/explore?iri=id:a&lang=ja", "explore.html", "?iri=id%3Aa"),
        ("/explore/network.json", "explore/network.json", ""),
        ("/sparql?query=ASK%20%7B%7D&format=csv", "browser-sparql.html", "#query=ASK%20%7B%7D"),
        ("/preview/site.png?lang=en", "preview/site.en.png", ""),
        ("/.well-known/void", ".well-known/void", ""),
        ("/.well-known/void?format=ttl", ".well-known/void.ttl", ""),
    ],
)
def test_the_name_of_a_file_follows_from_its_address(address: str, file: str, suffix: str) -> None:
    found = place(address, "ja")
    assert isinstance(found, Place)
    assert (found.file, found.suffix) == (file, suffix)


def test_a_link_without_a_language_stays_in_that_of_its_page() -> None:
    for language, file in (("ja", "downloads.html"), ("en", "downloads.en.html")):
        found = place("/downloads", language)
        assert isinstance(found, Place)
        assert found.file == file


def test_different_parameters_are_different_files() -> None:
    states = ("a=1&b=2", "a=1-b&c=2", "a=1", "a=%E7%94%BA", "a=%E7%94%B0", "b=1")
    found = [place(f"/reuse?{each}", "ja") for each in states]
    assert len({each.file for each in found if isinstance(each, Place)}) == len(states)


def test_two_ways_to_ask_for_a_format_mean_the_same() -> None:
    found = [place(each, "ja") for each in ("/question/a.ttl", "/question/a?format=ttl")]
    assert len({each.file for each in found if isinstance(each, Place)}) == 1
    assert len({each.meaning for each in found if isinstance(each, Place)}) == 1


@pytest.mark.parametrize(
    "address",
    [
        *("/api/search?q=a", "/search?format=csv", "/health", "/reuse?a=33&format=csv"),
        *("/explore.csv?iri=id:a", "/compare?body=1&format=csv"),
    ],
)
def test_what_needs_a_server_is_known(address: str) -> None:
    assert isinstance(place(address, "ja"), NeedsServer)


def test_links_are_relative() -> None:
    assert relative("index.html", "doc/body/1.html") == "doc/body/1.html"
    assert relative("doc/body/1.html", "doc/body/2.html") == "2.html"
    assert relative("doc/body/1.html", "static/style.css") == "../../static/style.css"
    assert relative("a/町.html", "b/町.html") == "../b/%E7%94%BA.html"


def test_a_page_is_rewritten_and_nothing_else_in_it() -> None:
    text, found = rewrite_page(
        '<html lang="en"><a href="/doc/x/1?lang=en&amp;q=a">1</a> <a href="https://e.example/">2</a>'
        '<a href="/api/search?q=a">JSON</a><p>href="/doc/x/1"</p>'
        '<form action="/search"><input></form><form action="/sparql"><input></form>'
        '<script type="application/json" id="d">{"to":"/doc/x/2","text":"a/b"}</script>',
        "doc/y/3.en.html",
        "en",
    )
    assert '<a href="../x/1.q-a.en.html">1</a> <a href="https://e.example/">2</a>' in text
    assert '<a role="link" aria-disabled="true"' in text
    assert '<p>href="/doc/x/1"</p>' in text
    assert '<form action="../../search.en.html">' in text
    assert text.count("<form") == 1
    assert '../../browser-sparql.en.html">Use SPARQL in your browser' in text
    assert '{"to":"../x/2.en.html","text":"a/b"}' in text
    assert found.ids == ["d"]


def test_every_iri_is_there_in_every_format(site: Published, small: Release) -> None:
    expected = iris(small)
    assert len(expected) > 20
    for iri in expected:
        for end in ("", *(f".{end}" for end in RDF)):
            for language in ("ja", "en"):
                found = place("/" + iri.partition("/digiden/")[2] + end, language)
                assert isinstance(found, Place)
                assert (site.folder / found.file).is_file(), (iri, end)


def test_pages_link_inside_of_the_folder(site: Published) -> None:
    with files_served(site.folder.parent) as address:
        seen, wrong = walk(f"{address}/{site.folder.name}", site.folder)
    assert [each for each in wrong if "leaves the folder" in each] == []
    assert len(seen) > 200


def test_the_public_address_is_in_what_machines_read(site: Published) -> None:
    sitemap = (site.folder / "sitemap.xml").read_text()
    assert f"<loc>{ROOT}/</loc>" in sitemap
    assert f"<loc>{ROOT}/doc/body/142069.html</loc>" in sitemap
    assert f"Sitemap: {ROOT}/sitemap.xml" in (site.folder / "robots.txt").read_text()
    void = (site.folder / ".well-known" / "void").read_text()
    assert f"<{ROOT}/files/digiden.nq>" in void
    assert "localhost" not in void


def test_every_page_has_the_image_of_the_site_in_its_language(site: Published) -> None:
    images = {each: (site.folder / "preview" / each) for each in ("site.png", "site.en.png")}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in images.values())
    assert len({path.read_bytes() for path in images.values()}) == 2
    for name in ("index.html", "index.en.html", "doc/body/142069.html"):
        page = (site.folder / name).read_text("utf-8")
        image = "site.en.png" if ".en." in name else "site.png"
        assert f'<meta property="og:image" content="{ROOT}/preview/{image}">' in page


def test_the_dump_for_browsers_is_the_dump(site: Published) -> None:
    packed = (site.folder / "files" / "digiden.nq.gz").read_bytes()
    assert gzip.decompress(packed) == (site.folder / "files" / DATASET).read_bytes()
    void = (site.folder / ".well-known" / "void").read_text()
    assert f"<{ROOT}/files/digiden.nq.gz>" in void
    assert "sparqlEndpoint" not in void  # there is no server


def test_the_manifest_lists_every_file(site: Published) -> None:
    manifest = json.loads((site.folder / MANIFEST).read_text())
    assert manifest["files"] == sums(site.folder)
    assert site.files == len(manifest["files"])


def test_only_what_changed_is_written(small: Release, settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "site"
    publish_site(small, settings, out, base_url=ROOT)
    again = publish_site(small, settings, out, base_url=ROOT)
    assert not again.fresh
    page = out / "doc" / "body" / "142069.html"
    data, text = page.with_suffix(".ttl"), out / "robots.txt"
    before = data.stat().st_ino, text.stat().st_ino
    (out / "CNAME").write_text("data.example\n")
    moved = publish_site(small, settings, out, base_url="https://other.example")
    assert data.stat().st_ino == before[0]
    assert "https://other.example/preview/site.png" in page.read_text("utf-8")
    assert text.stat().st_ino != before[1]
    assert 0 < moved.written < moved.files / 2
    assert (out / "CNAME").read_text() == "data.example\n"
    page.write_text("damaged")
    mended = publish_site(small, settings, out, base_url="https://other.example")
    assert mended.fresh
    assert "damaged" not in page.read_text()


def test_what_is_not_ours_is_not_touched(
    small: Release, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(PublishError, match="empty folder"):
        publish_site(small, settings, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["letter.txt"]


def test_a_broken_link_is_an_error_and_leaves_the_old_site(
    small: Release,
    settings: Settings,
    site: Published,
    no_check: Check,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(publisher, "_check", no_check)
    before = sums(site.folder)
    wrong = tmp_path / small.name
    shutil.copytree(small.path, wrong)
    town, see = vocab.thing("body", "142069"), vocab.expand("rdfs:seeAlso")
    with (wrong / DATASET).open("a", encoding="utf-8") as dataset:
        dataset.write(f"<{town}> <{see}> <{vocab.BASE}nowhere> .\n")
    release = dataclasses.replace(small, path=wrong)
    with pytest.raises(PublishError, match=r"/nowhere.*404.*linked from .*142069"):
        publish_site(release, settings, site.folder, base_url="https://other.example")
    assert sums(site.folder) == before


def test_a_killed_run_leaves_the_old_site_whole(
    tiny_environment: dict[str, str],
    small: Release,
    settings: Settings,
    project: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "site"
    publish_site(small, settings, out, base_url=ROOT)
    before = sums(out)
    command = [sys.executable, "-m", "digiden_kg", "publish", "--out", str(out)]
    command += ["--release", str(small.path), "--base-url", "https://other.example"]
    environment = {**tiny_environment, "DIGIDEN_PROJECT": str(project)}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        staging = tmp_path / ".site.new"
        deadline = time.monotonic() + 60
        while sum(1 for _ in staging.rglob("*.html")) < 5:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert staging.is_dir()
    assert sums(out) == before
    publish_site(small, settings, out, base_url="https://other.example")
    assert not staging.exists()
    assert "https://other.example/" in (out / "sitemap.xml").read_text()


def test_rdf_of_the_site_can_be_read(site: Published) -> None:
    for end, format in (("ttl", RdfFormat.TURTLE), ("rdf", RdfFormat.RDF_XML)):
        assert list(parse(path=site.folder / "doc" / "body" / f"142069.{end}", format=format))


def test_dumps_that_an_older_program_did_not_write_are_written(
    site: Published, small: Release, settings: Settings
) -> None:
    folder = dumps_folder(small)
    before = (folder / SUMS).read_text()
    first, *rest = before.splitlines(keepends=True)
    (folder / first.split()[1]).unlink()
    (folder / SUMS).write_text("".join(rest))
    publisher._dump(small, settings)
    assert (folder / SUMS).read_text() == before
    assert [each.name for each in find_dumps(settings, folder)] == dump_names(settings)
