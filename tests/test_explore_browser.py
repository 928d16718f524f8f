"""The canvas of the graph explorer in a real browser, and the same page without scripts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from test_browser import SERIOUS, browser, opened

__all__ = ["browser"]

ODAWARA = "id:body/142069"
PROJECT = "id:project/r4-2-type2-3-142069"
START = f"/explore?iri={ODAWARA}&lang=en"
GRANTED = f"expand={ODAWARA}+in+dg:grantedTo"


def things(page: Page) -> int:
    """Things on the canvas; the list beside it has the same."""
    count = int(page.locator(".canvas").get_attribute("data-things") or 0)
    assert page.locator("#tree li").count() == count
    return count


def press(page: Page, name: str, value: str, *, within: str = "main") -> None:
    before = page.url
    page.locator(f'{within} [name="{name}"][value="{value}"]').first.click()
    page.wait_for_url(lambda address: address != before)


def test_expanding_grows_the_graph_by_what_was_announced(
    browser: Browser, real_server: str
) -> None:
    page = opened(browser, f"{real_server}{START}&{GRANTED}&at={PROJECT}")
    before = things(page)
    delivers = page.locator('.expand [value$="out dg:delivers"]')
    announced = int(delivers.locator("strong").inner_text())
    assert announced == 5  # the document lists five services
    press(page, "expand", f"{PROJECT} out dg:delivers")
    assert things(page) == before + announced
    assert "dg:delivers" in page.url, "the address is the state"

    press(page, "hide", PROJECT, within="#tree")
    assert things(page) == 1, "what only the hidden thing led to goes with it"
    press(page, "show", PROJECT)
    assert things(page) == before + announced
    page.go_back()
    expect(page.locator("#tree li")).to_have_count(1)
    assert things(page) == 1
    assert page.wrong == []
    page.context.close()


def test_the_address_restores_view_pins_and_groups(browser: Browser, real_server: str) -> None:
    page = opened(browser, f"{real_server}{START}&{GRANTED}&at={PROJECT}")
    page.locator("#pin").click()
    page.get_by_role("button", name="Group by class").click()
    page.wait_for_url(re.compile("group=1"))
    query = parse_qsl(urlsplit(page.url).query)
    assert [value.split()[0] for name, value in query if name == "pin"] == [PROJECT]
    address, count = page.url, things(page)
    page.context.close()

    again = opened(browser, address)
    assert things(again) == count
    assert (
        again.get_by_role("button", name="Group by class").get_attribute("aria-pressed") == "true"
    )
    assert again.locator("#pin").inner_text() == "Unpin"
    switch = again.locator("nav.language a[hreflang=ja]").get_attribute("href") or ""
    assert "pin=" in switch
    again.context.close()


def test_a_typed_name_adds_a_thing_and_connects_two(browser: Browser, real_server: str) -> None:
    page = opened(browser, f"{real_server}{START}")
    page.locator("#add").press_sequentially("とうほうむら")
    page.locator("#found button", has_text="Toho Village").first.click()
    page.wait_for_url(re.compile("404489"))
    assert things(page) == 2
    assert page.locator("#panel").inner_text() == "Toho Village"
    page.locator("#from").fill("小田原市")
    page.locator("#to").fill("東峰村")
    page.get_by_role("button", name="Connect").click()
    page.locator("#connection").wait_for()
    assert "4 steps" in page.locator(".connection").inner_text()
    assert things(page) == 5
    assert page.wrong == []
    page.context.close()


def test_pictures_and_graphml_hold_what_is_shown(
    browser: Browser, real_server: str, tmp_path: Path
) -> None:
    page = opened(browser, f"{real_server}{START}&{GRANTED}&expand={PROJECT}+out+dg:implements")
    page.locator(".data-menu > summary").click()
    found = {}
    for name in ("SVG", "PNG", "GraphML"):
        with page.expect_download() as download:
            page.locator(".data-menu").get_by_text(name, exact=True).click()
        found[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(found[name])
    svg = found["SVG"].read_text(encoding="utf-8")
    ET.fromstring(svg)
    assert svg.count("stroke-dasharray") == 2, "both types of service are inferred"
    assert "Odawara City" in svg
    assert found["PNG"].read_bytes().startswith(b"\x89PNG")
    nodes = ET.parse(found["GraphML"]).iter("{http://graphml.graphdrawing.org/xmlns}node")
    assert len(list(nodes)) == things(page) == 4
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_explorer_is_accessible_in_both_schemes(
    browser: Browser, real_server: str, scheme: str
) -> None:
    page = opened(browser, f"{real_server}{START}&{GRANTED}&hide={PROJECT}")
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in SERIOUS] == []
    page.context.close()


def test_everything_works_by_keyboard(browser: Browser, real_server: str) -> None:
    page = opened(browser, f"{real_server}{START}")
    page.locator('.expand [value$="in dg:grantedTo"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("grantedTo"))
    assert things(page) == 2
    focus = page.evaluate("document.activeElement.value")
    assert focus == f"{ODAWARA} in dg:grantedTo", "the focus stays where it was"
    page.keyboard.press("Enter")
    expect(page.locator("#tree li")).to_have_count(1)
    page.context.close()


def test_without_scripts_the_list_is_the_graph(browser: Browser, real_server: str) -> None:
    page = opened(browser, f"{real_server}/explore?lang=en", script=False)
    page.locator("#add").fill("odawara")
    page.locator("#adding button[type=submit]").click()
    page.locator("#found button").first.click()
    page.locator('.expand [value$="in dg:grantedTo"]').click()
    page.locator(f'#tree [name="at"][value="{PROJECT}"]').click()
    page.locator('.expand [value$="out dg:delivers"]').click()
    assert page.locator("#tree li").count() == 7
    assert "delivers" in page.url
    page.locator('#tree [name="fold"][value$="out dg:delivers"]').click()
    assert page.locator("#tree li").count() == 2
    page.context.close()


def test_a_thing_leads_to_its_graph(browser: Browser, real_server: str) -> None:
    page = opened(browser, f"{real_server}/doc/body/142069?lang=en")
    page.locator(".data-menu > summary").click()
    page.get_by_text("Show as graph").first.click()
    page.locator(".canvas").wait_for()
    assert page.locator("h1").inner_text() == "Around Odawara City"
    page.context.close()
