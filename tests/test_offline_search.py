"""Search over files finds, orders, marks and shows what the server does."""

from __future__ import annotations

import dataclasses
import difflib
import json
import random
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from conftest import PROJECT
from playwright.sync_api import Browser, Page
from test_browser import browser, opened  # noqa: F401 -- a fixture
from test_publish import files_served

from digiden_kg import vocab
from digiden_kg.publish.addresses import Place, place
from digiden_kg.publish.render import Job, Renderer, Written
from digiden_kg.release import Release
from digiden_kg.report import Report
from digiden_kg.settings import load_settings
from digiden_kg.web.site import STATIC

FRONTEND = PROJECT / "src" / "digiden_kg" / "web" / "frontend"
MARKED = ["小田原", "図書 館", "kibichuo", "library"]
MISSED = ["小田原氏市", "図書漢", "オンデマンド公通", "kibichuoo", "電子図書菅", "zzzz"]


@pytest.fixture(scope="module")
def root(built: tuple[Release, Report], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a site that has no more than its search."""
    folder = tmp_path_factory.mktemp("searched")
    settings = dataclasses.replace(load_settings(), project_dir=PROJECT)
    job = Job(built[0], settings, "https://data.example", folder, None, {})
    with ThreadPoolExecutor(1) as thread:  # playwright runs a loop in this one
        thread.submit(write_pages, job).result()
    with files_served(folder) as address:
        yield address


def write_pages(job: Job, *more: str) -> None:
    """Write the pages of search, other addresses, and all that scripts load."""
    renderer = Renderer(job)

    def write(*addresses: str) -> None:
        places = [place(each, "ja") for each in addresses]
        done = renderer.render([each for each in places if isinstance(each, Place)])
        assert all(isinstance(each, Written) for each in done), done

    write("/search?lang=ja", "/search?lang=en", "/search-index/meta.json", *more)
    meta = json.loads((job.staging / "search-index" / "meta.json").read_text(encoding="utf-8"))
    write(*(f"/search-index/{Path(each).name}" for each in meta["blocks"] + meta["grams"]))
    static = [path for path in Path(STATIC).rglob("*") if path.is_file()]
    names = [path.relative_to(STATIC).as_posix() for path in static if path.name[0] != "."]
    write(*(f"/static/{name}" for name in names))
    renderer.close()


def searched(browser: Browser, root: str, language: str = "ja", **asked: str) -> Page:  # noqa: F811
    end = "" if language == "ja" else ".en"
    page = opened(browser, f"{root}/search{end}.html?{urlencode(asked)}")
    page.wait_for_selector("#found .count")
    return page


def marks(html: str) -> list[str]:
    return re.findall(r"<mark>([^<]*)</mark>", html)


@pytest.mark.parametrize("text", MARKED)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_hits_are_marked_as_the_server_marks_them(
    browser: Browser,  # noqa: F811
    root: str,
    web: httpx.Client,
    text: str,
    language: str,
) -> None:
    asked = {"q": text, "view": "table"}
    there = web.get("/search", params={**asked, "lang": language}).text
    expected = marks(there.partition("<tbody>")[2].partition("</tbody>")[0])
    page = searched(browser, root, language, **asked)
    table = page.locator("#found table tbody")
    assert marks(table.inner_html()) == expected
    assert expected or (text.isascii() == (language == "ja"))
    here = table.locator("tr").count()
    assert here == there.partition("<tbody>")[2].partition("</tbody>")[0].count("<tr>")
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.parametrize("text", MISSED)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_what_is_called_alike_is_offered_as_the_server_does(
    browser: Browser,  # noqa: F811
    root: str,
    web: httpx.Client,
    text: str,
    language: str,
) -> None:
    there = web.get("/api/search", params={"q": text, "lang": language}).json()
    assert there["total"] == 0
    assert bool(there["near"]) == (text != "zzzz")
    page = searched(browser, root, language, q=text)
    links = page.locator("#found .near > li > a")
    assert links.all_inner_texts() == [each["label"] for each in there["near"]]
    heading = "近いもの" if language == "ja" else "Did you mean"
    assert (heading in page.locator("#found").inner_text()) == bool(there["near"])
    page.context.close()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_results_are_on_a_map_as_those_of_the_server_are(
    browser: Browser,  # noqa: F811
    root: str,
    web: httpx.Client,
    language: str,
) -> None:
    asked = {"q": "図書館", "view": "map"}
    there = opened(
        browser, f"{str(web.base_url).rstrip('/')}/search?{urlencode({**asked, 'lang': language})}"
    )
    here = searched(browser, root, language, **asked)

    def areas(page: Page) -> list[str]:
        shapes = page.locator(".japan .area").all()
        return [
            " ".join(
                (each.get_attribute("data-code") or "", each.get_attribute("class") or "",
                 each.get_attribute("aria-label") or each.locator("title").text_content() or "")
            )
            for each in shapes
        ]  # fmt: skip

    assert areas(here) == areas(there)
    assert len(areas(here)) == 47
    for part in (".japan .legend li", "table.places tbody tr"):
        assert here.locator(part).all_inner_texts() == there.locator(part).all_inner_texts(), part
    name = "福島県" if language == "ja" else "Fukushima"
    here.locator("table.places a", has_text=name).click()
    here.wait_for_selector("#found .area.chosen")
    assert "view=map" in here.url
    assert "prefecture=" in here.url
    here.locator("nav.chips a").first.click()
    here.wait_for_selector("#found .results")
    fukushima = vocab.thing("body", "070009")
    narrowed = web.get("/api/search", params={"q": "図書館", "prefecture": fukushima}).json()
    assert f"{narrowed['total']:,}" in here.locator("#found .count").inner_text()
    for page in (here, there):
        assert page.wrong == []  # type: ignore[attr-defined]
        page.context.close()


def test_likeness_is_that_of_difflib(tmp_path: Path) -> None:
    chance = random.Random(7)
    pairs = [
        ("".join(chance.choices("あいうえ市町a", k=chance.randrange(9))),
         "".join(chance.choices("あいうえ市町a", k=chance.randrange(9))))
        for _ in range(500)
    ]  # fmt: skip
    (tmp_path / "pairs.json").write_text(json.dumps(pairs), encoding="utf-8")
    script = (
        'import { build } from "esbuild"; import { readFileSync } from "node:fs";'
        'await build({ entryPoints: ["src/lib/offline.ts"], bundle: true, format: "esm",'
        f' outfile: "{tmp_path}/offline.mjs" }});'
        f'const {{ likeness }} = await import("{tmp_path}/offline.mjs");'
        f'const pairs = JSON.parse(readFileSync("{tmp_path}/pairs.json", "utf8"));'
        "console.log(JSON.stringify(pairs.map(([a, b]) => likeness(a, b))));"
    )
    if not (FRONTEND / "node_modules" / "esbuild").is_dir():
        pytest.skip("the packages of the front-end are not installed")
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        cwd=FRONTEND,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    ours = json.loads(done.stdout)
    theirs = [difflib.SequenceMatcher(a=a, b=b).ratio() for a, b in pairs]
    assert ours == pytest.approx(theirs)
