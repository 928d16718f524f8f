"""Which file an address of the server becomes; the only place that knows what needs a server.

The name of a file follows from the address alone: ``/doc/body/142069?lang=en`` becomes
``doc/body/142069.en.html``, ``/questions/x?format=csv`` becomes ``questions/x.csv``. Japanese has
no mark, because it is what the server gives to whoever has no wish.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

from digiden_kg import vocab
from digiden_kg.describe import context_iri
from digiden_kg.results import GRAPHS, TABLES, XLSX

SERVER_ONLY = ("/api/", "/data", "/health", "/ready", "/metrics", "/explore.")
"""What makes sense only where a server computes: interfaces for programs, its own state, and files
of what the reader chooses. A path that begins so is left out; links to it say so."""
NARROWED = {"/map": "prefecture", "/statistics": "figure"}
"""Pages with a parameter that has more values than are worth a file each."""
IN_BROWSER = {"/sparql": "/browser-sparql"}
"""What the server computes and the reader's browser can compute too: where it does."""
STAYS_QUERY = ("/search", "/explore", "/compare")
"""Pages whose script reads the parameters itself, so that one file serves them all."""
PAGES_ONLY = ("/reuse",)
"""Pages of which each choice of the reader is published as a page, but not in other formats."""
FORMS = ("/search", "/explore", "/compare")
"""Targets of forms that work without a server; other forms are replaced by a sentence."""
ONE_LANGUAGE = (
    *("/report", "/files/", "/static/", "/search-index/", "/explore/", "/context", "/prefixes"),
    *("/robots.txt", "/sitemap.xml", "/citation.bib", "/datacite.json"),
)
"""What is the same in both languages."""
DATA = ("search-index/meta.json", "compare/")
"""Files of data for scripts, in which what begins with ``/`` is an address."""
ANYWHERE = "404."
"""Start of the names of pages that a host shows at any address, so that links in them are whole."""
PLAIN = {
    "/.well-known/void": "",
    "/.well-known/sparql-examples": "",
    "/prefixes": ".json",
    "/files/SHA256SUMS": "",
}
"""Addresses without an end that are no pages: the end that their files get."""
SEEDS = (
    *("/", "/search", "/search-index/meta.json", "/browser-sparql", "/robots.txt"),
    *("/sitemap.xml", "/context.jsonld", "/citation.bib", "/datacite.json", "/prefixes"),
    *("/404", "/.well-known/void", "/.well-known/sparql-examples", "/preview/site.png"),
    "/" + context_iri().removeprefix(vocab.BASE),
)
"""Where the walk through the site begins, besides every IRI of the graph."""
CITED = ("/id/", "/scheme/", "/source/")
"""Starts of the addresses of things, each of which says how to cite it."""
RDF = tuple(offer.names[0] for offer in GRAPHS)
_ENDS = frozenset(
    {*RDF, *(offer.names[0] for offer in TABLES), XLSX.name}
    | {"html", "txt", "xml", "bib", "json", "css", "js", "svg", "wasm", "png", "ico", "webmanifest"}
    | {"gz", "zst", "zip", "parquet", "sqlite", "graphml", "gexf", "yaml", "rq", "md", "map"}
)
_LANGUAGES = ("ja", "en")
_SAFE = re.compile(r"[A-Za-z0-9_]{1,40}")


