"""The graph explorer: things and links, one relation at a time; and the same for programs.

What is shown stands in the address: ``iri`` (where it starts), ``expand`` (a thing, ``out`` or
``in``, and a relation), ``hide``, ``without`` (groups), ``from`` and ``to`` (a connection), ``at``
(the thing whose facts are shown), ``among`` (all links between what is shown), ``pin`` and
``group`` (for the canvas alone). ``fold``, ``show``
and ``clear`` take something back; an address with one of them leads to the one without. IRIs may
be written with our prefixes (``id:body/142069``).
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.describe import Description, Labels, Said, describe, label_in, labels_of
from digiden_kg.export import Edge, Node, write_gexf, write_graphml
from digiden_kg.network import (
    Connection,
    Expansion,
    Link,
    Network,
    Relation,
    Shown,
    View,
)
from digiden_kg.questions import Text
from digiden_kg.results import is_number
from digiden_kg.search import Entry
from digiden_kg.web.problems import ProblemError
from digiden_kg.web.site import LANGUAGES, Site, address_of_thing, language_of, page_route

SHOWN = 2500
"""Things that one view shows."""
_PAGE, _MOST = 50, 1000
"""Neighbours that the interface for programs gives at once: by itself, and at most."""
_PATHS = 5
"""Shortest connections that a page names."""
_EXPANSIONS = 300
_FACTS = 12
_CHOICES = 8
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
_FORMATS = {
    "graphml": "application/graphml+xml",
    "gexf": "application/gexf+xml",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
_QUIET = frozenset(
    vocab.expand(name)
    for name in (
        *("rdf:type", "rdfs:label", "skos:prefLabel", "skos:altLabel", "dg:searchText"),
        *(
            "dcterms:identifier",
            "dcterms:title",
            "dg:roundedTo",
            "schema:latitude",
            "schema:longitude",
        ),
    )
)
"""What the panel beside the graph leaves to the page of a thing."""


@dataclass(frozen=True)
class _State:
    """What the address says, checked; texts of things are IRIs."""

    starts: tuple[str, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    hidden: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    ends: tuple[str, str] = ("", "")
    """What was typed as the ends of a connection: IRIs or names."""
    at: str | None = None
    grouped: bool = False
    among: bool = False

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters of the address, in a fixed order."""
        pairs = [("iri", vocab.shorten(iri)) for iri in self.starts]
        pairs += [("expand", _expansion_text(each)) for each in self.expansions]
        pairs += [("hide", vocab.shorten(iri)) for iri in self.hidden]
        pairs += [("without", group) for group in self.without]
        pairs += [
            (name, vocab.shorten(end))
            for name, end in zip(("from", "to"), self.ends, strict=True)
            if end
        ]
        pairs += [("pin", pin) for pin in self.pins]
        pairs += [("group", "1")] if self.grouped else []
        pairs += [("among", "1")] if self.among else []
        return pairs + ([("at", vocab.shorten(self.at))] if self.at else [])

    def address(self, language: str, end: str = "") -> str:
        """Return the address of the page, or of a file by its end (``.graphml``)."""
        query = urlencode([*self.pairs(), ("lang", language)], safe=":/")
        return f"/explore{end}?{query}"


@dataclass(frozen=True)
class _Kept:
    """What is known of the release."""

    network: Network
    terms: Labels
    """What relations and classes are called."""


async def _read(site: Site) -> _Kept:
    network = await site.network()

    async def make() -> Labels:
        terms = {link.relation for link in network.links}
        terms |= {thing.kind for thing in network.things.values() if thing.kind}
        reused = {vocab.expand(name): text for name, text in site.terms.items()}
        return {**reused, **await labels_of(site.ask, sorted(terms))}

    return _Kept(network, await site.kept("network-terms", make))


