"""What the reader's browser computes alone: the same answers as the server, from files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import PROJECT
from playwright.sync_api import Browser, Page
from test_browser import browser, opened  # noqa: F401 -- a fixture

ANSWERED = ["adopters-of-a-model-service", "money-and-projects-by-type", "joint-projects"]


def ask(page: Page, query: str) -> str:
    page.locator("#query").fill(query)
    page.locator("#ask button").click()
    page.wait_for_selector("#answer:not([aria-busy])", timeout=120_000)
    return page.locator("#answer").inner_text()


@pytest.fixture(scope="module")
def page(browser: Browser, real_server: str) -> Iterator[Page]:  # noqa: F811
    page = opened(browser, f"{real_server}/browser-sparql?lang=en")
    yield page
    page.context.close()


@pytest.mark.parametrize("slug", ANSWERED)
def test_the_browser_answers_as_the_server_does(
    page: Page, web: httpx.Client, slug: str, tmp_path: Path
) -> None:
    query = (PROJECT / "queries" / "questions" / f"{slug}.rq").read_text(encoding="utf-8")
    ask(page, query)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    saved.value.save_as(tmp_path / "result.csv")
    here = list(csv.reader(io.StringIO((tmp_path / "result.csv").read_text(encoding="utf-8"))))
    there = web.post("/sparql", data={"query": query}, headers={"Accept": "text/csv"}).text
    assert len(here) > 2
    assert here == list(csv.reader(io.StringIO(there)))
    assert page.wrong == []  # type: ignore[attr-defined]


def test_named_graphs_and_prefixes_are_those_of_the_server(page: Page, web: httpx.Client) -> None:
    query = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s a dg:Project } }"
    there = web.get("/sparql", params={"query": query, "format": "csv"})
    assert there.status_code == 400  # the endpoint declares nothing by itself
    shown = web.get("/sparql", params={"query": query, "format": "html"}).text
    count = page.locator("#answer td").inner_text() if ask(page, query) else ""
    assert f">{count}<" in shown


def test_an_error_is_shown_at_its_place(page: Page) -> None:
    text = ask(page, "SELECT ?s {\n  ?s a dg:Project dg:Service }\n")
    assert "Line 2, column" in text
    assert page.locator("#answer mark").count() == 1


def test_what_is_no_table_is_shown_as_text(page: Page) -> None:
    assert "true" in ask(page, "ASK { ?s a dg:Project }")
    text = ask(page, "DESCRIBE <https://w3id.org/digiden/id/body/142069>")
    assert "小田原市" in text


def test_a_query_comes_with_the_address(browser: Browser, real_server: str) -> None:  # noqa: F811
    page = opened(browser, f"{real_server}/browser-sparql#query=ASK%20%7B%7D")
    assert page.locator("#query").input_value() == "ASK {}"
    page.context.close()
