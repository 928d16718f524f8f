"""Findings, corrections and inferences on one page."""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path

import httpx
import pytest
from pyoxigraph import Store

from digiden_kg import vocab
from digiden_kg.release import Release
from digiden_kg.report import Report

CORRECTIONS = Path(__file__).parents[1] / "data" / "tables" / "corrections.csv"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_finding_and_correction_is_listed(
    web: httpx.Client, built: tuple[Release, Report], language: str
) -> None:
    page = html.unescape(web.get("/quality", params={"lang": language}).text)
    findings = page.partition('id="findings"')[2].partition('id="corrections"')[0]
    assert findings.count("<li>") == built[0].counts["findings"]
    with CORRECTIONS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 50
    for row in rows:
        assert f">{row['printed']}</a>" in page
        assert row[f"reason_{language}"] in page
        assert row["recorded"] in page


def test_severities_add_up(web: httpx.Client, built: tuple[Release, Report]) -> None:
    page = web.get("/quality?lang=en").text
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    numbers = [int(part.partition("<")[0]) for part in table.split('class="number">')[1:]]
    assert sum(numbers[::2]) == built[0].counts["findings"]
    worst = [each for each in built[1].findings if each.severity == "Violation"]
    assert numbers[:2] == [len(worst), sum(bool(each.explained_by) for each in worst)]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_findings_lead_to_the_passages_that_state_what_was_checked(
    web: httpx.Client, real_store: Store, language: str
) -> None:
    """The list of its type states the share of 愛媛県, which is above the ceiling."""
    page = html.unescape(web.get("/quality", params={"lang": language}).text)
    findings = page.partition('id="findings"')[2].partition('id="corrections"')[0]
    listed = findings.split("<li>")[1:]
    assert all("/source/digiden-2023-04/" in each for each in listed)
    share = next(each for each in listed if "/doc/project/r4-2-mnc-380008?" in each)
    assert set(re.findall(r"/source/digiden-2023-04/([\w-]+)", share)) == {"mnc-decisions"}
    rows = real_store.query(
        "PREFIX sh: <http://www.w3.org/ns/shacl#> SELECT ?finding { ?finding sh:focusNode"
        " <https://w3id.org/digiden/id/project/r4-2-mnc-380008> }",
        use_default_graph_as_union=True,
    )
    (finding,) = {row[0].value for row in rows}
    own = web.get(finding.replace(vocab.BASE + "id/", "/doc/"), params={"lang": language}).text
    facts = own.partition('<dl class="facts">')[2].partition("</dl>")[0]
    assert "/source/digiden-2023-04/mnc-decisions" in facts


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("ja", "公表値と交付決定結果の表にある同じタイプの団体数"),
        ("en", "Published figures and the bodies of the same types in the table of decisions"),
    ],
)
def test_a_check_is_called_by_its_name_and_shows_its_query(
    web: httpx.Client, language: str, name: str
) -> None:
    page = html.unescape(web.get("/quality", params={"lang": language}).text)
    assert f"{name} <small>" in page
    (address,) = set(re.findall(r'href="(/doc/check/adopted-and-decided[^"]*)"', page))
    own = html.unescape(web.get(address).text)
    assert f"<h1>{name}</h1>" in own
    assert "?observation qb:dataSet ?dataset" in own
