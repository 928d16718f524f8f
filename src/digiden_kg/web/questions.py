"""The pages of the saved questions, and their answers in every format."""

from __future__ import annotations

import io

from fastapi import FastAPI, Request, Response

from digiden_kg.exceptions import QueryError
from digiden_kg.export import write_xlsx
from digiden_kg.questions import Question, heading
from digiden_kg.results import HTML, TABLES, XLSX, Chosen
from digiden_kg.web import problems, sparql
from digiden_kg.web.site import Site, address_of, choose, language_of, page_route, table_of

_FEW = 60
"""Choices up to which a form shows a list to pick from instead of a field to type in."""


def add_questions(app: FastAPI, site: Site) -> None:
    """Add the pages of the saved questions."""

    @page_route(app, "/questions/{slug}", site)
    async def question(request: Request, slug: str) -> Response:
        return await _answer_question(site, request, site.question(slug))


async def _answer_question(site: Site, request: Request, question: Question) -> Response:
    values = {
        name: request.query_params.getlist(name)
        for name in request.query_params
        if name != "format" and (name != "lang" or name in question.parameters)
    }
    # A page unless something else is asked for: an address in a browser or a mail means the page.
    wanted, chosen = request.query_params.get("format"), choose(request, (HTML, *TABLES, XLSX))
    if chosen.format is HTML and "lang" in question.parameters:
        values["lang"] = [language_of(request)]
    listed = {name: await site.choices(each) for name, each in question.parameters.items()}

    def bind() -> str:
        return question.bind(values, lambda parameter: listed[parameter.name])

    if chosen.format is not HTML:
        asked = sparql.SparqlRequest(bind(), download=question.slug if wanted else None)
        if chosen.format is XLSX:
            return await _workbook(site, request, question, asked, chosen)
        return await site.answers.answer(request, asked, chosen)
    text, table, error = question.text, None, None
    try:
        text = bind()
        found = await site.ask(text)
        table = table_of(found, language_of(request), await site.headings())
    except QueryError as caught:
        error = caught
    return site.page(
        request,
        "question.html",
        problems.kind_of(error).status if error else 200,
        question=question,
        values={name: ", ".join(given) for name, given in values.items()},
        choices=listed,
        few=_FEW,
        text=text,
        table=table,
        error=error,
        formats={offer.name: address_of(request, format=offer.name) for offer in (*TABLES, XLSX)},
    )


async def _workbook(
    site: Site,
    request: Request,
    question: Question,
    asked: sparql.SparqlRequest,
    chosen: Chosen,
) -> Response:
    """Return the answer as XLSX, with a sheet that says what it is."""
    assert asked.query is not None
    language, names = language_of(request), await site.headings()
    answer = await site.ask(asked.query)
    output = io.BytesIO()
    write_xlsx(
        answer,
        output,
        title=question.title[language],
        headings={
            column: (heading(column, names) or {}).get(language, column)
            for column in answer.columns
        },
        notes=[
            ("質問 / Question", question.title[language]),
            ("完全さ / Completeness", (question.complete or {}).get(language, "")),
            ("リリース / Release", site.release.name),
            ("ライセンス / Licence", "CC BY 4.0"),
            ("SPARQL", asked.query),
        ],
    )
    return Response(
        output.getvalue(),
        headers={
            "Content-Type": chosen.content_type,
            "Content-Disposition": sparql.disposition(question.slug, XLSX.name),
            "Vary": "Accept, Accept-Language",
            "Cache-Control": "no-cache",
        },
    )
