"""Pages of things: what they say is what the document says, in both languages, with who says so.

Values are read from the source document, not from the pages.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest
from playwright.sync_api import Browser
from pyoxigraph import Literal, NamedNode, Store
from test_browser import browser, opened  # noqa: F401

from digiden_kg import vocab
from digiden_kg.web.entities import money, slope
from digiden_kg.web.facts import Facts, Statements
from digiden_kg.web.site import address_of_thing

HTML = {"Accept": "text/html"}
BODY = "/doc/body/142069"
PROJECT = "/doc/project/r4-2-type2-3-142069"


class _Text(HTMLParser):
    """The text of the page itself: without scripts, the complete statements and the footer."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0
        main = page.partition('<main id="main">')[2].partition("</main>")[0]
        self.feed(main.partition('<details class="every"')[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag == "script"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def text_of(web: httpx.Client, path: str, language: str = "ja") -> str:
    answer = web.get(path, params={"lang": language}, headers=HTML)
    assert answer.status_code == 200, path
    text = "".join(_Text(answer.text).parts).replace("\u2060", "")
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("path", [BODY, PROJECT])
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ja", ["6.61億円", "661,074千円", "178,105千円", "TYPE2/3", "推定", "国費不明"]),
        ("en", ["661.07 million yen", "178,105千円", "TYPE2/3", "inferred", "unknown"]),
    ],
)
def test_what_odawara_got(web: httpx.Client, path: str, language: str, words: list[str]) -> None:
    text = text_of(web, path, language)
    for each in words:
        assert each in text
    assert len(re.findall(r"[①-⑳]", text)) > 10


def test_a_body_says_who_and_how_many_it_is(web: httpx.Client) -> None:
    text = text_of(web, BODY)
    for words in ("神奈川県", "142069", "オダワラシ", "人口 187,252 2022年12月1日"):
        assert words in text
    # 日進市 has 93,770 people, half of Odawara's and a little more: the only stated one so near.
    assert "近い規模の団体がしていて" in text
    assert "日進市" in text
    assert "公表 21 団体のうち、名前が分かるのは 0 団体" in text
    # 地域通貨・ポイント: 29団体が導入; 小山市, 滑川市, 東峰村 and 別府市 are named for it in TYPE1.
    assert "公表 29 団体のうち 4 団体の名前が分かる" in text


def test_a_body_without_a_named_project_is_not_said_to_have_none(web: httpx.Client) -> None:
    for language, words in (("ja", "という意味ではありません"), ("en", "does not mean")):
        text = text_of(web, "/doc/body/013048", language)
        assert words in text
        assert ("人口は資料にない" if language == "ja" else "population not in") in text


def test_a_prefecture_lists_the_projects_inside(web: httpx.Client) -> None:
    text = text_of(web, "/doc/body/010006")
    for body in ("三笠市", "留寿都村", "更別村", "北見市", "網走市", "名寄市"):
        assert body in text


def test_a_project_names_its_parties_by_role(web: httpx.Client) -> None:
    text = text_of(web, "/doc/project/r4-2-type2-3-336815")
    for words in (
        "382,360千円",
        "35,200千円",
        "国立大学法人岡山大学",
        "種類だけの記載",
        "共同実施",
    ):
        assert words in text
    assert "補助率とはくらべられません" in text  # only TYPE2/3 is stated, which has no one rate


def test_a_share_is_set_against_the_rate_of_its_type(web: httpx.Client) -> None:
    text = text_of(web, "/doc/project/r4-2-telework-432156")
    for words in ("88,201千円", "66,150千円", "75%"):
        assert words in text


