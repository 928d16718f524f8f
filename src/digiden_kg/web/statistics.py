"""The published tables, each figure beside what the graph lists and what that comes to."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import FastAPI, Request, Response

from digiden_kg import vocab
from digiden_kg.describe import Labels, label_in
from digiden_kg.results import Format, find_format
from digiden_kg.web import problems, wording
from digiden_kg.web.maps import value_of
from digiden_kg.web.site import Site, address_of, address_of_thing, language_of, page_route

_FORMATS = (Format(("html",), ("text/html",)), Format(("csv",), ("text/csv",)))
_PRINTED = "AsPrinted"
_ALL = ("all", "total")
"""Names of concepts that stand for all of a list."""
_COMPARED = ("verdict", "listed", "basis")
_VERB = re.compile(r"^(is (used )?(a|of|in|for)|has|follows) ")
_BARS = 20
"""Bars that a chart of a table has at most."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of a published figure with what the graph lists."""

    about: str
    measure: str
    published: str
    listed: str
    verdict: str
    basis: Mapping[str, str]
    corrections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: an observation."""

    iri: str
    place: Mapping[str, str]
    """Value of each dimension."""
    figures: Mapping[str, tuple[str, str | None]]
    """Value of each measure, and its printed form where that is kept."""
    passages: tuple[str, ...]
    is_total: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One published table."""

    iri: str
    dimensions: tuple[str, ...]
    """Those that differ from row to row."""
    fixed: Mapping[str, str]
    """The others, with the value that all rows share."""
    measures: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def key(self) -> str:
        """Its name in addresses."""
        return self.iri.rpartition("/")[2]

    @property
    def passages(self) -> list[str]:
        """The passages that print it."""
        return list(dict.fromkeys(each for row in self.rows for each in row.passages))


@dataclass(frozen=True)
class Statistics:
    """All that is published as figures in tables."""

    tables: Mapping[str, Table]
    checks: Mapping[tuple[str, str], list[Check]]
    """By observation and measure."""
    verdicts: Mapping[str, Mapping[str, str]]
    """Definition of each verdict by language, in order from equal to contradicting."""
    values: set[str] = field(default_factory=set)
    """Every IRI that a page may name."""

    def checks_of(self, table: Table) -> list[Check]:
        """Return the comparisons of a table."""
        return [
            check
            for row in table.rows
            for measure in table.measures
            for check in self.checks.get((row.iri, measure), ())
        ]


def add_statistics(app: FastAPI, site: Site) -> None:
    """Add the list of the published tables, and a page of each."""

    @page_route(app, "/statistics", site)
    async def statistics(request: Request) -> Response:
        known, language = await load_statistics(site), language_of(request)
        if not known.tables:
            title = "統計と照合" if language == "ja" else "Statistics and reconciliation"
            return site.page(request, "empty.html", title=title)
        names = await site.labels(known.values)
        wanted = request.query_params.get("figure") or ""
        everything = [check for checks in known.checks.values() for check in checks]
        return site.page(
            request,
            "statistics.html",
            behind="statistics-values",
            tables=[_listed(known, each, names, language) for each in known.tables.values()],
            verdicts=_counted(known, everything, names, language),
            reconciled=len(everything),
            rows=sum(len(table.rows) for table in known.tables.values()),
            wanted=wanted,
            found=_find(known, wanted, names, language) if wanted else None,
        )

    @page_route(app, "/statistics/{key}", site)
    async def table(request: Request, key: str) -> Response:
        known, language = await load_statistics(site), language_of(request)
        if key not in known.tables:
            raise problems.ProblemError(
                404, "http", f"there is no table {key} / 統計表 {key} はありません。"
            )
        found = known.tables[key]
        names = await site.labels(known.values)
        chosen = find_format(_FORMATS, request.query_params.get("format") or "html")
        if chosen.format.name == "csv":
            return _csv(known, found, names, language)
        return site.page(
            request,
            "statistic.html",
            behind="statistics-values",
            **_table(known, found, names, language),
            iri=found.iri,
            formats={"csv": address_of(request, format="csv")},
        )


async def load_statistics(site: Site) -> Statistics:
    """Return the published tables of the release; read once for each release."""

    async def read() -> Statistics:
        structure = await site.page_rows("statistics-structure")
        values = await site.page_rows("statistics-values")
        passages = await site.page_rows("statistics-passages")
        places = await site.page_rows("statistics-places")
        checks = await site.page_rows("reconciliations")
        verdicts = await site.page_rows("verdicts")
        return _read(structure, values, passages, places, checks, verdicts)

    return await site.kept("statistics", read)


