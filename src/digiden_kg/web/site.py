"""What every page is made of: the release, the engine, templates, language and tables."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment
from pyoxigraph import Literal, NamedNode

from digiden_kg import vocab
from digiden_kg.engine.seam import Engine, select
from digiden_kg.questions import (
    TERMS_QUERY,
    Choice,
    Parameter,
    Question,
    Text,
    heading,
    read_choices,
    read_terms,
)
from digiden_kg.release import Release
from digiden_kg.results import Answer, Chosen, Term, cell_text, is_number
from digiden_kg.settings import Settings
from digiden_kg.web import description, problems, sparql

LANGUAGES = ("ja", "en")
_SHOWN = 1000
"""Rows that a page shows; the formats give all of them."""
EXAMPLE = vocab.rebase("""\
PREFIX dg: <https://w3id.org/digiden/ontology#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>

SELECT ?project ?projectLabel ?body ?bodyLabel ?projectCost
WHERE {
  ?project a dg:Project ; dg:grantedTo ?body ; dg:projectCost ?projectCost ;
    rdfs:label ?projectLabel .
  ?body rdfs:label ?bodyLabel .
  FILTER(LANG(?projectLabel) = "ja" && LANG(?bodyLabel) = "ja")
}
ORDER BY DESC(?projectCost) ?project
LIMIT 10
""")
"""The query that the start page and the command line offer for a first try."""
ANY_EXAMPLE = """\
SELECT ?thing ?property ?value
WHERE { ?thing ?property ?value }
LIMIT 10
"""
"""The same for data that is not ours."""
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
Route = Callable[..., Awaitable[Response]]


@dataclass(frozen=True)
class Site:
    """What the pages are made of."""

    release: Release
    settings: Settings
    questions: Mapping[str, Question]
    engine: Engine
    templates: Environment
    columns: Mapping[str, Text]
    answers: sparql.Answers
    _choices: dict[str, tuple[Choice, ...]] = field(default_factory=dict)
    _graphs: list[Answer] = field(default_factory=list)
    _terms: dict[str, Text] = field(default_factory=dict)

    async def ask(self, query: str) -> Answer:
        """Return the table of a SELECT query.

        Raises:
            QueryError: It cannot be answered.
        """
        return await select(self.engine, query)

    async def choices(self, parameter: Parameter) -> tuple[Choice, ...]:
        """Return what a parameter may be; a release never changes, so it is asked once."""
        query = parameter.choices_query
        if query is None:
            return ()
        if query not in self._choices:
            self._choices[query] = read_choices((await self.ask(query)).rows)
        return self._choices[query]

    async def sizes(self) -> tuple[int, Mapping[str, int]]:
        """Return the number of triples of the default graph and of each named graph."""
        if not self._graphs:
            self._graphs.append(await self.ask(description.GRAPHS_QUERY))
        return description.sizes(self._graphs[0])

    @property
    def prefixes(self) -> Mapping[str, str]:
        """What the editor declares by itself."""
        return {**vocab.PREFIXES, **self.release.prefixes}

    @property
    def example(self) -> str:
        """A query for a first try."""
        return ANY_EXAMPLE if self.release.is_draft else EXAMPLE

    async def headings(self) -> Mapping[str, Text]:
        """Return what columns are called, by the terms of the ontology or by themselves."""
        if not self._terms:
            self._terms.update(read_terms((await self.ask(TERMS_QUERY)).rows))
            self._terms.update(self.columns)
        return self._terms

    def page(
        self, request: Request, template: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Return a page in the language of the reader."""
        language = language_of(request)
        content = self.templates.get_template(template).render(
            language=language,
            say=lambda ja, en: ja if language == "ja" else en,
            switch={each: address_of(request, lang=each) for each in LANGUAGES},
            release=self.release,
            counts=self.release.counts,
            **values,
        )
        headers = {"Content-Language": language, "Vary": "Accept, Accept-Language"}
        return HTMLResponse(content, status, headers)


