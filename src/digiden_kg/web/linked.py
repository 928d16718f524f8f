"""Things, their links and connections as records: what programs get, and what pages are made of.

:class:`Linked` words the network of a release in one language; the addresses ``/api/neighbours``,
``/api/path`` and ``/api/things`` give its records as they are. IRIs may be written with our
prefixes (``id:body/142069``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.describe import Description, Labels, Said, label_in, labels_of
from digiden_kg.network import Connection, Link, Network, Relation
from digiden_kg.questions import Text
from digiden_kg.results import is_number
from digiden_kg.web.problems import ProblemError
from digiden_kg.web.site import LANGUAGES, Site, address_of_thing, language_of, page_route

GROUPS: Mapping[str, Text] = {
    "body": {"ja": "地方公共団体", "en": "Local governments"},
    "project": {"ja": "事業", "en": "Projects"},
    "service": {"ja": "サービス", "en": "Services"},
    "type": {"ja": "サービスの型", "en": "Service types"},
    "party": {"ja": "相手（企業・団体など）", "en": "Parties"},
    "system": {"ja": "基盤・システム・施設", "en": "Platforms, systems, places"},
    "figure": {"ja": "KPI・数値・計画", "en": "Indicators, figures, plans"},
    "rule": {"ja": "交付金の種類・分類", "en": "Grant rules and categories"},
    "record": {"ja": "出典・訂正・照合", "en": "Passages, corrections, checks"},
}
"""What is drawn alike, and what that is called."""
PATHS = 5
"""Shortest connections that are named."""
_PAGE, _MOST = 50, 1000
"""Neighbours that are given at once: by itself, and at most."""
_FIND = (
    "Find its IRI by /api/search?q=NAME, or write it as id:body/142069."
    " / IRI は /api/search?q=名前 で探すか、id:body/142069 のように書いてください。"
)


@dataclass(frozen=True)
class Linked:
    """The network of a release, in the words of one language."""

    network: Network
    terms: Labels
    """What relations and classes are called."""
    language: str

    def label(self, iri: str) -> str:
        """Return what a thing is called."""
        names = self.network.thing(iri).labels
        return names.get(self.language) or next(iter(names.values()), vocab.shorten(iri))

    def term(self, iri: str) -> str:
        """Return what a relation or a class is called."""
        return label_in(self.terms, iri, self.language)

    def class_label(self, iri: str) -> str | None:
        """Return what the class of a thing is called, None where it has none."""
        kind = self.network.thing(iri).kind
        return self.term(kind) if kind else None

    def thing(self, iri: str) -> dict[str, Any]:
        """Return the record of a thing."""
        thing = self.network.thing(iri)
        return {
            "iri": iri,
            "name": vocab.shorten(iri),
            "address": address_of_thing(iri, self.language),
            "label": self.label(iri),
            "class": thing.kind,
            "classLabel": self.class_label(iri),
            "group": thing.group,
        }

    def relation(self, iri: str, each: Relation) -> dict[str, Any]:
        """Return the record of one relation of a thing."""
        links = self.network.neighbours(iri, each.relation, each.outward)
        return {
            "relation": each.relation,
            "name": vocab.shorten(each.relation),
            "label": self.term(each.relation),
            "words": self.words(iri, each),
            "direction": "out" if each.outward else "in",
            "reach": links[0].reach,
            "count": each.count,
            "inferred": each.inferred,
        }

    def words(self, iri: str, each: Relation) -> str:
        """Return what a relation leads to, in words that say its direction."""
        label = self.term(each.relation)
        if each.outward:
            return label
        links = self.network.neighbours(iri, each.relation, each.outward)
        things = [self.network.thing(link.source) for link in links]
        kinds, groups = {thing.kind for thing in things}, {thing.group for thing in things}
        what = {"ja": "もの", "en": "Things"}[self.language]
        if len(kinds) == 1 and things[0].kind:
            what = self.term(things[0].kind)
        elif len(groups) == 1:
            what = GROUPS[things[0].group][self.language]
        if self.language == "ja":
            return f"これを「{label}」とする{what}"
        return f"{what} whose “{label}” is this"

    def link(self, link: Link) -> dict[str, Any]:
        """Return the record of a link."""
        return {
            "source": link.source,
            "relation": link.relation,
            "relationLabel": self.term(link.relation),
            "target": link.target,
            "reach": link.reach,
            "inferred": link.inferred,
            "sources": self._sources(link.passages),
        }

    def connection(self, ends: Sequence[str], found: Connection) -> dict[str, Any]:
        """Return the record of the shortest connections of two things."""
        return {
            "from": self.thing(ends[0]),
            "to": self.thing(ends[1]),
            "length": len(found.paths[0]) if found.paths else None,
            "reach": found.reach,
            "total": found.total,
            "paths": [
                {
                    "things": [self.thing(iri) for iri in _walk(ends[0], path)],
                    "links": [self.link(link) for link in path],
                }
                for path in found.paths
            ],
        }

    def neighbours(self, iri: str, links: Iterable[Link]) -> list[dict[str, Any]]:
        """Return the records of the things at the other ends of links of a thing."""
        return [
            {
                **self.thing(link.other(iri)),
                "inferred": link.inferred,
                "sources": self._sources(link.passages),
            }
            for link in links
        ]

    def facts(self, found: Description, listed: Iterable[Said]) -> list[dict[str, Any]]:
        """Return statements of a thing by relation, each with who makes it; in one language."""
        facts: dict[str, dict[str, Any]] = {}
        others = set(LANGUAGES) - {self.language}
        for said in listed:
            if isinstance(said.value, Literal) and said.value.language in others:
                continue
            fact = facts.setdefault(
                said.predicate,
                {
                    "relation": said.predicate,
                    "label": self._called(found, said.predicate),
                    "values": [],
                },
            )
            value: dict[str, Any] = {"text": getattr(said.value, "value", "")}
            if isinstance(said.value, NamedNode):
                iri = said.value.value
                value = {
                    "text": found.label(iri, self.language),
                    "iri": iri,
                    "address": address_of_thing(iri, self.language),
                }
            elif isinstance(said.value, Literal):
                value["language"] = said.value.language
                value["datatype"] = said.value.datatype.value
                value["number"] = is_number(said.value)
            reason = said.reason.get(self.language) or next(iter(said.reason.values()), None)
            sources = [
                self._source(graph, found.label(graph, self.language)) for graph in said.graphs
            ]
            fact["values"].append({**value, "reason": reason, "sources": sources})
        return list(facts.values())

    def description(self, found: Description) -> dict[str, Any]:
        """Return the record of a thing with everything that is said of it."""
        said = (each for listed in found.grouped().values() for each in listed)
        return {
            **self.thing(found.iri),
            "labels": dict(found.labels.get(found.iri, {})),
            "classes": [{"iri": each, "label": self._called(found, each)} for each in found.types],
            "facts": self.facts(found, said),
            "relations": [
                self.relation(found.iri, each) for each in self.network.relations(found.iri)
            ],
        }

    def _called(self, found: Description, iri: str) -> str:
        return label_in({**found.labels, **self.terms}, iri, self.language)

    def _source(self, iri: str, label: str) -> dict[str, str | None]:
        return {"iri": iri, "label": label, "address": address_of_thing(iri, self.language)}

    def _sources(self, passages: Iterable[str]) -> list[dict[str, str | None]]:
        return [self._source(iri, self.label(iri)) for iri in passages]


async def read_linked(site: Site, language: str) -> Linked:
    """Return the network of the release that is served, in a language."""
    network = await site.network()

    async def make() -> Labels:
        terms = {link.relation for link in network.links}
        terms |= {thing.kind for thing in network.things.values() if thing.kind}
        reused = {vocab.expand(name): text for name, text in site.terms.items()}
        return {**reused, **await labels_of(site.ask, sorted(terms))}

    return Linked(network, await site.kept("network-terms", make), language)


def iri_of(text: str) -> str | None:
    """Return the IRI that a text stands for, None where it is none."""
    try:
        return NamedNode(vocab.expand(text.strip())).value
    except (KeyError, ValueError):
        return None


def known_iri(network: Network, name: str, text: str | None) -> str:
    """Return the IRI of a thing of this release.

    Args:
        network: The release.
        name: Parameter that the text comes from.
        text: An IRI, or a prefixed name.

    Raises:
        ProblemError: The text names none.
    """
    if not text:
        detail = f"{name} is missing / {name} がありません。"
        raise ProblemError(400, "parameter", detail, advice=_FIND)
    iri = iri_of(text)
    if iri is None:
        detail = f"{name}: {text} is no IRI / {text} は IRI ではありません。"
        raise ProblemError(400, "parameter", detail, advice=_FIND)
    if iri not in network:
        detail = f"{name}: this release knows no {iri} / このリリースに {iri} はありません。"
        raise ProblemError(404, "unknown-thing", detail, advice=_FIND)
    return iri


def add_linked(app: FastAPI, site: Site) -> None:
    """Add the addresses that give records."""

    @page_route(app, "/api/neighbours", site)
    async def neighbours(request: Request) -> Response:
        linked = await read_linked(site, language_of(request))
        return JSONResponse(_neighbours(linked, request.query_params))

    @page_route(app, "/api/path", site)
    async def path(request: Request) -> Response:
        linked, query = await read_linked(site, language_of(request)), request.query_params
        ends = [known_iri(linked.network, name, query.get(name)) for name in ("from", "to")]
        limit = _number(query, "limit", PATHS, 100)
        found = await asyncio.to_thread(linked.network.connect, ends[0], ends[1], limit)
        return JSONResponse(linked.connection(ends, found))

    @page_route(app, "/api/things", site)
    async def things(request: Request) -> Response:
        linked = await read_linked(site, language_of(request))
        iri = known_iri(linked.network, "iri", request.query_params.get("iri"))
        found = await site.describe(iri)
        assert found is not None
        return JSONResponse(linked.description(found))


def _number(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return min(usual, most)
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        detail = f"{name}: {text} is no whole number / {text} は整数ではありません。"
        advice = f"0 … {most:,}"
        raise ProblemError(400, "parameter", detail, advice=advice)
    return min(int(text), most)


def _neighbours(linked: Linked, query: Mapping[str, str]) -> dict[str, Any]:
    network = linked.network
    iri = known_iri(network, "iri", query.get("iri"))
    answer: dict[str, Any] = {
        "thing": linked.thing(iri),
        "relations": [linked.relation(iri, each) for each in network.relations(iri)],
    }
    if "relation" not in query:
        return answer
    relation, direction = iri_of(query["relation"]), query.get("direction", "out")
    if direction not in ("in", "out") or relation is None:
        raise ProblemError(
            400,
            "parameter",
            f"relation {query['relation']}, direction {direction}: no such relation"
            " / そのような関係はありません。",
            advice="relation=IRI&direction=in|out; /api/neighbours?iri=… lists them"
            " / 一覧は /api/neighbours?iri=… にあります。",
        )
    links = network.neighbours(iri, relation, direction == "out")
    offset = _number(query, "offset", 0, 10**7)
    limit = _number(query, "limit", _PAGE, _MOST)
    rest = {"iri": iri, "relation": relation, "direction": direction, "lang": linked.language}
    more = offset + limit < len(links)
    return {
        **answer,
        "relation": relation,
        "direction": direction,
        "total": len(links),
        "offset": offset,
        "neighbours": linked.neighbours(iri, links[offset : offset + limit]),
        "next": "/api/neighbours?"
        + urlencode({**rest, "offset": offset + limit, "limit": limit}, safe=":/")
        if more
        else None,
    }


def _walk(start: str, links: Sequence[Link]) -> list[str]:
    """Return the things along a connection."""
    things = [start]
    for link in links:
        things.append(link.other(things[-1]))
    return things