def add_explore(app: FastAPI, site: Site) -> None:
    """Add the graph explorer and its interfaces for programs."""

    @page_route(app, "/explore", site)
    async def explore(request: Request) -> Response:
        return await _page(site, await _read(site), request)

    for end, media_type in _FORMATS.items():

        @page_route(app, f"/explore.{end}", site)
        async def file(request: Request, end: str = end, media_type: str = media_type) -> Response:
            kept = await _read(site)
            state = _state(request, kept.network)
            language = language_of(request)
            return await asyncio.to_thread(_file, kept, state, language, end, media_type)

    @page_route(app, "/api/neighbours", site)
    async def neighbours(request: Request) -> Response:
        return JSONResponse(_neighbours(await _read(site), request))

    @page_route(app, "/api/path", site)
    async def path(request: Request) -> Response:
        kept, query = await _read(site), request.query_params
        ends = [_known(kept.network, name, query.get(name)) for name in ("from", "to")]
        limit = _number(query, "limit", _PATHS, 100)
        found = await asyncio.to_thread(kept.network.connect, ends[0], ends[1], limit)
        return JSONResponse(_path_record(kept, ends, found, language_of(request)))

    @page_route(app, "/api/things", site)
    async def things(request: Request) -> Response:
        kept = await _read(site)
        iri = _known(kept.network, "iri", request.query_params.get("iri"))
        found = await describe(site.ask, iri)
        assert found is not None
        return JSONResponse(_thing_record(kept, found, language_of(request)))


# What the address says


def _expansion_text(each: Expansion) -> str:
    direction = "out" if each.outward else "in"
    return f"{vocab.shorten(each.thing)} {direction} {vocab.shorten(each.relation)}"


def _iri(text: str) -> str | None:
    """Return the IRI that a text stands for, None where it is none."""
    try:
        return NamedNode(vocab.expand(text.strip())).value
    except (KeyError, ValueError):
        return None


_FIND = (
    "Find its IRI by /api/search?q=NAME, or write it as id:body/142069."
    " / IRI は /api/search?q=名前 で探すか、id:body/142069 のように書いてください。"
)


def _known(network: Network, name: str, text: str | None) -> str:
    """Return the IRI of a thing of this release.

    Raises:
        ProblemError: The text names none.
    """
    if not text:
        detail = f"{name} is missing / {name} がありません。"
        raise ProblemError(400, "parameter", detail, advice=_FIND)
    iri = _iri(text)
    if iri is None:
        detail = f"{name}: {text} is no IRI / {text} は IRI ではありません。"
        raise ProblemError(400, "parameter", detail, advice=_FIND)
    if iri not in network:
        detail = f"{name}: this release knows no {iri} / このリリースに {iri} はありません。"
        raise ProblemError(404, "unknown-thing", detail, advice=_FIND)
    return iri


def _number(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return min(usual, most)
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        detail = f"{name}: {text} is no whole number / {text} は整数ではありません。"
        advice = f"0 … {most:,}"
        raise ProblemError(400, "parameter", detail, advice=advice)
    return min(int(text), most)


def _expansion(network: Network, text: str) -> Expansion:
    parts = text.split()
    if len(parts) != 3 or parts[1] not in ("in", "out") or _iri(parts[2]) is None:
        raise ProblemError(
            400,
            "parameter",
            f"expand: {text} is no expansion / {text} は展開ではありません。",
            advice="expand=THING in|out RELATION: id:body/142069 in dg:grantedTo",
        )
    relation = _iri(parts[2])
    assert relation is not None
    return Expansion(_known(network, "expand", parts[0]), relation, parts[1] == "out")


def _state(request: Request, network: Network) -> _State:
    """Return what the address says.

    Raises:
        ProblemError: It names something that is not there.
    """
    query = request.query_params

    def things(name: str) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(_known(network, name, text) for text in query.getlist(name) if text)
        )

    def expansions(name: str) -> tuple[Expansion, ...]:
        texts = query.getlist(name)[:_EXPANSIONS]
        return tuple(dict.fromkeys(_expansion(network, text) for text in texts))

    folded, shown, cleared = expansions("fold"), things("show"), query.getlist("clear")
    at = query.getlist("at")[-1:]
    ends = (query.get("from", "").strip()[:300], query.get("to", "").strip()[:300])
    given = [_iri(end) for end in ends]
    return _State(
        starts=() if "all" in cleared else things("iri"),
        expansions=()
        if "all" in cleared
        else tuple(each for each in expansions("expand") if each not in folded),
        hidden=()
        if {"all", "hide"} & set(cleared)
        else tuple(each for each in things("hide") if each not in shown),
        without=tuple(
            dict.fromkeys(
                each
                for each in query.getlist("without")
                if each in GROUPS and each not in query.getlist("with") and "all" not in cleared
            )
        ),
        pins=tuple(pin for pin in query.getlist("pin") if len(pin) < 300),
        ends=("", "")
        if {"all", "path"} & set(cleared)
        else (
            given[0] if given[0] and given[0] in network else ends[0],
            given[1] if given[1] and given[1] in network else ends[1],
        ),
        at=_known(network, "at", at[0]) if at and at[0] and "all" not in cleared else None,
        grouped=query.get("group") == "1",
        among=query.get("among") == "1",
    )


