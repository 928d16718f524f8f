"""The start page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastapi import FastAPI, Request, Response

from digiden_kg.questions import Question, Text
from digiden_kg.web.site import Site, page_route

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
"""Headings of the start page, in its order, by the first tag of a question."""


def add_start(app: FastAPI, site: Site) -> None:
    """Add the start page."""

    @page_route(app, "/", site)
    async def start(request: Request) -> Response:
        grouped = by_tag(site.questions.values())
        return site.page(request, "start.html", questions=grouped, tags=TAGS, example=site.example)


def by_tag(questions: Iterable[Question]) -> dict[str, list[Question]]:
    """Return questions by their first tag, in the order of the start page."""
    grouped: dict[str, list[Question]] = {tag: [] for tag in TAGS}
    for question in questions:
        grouped.setdefault(question.tags[0] if question.tags else "", []).append(question)
    return {tag: listed for tag, listed in grouped.items() if listed}
