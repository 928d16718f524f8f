"""Pages about the grants in time, and about this site."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from digiden_kg.describe import Labels, label_in
from digiden_kg.web.datasets import bibtex
from digiden_kg.web.maps import value_of
from digiden_kg.web.site import Site, address_of_thing, language_of, page_route

_QUERIES = ("rounds", "round-projects", "continued-projects")


def add_about(app: FastAPI, site: Site) -> None:
    """Add the page of the rounds and the page about this site."""

    @page_route(app, "/rounds", site)
    async def rounds(request: Request) -> Response:
        language = language_of(request)
        rows = {name: await site.page_rows(name) for name in _QUERIES}
        if not rows["rounds"]:
            title = "交付の回" if language == "ja" else "Rounds"
            return site.page(request, "empty.html", title=title)
        values = {value_of(term) for listed in rows.values() for row in listed for term in row}
        names = await site.labels(each for each in values if each.startswith("http"))
        return site.page(request, "rounds.html", behind="rounds", **_rounds(rows, names, language))

    @page_route(app, "/about", site)
    async def about(request: Request) -> Response:
        language = language_of(request)
        documents = {
            value_of(document): (
                value_of(label),
                address_of_thing(value_of(document), language),
                value_of(issued),
            )
            for document, label, issued in await site.page_rows("documents")
            if getattr(label, "language", None) == "ja"  # the name under which it was published
        }
        return site.page(
            request,
            "about.html",
            bibtex=bibtex(site.release),
            documents=list(documents.values()),
        )


def _rounds(rows: Any, names: Labels, language: str) -> dict[str, Any]:
    """Return the programmes, the rounds in time, and what goes on from one to another."""

    def link(term: Any) -> tuple[str, str | None] | None:
        iri = value_of(term)
        return (label_in(names, iri, language), address_of_thing(iri, language)) if iri else None

    listed: dict[str, dict[str, Any]] = {}
    programmes: dict[str, dict[str, Any]] = {}
    for programme, successor, round_, year, budget, printed, passage in rows["rounds"]:
        entry = programmes.setdefault(
            value_of(programme),
            {"link": link(programme), "successor": link(successor), "passages": []},
        )
        if round_ is not None:
            entry = listed.setdefault(
                value_of(round_),
                {
                    "link": link(round_),
                    "programme": link(programme),
                    "year": value_of(year),
                    "budget": value_of(budget),
                    "printed": value_of(printed),
                    "passages": [],
                    "types": [],
                    "continued": [],
                },
            )
        if (where := link(passage)) and where not in entry["passages"]:
            entry["passages"].append(where)
    for round_, kind, named, published, bodies, cost, share, observation in rows["round-projects"]:
        if value_of(round_) in listed and (named is not None or published is not None):
            figures = [value_of(each) for each in (bodies, published, cost, share, named)]
            told = address_of_thing(value_of(observation), language) if observation else None
            listed[value_of(round_)]["types"].append((link(kind), told, figures))
    continued = [
        {
            "earlier": link(earlier),
            "relation": label_in(names, value_of(relation), language),
            "project": link(project),
            "body": link(body),
            "round": link(round_),
        }
        for earlier, relation, project, body, round_ in rows["continued-projects"]
    ]
    return {
        "programmes": list(programmes.values()),
        "rounds": sorted(listed.values(), key=lambda each: each["year"]),
        "continued": continued,
    }
