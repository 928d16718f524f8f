"""The graph explorer: things and links, one relation at a time.

What is shown stands in the address: ``iri`` (where it starts), ``expand`` (a thing, ``out`` or
``in``, and a relation), ``hide``, ``without`` (groups such as ``body``, classes such as
``dg:City``), ``from`` and ``to`` (a connection), ``at`` (the thing whose facts are shown),
``among`` (all links between what is shown), ``pin`` and ``group`` (``1`` or ``class``; both for
the canvas alone). ``fold``, ``show``, ``with`` and ``clear`` take something back; an address with
one of them leads to the one without. IRIs may be written with our prefixes (``id:body/142069``).
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pyoxigraph import Literal

from digiden_kg import vocab
from digiden_kg.describe import FIRST, Description
from digiden_kg.export import Edge, Node, write_gexf, write_graphml
from digiden_kg.network import (
    LONGEST,
    REACHES,
    Connection,
    Expansion,
    Network,
    Relation,
    Shown,
    View,
)
from digiden_kg.search import Entry
from digiden_kg.web.linked import GROUPS, PATHS, Linked, iri_of, known_iri, read_linked
from digiden_kg.web.problems import ProblemError
from digiden_kg.web.site import LANGUAGES, Site, language_of, page_route

SHOWN = 2500
"""Things that one view shows."""
_EXPANSIONS = 300
_FACTS = 12
_CHOICES = 8
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
    grouping: str = ""
    among: bool = False

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters of the address, in a fixed order."""
        pairs = [("iri", vocab.shorten(iri)) for iri in self.starts]
        pairs += [("expand", _expansion_text(each)) for each in self.expansions]
        pairs += [("hide", vocab.shorten(iri)) for iri in self.hidden]
        pairs += [("without", vocab.shorten(kind)) for kind in self.without]
        pairs += [
            (name, vocab.shorten(end))
            for name, end in zip(("from", "to"), self.ends, strict=True)
            if end
        ]
        pairs += [("pin", pin) for pin in self.pins]
        pairs += [("group", self.grouping)] if self.grouping else []
        pairs += [("among", "1")] if self.among else []
        return pairs + ([("at", vocab.shorten(self.at))] if self.at else [])

    def address(self, language: str, end: str = "") -> str:
        """Return the address of the page, or of a file by its end (``.graphml``)."""
        query = urlencode([*self.pairs(), ("lang", language)], safe=":/")
        return f"/explore{end}?{query}"


def add_explore(app: FastAPI, site: Site) -> None:
    """Add the graph explorer and its interfaces for programs."""

    @page_route(app, "/explore", site)
    async def explore(request: Request) -> Response:
        return await _page(site, await read_linked(site, language_of(request)), request)

    if site.is_static:

        @page_route(app, "/explore/network.json", site)
        async def network() -> Response:
            return Response(await _network_file(site), media_type="application/json")

        return

    for end, media_type in _FORMATS.items():

        @page_route(app, f"/explore.{end}", site)
        async def file(request: Request, end: str = end, media_type: str = media_type) -> Response:
            linked = await read_linked(site, language_of(request))
            state = _state(request, linked.network)
            return await asyncio.to_thread(_file, linked, state, end, media_type)


async def _network_file(site: Site) -> bytes:
    """Return the network in both languages, for browsers that walk along it without a server.

    What the panel says of a thing they read from its own description. Things are in the order of
    their IRIs, as terms are (those of links and classes first), links in their own; they are named
    by numbers.
    """

    async def make() -> bytes:
        words = [await read_linked(site, language) for language in LANGUAGES]
        return json.dumps(
            _network_record(words), ensure_ascii=False, separators=(",", ":")
        ).encode()

    return await site.kept("network-file", make)


def _network_record(words: Sequence[Linked]) -> dict[str, Any]:
    network = words[0].network
    ends = {end for link in network.links for end in (link.source, link.target)}
    things = {iri: at for at, iri in enumerate(sorted({*network.things, *ends}))}
    kinds = {thing.kind for thing in network.things.values() if thing.kind}
    relations = {link.relation for link in network.links}
    used = kinds | relations
    others = words[0].terms.keys() - used  # which facts may be about
    terms = {iri: at for at, iri in enumerate((*sorted(used), *sorted(others)))}
    groups = list(GROUPS)
    return {
        "prefixes": vocab.PREFIXES,
        "shown": SHOWN,
        "paths": PATHS,
        "longest": LONGEST,
        "groups": [
            [name, [text[each.language] for each in words]] for name, text in GROUPS.items()
        ],
        "panel": {
            "first": FIRST,
            "quiet": sorted(map(vocab.shorten, _QUIET)),
            "facts": _FACTS,
        },
        "terms": [[vocab.shorten(iri), [each.term(iri) for each in words]] for iri in terms],
        "things": [
            [
                vocab.shorten(iri),
                terms[thing.kind] if thing.kind else -1,
                groups.index(thing.group),
                [each.label(iri) for each in words],
            ]
            for iri in things
            for thing in [network.thing(iri)]
        ],
        "links": [
            [
                things[link.source],
                terms[link.relation],
                things[link.target],
                REACHES.index(link.reach),
                int(link.inferred),
                [things[iri] for iri in link.passages],
            ]
            for link in sorted(network.links)
        ],
    }


