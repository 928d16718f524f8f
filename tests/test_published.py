"""The real site as files: every link leads somewhere, and what it computes is what servers say."""

from __future__ import annotations

import csv
import dataclasses
import io
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import PROJECT
from playwright.sync_api import Browser, Page
from test_browser import browser, opened  # noqa: F401 -- a fixture
from test_offline_search import searched
from test_publish import files_served, walk

from digiden_kg import vocab
from digiden_kg.publish.addresses import RDF, NeedsServer, place
from digiden_kg.publish.publisher import Published, iris, publish_site
from digiden_kg.release import Release
from digiden_kg.report import Report
from digiden_kg.settings import load_settings

SEARCHES = ["おだわら", "図書館", "市", "kibichuo", "TYPE3", "窓口 会津", "交付金", "1420", "zzzz"]
ANSWERED = ["adopters-of-a-model-service", "money-and-projects-by-type", "joint-projects"]


@pytest.fixture(scope="module")
def public(built: tuple[Release, Report], tmp_path_factory: pytest.TempPathFactory) -> Published:
    settings = dataclasses.replace(load_settings(), project_dir=PROJECT)
    out = tmp_path_factory.mktemp("public") / "site"
    return publish_site(built[0], settings, out, base_url="https://data.example/digiden")


@pytest.fixture(scope="module")
def root(public: Published) -> Iterator[str]:
    """Address of the site, in a folder of its host."""
    with files_served(public.folder.parent) as address:
        yield f"{address}/{public.folder.name}"


def test_every_iri_is_there_in_every_format(
    public: Published, built: tuple[Release, Report]
) -> None:
    expected = iris(built[0])
    assert len(expected) > 4000
    missing = []
    for iri in expected:
        for end in ("", *(f".{end}" for end in RDF)):
            for language in ("ja", "en"):
                found = place("/" + iri.removeprefix(vocab.BASE) + end, language)
                if isinstance(found, NeedsServer) or not (public.folder / found.file).is_file():
                    missing.append((iri, end))
    assert missing == []


def test_a_walk_through_every_link_finds_no_error(root: str, public: Published) -> None:
    seen, wrong = walk(root, public.folder)
    assert wrong == []
    assert len(seen) > 30_000


def test_descriptions_are_those_of_the_server(
    public: Published, web: httpx.Client, built: tuple[Release, Report]
) -> None:
    for iri in random.Random(1).sample(iris(built[0]), 40):
        path = "/" + iri.removeprefix(vocab.BASE).replace("id/", "doc/", 1)
        if path.startswith(("/question", "/dataset")):
            continue  # they name the address at which they are served
        for end in ("ttl", "jsonld"):
            found = place(f"{path}.{end}", "ja")
            assert not isinstance(found, NeedsServer)
            assert web.get(f"{path}.{end}").content == (public.folder / found.file).read_bytes()


@pytest.mark.parametrize("slug", ANSWERED)
def test_questions_have_their_default_answers(
    public: Published, web: httpx.Client, slug: str
) -> None:
    content = (public.folder / "questions" / f"{slug}.csv").read_bytes()
    assert content == web.get(f"/questions/{slug}", params={"format": "csv"}).content
    assert (public.folder / "questions" / f"{slug}.json").is_file()
    assert (public.folder / "questions" / f"{slug}.xlsx").is_file()


@pytest.mark.parametrize("text", SEARCHES)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_search_finds_what_the_server_finds(
    browser: Browser,  # noqa: F811
    root: str,
    web: httpx.Client,
    text: str,
    language: str,
) -> None:
    there = web.get("/api/search", params={"q": text, "lang": language, "limit": 50}).json()
    page = searched(browser, root, language, q=text)
    assert f"{there['total']:,}" in page.locator("#found .count").inner_text()
    here = page.locator("#found .results > li > a:first-child").all_inner_texts()
    assert here == [each["label"] for each in there["results"]]
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()


def test_search_is_narrowed_down_and_suggests(browser: Browser, root: str) -> None:  # noqa: F811
    page = searched(browser, root, q="図書館")
    page.locator(".facets a", has_text="福島県").click()
    page.wait_for_selector("#found .count")
    assert "prefecture=" in page.url
    assert page.locator("#found .results > li > a", has_text="昭和村").count()
    field = page.locator("header input[name=q]")
    field.fill("おだわ")
    page.locator("header [role=option]", has_text="小田原市").first.click()
    assert page.locator("h1").inner_text() == "小田原市"
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.parametrize("slug", ANSWERED)
def test_sparql_in_the_browser_answers_as_the_server_does(
    sparql_page: Page, web: httpx.Client, slug: str, tmp_path: Path
) -> None:
    query = (PROJECT / "queries" / "questions" / f"{slug}.rq").read_text(encoding="utf-8")
    sparql_page.locator("#query").fill(query)
    sparql_page.locator("#ask button").click()
    sparql_page.wait_for_selector("#answer:not([aria-busy])", timeout=120_000)
    with sparql_page.expect_download() as saved:
        sparql_page.get_by_role("button", name="CSV").click()
    saved.value.save_as(tmp_path / "result.csv")
    here = list(csv.reader(io.StringIO((tmp_path / "result.csv").read_text(encoding="utf-8"))))
    there = web.post("/sparql", data={"query": query}, headers={"Accept": "text/csv"}).text
    assert len(here) > 2
    assert here == list(csv.reader(io.StringIO(there)))
    assert sparql_page.wrong == []  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def sparql_page(browser: Browser, root: str) -> Iterator[Page]:  # noqa: F811
    page = opened(browser, f"{root}/browser-sparql.html")
    yield page
    page.context.close()


PAGES = [
    "index",
    "index.en",
    "reuse",
    "map",
    "downloads.en",
    "doc/body/142069",
    "search",
    "compare",
]
PAGES += ["explore", "explore.en"]


@pytest.mark.parametrize("name", PAGES)
def test_scripts_of_a_page_find_what_they_need(browser: Browser, root: str, name: str) -> None:  # noqa: F811
    page = opened(browser, f"{root}/{name}.html")
    page.wait_for_load_state("networkidle")
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()
