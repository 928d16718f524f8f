"""What the checks found, what was corrected, and what was concluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response

from digiden_kg.describe import Labels, label_in
from digiden_kg.web.maps import value_of
from digiden_kg.web.site import Site, address_of_thing, language_of, page_route

_SEVERITIES: Mapping[str, Mapping[str, str]] = {
    "Violation": {"ja": "違反", "en": "Violation"},
    "Warning": {"ja": "警告", "en": "Warning"},
    "Info": {"ja": "参考", "en": "For information"},
}
"""SHACL's severities, the worst first."""
_Rows = Sequence[Sequence[Any]]


def add_quality(app: FastAPI, site: Site) -> None:
    """Add the page of findings, corrections and inferences."""

    @page_route(app, "/quality", site)
    async def quality(request: Request) -> Response:
        language = language_of(request)
        rows = {name: await _rows(site, name) for name in ("findings", "corrections", "inferences")}
        if not any(rows.values()):
            title = "データの品質" if language == "ja" else "Quality"
            return site.page(request, "empty.html", title=title)
        names = await site.labels(_iris(rows))
        checks = _checks(rows["findings"], names, language)
        return site.page(
            request,
            "quality.html",
            behind="findings",
            severities=[
                {
                    "key": key,
                    "label": label[language],
                    "findings": sum(len(c["findings"]) for c in checks if c["severity"] == key),
                    "explained": sum(c["explained"] for c in checks if c["severity"] == key),
                }
                for key, label in _SEVERITIES.items()
            ],
            checks=checks,
            corrections=_corrections(rows["corrections"], names, language),
            inferences=[
                (
                    label_in(names, value_of(prop), language),
                    address_of_thing(value_of(prop), language),
                    label_in(names, value_of(certainty), language),
                    int(value_of(count)),
                )
                for prop, certainty, count in rows["inferences"]
            ],
        )


async def _rows(site: Site, name: str) -> _Rows:
    return await site.kept(name, lambda: site.page_rows(name))


def _iris(rows: Mapping[str, _Rows]) -> set[str]:
    values = {value_of(term) for listed in rows.values() for row in listed for term in row}
    return {each for each in values if each.startswith("http")}


def _link(iri: str, names: Labels, language: str) -> tuple[str, str | None]:
    return label_in(names, iri, language), address_of_thing(iri, language)


def _checks(rows: _Rows, names: Labels, language: str) -> list[dict[str, Any]]:
    """Return the findings by check, the worst first."""
    checks: dict[tuple[str, str], dict[str, Any]] = {}
    for finding, severity, check, focus, message, passage, correction, title in rows:
        if message.language != language:
            continue
        key = value_of(severity).rpartition("#")[2], value_of(check)
        entry = checks.setdefault(
            key,
            {
                "severity": key[0],
                "label": _SEVERITIES[key[0]][language],
                "check": value_of(title) if title else key[1].replace("#", "/").rpartition("/")[2],
                "address": address_of_thing(key[1], language),
                "findings": {},
            },
        )
        found = entry["findings"].setdefault(
            value_of(finding),
            {
                "thing": _link(value_of(focus), names, language),
                "address": address_of_thing(value_of(finding), language),
                "message": value_of(message),
                "passages": [],
                "corrections": [],
            },
        )
        for term, listed in ((passage, found["passages"]), (correction, found["corrections"])):
            if term is not None and (link := _link(value_of(term), names, language)) not in listed:
                listed.append(link)
    for entry in checks.values():
        entry["findings"] = sorted(entry["findings"].values(), key=lambda each: each["thing"])
        entry["explained"] = sum(bool(each["corrections"]) for each in entry["findings"])
    worst = list(_SEVERITIES)
    return [checks[key] for key in sorted(checks, key=lambda each: (worst.index(each[0]), each[1]))]


def _corrections(rows: _Rows, names: Labels, language: str) -> list[dict[str, Any]]:
    """Return the corrections by kind, each once."""
    kinds: dict[str, dict[str, Any]] = {}
    for correction, kind, _, about, printed, recorded, certainty, reason, passage in rows:
        if reason.language != language:
            continue
        group = kinds.setdefault(
            value_of(kind), {"label": label_in(names, value_of(kind), language), "listed": {}}
        )
        entry = group["listed"].setdefault(
            value_of(correction),
            {
                "address": address_of_thing(value_of(correction), language),
                "printed": value_of(printed),
                "recorded": value_of(recorded),
                "certainty": label_in(names, value_of(certainty), language),
                "reason": value_of(reason),
                "about": [],
                "passages": [],
            },
        )
        for term, listed in ((about, entry["about"]), (passage, entry["passages"])):
            if (link := _link(value_of(term), names, language)) not in listed:
                listed.append(link)
    return [{**group, "listed": list(group["listed"].values())} for group in kinds.values()]
