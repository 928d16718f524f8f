"""The reuse lens, against the graph."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from pyoxigraph import Store
from test_browser import browser, opened  # noqa: F401

from digiden_kg import vocab
from digiden_kg.questions import evaluate

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def rows(web: httpx.Client) -> list[dict[str, str]]:
    text = web.get("/reuse", params={"format": "csv", "lang": "ja"}).text
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_holds_every_use_of_the_graph(
    rows: list[dict[str, str]], real_store: Store
) -> None:
    answer = evaluate(
        real_store,
        f"""PREFIX dg: <{vocab.PREFIXES["dg"]}>
SELECT DISTINCT ?service ?body ?project
{{ ?project a dg:Project ; dg:implements ?service ; dg:grantedTo|dg:partnerBody ?body }}""",
    )
    stated = {tuple(term.value for term in row) for row in answer.rows}
    assert {(row["service"], row["body"], row["project"]) for row in rows} == stated
    assert {row["certainty"] for row in rows} <= {"stated", "inferred"}
    assert all(row["bodyLabel"] and row["serviceLabel"] and row["typeLabel"] for row in rows)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_names_every_body(
    web: httpx.Client, rows: list[dict[str, str]], language: str
) -> None:
    page = web.get("/reuse", params={"lang": language})
    assert page.is_success
    for row in rows:
        assert f"/doc/{row['body'].partition('/id/')[2]}?lang={language}" in page.text
        if language == "ja":
            assert row["bodyLabel"] in page.text


def test_two_prefectures_share_what_both_run(web: httpx.Client, rows: list[dict[str, str]]) -> None:
    by_prefecture: dict[str, set[str]] = {}
    for row in rows:
        by_prefecture.setdefault(row["prefecture"], set()).add(row["serviceLabel"])
    a, b = sorted(by_prefecture, key=lambda each: -len(by_prefecture[each]))[:2]
    page = web.get("/reuse", params={"a": a, "b": b, "lang": "ja"}).text
    section = page.partition("共通する型</h2>")[2].partition("<h2>")[0]
    both = by_prefecture[a] & by_prefecture[b]
    assert both
    for label in by_prefecture[a] | by_prefecture[b]:
        assert (f">{label}</a></th>" in section) == (label in both)


def test_filters_narrow_down(web: httpx.Client, rows: list[dict[str, str]]) -> None:
    kind = rows[0]["type"]
    text = web.get("/reuse", params={"format": "csv", "type": kind}).text
    narrowed = list(csv.DictReader(io.StringIO(text)))
    assert len(narrowed) == sum(row["type"] == kind for row in rows) < len(rows)
    assert web.get("/reuse", params={"type": "none", "a": "x", "b": "<script>"}).is_success
    assert web.get("/reuse", params={"format": "none"}).status_code == 406


@pytest.mark.parametrize("kind", ["graphml", "gexf"])
def test_the_network_has_a_node_for_each(web: httpx.Client, real_store: Store, kind: str) -> None:
    """Bodies, and the types, platforms and partners of their projects."""
    answer = evaluate(
        real_store,
        f"""PREFIX dg: <{vocab.PREFIXES["dg"]}> PREFIX org: <{vocab.PREFIXES["org"]}>