def test_a_kpi_shows_both_years_as_set(web: httpx.Client) -> None:
    page = web.get("/doc/project/r4-2-type1-012114", params={"lang": "ja"}, headers=HTML).text
    assert page.count('<svg class="slope"') == 2  # 1機関 → 10機関, 30人 → 200人
    text = text_of(web, "/doc/project/r4-2-type1-012114")
    for words in (
        "参画医療機関数",
        "2023年度: 1",
        "2025年度: 10",
        "30人",
        "200人",
        "実績ではありません",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ja", ["22.8億円", "146", "147", "公表 146 団体のうち", "四條畷市", "窓口対応時間の短縮"]),
        ("en", ["2.28 billion yen", "146", "147", "of 146 published", "Shijonawate", "inferred"]),
    ],
)
def test_a_service_type_sets_named_against_published(
    web: httpx.Client, language: str, words: list[str]
) -> None:
    text = text_of(web, "/doc/model-service/assisted-counter", language)
    for each in words:
        assert each in text


def test_a_service_type_shows_where_it_runs(web: httpx.Client) -> None:
    page = web.get("/doc/model-service/assisted-counter?lang=ja", headers=HTML).text
    areas = re.findall(r'class="area s([1-5])"[^>]*><title>([^<:]*)', page)
    assert {name for _, name in areas} == {"埼玉県", "愛知県", "大阪府"}  # 八潮市, 日進市, 四條畷市


def test_where_147_projects_come_from(web: httpx.Client) -> None:
    text = text_of(web, "/doc/observation/model-services-assisted-counter")
    for words in ("147", "22.8億円", "146", "TYPE1 モデル・サービス：行政サービス", "一部"):
        assert words in text
    passage = text_of(web, "/source/digiden-2023-04/services-administration")
    for words in ("147", "2,280,000,000", "書かない窓口", "公表された統計値"):
        assert words in passage


def test_a_grant_type_gives_its_rules(web: httpx.Client) -> None:
    text = text_of(web, "/doc/grant-type/r4-2/type3")
    for words in ("2／3", "6億円", "データ連携基盤活用型（TYPE2）", "小田原市", "推定"):
        assert words in text
    both = text_of(web, "/doc/grant-type/r4-2/type2-3", "en")
    for words in ("2／3", "1／2", "600 million yen", "200 million yen"):
        assert words in both


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/doc/round/r4-2", ["800億円", "992", "1,845", "653億円", "378億円", "2／3", "6億円"]),
        (
            "/doc/inference/r4-2-type2-3-142069-type3",
            ["私たちが結論した", "TYPE2が0件、TYPE3が3件", "TYPE2/3の交付決定結果：カテゴリ別"],
        ),
        ("/doc/facility/odawara-castle", ["小田原城", "デジタルブラブラ城下町", "施設"]),
        ("/doc/statistics/type1-fields", ["583", "59.7億円", "行政サービス"]),
        ("/scheme/field", ["行政サービス", "交通・物流", "防災・インフラメンテナンス"]),
        ("/source/digiden-2023-04", ["2023年4月", "主な事例：神奈川県小田原市", "1485"]),
        ("/doc/limit/applications-municipality", ["申請上限数", "5"]),
    ],
)
def test_pages_of_rules_records_and_lists(web: httpx.Client, path: str, words: list[str]) -> None:
    text = text_of(web, path)
    for each in words:
        assert each in text


def test_a_passage_shows_corrections_beside_the_printed_form(web: httpx.Client) -> None:
    page = web.get("/source/digiden-2023-04/type1-case-kameyama", headers=HTML).text
    assert "<s>" in page and "鎌山市" in page and "亀山市" in page
    text = text_of(web, "/source/digiden-2023-04/case-odawara")
    for words in ("57 番目の箇所", "1485–1552 行", "661,074,000", "この箇所からの推定"):
        assert words in text


def test_a_platform_and_a_party_lead_to_projects(web: httpx.Client) -> None:
    text = text_of(web, "/doc/platform/izu-fan-passport")
    for words in (
        "伊豆ファン・パスポート",
        "三島市",
        "熱海市",
        "函南町",
        "新しく整備",
        "99,890千円",
    ):
        assert words in text
    party = text_of(web, "/doc/organisation/nishiawakura-muramarugoto")
    for words in ("西粟倉村", "岡山県", "共同実施"):
        assert words in party


