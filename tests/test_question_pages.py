"""The pages of questions: a sentence to fill in; answers in words, tables, charts, maps, files."""

from __future__ import annotations

import csv
import html
import io
import re

import httpx
import openpyxl
import pytest
from playwright.sync_api import Browser, expect
from rdflib import Graph

from test_browser import browser, opened  # isort: skip

__all__ = ["browser"]
HTML = {"Accept": "text/html"}


def page(web: httpx.Client, path: str, language: str = "ja") -> str:
    mark = "&" if "?" in path else "?"
    return web.get(f"/questions/{path}{mark}lang={language}", headers=HTML).text


@pytest.mark.parametrize("name", ["電子図書館", "デジタルライブラリー", "digital-library"])
def test_the_form_shows_what_another_name_means(web: httpx.Client, name: str) -> None:
    text = page(web, f"adopters-of-a-model-service?modelService={name}")
    (chosen,) = re.findall(r'<option value="([^"]*)" selected>', text)
    assert chosen == "id:model-service/digital-library"
    assert "答えは 2 件（団体 2、" in text


def test_a_field_to_type_in_shows_the_name_in_the_language_of_the_page(web: httpx.Client) -> None:
    assert 'value="神奈川県小田原市"' in page(web, "projects-of-a-body?body=142069")
    text = page(web, "projects-of-a-body?body=小田原市", "en")
    assert re.search('id="p-body" name="body" value="Odawara[^"]*, Kanagawa Prefecture"', text)
    wrong = page(web, "projects-of-a-body?body=zzz", "en")
    assert 'value="zzz"' in wrong
    assert "nothing is called" in wrong
    assert "はありません" not in wrong.split("<footer")[0].split('class="failure"')[1]


def test_the_answer_says_how_much_it_knows(web: httpx.Client) -> None:
    text = page(web, "my-number-card-type-bodies", "en")
    assert "The answer has 51 rows" in text
    # The document publishes 1,845 projects in all.
    assert '<meter min="0" max="1845" ' in page(web, "cost-per-resident", "en")
    text = page(web, "adopters-of-a-model-service?modelService=digital-library", "en")
    assert "Of these Inferred 2." in text
    assert '<td class="concluded">Inferred</td>' in text
    empty = page(web, "telework-activities-by-word?word=zzz", "en")
    assert "That does not mean that there is none." in empty


def test_amounts_are_told_in_words_and_exactly(web: httpx.Client) -> None:
    # The document prints 661,074千円 for the project of 小田原市.
    text = page(web, "projects-of-a-body?body=142069")
    assert '<td class="number" title="661,074,000円">6.61億円</td>' in text
    text = page(web, "projects-of-a-body?body=142069", "en")
    assert '<td class="number" title="661,074,000 yen">661.07 million yen</td>' in text
    answer = web.get("/questions/projects-of-a-body?body=142069&format=csv").text
    assert ",661074000," in answer
    book = web.get("/questions/projects-of-a-body?body=142069&format=xlsx&lang=ja").content
    sheet = openpyxl.load_workbook(io.BytesIO(book), read_only=True).worksheets[0]
    heads, row = list(sheet.iter_rows(values_only=True))[:2]
    assert row[heads.index("事業費（円）")] == 661074000


def test_a_note_calls_columns_what_the_table_calls_them(web: httpx.Client) -> None:
    text = page(web, "adopters-of-a-model-service")
    assert "私たちの分類で、「確からしさ」に示します" in text
    text = page(web, "members-of-a-project")
    assert "「名前が分かるか」がfalseのものは" in text
    text = page(web, "members-of-a-project", "en")
    assert "“Name known” is false for" in text


def test_a_chart_or_map_is_drawn_where_the_question_says_so(web: httpx.Client) -> None:
    assert "data-chart" in page(web, "what-is-unknown")
    text = page(web, "money-and-projects-by-prefecture", "en")
    assert "data-chart" not in text
    # The document prints 102 projects of TYPE1 for Hokkaido.
    assert "Hokkaido: 102" in text
    assert 'href="/doc/body/010006?lang=en" class="area' in text


