"""The start page, and the list of all saved questions."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from digiden_kg.questions import Question, Text
from digiden_kg.release import former_release
from digiden_kg.web import atlas
from digiden_kg.web.maps import value_of
from digiden_kg.web.site import Site, address_of_thing, language_of, page_route

TAGS: Mapping[str, Text] = {
    "reuse": {"ja": "使い回し", "en": "Reuse"},
    "grants": {"ja": "交付金と事業", "en": "Grants and projects"},
    "money": {"ja": "お金", "en": "Money"},
    "platforms": {"ja": "データ連携基盤", "en": "Data-integration platforms"},
    "partners": {"ja": "構成員と相手", "en": "Partners"},
    "indicators": {"ja": "KPI", "en": "Indicators"},
    "people": {"ja": "人口と規模", "en": "Population and size"},
    "card": {"ja": "マイナンバーカード", "en": "My Number Card"},
    "telework": {"ja": "テレワーク", "en": "Telework"},
    "statistics": {"ja": "統計", "en": "Statistics"},
    "quality": {"ja": "出典、訂正、照合", "en": "Sources, corrections, reconciliation"},
    "unknown": {"ja": "分からないこと", "en": "What is unknown"},
}
"""Headings of the list of questions, in its order, by the first tag of a question."""
_UNKNOWN = "what-is-unknown"


def add_start(app: FastAPI, site: Site) -> None:
    """Add the start page and the list of questions."""

    @page_route(app, "/", site)
    async def start(request: Request) -> Response:
        if site.release.is_draft:
            return site.page(request, "start.html", example=site.example)
        language = language_of(request)
        return site.page(
            request,
            "start.html",
            example=site.example,
            headline=await _headline(site, language),
            map=await _map(site, language, request.query_params.get("figure")),
            figures=atlas.figures_of(site).values(),
            featured=_featured(site),
            news=_news(site),
            unknown=await _unknown(site, language),
        )

    @page_route(app, "/questions", site)
    async def questions(request: Request) -> Response:
        grouped = by_tag(site.questions.values())
        return site.page(request, "questions.html", questions=grouped, tags=TAGS)


def by_tag(questions: Iterable[Question]) -> dict[str, list[Question]]:
    """Return questions by their first tag, in the order of the headings."""
    grouped: dict[str, list[Question]] = {tag: [] for tag in TAGS}
    for question in questions:
        grouped.setdefault(question.tags[0] if question.tags else "", []).append(question)
    return {tag: listed for tag, listed in grouped.items() if listed}


async def _headline(site: Site, language: str) -> dict[str, tuple[str, str | None, str | None]]:
    """Return the figures of the round: value, page of the observation, page of the passage."""
    rows = await site.kept("headline", lambda: site.page_rows("headline"))
    return {
        value_of(key): (
            value_of(value),
            address_of_thing(value_of(observation), language),
            address_of_thing(value_of(passage), language),
        )
        for key, value, observation, passage in rows
    }


async def _map(site: Site, language: str, slug: str | None) -> dict[str, Any] | None:
    """Return a figure, the first if there is none of that name, with its map; None without any."""
    listed = atlas.figures_of(site)
    if not listed:
        return None
    figure = listed.get(slug or "") or next(iter(listed.values()))
    answer = await atlas.answer_of(site, figure, language)
    return {"figure": figure, "drawn": await atlas.draw(site, figure, answer, language)}


def _featured(site: Site) -> list[Question]:
    """Return the questions of ``queries/featured.csv``: those that most people come with."""
    path = site.settings.queries_dir / "featured.csv"
    return [site.questions[slug] for slug in _slugs(path) if slug in site.questions]


def _slugs(path: Path) -> list[str]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row["question"] for row in csv.DictReader(file)]


def _news(site: Site) -> list[tuple[str, int, int | None]]:
    """Return the counts of the release, and by how much they differ from the one before."""
    former = former_release(site.release)
    before = former.counts if former else {}
    return [
        (key, count, count - before[key] if key in before else None)
        for key, count in site.release.counts.items()
    ]


async def _unknown(site: Site, language: str) -> dict[str, Any] | None:
    """Return how many projects of each type the document names, of how many that it counts."""
    question = site.questions.get(_UNKNOWN)
    if question is None:
        return None
    listed = {name: await site.choices(each) for name, each in question.parameters.items()}
    text = question.bind({"lang": [language]}, lambda each: listed[each.name])
    answer = await site.kept(f"{_UNKNOWN}-{language}", lambda: site.ask(text))
    columns = ("grantType", "grantTypeLabel", "named", "published")
    places = [answer.columns.index(each) for each in columns]
    rows = []
    for row in answer.rows:
        iri, label, named, published = (value_of(row[at]) for at in places)
        rows.append((address_of_thing(iri, language), label, int(named), int(published)))
    return {"question": question, "rows": rows}
