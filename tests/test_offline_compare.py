"""Bodies side by side over files: the figures, marks and sources of the server's page."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import PROJECT
from playwright.sync_api import Browser, Page
from test_browser import SERIOUS, browser, closed, opened  # noqa: F401 -- a fixture
from test_offline_search import searched, write_pages
from test_publish import files_served

from digiden_kg.publish.addresses import Place, place
from digiden_kg.publish.render import Job
from digiden_kg.release import Release
from digiden_kg.report import Report
from digiden_kg.settings import load_settings

ODAWARA, KIBICHUO, YAHIKO, YOKOHAMA = "142069", "336815", "153427", "141003"
OKAYAMA, KANAGAWA, FUKUSHIMA = "330001", "140007", "070009"
HAKODATE, AOMORI = "012025", "022012"
"""Two that the document does not name: one in a prefecture of others that it does, one not."""
LANGUAGES = ("ja", "en")
CHOSEN = [
    {"body": [ODAWARA, KIBICHUO]},
    {"body": [YAHIKO, ODAWARA, YOKOHAMA, OKAYAMA]},
    {"body": [KANAGAWA, FUKUSHIMA]},
    {"body": [ODAWARA, KIBICHUO, OKAYAMA], "show": "only"},
    {"body": [ODAWARA, "222062"], "show": "both"},
    {"body": [YOKOHAMA]},
    {"body": [HAKODATE, AOMORI]},
]


@pytest.fixture(scope="module")
def root(built: tuple[Release, Report], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a site that has no more than search, the comparison and a town."""
    folder = tmp_path_factory.mktemp("compared")
    settings = dataclasses.replace(load_settings(), project_dir=PROJECT)
    job = Job(built[0], settings, "https://data.example", folder, None, {})
    paths = ("/compare", "/compare/columns.json", f"/doc/body/{ODAWARA}")
    pages = [f"{path}?lang={tag}" for path in paths for tag in LANGUAGES]
    with ThreadPoolExecutor(1) as thread:  # playwright runs a loop in this one
        thread.submit(write_pages, job, *pages).result()
    with files_served(folder) as address:
        yield address


def compared(browser: Browser, root: str, language: str = "ja", **asked: object) -> Page:  # noqa: F811
    end = "" if language == "ja" else ".en"
    page = opened(browser, f"{root}/compare{end}.html?{urlencode(asked, doseq=True)}")
    page.wait_for_selector(".compared, .choosing")
    return page


def rows(page: Page) -> list[list[str]]:
    """What stands in each cell of the table, with what is said beside it and where it leads."""
    cells: list[list[list[str]]] = page.locator(".compared").evaluate(
        """table => [...table.rows].map(row => [...row.cells].map(cell => [
          cell.textContent.replace(/\\s+/g, " ").trim(), cell.colSpan,
          ...[...cell.querySelectorAll("[title]")].map(each => each.title),
          ...[...cell.querySelectorAll("a:not(.remove)")].map(each => each.getAttribute("href")),
        ].map(String)))"""
    )
    return [[_told(part) for cell in row for part in cell] for row in cells]


def alike(page: Page) -> list[list[str]]:
    """What stands in each section of bodies that are alike, and where it leads."""
    page.locator("main h2").last.wait_for()
    sections: list[list[list[str]]] = page.locator("main section").evaluate_all(
        """all => all.map(section => [
          [section.innerText.replace(/\\s+/g, " ").trim()],
          [...section.querySelectorAll("a:not(.button)")].map(each => each.getAttribute("href")),
          [...section.querySelectorAll(".guess, .button")].map(each => each.outerHTML
            .replace(/ href=.*?(?= aria-label|>)/, "")),
          [...section.querySelectorAll(".button")].map(each => {
            const asked = new URL(each.href).searchParams;
            return [...asked.getAll("body"), asked.get("show")].join(" ");
          }),
        ])"""
    )
    return [[_told(part) for parts in section for part in parts] for section in sections]


def _told(part: str) -> str:
    """A text as it is, an address of the server or of files as the name of the file."""
    if part.startswith("/"):
        found = place(part, "ja")
        assert isinstance(found, Place)
        return found.file
    return urlsplit(part).path.lstrip("/") if part.startswith("http://127.0.0.1") else part


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("asked", CHOSEN, ids=lambda asked: "-".join(asked["body"]))
def test_the_table_of_files_is_that_of_the_server(
    browser: Browser,  # noqa: F811
    root: str,
    real_server: str,
    asked: dict[str, list[str]],
    language: str,
) -> None:
    query = urlencode({**asked, "lang": language}, doseq=True)
    there = opened(browser, f"{real_server}/compare?{query}")
    here = compared(browser, root, language, **asked)
    assert rows(here) == rows(there)
    assert alike(here) == alike(there)
    assert here.title() == there.title()
    chips = "nav.chips a"
    assert here.locator(chips).all_inner_texts() == there.locator(chips).all_inner_texts()
    assert here.locator("#add").is_visible() == (len(asked["body"]) < 4)
    closed(here)
    closed(there)


