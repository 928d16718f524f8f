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
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"
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
    page.wait_for_url(re.compile("group=class"))
    query = parse_qsl(urlsplit(page.url).query)
    assert [value.split()[0] for name, value in query if name == "pin"] == [PROJECT]
    address, count = page.url, things(page)
    page.context.close()

    again = opened(browser, address)
    assert things(again) == count
    assert (
        again.get_by_role("button", name="Group by class").get_attribute("aria-pressed") == "true"
    )
    again.get_by_role("button", name="Group by class").click()
    again.wait_for_url(lambda address: "group=" not in address)
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
    for name in ("SVG", "PNG", "GraphML", "GEXF"):
        with page.expect_download() as download:
            page.locator(".data-menu").get_by_text(name, exact=True).click()
        found[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(found[name])
    svg = found["SVG"].read_text(encoding="utf-8")
    ET.fromstring(svg)
    assert svg.count("stroke-dasharray") == 2, "both types of service are inferred"
    assert "Odawara City" in svg
    assert found["PNG"].read_bytes().startswith(b"\x89PNG")
    # The town, its project, two types of service: where the picture has them, with axes upwards.
    drawn = {
        (round(float(each.get("x") or 0)), round(13 + 12 - float(each.get("y") or 0)))
        for each in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    }
    assert len(drawn) == things(page) == 4
    nodes = list(ET.parse(found["GraphML"]).iter(f"{GRAPHML}node"))
    values = [{each.get("key"): each.text for each in node} for node in nodes]
    places = {(float(each["x"] or ""), float(each["y"] or "")) for each in values}
    assert {(round(x), round(y)) for x, y in places} == drawn
    gexf = ET.parse(found["GEXF"])
    placed = [
        (float(each.get("x") or ""), float(each.get("y") or ""))
        for each in gexf.iter("{http://gexf.net/1.3/viz}position")
    ]
    assert set(placed) == places
    assert "Odawara City" in {each.get("label") for each in gexf.iter("{http://gexf.net/1.3}node")}
    assert page.wrong == []
    page.context.close()


def test_things_are_grouped_pinned_and_hidden_by_class(browser: Browser, real_server: str) -> None:
    prefecture = "id:body/140007"
    page = opened(
        browser,
        f"{real_server}/explore?iri={prefecture}&expand={prefecture}+in+dg:inPrefecture&lang=en",
    )
    # Kanagawa has 19 cities, 13 towns and one village.
    page.get_by_role("button", name="Pin the places of all: Town").click()
    assert len([name for name, _ in parse_qsl(urlsplit(page.url).query) if name == "pin"]) == 13
    page.get_by_role("button", name="Pin the places of all: Town").click()
    assert "pin=" not in page.url
    press(page, "without", "dg:City", within="#legend")
    assert things(page) == 1 + 13 + 1
    press(page, "with", "dg:City", within="#legend")
    assert things(page) == 34
    page.get_by_role("button", name="Group by class").click()
    page.wait_for_url(re.compile("group=class"))
    page.locator(".data-menu > summary").click()
    with page.expect_download() as download:
        page.locator(".data-menu").get_by_text("SVG", exact=True).click()
    boxes = re.findall(
        r"<rect [^>]*fill=\"none\"[^>]*/><text [^>]*>([^<]*)</text>",
        download.value.path().read_text(encoding="utf-8"),
    )
    assert sorted(boxes) == ["City 19", "Prefecture 1", "Town 13", "Village 1"]
    assert page.wrong == []
    page.context.close()


def test_a_thing_of_the_canvas_is_chosen_dragged_and_opened(
    browser: Browser, real_server: str
) -> None:
    page = opened(browser, f"{real_server}{START}")
    box = page.locator(".canvas").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.dblclick(x, y)  # the only thing is in the middle
    page.wait_for_url(re.compile("expand="))
    expect(page.locator("#tree li")).to_have_count(2)
    assert things(page) == 2
    page.goto(f"{real_server}{START}")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile("pin="))
    [pin] = [value for name, value in parse_qsl(urlsplit(page.url).query) if name == "pin"]
    name, right, down = pin.split()
    assert name == ODAWARA
    assert int(right) > 0 < int(down)
    page.context.close()


def test_two_thousand_things_are_drawn_and_listed(browser: Browser, real_server: str) -> None:
    hub = "scheme:body-kind/municipality"
    page = opened(browser, f"{real_server}/explore?iri={hub}&expand={hub}+in+dg:bodyKind&lang=en")
    page.locator(".canvas[data-things]").wait_for()
    count = things(page)
    assert count > 1700
    painted = page.locator(".canvas canvas").evaluate(
        """async (canvas) => {
          await new Promise((done) => setTimeout(done, 1000));
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const seen = new Set();
          for (let at = 0; at < data.length; at += 4)
            seen.add(data[at] * 65536 + data[at + 1] * 256 + data[at + 2]);
          return seen.size;
        }"""
    )
    assert painted > 10, "many colours: the canvas is not empty"
    assert page.wrong == []
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
