"""How pages of ours look where others show them: what they are called, as words and as an image.

Images are SVG of a template, drawn by resvg with a Japanese font of the machine. Where there is
none, an image in Japanese has no words rather than boxes in their place.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import resvg_py
from fastapi import FastAPI, Request, Response
from pyoxigraph import NamedNode

from digiden_kg import vocab
from digiden_kg.describe import label_in
from digiden_kg.questions import Text
from digiden_kg.web import problems, sparql
from digiden_kg.web.matching import describe_entry, matcher_of
from digiden_kg.web.site import Site, language_of, page_route

_KEPT = 200
"""Images of a release that are kept."""
PICTURE = (1200, 630)
"""Width and height of an image."""
_FOLDERS = (
    *("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    *("/Library/Fonts", "/System/Library/Fonts", "C:/Windows/Fonts"),
)
_FONTS = (
    ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc", "Noto Sans CJK JP"),
    ("NotoSansCJKjp-Regular.otf", "NotoSansCJKjp-Bold.otf", "Noto Sans CJK JP"),
    ("NotoSansJP-Regular.ttf", "NotoSansJP-Bold.ttf", "Noto Sans JP"),
    ("NotoSansJP-Regular.otf", "NotoSansJP-Bold.otf", "Noto Sans JP"),
    ("ipaexg.ttf", "ipaexg.ttf", "IPAexGothic"),
    ("ipag.ttf", "ipag.ttf", "IPAGothic"),
    ("ヒラギノ角ゴシック W3.ttc", "ヒラギノ角ゴシック W6.ttc", "Hiragino Sans"),
    ("YuGothR.ttc", "YuGothB.ttc", "Yu Gothic"),
    ("meiryo.ttc", "meiryob.ttc", "Meiryo"),
)
"""Japanese fonts: files, regular and bold, and the name of the family; the first is taken."""
_PAGES: Mapping[str, Text] = {
    "/": {"ja": "デジタル田園都市国家構想交付金", "en": "Japan's Digital Garden City grants"},
    "/map": {"ja": "都道府県の地図", "en": "Map of the prefectures"},
    "/reuse": {
        "ja": "使い回し：サービスの型 × 都道府県",
        "en": "Reuse: service types by prefecture",
    },
    "/compare": {"ja": "団体・都道府県をくらべる", "en": "Local governments side by side"},
    "/explore": {"ja": "つながりをたどる", "en": "Follow the graph"},
    "/ontology": {"ja": "オントロジー", "en": "Ontology"},
}
"""Pages that are no thing and no question, and what they are called."""
_ABOUT: Text = {
    "ja": "どの団体が、どのサービスを、いくらで、だれと",
    "en": "Who introduced which service, for how much, with whom",
}
_NO_START = "、。，．」』）)]｝】〕・ー…？！ゃゅょっャュョッ"
"""Signs that begin no line."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a page is called where others show it."""

    kind: str
    title: str
    about: str


def add_cards(app: FastAPI, site: Site) -> None:
    """Add the images of pages."""
    drawing = asyncio.Semaphore(1)

    @page_route(app, "/preview/{path:path}.png", site)
    async def preview(request: Request, path: str) -> Response:
        language = language_of(request)
        address = "/" if path == "site" else f"/{path}"
        card = await card_of(site, address, language)
        if card is None:
            raise problems.ProblemError(
                404, "http", f"there is no page /{path} / /{path} というページはありません。"
            )

        async def empty() -> OrderedDict[tuple[str, str], bytes]:
            return OrderedDict()

        kept = await site.kept("previews", empty)
        key = (address, language)
        if key not in kept:
            async with drawing:
                if key not in kept:
                    kept[key] = await asyncio.to_thread(_draw, site, card, language)
        kept.move_to_end(key)
        while len(kept) > _KEPT:
            kept.popitem(last=False)
        content = kept[key]
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "max-age=86400", "Vary": "Accept-Language"}
        if sparql.holds(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="image/png", headers=headers)


async def card_of(site: Site, path: str, language: str) -> Card | None:
    """Return what the page at a path is called, None where there is none."""
    path = unquote(path).rstrip("/") or "/"
    if path in _PAGES:
        return Card("", _PAGES[path][language], _ABOUT[language])
    head, _, rest = path.removeprefix("/").partition("/")
    if head == "questions" and rest in site.questions:
        question = site.questions[rest]
        kind = {"ja": "質問", "en": "Question"}[language]
        return Card(kind, question.title[language], question.summary[language])
    if head in ("doc", "scheme", "source") and rest:
        iri = vocab.BASE + (f"id/{rest}" if head == "doc" else path.removeprefix("/"))
        entry = (await matcher_of(site)).entries.get(iri)
        if entry is not None:
            other = entry.labels.get({"ja": "en", "en": "ja"}[language], "")
            about = await describe_entry(site, entry, language)
            return Card(about, entry.label(language), other)
        try:
            labels = await site.labels([NamedNode(iri).value])
        except ValueError:
            return None
        if labels:
            return Card("", label_in(labels, iri, language), "")
    return None


# Images


@functools.cache
def _font() -> tuple[tuple[str, ...], str] | None:
    """Return the files and the family of a Japanese font of this machine, None without one."""
    names = {name for pair in _FONTS for name in pair[:2]}
    found: dict[str, str] = {}
    for folder in _FOLDERS:
        for path in _files(Path(folder).expanduser()):
            if path.name in names:
                found.setdefault(path.name, str(path))
    for regular, bold, family in _FONTS:
        if regular in found:
            files = dict.fromkeys([found[regular], found.get(bold, found[regular])])
            return tuple(files), family
    return None


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in folder.rglob("*") if path.suffix in (".ttc", ".ttf", ".otf"))
    except OSError:
        return


def _draw(site: Site, card: Card, language: str) -> bytes:
    font = _font()
    size = 72 if _length(card.title) <= 40 else 54
    words = font is not None
    text = (
        site.templates[language]
        .get_template("card.xml")
        .render(
            family=font[1] if font else "sans-serif",
            width=PICTURE[0],
            height=PICTURE[1],
            kind=wrap(card.kind, 60, 1)[0] if words and card.kind else "",
            size=size,
            title=wrap(card.title, 1080 / size * 2 - 2, 4) if words else [],
            about=wrap(card.about, 64, 2) if words and card.about else [],
            foot={
                "ja": "内閣府の資料（令和5年4月）を加工して作成 · CC BY 4.0",
                "en": "Made by processing a document of Japan's Cabinet Office (2023) · CC BY 4.0",
            }[language]
            if words
            else "",
        )
    )
    files = list(font[0]) if font else []
    return bytes(resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True, font_files=files))


def wrap(text: str, width: float, most: int) -> list[str]:
    """Return a text in lines; a Japanese character is two wide, a Latin one about one.

    Japanese breaks anywhere but before closing signs, other text at spaces; what does not fit ends
    in an ellipsis.
    """
    lines = [""]
    for piece in _pieces(text):
        fits = _length(lines[-1] + piece.rstrip()) <= width
        if not fits and lines[-1] and piece[0] not in _NO_START:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    lines = [line.strip() for line in lines]
    if len(lines) > most:
        lines = lines[:most]
        while _length(lines[-1]) > width - 2:
            lines[-1] = lines[-1][:-1]
        lines[-1] += "…"
    return lines


def _pieces(text: str) -> Iterator[str]:
    word = ""
    for each in text:
        if _length(each) == 2:
            if word:
                yield word
            word = ""
            yield each
        else:
            word += each
            if each.isspace():
                yield word
                word = ""
    if word:
        yield word


def _length(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WFA" else 1 for each in text)