_Rows = Sequence[Sequence[Any]]


def _read(
    structure: _Rows, values: _Rows, passages: _Rows, places: _Rows, checks: _Rows, verdicts: _Rows
) -> Statistics:
    parts: dict[str, dict[str, list[str]]] = {}
    for dataset, prop, kind, _ in structure:
        kinds = parts.setdefault(value_of(dataset), {"dimension": [], "measure": []})
        kinds[value_of(kind)].append(value_of(prop))
    said: dict[str, dict[str, dict[str, str]]] = {}
    for dataset, observation, prop, value in values:
        rows = said.setdefault(value_of(dataset), {})
        rows.setdefault(value_of(observation), {})[value_of(prop)] = value_of(value)
    printed_in: dict[str, list[str]] = {}
    for observation, passage in passages:
        printed_in.setdefault(value_of(observation), []).append(value_of(passage))
    place: dict[str, str] = {}
    broader: dict[str, set[str]] = {}
    for value, at, above in places:
        place[value_of(value)] = value_of(at)
        if above is not None:
            broader.setdefault(value_of(value), set()).add(value_of(above))
    tables = {
        table.key: table
        for iri, kinds in parts.items()
        if iri in said
        for table in [_read_table(iri, kinds, said[iri], printed_in, place, broader)]
    }
    order = {value_of(verdict): 0 for verdict, _, _ in verdicts}
    definitions: dict[str, dict[str, str]] = {verdict: {} for verdict in order}
    for verdict, _, definition in verdicts:
        definitions[value_of(verdict)][definition.language] = value_of(definition)
    compared = _read_checks(checks)
    named = {value for rows in said.values() for row in rows.values() for value in row.values()}
    named |= {prop for kinds in parts.values() for listed in kinds.values() for prop in listed}
    named |= {passage for listed in printed_in.values() for passage in listed}
    named |= {each for found in compared.values() for check in found for each in check.corrections}
    named |= {*parts, *order, *(row for rows in said.values() for row in rows)}
    iris = {each for each in named if each.startswith("http")}
    return Statistics(tables, compared, definitions, iris)


def _read_table(
    iri: str,
    kinds: Mapping[str, list[str]],
    said: Mapping[str, Mapping[str, str]],
    printed_in: Mapping[str, list[str]],
    place: Mapping[str, str],
    broader: Mapping[str, set[str]],
) -> Table:
    def shared(dimension: str) -> str | None:
        found = {row.get(dimension, "") for row in said.values()}
        return found.pop() if len(found) == 1 and len(said) > 1 else None

    fixed = {each: value for each in kinds["dimension"] if (value := shared(each))}
    dimensions = tuple(each for each in kinds["dimension"] if each not in fixed)
    wholes = {dimension: _wholes(dimension, said, broader) for dimension in dimensions}

    def is_total(row: Mapping[str, str]) -> bool:
        return any(row.get(dimension, "") in wholes[dimension] for dimension in dimensions)

    def position(entry: tuple[str, Mapping[str, str]]) -> tuple[list[tuple[int, str]], Decimal]:
        """Return the order of a list or of time, else the largest first."""
        row = entry[1]
        found = []
        for value in (row.get(each, "") for each in dimensions):
            at = place.get(value, "" if value.startswith("http") else value)
            found.append((int(at), "") if at.isdigit() else (0, at))
        first = next((row[each] for each in kinds["measure"] if each in row), "0")
        return found, -Decimal(first)

    rows = tuple(
        Row(
            observation,
            {each: row[each] for each in dimensions if each in row},
            {
                each: (row[each], row.get(each + _PRINTED))
                for each in kinds["measure"]
                if each in row
            },
            tuple(printed_in.get(observation, ())),
            is_total(row),
        )
        for observation, row in sorted(said.items(), key=position)
    )
    if all(row.is_total for row in rows):
        rows = tuple(Row(r.iri, r.place, r.figures, r.passages, False) for r in rows)
    return Table(iri, dimensions, fixed, tuple(kinds["measure"]), rows)


def _wholes(
    dimension: str, said: Mapping[str, Mapping[str, str]], broader: Mapping[str, set[str]]
) -> set[str]:
    """Return the values of a dimension that all its others are part of."""
    values = {row.get(dimension, "") for row in said.values()}

    def above(value: str) -> set[str]:
        return {each for whole in broader.get(value, ()) for each in {whole, *above(whole)}}

    found = {value for value in values if value.rpartition("/")[2] in _ALL}
    for value in values:
        others = values - {value}
        if others and all(value in above(each) for each in others):
            found.add(value)
    return found


