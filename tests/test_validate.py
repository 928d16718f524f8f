"""Checks: what a report holds and how it is written."""

import csv
from dataclasses import replace
from pathlib import Path

import rdflib
from pyoxigraph import RdfFormat, Store

from digiden_kg.report import Report, write_report
from digiden_kg.settings import load_settings
from digiden_kg.validate import check_store

PREFIXES = """
@prefix dg: <https://w3id.org/digiden/ontology#> .
@prefix dgs: <https://w3id.org/digiden/shapes#> .
@prefix id: <https://w3id.org/digiden/id/> .
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
"""
SHAPE = """
dgs:Project a sh:NodeShape ; sh:targetClass dg:Project ; sh:property dgs:Project-projectCost .
dgs:Project-projectCost a sh:PropertyShape ; sh:path dg:projectCost ; sh:minCount 1 ;
  sh:message "No cost."@en , "事業費がありません。"@ja .
"""
CHECK = """#+ problem: {en: "The cost is zero.", ja: "事業費が0です。"}
#+ fix: {en: "Look it up.", ja: "確かめてください。"}
#+ severity: Warning
PREFIX dg: <https://w3id.org/digiden/ontology#>
SELECT ?subject ?value ?source
WHERE { ?subject dg:projectCost ?value . FILTER(?value = 0) OPTIONAL { ?subject dg:none ?source } }
"""
RECONCILE = """#+ basis: {en: "projects listed", ja: "挙げられた事業"}
#+ kind: listing
PREFIX dg: <https://w3id.org/digiden/ontology#>
SELECT ?observation (dg:projectCount AS ?measure) ?published (COUNT(?p) AS ?listed)
  (0 AS ?tolerance)
WHERE { ?observation dg:projectCount ?published . OPTIONAL { ?p a dg:Project } }
GROUP BY ?observation ?published
"""
DATA = """
id:project a dg:Project ; rdfs:label "事業"@ja , "Project"@en .
<https://w3id.org/digiden/id/project/free> a dg:Project ; dg:projectCost 0 .
<https://w3id.org/digiden/id/observation/many> dg:projectCount 5 .
<https://w3id.org/digiden/id/observation/few> dg:projectCount 1 .
<https://w3id.org/digiden/id/correction/few> a dg:Correction ;
  dg:correctionKind <https://w3id.org/digiden/scheme/correction-kind/inconsistency> ;
  dg:about <https://w3id.org/digiden/id/observation/few> ; rdfs:label "理由"@ja , "Reason"@en .
<https://w3id.org/digiden/id/correction/name> a dg:Correction ; dg:about id:project ;
  dg:correctionKind <https://w3id.org/digiden/scheme/correction-kind/misreading> ;
  rdfs:label "読み違い"@ja , "Misread"@en .
"""


def checked(folder: Path) -> tuple[Store, Report]:
    for name, text in {
        "shapes/project.ttl": PREFIXES + SHAPE,
        "queries/checks/zero-cost.rq": CHECK,
        "queries/reconcile/projects.rq": RECONCILE,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    store = Store()
    store.load(PREFIXES + DATA, format=RdfFormat.TURTLE)
    return store, check_store(store, replace(load_settings(), project_dir=folder))


def test_each_kind_of_rule_reports_and_a_correction_explains(tmp_path: Path) -> None:
    _, report = checked(tmp_path)

    assert [
        (f.severity, f.check.rpartition("/")[2], f.focus.rpartition("/")[2], bool(f.explained_by))
        for f in report.findings
    ] == [
        ("Violation", "projects", "few", True),
        ("Violation", "shapes#Project-projectCost", "project", False),
        ("Warning", "zero-cost", "free", False),
    ]
    assert [(r.verdict, r.published, r.listed) for r in report.reconciliations] == [
        ("contradicts", 1, 2),
        ("partial", 5, 2),
    ]
    assert report.violations == 1


def test_messages_come_in_both_languages(tmp_path: Path) -> None:
    _, report = checked(tmp_path)

    shape = next(f for f in report.findings if "shapes#" in f.check)
    assert (shape.message_ja, shape.message_en) == ("事業費がありません。", "No cost.")
    assert all(f.message_ja and f.message_en for f in report.findings)


def test_the_report_is_written_as_rdf_csv_and_page(tmp_path: Path) -> None:
    store, report = checked(tmp_path)

    write_report(report, store, tmp_path)

    graph = rdflib.Graph().parse(tmp_path / "report.ttl")
    results = set(graph.objects(predicate=rdflib.SH.result))
    assert len(results) == 3
    assert all((node, rdflib.RDF.type, rdflib.SH.ValidationResult) in graph for node in results)
    with (tmp_path / "report.csv").open(encoding="utf-8") as file:
        assert [row["severity"] for row in csv.DictReader(file)] == [
            "Violation",
            "Violation",
            "Warning",
        ]
    with (tmp_path / "reconciliation.csv").open(encoding="utf-8") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["contradicts", "partial"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "事業費がありません。" in page
    assert "No cost." in page


def test_findings_have_the_same_names_in_every_run(tmp_path: Path) -> None:
    _, first = checked(tmp_path)
    _, second = checked(tmp_path)

    assert [f.key for f in first.findings] == [f.key for f in second.findings]
    assert len({f.key for f in first.findings}) == len(first.findings)