# What the address says


def _expansion_text(each: Expansion) -> str:
    direction = "out" if each.outward else "in"
    return f"{vocab.shorten(each.thing)} {direction} {vocab.shorten(each.relation)}"


def _expansion(network: Network, text: str) -> Expansion:
    parts = text.split()
    if len(parts) != 3 or parts[1] not in ("in", "out") or iri_of(parts[2]) is None:
        raise ProblemError(
            400,
            "parameter",
            f"expand: {text} is no expansion / {text} は展開ではありません。",
            advice="expand=THING in|out RELATION: id:body/142069 in dg:grantedTo",
        )
    relation = iri_of(parts[2])
    assert relation is not None
    return Expansion(known_iri(network, "expand", parts[0]), relation, parts[1] == "out")


def _state(request: Request, network: Network) -> _State:
    """Return what the address says.

    Raises:
        ProblemError: It names something that is not there.
    """
    query = request.query_params

    def things(name: str) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(known_iri(network, name, text) for text in query.getlist(name) if text)
        )

    def expansions(name: str) -> tuple[Expansion, ...]:
        texts = query.getlist(name)[:_EXPANSIONS]
        return tuple(dict.fromkeys(_expansion(network, text) for text in texts))

    folded, shown, cleared = expansions("fold"), things("show"), query.getlist("clear")
    kinds = {thing.kind for thing in network.things.values()}
    with_again = query.getlist("with")
    at = query.getlist("at")[-1:]
    ends = (query.get("from", "").strip()[:300], query.get("to", "").strip()[:300])
    given = [iri_of(end) for end in ends]
    return _State(
        starts=() if "all" in cleared else things("iri"),
        expansions=()
        if "all" in cleared
        else tuple(each for each in expansions("expand") if each not in folded),
        hidden=()
        if {"all", "hide"} & set(cleared)
        else tuple(each for each in things("hide") if each not in shown),
        without=()
        if "all" in cleared
        else tuple(
            dict.fromkeys(
                kind
                for each in query.getlist("without")
                if each not in with_again
                for kind in [each if each in GROUPS else iri_of(each)]
                if kind and (kind in GROUPS or kind in kinds)
            )
        ),
        pins=tuple(pin for pin in query.getlist("pin") if len(pin) < 300),
        ends=("", "")
        if {"all", "path"} & set(cleared)
        else (
            given[0] if given[0] and given[0] in network else ends[0],
            given[1] if given[1] and given[1] in network else ends[1],
        ),
        at=known_iri(network, "at", at[0]) if at and at[0] and "all" not in cleared else None,
        grouping=next((each for each in ("1", "class") if query.get("group") == each), ""),
        among=query.get("among") == "1",
    )


_VERBS = ("fold", "show", "clear", "with")


def _shown(linked: Linked, state: _State, connection: Connection | None) -> Shown:
    path = tuple(link for path in connection.paths for link in path) if connection else ()
    ends = tuple(end for end in state.ends if end in linked.network) if connection else ()
    view = View(
        starts=tuple(dict.fromkeys((*state.starts, *ends))),
        expansions=state.expansions,
        hidden=frozenset(state.hidden),
        without=frozenset(state.without),
        path=path,
        among=state.among,
    )
    return linked.network.show(view, SHOWN)


def _connection(linked: Linked, state: _State) -> Connection | None:
    """Return the connection that is asked for, None where its ends are not both known."""
    if not all(end in linked.network for end in state.ends):
        return None
    return linked.network.connect(*state.ends, PATHS)