def _read_checks(rows: _Rows) -> dict[tuple[str, str], list[Check]]:
    explained: dict[str, list[str]] = {}
    for row in rows:
        explained.setdefault(value_of(row[0]), [])
        if row[-1] is not None:
            explained[value_of(row[0])].append(value_of(row[-1]))
    checks: dict[tuple[str, str], list[Check]] = {}
    for iri, corrections in explained.items():
        row = next(each for each in rows if value_of(each[0]) == iri)
        about, measure, published, listed, verdict, ja, en = map(value_of, row[1:8])
        check = Check(
            about, measure, published, listed, verdict, {"ja": ja, "en": en}, tuple(corrections)
        )
        checks.setdefault((about, measure), []).append(check)
    return checks


def words(measure: str, value: str, printed: bool, language: str) -> str:
    """Return a figure as a page writes it: money in short words, other numbers in full."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    return wording.yen(number, language) if printed else wording.number(number, language)


def _counted(
    known: Statistics, checks: Iterable[Check], names: Labels, language: str
) -> list[dict[str, Any]]:
    """Return how often each verdict was come to."""
    counts = dict.fromkeys(known.verdicts, 0)
    for check in checks:
        counts[check.verdict] += 1
    return [
        {
            "key": verdict.rpartition("/")[2],
            "label": label_in(names, verdict, language),
            "address": address_of_thing(verdict, language),
            "definition": known.verdicts[verdict].get(language, ""),
            "count": count,
        }
        for verdict, count in counts.items()
    ]


def _listed(known: Statistics, table: Table, names: Labels, language: str) -> dict[str, Any]:
    return {
        "label": label_in(names, table.iri, language),
        "address": f"/statistics/{table.key}?lang={language}",
        "rows": len(table.rows),
        "passages": _links(table.passages, names, language),
        "verdicts": _counted(known, known.checks_of(table), names, language),
    }


def _links(iris: Iterable[str], names: Labels, language: str) -> list[tuple[str, str | None]]:
    return [(label_in(names, iri, language), address_of_thing(iri, language)) for iri in iris]


def _noun(dimension: str, names: Labels, language: str) -> str:
    """Return the heading of a dimension: English labels of properties begin with a verb."""
    label = label_in(names, dimension, language)
    return _VERB.sub("", label).capitalize() if language == "en" else label


def _label(row: Row, table: Table, names: Labels, language: str) -> str:
    """Return what a row is about, in words."""
    parts = []
    for dimension in table.dimensions:
        value = row.place.get(dimension)
        if value is not None:
            known = value in names
            parts.append(
                label_in(names, value, language) if known else wording.date(value, language)
            )
    return " · ".join(parts) or label_in(names, row.iri, language)


def _table(known: Statistics, table: Table, names: Labels, language: str) -> dict[str, Any]:
    """Return what the page of a table shows."""
    money = {
        measure
        for row in table.rows
        for measure, (_, printed) in row.figures.items()
        if printed is not None
    }

    def shown(measure: str, value: str) -> str:
        return words(measure, value, measure in money, language)

    def verdict(check: Check) -> tuple[str, str]:
        return check.verdict.rpartition("/")[2], label_in(names, check.verdict, language)

    labels = {row.iri: _label(row, table, names, language) for row in table.rows}
    measures = [
        (vocab.shorten(each).partition(":")[2], label_in(names, each, language))
        for each in table.measures
    ]
    rows = []
    for row in table.rows:
        cells = []
        for measure in table.measures:
            value, printed = row.figures.get(measure, ("", None))
            marks: dict[tuple[str, str, str], str] = {}
            for check in known.checks.get((row.iri, measure), ()):
                key, label = verdict(check)
                marks.setdefault((key, label, shown(measure, check.listed)), check.basis[language])
            text = (printed if language == "ja" else None) or (
                shown(measure, value) if value else ""
            )
            cells.append({"value": value, "text": text, "marks": marks})
        rows.append(
            {
                "label": labels[row.iri],
                "address": address_of_thing(row.iri, language),
                "id": row.iri.rpartition("/")[2],
                "total": row.is_total,
                "cells": cells,
                "passages": _links(row.passages, names, language),
            }
        )
    order = list(known.verdicts)
    checks = [
        {
            "row": labels[check.about],
            "address": address_of_thing(check.about, language),
            "measure": label_in(names, check.measure, language),
            "published": shown(check.measure, check.published),
            "listed": shown(check.measure, check.listed),
            "verdict": verdict(check),
            "basis": check.basis[language],
            "corrections": _links(check.corrections, names, language),
        }
        for check in sorted(
            known.checks_of(table), key=lambda each: order.index(each.verdict), reverse=True
        )
    ]
    return {
        "title": label_in(names, table.iri, language),
        "row_title": " · ".join(_noun(each, names, language) for each in table.dimensions),
        "fixed": [
            (_noun(each, names, language), label_in(names, value, language))
            for each, value in table.fixed.items()
        ],
        "measures": measures,
        "rows": rows,
        "checks": checks,
        "verdicts": _counted(known, known.checks_of(table), names, language),
        "charts": _charts(table, money, labels, names, language),
        "passages": _links(table.passages, names, language),
        "by_prefecture": [vocab.shorten(each) for each in table.dimensions] == ["dg:prefecture"],
    }


def _charts(
    table: Table, money: set[str], labels: Mapping[str, str], names: Labels, language: str
) -> list[dict[str, Any]]:
    """Return the charts of a table: one of its first count, one of its first money."""
    charts = []
    for measures in ([m for m in table.measures if m not in money], list(money)):
        measure = next((each for each in table.measures if each in measures), None)
        parts = [row for row in table.rows if not row.is_total and measure in row.figures]
        if measure is None or len(parts) < 2:
            continue
        most = max(Decimal(row.figures[measure][0]) for row in parts)
        first = [labels[row.iri] for row in parts if Decimal(row.figures[measure][0]) == most]
        name = ("、" if language == "ja" else ", ").join(first)
        value = words(measure, str(most), measure in money, language)
        what = label_in(names, measure, language)
        few = len(parts) > _BARS
        if language == "ja":
            title = f"{what}が最も大きいのは{name}（{value}）"
            title += f"。上位{_BARS}行" if few else ""
        else:
            title = f"{what}: greatest for {name} ({value})"
            title += f"; the first {_BARS} rows" if few else ""
        chart: dict[str, Any] = {"values": [vocab.shorten(measure).partition(":")[2]]}
        if measure in money:
            chart["unit"] = "yen"
        if few:
            chart |= {"sort": True, "top": _BARS}
        charts.append({"title": title, "kind": "bar", "options": chart})
    return charts


_ASKED = re.compile(r"([0-9,]+(?:\.[0-9]+)?)(.*)")


def _find(known: Statistics, wanted: str, names: Labels, language: str) -> list[dict[str, Any]]:
    """Return the figures that are printed as asked for, such as 147事業, 147 or 22.8億円."""
    text = unicodedata.normalize("NFKC", wanted).replace(" ", "")
    match = _ASKED.match(text)
    if not match:
        return []
    text, number = text.replace(",", ""), match[1].replace(",", "")
    found = []
    for table in known.tables.values():
        for row in table.rows:
            for measure, (value, printed) in row.figures.items():
                if number == value or (
                    printed and printed.replace(",", "") == text.replace(",", "")
                ):
                    found.append(
                        {
                            "label": _label(row, table, names, language),
                            "address": address_of_thing(row.iri, language),
                            "table": label_in(names, table.iri, language),
                            "where": f"/statistics/{table.key}?lang={language}"
                            f"#{row.iri.rpartition('/')[2]}",
                            "measure": label_in(names, measure, language),
                            "text": printed or words(measure, value, False, language),
                            "passages": _links(row.passages, names, language),
                        }
                    )
    return found


def _csv(known: Statistics, table: Table, names: Labels, language: str) -> Response:
    """Return each figure of a table, once for each comparison, as CSV."""
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(
        [
            "observation",
            "row",
            "measure",
            "value",
            "printed",
            "passage",
            "verdict",
            "listed",
            "basis",
        ]
    )
    for row in table.rows:
        for measure, (value, printed) in row.figures.items():
            left = [row.iri, _label(row, table, names, language), vocab.shorten(measure), value]
            left += [printed or "", " ".join(row.passages)]
            checks = known.checks.get((row.iri, measure), ())
            for check in checks:
                verdict = check.verdict.rpartition("/")[2]
                writer.writerow([*left, verdict, check.listed, check.basis[language]])
            if not checks:
                writer.writerow([*left, "", "", ""])
    headers = {"Content-Disposition": f'attachment; filename="{table.key}.csv"'}
    return Response(output.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
