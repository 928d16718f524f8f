"""The graph explorer over files walks where the server's does and says what it says."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import PROJECT
from playwright.sync_api import Browser, Page
from pyoxigraph import Store
from test_browser import SERIOUS, browser, closed, opened  # noqa: F401 -- a fixture
from test_offline_search import write_pages
from test_publish import files_served

from digiden_kg import vocab
from digiden_kg.publish.render import Job
from digiden_kg.release import Release
from digiden_kg.report import Report
from digiden_kg.settings import load_settings

ODAWARA = "id:body/142069"
GRANT = "id:project/r4-2-type2-3-142069"
KANAGAWA = "id:body/140007"
SERVICE = "id:service/r4-2-type2-3-142069-lively-plaza"
TOHO = "id:body/404489"
PASSAGE = f"{vocab.SOURCES}digiden-2023-04/case-odawara"
GRANTED = ("expand", f"{ODAWARA} in dg:grantedTo")
STATES = [
    [("iri", ODAWARA)],
    [("iri", ODAWARA), GRANTED, ("expand", f"{GRANT} out dg:implements"), ("at", GRANT)],
    [("iri", ODAWARA), GRANTED, ("expand", f"{GRANT} out dg:delivers"), ("hide", GRANT)],
    [("iri", KANAGAWA), ("expand", f"{KANAGAWA} in dg:inPrefecture"), ("without", "dg:Town")],
    [("iri", TOHO), ("from", ODAWARA), ("to", TOHO), ("among", "1")],
    [("from", "id:body/142034"), ("to", "id:body/142077")],
    [("iri", SERVICE)],
    [("iri", PASSAGE)],
]
DESCRIBED = (ODAWARA, GRANT, KANAGAWA, TOHO, SERVICE, "id:body/142034")


@pytest.fixture(scope="module")
def root(built: tuple[Release, Report], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a site that has no more than search, the explorer and a town."""
    folder = tmp_path_factory.mktemp("explored")
    settings = dataclasses.replace(load_settings(), project_dir=PROJECT)
    job = Job(built[0], settings, "https://data.example", folder, None, {})
    pages = [f"{path}?lang={tag}" for path in ("/explore", "/doc/body/142069") for tag in _TAGS]
    pages += [f"/doc/{name.removeprefix('id:')}.nq" for name in DESCRIBED]
    pages += [f"/{PASSAGE.removeprefix(vocab.BASE)}.nq"]
    with ThreadPoolExecutor(1) as thread:  # playwright runs a loop in this one
        thread.submit(write_pages, job, *pages, "/explore/network.json").result()
    with files_served(folder) as address:
        yield address


_TAGS = ("ja", "en")


def explored(
    browser: Browser,  # noqa: F811
    root: str,
    asked: list[tuple[str, str]],
    language: str = "ja",
) -> Page:
    end = "" if language == "ja" else ".en"
    page = opened(browser, f"{root}/explore{end}.html?{urlencode(asked)}")
    page.wait_for_selector("#tree")
    page.locator(".panel [aria-busy]").wait_for(state="detached")
    return page


def parts(page: Page) -> dict[str, list[str]]:
    """What a page of the explorer says, by its parts."""
    selectors = {
        **{"heading": "h1", "relations": ".expand li", "list": "#tree li", "legend": ".groups li"},
        **{"way": ".connection p, .paths li", "counts": "#shown-counts", "others": ".others li"},
    }
    said = {name: page.locator(selector).all_inner_texts() for name, selector in selectors.items()}
    data = json.loads(page.locator("#graph-data").text_content() or "")
    said["known"] = page.locator(".panel h3, .panel dl > *").evaluate_all(
        """all => all.map(each => [each.localName, each.className, each.innerText,
          ...[...each.querySelectorAll("*")].map(part => [part.localName, part.lang, part.title,
            part.ariaLabel, (part.getAttribute("href") ?? "")
              .replace(/(\\.en)?\\.html|\\?lang=../, "").replace(/^\\W*/, ""),
          ].join())
        ].join(" "))"""
    )
    said["data"] = [json.dumps(data, sort_keys=True)]
    return said


@pytest.mark.parametrize("language", _TAGS)
@pytest.mark.parametrize("asked", STATES, ids=lambda asked: asked[-1][1])
def test_a_state_of_files_is_that_of_the_server(
    browser: Browser,  # noqa: F811
    root: str,
    real_server: str,
    asked: list[tuple[str, str]],
    language: str,
) -> None:
    query = urlencode([*asked, ("lang", language)])
    there = opened(browser, f"{real_server}/explore?{query}")
    here = explored(browser, root, asked, language)
    assert parts(here) == parts(there)
    assert parts(here)["known"]
    assert here.locator(".acts").inner_text() == there.locator(".acts").inner_text()
    assert int(here.locator(".canvas").get_attribute("data-things") or 0) > 0
    closed(here)
    closed(there)


def test_the_panel_says_what_the_document_says(browser: Browser, root: str) -> None:  # noqa: F811
    page = explored(browser, root, STATES[1])
    said = page.locator(".panel dd", has_text="661,074,000")
    source = said.locator("a.source").get_attribute("href") or ""
    assert "source/digiden-2023-04/" in source
    closed(page)


def test_no_literal_is_concluded(real_store: Store) -> None:
    """So that a panel over files, which knows no reasons, leaves none out."""
    concluded = "ASK { ?conclusion rdf:object ?value FILTER(isLiteral(?value)) }"
    assert not real_store.query(concluded, prefixes=vocab.PREFIXES)


