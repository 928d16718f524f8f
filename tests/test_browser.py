"""The pages in a real browser: nothing fails, nothing is fetched from elsewhere, all can use them.

Chromium must be installed; its absence is a failure, not a skip.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, sync_playwright

PAGES = [
    "/",
    "/search?q=図書館",
    "/search?q=zzzzz",
    "/search?q=MNC&kind=Project&view=table",
    "/search?kind=LocalGovernment&view=map",
    "/doc/body/142069",
    "/doc/project/r4-2-type2-3-142069",
    "/doc/project/r4-2-type2-3-336815",
    "/doc/service/r4-2-type2-3-142069-town-points",
    "/doc/model-service/assisted-counter",
    "/doc/platform/odawara",
    "/doc/organisation/nishiawakura-muramarugoto",
    "/doc/grant-type/r4-2/type2-3",
    "/doc/indicator/r4-2-type1-012114-patients",
    "/doc/observation/model-services-assisted-counter",
    "/source/digiden-2023-04/type2-3-categories",
    "/scheme/field/1",
    "/doc/statistics/type2-3-categories",
    "/doc/inference/r4-2-type2-3-142069-type3",
    "/doc/round/r4-2",
    "/doc/body/none",
    "/reuse",
    "/reuse?view=network",
    "/reuse?prefecture=https://w3id.org/digiden/id/body/220001",
    "/explore",
    "/explore?iri=id:body/142069&expand=id:body/142069+in+dg:grantedTo&to=id:body/404489&from=id:body/142069",
    "/compare",
    "/compare?body=142069&body=336815&body=330001",
    "/compare?body=昭和村&body=zzzzz",
    "/questions",
    "/statistics?figure=147",
    "/statistics/model-services",
    "/quality",
    "/rounds",
    "/about",
    "/map",
    "/map?figure=card-money&view=tiles&prefecture=33",
    "/downloads",
    "/question/indicators-of-a-project",
    "/browser-sparql",
    "/api",
    "/ontology",
    "/api/reconcile/preview?id=id/body/142069",
    "/questions/adopters-of-a-model-service",
    "/builder?class=dg:Project&r1.1=dg:grantedTo&o1=is&r2.1=dg:projectCost&o2=ge&v2=x",
    "/sparql?format=html&query=SELECT%20*%20%7B%20%3Fs%20a%20%3Fc%20%7D%20LIMIT%203",
]


SCREENSHOTS = Path(__file__).parents[1] / "build" / "screenshots"
"""Where a picture of each page is left, to be looked at."""


def _whole(read: Callable[..., object]) -> Callable[..., object]:
    """Let what reads at once wait for the rest of a page; a click ends when its first part came."""

    @wraps(read)
    def reading(locator: Locator, *given: object, **named: object) -> object:
        locator.page.wait_for_load_state()
        return read(locator, *given, **named)

    return reading


for name in ("all", "all_inner_texts", "all_text_contents", "count", "inner_text", "text_content"):
    setattr(Locator, name, _whole(getattr(Locator, name)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


def opened(browser: Browser, address: str, *, width: int = 1200, script: bool = True) -> Page:
    """Open a page; what goes wrong in it is collected in ``page.wrong``."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, java_script_enabled=script, locale="ja-JP"
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else 0)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    root = "/".join(address.split("/")[:3])
    page.on("request", lambda asked: 0 if asked.url.startswith(root) else wrong.append(asked.url))
    page.goto(address)
    # A page that is not found is logged by the browser itself.
    page.wrong = [each for each in wrong if "404" not in each]
    return page


def closed(page: Page) -> None:
    """Close a page in which nothing went wrong."""
    assert page.wrong == []
    page.context.close()


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_clean(
    browser: Browser, real_server: str, path: str, language: str
) -> None:
    mark = "&" if "?" in path else "?"
    page = opened(browser, f"{real_server}{path}{mark}lang={language}")
    assert page.wrong == []
    assert page.locator("html").get_attribute("lang") == language
    name = re.sub(r"\W+", "-", path).strip("-")[:80] or "start"
    page.screenshot(path=SCREENSHOTS / f"{name}.{language}.jpg", type="jpeg", quality=60)
    found = Axe().run(page).response["violations"]
    bad = [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in SERIOUS]
    assert bad == []
    page.context.close()


SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_phone(browser: Browser, real_server: str, path: str) -> None:
    page = opened(browser, real_server + path, width=320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.context.close()


def test_who_runs_a_service_is_found_from_the_start_without_scripts(
    browser: Browser, real_server: str
) -> None:
    page = opened(browser, real_server + "/", script=False)
    page.locator(".find input[name=q]").fill("電子図書館")
    page.locator(".find button").click()
    assert "上天草市" in page.locator("main").inner_text()
    page.locator("main a", has_text="昭和村").first.click()
    assert page.locator("h1").inner_text() == "昭和村"
    page.context.close()


def test_what_a_town_got_is_two_clicks_away(browser: Browser, real_server: str) -> None:
    page = opened(browser, real_server + "/")
    page.locator(".find input[name=q]").fill("おだわら")
    page.keyboard.press("Enter")
    page.locator("main a", has_text="デジタルブラブラ城下町").first.click()
    text = page.locator("main").inner_text()
    for words in ("661,074千円", "小田原市", "地域ポイント", "推定"):
        assert words in text
    page.locator("main .who").first.click()
    assert page.locator("h1").inner_text()
    assert page.wrong == []
    page.context.close()


def test_the_query_behind_an_answer_can_be_changed_without_scripts(
    browser: Browser, real_server: str
) -> None:
    page = opened(
        browser, f"{real_server}/questions/my-number-card-type-bodies?lang=en", script=False
    )
    page.locator("summary", has_text="SPARQL").click()
    page.get_by_text("Open on the SPARQL page").click()
    query = page.locator("#query").input_value()
    page.locator("#query").fill(query + "\nLIMIT 2")
    page.get_by_role("button", name="Run").click()
    assert page.locator("tbody tr").count() == 2
    page.locator("#query").fill("SELECT ?x {")
    page.get_by_role("button", name="Run").click()
    assert "line" in page.locator(".failure").inner_text().lower()
    page.context.close()


@pytest.mark.parametrize(
    "path",
    [
        "/doc/body/142069",
        "/doc/model-service/assisted-counter",
        "/compare?body=142069&body=336815",
        "/reuse",
        "/quality",
    ],
)
def test_links_are_large_enough_and_marks_show_their_passage(
    browser: Browser, real_server: str, path: str
) -> None:
    """WCAG 2.2, 2.5.8: 24 by 24 px, but for the width of a word in a line of words.

    A mark tells its passage to keyboard and pointer alike.
    """
    page = opened(browser, real_server + path)
    small = page.evaluate(
        """() => [...document.querySelectorAll("main a:not(svg a), footer a")]
        .map((each) => [each, each.getBoundingClientRect()])
        .filter(([, box]) => box.width)
        .filter(([each, box]) => box.height < 23.9
          || (each.matches(".who, .source, .aside, td a") && box.width < 23.9))
        .map(([each]) => each.textContent)"""
    )
    assert small == []
    for mark in page.locator("main .who").all()[:1]:
        tip = mark.locator(".tip")
        hidden = "getComputedStyle(each).clipPath !== 'none'"
        assert tip.evaluate(f"each => {hidden}")
        for reach in (mark.focus, mark.hover):
            reach()
            assert not tip.evaluate(f"each => {hidden}")
            assert tip.inner_text()
            page.evaluate("document.activeElement.blur()")
    page.context.close()
