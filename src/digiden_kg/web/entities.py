"""Pages made for one class of things: which class has which, and what each knows.

A page is a template ``entities/NAME.html`` and a query ``queries/pages/entity-NAME.rq``, which
lists the things that the page speaks of, or their statements. What is said of them comes from one
query for all, so a page costs four or five queries whatever it shows. A class without a page of its
own is shown by the statements of the thing alone.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.describe import Description, Labels
from digiden_kg.profiles import Alike, Body, Profiles
from digiden_kg.results import Term
from digiden_kg.web.facts import Fact, Facts, Row, Statements, Thing, mentioned
from digiden_kg.web.maps import PrefectureMap, code_of, names_of_prefectures, prefecture_map
from digiden_kg.web.site import Site, address_of_thing

_PAGES = {
    "dg:LocalGovernment": "body",
    "dg:Project": "project",
    "dg:Service": "service",
    "dg:ModelService": "service-type",
    "dg:DataPlatform": "platform",
    "dg:Organisation": "organisation",
    "dg:UnnamedParty": "organisation",
    "dg:GrantType": "grant-type",
    "dg:Indicator": "indicator",
    "dg:Passage": "passage",
    "qb:Observation": "observation",
    "qb:DataSet": "dataset",
    "dg:Inference": "inference",
    "dg:Correction": "correction",
    "dg:Finding": "finding",
    "dg:GrantRound": "round",
    "dg:GrantProgramme": "round",
    "dg:Requirement": "rule",
    "dg:Limit": "rule",
    "dg:Facility": "part",
    "dg:LinkedSystem": "part",
    "dg:StatedFigure": "part",
    "dg:PlannedStep": "part",
    "dg:IndicatorValue": "part",
    "dg:Consortium": "part",
    "org:Membership": "part",
    "dg:SourceDocument": "document",
    "foaf:Document": "document",
    "skos:ConceptScheme": "scheme",
    "skos:Concept": "concept",
}
"""The page of each class; the first that fits a thing is its own."""
_STATEMENTS = ("subject", "property", "value", "passage")
_FEW = 5
"""Bodies that are compared where neither size nor prefecture decides."""


@dataclass(frozen=True)
class Entity:
    """What the template of a page is given."""

    template: str
    query: str
    """SELECT query whose answer is what the page says."""
    values: dict[str, Any]


async def entity_of(site: Site, found: Description, language: str) -> Entity | None:
    """Return the page of a thing, None where its class has none of its own.

    Raises:
        QueryError: A query could not be answered.
    """
    kinds = set(map(vocab.shorten, found.types))
    name = next((page for kind, page in _PAGES.items() if kind in kinds), None)
    if name is None or site.release.is_draft:
        return None
    made = await site.recent((found.iri, name), lambda: _matter(site, found.iri, name))
    facts = Facts(made.said, made.labels, language, site.terms)
    thing = facts.thing(found.iri)
    values: dict[str, Any] = {"thing": thing, "facts": facts, "reach": made.reach}
    if name == "body":
        own = (await site.profiles()).bodies.get(found.iri)
        values["peers"] = _peers(facts, own, made.basis, made.near)
    elif name == "concept":
        values["uses"] = [
            (facts.thing(property.value), facts.thing(kind.value), int(count.value))
            for property, kind, count in made.uses
            if isinstance(property, NamedNode)
            and isinstance(kind, NamedNode)
            and isinstance(count, Literal)
        ]
    elif name == "passage":
        values["stated"] = _stated(facts, made.rows, thing)
    elif name == "service-type":
        values["adopters"] = _adopters(thing)
        values["map"] = await _map(site, facts, thing)
    values |= {"money": money, "slope": slope}
    return Entity(f"entities/{name}.html", made.query, values)


@dataclass(frozen=True)
class _Matter:
    """What the page of a thing is made of, in every language."""

    query: str
    rows: Sequence[Row]
    said: Statements
    labels: Labels
    reach: Mapping[str, Reach]
    basis: str
    near: Sequence[Alike]
    uses: Sequence[Row]


async def _matter(site: Site, iri: str, name: str) -> _Matter:
    query = site.page_query(f"entity-{name}", thing=[iri])
    answer = await site.ask(query)
    rows = answer.rows
    if answer.columns != _STATEMENTS:
        parts = {iri, *mentioned(rows)}
        query = site.page_query("entity-statements", thing=sorted(parts))
        rows = (await site.ask(query)).rows
    uses: Sequence[Row] = ()
    if name == "concept":
        uses = await site.page_rows("entity-concept-uses", thing=iri)
    iris = {iri, *mentioned(rows), *mentioned(uses)}
    profiles = await site.profiles()
    basis, near = _near(profiles, iri) if name == "body" else ("", [])
    iris |= {each.body.iri for each in near} | {fact.value for each in near for fact in each.more}
    reach = await site.kept("reach", functools.partial(_reach, site, profiles))
    iris |= {kind for each in reach.values() for kind in each.published}
    labels = await site.labels(iris)
    return _Matter(query, rows, Statements(rows), labels, reach, basis, near, uses)


@dataclass(frozen=True, slots=True)
class Money:
    """The national share of a project against its cost and the rule of its type."""

    cost: Decimal | None
    share: Decimal | None
    rate: Decimal | None
    ceiling: Decimal | None
    most: Decimal | None
    """What rate and ceiling allow at most, where the share itself is not stated."""
    length: Decimal
    """What the whole length of a bar stands for."""

    def percent(self, amount: Decimal) -> Decimal:
        """Return where an amount is on the bar."""
        return round(100 * amount / self.length, 2)


def money(project: Thing) -> Money | None:
    """Return the money of a project; None where the document states none."""
    cost, share = (
        fact.number if (fact := project.one(name)) else None
        for name in ("dg:projectCost", "dg:nationalShare")
    )
    if cost is None and share is None:
        return None
    types = [each for each in project.things("dg:grantType") if each.one("dg:rateNumerator")]
    rate = ceiling = None
    if len(types) == 1:
        rule = types[0]
        over, under = rule.one("dg:rateNumerator"), rule.one("dg:rateDenominator")
        rate = over.number / under.number if over and under else None
        limit = rule.one("dg:nationalShareCeiling")
        ceiling = limit.number if limit else None
    basis = project.one("dg:eligibleCost")
    most = None
    if share is None and cost is not None and rate is not None:
        most = (basis.number if basis else cost) * rate
        most = min(most, ceiling) if ceiling is not None else most
    length = max(each for each in (cost, share, ceiling if cost is None else None) if each)
    return Money(cost, share, rate, ceiling, most, length)


@dataclass(frozen=True, slots=True)
class Slope:
    """Two set values of a KPI as heights from 0 to 100; zero is always on the scale."""

    first: Decimal
    last: Decimal
    zero: Decimal
    years: tuple[str, str]


def slope(indicator: Thing) -> Slope | None:
    """Return the line between the values of a KPI, None where there are not two."""
    values = points(indicator)
    if len(values) != 2:
        return None
    (first_year, first), (last_year, last) = values
    top, bottom = max(first, last, Decimal(0)), min(first, last, Decimal(0))
    if top == bottom:
        return None
    heights = [round(100 * (each - bottom) / (top - bottom), 2) for each in (first, last, 0)]
    return Slope(heights[0], heights[1], heights[2], (first_year, last_year))


def points(indicator: Thing) -> list[tuple[str, Decimal]]:
    """Return the years and set values of a KPI."""
    found = []
    for each in indicator.things("dg:hasValue"):
        year, value = each.one("dg:fiscalYear"), each.one("dg:value")
        if year and value:
            found.append((year.text, value.number))
    return sorted(found)


@dataclass(frozen=True)
class Peers:
    """Bodies like one, and what they run that it is not named for."""

    basis: str
    """Why they are like it: ``size``, ``prefecture`` or ``profile``."""
    bodies: list[tuple[Thing, int | None]]
    """With the population that the document states, where it decided."""
    services: list[tuple[Thing, list[tuple[Thing, bool]]]]
    """Types of service, who runs each, and whether the document says so."""
    compare: str | None
    """Address of the comparison with the most alike of them."""


def _near(profiles: Profiles, iri: str) -> tuple[str, list[Alike]]:
    """Return the bodies like one; the few of known size first, then those of its prefecture."""
    own = profiles.bodies.get(iri)
    alike = profiles.alike(own) if own else []
    for basis, chosen in (
        ("size", [each for each in alike if each.sizes]),
        ("prefecture", [each for each in alike if "prefecture" in each.shared]),
    ):
        if chosen:
            return basis, chosen
    return "profile", alike[:_FEW]


def _peers(facts: Facts, own: Body | None, basis: str, near: Sequence[Alike]) -> Peers:
    services: dict[str, list[tuple[Thing, bool]]] = {}
    for each in near:
        for fact in each.more:
            who = (facts.thing(each.body.iri), fact.stated)
            services.setdefault(fact.value, []).append(who)
    found = sorted(services.items(), key=lambda each: (-len(each[1]), each[0]))
    codes = [own.code, *(each.body.code for each in near[:3])] if own and near else []
    asked = urlencode({"lang": facts.language, "body": codes}, doseq=True)
    return Peers(
        basis,
        [(facts.thing(each.body.iri), each.sizes[1] if each.sizes else None) for each in near],
        [(facts.thing(service), users) for service, users in found],
        f"/compare?{asked}" if codes else None,
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a type of service has spread."""

    published: Mapping[str, tuple[int, int]]
    """By grant type: bodies that the document counts, and those of them that it names."""
    named: int
    """Bodies named under any grant type."""


