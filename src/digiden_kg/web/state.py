"""How the server is."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from digiden_kg.engine.seam import Query, read_page
from digiden_kg.exceptions import QueryError
from digiden_kg.results import TABLES
from digiden_kg.web import access, problems
from digiden_kg.web.site import Site, page_route

_READY = 2.0
"""Seconds in which an engine that is ready answers."""
_NOW = {"Cache-Control": "no-store"}


def add_state(app: FastAPI, site: Site, sums: access.Sums, readers: str) -> None:
    """Add health, readiness and metrics."""

    @page_route(app, "/health", site)
    async def health() -> Response:
        state = site.engine.state()
        content = {
            "status": "ok" if state.ready else "recovering",
            "release": site.release.name,
            "workers": dict(state.workers),
            "waiting": dict(state.waiting),
            "restarts": dict(state.restarts),
        }
        return JSONResponse(content, headers=_NOW)

    @page_route(app, "/ready", site)
    async def ready(request: Request) -> Response:
        try:
            query = Query("ASK {}", TABLES[0], timeout=_READY)
            await read_page(await site.engine.evaluate(query))
        except QueryError as error:
            return problems.problem(
                request,
                503,
                "not-ready",
                "Not ready / 準備中",
                str(error),
                headers={"Retry-After": "2"},
            )
        return JSONResponse({"status": "ready", "release": site.release.name}, headers=_NOW)

    @page_route(app, "/metrics", site)
    async def metrics(request: Request) -> Response:
        if readers == "off" or (readers == "local" and not access.is_local(request.scope)):
            raise problems.ProblemError(
                403,
                "metrics",
                "metrics are read on the machine itself; DIGIDEN_METRICS changes that"
                " / 計測値はこの機械の上でのみ読めます（DIGIDEN_METRICS で変えられます）。",
            )
        cache, state = site.answers.cache, site.engine.state()
        gauges = {
            "cache_hits_total": cache.hits,
            "cache_misses_total": cache.misses,
            "cache_bytes": cache.bytes,
            "cache_answers": len(cache),
            **{f"workers_{what}": count for what, count in state.workers.items()},
            **{f"waiting_{lane}": count for lane, count in state.waiting.items()},
            **{f"{what}_restarts_total": count for what, count in state.restarts.items()},
        }
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(sums.text(gauges), headers={"Content-Type": content_type, **_NOW})
