"""The query builder: a form whose state is its address, and the SPARQL and answer it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.builder import (
    LIMITS,
    OPERATIONS,
    STEPS,
    WITH_ALTERNATIVES,
    WORDS,
    Condition,
    Model,
    Relation,
    Wish,
    path_key,
    path_label,
    read_model,
    read_wish,
)
from digiden_kg.describe import labels_of
from digiden_kg.exceptions import QueryError
from digiden_kg.results import TABLES, XLSX, Answer
from digiden_kg.web import problems
from digiden_kg.web.maps import any_map
from digiden_kg.web.site import Site, iris_without_names, language_of, page_route, table_of


@dataclass(frozen=True, slots=True)
class _Value:
    """One value that a condition can have."""

    name: str
    label: str
    things: int | None


@dataclass(frozen=True, slots=True)
class _Row:
    """One condition on the page."""

    number: int
    condition: Condition | None
    choices: tuple[tuple[str, tuple[Relation, ...]], ...]
    """The chosen key and what could be chosen, for each step."""
    values: tuple[_Value, ...]


def add_builder(app: FastAPI, site: Site) -> None:
    """Add the page of the builder, and what it offers as JSON."""

    @page_route(app, "/builder", site)
    async def builder(request: Request) -> Response:
        return await _show(site, request)

    @page_route(app, "/api/shapes", site)
    async def shapes(request: Request) -> Response:
        model = await _model(site)
        return JSONResponse(
            {
                "classes": [
                    {
                        "name": kind.key,
                        "label": kind.label,
                        "count": kind.things,
                        "relations": [
                            {
                                "name": each.key,
                                "label": each.label,
                                "kind": each.kind,
                                "class": each.range,
                                "count": each.things,
                                "operations": OPERATIONS[each.kind],
                            }
                            for each in kind.relations.values()
                        ],
                    }
                    for kind in model.kinds.values()
                ],
                "operations": WORDS,
            }
        )


async def _model(site: Site) -> Model:
    async def make() -> Model:
        classes = await site.page_rows("builder-classes")
        relations = await site.page_rows("builder")
        uses = await site.page_rows("builder-uses")
        iris = {
            term.value
            for row in (*(row[:1] for row in classes), *(row[:2] for row in relations))
            for term in row
            if isinstance(term, NamedNode)
        }
        labels = await labels_of(site.ask, sorted(iris))
        return read_model(classes, relations, uses, labels, site.terms)

    return await site.kept("builder", make)


async def _show(site: Site, request: Request) -> Response:
    model, language = await _model(site), language_of(request)
    parameters = {name: request.query_params.getlist(name) for name in request.query_params}
    wish = read_wish(model, parameters)
    if wish is None:
        return site.page(request, "builder.html", model=model, wish=None)
    table = error = drawn = None
    total, rows = 0, []
    try:
        total = _number(await site.ask(wish.count_query()))
        rows = [await _row(site, model, wish, at, language) for at in range(len(wish.conditions))]
        rows.append(_Row(len(rows) + 1, None, _choices(model, wish, ()), ()))
    except QueryError as caught:
        error = caught
    names = {value.name: value.label for row in rows for value in row.values}
    query = wish.query(language, names)
    try:
        if error is None:
            answer = await site.ask(query)
            labels = await labels_of(site.ask, iris_without_names(answer))
            table = table_of(answer, language, await site.headings(), labels)
            drawn = await any_map(site, answer, language)
    except QueryError as caught:
        error = caught
    return site.page(
        request,
        "builder.html",
        problems.kind_of(error).status if error else 200,
        model=model,
        wish=wish,
        rows=rows,
        total=total,
        query=query,
        table=table,
        map=drawn,
        error=error,
        columns=_columns(wish),
        groups=_groups(model, wish),
        limits=LIMITS,
        operations=OPERATIONS,
        words=WORDS,
        with_alternatives=WITH_ALTERNATIVES,
        key=path_key,
        label=path_label,
        addresses={
            offer.name: f"/sparql?{urlencode({'query': query, 'format': offer.name})}"
            for offer in (*TABLES, XLSX)
        },
    )


def _number(answer: Answer) -> int:
    term = answer.rows[0][0]
    return int(term.value) if isinstance(term, Literal) else 0


async def _row(site: Site, model: Model, wish: Wish, at: int, language: str) -> _Row:
    condition = wish.conditions[at]
    values: list[_Value] = []
    if condition.operation == "is":
        found = [
            (value.value, int(number.value))
            for value, number in (await site.ask(wish.values_query(at))).rows
            if isinstance(value, NamedNode) and isinstance(number, Literal)
        ]
        counts = {vocab.shorten(iri): things for iri, things in found}
        for value in () if condition.wrong else condition.values:
            counts.setdefault(vocab.shorten(vocab.expand(value)), 0)
        labels = await labels_of(site.ask, [vocab.expand(name) for name in counts])
        for name, things in counts.items():
            known = labels.get(vocab.expand(name), {})
            label = next(
                (known[each] for each in (language, "ja", "en", "") if each in known), name
            )
            values.append(_Value(name, label, things))
    return _Row(at + 1, condition, _choices(model, wish, condition.steps), tuple(values))


def _choices(
    model: Model, wish: Wish, steps: Sequence[Relation]
) -> tuple[tuple[str, tuple[Relation, ...]], ...]:
    """Return what each select of a row offers; the last is the next step, not chosen yet."""
    choices: list[tuple[str, tuple[Relation, ...]]] = []
    at: str | None = wish.kind.key
    for number in range(STEPS):
        offered = tuple(model.relations(at).values())
        chosen = steps[number] if number < len(steps) else None
        if offered:
            choices.append((chosen.key if chosen else "", offered))
        if chosen is None:
            break
        at = chosen.range
    return tuple(choices)


def _columns(wish: Wish) -> dict[str, tuple[Relation, ...]]:
    """Return the columns that can be shown: every relation, and the paths that are in use."""
    paths = [(each,) for each in wish.kind.relations.values() if each.key != "rdfs:label"]
    used = [*(each.steps for each in wish.conditions), *wish.columns]
    return {path_key(each): each for each in (*paths, *used) if each[-1].key != "rdfs:label"}


def _groups(model: Model, wish: Wish) -> dict[str, tuple[Relation, ...]]:
    """Return the paths by whose values things can be counted."""
    paths: list[tuple[Relation, ...]] = []
    for first in wish.kind.relations.values():
        if first.kind in ("thing", "time"):
            paths.append((first,))
        following = model.relations(first.range).values() if first.range else ()
        paths += [(first, each) for each in following if each.kind == "thing" and not each.inverse]
    used = [each.steps for each in wish.conditions]
    return {path_key(each): each for each in (*paths, *used, wish.by) if each}