@pytest.mark.parametrize("path", ["projects-of-a-body?body=142069", "what-is-unknown"])
def test_the_data_menu_leads_to_what_the_page_shows(web: httpx.Client, path: str) -> None:
    text = page(web, path, "en")
    menu = re.search(r'<details class="data-menu">(.*?)</details>', text, re.S)
    assert menu
    address = re.search(r"curl -o \S+ '(.*?)'", html.unescape(menu[1]))
    assert address
    answer = web.get(address[1])
    assert answer.headers["content-type"].startswith("text/csv")
    shown = re.search(r"The answer has (\d+) row", text)
    assert shown
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == int(shown[1])
    for word in ("pd.read_csv", "Release", "TTL", "XLSX", "Open in the SPARQL editor"):
        assert word in menu[1]


def test_the_things_of_an_answer_as_rdf(web: httpx.Client) -> None:
    answer = web.get("/questions/projects-of-a-body?body=142069&format=ttl")
    graph = Graph().parse(data=answer.text, format="turtle")
    assert {str(each) for each in graph.objects()} >= {"https://w3id.org/digiden/id/body/142069"}
    empty = web.get("/questions/telework-activities-by-word?word=zzz&format=nt")
    assert empty.text == ""


def test_form_answer_and_files_are_those_of_the_endpoint(
    browser: Browser, real_server: str, web: httpx.Client
) -> None:
    start = opened(browser, f"{real_server}/questions/service-types-of-a-field?lang=en")
    start.locator("#p-field").select_option(label="Tourism")
    expect(start.locator("#p-field option:checked")).to_have_text("Tourism")
    expect(start).to_have_url(re.compile("field=scheme"))
    start.wait_for_selector("figure.chart svg")
    start.locator(".data-menu summary").click()
    address = start.locator(".data-menu a", has_text="CSV").get_attribute("href")
    query = start.locator("#answer pre code").text_content()
    assert address
    assert query
    table = web.get(address).text
    assert table == web.get("/sparql", params={"query": query, "format": "csv"}).text
    assert start.locator("#answer tbody tr").count() == len(table.splitlines()) - 1
    start.locator(".data-menu a", has_text="Open in the SPARQL editor").click()
    start.wait_for_selector(".CodeMirror")
    start.locator(".CodeMirror").click()
    start.keyboard.press("Control+End")
    start.keyboard.insert_text("\nLIMIT 1")
    start.keyboard.press("Control+Enter")
    expect(start.locator("#answer tbody tr")).to_have_count(1)
    assert start.wrong == []  # type: ignore[attr-defined]
    start.context.close()


def test_a_question_is_answered_without_scripts(browser: Browser, real_server: str) -> None:
    path = "/questions/services-shared-by-two-prefectures?lang=en"
    start = opened(browser, real_server + path, script=False)
    start.locator("#p-first").select_option(label="Hokkaido")
    start.get_by_role("button", name="Show the answer").click()
    assert start.locator("#p-first option:checked").inner_text() == "Hokkaido"
    assert start.locator(".answer").inner_text()
    start.context.close()


@pytest.mark.parametrize(
    "path",
    ["/reuse", "/compare?body=142069&body=336815", "/statistics", "/quality", "/rounds", "/map"],
)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_view_says_how_to_cite_it_and_what_it_is_made_of(
    web: httpx.Client, path: str, language: str
) -> None:
    mark = "&" if "?" in path else "?"
    text = web.get(f"{path}{mark}lang={language}", headers=HTML).text
    menu = re.search(r'<details class="data-menu">(.*?)</details>', text, re.S)
    assert menu
    release = web.get("/health").json()["release"]
    cited = re.search(r'<p class="cite">(.*?)</p>', menu[1])
    assert cited
    address = html.unescape(cited[1]).rpartition(", ")[2]
    assert release in cited[1]
    assert web.get(address, headers=HTML).text == text
    query = re.search(r'href="/sparql\?(?:[^"]*&amp;)?query=([^"&]*)', menu[1])
    assert query
    answer = web.get(f"/sparql.csv?query={query[1]}")
    assert answer.status_code == 200
    assert answer.text.count("\n") > 4
