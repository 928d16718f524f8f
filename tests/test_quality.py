"""Findings, corrections and inferences on one page."""

from __future__ import annotations

import csv
import html
from pathlib import Path

import httpx
import pytest

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
