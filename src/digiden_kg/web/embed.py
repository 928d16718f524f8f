"""oEmbed: what a page that links to one of ours shows of it, for programs that write such pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.routing import Match

from digiden_kg import vocab
from digiden_kg.describe import label_in
from digiden_kg.web.cards import PICTURE, add_cards, card_of
from digiden_kg.web.problems import ProblemError
from digiden_kg.web.site import LANGUAGES, Frame, Site, page_route, root_of

_NAME = "DIGIDEN Knowledge Graph"
_WIDTH, _HEIGHT = 800, 480
_NO_PAGES = ("/api/", "/static/", "/files/", "/.well-known/", "/openapi")
_DAY = 86_400


def add_embed(app: FastAPI, site: Site) -> None:
    """Add the oEmbed interface, and the images of pages."""
    add_cards(app, site)

    @page_route(app, "/oembed", site)
    @page_route(app, "/api/oembed", site)
    async def oembed(request: Request) -> Response:
        query = request.query_params
        if query.get("format", "json") != "json":
            detail = "only JSON is offered / JSON だけがあります。"
            raise ProblemError(501, "format", detail, advice="format=json")
        frame = _frame(app, request, query.get("url", ""))
        title = await _title(site, frame)
        width, height = _size(query.get("maxwidth"), _WIDTH), _size(query.get("maxheight"), _HEIGHT)
        content: dict[str, Any] = {
            "version": "1.0",
            "type": "rich",
            "provider_name": _NAME,
            "provider_url": root_of(request) + "/",
            "title": title,
            "cache_age": _DAY,
            "html": frame.code(title, width=str(width), height=height),
            "width": width,
            "height": height,
            "thumbnail_url": frame.picture(),
            "thumbnail_width": PICTURE[0],
            "thumbnail_height": PICTURE[1],
        }
        return JSONResponse(content)


def _frame(app: FastAPI, request: Request, address: str) -> Frame:
    """Return the frame of the page at an address of this site.

    Raises:
        ProblemError: It is none.
    """
    if address.startswith(vocab.BASE + "id/"):  # an IRI stands for its page
        address = "/doc/" + address.removeprefix(vocab.BASE + "id/")
    root, parts = root_of(request), urlsplit(address)
    path = unquote(parts.path) or "/"
    scope = {"type": "http", "method": "GET", "path": path}
    known = any(route.matches(scope)[0] is Match.FULL for route in app.routes)
    here = address.startswith("/") or f"{parts.scheme}://{parts.netloc}" == root
    if not here or parts.path.startswith("//") or not known or path.startswith(_NO_PAGES):
        detail = (
            f"url: {address} is no page of this site / {address} はここのページではありません。"
        )
        raise ProblemError(404, "http", detail, advice=f"url={root}/…")
    pairs = [pair for pair in parse_qsl(parts.query) if pair[0] != "embed"]
    if dict(pairs).get("lang") not in LANGUAGES:
        pairs.append(("lang", LANGUAGES[0]))
    return Frame(root, path, tuple(pairs))


async def _title(site: Site, frame: Frame) -> str:
    language = dict(frame.query)["lang"]
    kind, _, rest = frame.path[1:].partition("/")
    if kind == "questions" and rest:
        return site.question(rest).title[language]
    if kind in ("doc", "scheme", "source") and rest:
        iri = vocab.BASE + (f"id/{rest}" if kind == "doc" else frame.path[1:])
        network = await site.network()
        if iri not in network:
            detail = f"nothing is said of {iri} / {iri} についての記述はありません。"
            raise ProblemError(404, "http", detail, advice="/api/search?q=…")
        return label_in(network.labels, iri, language)
    card = await card_of(site, frame.path, language)
    return card.title if card else _NAME


def _size(text: str | None, usual: int) -> int:
    given = int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else usual
    return max(100, min(usual, given))
