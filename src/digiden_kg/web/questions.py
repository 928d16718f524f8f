"""The pages of the saved questions, and their answers in every format."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI, Request, Response
from pyoxigraph import Literal, NamedNode

from digiden_kg import metadata, vocab
from digiden_kg.describe import labels_of
from digiden_kg.exceptions import ParameterError, QueryError
from digiden_kg.questions import (
    RESERVED,
    Choice,
    Parameter,
    Question,
    Text,
    describe_query,
    heading,
    read_values,
)
from digiden_kg.results import GRAPHS, HTML, TABLES, XLSX, Answer
from digiden_kg.web import maps, problems, sparql
from digiden_kg.web.site import (
    Cell,
    Site,
    address_of,
    choose,
    language_of,
    page_route,
    root_of,
    table_of,
)
from digiden_kg.web.workbooks import workbook

_FEW = 60
"""Choices up to which a form shows a list to pick from instead of a field to type in."""
_CERTAINTIES = ("stated", "inferred", "uncertain")


@dataclass(frozen=True, slots=True)
class _Field:
    """A parameter in the form of a question."""

    parameter: Parameter
    choices: Sequence[Choice]
    picked: frozenset[str]
    """Names of the choices that hold now."""
    text: str
    """What stands in the field, where it is one to type in."""

    @property
    def few(self) -> bool:
        """Whether it is a list to pick from."""
        return 0 < len(self.choices) <= _FEW and len(self.picked) < 2


def add_questions(app: FastAPI, site: Site) -> None:
    """Add the pages of the saved questions."""

    @page_route(app, "/questions/{slug}", site)
    async def question(request: Request, slug: str) -> Response:
        return await _answer_question(site, request, site.question(slug))


async def _answer_question(site: Site, request: Request, question: Question) -> Response:
    values = {
        name: request.query_params.getlist(name)
        for name in request.query_params
        if name not in RESERVED and (name != "lang" or name in question.parameters)
    }
    # A page unless something else is asked for: an address in a browser or a mail means the page.
    wanted = request.query_params.get("format")
    chosen = choose(request, (HTML, *TABLES, XLSX, *GRAPHS))
    if chosen.format is HTML and "lang" in question.parameters:
        values["lang"] = [language_of(request)]
    listed = {name: await site.choices(each) for name, each in question.parameters.items()}

    def bind() -> str:
        return question.bind(values, lambda parameter: listed[parameter.name])

    if chosen.format is HTML:
        return await _page(site, request, question, values, listed, bind)
    text = bind()
    if chosen.format is XLSX:
        language = language_of(request)
        return await workbook(
            site,
            request,
            text,
            chosen,
            name=question.slug,
            title=question.title[language],
            complete=(question.complete or {}).get(language, ""),
        )
    if chosen.format in GRAPHS:
        things = _things(await site.ask(text))
        text = describe_query(text, things) if things else "CONSTRUCT {} WHERE {}"
    asked = sparql.SparqlRequest(text, download=question.slug if wanted else None)
    return await site.answers.answer(request, asked, chosen)


async def _page(
    site: Site,
    request: Request,
    question: Question,
    values: Mapping[str, Sequence[str]],
    listed: Mapping[str, Sequence[Choice]],
    bind: Callable[[], str],
) -> Response:
    language = language_of(request)
    text, answer, table, error, drawn = question.text, None, None, None, None
    try:
        text = bind()
        answer = await site.ask(text)
        table = table_of(answer, language, await site.headings(), amounts=site.amounts)
        table = await _certain(site, table, language)
        drawn = await _map(site, question, answer, language)
    except QueryError as caught:
        error = caught
    fields = {
        name: _field(parameter, listed[name], values.get(name, ()), language)
        for name, parameter in question.parameters.items()
        if name != "lang"
    }
    pieces = [
        piece if isinstance(piece, str) else fields[piece.name]
        for piece in question.pieces(language)
    ]
    inline = {piece.parameter.name for piece in pieces if isinstance(piece, _Field)}
    spoken = {"lang": language} if "lang" in question.parameters else {}

    def address(format: str) -> str:
        return address_of(request, format=format, **spoken)

    return site.page(
        request,
        "question.html",
        problems.kind_of(error).status if error else 200,
        question=question,
        pieces=pieces,
        others=[each for name, each in fields.items() if name not in inline],
        text=text,
        table=table,
        error=error,
        found=_found(answer, await site.headings(), language) if answer else [],
        certainties=await _certainties(site, answer, language) if answer else [],
        share=_share(answer) if answer else None,
        note=await _note(site, question, answer, language),
        chart=_chart(question, language) if answer and answer.rows else None,
        map=drawn,
        figure=_heading(question, await site.headings(), language),
        formats={offer.name: address(offer.name) for offer in (*TABLES, XLSX)},
        graphs={offer.name: address(offer.name) for offer in GRAPHS[:4]},
        rest=f"{root_of(request)}{address('csv')}",
        here=f"{root_of(request)}{address_of(request)}".rstrip("?"),
        dataset=metadata.TITLE[language],
    )


def _field(
    parameter: Parameter, choices: Sequence[Choice], given: Sequence[str], language: str
) -> _Field:
    texts = [text.strip() for text in given if text.strip()]
    try:
        terms = [term for text in texts for term in read_values(parameter, text, lambda _: choices)]
        known: dict[object, Choice] = {choice.value: choice for choice in choices}
        picked = [known[term] for term in terms or parameter.default if term in known]
    except ParameterError:
        picked = []
    if picked:
        text = ", ".join(choice.caption(language) for choice in picked)
    elif texts:
        text = ", ".join(texts)
    else:
        text = ", ".join(getattr(term, "value", "") for term in parameter.default)
    return _Field(parameter, choices, frozenset(each.name for each in picked), text)


def _things(answer: Answer) -> list[str]:
    """Return the columns that hold things."""
    return [
        name
        for at, name in enumerate(answer.columns)
        if any(isinstance(row[at], NamedNode) for row in answer.rows)
    ]


def _found(answer: Answer, names: Mapping[str, Text], language: str) -> list[tuple[str, int]]:
    """Return how many different things the columns of things hold, the first three of them."""
    found = []
    for name in _things(answer)[:3]:
        at = answer.columns.index(name)
        things = {row[at] for row in answer.rows if isinstance(row[at], NamedNode)}
        found.append(((heading(name, names) or {}).get(language, name), len(things)))
    return found


async def _certainty_names(site: Site, language: str) -> dict[str, str]:
    async def make() -> Mapping[str, Mapping[str, str]]:
        scheme = f"{vocab.BASE}scheme/certainty/"
        return await labels_of(site.ask, [scheme + code for code in _CERTAINTIES])

    labels = await site.kept("certainties", make)
    named = {iri.rpartition("/")[2]: names for iri, names in labels.items()}
    return {code: names.get(language, code) for code, names in named.items()}


def _certainty_columns(columns: Sequence[str]) -> list[int]:
    return [at for at, name in enumerate(columns) if name.lower().endswith("certainty")]


async def _certain(site: Site, table: dict[str, Any], language: str) -> dict[str, Any]:
    """Return a table whose certainties are words, what is not stated marked."""
    columns = _certainty_columns([name for name, _ in table["columns"]])
    names = await _certainty_names(site, language) if columns else {}

    def worded(cell: Cell) -> Cell:
        return replace(
            cell, text=names.get(cell.text, cell.text), guess=cell.text in _CERTAINTIES[1:]
        )

    rows = [
        [worded(cell) if at in columns else cell for at, cell in enumerate(row)]
        for row in table["rows"]
    ]
    return {**table, "rows": rows}


async def _certainties(site: Site, answer: Answer, language: str) -> list[tuple[str, int]]:
    """Return how many rows are stated, inferred, uncertain; nothing where the answer is silent."""
    columns = _certainty_columns(answer.columns)
    if not columns:
        return []
    names = await _certainty_names(site, language)
    counts = Counter(getattr(row[columns[0]], "value", "") for row in answer.rows)
    return [(names.get(code, code), counts[code]) for code in _CERTAINTIES if counts[code]]


async def _note(site: Site, question: Question, answer: Answer | None, language: str) -> str | None:
    """Return what is said of the answer, with the words of the page for what the query calls so."""
    if not question.complete or not answer:
        return None
    headings = await site.headings()
    words = {name: (heading(name, headings) or {}).get(language) for name in answer.columns}
    if _certainty_columns(answer.columns):
        words |= await _certainty_names(site, language)
    marked = "「{}」" if language == "ja" else "“{}”"

    def told(match: re.Match[str]) -> str:
        # "named" and "published" are English words too, besides being columns.
        name = match[0]
        word = words.get(name) if language == "ja" or not name.islower() else None
        return marked.format(word) if word else name

    return re.sub(r"[A-Za-z][A-Za-z0-9]*", told, question.complete[language])


def _share(answer: Answer) -> tuple[int, int] | None:
    """Return how many are named of how many published, where the whole answer has one such pair."""
    if not {"named", "published"} <= set(answer.columns):
        return None
    places = [answer.columns.index(name) for name in ("named", "published")]
    pairs = {tuple(row[at] for at in places) for row in answer.rows}
    if len(pairs) != 1:
        return None
    named, published = pairs.pop()
    if not isinstance(named, Literal) or not isinstance(published, Literal):
        return None
    if not (named.value.isdigit() and published.value.isdigit() and int(published.value)):
        return None
    return int(named.value), int(published.value)


def _heading(question: Question, names: Mapping[str, Text], language: str) -> str:
    """Return what the first figure of the view is called."""
    column = question.view.values[0] if question.view else ""
    return (heading(column, names) or {}).get(language, column) if column else ""


def _chart(question: Question, language: str) -> str | None:
    """Return what the script that draws charts needs to know."""
    view = question.view
    if view is None or view.kind == "map":
        return None
    spec = {
        "kind": view.kind,
        "label": view.label,
        "values": list(view.values),
        "unit": view.unit,
        "top": view.top,
        "sort": view.sort or None,
    }
    return json.dumps({key: value for key, value in spec.items() if value is not None})


async def _map(
    site: Site, question: Question, answer: Answer, language: str
) -> maps.PrefectureMap | None:
    view = question.view
    if view is None or view.kind != "map":
        return None
    place, figure = (answer.columns.index(each) for each in (view.label, view.values[0]))
    return await maps.map_of(site, answer, language, place, figure, view.unit)
