"""The report of the checks: what it holds, as statements, as tables and as a page.

``report.ttl`` is a ``sh:ValidationReport``; ``report.csv`` and ``reconciliation.csv`` are for
spreadsheets, ``report.html`` for people.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from pyoxigraph import Literal, NamedNode, RdfFormat, Store, Triple, serialize

from digiden_kg import vocab

_SH = vocab.PREFIXES["sh"]
_FINDING_COLUMNS = [
    *("severity", "check", "thing", "thing_ja", "thing_en", "path", "value"),
    *("message_ja", "message_en", "passage", "explained_by"),
]
_RECONCILIATION_COLUMNS = [
    *("verdict", "observation", "observation_ja", "observation_en", "measure"),
    *("published", "listed", "tolerance", "basis_ja", "basis_en", "check", "explained_by"),
]


@dataclass(frozen=True, slots=True)
class Check:
    """A query that was run: it looks for what is wrong, or compares a published figure."""

    iri: str
    label_ja: str
    label_en: str
    text: str
    """The query, without its header."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a shape or a check reports."""

    check: str
    """IRI of the shape or of the check query."""
    severity: str
    """``Violation``, ``Warning`` or ``Info``."""
    focus: str
    """IRI of the thing that it is about."""
    path: str | None
    value: str | None
    message_ja: str
    message_en: str
    passage: str | None = None
    explained_by: str | None = None
    """IRI of the correction that explains it."""

    @property
    def key(self) -> str:
        """Stable short name, made of check, focus, path and value."""
        return _hash(self.check, self.focus, self.path or "", self.value or "")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A published figure beside what the graph lists."""

    check: str
    about: str
    """IRI of the observation."""
    measure: str
    published: Decimal
    listed: Decimal
    tolerance: Decimal
    verdict: str
    """Code of scheme ``verdict``."""
    basis_ja: str
    basis_en: str
    explained_by: str | None = None

    @property
    def key(self) -> str:
        """Stable short name, made of check, observation and measure."""
        return _hash(self.check, self.about, self.measure)


@dataclass(frozen=True)
class Report:
    """What all checks of one dataset found."""

    findings: tuple[Finding, ...]
    reconciliations: tuple[Reconciliation, ...]
    checks: tuple[Check, ...]
    """The queries that were run, also those that found nothing; shapes describe themselves."""

    @cached_property
    def violations(self) -> int:
        """Number of violations that no correction explains."""
        return sum(f.severity == "Violation" and not f.explained_by for f in self.findings)

    def quads(self) -> Iterator[Triple]:
        """Yield the report as statements of the graph ``checks``."""
        for check in self.checks:
            yield from _check_triples(check)
        for finding in self.findings:
            yield from _finding_triples(finding)
        for reconciliation in self.reconciliations:
            yield from _reconciliation_triples(reconciliation)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def select(store: Store, text: str) -> Iterator[Any]:
    """Yield the rows of a SELECT query; a row is read as ``row["variable"].value``."""
    rows: Any = store.query(text)
    yield from rows


def _check_triples(check: Check) -> Iterator[Triple]:
    iri = vocab.expand
    stated: list[tuple[str, NamedNode | Literal | None]] = [
        ("rdf:type", NamedNode(iri("dg:Check"))),
        ("dcterms:identifier", Literal(check.iri.rpartition("/")[2])),
        ("rdfs:label", Literal(check.label_ja, language="ja")),
        ("rdfs:label", Literal(check.label_en, language="en")),
        ("sh:select", Literal(check.text)),
    ]
    return _describe(NamedNode(check.iri), stated)


def _finding_triples(finding: Finding) -> Iterator[Triple]:
    node = NamedNode(vocab.thing("finding", finding.key))
    iri = vocab.expand
    stated: list[tuple[str, NamedNode | Literal | None]] = [
        ("rdf:type", NamedNode(iri("dg:Finding"))),
        ("rdf:type", NamedNode(iri("sh:ValidationResult"))),
        ("dcterms:identifier", Literal(finding.key)),
        ("rdfs:label", Literal(finding.message_ja, language="ja")),
        ("rdfs:label", Literal(finding.message_en, language="en")),
        ("dg:check", NamedNode(finding.check)),
        ("sh:resultSeverity", NamedNode(f"{_SH}{finding.severity}")),
        ("sh:focusNode", NamedNode(finding.focus)),
        ("sh:resultPath", NamedNode(finding.path) if finding.path else None),
        ("sh:value", Literal(finding.value) if finding.value is not None else None),
        ("sh:resultMessage", Literal(finding.message_ja, language="ja")),
        ("sh:resultMessage", Literal(finding.message_en, language="en")),
        ("dcterms:source", NamedNode(finding.passage) if finding.passage else None),
        ("dg:explainedBy", NamedNode(finding.explained_by) if finding.explained_by else None),
    ]
    return _describe(node, stated)


def _reconciliation_triples(item: Reconciliation) -> Iterator[Triple]:
    node = NamedNode(vocab.thing("reconciliation", item.key))
    iri = vocab.expand
    measure = item.measure.rpartition("#")[2]
    decimal = NamedNode(iri("xsd:decimal"))

    def number(value: Decimal) -> Literal:
        return Literal(f"{value.normalize():f}", datatype=decimal)

    stated: list[tuple[str, NamedNode | Literal | None]] = [
        ("rdf:type", NamedNode(iri("dg:Finding"))),
        ("rdf:type", NamedNode(iri("dg:Reconciliation"))),
        ("dcterms:identifier", Literal(item.key)),
        ("rdfs:label", Literal(f"照合（{measure}）：{item.basis_ja}", language="ja")),
        ("rdfs:label", Literal(f"Reconciliation ({measure}): {item.basis_en}", language="en")),
        ("dg:check", NamedNode(item.check)),
        ("dg:about", NamedNode(item.about)),
        ("dg:measure", NamedNode(item.measure)),
        ("dg:published", number(item.published)),
        ("dg:listed", number(item.listed)),
        ("dg:tolerance", number(item.tolerance)),
        ("dg:verdict", NamedNode(_verdict(item))),
        ("dg:basis", Literal(item.basis_ja, language="ja")),
        ("dg:basis", Literal(item.basis_en, language="en")),
        ("dg:explainedBy", NamedNode(item.explained_by) if item.explained_by else None),
    ]
    return _describe(node, stated)


def _describe(
    node: NamedNode, stated: Iterable[tuple[str, NamedNode | Literal | None]]
) -> Iterator[Triple]:
    for name, value in stated:
        if value is not None:
            yield Triple(node, NamedNode(vocab.expand(name)), value)


def write_report(report: Report, store: Store, folder: Path) -> None:
    """Write the report into a folder, as RDF, CSV and a page."""
    node = NamedNode(vocab.thing("report", "current"))
    conforms = "false" if report.findings else "true"
    results = [NamedNode(vocab.thing("finding", finding.key)) for finding in report.findings]
    head = _describe(
        node,
        [
            ("rdf:type", NamedNode(vocab.expand("sh:ValidationReport"))),
            ("sh:conforms", Literal(conforms, datatype=NamedNode(vocab.expand("xsd:boolean")))),
            *(("sh:result", result) for result in results),
        ],
    )
    serialize(
        [*head, *report.quads()],
        output=folder / "report.ttl",
        format=RdfFormat.TURTLE,
        prefixes=vocab.PREFIXES,
    )
    label = _labeller(store)
    findings = (
        [
            *(f.severity, f.check, f.focus, label(f.focus, "ja"), label(f.focus, "en")),
            *(f.path, f.value, f.message_ja, f.message_en, f.passage, f.explained_by),
        ]
        for f in report.findings
    )
    _write_csv(folder / "report.csv", _FINDING_COLUMNS, findings)
    reconciled = (
        [
            *(r.verdict, r.about, label(r.about, "ja"), label(r.about, "en")),
            *(vocab.shorten(r.measure), r.published, r.listed, r.tolerance),
            *(r.basis_ja, r.basis_en, r.check, r.explained_by),
        ]
        for r in report.reconciliations
    )
    _write_csv(folder / "reconciliation.csv", _RECONCILIATION_COLUMNS, reconciled)
    environment = Environment(
        loader=PackageLoader("digiden_kg"), autoescape=select_autoescape(), trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        report=report, label=label, shorten=vocab.shorten, verdict=_verdict
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _labeller(store: Store) -> Callable[[str, str], str]:
    query = f"""
      PREFIX rdfs: <{vocab.PREFIXES["rdfs"]}>
      SELECT ?thing ?label WHERE {{ ?thing rdfs:label ?label }}
    """
    labels = {
        (row["thing"].value, row["label"].language): row["label"] for row in select(store, query)
    }

    def label(iri: str, lang: str) -> str:
        found = labels.get((iri, lang))
        return found.value if found else vocab.shorten(iri)

    return label


def _verdict(item: Reconciliation) -> str:
    return f"{vocab.BASE}scheme/verdict/{item.verdict}"
