"""Pages within pages of others: only where asked for, without the frame, as high as they need."""

from __future__ import annotations

import html
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import PROJECT
from playwright.sync_api import Browser, expect
from test_browser import browser, opened

__all__ = ["browser"]

MAP = "/map?figure=projects&lang=en"


def test_only_what_is_asked_for_may_be_framed(web: httpx.Client) -> None:
    for address, framed in ((MAP, False), (f"{MAP}&embed=1", True), (f"{MAP}&embed=evil", False)):
        policy = web.get(address).headers["Content-Security-Policy"]
        assert ("frame-ancestors *" in policy) is framed
        assert ("frame-ancestors 'none'" in policy) is not framed


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_framed_page_has_its_content_and_source_alone(web: httpx.Client, language: str) -> None:
    asked = {"iri": "id:body/142069", "lang": language, "embed": "1"}
    page = web.get("/explore", params=asked).text
    assert f'<html lang="{language}">' in page
    assert 'id="main"' in page
    assert "<header" not in page
    assert "data-menu" not in page
    assert 'name="robots" content="noindex"' in page
    assert f'/explore?iri=id:body/142069&amp;lang={language}">' in page, "leads to the whole page"


def test_programs_get_the_code_of_a_page(web: httpx.Client) -> None:
    root = str(web.base_url).rstrip("/")
    page = web.get(f"{MAP}&q=%22x").text
    found = re.search(r'type="application/json\+oembed" href="([^"]*)"', page)
    assert found
    answer = web.get(html.unescape(found[1]), params=None).json()
    assert f"{root}/map?figure=projects" in answer["html"]
    assert '"x' not in answer["html"], "what stands in an address cannot leave it"
    asked = {"url": f"{root}/questions/grant-types-and-rates?lang=en", "maxwidth": "300"}
    answer = web.get("/api/oembed", params=asked).json()
    assert answer["width"] == 300
    question = (PROJECT / "queries/questions/grant-types-and-rates.rq").read_text(encoding="utf-8")
    assert answer["title"] in question
    for url in ("https://example.org/", f"{root}/api/things", "", f"{root}/doc/body/999999"):
        answer = web.get("/api/oembed", params={"url": url})
        assert answer.status_code == 404
        assert answer.json()["advice"]
    assert web.get("/api/oembed", params={"url": root + "/", "format": "xml"}).status_code == 501


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder served at an origin of its own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: object) -> None:
            super().__init__(*given, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *given: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_code_of_the_menu_shows_a_part_in_a_page_of_others(
    browser: Browser, real_server: str, elsewhere: tuple[Path, str]
) -> None:
    page = opened(browser, real_server + MAP)
    page.locator(".data-menu summary").first.click()
    page.locator("#embed-part").select_option("table-1")
    code = page.locator("#embed-code").input_value()
    assert page.wrong == []
    page.context.close()

    folder, origin = elsewhere
    (folder / "index.html").write_text(f"<!doctype html><p>Ours</p>{code}", encoding="utf-8")
    context = browser.new_context(viewport={"width": 900, "height": 700})
    host = context.new_page()
    wrong: list[str] = []
    host.on("console", lambda each: wrong.append(each.text) if each.type == "error" else None)
    host.goto(f"{origin}/index.html")
    # 47 prefectures need more than the 480 pixels that the frame begins with.
    expect(host.locator("iframe")).not_to_have_css("height", "480px")
    height = host.locator("iframe").bounding_box()
    assert height
    assert height["height"] > 1500
    inside = host.frame_locator("iframe")
    assert inside.locator("tbody tr").count() == 47
    assert not inside.locator(".japan").is_visible()
    assert inside.locator("h1").is_visible()
    assert inside.get_by_text("@svg-maps/japan").is_visible(), "whose it is stays with it"
    assert [each for each in wrong if "favicon" not in each and "404" not in each] == []
    context.close()


def test_a_page_that_is_not_asked_for_cannot_be_framed(
    browser: Browser, real_server: str, elsewhere: tuple[Path, str]
) -> None:
    folder, origin = elsewhere
    (folder / "index.html").write_text(f'<iframe src="{real_server}/"></iframe>', encoding="utf-8")
    context = browser.new_context()
    host = context.new_page()
    host.goto(f"{origin}/index.html")
    assert host.frame_locator("iframe").locator("main").count() == 0
    context.close()


def test_a_framed_graph_can_be_followed_and_stays_framed(
    browser: Browser, real_server: str
) -> None:
    page = opened(browser, f"{real_server}/explore?iri=id:body/142069&lang=en&embed=1")
    page.locator('.expand [value$="in dg:grantedTo"]').click()
    page.wait_for_url(re.compile("grantedTo.*embed=1"))
    assert page.locator("#tree li").count() == 2
    assert page.locator("header, .data-menu").count() == 0
    assert page.wrong == []
    page.context.close()