SELECT DISTINCT ?body ?thing {{
  ?project a dg:Project ; dg:grantedTo|dg:partnerBody ?body ; dg:grantType ?type .
  ?project dg:implements|dg:usesPlatform|(dg:hasConsortium/org:hasMember) ?thing
  FILTER(?thing != ?body) }}""",
    )
    edges = {tuple(term.value for term in row if term) for row in answer.rows}
    root = ET.fromstring(web.get("/reuse", params={"format": kind}).text)
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert names.count("node") == len({each for edge in edges for each in edge})
    assert names.count("edge") == len(edges)


def test_a_network_can_be_of_platforms_alone(web: httpx.Client) -> None:
    data = web.get("/api/reuse", params={"through": "platform", "lang": "ja"}).json()
    nodes = {each["iri"]: each for each in data["network"]["nodes"]}
    assert {each["kind"] for each in nodes.values()} == {"body", "platform"}
    pairs = {
        (nodes[each["source"]]["label"], nodes[each["target"]]["label"])
        for each in data["network"]["edges"]
    }
    # 静岡県三島市、熱海市、函南町 carry out one project on it.
    shared = {body for body, platform in pairs if platform == "伊豆ファン俱楽部サービス基盤"}
    assert shared == {"三島市", "熱海市", "函南町"}
    assert {each["kind"] for each in data["network"]["edges"]} == {"uses"}


@pytest.mark.parametrize("name", ["field", "round", "service", "prefecture", "certainty"])
def test_every_filter_leaves_what_has_its_value(
    web: httpx.Client, rows: list[dict[str, str]], name: str
) -> None:
    column = "fields" if name == "field" else name
    value = next(row[column].split()[0] for row in rows if row[column])
    text = web.get("/reuse", params={"format": "csv", name: value, "lang": "ja"}).text
    narrowed = list(csv.DictReader(io.StringIO(text)))
    assert narrowed == [row for row in rows if value in row[column].split()]
    data = web.get("/api/reuse", params={name: value, "lang": "ja"}).json()
    assert len(data["uses"]) == len(narrowed)


def test_a_cell_leads_to_its_uses_one_by_one(web: httpx.Client, rows: list[dict[str, str]]) -> None:
    page = web.get("/reuse", params={"lang": "ja"}).text
    row = page.partition(">地域通貨・ポイント</a></th>")[2].partition("</tr>")[0]
    cell = row.partition('data-label="静岡県">')[2].partition("</td>")[0]
    link = re.findall(r'href="(/reuse[^"]+)#list"', cell)[0].replace("&amp;", "&")
    listed = web.get(link).text.partition('id="list"')[2].partition("</table>")[0]
    wanted = [
        each
        for each in rows
        if each["serviceLabel"] == "地域通貨・ポイント" and each["prefectureLabel"] == "静岡県"
    ]
    assert len(wanted) > 1
    assert listed.count("<tr>") - 1 == len(wanted)
    for each in wanted:
        assert each["bodyLabel"] in listed
        assert each["projectLabel"] in listed


def test_what_is_shared_is_in_the_interface_too(
    web: httpx.Client, rows: list[dict[str, str]]
) -> None:
    by_prefecture: dict[str, set[str]] = {}
    for row in rows:
        by_prefecture.setdefault(row["prefecture"], set()).add(row["service"])
    a, b = sorted(by_prefecture, key=lambda each: -len(by_prefecture[each]))[:2]
    shared = web.get("/api/reuse", params={"a": a, "b": b}).json()["shared"]
    assert {each["iri"] for each in shared} == by_prefecture[a] & by_prefecture[b]
    page = web.get("/reuse", params={"a": a, "b": b, "lang": "en"}).text
    codes = [each.rpartition("/")[2] for each in (a, b)]
    assert f'href="/compare?body={codes[0]}&amp;body={codes[1]}&amp;lang=en"' in page


def test_what_is_picked_in_the_drawing_is_named_with_its_links(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/reuse?view=network&lang=en")
    canvas = page.locator("#network canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    for x, y in ((x, y) for y in range(20, int(box["height"]), 8) for x in range(20, 1000, 10)):
        page.mouse.move(box["x"] + x, box["y"] + y)
        if canvas.get_attribute("title"):
            break
    title = canvas.get_attribute("title") or ""
    page.mouse.down()
    page.mouse.up()
    said = page.locator("#network .note")
    name, _, kind = title.partition(" (")
    assert re.fullmatch(
        rf"{re.escape(name)} \({re.escape(kind)}, linked with [1-9]\d*", said.inner_text()
    )
    said.get_by_role("link", name=name).click()
    page.wait_for_url("**/doc/**")
    assert name in page.locator("h1").inner_text()
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()
