"""The things of a release and the links between them, in memory: neighbours, connections, views.

A release has some ten thousand links and never changes, so the pages that walk along them read
them once. What counts as a link, and how far it carries, is said by ``queries/pages/graph-*.rq``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from digiden_kg.describe import Labels
from digiden_kg.results import Term

REACHES = ("link", "shared", "record")
"""How far a link carries: between two things; by a trait that many have; to what is written."""
LONGEST = 24
"""Links of the longest connection that is looked for."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A node: what it is and what it is called."""

    iri: str
    kind: str | None
    """IRI of its class."""
    group: str
    """What it is shown as: ``body``, ``project``, ``service`` …"""
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A statement between two things, as the graph has it."""

    source: str
    relation: str
    target: str
    reach: str
    inferred: bool
    """Whether it is our conclusion, or follows from one, and no passage states it."""
    passages: tuple[str, ...]
    """Who states it."""

    def other(self, end: str) -> str:
        """Return the thing at its other end."""
        return self.target if end == self.source else self.source


@dataclass(frozen=True, slots=True)
class Relation:
    """All links of one kind that a thing has in one direction."""

    relation: str
    outward: bool
    """Whether the thing is the subject."""
    count: int
    inferred: int
    """How many of them are inferred."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """One relation of a thing that a view shows."""

    thing: str
    relation: str
    outward: bool


@dataclass(frozen=True)
class View:
    """What a reader wants to see."""

    starts: tuple[str, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    hidden: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    """Groups and classes whose things are left out, except those that the view starts from."""
    path: tuple[Link, ...] = ()
    among: bool = False
    """Whether every link between the things is shown, not only those that led to them."""


@dataclass(frozen=True)
class Shown:
    """What a view shows; each link joins two of the things."""

    things: tuple[str, ...]
    links: tuple[Link, ...]
    left_out: int
    """Things that did not fit any more."""


@dataclass(frozen=True)
class Connection:
    """The shortest connections of two things."""

    reach: str | None
    """The weakest kind of link that was needed; None where nothing connects them."""
    total: int
    """How many connections are that short."""
    paths: tuple[tuple[Link, ...], ...]
    """The first of them."""


@dataclass
class Network:
    """Things and links; the links of a thing are in a fixed order."""

    things: Mapping[str, Thing]
    links: Sequence[Link]
    _at: dict[str, dict[tuple[str, bool], list[Link]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Order the links by their ends."""
        for link in sorted(self.links):
            for end, outward in ((link.source, True), (link.target, False)):
                self._at.setdefault(end, {}).setdefault((link.relation, outward), []).append(link)

    def __contains__(self, iri: object) -> bool:
        """Say whether something is one of the things."""
        return iri in self.things or iri in self._at

    @property
    def labels(self) -> Labels:
        """What the things are called."""
        return {iri: thing.labels for iri, thing in self.things.items()}

    def thing(self, iri: str) -> Thing:
        """Return a thing; one of which nothing but links is known is a record without a name."""
        return self.things.get(iri) or Thing(iri, None, "record", {})

    def relations(self, iri: str) -> tuple[Relation, ...]:
        """Return what a thing can be expanded by: links first, then shared traits, then records."""
        found = [
            (REACHES.index(links[0].reach), relation, not outward, links)
            for (relation, outward), links in self._at.get(iri, {}).items()
        ]
        return tuple(
            Relation(relation, not inward, len(links), sum(link.inferred for link in links))
            for _, relation, inward, links in sorted(found, key=lambda each: each[:3])
        )

    def neighbours(self, iri: str, relation: str, outward: bool) -> Sequence[Link]:
        """Return the links of one relation of a thing."""
        return self._at.get(iri, {}).get((relation, outward), [])

    def _outward(self, iri: str) -> Iterable[Link]:
        for (_, outward), links in self._at.get(iri, {}).items():
            if outward:
                yield from links

    def connect(self, start: str, end: str, limit: int = 1) -> Connection:
        """Return the shortest connections of two things.

        Shared traits are used only where links alone do not connect the two; records never.
        """
        for reaches in (REACHES[:1], REACHES[:2]):
            found = self._connect(start, end, limit, reaches)
            if found.paths:
                return found
        return Connection(None, 0, ())

    def _connect(self, start: str, end: str, limit: int, reaches: Sequence[str]) -> Connection:
        steps: dict[str, list[Link]] = {start: []}
        """The links by which each thing is reached soonest."""
        ways, depth, queue = {start: 1}, {start: 0}, deque([start])
        while queue:
            here = queue.popleft()
            if here == end or depth[here] == LONGEST or depth[here] >= depth.get(end, LONGEST):
                break
            nearest: dict[str, Link] = {}
            for links in self._at.get(here, {}).values():
                for link in links:
                    other = link.other(here)
                    known = nearest.get(other)
                    if link.reach in reaches and (known is None or _better(link, known)):
                        nearest[other] = link
            for other, link in sorted(nearest.items()):
                if other not in depth:
                    depth[other], ways[other], steps[other] = depth[here] + 1, 0, []
                    queue.append(other)
                if depth[other] == depth[here] + 1:
                    steps[other].append(link)
                    ways[other] += ways[here]
        if end not in depth:
            return Connection(None, 0, ())
        paths: list[tuple[Link, ...]] = []
        stack: list[tuple[str, tuple[Link, ...]]] = [(end, ())]
        while stack and len(paths) < limit:
            here, rest = stack.pop()
            if here == start:
                paths.append(rest)
            stack += [(link.other(here), (link, *rest)) for link in reversed(steps[here])]
        weakest = max(
            (link.reach for path in paths for link in path), key=REACHES.index, default=""
        )
        return Connection(weakest or REACHES[0], ways[end], tuple(paths))

    def show(self, view: View, limit: int) -> Shown:
        """Return what a view shows, at most so many things."""
        things = dict.fromkeys(iri for iri in view.starts if iri not in view.hidden)
        kept = frozenset(things)
        links: dict[Link, None] = {}
        left_out: set[str] = set()
        wanted = list(view.path)

        def unwanted(iri: str) -> bool:
            thing = self.thing(iri)
            return thing.group in view.without or thing.kind in view.without

        for each in view.expansions:
            wanted += self.neighbours(each.thing, each.relation, each.outward)
        for link in wanted:
            ends = {link.source, link.target}
            if ends & view.hidden or (view.without and any(map(unwanted, ends - kept))):
                continue
            new = {end for end in ends if end not in things}
            if len(things) + len(new) > limit:
                left_out |= new
                continue
            things.update(dict.fromkeys(sorted(new)))
            links[link] = None
        if view.among:
            for iri in things:
                for link in self._outward(iri):
                    if link.target in things and link.reach != REACHES[-1]:
                        links[link] = None
        return Shown(tuple(things), tuple(links), len(left_out - things.keys()))


