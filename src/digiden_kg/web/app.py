"""The web application: puts the parts together.

It evaluates nothing itself; every query goes to the engine. Pages work without scripts and load
nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digiden_kg.engine.generation import Launched
from digiden_kg.engine.pool import Pool
from digiden_kg.engine.seam import Engine, Limits
from digiden_kg.exceptions import DigidenError
from digiden_kg.release import Release
from digiden_kg.settings import Settings
from digiden_kg.web import access, problems, sparql
from digiden_kg.web.about import add_about
from digiden_kg.web.api import add_api
from digiden_kg.web.atlas import add_atlas
from digiden_kg.web.builder import add_builder
from digiden_kg.web.cache import ResultCache
from digiden_kg.web.compare import add_compare
from digiden_kg.web.datasets import add_datasets
from digiden_kg.web.downloads import Dumps, add_downloads
from digiden_kg.web.embed import add_embed
from digiden_kg.web.endpoint import Direct, add_endpoint
from digiden_kg.web.explore import add_explore
from digiden_kg.web.following import Find, Follower
from digiden_kg.web.inside import ask
from digiden_kg.web.linked import add_linked
from digiden_kg.web.matching import add_matching
from digiden_kg.web.offline import add_offline
from digiden_kg.web.protocol import AtOnce, Begin
from digiden_kg.web.quality import add_quality
from digiden_kg.web.questions import add_questions
from digiden_kg.web.reuse import add_reuse
from digiden_kg.web.search import add_search
from digiden_kg.web.site import LANGUAGES, POLICY, STATIC, Site
from digiden_kg.web.start import add_start
from digiden_kg.web.state import add_state
from digiden_kg.web.statistics import add_statistics
from digiden_kg.web.things import add_things
from digiden_kg.web.vocabularies import add_vocabularies

_POSTED = re.compile(r"/sparql(\.\w+)?|/api/reconcile")
_ALWAYS = (
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"Age, Content-Disposition, ETag, Digiden-Release, Retry-After",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
_POLICY = (b"content-security-policy", POLICY.encode())


class _Headers:
    """Adds to every answer what holds for all of them, and answers OPTIONS."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        access.note_of(scope).release = self._site.release.name

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], *_ALWAYS]
                known = {name for name, _ in headers}
                if b"digiden-release" not in known:
                    headers.append((b"digiden-release", self._site.release.name.encode()))
                if b"content-security-policy" not in known:
                    headers.append(_POLICY)
                message["headers"] = headers
            await send(message)

        if scope["method"] == "OPTIONS":
            allowed = "GET, HEAD, OPTIONS" + (", POST" if _POSTED.fullmatch(scope["path"]) else "")
            headers = {
                "Allow": allowed,
                "Access-Control-Allow-Methods": allowed,
                "Access-Control-Allow-Headers": "Accept, Content-Type, If-None-Match",
                "Access-Control-Max-Age": "86400",
            }
            await Response(status_code=204, headers=headers)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


class _Application(FastAPI):
    """An application with layers of ours around all of the framework's."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.layers: ASGIApp = super().__call__
        """What a request passes through; whoever puts a layer around the others sets it anew."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["app"] = self
        await self.layers(scope, receive, send)


def create_app(
    release: Release,
    settings: Settings,
    *,
    find: Find | None = None,
    pointer: Path | None = None,
    engine: Engine | None = None,
    launched: Launched | None = None,
) -> FastAPI:
    """Return the application that serves a release; ``state.failure`` says why it did not start.

    Args:
        release: What is served.
        settings: Limits of the endpoint, and where the saved questions are.
        find: Says what should be served later; see :mod:`digiden_kg.web.following`.
        pointer: File whose change lets it look again.
        engine: What answers queries; None starts processes of our own. With an engine, the site is
            one that stays behind as files: pages offer what works without a server.
        launched: A zygote of our own processes that has begun to load the release already.

    Raises:
        InputError: A saved question is wrong.
    """
    asked: Engine = engine or _own(release, settings, launched)
    cache = ResultCache(settings.cache << 20)
    answers = sparql.Answers(asked, cache, base_iri=settings.base)
    site = Site(release, settings, asked, answers, is_static=engine is not None)

    follower = Follower(site, find, pointer) if find else None
    dumps = Dumps(site)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, AtOnce | Begin]]:
        async with AsyncExitStack() as stack:
            try:
                if isinstance(asked, AbstractAsyncContextManager):
                    await stack.enter_async_context(asked)
                stack.push_async_callback(site.end)
                await stack.enter_async_context(dumps.kept_ready())
                site.early = functools.partial(_ask_early, app, site)
                site.begin()
                if follower:
                    await stack.enter_async_context(follower.following(settings.admin))
            except (DigidenError, OSError) as error:
                app.state.failure = error
                raise
            yield {
                "at_once": lambda scope: noted.at_once(scope, direct.at_once),
                "begin": lambda scope, otherwise: noted.begin(scope, direct.begin, otherwise),
            }

    app = _Application(lifespan=lifespan, openapi_url=None)
    app.state.failure = None
    app.state.public_url = settings.public_url
    sums = access.Sums()
    direct = Direct(app.layers, site, (*_ALWAYS, _POLICY))
    noted = access.Access(_Headers(direct, site), access.open_log(settings.log), sums)
    app.layers = noted
    problems.install(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    # What is asked for most often comes first, because routes are tried in this order.
    add_endpoint(app, site)
    add_datasets(app, site, dumps)
    add_things(app, site)
    add_start(app, site)
    add_questions(app, site)
    add_builder(app, site)
    add_state(app, site, sums, settings.metrics)
    add_downloads(app, site, dumps)
    add_offline(app, site)
    add_search(app, site)
    add_matching(app, site)
    add_api(app, site)
    add_reuse(app, site)
    add_linked(app, site)
    add_explore(app, site)
    add_embed(app, site)
    for add in (add_compare, add_atlas, add_statistics, add_quality, add_about):
        add(app, site)
    add_vocabularies(app, site)
    return app


EARLY = (
    *("/", "/search", "/map", "/statistics", "/questions", "/reuse", "/compare", "/explore"),
    *("/quality", "/builder", "/ontology", "/api", "/rounds", "/about"),
)
"""Pages that are made before anyone asks for them, in the order in which readers want them."""


async def _ask_early(app: FastAPI, site: Site) -> None:
    """Make pages before anyone asks for them, so that what they are made of is kept."""
    if site.release.is_draft:
        return
    took = 0.0
    for address in EARLY:
        for language in LANGUAGES:
            await asyncio.sleep(max(_PAUSE, took))
            started = time.monotonic()
            with contextlib.suppress(DigidenError):  # whoever asks next is told what is wrong
                await ask(app.router, f"{address}?lang={language}", _HERE, app=app)
            took = time.monotonic() - started


_PAUSE = 0.05
"""Seconds between two of these pages, or as long as one took: readers may be there already."""
_HERE = "http://127.0.0.1"


def _own(release: Release, settings: Settings, launched: Launched | None) -> Engine:
    pool = Pool(
        release.dataset,
        release=release.name,
        workers=settings.workers,
        slow=settings.slow,
        limits=Limits(
            deadline=settings.deadline,
            memory=settings.memory,
            max_rows=settings.max_rows,
            max_bytes=settings.max_bytes,
            queue=settings.queue,
            quick=settings.quick,
            in_memory=settings.in_memory,
        ),
        launched=launched,
    )
    if not settings.federation:
        return pool
    # Not above: what asks others over HTTP takes a tenth of the start, and few need it.
    from digiden_kg.engine.federation import Federated  # noqa: PLC0415

    return Federated(pool, settings.federation)