def language_of(request: Request) -> str:
    """Return the language of a page: ``?lang=``, else what the browser prefers, else Japanese."""
    asked = request.query_params.get("lang")
    for language in LANGUAGES:
        if asked == language:
            return language
    accepted: list[tuple[str, str]] = re.findall(
        r"([a-zA-Z-]+|\*)\s*(?:;\s*q=([0-9.]+))?", request.headers.get("accept-language", "")
    )
    for tag, _ in sorted(accepted, key=lambda each: -float(each[1].rstrip(".") or "1")):
        primary = tag.partition("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return LANGUAGES[0]


def address_of(request: Request, **changes: str) -> str:
    """Return the address of a request with some parameters changed."""
    pairs = [
        (name, value) for name, value in request.query_params.multi_items() if name not in changes
    ]
    return f"{request.url.path}?{urlencode([*pairs, *changes.items()])}"


def thing_query(iri: str, language: str) -> str:
    """Return the query behind the link of a thing: everything that is said of it."""
    prefixes = "".join(f"PREFIX {name}: <{vocab.PREFIXES[name]}>\n" for name in ("rdfs", "skos"))
    label = f"rdfs:label|skos:prefLabel ?{{0}}Label FILTER(LANG(?{{0}}Label) = '{language}')"
    return f"""{prefixes}
SELECT ?property ?propertyLabel ?value ?valueLabel
WHERE {{
  <{iri}> ?property ?value .
  OPTIONAL {{ ?property {label.format("property")} }}
  OPTIONAL {{ ?value {label.format("value")} }}
}}
ORDER BY ?property ?value"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table on a page."""

    text: str
    address: str | None
    iri: str | None
    number: bool
    language: str | None


def table_of(answer: Answer, language: str, names: Mapping[str, Text]) -> dict[str, Any]:
    """Return a result as a page shows it: an IRI and its label are one cell with a link."""
    columns = answer.columns
    labels = {name: columns.index(f"{name}Label") for name in columns if f"{name}Label" in columns}
    shown = [
        (index, name)
        for index, name in enumerate(columns)
        if name.removesuffix("Label") not in labels or name in labels
    ]
    rows = [
        [_cell(row, index, labels.get(name), language) for index, name in shown]
        for row in answer.rows[:_SHOWN]
    ]
    return {
        "columns": [(name, (heading(name, names) or {}).get(language)) for _, name in shown],
        "numbers": [bool(rows) and all(row[at].number for row in rows) for at in range(len(shown))],
        "rows": rows,
        "total": len(answer.rows),
    }


def _cell(row: tuple[Term | None, ...], index: int, label: int | None, language: str) -> Cell:
    term = row[index]
    shown = row[label] if label is not None and row[label] is not None else term
    text = cell_text(shown)
    if is_number(shown) and re.fullmatch(r"-?[0-9]{5,}", text):
        text = f"{int(text):,}"
    tag = shown.language if isinstance(shown, Literal) else None
    if not isinstance(term, NamedNode):
        return Cell(text, None, None, is_number(term) or term is None, tag)
    if term.value.startswith(vocab.BASE):
        query = thing_query(term.value, language)
        address: str | None = (
            f"/sparql?{urlencode({'format': 'html', 'lang': language, 'query': query})}"
        )
    else:
        address = term.value if term.value.startswith(("http://", "https://")) else None
    return Cell(text, address, vocab.shorten(term.value), False, tag)


def page_route(app: FastAPI, path: str) -> Callable[[Route], Route]:
    """Return a decorator that lets a function answer GET and HEAD."""
    return app.api_route(path, methods=["GET", "HEAD"], response_model=None)


def described(content: bytes, chosen: Chosen) -> Response:
    """Return a description in RDF."""
    headers = {"Content-Type": chosen.content_type, "Vary": "Accept", "Cache-Control": "no-cache"}
    return Response(content, headers=headers)


def file_response(path: Path, media_type: str, headers: dict[str, str]) -> Response:
    """Return a file of a release.

    Raises:
        ProblemError: The release has none.
    """
    if not path.is_file():
        name = path.name
        raise problems.ProblemError(
            404, "http", f"this release has no {name} / このリリースに {name} はありません。"
        )
    return FileResponse(path, media_type=media_type, headers=headers)
