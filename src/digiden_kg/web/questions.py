"""The pages of the saved questions, and their answers in every format."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from digiden_kg.exceptions import QueryError
from digiden_kg.questions import Question
from digiden_kg.results import HTML, TABLES, XLSX
from digiden_kg.web import problems, sparql
from digiden_kg.web.site import Site, address_of, choose, language_of, page_route, table_of
from digiden_kg.web.workbooks import workbook

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
            assert asked.query is not None
            language = language_of(request)
            return await workbook(
                site,
                request,
                asked.query,
                chosen,
                name=question.slug,
                title=question.title[language],
                complete=(question.complete or {}).get(language, ""),
            )
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
