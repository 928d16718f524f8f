"""The reuse lens, against the graph."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from pathlib import Path

import httpx
import pytest
from pyoxigraph import Store

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
def test_the_network_has_a_node_for_each(
    web: httpx.Client, rows: list[dict[str, str]], kind: str
) -> None:
    root = ET.fromstring(web.get("/reuse", params={"format": kind}).text)
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    things = {row["body"] for row in rows} | {row["service"] for row in rows}
    assert names.count("node") == len(things)
    assert names.count("edge") == len({(row["body"], row["service"]) for row in rows})