def test_a_term_counts_what_uses_it(web: httpx.Client, real_store: Store) -> None:
    field = NamedNode(vocab.BASE + "scheme/field/1")
    query = f"""PREFIX dg: <{vocab.PREFIXES["dg"]}>
SELECT (COUNT(*) AS ?n) {{ ?s dg:field {field} ; a dg:ModelService }}"""
    (row,) = real_store.query(query)  # type: ignore[union-attr]
    text = text_of(web, "/scheme/field/1", "en")
    assert re.search(rf"Model service[a-z ]+{row[0].value}\D", text)


def test_every_page_gives_its_query_its_formats_and_its_citation(web: httpx.Client) -> None:
    page = web.get(PROJECT, params={"lang": "en"}, headers=HTML).text
    menu = page.partition('<details class="data-menu">')[2].partition("</details>")[0]
    asked = re.search(r'href="(/sparql\?[^"]*)"', menu)
    assert asked
    address = asked[1].replace("&amp;", "&").replace("format=html", "format=json")
    rows = web.get(address).json()["results"]["bindings"]
    assert any(row["value"]["value"] == "661074000" for row in rows)
    citation = web.get(f"{PROJECT}.bib", params={"lang": "en"})
    assert citation.headers["Content-Type"].startswith("application/x-bibtex")
    assert "Town centre as a digital hub" in citation.text
    assert vocab.BASE + "id/project/r4-2-type2-3-142069" in citation.text


