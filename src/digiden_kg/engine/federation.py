"""Federation, where the settings name endpoints: what a query asks of others is asked first.

A worker reaches no network, so this is done in front of an engine: the pattern of each ``SERVICE``
is sent to its endpoint as a query of its own, and its rows take its place in the query, as
``VALUES``. That is what the pattern means (SPARQL 1.1 Federated Query, 2.4 and 4): it is evaluated
by itself, then joined. It does not see what the rest of the query has found, so it must be
selective by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from pyoxigraph import BlankNode

from digiden_kg.engine.remote import Remote
from digiden_kg.engine.seam import Engine, EngineState, Limits, Query, Reply, read_table
from digiden_kg.exceptions import (
    QueryBusy,
    QueryError,
    QueryForbidden,
    QueryLimitError,
    QuerySizeError,
)
from digiden_kg.results import TABLES, Answer
from digiden_kg.syntax import Token, asks_others, tokens

ROWS = 2_000
"""Rows that one endpoint may answer."""
PARTS = 8
"""``SERVICE`` patterns that one query may have."""


class _Own(Engine, Protocol):
    """An engine that is started and ended here."""

    limits: Limits

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


class _Part(NamedTuple):
    """One ``SERVICE``: where it stands in the query, what it asks, and whether it may fail."""

    start: int
    end: int
    endpoint: str
    pattern: str
    silent: bool


class Federated:
    """An engine whose queries may ask others. Use it as an asynchronous context manager."""

    def __init__(self, engine: _Own, endpoints: Sequence[str]) -> None:
        """Put the named endpoints within reach of an engine's queries."""
        self._engine, self._stack = engine, AsyncExitStack()
        self.limits = engine.limits
        bounds = replace(engine.limits, max_rows=ROWS, max_bytes=engine.limits.max_query)
        self._remotes = {each: Remote(each, limits=bounds) for each in endpoints}

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._engine)
        for remote in self._remotes.values():
            await self._stack.enter_async_context(remote)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def release(self) -> str:
        """What it answers from."""
        return self._engine.release

    def state(self) -> EngineState:
        """Say how the engine is."""
        return self._engine.state()

    async def switch(self, dataset: Path, release: str | None = None) -> None:
        """Answer from another dataset; see :class:`digiden_kg.engine.seam.Engine`."""
        await self._engine.switch(dataset, release)

    async def evaluate(self, query: Query) -> Reply:
        """Return an answer; see :class:`digiden_kg.engine.seam.Engine`."""
        self.limits.check_length(query.text)
        if asks_others(query.text):
            query = query._replace(text=await self._resolve(query))
        return await self._engine.evaluate(query)

    async def _resolve(self, query: Query) -> str:
        """Return a query with the answers of others in place of what it asks them."""
        prologue, parts = _read(query.text)
        for part in parts:
            if part.endpoint not in self._remotes:
                raise QueryForbidden(
                    f"SERVICE <{part.endpoint}> is not among the endpoints that may be asked:"
                    f" {', '.join(self._remotes)} / この接続先には問い合わせできません。"
                )
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._ask(part, prologue, query)) for part in parts]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        pieces, end = [], 0
        for part, task in zip(parts, asked, strict=True):
            pieces += [query.text[end : part.start], task.result()]
            end = part.end
        whole = "".join([*pieces, query.text[end:]])
        if len(whole.encode()) > self.limits.max_query:
            raise QuerySizeError("bytes", self.limits.max_query)
        return whole

    async def _ask(self, part: _Part, prologue: str, query: Query) -> str:
        """Return the rows of one endpoint as a group of the query."""
        try:
            text = f"{prologue}SELECT * {part.pattern}"
            limit = self.limits.of_time(query.timeout)
            asked = Query(text, TABLES[0], query.base_iri, timeout=limit, client=query.client)
            return _values(await read_table(await self._remotes[part.endpoint].evaluate(asked)))
        except (QueryError, SyntaxError, ValueError) as error:
            if part.silent:
                return "{ VALUES () { () } }"
            if isinstance(error, QueryLimitError | QueryBusy):
                raise
            raise QueryError(
                f"<{part.endpoint}> gave no table: {error} / 接続先から表を得られませんでした。"
            ) from error


def _values(answer: Answer) -> str:
    """Return a table as a group.

    Raises:
        QueryError: It has blank nodes, which mean nothing elsewhere.
    """
    rows = []
    for row in answer.rows:
        if any(isinstance(term, BlankNode) for term in row):
            raise QueryError(
                "its answer has blank nodes, which cannot be joined; ask for IRIs and literals"
                " / 答えに空白ノードがあり、結合できません。"
            )
        rows.append(f"({' '.join('UNDEF' if term is None else str(term) for term in row)})")
    columns = " ".join(f"?{name}" for name in answer.columns)
    return f"{{ VALUES ({columns}) {{ {' '.join(rows)} }} }}"


def _read(query: str) -> tuple[str, list[_Part]]:
    """Return the declarations of a query and what it asks of others.

    Raises:
        QueryForbidden: An endpoint is not named, or what is asked cannot be told from the text.
    """
    found = list(tokens(query))
    prologue, prefixes = _prologue(query, found)
    parts: list[_Part] = []
    at = 0
    while at < len(found):
        if found[at].kind != "word" or found[at].text.upper() != "SERVICE":
            at += 1
            continue
        first = found[at].start
        at += 1
        silent = at < len(found) and found[at].text.upper() == "SILENT"
        at += silent
        endpoint = _iri(found[at], prefixes) if at < len(found) else None
        close = _closing(found, at + 1)
        if endpoint is None or close is None:
            raise QueryForbidden(
                "write SERVICE <endpoint> { … } with the IRI of one endpoint"
                " / SERVICE <接続先> { … } の形で、接続先のIRIを一つ書いてください。"
            )
        pattern = query[found[at + 1].start : found[close].end]
        if asks_others(pattern):
            raise QueryForbidden(
                "a SERVICE inside another is not asked / SERVICE の中の SERVICE は使えません。"
            )
        parts.append(_Part(first, found[close].end, endpoint, pattern, silent))
        at = close + 1
    if len(parts) > PARTS:
        raise QueryForbidden(
            f"a query may ask at most {PARTS} times / SERVICE は {PARTS} 回までです。"
        )
    return prologue, parts


def _prologue(query: str, found: Sequence[Token]) -> tuple[str, Mapping[str, str]]:
    """Return the text of the declarations of a query, and its prefixes."""
    prefixes: dict[str, str] = {}
    at = 0
    while at < len(found) and found[at].text.upper() in ("PREFIX", "BASE"):
        named = found[at].text.upper() == "PREFIX"
        if named and at + 2 < len(found):
            prefixes[found[at + 1].text] = found[at + 2].text[1:-1]
        at += 3 if named else 2
    return query[: found[at].start] if at < len(found) else "", prefixes


def _iri(token: Token, prefixes: Mapping[str, str]) -> str | None:
    """Return the absolute IRI that a token says."""
    if token.kind == "iri":
        return token.text[1:-1]
    prefix, colon, local = token.text.partition(":")
    namespace = prefixes.get(prefix + colon) if token.kind == "name" else None
    return None if namespace is None else namespace + local


def _closing(found: Sequence[Token], at: int) -> int | None:
    """Return the number of the token that closes the group which one opens."""
    depth = 0
    if at >= len(found) or found[at].text != "{":
        return None
    for number in range(at, len(found)):
        if found[number].kind == "mark":
            depth += {"{": 1, "}": -1}.get(found[number].text, 0)
            if not depth:
                return number
    return None