def _better(link: Link, other: Link) -> bool:
    """Say which of two links between the same things a connection names."""
    return (REACHES.index(link.reach), link.inferred, link) < (
        REACHES.index(other.reach),
        other.inferred,
        other,
    )


Rows = Iterable[Sequence[Term | None]]


def read_network(things: Rows, links: Rows, inferred: Rows) -> Network:
    """Return the network of the rows of ``graph-things``, ``-edges`` and ``-inferred``."""
    found: dict[str, tuple[int, Thing]] = {}
    for row in things:
        thing, kind, group, rank, *names = (_text(term) for term in row)
        known = found.get(thing)
        if known is None or int(rank) < known[0]:
            labels = {tag: name for tag, name in zip(("ja", "en"), names, strict=True) if name}
            found[thing] = (int(rank), Thing(thing, kind, group, labels))
    nodes = {iri: thing for iri, (_, thing) in sorted(found.items())}
    guesses = {tuple(_text(term) for term in row) for row in inferred}
    graphs: dict[tuple[str, str, str], tuple[str, list[str]]] = {}
    for row in links:
        source, relation, target, graph, reach = (_text(term) for term in row)
        graphs.setdefault((source, relation, target), (reach, []))[1].append(graph)
    return Network(
        nodes,
        [
            Link(*ends, reach, ends in guesses and not passages, passages)
            for ends, (reach, said) in sorted(graphs.items())
            for passages in [_passages(said, nodes)]
        ],
    )


def _passages(graphs: Collection[str], things: Mapping[str, Thing]) -> tuple[str, ...]:
    return tuple(sorted({graph for graph in graphs if graph in things}))


def _text(term: Term | None) -> str:
    return str(getattr(term, "value", ""))