@pytest.mark.parametrize(
    ("asked", "language"),
    list(zip(CHOSEN, itertools.cycle(LANGUAGES), strict=False)),
    ids=lambda asked: "-".join(asked["body"]) if isinstance(asked, dict) else asked,
)
def test_the_table_that_is_saved_is_that_of_the_server(
    browser: Browser,  # noqa: F811
    root: str,
    web: httpx.Client,
    asked: dict[str, list[str]],
    language: str,
) -> None:
    page = compared(browser, root, language, **asked)
    page.locator(".data-menu > summary").click()
    saved = {}
    for name in ("CSV", "JSON"):
        with page.expect_download() as download:
            page.locator(".data-menu").get_by_text(name, exact=True).click()
        assert download.value.suggested_filename == f"compare.{name.lower()}"
        saved[name] = download.value.path().read_bytes()
    there = web.get("/compare", params={**asked, "lang": language, "format": "csv"})
    assert saved["CSV"] == there.content
    here, whole = (
        json.loads(saved["JSON"]),
        web.get("/api/compare", params={**asked, "lang": language}),
    )
    assert here["facts"] == whole.json()["facts"]
    known = ("iri", "label", "code")
    assert here["bodies"] == [
        {name: each[name] for name in known} for each in whole.json()["bodies"]
    ]
    closed(page)


def test_a_body_that_is_alike_is_added(browser: Browser, root: str) -> None:  # noqa: F811
    page = compared(browser, root, body=[ODAWARA])
    button = page.locator("main section a.button").first
    wanted = re.findall(r"body=(\d+)", button.get_attribute("href") or "")
    assert wanted[0] == ODAWARA
    button.click()
    page.wait_for_url(lambda address: wanted[1] in address)
    page.locator(".compared").wait_for()
    assert page.locator("main section").count() == 2
    closed(page)


def test_what_the_document_says_stands_in_the_cells(browser: Browser, root: str) -> None:  # noqa: F811
    page = compared(browser, root, body=[ODAWARA, KIBICHUO])
    said = page.locator(".compared").inner_text()
    for printed in ("187,252", "2022年12月1日", "10,507", "6.61億円"):
        assert printed in said
    assert page.locator('.compared [title="661,074,000円"]').count() == 1
    closed(page)


def test_bodies_are_added_by_name_and_removed(browser: Browser, root: str) -> None:  # noqa: F811
    page = opened(browser, f"{root}/compare.html")
    assert "MB" in page.locator("#compared").inner_text()
    page.locator("#add").fill("おだわら")
    page.locator("[role=option]", has_text="小田原市").first.click()
    page.locator(".compared").wait_for()
    page.locator("#choose").select_option("岡山県")
    page.locator("form.adding", has=page.locator("#choose")).get_by_role("button").click()
    page.wait_for_url(lambda address: OKAYAMA in address)
    page.locator(".compared").wait_for()
    assert re.findall(r"body=(\d+)", page.url) == [ODAWARA, OKAYAMA]
    page.locator("#add").fill("きびちゅうおう")
    page.locator("#add").press("Enter")
    page.wait_for_url(lambda address: KIBICHUO in address)
    assert re.findall(r"body=(\d+)", page.url) == [ODAWARA, OKAYAMA, KIBICHUO]
    page.locator("nav.language a[hreflang=en]").click()
    page.locator(".compared").wait_for()
    names = page.locator(".compared thead th > a:first-child").all_inner_texts()
    assert names == ["Odawara City", "Okayama Prefecture", "Kibichuo Town"]
    page.locator("a.remove").nth(1).click()
    page.wait_for_url(lambda address: OKAYAMA not in address)
    page.locator(".compared").wait_for()
    assert page.locator(".compared thead th").count() == 3
    closed(page)


def test_a_name_of_several_or_of_none_is_asked_back(browser: Browser, root: str) -> None:  # noqa: F811
    page = compared(browser, root, body=[ODAWARA, "昭和村", "zzzzz"])
    assert page.locator(".choosing").count() == 2
    assert "zzzzz" in page.locator(".choosing").nth(1).inner_text()
    offers = page.locator(".choosing li")
    assert sorted(offers.locator("small").all_inner_texts()) == ["福島県", "群馬県"]
    offers.filter(has_text="福島県").get_by_role("link").click()
    page.wait_for_url(lambda address: "zzzzz" not in address)
    page.locator(".compared").wait_for()
    assert "昭和村" in page.title()
    closed(page)


def test_a_page_of_a_town_leads_to_its_comparison(browser: Browser, root: str) -> None:  # noqa: F811
    page = opened(browser, f"{root}/doc/body/{ODAWARA}.html")
    link = page.locator('main a[href*="compare.html"]').first
    codes = re.findall(r"body=(\d+)", link.get_attribute("href") or "")
    assert codes[0] == ODAWARA, "the town itself comes first"
    assert len(codes) > 1
    link.click()
    page.locator(".compared").wait_for()
    assert page.locator(".compared thead th").count() == 1 + len(codes)
    closed(page)


def test_a_found_town_leads_to_its_comparison(browser: Browser, root: str) -> None:  # noqa: F811
    page = searched(browser, root, "en", q="おだわら")
    page.get_by_role("link", name="Compare Odawara City").click()
    page.locator(".compared").wait_for()
    assert re.findall(r"body=(\d+)", page.url) == [ODAWARA]
    closed(page)


def test_without_scripts_it_says_so_and_leads_on(browser: Browser, root: str) -> None:  # noqa: F811
    page = opened(browser, f"{root}/compare.html", script=False)
    assert "スクリプトが要ります" in page.locator("main").inner_text()
    assert page.locator("noscript a").count() == 2 + 47
    page.context.close()


@pytest.mark.parametrize("width", [320, 1200])
def test_the_comparison_of_files_is_accessible(browser: Browser, root: str, width: int) -> None:  # noqa: F811
    page = compared(browser, root, body=[ODAWARA, KIBICHUO])
    page.set_viewport_size({"width": width, "height": 800})
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in SERIOUS] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    closed(page)
