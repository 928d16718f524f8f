"""Search: what is typed in kana, romaji or one character finds the thing; facets add up."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import Store

from digiden_kg.normalize import fold
from digiden_kg.questions import evaluate, load_question
from digiden_kg.search import Entry, Index, question_entries, read_entries, spans

PROJECT = Path(__file__).parents[1]
PAGES = PROJECT / "queries" / "pages"


def entry(name: str, *, kind: str = "Project", also: str = "") -> Entry:
    iri = f"https://w3id.org/digiden/id/project/{name}"
    return Entry(iri, kind, {"ja": name}, fold(name), 0, [fold(also)] if also else [])


@pytest.fixture(scope="module")
def index(real_store: Store) -> Index:
    rows = [
        evaluate(
            real_store, (PROJECT / "queries" / "pages" / name).read_text(encoding="utf-8")
        ).rows
        for name in ("search-things.rq", "search-facets.rq")
    ]
    return Index(read_entries(*rows))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("小田原市", "小田原市"),
        ("おだわら", "小田原市"),
        ("ｵﾀﾞﾜﾗ", "小田原市"),
        ("Odawara", "小田原市"),
        ("142069", "小田原市"),
        ("鎌ヶ谷", "鎌ケ谷市"),
        ("鎌が谷", "鎌ケ谷市"),
        ("書かない窓口", "書かない窓口"),
        ("津", "津市"),
    ],
)
def test_a_name_in_any_writing_is_found(index: Index, text: str, first: str) -> None:
    found = index.search(text).entries
    assert any(each.label("ja") == first for each in found[:12]), [
        each.label("ja") for each in found[:12]
    ]


def test_who_runs_a_service_is_one_word_away(index: Index) -> None:
    found = index.search("電子図書館").entries
    bodies = {index.entries[iri].label("ja") for each in found for iri in each.bodies}
    assert bodies == {"上天草市", "昭和村"}


def test_what_is_misspelt_has_neighbours(index: Index) -> None:
    found = index.search("小田原し")
    assert not found.entries
    assert found.near[0].label("ja") == "小田原市"


def test_facets_tell_what_a_choice_would_leave(index: Index) -> None:
    found = index.search("", {"kind": ["Project"]})
    assert found.facets["kind"]["Project"] == len(found.entries) == 202
    for prefecture, count in list(found.facets["prefecture"].items())[:5]:
        narrower = index.search("", {"kind": ["Project"], "prefecture": [prefecture]})
        assert len(narrower.entries) == count
        # The other prefectures can still be chosen beside it.
        assert narrower.facets["prefecture"] == found.facets["prefecture"]


word = st.text(st.sampled_from("小田原市町アABCab１2ー・ 'がケ\"*"), max_size=6)


@settings(max_examples=200)
@given(names=st.lists(word, min_size=1, max_size=8), text=word)
def test_search_finds_exactly_what_contains_every_word(names: list[str], text: str) -> None:
    entries = {f"{number}{name}": entry(f"{number}{name}") for number, name in enumerate(names)}
    found = {each.labels["ja"] for each in Index(entries.values()).search(text).entries}
    words = fold(text).split()
    assert found == {
        name for name, each in entries.items() if all(word in each.text for word in words)
    }


@pytest.mark.parametrize("text", ["", "%00", "' OR 1=1", '"', "*", "AND", "x" * 5000, "<script>"])
def test_strange_searches_are_searches(web: httpx.Client, text: str) -> None:
    page = web.get("/search", params={"q": text})
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert web.get("/api/search", params={"q": text, "start": "x", "limit": "-1"}).is_success


@pytest.mark.parametrize("language", ["ja", "en"])
def test_page_interface_and_table_agree(web: httpx.Client, language: str) -> None:
    asked = {"q": "図書館", "lang": language, "kind": "Service"}
    data = web.get("/api/search", params=asked).json()
    page = web.get("/search", params=asked).text
    rows = list(
        csv.DictReader(io.StringIO(web.get("/search", params={**asked, "format": "csv"}).text))
    )
    assert data["total"] == len(rows) == len(data["results"]) > 0
    assert [row["iri"] for row in rows] == [each["iri"] for each in data["results"]]
    for each in data["results"]:
        assert each["address"].replace("&", "&amp;") in page
        assert each["label"] in page.replace("<mark>", "").replace("</mark>", "")
        assert each["kind"] == "Service"
        assert web.get(each["address"]).is_success
    assert ("導入サービス" if language == "ja" else "Service") in page


def test_facets_are_links_that_keep_the_rest(web: httpx.Client) -> None:
    page = web.get("/search", params={"q": "小", "lang": "en"}, headers={"Accept": "text/html"})
    menu = page.text.partition('class="facets"')[2].partition("</nav>")[0]
    links = [part.partition('"')[0].replace("&amp;", "&") for part in menu.split('href="')[1:]]
    assert len(links) > 5
    for link in links[:8]:
        assert "lang=en" in link
        assert "q=%E5%B0%8F" in link
        narrowed = web.get(link)
        assert narrowed.is_success
        assert 'aria-current="true"' in narrowed.text


def test_more_results_are_a_link_away(web: httpx.Client) -> None:
    seen: list[str] = []
    start = 0
    while True:
        found = web.get(
            "/api/search",
            params={"q": "市", "kind": "LocalGovernment", "limit": 200, "start": start},
        ).json()
        if not found["results"]:
            break
        seen += [each["iri"] for each in found["results"]]
        start += 200
    assert len(seen) == len(set(seen)) == found["total"] > 700


@pytest.mark.parametrize(
    ("label", "text", "marked"),
    [
        ("小田原市", "小田", ["小田"]),
        ("電子図書館の図書", "図書", ["図書", "図書"]),
        ("ＡＢＣ電子申請", "abc", ["ＡＢＣ"]),
        ("㈱デジタル", "株", ["㈱"]),
        ("ひまわり号", "ヒマワリ", ["ひまわり"]),
        ("鎌ヶ谷市", "鎌が谷", ["鎌ヶ谷"]),
        ("市", "町", []),
        ("デジタル窓口", "窓口 デジ", ["デジ", "窓口"]),
        ("ささ", "ささ", ["ささ"]),
    ],
)
def test_what_matches_is_marked_in_the_writing_of_the_label(
    label: str, text: str, marked: list[str]
) -> None:
    assert [label[start:end] for start, end in spans(label, fold(text).split())] == marked


@settings(max_examples=200)
@given(label=word, text=word)
def test_marks_are_of_what_was_looked_for(label: str, text: str) -> None:
    words = fold(text).split()
    for start, end in spans(label, words):
        assert 0 <= start < end <= len(label)
    if any(each in fold(label) for each in words) and len(fold(label)) == len(label):
        assert spans(label, words)


def test_a_question_is_found_by_what_it_asks_for_not_by_its_defaults(index: Index) -> None:
    questions = PROJECT / "queries" / "questions"
    listed = [load_question(path) for path in sorted(questions.glob("*.rq"))]
    found = {each.labels["ja"]: each for each in question_entries(listed, index.entries)}
    card = found["マイナンバーカード利用横展開事例創出型の団体は？"]
    assert "mnc" in card.text
    # 昭和村 is what this question asks for unless told otherwise.
    assert fold("昭和村") not in found["同じくらいの規模の団体が使うサービスは？"].text


def test_suggestions_are_the_first_results(index: Index) -> None:
    for text in ("小", "おだ", "図書館", "MNC"):
        best = index.suggest(text, most=5)
        assert best == list(index.search(text).entries[:5])
    towns = index.suggest("小", ["LocalGovernment"])
    assert {each.kind for each in towns} == {"LocalGovernment"}
    assert index.suggest(" ") == []


def test_amounts_and_years_stand_in_their_bands(index: Index) -> None:
    odawara = next(
        each for each in index.search("デジタルブラブラ城下町").entries if each.kind == "Project"
    )
    # 661,074千円, with KPIs of 2023 and 2025.
    assert odawara.facets["amount"] == ["300000000-"]
    for value, count in index.search("").facets["amount"].items():
        assert len(index.search("", {"amount": [value]}).entries) == count
    assert set(index.search("").facets["year"]) == {"2023", "2024", "2025", "2026"}


def test_bodies_are_found_by_what_they_were_granted(web: httpx.Client) -> None:
    mnc = "https://w3id.org/digiden/id/grant-type/r4-2/mnc"
    asked = {"kind": "LocalGovernment", "type": mnc, "format": "csv"}
    rows = list(csv.DictReader(io.StringIO(web.get("/search", params=asked).text)))
    # 51団体 is what the document counts, and names.
    assert len(rows) == 51
    assert all(row["prefectures_ja"] for row in rows)


def test_kinds_stand_beside_each_other_and_open_one_by_one(web: httpx.Client) -> None:
    page = web.get("/search", params={"q": "図書館", "lang": "ja"}).text
    heads = re.findall(r'<h2 class="kind">(.+?) <small>', page)
    assert heads[0] == "優良モデル・サービス"
    assert heads[-1] == "地方公共団体"
    assert "<mark>図書館</mark>" in page
    many = web.get("/search", params={"q": "小", "lang": "ja"}).text
    link = re.search(r'href="([^"]+)">地方公共団体 をすべて見る', many)
    assert link
    one = web.get(link[1].replace("&amp;", "&")).text
    assert 'class="kind"' not in one
    assert one.count("<li><a href") >= 40


def test_every_view_keeps_the_filters(web: httpx.Client) -> None:
    asked = {"q": "市", "kind": "Project", "lang": "en"}
    for view in ("list", "table", "map"):
        page = web.get("/search", params={**asked, "view": view}).text
        menu = page.partition('aria-label="View"')[2].partition("</nav>")[0]
        assert menu.count("kind=Project") == 3
        assert 'aria-label="Remove Kind: Project"' in page
        assert '<input type="hidden" name="kind" value="Project">' in page
    places = web.get("/search", params={**asked, "view": "map"}).text
    total = web.get("/api/search", params=asked).json()
    counts = {each["label"]: each["count"] for each in total["facets"]["prefecture"]}
    for label, count in counts.items():
        row = places.partition(f">{label}</a></th>")[2].partition("</tr>")[0]
        assert f'<td class="number">{count}</td>' in row


def test_suggestions_are_short_and_marked(web: httpx.Client) -> None:
    asked = {"q": "おだわら", "facets": "0", "limit": "3", "lang": "ja"}
    data = web.get("/api/search", params=asked).json()
    assert "facets" not in data
    assert data["results"][0]["label"] == "小田原市"
    assert data["results"][0]["prefecture"] == "神奈川県"
    named = web.get("/api/search", params={**asked, "q": "小田"}).json()["results"][0]
    assert named["matches"] == [[0, 2]]
