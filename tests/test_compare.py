"""Bodies side by side: what stands in the document stands in the columns, and nothing more."""

from __future__ import annotations

import csv
import io
import re

import httpx
import pytest
from pyoxigraph import Store

from digiden_kg import vocab
from digiden_kg.questions import evaluate

BODY = vocab.BASE + "id/body/"
TYPE = vocab.BASE + "id/grant-type/r4-2/"
PREFIX = f"PREFIX dg: <{vocab.PREFIXES['dg']}>\n"


def table(web: httpx.Client, *bodies: str, **more: str) -> list[dict[str, str]]:
    asked = {"body": list(bodies), "format": "csv", **more}
    text = web.get("/compare", params=asked).text
    return list(csv.DictReader(io.StringIO(text)))


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_what_the_document_says_of_two_towns_stands_side_by_side(web: httpx.Client) -> None:
    page = web.get("/compare", params={"body": ["142069", "336815"], "lang": "ja"}).text
    said = words(page)
    for printed in ("小田原市", "吉備中央町", "187,252", "2022年12月1日", "10,507", "6.61億円"):
        assert printed in said
    assert 'title="661,074,000円"' in page
    # 661,074,000 / 187,252
    assert 'title="3,530円"' in page
    money = {(row["column"], row["row"], row["value"]) for row in table(web, "142069", "336815")}
    assert ("142069", "cost", "661074000") in money


def test_every_fact_of_the_graph_is_there_and_no_other(
    web: httpx.Client, real_store: Store
) -> None:
    rows = table(web, "142069", "222062")
    for code in ("142069", "222062"):
        answer = evaluate(
            real_store,
            PREFIX + f"SELECT DISTINCT ?service {{ ?project a dg:Project ; dg:implements ?service"
            f" ; dg:grantedTo|dg:partnerBody <{BODY}{code}> }}",
        )
        assert {
            row["value"] for row in rows if row["row"] == "service" and row["column"] == code
        } == {term.value for (term,) in answer.rows if term}
    types = {
        (row["column"], row["value"].removeprefix(TYPE), row["certainty"])
        for row in rows
        if row["row"] == "type"
    }
    # The document says TYPE2/3; that it is TYPE3 is our conclusion from its theme.
    assert {("142069", "type2-3", "stated"), ("142069", "type3", "inferred")} <= types
    assert all((row["certainty"] == "stated") == bool(row["passages"]) for row in rows)


def test_targets_stand_beside_their_indicators(web: httpx.Client) -> None:
    # 弥彦村: 利用者数 5,000人, 利用企業数 10社, in fiscal year 2026.
    aims = {row["targets"] for row in table(web, "153427") if row["row"] == "indicator"}
    assert {"2026: 5000人", "2026: 10社"} <= aims
    page = words(web.get("/compare", params={"body": "153427", "lang": "ja"}).text)
    assert "2026年度 5,000人" in page


def test_a_prefecture_is_measured_by_its_own_residents_and_projects(web: httpx.Client) -> None:
    page = web.get("/compare", params={"body": "070009", "lang": "en"}).text
    # 400百万円 for 1,787,126 people; the project of 昭和村 is not divided by them.
    row = page.partition("Project cost per resident</th>")[2].partition("</tr>")[0]
    assert re.findall(r'<strong title="([^"]+)"', row) == ["224 yen"]
    assert "1 body, " in words(page)


def test_a_town_that_is_not_named_is_not_said_to_have_nothing(web: httpx.Client) -> None:
    # 横浜市 stands nowhere in the document.
    page = words(web.get("/compare", params={"body": "141003", "lang": "ja"}).text)
    assert "資料に名前がありません（事業がないとは限りません）" in page
    assert "21団体・43件" in page


def test_rows_of_one_or_of_all_can_be_asked_for(web: httpx.Client) -> None:
    pair = ("142069", "222062")
    every = {
        (row["row"], row["value"], row["column"])
        for row in table(web, *pair)
        if row["row"] not in ("cost", "share", "indicator", "delivered")
    }
    only = {(r["row"], r["value"], r["column"]) for r in table(web, *pair, show="only")}
    both = {(r["row"], r["value"], r["column"]) for r in table(web, *pair, show="both")}
    assert only
    assert both
    assert only | both == every
    assert not only & both
    for row, value, column in both:
        assert (row, value, next(each for each in pair if each != column)) in both


