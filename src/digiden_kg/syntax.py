"""The text of queries: tokens, and the ``#+`` header of a query file.

The tokens are enough to find words and slots, not to parse. A word inside a comment, a string or
an IRI is not a word of the query. Everything that looks at query text before the engine does (the
form of a query, the slots of a saved question, a request for federation) asks this module, so
that they all agree on what is text and what is quoted.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from digiden_kg import vocab
from digiden_kg.exceptions import InputError, Problem, QuerySyntaxError

# Linear in the length of any text: nothing backtracks over more than a prefix, and a long string
# that does not end is one to the end of the text. Loops are unrolled, because Python before 3.11.5
# loses its way in a possessive group with alternatives.
_TOKENS = r"""
    (?P<space>\s++|\#[^\n\r]*+)
  | (?P<iri><[^<>"{}|^`\\\x00-\x20]*+
             (?:\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})[^<>"{}|^`\\\x00-\x20]*+)*>)
  | (?P<string>\"\"\"[^"\\]*+(?:(?:\\.|\"(?!\"\"))[^"\\]*+)*(?:\"\"\"|\Z)
              | '''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*(?:'''|\Z)
              | "[^"\\\n\r]*+(?:\\.[^"\\\n\r]*+)*"
              | '[^'\\\n\r]*+(?:\\.[^'\\\n\r]*+)*')
  | (?P<variable>[?$]\w++)
  | (?P<tag>@[A-Za-z]++(?:-[A-Za-z0-9]++)*+)
  | (?P<name>(?:\w[\w.-]{0,99}+(?<!\.))?:
             [\w:.-]*+(?:(?:%[0-9A-Fa-f]{2}|\\[-_~.!$&'()*+,;=/?\#@%])[\w:.-]*+)*)
  | (?P<number>[0-9.]++(?:[eE][+-]?[0-9]++)?)
  | (?P<word>[A-Za-z_]\w*+)
"""
_TOKEN = re.compile(_TOKENS + r"| (?P<mark>\\.|.)", re.VERBOSE | re.DOTALL)
_WORD = re.compile(_TOKENS + r"| \\.", re.VERBOSE | re.DOTALL)
_SERVICE = re.compile(r"\bservice\b")
_ERROR_PLACE = re.compile(r"error at (\d+):(\d+): (.*)", re.DOTALL)
_PLAIN_FORM = re.compile(
    r"(?:\s*+(?ai:PREFIX)\s++[\w-]*+:\s*+<[^<>\"{}|^`\\\x00-\x20]*+>)*+"
    r"\s*+(?P<form>(?ai:SELECT|ASK|CONSTRUCT|DESCRIBE))(?![\w.:-])"
)
"""How most queries begin."""
_QUOTES = re.compile(r"[#\"'\\]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads YAML; libyaml does so many times faster, and is part of most packages of PyYAML."""
_MESSAGE = 200
"""Characters of the parser's list of what it expected."""
_QUERIES = frozenset({"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"})
_UPDATES = frozenset(
    {"INSERT", "DELETE", "WITH", "LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY"}
)


class Token(NamedTuple):
    """A piece of a SPARQL text; ``start`` and ``end`` are offsets into it."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a text without white space and comments."""
    for match in _TOKEN.finditer(text):
        if match.lastgroup and match.lastgroup != "space":
            yield Token(match.lastgroup, match[0], match.start(), match.end())


def words(text: str) -> Iterator[str]:
    """Yield the bare words of a query (keywords and functions) in capitals."""
    # Not by tokens(): making nothing of marks is several times faster.
    return (match[0].upper() for match in _WORD.finditer(text) if match.lastgroup == "word")


def has_word(text: str, *sought: str) -> bool:
    """Return whether a query has one of some words (in capitals)."""
    # Tokens are slow in comparison, so they are read only where the letters occur at all.
    upper = text.upper()
    for word in sought:
        if word in upper:
            return any(word in sought for word in words(text))
    return False


def asks_others(text: str) -> bool:
    """Return whether a query asks other endpoints (``SERVICE``)."""
    # As in has_word, but a name may have these letters: whether they stand alone is soon seen.
    lower = text.lower()
    return "service" in lower and bool(_SERVICE.search(lower)) and "SERVICE" in words(text)


def normalise(text: str) -> str:
    """Return a query with each run of white space and comments as one space.

    Two texts with the same result are the same query. A text in which this module cannot tell for
    sure what is quoted stays as it is.
    """
    # Most are one line (the only white space that is printable is " ") with nothing to leave out.
    bare = text.isprintable() and "  " not in text and text == text.strip()
    if bare and not _QUOTES.search(text):
        return text
    parts: list[str] = []
    end = 0
    for token in tokens(text):
        if token.kind == "mark" and token.text[0] in "\"'\\":
            return text
        if token.start > end and parts:
            parts.append(" ")
        parts.append(token.text)
        end = token.end
    return "".join(parts)


def declare(text: str, prefixes: Mapping[str, str]) -> str:
    """Return a query with declarations of the prefixes that it uses and does not declare."""
    used: set[str] = set()
    declared: set[str] = set()
    before = ""
    for token in tokens(text):
        if token.kind == "name":
            (declared if before == "PREFIX" else used).add(token.text.partition(":")[0])
        before = token.text.upper()
    missing = [name for name in prefixes if name in used - declared]
    lines = "".join(f"PREFIX {name}: <{prefixes[name]}>\n" for name in missing)
    return lines + text


def query_form(text: str) -> str | None:
    """Return SELECT, ASK, CONSTRUCT or DESCRIBE; UPDATE for an update; None for neither."""
    if plain := _PLAIN_FORM.match(text):
        return plain["form"].upper()
    for word in words(text):
        if word in _QUERIES:
            return word
        if word in _UPDATES:
            return "UPDATE"
    return None


def syntax_error(error: SyntaxError) -> QuerySyntaxError:
    """Return an error of pyoxigraph's parser with its line and column."""
    match = _ERROR_PLACE.fullmatch(str(error))
    if not match:
        return QuerySyntaxError(str(error))
    line, column = int(match[1]), int(match[2])
    message = textwrap.shorten(match[3], _MESSAGE, placeholder=" …")
    return QuerySyntaxError(
        f"line {line}, column {column}: {message} / {line}行{column}文字目に構文の誤りがあります。",
        line,
        column,
    )


@dataclass(frozen=True, slots=True)
class QueryFile:
    """A query file: its name, what its header says, where it says it, and the query."""

    name: str
    header: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], int]
    """Line of each key of the header, by its path: ``("params", "service", "class")``."""
    text: str

    def problem(self, key: tuple[str, ...], message: str, remedy: str) -> Problem:
        """Return a problem at a key of the header, or at the nearest key above it."""
        place = key
        while place and place not in self.lines:
            place = place[:-1]
        return Problem(
            self.name, self.lines.get(place, 1), ".".join(key) or None, None, message, remedy
        )


def read_query(path: Path) -> QueryFile:
    """Read a query file; its IRIs are moved to the base of the settings.

    Raises:
        InputError: The file is no UTF-8, or its header is no YAML mapping.
    """
    remedy = "See the headers of the other files of this folder."
    try:
        text = vocab.rebase(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        problem = Problem(path.name, None, None, None, str(error), "Save the file as UTF-8.")
        raise InputError([problem]) from error
    # Lines that are not of the header become empty, so that YAML counts the lines of the file.
    header = "\n".join(
        line[2:].removeprefix(" ") if line.startswith("#+") else "" for line in text.splitlines()
    )
    try:
        node, values = _read_yaml(header)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = f"the header is no YAML: {getattr(error, 'problem', None) or error}"
        line = mark.line + 1 if mark else 1
        raise InputError([Problem(path.name, line, None, None, message, remedy)]) from error
    if not isinstance(values, dict):
        raise InputError([Problem(path.name, 1, None, None, "there is no #+ header", remedy)])
    return QueryFile(path.name, values, dict(_key_lines(node, ())), text)


def _read_yaml(text: str) -> tuple[yaml.Node | None, object]:
    """Return a document as nodes, which know their lines, and as values."""
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node else None
    finally:
        loader.dispose()


def _key_lines(
    node: yaml.Node | None, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*path, str(key.value))
            yield place, key.start_mark.line + 1
            yield from _key_lines(value, place)
