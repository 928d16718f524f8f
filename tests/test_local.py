"""The engine in this process."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from pyoxigraph import Store

from digiden_kg.engine.local import Local
from digiden_kg.engine.seam import Engine, Query, select
from digiden_kg.exceptions import QuerySyntaxError, ReleaseError
from digiden_kg.results import GRAPHS, TABLES, write_results


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


@pytest.mark.parametrize(
    ("query", "formats"),
    [
        ("SELECT * { ?s ?p ?o OPTIONAL { ?o ?q ?r } } ORDER BY ?s ?p ?o", TABLES),
        ("ASK { ?s ?p 1 }", TABLES[:2]),
        ("CONSTRUCT WHERE { ?s ?p ?o }", GRAPHS),
    ],
)
def test_every_format_says_what_the_store_says(query: str, formats: tuple, tmp_path: Path) -> None:
    text = (
        "<http://e/a> <http://e/p> <http://e/b> .\n"
        '<http://e/b> <http://e/q> "\\"町\\", a\\n"@ja .\n'
        '<http://e/b> <http://e/q> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .\n'
        '<http://e/b> <http://e/q> "01.50"^^<http://www.w3.org/2001/XMLSchema#decimal> .\n'
        '<http://e/b> <http://e/q> "" .\n'
    )
    file = tmp_path / "data.nt"
    file.write_text(text, encoding="utf-8")
    engine, store = Local(file, "r1"), Store()
    store.load(path=file)
    for chosen in formats:
        expected = io.BytesIO()
        write_results(store.query(query), expected, chosen)
        reply = asyncio.run(engine.evaluate(Query(query, format=chosen)))
        assert reply.whole() == expected.getvalue(), chosen.name