_VERBS = ("fold", "show", "clear", "with")


# What programs get


def _record(kept: _Kept, iri: str, language: str) -> dict[str, Any]:
    thing = kept.network.thing(iri)
    return {
        "iri": iri,
        "name": vocab.shorten(iri),
        "address": address_of_thing(iri, language),
        "label": _label(kept, iri, language),
        "class": thing.kind,
        "classLabel": label_in(kept.terms, thing.kind, language) if thing.kind else None,
        "group": thing.group,
    }


def _label(kept: _Kept, iri: str, language: str) -> str:
    names = kept.network.thing(iri).labels
    return names.get(language) or next(iter(names.values()), vocab.shorten(iri))


def _relation_record(kept: _Kept, iri: str, each: Relation, language: str) -> dict[str, Any]:
    links = kept.network.neighbours(iri, each.relation, each.outward)
    return {
        "relation": each.relation,
        "name": vocab.shorten(each.relation),
        "label": label_in(kept.terms, each.relation, language),
        "words": _relation_words(kept, iri, each, language),
        "direction": "out" if each.outward else "in",
        "reach": links[0].reach,
        "count": each.count,
        "inferred": each.inferred,
    }


def _relation_words(kept: _Kept, iri: str, each: Relation, language: str) -> str:
    """Return what a relation leads to, in words that say its direction."""
    label = label_in(kept.terms, each.relation, language)
    if each.outward:
        return label
    links = kept.network.neighbours(iri, each.relation, each.outward)
    things = [kept.network.thing(link.source) for link in links]
    kinds, groups = {thing.kind for thing in things}, {thing.group for thing in things}
    what = {"ja": "もの", "en": "Things"}[language]
    if len(kinds) == 1 and things[0].kind:
        what = label_in(kept.terms, things[0].kind, language)
    elif len(groups) == 1:
        what = GROUPS[things[0].group][language]
    if language == "ja":
        return f"これを「{label}」とする{what}"
    return f"{what} whose “{label}” is this"


def _sources(kept: _Kept, passages: Iterable[str], language: str) -> list[dict[str, Any]]:
    return [
        {
            "iri": iri,
            "label": _label(kept, iri, language),
            "address": address_of_thing(iri, language),
        }
        for iri in passages
    ]


