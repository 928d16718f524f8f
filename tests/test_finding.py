"""Finding and comparing in a real browser: by keyboard, without scripts, in few steps."""

from __future__ import annotations

import csv
import io

import pytest
from playwright.sync_api import Browser, expect
from test_browser import browser, opened

__all__ = ["browser"]

expect.set_options(timeout=30_000)  # a machine that does much else draws slowly


def test_a_town_is_reached_by_typing_and_two_keys(browser: Browser, real_server: str) -> None:
    page = opened(browser, real_server + "/?lang=ja")
    field = page.locator(".find input[name=q]")
    field.click()
    page.keyboard.type("おだわら")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("小田原市")
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    active = field.get_attribute("aria-activedescendant")
    assert active == options.first.get_attribute("id")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("小田原市")
    assert page.wrong == []
    page.context.close()


def test_escape_closes_the_list_and_enter_still_searches(
    browser: Browser, real_server: str
) -> None:
    page = opened(browser, real_server + "/?lang=en")
    field = page.locator(".find input[name=q]")
    field.click()
    page.keyboard.type("library")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    assert field.input_value() == "library"
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?**")
    assert page.locator(".results mark").count() > 0
    page.context.close()


@pytest.mark.parametrize("script", [True, False])
def test_two_towns_are_compared_from_the_start(
    browser: Browser, real_server: str, script: bool
) -> None:
    page = opened(browser, real_server + "/?lang=ja", script=script)
    page.get_by_role("link", name="くらべる").click()
    for number, name in enumerate(("おだわら", "みしまし"), 1):
        page.locator("#add").fill(name)
        if script:
            expect(page.get_by_role("option").first).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("thead .remove")).to_have_count(number)
    assert page.locator("thead").inner_text().count("小田原市") == 1
    text = page.locator("table").inner_text()
    for words in ("三島市", "6.61億円", "地域通貨・ポイント", "187,252"):
        assert words in text
    page.get_by_role("link", name="全部にある行").click()
    assert "オンデマンド交通" not in page.locator("table").inner_text()
    assert page.wrong == []
    page.context.close()


def test_a_town_is_added_from_the_suggestions(browser: Browser, real_server: str) -> None:
    page = opened(browser, real_server + "/compare?body=142069&lang=ja")
    page.locator("#add").click()
    # There are two of that name; the suggestions say where each is.
    page.keyboard.type("昭和村")
    page.get_by_role("option").filter(has_text="福島県").click()
    page.wait_for_url("**body=074462**")
    assert "福島県" in page.locator("thead").inner_text()
    page.context.close()


@pytest.mark.parametrize("script", [True, False])
def test_a_table_of_all_card_type_bodies_is_one_word_and_two_clicks_away(
    browser: Browser, real_server: str, script: bool
) -> None:
    page = opened(browser, real_server + "/?lang=ja", script=script)
    page.locator(".find input[name=q]").fill("MNC")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?**")
    question = "マイナンバーカード利用横展開事例創出型の団体は？"
    page.locator(".results a", has_text=question).click()
    assert page.locator("h1").inner_text() == question
    address = page.locator("main a", has_text="CSV").first.get_attribute("href")
    assert address
    text = page.request.get(real_server + address).text()
    assert len({row["body"] for row in csv.DictReader(io.StringIO(text))}) == 51
    page.context.close()


def test_filters_are_out_of_the_way_on_a_phone(browser: Browser, real_server: str) -> None:
    page = opened(browser, real_server + "/search?q=図書館&lang=ja", width=320)
    assert not page.get_by_role("link", name="熊本県").first.is_visible()
    page.get_by_text("絞り込み", exact=True).click()
    page.locator(".facets a", has_text="熊本県").click()
    expect(page.locator("ul.chips")).to_contain_text("熊本県")
    page.context.close()


def test_the_network_of_reuse_is_drawn_and_listed(browser: Browser, real_server: str) -> None:
    page = opened(browser, real_server + "/reuse?lang=ja")
    page.get_by_role("link", name="つながり（ネットワーク）").click()
    expect(page.locator("#network canvas").first).to_be_visible()
    expect(page.locator(".legend")).to_contain_text("サービスの型")
    # The same without the drawing: a line for each thing, with the bodies that it connects.
    line = page.locator(".hubs tr", has_text="地域通貨・ポイント")
    assert "小田原市" in line.inner_text()
    page.get_by_label("サービスの型").uncheck()
    page.get_by_role("button", name="見る").click()
    expect(page.locator(".hubs tr", has_text="地域通貨・ポイント")).to_have_count(0)
    assert page.wrong == []
    page.context.close()


def test_the_matrix_reads_as_cards_on_a_phone(browser: Browser, real_server: str) -> None:
    page = opened(browser, real_server + "/reuse?lang=ja", width=320)
    row = page.locator(".matrix tbody tr", has_text="地域通貨・ポイント")
    box = row.bounding_box()
    assert box
    assert box["width"] <= 320
    cell = row.locator('td[data-label="神奈川県"]')
    assert cell.is_visible()
    assert not row.locator('td[data-label="北海道"]').is_visible()
    page.context.close()


def test_the_map_of_results_narrows_down_at_a_click(browser: Browser, real_server: str) -> None:
    page = opened(browser, real_server + "/search?q=MNC&kind=Project&view=map&lang=ja")
    before = page.locator(".places tr").count()
    page.locator('.japan a[data-code="28"]').first.click()
    page.wait_for_url("**prefecture=**")
    expect(page.locator("ul.chips")).to_contain_text("兵庫県")
    # The other prefectures can still be chosen, in the map and in the table below.
    assert page.locator(".places tr").count() == before
    assert page.wrong == []
    page.context.close()
