"""The SPARQL page: a form without scripts, an editor with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import openpyxl
import pytest
from playwright.sync_api import Browser, Page
from test_browser import browser, opened

__all__ = ["browser"]

QUESTIONS = Path(__file__).parents[1] / "queries" / "questions"
HTML = {"Accept": "text/html"}
COSTS = """SELECT ?project ?projectLabel ?projectCost {
  ?project a dg:Project ; rdfs:label ?projectLabel ; dg:projectCost ?projectCost .
  FILTER(LANG(?projectLabel) = "ja") } ORDER BY DESC(?projectCost) LIMIT 3"""


@pytest.fixture
def editor(browser: Browser, real_server: str) -> Iterator[Page]:
    page = opened(browser, f"{real_server}/sparql?format=html&lang=en")
    yield page
    page.context.close()


def write(page: Page, query: str) -> None:
    page.locator(".CodeMirror").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(query)


def test_things_are_shown_by_their_names(web: httpx.Client) -> None:
    query = "SELECT ?b { ?p dg:grantedTo ?b ; dg:projectCost ?c } ORDER BY DESC(?c) LIMIT 1"
    for language, name in (("ja", "小田原市"), ("en", "Odawara")):
        page = web.get("/sparql", params={"query": query, "lang": language}, headers=HTML).text
        assert f'href="/doc/body/142069?lang={language}" title="id:body/142069">{name}' in page


def test_a_question_is_offered_as_an_example_without_being_run(web: httpx.Client) -> None:
    page = web.get("/sparql?format=html&question=projects-of-a-body").text
    assert "VALUES ?body" in page
    assert "<tbody>" not in page
    assert page.count("data-insert") == len(list(QUESTIONS.glob("*.rq")))
    assert web.get("/sparql?format=html&question=none").status_code == 404


def test_an_error_names_its_place_in_the_language_of_the_page(web: httpx.Client) -> None:
    def asked(language: str) -> httpx.Response:
        query = {"query": "SELECT ?x {\n  ?x a }", "format": "html", "lang": language}
        return web.get("/sparql", params=query)

    english = asked("en")
    assert english.status_code == 400
    assert 'data-line="2" data-column="8"' in english.text
    assert "<mark>}</mark>" in english.text
    assert "構文" not in english.text
    assert "2行9文字目に構文の誤りがあります。" in asked("ja").text


def test_an_answer_comes_as_a_workbook(web: httpx.Client) -> None:
    answer = web.get("/sparql", params={"query": full(COSTS), "format": "xlsx"})
    assert answer.headers["content-disposition"] == 'attachment; filename="result.xlsx"'
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
    costs = [row[-1] for row in sheet.iter_rows(values_only=True) if isinstance(row[-1], int)]
    rows = csv.DictReader(io.StringIO(web.get("/sparql.csv", params={"query": full(COSTS)}).text))
    assert costs == [int(row["projectCost"]) for row in rows] == [661074000, 400000000, 382360000]


def full(query: str) -> str:
    return (
        "PREFIX dg: <https://w3id.org/digiden/ontology#>"
        f" PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> {query}"
    )


def test_the_terms_that_the_data_uses_have_names_in_both_languages(web: httpx.Client) -> None:
    terms = web.get("/api/terms").json()
    found = {each["name"]: each for each in terms["classes"] + terms["properties"]}
    assert found["dg:Project"]["label"] == {"ja": "交付決定事業", "en": "Project"}
    assert found["dg:Project"]["count"] == 202
    assert found["dg:grantedTo"]["label"]["ja"] == "交付決定団体"
    assert terms["prefixes"]["dg"] == "https://w3id.org/digiden/ontology#"
    ours = [each for name, each in found.items() if name.startswith("dg:")]
    assert all({"ja", "en"} <= each["label"].keys() for each in ours)


def test_the_editor_runs_a_query_and_its_address_keeps_it(
    browser: Browser, editor: Page, real_server: str
) -> None:
    write(editor, COSTS)
    editor.keyboard.press("Control+Enter")
    editor.wait_for_selector("#answer tbody tr")
    assert editor.locator("#answer tbody tr").count() == 3
    assert "661,074,000" in editor.locator("#answer").inner_text()
    assert editor.locator(".CodeMirror").inner_text().count("PREFIX") == 2
    again = opened(browser, editor.url)
    assert again.locator("#answer tbody tr").count() == 3
    again.context.close()
    assert editor.wrong == []  # type: ignore[attr-defined]


def test_the_editor_marks_where_a_query_is_wrong(editor: Page) -> None:
    write(editor, "SELECT ?x {\n  ?x a }")
    editor.get_by_role("button", name="Run").click()
    editor.wait_for_selector(".failure")
    assert editor.locator(".CodeMirror .wrong").inner_text() == "}"
    assert editor.locator(".CodeMirror .wrong-line").count() == 1
    assert "line 2, column" in editor.locator(".failure").inner_text()
    write(editor, "SELECT * { ?s a dg:Facility }")
    editor.get_by_role("button", name="Run").click()
    editor.wait_for_selector("#answer tbody")
    assert editor.locator(".CodeMirror .wrong-line").count() == 0


def test_completion_asks_nobody_else(editor: Page) -> None:
    write(editor, "SELECT * {\n  ?x a foaf:Pe")
    editor.keyboard.press("Control+Space")
    editor.wait_for_timeout(500)
    assert editor.locator(".CodeMirror-hints").count() == 0
    write(editor, "SELECT * {\n  ?x a Proj")
    editor.keyboard.press("Control+Space")
    editor.wait_for_selector(".CodeMirror-hints")
    assert "dg:Project  Project (202)" in editor.locator(".CodeMirror-hints").inner_text()
    editor.keyboard.press("Enter")
    assert "?x a dg:Project" in editor.locator(".CodeMirror").inner_text()
    assert editor.wrong == []  # type: ignore[attr-defined]


def test_an_example_is_inserted_and_answered(editor: Page) -> None:
    editor.locator(".examples summary").first.click()
    editor.locator(".examples a").first.click()
    editor.wait_for_selector("#answer tbody")
    assert "VALUES" in editor.locator(".CodeMirror").inner_text()


def test_the_tab_key_leaves_the_editor(editor: Page) -> None:
    editor.locator(".CodeMirror").click()
    editor.keyboard.press("Tab")
    assert editor.evaluate("document.activeElement.textContent") == "Run"


def test_an_answer_is_drawn_as_a_chart_and_as_a_network(
    browser: Browser, editor: Page, real_server: str
) -> None:
    write(editor, COSTS)
    editor.keyboard.press("Control+Enter")
    editor.get_by_role("button", name="Draw a chart").click()
    editor.wait_for_selector("figure.chart svg")
    assert editor.locator("#answer tbody tr").count() == 3
    query = "CONSTRUCT WHERE { ?p a dg:Project ; dg:grantedTo ?b ; dg:projectCost ?c } LIMIT 2"
    page = opened(browser, f"{real_server}/sparql?format=html&lang=en&query={quote(query)}")
    page.get_by_role("button", name="Draw the network").click()
    page.wait_for_selector(".network canvas")
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.parametrize(
    ("query", "words", "seen"),
    [
        # Bodies are counted in their prefectures: the document names two of Okayama with a cost.
        (
            "SELECT ?b { ?p dg:grantedTo ?b ; dg:projectCost ?c }",
            "Colour: rows of each prefecture",
            "Okayama Prefecture: ",
        ),
        # 102 projects of TYPE1 are printed for Hokkaido.
        (
            "SELECT ?f (MAX(?n) AS ?projects) { ?o dg:prefecture ?f ; dg:projectCount ?n }"
            " GROUP BY ?f",
            "Colour: figures of projects",
            "Hokkaido: 102",
        ),
    ],
)
def test_prefectures_and_bodies_are_shown_on_a_map(
    web: httpx.Client, query: str, words: str, seen: str
) -> None:
    page = web.get("/sparql", params={"query": query, "format": "html", "lang": "en"}).text
    assert words in page
    assert seen in page
    assert 'href="/doc/body/330001?lang=en" class="area' in page


def test_an_answer_without_places_has_no_map(web: httpx.Client) -> None:
    page = web.get("/sparql", params={"query": COSTS, "format": "html", "lang": "en"}).text
    assert "Show on a map" not in page
