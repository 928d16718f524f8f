"""Makes a page of the server one that works from any folder: links, forms, data for scripts."""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape, unescape

from digiden_kg.publish.addresses import FORMS, IN_BROWSER, NeedsServer, Place, place, relative

_ATTRIBUTE = re.compile(
    r" (href|xlink:href|src|action|formaction|poster|data-[a-z-]+)=\"(/(?!/)[^\"]*)\""
)
"""What may lead somewhere; in texts, quotation marks are escaped. Templates write a space before
every attribute, which is found several times faster than any white space."""
_FORM = re.compile(r"<form\b([^>]*)>.*?</form>", re.DOTALL)
_ACTION = re.compile(r"action=\"([^\"]*)\"")
_SCRIPT = re.compile(r"(<script\b[^>]*type=\"application/json\"[^>]*>)(.*?)(</script>)", re.DOTALL)
_ID = re.compile(r" id=\"([^\"]*)\"")
_LOC = re.compile(r"<loc>([^<]*)</loc>")
_NO_SERVER = {
    "ja": (
        "この欄にはサーバーが要ります。この公開はファイルだけでできています。",
        "ブラウザの中で SPARQL を使う",
        "サーバーのある公開でだけ使えます",
    ),
    "en": (
        "This form needs a server; this site is made of files alone.",
        "Use SPARQL in your browser",
        "Works only where a server runs",
    ),
}


@dataclass
class Found:
    """What a file links to."""

    links: dict[tuple[str, str], Place] = field(default_factory=dict)
    """What it needs, in order: by file, and the id that is meant inside of it."""
    ids: list[str] = field(default_factory=list)
    """What links may point to inside it."""


def rewrite_page(
    text: str, file: str, language: str, prefix: str | None = None
) -> tuple[str, Found]:
    """Return a page whose links lead to files, and what they lead to.

    Args:
        text: The page.
        file: Where it is kept.
        language: Its language.
        prefix: Path of the site on its host, for a page that is shown at any address.
    """
    found = Found()
    to = _linker(file, language, found, prefix)
    text = _FORM.sub(lambda form: _form(form, to, language), text)
    text = _SCRIPT.sub(lambda script: script[1] + _data(script[2], to) + script[3], text)
    text = _ATTRIBUTE.sub(lambda attribute: _attribute(attribute, to, language), text)
    root = prefix or "../" * file.count("/") or "./"
    text = text.replace("<html ", f'<html data-static="{root}" ', 1)
    found.ids = [html.unescape(each) for each in _ID.findall(text)]
    return text, found


Linker = Callable[[str], str | None]


def _linker(file: str, language: str, found: Found, prefix: str | None = None) -> Linker:
    """Return what turns an address into a relative one; None for what needs a server."""
    folder = "" if prefix else file[: file.rfind("/") + 1]

    def to(address: str) -> str | None:
        link = _link(address, language, folder)
        if link is None:
            return None
        target, fragment, where = link
        found.links.setdefault((target.file, fragment), target)
        if prefix:
            return prefix + where
        inside = target.file == file and target.suffix.startswith("#")
        return target.suffix if inside else where

    return to


@functools.lru_cache(maxsize=1 << 15)
def _link(address: str, language: str, folder: str) -> tuple[Place, str, str] | None:
    """Return where an address leads, the id meant there, and how files of a folder link to it."""
    target = place(address, language)
    if isinstance(target, NeedsServer):
        return None
    return target, _fragment(target), relative(folder, target.file) + target.suffix


def _attribute(attribute: re.Match[str], to: Linker, language: str) -> str:
    name, value = attribute.groups()
    address = to(html.unescape(value))
    if address is not None:
        return f' {name}="{html.escape(address)}"'
    if name != "href":
        return ""
    words = html.escape(_NO_SERVER[language][2])
    return f' role="link" aria-disabled="true" title="{words}"'


def _form(form: re.Match[str], to: Linker, language: str) -> str:
    action = _ACTION.search(form[1])
    path = html.unescape(action[1]).partition("?")[0] if action else ""
    if not path.startswith("/") or path in FORMS:
        return form[0]
    sentence, words, _ = _NO_SERVER[language]
    where = html.escape(to(IN_BROWSER["/sparql"]) or "")
    return f'<p class="note no-server">{sentence} <a href="{where}">{words}</a></p>'


def _data(text: str, to: Linker) -> str:
    """Return data for a script with its addresses changed."""
    try:
        content = json.loads(text)
    except ValueError:
        return text
    changed = json.dumps(_walk(content, to), ensure_ascii=False, separators=(",", ":"))
    return changed.replace("<", "\\u003c")


def rewrite_data(text: str, file: str) -> tuple[str, Found]:
    """Return a file of data for a script with its addresses changed, and what it leads to."""
    found = Found()
    return _data(text, _linker(file, "ja", found)), found


def _walk(value: Any, to: Linker) -> Any:
    if isinstance(value, dict):
        return {name: _walk(each, to) for name, each in value.items()}
    if isinstance(value, list):
        return [_walk(each, to) for each in value]
    if isinstance(value, str) and value.startswith("/") and not value.startswith("//"):
        return to(value)
    return value


def rewrite_sitemap(text: str, root: str) -> tuple[str, Found]:
    """Return a sitemap that names files."""
    found = Found()

    def loc(match: re.Match[str]) -> str:
        address = unescape(match[1])
        target = place(address.removeprefix(root) or "/", "ja")
        assert isinstance(target, Place), address
        found.links[target.file, ""] = target
        where = "" if target.file == "index.html" else relative("", target.file)
        return f"<loc>{escape(root)}/{escape(where)}</loc>"

    return _LOC.sub(loc, text), found


def redirect_page(to: str, language: str) -> str:
    """Return a page that leads to another file."""
    words = "移動しました" if language == "ja" else "Moved"
    address = html.escape(to)
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{words} | DIGIDEN Knowledge Graph</title>\n"
        f'<meta http-equiv="refresh" content="0; url={address}">\n'
        f'</head>\n<body><p><a href="{address}">{words}</a></p></body>\n</html>\n'
    )


def _fragment(target: Place) -> str:
    """Return the id that a link points to inside its file; empty where a script reads it."""
    if not target.suffix:
        return ""
    _, mark, fragment = target.suffix.partition("#")
    fragment = unquote(fragment)
    return "" if not mark or "=" in fragment else fragment
