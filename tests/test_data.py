"""The tables of the project: valid against their sidecars, traceable, self-consistent."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from csvw.metadata import Table

DATA = Path(__file__).parents[1] / "data"
SIDECARS = sorted(DATA.rglob("*.csv-metadata.json"))


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_there_are_tables() -> None:
    assert len(SIDECARS) >= 60


@pytest.mark.parametrize("sidecar", SIDECARS, ids=lambda path: path.name.split(".")[0])
def test_the_table_is_valid_by_the_csvw_library(sidecar: Path) -> None:
    table = Table.from_file(sidecar)

    header = sidecar.with_name(table.url.string).read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == [c.name for c in table.tableSchema.columns if not c.virtual]
    list(table.iterdicts(strict=True))


@pytest.mark.parametrize("sidecar", SIDECARS, ids=lambda path: path.name.split(".")[0])
def test_the_sidecar_titles_everything_in_both_languages(sidecar: Path) -> None:
    description = json.loads(sidecar.read_text(encoding="utf-8"))

    assert {title["@language"] for title in description["dcterms:title"]} == {"ja", "en"}
    for column in description["tableSchema"]["columns"]:
        if not column.get("virtual"):
            assert set(column["titles"]) == {"ja", "en"}, column["name"]


@pytest.mark.parametrize("sidecar", SIDECARS, ids=lambda path: path.name.split(".")[0])
def test_files_are_utf8_with_unix_line_ends_and_no_stray_space(sidecar: Path) -> None:
    data = sidecar.with_name(sidecar.name.removesuffix("-metadata.json")).read_bytes()

    assert not data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data
    assert data.endswith(b"\n")


def test_passages_stand_in_order_and_do_not_overlap() -> None:
    passages = rows("tables/passages.csv")
    spans = [(int(row["first_line"]), int(row["last_line"])) for row in passages]

    assert spans == sorted(spans)
    assert all(first <= last for first, last in spans)
    assert [int(row["order"]) for row in passages] == list(range(1, len(spans) + 1))


def test_the_overall_rows_add_up_to_the_printed_totals() -> None:
    total, *parts = rows("tables/statistics_overall.csv")

    for column in ("body_count", "project_count"):
        assert sum(int(part[column]) for part in parts) == int(total[column])


def test_the_prefectures_add_up_to_the_printed_totals() -> None:
    table = rows("tables/statistics_type1_prefectures.csv")

    assert len(table) == 47
    assert sum(int(row["body_count"]) for row in table) == 846
    assert sum(int(row["project_count"]) for row in table) == 1686


def test_the_lists_have_as_many_rows_as_the_source_counts() -> None:
    counted = {
        "type1_projects": 24,
        "plan_excerpts": 16,
        "mnc_projects": 51,
        "type2_3_projects": 32,
        "telework_facility_projects": 49,
        "telework_activities": 27,
        "statistics_mnc_prefectures": 26,
        "statistics_type2_3_categories": 33,
    }
    assert {name: len(rows(f"tables/{name}.csv")) for name in counted} == counted


def test_telework_bodies_are_counted_as_the_source_counts_them() -> None:
    facilities = {
        row["body"]: row["level"] for row in rows("tables/telework_facility_projects.csv")
    }
    activities = {(row["body"], row["level"]) for row in rows("tables/telework_activities.csv")}

    assert Counter(facilities.values()) == {"high": 21, "standard": 28}
    assert len({body for body, _ in activities}) == 16
    assert len(set(facilities) | {body for body, _ in activities}) == 63


def test_the_known_corrections_are_recorded() -> None:
    corrections = {(row["printed"], row["recorded"]) for row in rows("tables/corrections.csv")}

    assert any(("鎌山市" in p and "亀山市" in r) for p, r in corrections)
    assert any(("小矢都市" in p and "小矢部市" in r) for p, r in corrections)
    assert any("窓口DXaaS" in p for p, _ in corrections)
    assert any("マイナーカード" in p for p, _ in corrections)
    assert any("40回" in p for p, _ in corrections)
    assert any("64" in p for p, _ in corrections)
