"""What works in the reader's browser alone: SPARQL over the dump, search over an index in parts.

A server offers SPARQL in the browser too, for queries that it would stop; a site of files has
nothing else.
"""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

from fastapi import FastAPI, Request, Response

from digiden_kg import vocab
from digiden_kg.release import DATASET
from digiden_kg.web.site import Site, page_route
from digiden_kg.web.start import TAGS, by_tag

PACKED = f"{DATASET}.gz"
"""The dataset as a site of files gives it to browsers."""


def add_offline(app: FastAPI, site: Site) -> None:
    """Add the pages that compute in the browser."""

    @page_route(app, "/browser-sparql", site)
    async def browser_sparql(request: Request) -> Response:
        dataset = site.release.dataset
        return site.page(
            request,
            "browser_sparql.html",
            query=site.example,
            dump=f"/files/{PACKED if site.is_static else DATASET}",
            size=len(packed(dataset)) if site.is_static else dataset.stat().st_size,
            base=vocab.BASE,
            prefixes=dict(site.prefixes),
            examples=by_tag(site.questions.values()),
            tags=TAGS,
        )


@functools.lru_cache(maxsize=1)
def packed(dataset: Path) -> bytes:
    """Return a dataset compressed, the same bytes each time."""
    return gzip.compress(dataset.read_bytes(), mtime=0)
