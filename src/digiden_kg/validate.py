"""Check a dataset: shapes, check queries and reconciliation; one report as RDF, CSV and a page.

Three kinds of rules, each a file that a person can read:

- ``shapes/*.ttl``: SHACL, run by pyshacl on the default graph;
- ``queries/checks/*.rq``: return a row (``?subject ?value ?source``) only where something is wrong;
- ``queries/reconcile/*.rq``: return a published figure beside what the graph lists
  (``?observation ?measure ?published ?listed ?tolerance``); the verdict is drawn here.

A finding is *explained* when a ``dg:Correction`` is about the thing that it concerns: the source
itself says so, and we say why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import rdflib
from pyoxigraph import DefaultGraph, RdfFormat, Store
from pyshacl import validate as shacl_validate
from rdflib.plugins.sparql import prepareQuery

from digiden_kg import vocab
from digiden_kg.exceptions import InputError, Problem
from digiden_kg.report import Check, Finding, Reconciliation, Report, select
from digiden_kg.settings import Settings
from digiden_kg.syntax import QueryFile, read_query

_SH = vocab.PREFIXES["sh"]
_SEVERITIES = ("Violation", "Warning", "Info")
_YEN = re.compile(r"\d{4,}(?= (?:円|yen))")
"""An amount in a message, which has no separators yet: SHACL fills in what the graph holds."""
_EXPLAINING = ("inconsistency", "counting-rule", "rounding", "doubtful")
"""Kinds of correction that explain a finding."""


def check_store(store: Store, settings: Settings) -> Report:
    """Run every shape, check and reconciliation.

    Raises:
        InputError: A shape or query is wrong.
    """
    explained = explanations(store)
    reconciliations = tuple(
        replace(item, explained_by=explained.get(item.about))
        for item in run_reconciliations(store, settings.queries_dir / "reconcile")
    )
    findings = [
        *run_shapes(default_graph(store), load_shapes(settings.shapes_dir)),
        *run_checks(store, settings.queries_dir / "checks"),
        *(_contradiction(item) for item in reconciliations if item.verdict == "contradicts"),
    ]
    return Report(
        findings=tuple(
            sorted(
                (replace(f, explained_by=explained.get(f.focus)) for f in findings),
                key=lambda f: (_SEVERITIES.index(f.severity), f.check, f.focus, f.key),
            )
        ),
        reconciliations=tuple(sorted(reconciliations, key=lambda r: (r.check, r.about, r.measure))),
        checks=tuple(read_checks(settings.queries_dir)),
    )


def read_checks(folder: Path) -> Iterator[Check]:
    """Yield the check and reconciliation queries of a folder of queries.

    Raises:
        InputError: A query or its header is wrong.
    """
    for path in sorted(folder.glob("checks/*.rq")):
        problem = _texts(query := read_query(path), "problem")
        yield _check(path, query, problem["ja"].removesuffix("。"), problem["en"].removesuffix("."))
    for path in sorted(folder.glob("reconcile/*.rq")):
        basis = _texts(query := read_query(path), "basis")
        yield _check(path, query, f"公表値と{basis['ja']}", f"Published figures and {basis['en']}")


def _check(path: Path, query: QueryFile, label_ja: str, label_en: str) -> Check:
    text = "\n".join(line for line in query.text.splitlines() if not line.startswith("#+"))
    return Check(vocab.thing("check", path.stem), label_ja, label_en, text.strip())


def explanations(store: Store) -> dict[str, str]:
    """Return thing → correction that explains what is found about it.

    A correction of how something is written (a misreading, a variant) explains no finding.
    """
    kinds = " ".join(f"<{vocab.BASE}scheme/correction-kind/{kind}>" for kind in _EXPLAINING)
    query = f"""
      PREFIX dg: <{vocab.PREFIXES["dg"]}>
      SELECT ?thing (MIN(STR(?correction)) AS ?by)
      WHERE {{
        VALUES ?kind {{ {kinds} }}
        ?correction dg:correctionKind ?kind ; dg:about ?thing ; a dg:Correction .
      }}
      GROUP BY ?thing
    """
    return {row["thing"].value: row["by"].value for row in select(store, query)}


def default_graph(store: Store) -> rdflib.Graph:
    """Return the default graph of a store as an rdflib graph."""
    data = store.dump(format=RdfFormat.N_TRIPLES, from_graph=DefaultGraph())
    return rdflib.Graph().parse(data=data, format="nt")


def load_shapes(folder: Path) -> rdflib.Graph:
    """Return all shapes of a folder as one graph.

    Raises:
        InputError: A file is no Turtle.
    """
    graph = rdflib.Graph()
    for path in sorted(folder.glob("*.ttl")):
        try:
            text = vocab.rebase(path.read_text(encoding="utf-8"))
            graph.parse(data=text, format="turtle", publicID=vocab.BASE)
        except (SyntaxError, UnicodeDecodeError) as error:
            raise InputError(
                [Problem(path.name, None, None, None, str(error), "Mend the file.")]
            ) from error
    return graph


_prepare = lru_cache(maxsize=None)(prepareQuery)


class _Graph(rdflib.Graph):
    """A graph that parses each query once: pyshacl asks the same one for every focus node."""

    def query(self, query_object: Any, *args: Any, **kwargs: Any) -> rdflib.query.Result:
        if isinstance(query_object, str):
            query_object = _prepare(query_object)
        return super().query(query_object, *args, **kwargs)


def run_shapes(data: rdflib.Graph, shapes: rdflib.Graph) -> Iterator[Finding]:
    """Yield what SHACL shapes find in a graph."""
    if not len(shapes):
        return
    # No shape adds to the graph, so pyshacl need not work on a copy.
    _, results, _ = shacl_validate(
        _Graph(store=data.store, identifier=data.identifier),
        shacl_graph=shapes,
        advanced=True,
        inference="none",
        inplace=True,
    )
    sh = rdflib.SH
    for result in results.subjects(rdflib.RDF.type, sh.ValidationResult):
        messages = _messages(results, result, shapes)
        english = messages.get("en") or messages.get(None) or ""
        value = results.value(result, sh.value)
        path = results.value(result, sh.resultPath)
        yield Finding(
            check=str(results.value(result, sh.sourceShape)),
            severity=str(results.value(result, sh.resultSeverity)).removeprefix(_SH),
            focus=str(results.value(result, sh.focusNode)),
            path=str(path) if isinstance(path, rdflib.URIRef) else None,
            value=str(value) if value is not None else None,
            message_ja=messages.get("ja", english),
            message_en=english,
        )


def _messages(
    results: rdflib.Graph, result: rdflib.term.Node, shapes: rdflib.Graph
) -> dict[str | None, str]:
    """Return the messages of a result by language.

    pyshacl drops the language of a message where it fills in variables; its template has it.
    """
    constraint = results.value(result, rdflib.SH.sourceConstraint)
    templates = [
        (re.sub(r"\\\{\\[?$]\w+\\\}", ".*", re.escape(str(template))), template.language)
        for template in shapes.objects(constraint, rdflib.SH.message)
        if constraint and isinstance(template, rdflib.Literal)
    ]
    messages: dict[str | None, str] = {}
    for message in results.objects(result, rdflib.SH.resultMessage):
        language = message.language if isinstance(message, rdflib.Literal) else None
        if language is None:
            fitting = (lang for text, lang in templates if re.fullmatch(text, str(message), re.S))
            language = next(fitting, None)
        messages[language] = _YEN.sub(lambda yen: f"{int(yen[0]):,}", str(message))
    return messages


def run_checks(store: Store, folder: Path) -> Iterator[Finding]:
    """Yield what the check queries of a folder find.

    Raises:
        InputError: A query or its header is wrong.
    """
    for path in sorted(folder.glob("*.rq")):
        query = read_query(path)
        problem, fix = _texts(query, "problem"), _texts(query, "fix")
        for row in _rows(store, query):
            yield Finding(
                check=vocab.thing("check", path.stem),
                severity=str(query.header.get("severity", "Violation")),
                focus=row["subject"].value,
                path=None,
                value=row["value"].value if row["value"] else None,
                message_ja=f"{problem['ja']}{fix['ja']}",
                message_en=f"{problem['en']} {fix['en']}",
                passage=row["source"].value if row["source"] else None,
            )


def run_reconciliations(store: Store, folder: Path) -> Iterator[Reconciliation]:
    """Yield each published figure beside what the graph lists.

    Raises:
        InputError: A query or its header is wrong.
    """
    for path in sorted(folder.glob("*.rq")):
        query = read_query(path)
        basis = _texts(query, "basis")
        for row in _rows(store, query):
            published, listed, tolerance = (
                Decimal(row[name].value) for name in ("published", "listed", "tolerance")
            )
            yield Reconciliation(
                check=vocab.thing("check", path.stem),
                about=row["observation"].value,
                measure=row["measure"].value,
                published=published,
                listed=listed,
                tolerance=tolerance,
                verdict=verdict(str(query.header.get("kind")), published, listed, tolerance),
                basis_ja=basis["ja"],
                basis_en=basis["en"],
            )


def verdict(kind: str, published: Decimal, listed: Decimal, tolerance: Decimal) -> str:
    """Return the code of the verdict.

    Args:
        kind: ``listing`` (what is listed may be fewer), ``sum`` (parts make the total), or
            ``overlap`` (parts may count one body several times).
        published: The published figure.
        listed: What the graph lists, or the sum of the parts.
        tolerance: Largest difference that rounding of the printed figures explains.
    """
    if listed == published:
        return "equal"
    if abs(listed - published) <= tolerance:
        return "rounded"
    if kind == "listing" and listed < published:
        return "partial"
    if kind == "overlap" and listed > published:
        return "overlap"
    return "contradicts"


def _contradiction(item: Reconciliation) -> Finding:
    measure = vocab.shorten(item.measure)
    return Finding(
        check=item.check,
        severity="Violation",
        focus=item.about,
        path=item.measure,
        value=str(item.listed),
        message_ja=f"公表値 {item.published} と {item.basis_ja}の {item.listed} が食い違います"
        f"（{measure}）。表の値を見直すか、理由を corrections.csv に書いてください。",
        message_en=f"Published {item.published} contradicts {item.listed} ({item.basis_en};"
        f" {measure}). Look at the table again, or give the reason in corrections.csv.",
    )


def _rows(store: Store, query: QueryFile) -> Iterator[Any]:
    try:
        yield from select(store, query.text)
    except (SyntaxError, KeyError) as error:
        raise InputError([query.problem((), str(error), "Mend the query.")]) from error


def _texts(query: QueryFile, name: str) -> Mapping[str, str]:
    texts = query.header.get(name)
    if not isinstance(texts, dict) or not {"ja", "en"} <= set(texts):
        raise InputError(
            [query.problem((name,), "the header lacks this text", "Write {en: …, ja: …}.")]
        )
    return texts
