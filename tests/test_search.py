"""Search: what is typed in kana, romaji or one character finds the thing; facets add up."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import Store

from digiden_kg.normalize import fold
from digiden_kg.questions import evaluate
from digiden_kg.search import Entry, Index, read_entries

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


@settings(max_examples=200, deadline=None)
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
        assert each["label"] in page
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
