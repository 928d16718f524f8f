"""The query builder: whatever it offers is a query that runs and says what the form says."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect
from pyoxigraph import Literal, NamedNode, Store

from digiden_kg import builder, vocab
from digiden_kg.builder import OPERATIONS, Model, read_model, read_wish
from digiden_kg.describe import labels_of
from digiden_kg.questions import evaluate, load_headings
from digiden_kg.results import Answer

from test_browser import SERIOUS, browser, opened  # isort: skip

__all__ = ["browser"]
PROJECT = Path(__file__).parents[1]
OKAYAMA = "id:body/330001"


@pytest.fixture(scope="module")
def model(real_store: Store) -> Model:
    def rows(name: str) -> Any:
        path = PROJECT / "queries" / "pages" / f"{name}.rq"
        return evaluate(real_store, path.read_text(encoding="utf-8")).rows

    async def ask(query: str) -> Answer:
        return evaluate(real_store, query)

    classes, relations, uses = map(rows, ("builder-classes", "builder", "builder-uses"))
    iris = {row[0].value for row in classes} | {row[1].value for row in relations}
    labels = asyncio.run(labels_of(ask, sorted(iris)))
    terms = load_headings(PROJECT / "queries" / "terms.csv")
    return read_model(classes, relations, uses, labels, terms)


def wish(model: Model, **values: str | list[str]) -> builder.Wish:
    """Read a wish; ``r1_2`` stands for ``r1.2``, ``kind`` for ``class``."""
    parameters = {
        {"kind": "class"}.get(name, name.replace("_", ".")): [value]
        if isinstance(value, str)
        else value
        for name, value in values.items()
    }
    found = read_wish(model, parameters)
    assert found is not None
    return found


def test_everything_that_is_offered_has_a_name_in_both_languages(model: Model) -> None:
    assert {"dg:Project", "dg:Service", "dg:LocalGovernment", "qb:Observation"} <= set(model.kinds)
    for kind in model.kinds.values():
        for label in (kind.label, *(each.label for each in kind.relations.values())):
            assert re.search("[ぁ-んァ-ヶ一-龠]|KPI", label["ja"]), label
            assert label["en"].isascii(), label


def test_relations_come_from_the_shapes_with_what_the_data_has(model: Model) -> None:
    project = model.kinds["dg:Project"]
    assert project.things == 202
    granted = project.relations["dg:grantedTo"]
    assert (granted.kind, granted.range, granted.things) == ("thing", "dg:LocalGovernment", 202)
    assert granted.label["ja"] == "交付決定団体"
    assert project.relations["dg:projectCost"].kind == "number"
    assert model.kinds["dg:IndicatorValue"].relations["dg:fiscalYear"].kind == "time"
    # A body of any kind can be asked for its prefecture, and for the projects that it got.
    body = model.kinds["dg:LocalGovernment"]
    assert body.relations["dg:inPrefecture"].range == "dg:Prefecture"
    assert body.relations["^dg:grantedTo(dg:Project)"].label == {
        "ja": "交付決定事業（交付決定団体）",
        "en": "Project (granted to)",
    }


def test_projects_of_a_prefecture_by_cost(model: Model, real_store: Store) -> None:
    asked = wish(
        model,
        kind="dg:Project",
        r1_1="dg:grantedTo",
        r1_2="dg:inPrefecture",
        v1=OKAYAMA,
        r2_1="dg:projectCost",
        o2="ge",
        v2="100,000,000",
        c=["dg:grantedTo", "dg:projectCost"],
        order="dg:projectCost",
        desc="1",
    )
    query = asked.query("ja", {OKAYAMA: "岡山県"})
    assert "# 交付決定団体 → 属する都道府県が次のもの: 岡山県\n" in query
    answer = evaluate(real_store, query)
    assert answer.columns == (
        *("project", "projectLabel", "grantedTo", "grantedToLabel", "projectCost"),
    )
    assert [(row[3].value, row[4].value) for row in answer.rows] == [("吉備中央町", "382360000")]
    assert evaluate(real_store, asked.count_query()).rows[0][0].value == "1"
    values = evaluate(real_store, asked.values_query(0)).rows
    assert ("福島県", "1") not in values
    assert sum(int(row[1].value) for row in values) > 1  # its own value does not count


def test_things_are_counted_by_a_value(model: Model, real_store: Store) -> None:
    asked = wish(
        model,
        kind="dg:Municipality",
        r1_1="^dg:grantedTo(dg:Project)",
        o1="some",
        by="dg:inPrefecture",
    )
    answer = evaluate(real_store, asked.query("en"))
    counts = {row[1].value: int(row[2].value) for row in answer.rows}
    plain = """PREFIX dg: <https://w3id.org/digiden/ontology#>
      SELECT (COUNT(DISTINCT ?m) AS ?n) { ?p dg:grantedTo ?m . ?m dg:inPrefecture ?any }"""
    assert sum(counts.values()) == int(evaluate(real_store, plain).rows[0][0].value)
    assert counts["Hokkaido"] == max(counts.values())


def test_what_is_not_stated_and_words_and_years(model: Model, real_store: Store) -> None:
    def number(**values: str | list[str]) -> int:
        return int(evaluate(real_store, wish(model, **values).count_query()).rows[0][0].value)

    known = number(kind="dg:Project", r1_1="dg:projectCost", o1="some")
    unknown = number(kind="dg:Project", r1_1="dg:projectCost", o1="none")
    assert known + unknown == 202
    assert number(kind="dg:Project", r1_1="dg:grantedTo", o1="has", v1="小田原") == 1
    years = [
        number(kind="dg:IndicatorValue", r1_1="dg:fiscalYear", o1=op, v1="2024")
        for op in ("le", "ge", "eq")
    ]
    assert years[0] + years[1] - years[2] == 97


def test_a_condition_may_ask_for_any_of_several_values(model: Model, real_store: Store) -> None:
    def number(asked: builder.Wish) -> int:
        return int(evaluate(real_store, asked.count_query()).rows[0][0].value)

    def counted(pattern: str) -> int:
        query = f"""PREFIX dg: <https://w3id.org/digiden/ontology#>
          PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
          PREFIX id: <https://w3id.org/digiden/id/>
          SELECT (COUNT(DISTINCT ?p) AS ?n) {{ ?p a dg:Project . {pattern} }}"""
        return int(evaluate(real_store, query).rows[0][0].value)

    hiroshima, both = "id:body/340006", [OKAYAMA, "id:body/340006"]
    place = {"kind": "dg:Project", "r1_1": "dg:grantedTo", "r1_2": "dg:inPrefecture"}
    asked = wish(model, **place, v1=both)
    query = asked.query("en", {OKAYAMA: "Okayama Prefecture", hiroshima: "Hiroshima Prefecture"})
    assert "is: Okayama Prefecture or Hiroshima Prefecture\n" in query
    assert re.search(r"VALUES \?\w+ \{ \S+330001\S* \S+340006\S* \}", query), query
    either = counted(
        """?p dg:grantedTo ?b .
        { ?b dg:inPrefecture <https://w3id.org/digiden/id/body/330001> } UNION
        { ?b dg:inPrefecture <https://w3id.org/digiden/id/body/340006> }"""
    )
    assert number(asked) == either > number(wish(model, **place, v1=hiroshima)) > 0
    assert number(asked) == sum(number(wish(model, **place, v1=each)) for each in both)
    assert len(evaluate(real_store, query).rows) == either

    body = {"kind": "dg:Project", "r1_1": "dg:grantedTo", "o1": "has"}
    towns = ["小田原", "Kibichuo"]
    apart = [number(wish(model, **body, v1=each)) for each in towns]
    assert number(wish(model, **body, v1=towns)) == sum(apart) > max(apart)
    costs = {"kind": "dg:Project", "r1_1": "dg:projectCost", "o1": "eq"}
    # 吉備中央町: 382,360千円; 小田原市: 661,074千円.
    assert number(wish(model, **costs, v1=["382360000", "661,074,000"])) == 2
    wrong = wish(model, **costs, v1=["382360000", "many"])
    assert set(wrong.conditions[0].wrong) == {"many"}
    assert not wrong.conditions[0].ready
    # "At least this or that" is no question: the first one counts.
    least = wish(model, kind="dg:Project", r1_1="dg:projectCost", o1="ge", v1=["1", "2"])
    assert least.conditions[0].values == ("1",)


def test_what_is_not_offered_is_left_out(model: Model) -> None:
    asked = wish(
        model,
        kind="dg:Project",
        r1_1="dg:unit",
        v1="x",
        r2_1="dg:grantedTo",
        r2_2="dg:unit",
        o2="ge",
        c=["dg:nothing", "dg:projectCost"],
        order="dg:field",
        limit="17",
    )
    assert [builder.path_key(each.steps) for each in asked.conditions] == ["dg:grantedTo"]
    assert asked.conditions[0].operation == "is"
    assert not asked.conditions[0].ready
    assert [builder.path_key(each) for each in asked.columns] == ["dg:projectCost"]
    assert (asked.order, asked.limit) == ("", 100)
    assert read_wish(model, {"class": ["dg:Nothing"]}) is None


@pytest.mark.parametrize(
    ("relation", "operation", "value"),
    [
        ("dg:projectCost", "ge", "many"),
        ("dg:projectCost", "ge", "1) } DROP ALL #"),
        ("dg:grantedTo", "is", "no iri>"),
    ],
)
def test_a_value_that_does_not_fit_is_said_and_not_asked(
    model: Model, relation: str, operation: str, value: str
) -> None:
    asked = wish(model, kind="dg:Project", r1_1=relation, o1=operation, v1=value)
    [why] = asked.conditions[0].wrong.values()
    assert set(why) == {"ja", "en"}
    assert value not in asked.query("ja")


@st.composite
def wishes(draw: st.DrawFn, model: Model, store: Store) -> builder.Wish:
    """Whatever somebody may choose in the form, and type into its fields."""
    kind = draw(st.sampled_from(sorted(model.kinds)))
    parameters: dict[str, list[str]] = {"class": [kind]}

    def path(prefix: str | None = None) -> str:
        keys: list[str] = []
        at: str | None = kind
        while (offered := sorted(model.relations(at))) and len(keys) < builder.STEPS:
            if keys and draw(st.booleans()):
                break
            keys.append(draw(st.sampled_from(offered)))
            if prefix:
                parameters[f"{prefix}.{len(keys)}"] = [keys[-1]]
            at = model.relations(at)[keys[-1]].range
        return "/".join(keys)

    for n in range(1, draw(st.integers(0, 3)) + 1):
        steps = model.path(kind, path(f"r{n}").split("/"))
        operation = draw(st.sampled_from(OPERATIONS[steps[-1].kind]))
        parameters[f"o{n}"] = [operation]
        if operation == "is":
            so_far = read_wish(model, parameters)
            assert so_far
            values = evaluate(store, so_far.values_query(len(so_far.conditions) - 1)).rows
            names = [vocab.shorten(v[0].value) for v in values if isinstance(v[0], NamedNode)]
            parameters[f"v{n}"] = draw(st.lists(st.sampled_from(names or [""]), max_size=3))
        else:
            number = st.integers(-(10**12), 10**12).map(str)
            typed = number | st.just("2024-04") | st.text(max_size=12)
            parameters[f"v{n}"] = draw(st.lists(typed, max_size=3))
    parameters["c"] = [path() for _ in range(draw(st.integers(0, 3)))]
    parameters["order"] = [draw(st.sampled_from([*parameters["c"], ""]))]
    parameters["desc"] = [draw(st.sampled_from(["1", ""]))]
    parameters["limit"] = [draw(st.sampled_from(["20", "100", "1000"]))]
    if draw(st.booleans()):
        parameters["by"] = [path()]
    found = read_wish(model, parameters)
    assert found
    return found


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_is_chosen_is_a_query_that_runs(
    model: Model, real_store: Store, data: st.DataObject
) -> None:
    asked = data.draw(wishes(model, real_store))
    language = data.draw(st.sampled_from(["ja", "en"]))
    answer = evaluate(real_store, asked.query(language))
    total = evaluate(real_store, asked.count_query()).rows[0][0]
    assert isinstance(total, Literal)
    if asked.by:
        assert answer.columns[-1].startswith("count")
    elif answer.rows:
        assert int(total.value) >= len({row[0] for row in answer.rows}) > 0
    else:
        assert total.value == "0"


WISH = {
    "class": "dg:Project",
    "r1.1": "dg:grantedTo",
    "r1.2": "dg:inPrefecture",
    "o1": "is",
    "v1": OKAYAMA,
    "c": "dg:grantedTo",
}


def test_the_form_works_without_scripts(browser: Browser, real_server: str) -> None:
    page = opened(browser, f"{real_server}/builder?lang=en", script=False)
    update = page.get_by_role("button", name="Update")
    page.locator("#class").select_option("dg:Project")
    update.click()
    assert page.locator(".total strong").inner_text() == "202"
    page.locator("[id='r1.1']").select_option("dg:grantedTo")
    update.click()
    page.locator("[id='r1.2']").select_option("dg:inPrefecture")
    update.click()
    page.locator("#v1").select_option(OKAYAMA)
    update.click()
    found = page.locator(".total strong").inner_text()
    assert page.locator("#answer tbody tr").count() == int(found)
    # Another value widens the answer; without it the answer is as before.
    page.locator("[id='v1.2']").select_option("id:body/340006")
    update.click()
    both = page.locator(".total strong").inner_text()
    assert int(both) > int(found)
    assert "VALUES" in page.locator("#answer pre").last.inner_text()
    assert page.locator("[id='v1.3']").input_value() == "", "and one more can be chosen"
    page.locator("[id='v1.2']").select_option("")
    update.click()
    assert page.locator(".total strong").inner_text() == found
    # A value that was chosen for another relation does not stay.
    page.locator("[id='r1.1']").select_option("dg:projectCost")
    update.click()
    assert page.locator("#v1").input_value() == ""
    page.context.close()


def test_each_choice_shows_at_once_and_goes_into_the_editor(
    browser: Browser, real_server: str
) -> None:
    page = opened(browser, f"{real_server}/builder?lang=en")
    page.locator("#class").select_option("dg:Project")
    page.locator("[id='r1.1']").select_option("dg:projectCost")
    page.locator("#o1").select_option("ge")
    page.locator("#v1").fill("300000000")
    page.keyboard.press("Tab")
    expect(page.locator(".total strong")).to_have_text("3")
    assert "r1.1=dg%3AprojectCost" in page.url
    page.locator("summary", has_text="Columns").click()
    page.locator("input[value='dg:grantedTo']").check()
    expect(page.locator("#answer")).to_contain_text("Kibichuo Town")
    page.go_back()
    expect(page.locator("#answer")).not_to_contain_text("Kibichuo Town")
    page.get_by_text("Open in the SPARQL editor").click()
    page.wait_for_selector(".CodeMirror")
    assert "# Project cost is at least: 300000000" in page.locator(".CodeMirror").inner_text()
    assert page.locator("#answer tbody tr").count() == 3
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.parametrize(("language", "word"), [("ja", "または"), ("en", "or")])
def test_alternatives_count_at_once(
    browser: Browser, real_server: str, language: str, word: str
) -> None:
    page = opened(browser, f"{real_server}/builder?lang={language}&{urlencode(WISH)}")
    one = int(page.locator(".total strong").inner_text())
    other = page.locator("[id='v1.2'] option[value='id:body/340006']").inner_text()
    more = int(re.search(r"\((\d+)\)$", other)[1])  # type: ignore[index]
    assert page.locator("label[for='v1.2']").inner_text().startswith(word)
    page.locator("[id='v1.2']").select_option("id:body/340006")
    expect(page.locator(".total strong")).to_have_text(str(one + more))
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in SERIOUS] == []
    page.locator("#answer a.button[href^='/sparql']").last.click()
    page.wait_for_selector(".CodeMirror")
    assert "VALUES" in page.locator(".CodeMirror").inner_text()
    assert page.wrong == []  # type: ignore[attr-defined]
    page.context.close()


def test_its_files_have_the_rows_of_the_page(web: httpx.Client) -> None:
    page = web.get(f"/builder?lang=ja&{urlencode(WISH)}").text
    total = int(re.search(r'class="total">.*<strong>(\d+)</strong>', page)[1])  # type: ignore[index]
    address = re.search(r'href="(/sparql\?[^"]*format=csv[^"]*)"', page)
    assert address
    rows = list(csv.DictReader(io.StringIO(web.get(address[1].replace("&amp;", "&")).text)))
    assert len(rows) == total > 0
    assert "吉備中央町" in {row["grantedToLabel"] for row in rows}


def test_what_the_builder_offers_as_json(web: httpx.Client) -> None:
    found = {each["name"]: each for each in web.get("/api/shapes").json()["classes"]}
    relations = {each["name"]: each for each in found["dg:Project"]["relations"]}
    assert relations["dg:projectCost"] == {
        "name": "dg:projectCost",
        "label": {"ja": "事業費", "en": "Project cost"},
        "kind": "number",
        "class": None,
        "count": 38,
        "operations": ["ge", "le", "eq", "some", "none"],
    }
