"""The engine in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from digiden_kg.engine.local import Local
from digiden_kg.engine.seam import Engine, select
from digiden_kg.exceptions import QuerySyntaxError, ReleaseError


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    file = tmp_path / "data.nt"
    file.write_text("<http://e/a> <http://e/p> <http://e/b> .\n", encoding="utf-8")
    return Local(file, "r1")


def test_it_answers_from_its_dataset(engine: Engine) -> None:
    answer = asyncio.run(select(engine, "SELECT ?o { ?s ?p ?o }"))
    assert [row[0].value for row in answer.rows] == ["http://e/b"]  # type: ignore[union-attr]
    assert engine.state().release == "r1"


def test_a_query_that_is_none_is_named_as_such(engine: Engine) -> None:
    with pytest.raises(QuerySyntaxError):
        asyncio.run(select(engine, "SELECT"))


def test_it_stays_with_its_release(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError):
        asyncio.run(engine.switch(tmp_path))