def _neighbours(kept: _Kept, request: Request) -> dict[str, Any]:
    query, language = request.query_params, language_of(request)
    iri = _known(kept.network, "iri", query.get("iri"))
    relations = kept.network.relations(iri)
    answer: dict[str, Any] = {
        "thing": _record(kept, iri, language),
        "relations": [_relation_record(kept, iri, each, language) for each in relations],
    }
    if "relation" not in query:
        return answer
    relation, direction = _iri(query["relation"]), query.get("direction", "out")
    if direction not in ("in", "out") or relation is None:
        raise ProblemError(
            400,
            "parameter",
            f"relation {query['relation']}, direction {direction}: no such relation"
            " / そのような関係はありません。",
            advice="relation=IRI&direction=in|out; /api/neighbours?iri=… lists them"
            " / 一覧は /api/neighbours?iri=… にあります。",
        )
    links = kept.network.neighbours(iri, relation, direction == "out")
    offset = _number(query, "offset", 0, 10**7)
    limit = _number(query, "limit", _PAGE, _MOST)
    shown = links[offset : offset + limit]
    rest = {"iri": iri, "relation": relation, "direction": direction, "lang": language}
    more = offset + limit < len(links)
    return {
        **answer,
        "relation": relation,
        "direction": direction,
        "total": len(links),
        "offset": offset,
        "neighbours": [
            {
                **_record(kept, link.other(iri), language),
                "inferred": link.inferred,
                "sources": _sources(kept, link.passages, language),
            }
            for link in shown
        ],
        "next": "/api/neighbours?"
        + urlencode({**rest, "offset": offset + limit, "limit": limit}, safe=":/")
        if more
        else None,
    }


def _link_record(kept: _Kept, link: Link, language: str) -> dict[str, Any]:
    return {
        "source": link.source,
        "relation": link.relation,
        "relationLabel": label_in(kept.terms, link.relation, language),
        "target": link.target,
        "reach": link.reach,
        "inferred": link.inferred,
        "sources": _sources(kept, link.passages, language),
    }


def _walk(start: str, links: Sequence[Link]) -> list[str]:
    """Return the things along a connection."""
    things = [start]
    for link in links:
        things.append(link.other(things[-1]))
    return things


def _path_record(
    kept: _Kept, ends: Sequence[str], found: Connection, language: str
) -> dict[str, Any]:
    return {
        "from": _record(kept, ends[0], language),
        "to": _record(kept, ends[1], language),
        "length": len(found.paths[0]) if found.paths else None,
        "reach": found.reach,
        "total": found.total,
        "paths": [
            {
                "things": [_record(kept, iri, language) for iri in _walk(ends[0], path)],
                "links": [_link_record(kept, link, language) for link in path],
            }
            for path in found.paths
        ],
    }


def _in_language(said: Iterable[Said], language: str) -> list[Said]:
    """Return statements without texts of the other language."""
    others = set(LANGUAGES) - {language}
    return [
        each
        for each in said
        if not isinstance(each.value, Literal) or each.value.language not in others
    ]