def _file(linked: Linked, state: _State, end: str, media_type: str) -> Response:
    shown = _shown(linked, state, _connection(linked, state))
    if end == "json":
        return JSONResponse(_graph_record(linked, shown))
    output = io.BytesIO()
    if end == "csv":
        _write_csv(linked, shown, output)
    else:
        nodes = [
            Node(
                iri,
                record["label"],
                {"class": record["classLabel"] or "", "group": record["group"]},
            )
            for iri in shown.things
            for record in [linked.thing(iri)]
        ]
        edges = [
            Edge(
                link.source,
                link.target,
                linked.term(link.relation),
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


def _graph_record(linked: Linked, shown: Shown) -> dict[str, Any]:
    return {
        "things": [linked.thing(iri) for iri in shown.things],
        "links": [linked.link(link) for link in shown.links],
        "leftOut": shown.left_out,
    }


def _write_csv(linked: Linked, shown: Shown, output: io.BytesIO) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    columns = ("source", "sourceLabel", "relation", "relationLabel", "target", "targetLabel")
    writer.writerow([*columns, "certainty", "passages"])
    for link in shown.links:
        row = [link.source, linked.label(link.source), link.relation]
        row += [linked.term(link.relation), link.target]
        row += [linked.label(link.target), "inferred" if link.inferred else "stated"]
        writer.writerow([*row, " ".join(link.passages)])
    output.write(text.getvalue().encode())


# What people get


async def _page(site: Site, linked: Linked, request: Request) -> Response:
    language, query = linked.language, request.query_params
    try:
        state, failure = _state(request, linked.network), None
    except ProblemError as error:
        state, failure = _State(), error
    text = query.get("q", "").strip()
    results = await _search(site, linked, text) if text else []
    state, choices = await _resolve(site, linked, state)
    connection = await asyncio.to_thread(_connection, linked, state)
    if any(name in query for name in _VERBS) and failure is None:
        return RedirectResponse(state.address(language), 303)
    # A view of thousands of things takes its time; others are answered meanwhile.
    shown = await asyncio.to_thread(_shown, linked, state, connection)
    tree = await asyncio.to_thread(_tree, linked, state, shown)
    at = state.at or (shown.things[0] if shown.things else None)
    found = await site.describe(at) if at else None
    names = {each: state.address(language, f".{each}") for each in _FORMATS}
    title = {"ja": "、", "en": ", "}[language].join(map(linked.label, state.starts[:3]))
    if more := len(state.starts[3:]):
        title += {"ja": f"、ほか{more}", "en": f" and {more} more"}[language]
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
        ends=[_shown_end(linked, end) for end in state.ends],
        choices=choices,
        connection=linked.connection(state.ends, connection) if connection else None,
        tree=tree,
        others=_others(linked, state, shown),
        among=state.among,
        shown=shown,
        at=_panel(linked, state, at, found) if at and found else None,
        legend=_legend(linked, state, shown),
        hidden=[(vocab.shorten(iri), linked.label(iri)) for iri in state.hidden],
        graph=_canvas(linked, shown, connection, at),
        formats=names,
        suggestions=_suggestions(linked) if not shown.things else [],
        empty=not linked.network.things,
        size=len(await _network_file(site)) if site.is_static else None,
        limit=SHOWN,
    )


def _shown_end(linked: Linked, end: str) -> dict[str, str]:
    known = end in linked.network
    return {"text": linked.label(end) if known else end}


async def _search(site: Site, linked: Linked, text: str) -> list[dict[str, str | None]]:
    found = (await asyncio.to_thread((await site.index()).search, text)).entries
    known = [entry for entry in found if entry.iri in linked.network]
    return [_choice(entry, linked.language) for entry in known[:_CHOICES]]


def _choice(entry: Entry, language: str) -> dict[str, str | None]:
    return {"name": vocab.shorten(entry.iri), "label": entry.label(language)}


async def _resolve(
    site: Site, linked: Linked, state: _State
) -> tuple[_State, list[dict[str, Any]]]:
    """Return a state whose ends are IRIs where only one thing is called so; else the choices."""
    ends, choices = list(state.ends), []
    for place, name in enumerate(("from", "to")):
        text = ends[place]
        if not text or text in linked.network:
            continue
        found = (await asyncio.to_thread((await site.index()).search, text)).entries
        known = [entry for entry in found if entry.iri in linked.network]
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
                        **_choice(entry, linked.language),
                        "class": linked.thing(entry.iri)["classLabel"],
                        "in": linked.label(where[0]) if where else None,
                    }
                    for entry in (exact or known)[:_CHOICES]
                    for where in [entry.facets.get("prefecture", ())]
                ],
            }
        )
    return replace(state, ends=(ends[0], ends[1])), choices