class Place(NamedTuple):
    """Where the answer of an address is kept."""

    address: str
    """The one address of the server that gives it."""
    file: str
    """Path of the file, relative to the site."""
    suffix: str = ""
    """Query and fragment that a link keeps."""

    @property
    def meaning(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What is asked for: path and parameters, whichever way the format is asked for."""
        path, _, query = self.address.partition("?")
        stem, _, end = path.rpartition(".")
        pairs = [pair for pair in parse_qsl(query) if pair[0] not in ("format", "lang")]
        return stem if stem and end in _ENDS else path, tuple(pairs)

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people."""
        return self.file.endswith(".html")


@dataclass(frozen=True, slots=True)
class NeedsServer:
    """An address that only a server can answer."""

    address: str


@functools.lru_cache(maxsize=1 << 15)
def place(address: str, language: str) -> Place | NeedsServer:
    """Return where an address (from the root, with ``/``) is kept.

    Args:
        address: Path, query and fragment.
        language: That of the page which links to it, for addresses that name none.
    """
    rest, _, fragment = address.partition("#")
    path, _, query = rest.partition("?")
    path = unquote(path)
    if path in IN_BROWSER:  # its query is long, and already written as a fragment writes it
        pairs = [pair.partition("=") for pair in query.split("&")]
        text = next((value for name, _, value in pairs if name == "query"), "")
        fragment = "query=" + text.replace("+", "%20") if text else fragment
        path = IN_BROWSER[path]
        query = "&".join(f"lang={value}" for name, _, value in pairs if name == "lang")
    given = [(name, value) for name, value in parse_qsl(query) if value]
    if path.startswith("/id/"):
        path = "/doc/" + path.removeprefix("/id/")
    asked = dict(given)
    if path.endswith(".html"):
        path = path.removesuffix(".html")
    language = asked.get("lang", language) if asked.get("lang") in _LANGUAGES else language
    if path.startswith(SERVER_ONLY):
        return NeedsServer(address)
    if NARROWED.get(path, "") in asked:
        return NeedsServer(address)
    wanted = asked.get("format", "").lower()
    kept = [(name, value) for name, value in given if name not in ("lang", "format")]
    suffix = f"#{fragment}" if fragment else ""
    is_other = wanted not in ("", "html")
    if is_other and (path in STAYS_QUERY or (kept and path in PAGES_ONLY)):
        return NeedsServer(address)
    if path in STAYS_QUERY:
        suffix = (f"?{urlencode(kept)}" if kept else "") + suffix
        kept = []
    kept.sort()
    end = "" if wanted == "html" else wanted
    stem = "/index" if path == "/" else path.rstrip("/")
    last = stem.rpartition("/")[2].rpartition(".")
    has_end = bool(last[0]) and last[2] in _ENDS
    if end:
        stem, end = (stem.rpartition(".")[0] if has_end and last[2] == end else stem), f".{end}"
    elif has_end:
        stem, _, found = stem.rpartition(".")
        end = f".{found}"
    else:
        end = PLAIN.get(path, ".html")
    if end.removeprefix(".") in RDF or path.startswith(ONE_LANGUAGE) or path in PLAIN:
        language = _LANGUAGES[0]
    if path.startswith(("/static/", "/files/")):
        kept = []  # a version, for caches
    mark = "" if language == _LANGUAGES[0] else f".{language}"
    return Place(
        _request(path, kept, wanted, language, end), f"{stem[1:]}{_state(kept)}{mark}{end}", suffix
    )


def _request(path: str, kept: list[tuple[str, str]], wanted: str, language: str, end: str) -> str:
    pairs = list(kept)
    if wanted and wanted != "html":
        pairs.append(("format", wanted))
    if language != _LANGUAGES[0] or end == ".html":
        pairs.append(("lang", language))
    return quote(path) + (f"?{urlencode(pairs)}" if pairs else "")


def _state(kept: list[tuple[str, str]]) -> str:
    """Return the part of a file's name that tells pages of one path apart."""
    if not kept:
        return ""
    if len(kept) < 4 and all(_SAFE.fullmatch(each) for pair in kept for each in pair):
        return "".join(f".{name}-{value}" for name, value in kept)
    return "." + hashlib.sha256(urlencode(kept).encode()).hexdigest()[:16]


def relative(file: str, to: str) -> str:
    """Return the address of a file as a page in another file links to it."""
    here, there = file.split("/")[:-1], to.split("/")
    same = 0
    while same < len(here) and same < len(there) - 1 and here[same] == there[same]:
        same += 1
    return quote("/".join([*[".."] * (len(here) - same), *there[same:]]))
