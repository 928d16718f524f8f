"""The start page: what a person sees first."""

from __future__ import annotations

import csv
import datetime
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from test_browser import browser, opened  # noqa: F401

from digiden_kg.release import Release
from digiden_kg.report import Report

PROJECT = Path(__file__).parents[1]


def test_featured_questions_exist() -> None:
    with (PROJECT / "queries" / "featured.csv").open(encoding="utf-8", newline="") as file:
        slugs = [row["question"] for row in csv.DictReader(file)]
    assert len(slugs) == len(set(slugs)) == 6
    assert all((PROJECT / "queries" / "questions" / f"{slug}.rq").is_file() for slug in slugs)


@pytest.mark.parametrize(
    ("language", "figures"),
    [
        ("ja", ("992", "1,845", "653億円", "378億円", "938団体")),
        ("en", ("992", "1,845", "65.3 billion yen", "37.8 billion yen", "938")),
    ],
)
def test_the_figures_of_the_round_name_their_passages(
    web: httpx.Client, language: str, figures: tuple[str, ...]
) -> None:
    text = web.get("/", params={"lang": language}).text
    for figure in figures:
        assert f">{figure}</a>" in text
    assert text.count(f"/source/digiden-2023-04/overall?lang={language}") == 4
    assert f"/source/digiden-2023-04/implementation?lang={language}" in text
    assert 'title="65,300,000,000' in text


def test_it_says_what_is_not_known(web: httpx.Client) -> None:
    text = web.get("/?lang=ja").text
    assert "1,686事業のうち 40 の名前が分かる" in text
    assert "「載っていない」は「ない」ではありません" in text


def test_all_questions_are_one_click_away(web: httpx.Client) -> None:
    assert 'href="/questions?lang=ja"' in web.get("/?lang=ja").text
    listed = set(re.findall(r'"/questions/([a-z0-9-]+)\?lang=ja"', web.get("/questions").text))
    assert listed == {path.stem for path in (PROJECT / "queries" / "questions").glob("*.rq")}


def test_prefectures_with_most_projects_per_body_are_two_clicks_away(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/?lang=ja")
    page.locator("nav a", has_text="地図").click()
    assert page.locator("tbody tr").first.inner_text().split()[:2] == ["富山県", "2.85"]
    page.go_back()
    page.locator('.area[data-code="16"]').focus()
    assert page.locator(".tip").inner_text() == "富山県: 2.85件"
    assert page.wrong == []
    page.context.close()


def test_the_figure_of_the_map_is_changed_in_place_and_without_scripts_on_its_page(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/?lang=ja")
    page.locator("#figure").select_option("card-money")
    page.wait_for_url("**figure=card-money*")
    title = page.locator("#figure option:checked").inner_text()
    assert title in page.locator("#map").inner_text()
    assert page.locator("main h1").inner_text().startswith("デジタル田園都市国家構想交付金を")
    assert page.evaluate("document.activeElement.id") == "figure"
    shown = page.locator(".japan title").all_inner_texts()
    page.reload()  # the address is what is shown
    assert page.locator(".japan title").all_inner_texts() == shown
    page.locator('.area[data-code="16"]').click()
    page.wait_for_url("**/map?figure=card-money*")
    assert page.wrong == []
    page.context.close()
    page = opened(browser, f"{real_server}/?lang=ja", script=False)
    page.locator("#figure").select_option("card-money")
    page.locator(".chooser button").click()
    assert page.locator("h1").inner_text() == title
    page.context.close()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_says_as_of_when_it_is(
    web: httpx.Client, built: tuple[Release, Report], language: str
) -> None:
    day = datetime.date.fromisoformat(built[0].manifest["built"][:10])
    written = (
        f"{day.year}年{day.month}月{day.day}日" if language == "ja" else f"{day.day} {day:%B %Y}"
    )
    for path in ("/", "/quality", "/doc/body/142069"):
        foot = web.get(path, params={"lang": language}).text.rpartition("<footer>")[2]
        assert built[0].name in foot
        assert written in foot
        assert f'href="/about?lang={language}#licence"' in foot