def _tree(linked: Linked, state: _State, shown: Shown) -> list[dict[str, Any]]:
    """Return the things as a tree: each stands once, under the first thing that led to it."""
    there, seen = set(shown.things), set[str]()
    opened: dict[str, list[Expansion]] = {}
    for each in state.expansions:
        opened.setdefault(each.thing, []).append(each)

    def branch(iri: str, depth: int) -> dict[str, Any]:
        seen.add(iri)
        parts = []
        for each in opened.get(iri, ()) if depth < 40 else ():
            links = linked.network.neighbours(iri, each.relation, each.outward)
            others = [link for link in links if link.other(iri) in there]
            relation = Relation(each.relation, each.outward, len(links), 0)
            new = list(dict.fromkeys(x for x in (o.other(iri) for o in others) if x not in seen))
            seen.update(new)
            guesses = {link.other(iri) for link in others if link.inferred}
            parts.append(
                {
                    "words": linked.words(iri, relation),
                    "fold": _expansion_text(each),
                    "count": len(links),
                    "again": [
                        linked.label(link.other(iri))
                        for link in others
                        if link.other(iri) not in new
                    ],
                    "things": [
                        {**branch(other, depth + 1), "inferred": other in guesses} for other in new
                    ],
                }
            )
        return {**_short(linked, iri), "parts": parts, "inferred": False}

    roots = [branch(iri, 0) for iri in shown.things if iri in (*state.starts, *state.ends)]
    return roots + [branch(iri, 0) for iri in shown.things if iri not in seen]


def _others(linked: Linked, state: _State, shown: Shown) -> list[dict[str, Any]]:
    """Return the links that are shown and that the tree has no place for."""
    listed = {
        link
        for each in state.expansions
        for link in linked.network.neighbours(each.thing, each.relation, each.outward)
    }
    return [
        {
            "source": _short(linked, link.source),
            "label": linked.term(link.relation),
            "target": _short(linked, link.target),
            "inferred": link.inferred,
        }
        for link in shown.links
        if link not in listed
    ]


def _short(linked: Linked, iri: str) -> dict[str, Any]:
    thing = linked.network.thing(iri)
    return {
        "name": vocab.shorten(iri),
        "label": linked.label(iri),
        "classLabel": linked.class_label(iri),
        "group": thing.group,
    }


def _panel(linked: Linked, state: _State, at: str, found: Description) -> dict[str, Any]:
    said = [
        each
        for listed in found.grouped().values()
        for each in listed
        if each.predicate not in _QUIET and isinstance(each.value, Literal)
    ]
    return {
        **linked.thing(at),
        "facts": linked.facts(found, said)[:_FACTS],
        "start": at in state.starts,
        "relations": [
            {
                **linked.relation(at, each),
                "expansion": _expansion_text(expansion),
                "open": expansion in state.expansions,
            }
            for each in linked.network.relations(at)
            for expansion in [Expansion(at, each.relation, each.outward)]
        ],
    }


def _legend(linked: Linked, state: _State, shown: Shown) -> list[dict[str, Any]]:
    """Return what stands for what: the groups, and the classes that each of them holds."""
    counts = dict.fromkeys(GROUPS, 0)
    kinds: dict[str, dict[str, int]] = {group: {} for group in GROUPS}
    for thing in map(linked.network.thing, shown.things):
        counts[thing.group] += 1
        if thing.kind:
            kinds[thing.group][thing.kind] = kinds[thing.group].get(thing.kind, 0) + 1
    hidden = set(state.without)
    for thing in linked.network.things.values() if hidden - GROUPS.keys() else ():
        if thing.kind in hidden:
            kinds[thing.group].setdefault(thing.kind, 0)
    return [
        {
            "name": group,
            "label": GROUPS[group][linked.language],
            "count": count,
            "without": group in hidden,
            "classes": [
                {
                    "name": vocab.shorten(kind),
                    "label": linked.term(kind),
                    "count": number,
                    "without": kind in hidden,
                }
                for kind, number in sorted(kinds[group].items(), key=lambda each: -each[1])
            ],
        }
        for group, count in counts.items()
        if count or kinds[group] or group in hidden
    ]


def _canvas(
    linked: Linked, shown: Shown, connection: Connection | None, at: str | None
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
            for thing in [_short(linked, iri)]
        ],
        "relations": [linked.term(relation) for relation in relations],
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


def _suggestions(linked: Linked) -> list[dict[str, Any]]:
    """Return where to begin: what has the most links of its kind."""
    degree: dict[str, int] = {}
    for link in linked.network.links:
        if link.reach == "link":
            for end in (link.source, link.target):
                degree[end] = degree.get(end, 0) + 1
    found = []
    for group in ("body", "type", "system", "party"):
        things = [iri for iri in degree if linked.network.thing(iri).group == group]
        things.sort(key=lambda iri: (-degree[iri], iri))
        found.append(
            {
                "label": GROUPS[group][linked.language],
                "things": [linked.thing(iri) for iri in things[:4]],
            }
        )
    return found
