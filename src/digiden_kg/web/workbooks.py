"""Answers as workbooks for spreadsheets, with a sheet that says what they are."""

from __future__ import annotations

import io

from fastapi import Request, Response

from digiden_kg.export import write_xlsx
from digiden_kg.questions import heading
from digiden_kg.results import XLSX, Chosen
from digiden_kg.web import sparql
from digiden_kg.web.site import Site, language_of


async def workbook(
    site: Site,
    request: Request,
    query: str,
    chosen: Chosen,
    *,
    name: str,
    title: str,
    complete: str = "",
) -> Response:
    """Return the answer of a query as XLSX, headed in the language of the reader.

    Raises:
        QueryError: It cannot be answered.
    """
    language, names = language_of(request), await site.headings()
    answer = await site.ask(query)
    yen = {"ja": "（円）", "en": " (yen)"}[language]
    output = io.BytesIO()
    write_xlsx(
        answer,
        output,
        title=title,
        headings={
            column: (heading(column, names) or {}).get(language, column)
            + (yen if column in site.amounts else "")
            for column in answer.columns
        },
        notes=[
            ("質問 / Question", title),
            ("完全さ / Completeness", complete),
            ("リリース / Release", site.release.name),
            ("ライセンス / Licence", "CC BY 4.0"),
            ("SPARQL", query),
        ],
    )
    return Response(
        output.getvalue(),
        headers={
            "Content-Type": chosen.content_type,
            "Content-Disposition": sparql.disposition(name, XLSX.name),
            "Vary": "Accept, Accept-Language",
            "Cache-Control": "no-cache",
        },
    )
