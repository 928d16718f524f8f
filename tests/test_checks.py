"""Each check and reconciliation: a case that is clean, and one where it finds what it must."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyoxigraph import DefaultGraph, Quad, RdfFormat, Store
from rdflib.plugins.sparql import prepareQuery

from digiden_kg import vocab
from digiden_kg.report import Reconciliation
from digiden_kg.syntax import QueryFile, read_query
from digiden_kg.validate import run_checks, run_reconciliations, verdict

QUERIES = Path(__file__).parents[1] / "queries"
CASES = Path(__file__).parent / "checks"
CHECKS = sorted((QUERIES / "checks").glob("*.rq"))
RECONCILIATIONS = sorted((QUERIES / "reconcile").glob("*.rq"))
FLOOR = {"checks": 35, "reconcile": 30}
"""Fewer files than this mean that some got lost, not that all is well."""
SEVERITIES = {"Violation", "Warning", "Info"}
EXPECTS = "# expects: "
AS_IT_STANDS = "# as it stands"
"""A case with this line gives its default graph itself; others get it from their named graphs."""

each_check = pytest.mark.parametrize("path", CHECKS, ids=lambda path: path.stem)
each_reconciliation = pytest.mark.parametrize("path", RECONCILIATIONS, ids=lambda path: path.stem)
each_query = pytest.mark.parametrize(
    "path", CHECKS + RECONCILIATIONS, ids=lambda path: f"{path.parent.name}-{path.stem}"
)
each_case = pytest.mark.parametrize("case", ["clean", "dirty"])


def read_case(path: Path, case: str) -> tuple[Store, list[tuple[str, ...]]]:
    """Return the data of a case and the rows that it expects."""
    text = (CASES / path.stem / f"{case}.trig").read_text(encoding="utf-8")
    store = Store()
    store.load(vocab.rebase(text), format=RdfFormat.TRIG)
    if AS_IT_STANDS not in text:
        store.extend(
            [
                Quad(quad.subject, quad.predicate, quad.object, DefaultGraph())
                for quad in store
                if quad.graph_name != DefaultGraph()
            ]
        )
    lines = [line for line in text.splitlines() if line.startswith(EXPECTS)]
    return store, [cells(line.removeprefix(EXPECTS)) for line in lines]


def alone(path: Path, folder: Path) -> Path:
    """Return a folder that holds only this query."""
    (folder / path.name).write_bytes(path.read_bytes())
    return folder


def short(text: str | None) -> str:
    """Return text with its IRIs as prefixed names."""
    return " ".join(vocab.shorten(word) for word in (text or "").split(" "))


def cells(line: str) -> tuple[str, ...]:
    """Return the cells of a row that a case expects."""
    return tuple(cell.strip() for cell in line.split("|"))


def number(value: Decimal) -> str:
    """Return a number as short as it is exact to a thousandth."""
    return f"{round(value, 3).normalize():f}"


def test_there_are_enough_of_each() -> None:
    assert len(CHECKS) >= FLOOR["checks"]
    assert len(RECONCILIATIONS) >= FLOOR["reconcile"]


def test_every_case_has_a_query() -> None:
    assert {path.name for path in CASES.iterdir()} == {
        path.stem for path in CHECKS + RECONCILIATIONS
    }


@each_check
@each_case
def test_a_check_finds_exactly_what_is_wrong(path: Path, case: str, tmp_path: Path) -> None:
    store, expected = read_case(path, case)
    found = [
        (short(finding.focus), short(finding.value), short(finding.passage))
        for finding in run_checks(store, alone(path, tmp_path))
    ]
    assert sorted(found) == sorted(expected)
    assert bool(found) == (case == "dirty")


@each_reconciliation
@each_case
def test_a_reconciliation_tells_agreement_from_contradiction(
    path: Path, case: str, tmp_path: Path
) -> None:
    store, expected = read_case(path, case)
    found = [
        (
            item.verdict,
            short(item.about),
            short(item.measure),
            *map(number, (item.published, item.listed, item.tolerance)),
        )
        for item in run_reconciliations(store, alone(path, tmp_path))
    ]
    assert sorted(found) == sorted(expected)
    assert any(row[0] == "contradicts" for row in found) == (case == "dirty")


@each_query
def test_the_header_is_complete(path: Path) -> None:
    query = read_query(path)
    if path.parent.name == "checks":
        texts, ends = ["problem", "fix"], {"en": ".)", "ja": "。）"}
        assert query.header["severity"] in SEVERITIES
        assert columns(query) >= {"subject", "value", "source"}
    else:
        texts, ends = ["basis"], {"en": "", "ja": ""}
        assert query.header["kind"] in {"listing", "sum", "overlap"}
        assert columns(query) >= {"observation", "measure", "published", "listed", "tolerance"}
    for name in texts:
        for language, marks in ends.items():
            text = query.header[name][language]
            assert text
            assert not marks or text[-1] in marks
    assert query.text.rstrip().splitlines()[-1].startswith("ORDER BY")


def columns(query: QueryFile) -> set[str]:
    """Return the columns of a SELECT query, asked of an empty store."""
    solutions: Any = Store().query(query.text)
    return {variable.value for variable in solutions.variables}


@each_query
def test_rdflib_reads_it_too(path: Path) -> None:
    prepareQuery(read_query(path).text)


@pytest.fixture(scope="module")
def reconciled(real_store: Store) -> list[Reconciliation]:
    """What the real data gives."""
    return list(run_reconciliations(real_store, QUERIES / "reconcile"))


@each_reconciliation
def test_real_figures_are_reconciled_once_per_query(
    path: Path, reconciled: list[Reconciliation]
) -> None:
    check = vocab.thing("check", path.stem)
    rows = [(row.about, row.measure) for row in reconciled if row.check == check]
    assert rows
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(
    ("kind", "published", "listed", "tolerance", "expected"),
    [
        ("sum", "51", "51", "0", "equal"),
        ("listing", "51", "51", "0", "equal"),
        ("overlap", "51", "51", "0", "equal"),
        ("sum", "84.6", "84.5", "0.1", "rounded"),
        ("sum", "84.5", "84.6", "0.1", "rounded"),
        ("sum", "84.7", "84.5", "0.1", "contradicts"),
        ("sum", "63", "64", "0", "contradicts"),
        ("sum", "64", "63", "0", "contradicts"),
        ("listing", "146", "1", "0", "partial"),
        ("listing", "146", "0", "0", "partial"),
        ("listing", "32", "33", "0", "contradicts"),
        ("listing", "33", "32.9", "0.1", "rounded"),
        ("overlap", "846", "1474", "0", "overlap"),
        ("overlap", "846", "845", "0", "contradicts"),
    ],
)
def test_the_verdict(kind: str, published: str, listed: str, tolerance: str, expected: str) -> None:
    assert verdict(kind, *map(Decimal, (published, listed, tolerance))) == expected


def test_every_violation_of_the_real_data_is_explained(real_store: Store) -> None:
    query = f"""
      PREFIX dg: <{vocab.PREFIXES["dg"]}>
      PREFIX sh: <{vocab.PREFIXES["sh"]}>
      SELECT ?check ?thing ?value
      WHERE {{
        ?finding sh:resultSeverity sh:Violation ; dg:check ?check ; sh:focusNode ?thing .
        OPTIONAL {{ ?finding sh:value ?value }}
        FILTER NOT EXISTS {{ ?finding dg:explainedBy ?correction }}
      }}
    """
    rows: Any = real_store.query(query)
    assert [[short(cell.value if cell else None) for cell in row] for row in rows] == []
