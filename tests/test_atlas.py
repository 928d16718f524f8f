"""The map: its figures against the source and the graph; its use by pointer and keyboard."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from pyoxigraph import Store
from test_browser import browser, opened  # noqa: F401

from digiden_kg.questions import evaluate, load_question, store_choices

PAGES = Path(__file__).parents[1] / "queries" / "pages"
FIGURES = sorted(path.stem.removeprefix("map-") for path in PAGES.glob("map-*.rq"))


def table(web: httpx.Client, figure: str, language: str = "ja") -> list[dict[str, str]]:
    parameters = {"figure": figure, "format": "csv", "lang": language}
    answer = web.get("/map", params=parameters)
    assert f"map-{figure}.csv" in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_there_are_figures() -> None:
    assert len(FIGURES) >= 10


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_table_is_what_the_query_answers(
    web: httpx.Client, real_store: Store, figure: str, language: str
) -> None:
    question = load_question(PAGES / f"map-{figure}.rq")
    answer = evaluate(real_store, question.bind({"lang": [language]}, store_choices(real_store)))
    rows = table(web, figure, language)
    assert [row["prefectureLabel"] for row in rows] == [
        getattr(row[1], "value", None) for row in answer.rows
    ]
    page = web.get("/map", params={"figure": figure, "lang": language}).text
    assert question.title[language] in page
    assert page.count('<tr data-code="') == len(rows)
    assert len(set(re.findall(r'class="area s\d" data-code="(\d\d)"', page))) == 47
    assert page.count('class="area s0"') == 47 - len(rows)


def test_figures_of_the_source(web: httpx.Client) -> None:
    rows = {row["prefectureLabel"]: row for row in table(web, "projects-per-body")}
    assert rows["北海道"]["projectCount"] == "102"
    assert rows["北海道"]["bodyCount"] == "58"
    assert float(rows["富山県"]["projectsPerBody"]) == 2.85  # 37 projects of 13 bodies
    assert max(rows.values(), key=lambda row: float(row["projectsPerBody"])) is rows["富山県"]
    page = web.get("/map", params={"lang": "ja"}).text
    assert "最も大きいのは富山県（2.85件）" in page
    assert page.index(">富山県<") < page.index(">福島県<") < page.index(">山梨県<")
    assert "/source/digiden-2023-04/type1-prefectures?lang=ja" in page
    assert sum(int(row["bodyCount"]) for row in table(web, "card-bodies")) == 51
    assert sum(int(row["projects"]) for row in table(web, "platform-projects")) == 32
    assert sum(int(row["projects"]) for row in table(web, "telework-projects")) == 76


def test_a_prefecture_narrows_down(web: httpx.Client) -> None:
    page = web.get("/map", params={"prefecture": "33", "lang": "ja"}).text
    narrowed = page.partition('id="chosen"')[2]
    assert "西粟倉村" in narrowed
    assert "小田原市" not in narrowed
    assert "岡山県</a>：2.23件" in page
    assert web.get("/map", params={"prefecture": "99"}).is_success
    assert web.get("/map", params={"figure": "none"}).status_code == 404


def test_a_click_narrows_down_without_loading_anew(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/map?lang=ja")
    page.evaluate("window.kept = true")
    page.locator('.area[data-code="33"]').click()
    page.wait_for_selector("#chosen")
    assert "西粟倉村" in page.locator("#chosen").inner_text()
    assert "prefecture=33" in page.url
    assert page.locator("tr.chosen").inner_text().startswith("岡山県")
    page.locator("#figure").select_option("card-money")
    page.wait_for_selector("h1:has-text('国費')")
    assert "figure=card-money" in page.url
    page.go_back()
    page.wait_for_selector("h1:has-text('1団体')")
    assert page.evaluate("window.kept")
    assert page.wrong == []
    page.context.close()


def test_the_keyboard_reaches_every_prefecture(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/map?view=tiles&lang=en")
    page.locator(".map-views a").last.focus()
    seen = []
    for _ in range(47):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.dataset.code"))
    assert seen == [f"{code:02}" for code in range(1, 48)]
    assert "Okinawa" in page.locator(".tip").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_selector("#chosen")
    assert "Okinawa" in page.locator("#chosen h2").inner_text()
    assert page.evaluate("document.activeElement.dataset.code") == "47"
    page.context.close()


def test_it_works_without_scripts(browser: Browser, real_server: str) -> None:  # noqa: F811
    page = opened(browser, f"{real_server}/map?lang=ja&view=tiles", script=False)
    page.locator('.area[data-code="14"]').click()
    assert "小田原市" in page.locator("#chosen").inner_text()
    page.locator("#figure").select_option("bodies")
    page.locator(".chooser button").click()
    assert "団体数" in page.locator("h1").inner_text()
    assert page.locator("tr.chosen td").nth(1).inner_text() == "21"
    page.context.close()


def test_other_figures_are_linked_without_a_form(web: httpx.Client) -> None:
    page = web.get("/map", params={"view": "tiles", "lang": "en"}).text
    others = set(re.findall(r'href="/map\?figure=([a-z-]+)&amp;view=tiles&amp;lang=en"', page))
    assert others >= set(FIGURES) - {"projects-per-body"}
    assert 'href="/map?figure=projects-per-body&amp;lang=en&amp;format=csv"' in page
