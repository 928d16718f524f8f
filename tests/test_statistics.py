"""The published tables, against the source and the graph."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from pyoxigraph import Store
from test_browser import browser, opened  # noqa: F401

from digiden_kg import vocab
from digiden_kg.questions import evaluate

TABLES = Path(__file__).parents[1] / "data" / "tables"
with (TABLES / "statistics.csv").open(encoding="utf-8", newline="") as _file:
    KEYS = [row["key"] for row in csv.DictReader(_file)]
PREFIXES = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in vocab.PREFIXES.items())


def figures(web: httpx.Client, key: str) -> list[dict[str, str]]:
    text = web.get(f"/statistics/{key}", params={"format": "csv", "lang": "ja"}).text
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("key", KEYS)
def test_every_figure_of_a_table_is_shown_with_its_passage(
    web: httpx.Client, real_store: Store, key: str
) -> None:
    answer = evaluate(
        real_store,
        f"""{PREFIXES}SELECT DISTINCT ?observation ?measure ?value {{
  ?observation qb:dataSet <{vocab.thing("statistics", key)}> ; ?measure ?value .
  ?dataset qb:structure/qb:component/qb:measure ?measure .
  ?observation qb:dataSet ?dataset }}""",
    )
    stated = {
        (str(row[0].value), vocab.shorten(row[1].value), row[2].value)  # type: ignore[union-attr]
        for row in answer.rows
    }
    rows = figures(web, key)
    assert {(row["observation"], row["measure"], row["value"]) for row in rows} == stated
    assert all(row["passage"] and row["row"] for row in rows)
    for language in ("ja", "en"):
        page = web.get(f"/statistics/{key}", params={"lang": language})
        assert page.is_success
        assert page.text.count("data-value=") == len(stated)


def test_every_comparison_is_shown(web: httpx.Client, real_store: Store) -> None:
    answer = evaluate(
        real_store,
        f"""{PREFIXES}SELECT ?reconciliation
{{ ?reconciliation a dg:Reconciliation ; dg:about/qb:dataSet ?any }}""",
    )
    shown = [row for key in KEYS for row in figures(web, key) if row["verdict"]]
    assert len(shown) == len(answer.rows) > 400
    bad = {
        (row["observation"].rpartition("/")[2], row["value"], row["listed"])
        for row in shown
        if row["verdict"] == "contradicts"
    }
    # 64 bodies on one slide, 63 on another; 32 of the standard level, 33 in the list.
    assert bad == {
        ("satellite-offices-decided", "64", "63"),
        ("telework-levels-standard", "32", "33"),
    }


def test_figures_of_the_source(web: httpx.Client) -> None:
    text = web.get("/statistics/overall?lang=ja").text
    for printed in ("653億円", "378億円", "456億円", "1,845", "992"):
        assert printed in text
    assert "団体数が最も大きいのは優良モデル導入支援型（TYPE1）（846）" in text
    levels = web.get("/statistics/telework-levels?lang=ja").text
    assert "事業費が最も大きいのは高水準タイプ、標準タイプ（17億円）" in levels  # a tie
    services = web.get("/statistics/model-services?lang=ja").text
    assert "団体数が最も大きいのは書かない窓口 · 交付決定（146）" in services


@pytest.mark.parametrize("asked", ["147事業", "１４７", "147"])
def test_a_figure_leads_to_its_passage(web: httpx.Client, asked: str) -> None:
    page = web.get("/statistics", params={"figure": asked, "lang": "ja"}).text
    found = page.partition('id="found"')[2].partition("</section>")[0]
    assert "書かない窓口" in found
    assert "/source/digiden-2023-04/services-administration?lang=ja" in found
    assert found.count("<li>") == 1


def test_a_figure_may_be_money_or_nowhere(web: httpx.Client) -> None:
    money = web.get("/statistics", params={"figure": "22.8億円", "lang": "ja"}).text
    assert "書かない窓口" in money.partition('id="found"')[2].partition("</section>")[0]
    for asked in ("123456789", "x", "<b>"):
        page = web.get("/statistics", params={"figure": asked, "lang": "en"})
        assert "No published table has this figure" in page.text
        assert "<b>" not in page.text
    assert web.get("/statistics/none").status_code == 404


def test_where_147_comes_from_is_asked_on_the_page(
    browser: Browser,  # noqa: F811
    real_server: str,
) -> None:
    page = opened(browser, f"{real_server}/?lang=ja")
    page.locator("nav a", has_text="統計と照合").click()
    page.locator("#figure").fill("147事業")
    page.keyboard.press("Enter")
    page.locator("#found small a").last.click()
    assert "行政サービス" in page.locator("h1").inner_text()
    page.context.close()


def test_charts_are_drawn_from_the_table(browser: Browser, real_server: str) -> None:  # noqa: F811
    page = opened(browser, f"{real_server}/statistics/overall?lang=en")
    charts = page.locator("figure.chart svg[role=img]")
    charts.first.wait_for()
    assert charts.count() == 2
    label = charts.first.get_attribute("aria-label") or ""
    assert "greatest for TYPE1" in label
    text = charts.first.text_content() or ""
    assert "846" in text
    assert "992" not in text  # the total is no bar among its parts
    assert re.search("yen", charts.last.text_content() or "")
    assert page.wrong == []
    page.context.close()