CLASSES = [
    *("dg:LocalGovernment", "dg:Project", "dg:Service", "dg:ModelService", "dg:DataPlatform"),
    *("dg:Organisation", "dg:UnnamedParty", "dg:GrantType", "dg:Indicator", "dg:Passage"),
    *("qb:Observation", "skos:Concept", "qb:DataSet", "dg:Inference", "dg:Correction"),
    *("dg:Finding", "dg:GrantRound", "dg:GrantProgramme", "dg:Requirement", "dg:Limit"),
    *("dg:Facility", "dg:LinkedSystem", "dg:StatedFigure", "dg:PlannedStep", "dg:IndicatorValue"),
    *("dg:Consortium", "org:Membership", "dg:SourceDocument", "foaf:Document"),
    "skos:ConceptScheme",
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_thing_of_a_class_has_its_page(
    web: httpx.Client, real_store: Store, kind: str
) -> None:
    rdf_type = NamedNode(vocab.expand("rdf:type"))
    things = sorted(
        quad.subject.value
        for quad in real_store.quads_for_pattern(None, rdf_type, NamedNode(vocab.expand(kind)))
        if isinstance(quad.subject, NamedNode)
    )
    things = sorted(dict.fromkeys(things))
    assert things
    # Of the many that differ in little but their names, one in some.
    step = {"dg:LocalGovernment": 40, "dg:Finding": 10, "dg:Inference": 4}.get(kind, 1)
    for index, iri in enumerate(things[::step]):
        language = ("ja", "en")[index % 2]
        address = address_of_thing(iri, language)
        assert address
        answer = web.get(address, headers=HTML)
        assert answer.status_code == 200, iri
        assert '<details class="every"' in answer.text, iri
        assert "Undefined" not in answer.text


def test_money_that_is_not_stated_is_bounded_by_the_rule() -> None:
    rows = _statements(
        [
            ("p", "dg:projectCost", "661074000"),
            ("p", "dg:grantType", "t"),
            ("t", "dg:rateNumerator", "2"),
            ("t", "dg:rateDenominator", "3"),
            ("t", "dg:nationalShareCeiling", "600000000"),
        ]
    )
    found = money(Facts(Statements(rows), {}, "ja", {}).thing(vocab.BASE + "p"))
    assert found
    assert found.share is None
    assert found.most is not None and round(found.most) == 440716000  # two thirds of the cost
    assert money(Facts(Statements([]), {}, "ja", {}).thing(vocab.BASE + "p")) is None


def test_a_line_starts_from_zero() -> None:
    rows = _statements(
        [
            ("k", "dg:hasValue", "a"),
            ("a", "dg:fiscalYear", "2024"),
            ("a", "dg:value", "-6"),
            ("k", "dg:hasValue", "b"),
            ("b", "dg:fiscalYear", "2025"),
            ("b", "dg:value", "-12"),
        ]
    )
    found = slope(Facts(Statements(rows), {}, "ja", {}).thing(vocab.BASE + "k"))
    assert found
    assert (found.first, found.last, found.zero) == (50, 0, 100)
    assert found.years == ("2024", "2025")


def test_a_derived_statement_is_no_surer_than_what_it_follows_from() -> None:
    derived, editorial = vocab.source(vocab.DERIVED), vocab.source(vocab.EDITORIAL)
    rows = [
        *_statements([("p", "dg:delivers", "s")], vocab.source("digiden-2023-04/x")),
        *_statements([("p", "dg:implements", "m")], derived),
        *_statements([("s", "dg:implements", "m")], editorial),
        *_statements(
            [("i", "rdf:subject", "s"), ("i", "rdf:predicate", "dg:implements")], editorial
        ),
        *_statements([("i", "rdf:object", "m")], editorial),
    ]
    facts = Facts(Statements(rows), {}, "ja", {})
    (fact,) = facts.thing(vocab.BASE + "p").all("dg:implements")
    assert fact.inference is facts.thing(vocab.BASE + "i")
    (stated,) = facts.thing(vocab.BASE + "p").all("dg:delivers")
    assert stated.inference is None
    assert stated.sources == (vocab.source("digiden-2023-04/x"),)


def _statements(
    listed: list[tuple[str, str, str]], graph: str | None = None
) -> list[tuple[NamedNode, NamedNode, NamedNode, NamedNode | None]]:
    def term(text: str) -> object:
        if re.fullmatch(r"-?[0-9]+", text):
            return Literal(text)
        return NamedNode(vocab.expand(text) if ":" in text else vocab.BASE + text)

    where = NamedNode(graph) if graph else None
    return [(term(s), NamedNode(vocab.expand(p)), term(o), where) for s, p, o in listed]  # type: ignore[misc]


def test_what_odawara_got_takes_a_word_and_two_clicks(browser: Browser, real_server: str) -> None:  # noqa: F811
    page = opened(browser, real_server + "/?lang=ja", script=False)
    page.locator(".find input[name=q]").fill("小田原市")
    page.locator(".find button").click()
    page.locator("main .results a, main ol a").filter(
        has_text=re.compile("^小田原市$")
    ).first.click()
    text = page.locator("main").inner_text()
    for words in (
        "661,074千円",
        "地域ポイント",
        "だれと",
        "ほかの構成員の名前は、資料にありません",
    ):
        assert words in text
    page.context.close()


def test_the_147_projects_lead_to_their_passage(browser: Browser, real_server: str) -> None:  # noqa: F811
    page = opened(browser, real_server + "/doc/model-service/assisted-counter?lang=ja")
    cell = page.locator("td", has_text="147")
    cell.locator("a.who").first.hover()
    assert "行政サービス" in cell.locator(".tip").first.inner_text()
    box = cell.locator(".tip").first.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 1200
    cell.locator("a.who").first.click()
    assert page.locator("h1").inner_text() == "TYPE1 モデル・サービス：行政サービス"
    assert "147" in page.locator("main").inner_text()
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()


def test_a_note_opens_by_keyboard_and_closes_by_escape(browser: Browser, real_server: str) -> None:  # noqa: F811
    page = opened(browser, real_server + PROJECT + "?lang=en")
    mark = page.locator("main .who").first
    mark.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert mark.locator(".tip").evaluate("each => each.getBoundingClientRect().width > 20")
    page.keyboard.press("Escape")
    assert mark.locator(".tip").evaluate("each => each.getBoundingClientRect().width < 20")
    page.context.close()