def test_a_description_that_does_not_come_leaves_the_graph_whole(
    browser: Browser,  # noqa: F811
    root: str,
) -> None:
    page = explored(browser, root, [("iri", "id:body/142077")], "en")
    assert "It could not be loaded" in page.locator(".panel").inner_text()
    assert page.locator(".acts a").get_attribute("href")
    page.context.close()


def test_a_town_leads_to_its_graph_and_grows_as_the_interface_says(
    browser: Browser,  # noqa: F811
    root: str,
    web: httpx.Client,
) -> None:
    page = opened(browser, f"{root}/doc/body/142069.html")
    page.locator(".data-menu > summary").click()
    page.get_by_text("グラフで見る").first.click()
    page.wait_for_selector("#tree")
    relations = web.get("/api/neighbours", params={"iri": ODAWARA, "lang": "ja"}).json()[
        "relations"
    ]
    assert relations
    for each in relations:
        value = f"{ODAWARA} {each['direction']} {each['name']}"
        shown = page.locator(f'.expand [value="{value}"]')
        assert shown.locator("strong").inner_text() == f"{each['count']:,}"
        shown.click()
        page.wait_for_url(lambda address, name=each["name"]: name in address)
        asked = {"iri": ODAWARA, "lang": "ja", "limit": 1000}
        asked |= {"relation": each["relation"], "direction": each["direction"]}
        there = web.get("/api/neighbours", params=asked).json()["neighbours"]
        graph = json.loads(page.locator("#graph-data").text_content() or "")
        assert {each["name"] for each in there} == {each[0] for each in graph["things"][1:]}
        page.locator('.expand [name="fold"]').click()
        page.wait_for_url(lambda address: "expand" not in address)
    page.go_back()
    page.wait_for_selector('.expand [name="fold"]')
    closed(page)


def test_names_add_and_connect_things(browser: Browser, root: str) -> None:  # noqa: F811
    page = explored(browser, root, [("iri", ODAWARA)], "en")
    page.locator("#add").press_sequentially("とうほうむら")
    page.locator("#found button", has_text="Toho Village").first.click()
    page.wait_for_url(lambda address: "404489" in address)
    assert page.locator("#panel").inner_text() == "Toho Village"
    page.locator("#from").fill("小田原市")
    page.locator("#to").fill("東峰村")
    page.get_by_role("button", name="Connect").click()
    page.locator("#connection").wait_for()
    assert "4 steps" in page.locator(".connection").inner_text()
    other = page.locator("nav.language a[hreflang=ja]")
    other.click()
    page.locator("#connection").wait_for()
    assert "最短で 4 歩" in page.locator(".connection").inner_text()
    page.locator("#to").fill("昭和村")
    page.get_by_role("button", name="つなぐ").click()
    page.locator(".choice button").first.wait_for()
    assert page.locator(".choice button").count() == 2  # in Fukushima and in Gunma
    closed(page)


def test_files_of_what_is_shown_are_those_of_the_server(
    browser: Browser,  # noqa: F811
    root: str,
    real_server: str,
    web: httpx.Client,
    tmp_path: Path,
) -> None:
    asked = [*STATES[1], ("lang", "en")]
    here = saved(explored(browser, root, STATES[1], "en"), FILES, tmp_path)
    page = opened(browser, f"{real_server}/explore?{urlencode(asked)}")
    there = saved(page, FILES[:3], tmp_path)
    assert {name: here[name] for name in there} == there  # with the same places
    table = web.get("/explore.csv", params=asked).text
    assert list(csv.reader(io.StringIO(here["CSV"]))) == list(csv.reader(io.StringIO(table)))
    things = web.get("/explore.json", params=asked).json()["things"]
    expected = [{key: each[key] for key in each if key != "address"} for each in things]
    assert json.loads(here["JSON"])["things"] == expected


FILES = ("GraphML", "GEXF", "SVG", "CSV", "JSON")


def saved(page: Page, names: Sequence[str], folder: Path) -> dict[str, str]:
    """What the menu of a page saves, by the words of its buttons."""
    page.locator(".data-menu > summary").click()
    found = {}
    for name in names:
        with page.expect_download() as download:
            page.locator(".data-menu").get_by_text(name, exact=True).click()
        download.value.save_as(folder / name)
        found[name] = (folder / name).read_text(encoding="utf-8")
    closed(page)
    return found


def test_a_first_visit_tells_what_will_be_loaded(browser: Browser, root: str) -> None:  # noqa: F811
    page = opened(browser, f"{root}/explore.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    size = int(httpx.head(f"{root}/explore/network.json").headers["Content-Length"])
    assert f"{size / 1e6:.1f} MB" in page.locator("#network").inner_text()
    assert not any(each.endswith(".json") for each in asked)
    page.locator(".begin button").first.click()
    page.wait_for_selector("#tree")
    data = [each.removeprefix(f"{root}/") for each in asked if each.endswith(".json")]
    assert data == ["explore/network.json"]
    closed(page)
    page = opened(browser, f"{root}/explore.html?iri=id:body/999999")
    page.get_by_role("alert").wait_for()
    assert "id:body/999999" in page.get_by_role("alert").inner_text()
    closed(page)


def test_without_scripts_it_says_so_and_leads_on(browser: Browser, root: str) -> None:  # noqa: F811
    page = opened(browser, f"{root}/explore.en.html", script=False)
    assert "only where scripts run" in page.locator("main").inner_text()
    assert page.locator("noscript a").count() > 10
    page.context.close()


@pytest.mark.parametrize("width", [320, 1200])
def test_the_explorer_of_files_is_accessible(browser: Browser, root: str, width: int) -> None:  # noqa: F811
    page = explored(browser, root, STATES[1])
    page.set_viewport_size({"width": width, "height": 800})
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in SERIOUS] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    closed(page)
