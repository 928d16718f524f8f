"""What a new user comes for, from the start page: at most three clicks or one typed word each."""

from __future__ import annotations

import csv
import io

import pytest
from playwright.sync_api import Browser, Page
from test_browser import browser, opened  # noqa: F401


def tab_to(page: Page, selector: str) -> None:
    """Reach something by the tabulator key alone."""
    for _ in range(60):
        if page.evaluate("each => !!document.activeElement?.matches(each)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by Tab")


@pytest.mark.parametrize("script", [True, False])
def test_where_147_projects_come_from(
    browser: Browser,  # noqa: F811
    real_server: str,
    script: bool,
) -> None:
    page = opened(browser, f"{real_server}/?lang=ja", script=script)
    page.locator("nav a", has_text="統計と照合").click()
    page.locator("#figure").fill("147事業")
    page.locator(".chooser button").click()
    found = page.locator("#found li", has_text="書かない窓口")
    assert "147" in found.inner_text()
    found.locator("small a", has_text="TYPE1 モデル・サービス").first.click()
    assert "/source/digiden-2023-04/services-administration" in page.url
    row = page.locator("main tr", has_text="書かない窓口").filter(has_text="147")
    assert row.count() >= 1
    assert page.wrong == []
    page.context.close()


def test_projects_per_body_by_prefecture_as_a_table_and_as_csv(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/?lang=ja")
    page.locator("nav a", has_text="地図").click()
    assert page.locator("h1").inner_text().startswith("1団体あたりの事業数")
    shown = page.locator("table.prefectures tbody tr")
    assert shown.count() == 47
    page.locator(".data-menu summary").click()
    with page.expect_download() as download:
        page.locator(".data-menu a", has_text="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert len(rows) == 47
    toyama = next(row for row in rows if row["prefectureLabel"] == "富山県")
    assert f"{float(toyama['projectsPerBody']):.2f}" == "2.85"
    assert shown.first.inner_text().split()[:2] == ["富山県", "2.85"]
    page.context.close()


def test_what_a_town_got_for_what_and_with_whom(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/?lang=ja")
    page.locator(".find input[name=q]").fill("小田原市")
    page.locator(".find button").click()
    page.locator("main a", has_text="小田原市").first.click()
    assert page.locator("h1").inner_text() == "小田原市"
    text = page.locator("main").inner_text()
    for words in (
        *("661,074千円", "マイナンバーカードを活用した地域ポイントサービス事業", "178,105千円"),
        *("だれと", "交付決定団体", "ほかの構成員の名前は、資料にありません。"),
    ):
        assert words in text
    page.context.close()


def test_two_towns_are_compared_by_keyboard_alone(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/?lang=ja")
    tab_to(page, 'nav a[href^="/compare"]')
    with page.expect_navigation():
        page.keyboard.press("Enter")
    for place, town in enumerate(("小田原市", "吉備中央町"), start=1):
        tab_to(page, "#add")
        page.keyboard.type(town)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.locator("table.compared thead th a", has_text=town).count() == 1
        assert page.locator("table.compared thead th").count() == 1 + place
    table = page.locator("table.compared").inner_text()
    assert "187,252" in table
    assert "10,507" in table
    tab_to(page, ".chips a:nth-of-type(2)")  # a ring shows where one is
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"
    assert page.wrong == []
    page.context.close()
