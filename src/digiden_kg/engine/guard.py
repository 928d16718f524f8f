"""What is refused by its text alone, before any parser sees it.

Deep nesting ends the process that parses it (the parser recurses, the stack is 8 MiB), so depth is
bounded here. This is no parser: like SPARQL's own tokens it takes ``<2)>`` for an IRI where a
parser may see a comparison. Whoever hides brackets that way gains the end of one worker, no more.

Every step is one pass of a regular expression without backtracking or a built-in over the text:
linear in time, whatever the text (at most 0.12 s for 1 MB, measured on the worst of many).
"""

from __future__ import annotations

import re
from itertools import accumulate

from digiden_kg.exceptions import QueryForbidden, QueryNestingError
from digiden_kg.syntax import asks_others, query_form

DEPTH = 200
"""Brackets that may be open at once; function calls end a worker from about 1,000."""
SHORT = 64 * 1024
"""Characters up to which a text is looked at where it arrives; longer ones are a worker's task."""

# A string that does not end is one to the end of the text: no parser gets past it. Loops are
# unrolled: Python before 3.11.5 loses its way in a possessive group with alternatives.
_QUOTED = re.compile(
    r"""
    \\.
  | \#[^\n\r]*+
  | <[^<>"{}|^`\x00-\x20]*+>
  | \"\"\"[^"\\]*+(?:(?:\\.|\"(?!\"\"))[^"\\]*+)*(?:\"\"\"|\\?\Z)
  | '''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*(?:'''|\\?\Z)
  | "[^"\\\n\r]*+(?:\\.[^"\\\n\r]*+)*+"
  | '[^'\\\n\r]*+(?:\\.[^'\\\n\r]*+)*+'
    """,
    re.VERBOSE | re.DOTALL,
)
_OTHER = re.compile(r"[^(){}\[\]«»]++")
_STEP = {"(": 1, "{": 1, "[": 1, "«": 1, ")": -1, "}": -1, "]": -1, "»": -1}


def depth(query: str) -> int:
    """Return how many brackets are open at once, not counting those in quotes and comments.

    Quoted triples (``<<`` and ``>>``) are brackets too.
    """
    if len(query) <= DEPTH or sum(map(query.count, ("(", "{", "[", "<<"))) <= DEPTH:
        return 0
    bare = _QUOTED.sub(" ", query).replace("«", " ").replace("»", " ")
    brackets = _OTHER.sub("", bare.replace("<<", "«").replace(">>", "»"))
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def inspect(query: str) -> None:
    """Refuse a query by its text.

    Raises:
        QueryNestingError: It is nested too deeply.
        QueryForbidden: It is an update, or asks for federation.
    """
    if depth(query) > DEPTH:
        raise QueryNestingError(DEPTH)
    if asks_others(query):
        raise QueryForbidden(
            "SERVICE is not allowed: this endpoint asks no other"
            " / SERVICE は使えません。このエンドポイントは外部に問い合わせません。"
        )
    if query_form(query) == "UPDATE":
        raise QueryForbidden(
            "updates are not accepted: this endpoint is read-only"
            " / 更新はできません。このエンドポイントは読み取り専用です。"
        )