def test_a_prefecture_stands_for_the_bodies_in_it(web: httpx.Client) -> None:
    rows = table(web, "330001", "140007")
    inside = {row["body"] for row in rows if row["column"] == "330001"}
    assert {BODY + "336815", BODY + "336432"} <= inside
    # 21団体 and 43件 stand in the table of prefectures.
    page = words(web.get("/compare", params={"body": ["140007"], "lang": "ja"}).text)
    assert "21団体・43件" in page


@pytest.mark.parametrize("text", ["おだわら", "Odawara", "小田原市", "142069 ", "ｵﾀﾞﾜﾗｼ"])
def test_a_name_becomes_a_code(web: httpx.Client, text: str) -> None:
    answer = web.get("/compare", params={"body": ["336815", text], "lang": "en"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/compare?body=336815&body=142069&lang=en"


def test_a_name_of_several_bodies_is_to_be_chosen(web: httpx.Client) -> None:
    answer = web.get("/compare", params={"body": ["142069", "昭和村"], "lang": "ja"})
    assert answer.status_code == 200
    choice = answer.text.partition('class="choosing"')[2].partition("</section>")[0]
    assert "福島県" in choice
    assert "群馬県" in choice
    links = [each.replace("&amp;", "&") for each in re.findall(r'href="(/compare[^"]+)"', choice)]
    assert len(links) == 2
    for link in links:
        assert "body=142069" in link
        assert "昭和村" in web.get(link).text
    data = web.get("/api/compare", params={"body": ["昭和村", "zzzz"], "lang": "ja"}).json()
    assert len(data["ambiguous"]["昭和村"]) == 2
    assert data["notFound"] == ["zzzz"]


def test_no_more_than_four_and_each_once(web: httpx.Client) -> None:
    five = ["142069", "336815", "222062", "074462", "163431"]
    page = web.get("/compare", params={"body": five, "lang": "en"}).text
    assert "the first 4 are shown" in page
    assert 'id="add"' not in page
    assert "Asahi" not in page.partition("<table")[2].partition("</thead>")[0]
    again = web.get("/compare", params={"body": ["142069", "142069"], "lang": "en"})
    assert again.headers["location"] == "/compare?body=142069&lang=en"


@pytest.mark.parametrize("asked", [{"body": "<script>"}, {"body": ["", "x" * 999]}, {"show": "x"}])
def test_strange_addresses_get_a_page(web: httpx.Client, asked: dict[str, str]) -> None:
    page = web.get("/compare", params=asked, follow_redirects=True)
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert web.get("/api/compare", params=asked).is_success


def test_bodies_alike_run_what_this_one_is_not_named_for(web: httpx.Client) -> None:
    data = web.get("/api/compare", params={"body": "336815", "lang": "ja"}).json()
    (body,) = data["bodies"]
    assert [each["value"] for each in body["populations"]] == [10507]
    first = body["alike"][0]
    # The populations of 吉備中央町 and 朝日町, 富山県, are the nearest that the document states.
    assert first["label"] == "朝日町"
    assert first["populations"] == [10507, 10974]
    own = {fact["value"] for fact in data["facts"] if fact["row"] == "service"}
    for each in body["alike"]:
        assert each["services"]
        assert own.isdisjoint(service["iri"] for service in each["services"])
    page = words(web.get("/compare", params={"body": "336815", "lang": "ja"}).text)
    assert "人口 10,507 と 10,974" in page


def test_interface_and_table_agree(web: httpx.Client) -> None:
    asked = ["142069", "336815"]
    facts = web.get("/api/compare", params={"body": asked, "lang": "ja"}).json()["facts"]
    rows = table(web, *asked, lang="ja")
    assert [(each["column"], each["row"], str(each["value"])) for each in facts] == [
        (row["column"], row["row"], row["value"]) for row in rows
    ]