def _facts(
    kept: _Kept, found: Description, listed: Iterable[Said], language: str
) -> list[dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {}
    for said in _in_language(listed, language):
        fact = facts.setdefault(
            said.predicate,
            {
                "relation": said.predicate,
                "label": label_in({**found.labels, **kept.terms}, said.predicate, language),
                "values": [],
            },
        )
        value: dict[str, Any] = {"text": getattr(said.value, "value", "")}
        if isinstance(said.value, NamedNode):
            value = {
                "text": found.label(said.value.value, language),
                "iri": said.value.value,
                "address": address_of_thing(said.value.value, language),
            }
        elif isinstance(said.value, Literal):
            value["language"] = said.value.language
            value["datatype"] = said.value.datatype.value
            value["number"] = is_number(said.value)
        reason = said.reason.get(language) or next(iter(said.reason.values()), None)
        sources = [
            {
                "iri": graph,
                "label": found.label(graph, language),
                "address": address_of_thing(graph, language),
            }
            for graph in said.graphs
        ]
        fact["values"].append({**value, "reason": reason, "sources": sources})
    return list(facts.values())


def _thing_record(kept: _Kept, found: Description, language: str) -> dict[str, Any]:
    return {
        **_record(kept, found.iri, language),
        "labels": dict(found.labels.get(found.iri, {})),
        "classes": [
            {"iri": each, "label": label_in({**found.labels, **kept.terms}, each, language)}
            for each in found.types
        ],
        "facts": _facts(
            kept,
            found,
            (said for listed in found.grouped().values() for said in listed),
            language,
        ),
        "relations": [
            _relation_record(kept, found.iri, each, language)
            for each in kept.network.relations(found.iri)
        ],
    }


def _shown(kept: _Kept, state: _State, connection: Connection | None) -> Shown:
    path = tuple(link for path in connection.paths for link in path) if connection else ()
    ends = tuple(end for end in state.ends if end in kept.network) if connection else ()
    view = View(
        starts=tuple(dict.fromkeys((*state.starts, *ends))),
        expansions=state.expansions,
        hidden=frozenset(state.hidden),
        without=frozenset(state.without),
        path=path,
        among=state.among,
    )
    return kept.network.show(view, SHOWN)


def _connection(kept: _Kept, state: _State) -> Connection | None:
    """Return the connection that is asked for, None where its ends are not both known."""
    if not all(end in kept.network for end in state.ends):
        return None
    return kept.network.connect(*state.ends, _PATHS)


def _file(kept: _Kept, state: _State, language: str, end: str, media_type: str) -> Response:
    shown = _shown(kept, state, _connection(kept, state))
    if end == "json":
        return JSONResponse(_graph_record(kept, shown, language))
    output = io.BytesIO()
    if end == "csv":
        _write_csv(kept, shown, language, output)
    else:
        nodes = [
            Node(
                iri,
                record["label"],
                {"class": record["classLabel"] or "", "group": record["group"]},
            )
            for iri in shown.things
            for record in [_record(kept, iri, language)]
        ]
        edges = [
            Edge(
                link.source,
                link.target,
                label_in(kept.terms, link.relation, language),
                {
                    "relation": link.relation,
                    "certainty": "inferred" if link.inferred else "stated",
                    "sources": " ".join(link.passages),
                },
            )
            for link in shown.links
        ]
        (write_graphml if end == "graphml" else write_gexf)(nodes, edges, output)
    headers = {
        "Content-Disposition": f'attachment; filename="graph.{end}"',
        "Content-Type": media_type,
    }
    return Response(output.getvalue(), headers=headers)


def _graph_record(kept: _Kept, shown: Shown, language: str) -> dict[str, Any]:
    return {
        "things": [_record(kept, iri, language) for iri in shown.things],
        "links": [_link_record(kept, link, language) for link in shown.links],
        "leftOut": shown.left_out,
    }


def _write_csv(kept: _Kept, shown: Shown, language: str, output: io.BytesIO) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    columns = ("source", "sourceLabel", "relation", "relationLabel", "target", "targetLabel")
    writer.writerow([*columns, "certainty", "passages"])
    for link in shown.links:
        row = [link.source, _label(kept, link.source, language), link.relation]
        row += [label_in(kept.terms, link.relation, language), link.target]
        row += [_label(kept, link.target, language), "inferred" if link.inferred else "stated"]
        writer.writerow([*row, " ".join(link.passages)])
    output.write(text.getvalue().encode())


# What people get


async def _page(site: Site, kept: _Kept, request: Request) -> Response:
    language, query = language_of(request), request.query_params
    try:
        state, failure = _state(request, kept.network), None
    except ProblemError as error:
        state, failure = _State(), error
    text = query.get("q", "").strip()
    results = await _search(site, kept, text, language) if text else []
    state, choices = await _resolve(site, kept, state, language)
    connection = await asyncio.to_thread(_connection, kept, state)
    if any(name in query for name in _VERBS) and failure is None:
        return RedirectResponse(state.address(language), 303)
    # A view of thousands of things takes its time; others are answered meanwhile.
    shown = await asyncio.to_thread(_shown, kept, state, connection)
    tree = await asyncio.to_thread(_tree, kept, state, shown, language)
    at = state.at or (shown.things[0] if shown.things else None)
    found = await describe(site.ask, at) if at else None
    names = {each: state.address(language, f".{each}") for each in _FORMATS}
    title = "、".join(_label(kept, iri, language) for iri in state.starts[:3])
    return site.page(
        request,
        "explore.html",
        failure.status if failure else 200,
        failure=failure,
        heading=title or None,
        pairs=state.pairs(),
        text=text,
        results=results,
        asked_at=vocab.shorten(state.at) if state.at else None,
        ends=[_shown_end(kept, end, language) for end in state.ends],
        choices=choices,
        connection=_path_record(kept, state.ends, connection, language) if connection else None,
        tree=tree,
        others=_others(kept, state, shown, language),
        among=state.among,
        shown=shown,
        at=_panel(kept, state, at, found, language) if at and found else None,
        legend=_legend(kept, state, shown, language),
        hidden=[(vocab.shorten(iri), _label(kept, iri, language)) for iri in state.hidden],
        graph=_canvas(kept, shown, connection, at, language),
        formats=names,
        suggestions=_suggestions(kept, language) if not shown.things else [],
        empty=not kept.network.things,
        limit=SHOWN,
    )


def _shown_end(kept: _Kept, end: str, language: str) -> dict[str, str]:
    known = end in kept.network
    return {"text": _label(kept, end, language) if known else end}


async def _search(site: Site, kept: _Kept, text: str, language: str) -> list[dict[str, str | None]]:
    found = (await asyncio.to_thread((await site.index()).search, text)).entries
    known = [entry for entry in found if entry.iri in kept.network]
    return [_choice(entry, language) for entry in known[:_CHOICES]]


def _choice(entry: Entry, language: str) -> dict[str, str | None]:
    return {"name": vocab.shorten(entry.iri), "label": entry.label(language)}


async def _resolve(
    site: Site, kept: _Kept, state: _State, language: str
) -> tuple[_State, list[dict[str, Any]]]:
    """Return a state whose ends are IRIs where only one thing is called so; else the choices."""
    ends, choices = list(state.ends), []
    for place, name in enumerate(("from", "to")):
        text = ends[place]
        if not text or text in kept.network:
            continue
        found = (await asyncio.to_thread((await site.index()).search, text)).entries
        known = [entry for entry in found if entry.iri in kept.network]
        exact = [entry for entry in known if text in entry.labels.values()]
        if len(exact) == 1:
            ends[place] = exact[0].iri
            continue
        choices.append(
            {
                "end": name,
                "text": text,
                "things": [
                    {
                        **_choice(entry, language),
                        "class": _record(kept, entry.iri, language)["classLabel"],
                        "in": _label(kept, where[0], language) if where else None,
                    }
                    for entry in (exact or known)[:_CHOICES]
                    for where in [entry.facets.get("prefecture", ())]
                ],
            }
        )
    return replace(state, ends=(ends[0], ends[1])), choices


def _tree(kept: _Kept, state: _State, shown: Shown, language: str) -> list[dict[str, Any]]:
    """Return the things as a tree: each stands once, under the first thing that led to it."""
    there, seen = set(shown.things), set[str]()
    opened: dict[str, list[Expansion]] = {}
    for each in state.expansions:
        opened.setdefault(each.thing, []).append(each)

    def branch(iri: str, depth: int) -> dict[str, Any]:
        seen.add(iri)
        parts = []
        for each in opened.get(iri, ()) if depth < 40 else ():
            links = kept.network.neighbours(iri, each.relation, each.outward)
            others = [link for link in links if link.other(iri) in there]
            relation = Relation(each.relation, each.outward, len(links), 0)
            new = list(dict.fromkeys(x for x in (o.other(iri) for o in others) if x not in seen))
            seen.update(new)
            guesses = {link.other(iri) for link in others if link.inferred}
            parts.append(
                {
                    "words": _relation_words(kept, iri, relation, language),
                    "fold": _expansion_text(each),
                    "count": len(links),
                    "again": [
                        _label(kept, link.other(iri), language)
                        for link in others
                        if link.other(iri) not in new
                    ],
                    "things": [
                        {**branch(other, depth + 1), "inferred": other in guesses} for other in new
                    ],
                }
            )
        return {**_short(kept, iri, language), "parts": parts, "inferred": False}

    roots = [branch(iri, 0) for iri in shown.things if iri in (*state.starts, *state.ends)]
    return roots + [branch(iri, 0) for iri in shown.things if iri not in seen]


def _others(kept: _Kept, state: _State, shown: Shown, language: str) -> list[dict[str, Any]]:
    """Return the links that are shown and that the tree has no place for."""
    listed = {
        link
        for each in state.expansions
        for link in kept.network.neighbours(each.thing, each.relation, each.outward)
    }
    return [
        {
            "source": _short(kept, link.source, language),
            "label": label_in(kept.terms, link.relation, language),
            "target": _short(kept, link.target, language),
            "inferred": link.inferred,
        }
        for link in shown.links
        if link not in listed
    ]


def _short(kept: _Kept, iri: str, language: str) -> dict[str, Any]:
    thing = kept.network.thing(iri)
    return {
        "name": vocab.shorten(iri),
        "label": _label(kept, iri, language),
        "classLabel": label_in(kept.terms, thing.kind, language) if thing.kind else None,
        "group": thing.group,
    }


def _panel(
    kept: _Kept, state: _State, at: str, found: Description, language: str
) -> dict[str, Any]:
    said = [
        each
        for listed in found.grouped().values()
        for each in listed
        if each.predicate not in _QUIET and isinstance(each.value, Literal)
    ]
    return {
        **_record(kept, at, language),
        "facts": _facts(kept, found, said, language)[:_FACTS],
        "start": at in state.starts,
        "relations": [
            {
                **_relation_record(kept, at, each, language),
                "expansion": _expansion_text(expansion),
                "open": expansion in state.expansions,
            }
            for each in kept.network.relations(at)
            for expansion in [Expansion(at, each.relation, each.outward)]
        ],
    }


def _legend(kept: _Kept, state: _State, shown: Shown, language: str) -> list[dict[str, Any]]:
    counts = dict.fromkeys(GROUPS, 0)
    for iri in shown.things:
        counts[kept.network.thing(iri).group] += 1
    return [
        {
            "group": group,
            "label": GROUPS[group][language],
            "count": count,
            "without": group in state.without,
        }
        for group, count in counts.items()
        if count or group in state.without
    ]


def _canvas(
    kept: _Kept, shown: Shown, connection: Connection | None, at: str | None, language: str
) -> dict[str, Any]:
    """Return what the script draws; links name things by their places."""
    places = {iri: place for place, iri in enumerate(shown.things)}
    path = {link for path in connection.paths for link in path} if connection else set()
    relations = list(dict.fromkeys(link.relation for link in shown.links))
    return {
        "at": vocab.shorten(at) if at else None,
        "things": [
            [thing["name"], thing["label"], thing["classLabel"], thing["group"]]
            for iri in shown.things
            for thing in [_short(kept, iri, language)]
        ],
        "relations": [label_in(kept.terms, relation, language) for relation in relations],
        "links": [
            [
                places[link.source],
                places[link.target],
                relations.index(link.relation),
                int(link.inferred),
                int(link in path),
            ]
            for link in shown.links
        ],
    }


def _suggestions(kept: _Kept, language: str) -> list[dict[str, Any]]:
    """Return where to begin: what has the most links of its kind."""
    degree: dict[str, int] = {}
    for link in kept.network.links:
        if link.reach == "link":
            for end in (link.source, link.target):
                degree[end] = degree.get(end, 0) + 1
    found = []
    for group in ("body", "type", "system", "party"):
        things = [iri for iri in degree if kept.network.thing(iri).group == group]
        things.sort(key=lambda iri: (-degree[iri], iri))
        found.append(
            {
                "label": GROUPS[group][language],
                "things": [_short(kept, iri, language) for iri in things[:4]],
            }
        )
    return found
