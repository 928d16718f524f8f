"""What works in the reader's browser alone: SPARQL over the dump, search over an index in parts.

A server offers SPARQL in the browser too, for queries that it would stop; a site of files has
nothing else.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from digiden_kg.web.site import Site, page_route


def add_offline(app: FastAPI, site: Site) -> None:
    """Add the pages that compute in the browser."""

    @page_route(app, "/browser-sparql", site)
    async def browser_sparql(request: Request) -> Response:
        return site.page(
            request,
            "browser_sparql.html",
            query=site.example,
            dump="/files/digiden.nq.gz" if site.is_static else "/files/digiden.nq",
            size=site.release.dataset.stat().st_size,
        )