async def _reach(site: Site, profiles: Profiles) -> dict[str, Reach]:
    """Return how far each type of service has spread."""
    named: dict[str, dict[str, set[str]]] = {}
    for use in profiles.uses():
        named.setdefault(use.thing, {}).setdefault(use.type, set()).add(use.body)
    published: dict[str, dict[str, tuple[int, int]]] = {}
    for service, kind, bodies in await site.page_rows("published-adopters"):
        known = named.get(_text(service), {}).get(_text(kind), ())
        counts = int(_text(bodies)), len(known)
        published.setdefault(_text(service), {})[_text(kind)] = counts
    return {
        service: Reach(
            published.get(service, {}), len(set().union(*named.get(service, {}).values()))
        )
        for service in {*named, *published}
    }


async def _map(site: Site, facts: Facts, service: Thing) -> PrefectureMap:
    """Return where the bodies lie that are named for a type of service."""
    inside: dict[str, set[str]] = {}
    for project in service.back("dg:implements"):
        for body in project.things("dg:grantedTo"):
            inside.setdefault(code_of(body.iri), set()).add(body.iri)
    counts = {code: Decimal(len(bodies)) for code, bodies in inside.items()}
    ja = facts.language == "ja"
    prefectures = {
        code: address_of_thing(iri, facts.language) or "#"
        for code, (iri, _) in (await names_of_prefectures(site)).items()
    }
    return await prefecture_map(
        site,
        facts.language,
        counts,
        words=lambda count: f"{count}団体" if ja else f"{count} named",
        link=lambda code: prefectures[code],
    )


@dataclass(frozen=True, slots=True)
class Adopters:
    """Who a published number of bodies is set against."""

    observation: Thing
    published: int
    named: int
    stated: int
    """Those of them that the document itself says of."""


def _adopters(service: Thing) -> list[Adopters]:
    """Return for each published number of adopters how many of them are named."""
    found = []
    for each in service.back("dg:modelService"):
        count, kinds = each.one("dg:bodyCount"), each.things("dg:statisticKind")
        if not count or not any(kind.iri.endswith("/decided") for kind in kinds):
            continue
        of = set(each.things("dg:grantType"))
        named: dict[str, bool] = {}
        for project in service.back("dg:implements"):
            fact = project.fact("dg:implements", service)
            if fact and of & set(project.things("dg:grantType")):
                for body in project.things("dg:grantedTo"):
                    named[body.iri] = named.get(body.iri, False) or fact.inference is None
        found.append(Adopters(each, int(count.text), len(named), sum(named.values())))
    return found


Said = list[tuple[Thing, list[Fact]]]
"""Properties and their values."""


def _stated(
    facts: Facts, rows: Sequence[Row], passage: Thing
) -> list[tuple[str, list[tuple[Thing, Said]]]]:
    """Return by class what a passage states of things."""
    subjects: dict[str, set[str]] = {}
    for subject, property, _, graph in rows:
        if _text(graph) == passage.iri:
            subjects.setdefault(_text(subject), set()).add(_text(property))
    classes: dict[str, list[tuple[Thing, Said]]] = {}
    for iri, properties in sorted(subjects.items()):
        thing = facts.thing(iri)
        said = []
        for name in sorted(properties - {vocab.expand("rdf:type")}):
            values = [each for each in thing.all(name) if passage.iri in each.sources]
            if values:
                said.append((facts.thing(name), values))
        kinds = [each.name for each in thing.things("rdf:type")]
        kind = next((each for each in (*_PAGES, *sorted(kinds)) if each in kinds), "")
        classes.setdefault(kind, []).append((thing, said))
    return sorted(classes.items(), key=lambda each: -len(each[1]))


def _text(term: Term | None) -> str:
    return str(getattr(term, "value", "") or "")
