"""Formats: which one a client gets, and what it looks like."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyoxigraph import Literal, Store, parse, parse_query_results
from rich.cells import cell_len

from digiden_kg.exceptions import FormatError
from digiden_kg.questions import evaluate
from digiden_kg.results import (
    GRAPHS,
    HTML,
    TABLES,
    Answer,
    Format,
    RowCount,
    find_format,
    formats_of,
    negotiate,
    table_text,
    write_results,
)

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("form", "accept", "media_type"),
    [
        ("SELECT", None, "application/sparql-results+json"),
        ("SELECT", "", "application/sparql-results+json"),
        ("SELECT", "*/*", "application/sparql-results+json"),
        ("SELECT", "*", "application/sparql-results+json"),
        ("SELECT", "text/*", "text/csv"),
        ("SELECT", "application/*", "application/sparql-results+json"),
        ("SELECT", "application/json", "application/json"),
        ("SELECT", "APPLICATION/SPARQL-RESULTS+XML", "application/sparql-results+xml"),
        ("SELECT", "text/csv;q=0.5, text/tab-separated-values", "text/tab-separated-values"),
        ("SELECT", "text/csv, text/tab-separated-values", "text/csv"),
        ("SELECT", "text/tab-separated-values, text/csv", "text/tab-separated-values"),
        ("SELECT", "text/csv, */*", "text/csv"),
        ("SELECT", "*/*, text/csv", "text/csv"),
        ("SELECT", "text/csv;q=0.1, */*;q=0.2", "application/sparql-results+json"),
        ("SELECT", "text/*;q=1, text/csv;q=0", "text/tab-separated-values"),
        (
            "SELECT",
            "*/*;q=0.5, application/sparql-results+json;q=0",
            "application/sparql-results+xml",
        ),
        ("SELECT", "text/csv; q=0.000, application/xml; q=0.001", "application/xml"),
        ("SELECT", 'text/csv;note="a,b;q=0"', "text/csv"),
        ("SELECT", "text/csv;q=2, application/xml;q=0.1", "application/xml"),
        ("SELECT", "text/turtle, application/xml", "application/xml"),
        ("SELECT", "nonsense, text/csv", "text/csv"),
        ("ASK", "text/xml", "text/xml"),
        ("CONSTRUCT", None, "text/turtle"),
        ("CONSTRUCT", "application/json", "application/json"),
        ("CONSTRUCT", 'application/ld+json;profile="http://e/"', "application/ld+json"),
        ("DESCRIBE", "text/plain", "text/plain"),
        ("DESCRIBE", "application/sparql-results+xml, application/rdf+xml", "application/rdf+xml"),
        ("CONSTRUCT", "text/rdf+n3, application/n-triples", "text/rdf+n3"),
        ("CONSTRUCT", "application/n-quads", "application/n-quads"),
        ("CONSTRUCT", "application/trig;q=0.9, text/turtle;q=0.8", "application/trig"),
        (None, "text/csv", "text/csv"),
    ],
)
def test_negotiation(form: str | None, accept: str | None, media_type: str) -> None:
    assert negotiate(formats_of(form), accept).media_type == media_type


def test_a_browser_gets_a_page_where_there_is_one() -> None:
    assert negotiate((*TABLES, HTML), BROWSER).format is HTML
    assert negotiate(TABLES, BROWSER).media_type == "application/xml"
    assert negotiate((*TABLES, HTML), "*/*").format.name == "json"


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "*/*;q=0", "text/turtle"])
def test_what_cannot_be_given_is_listed(accept: str) -> None:
    with pytest.raises(FormatError) as caught:
        negotiate(TABLES, accept)
    assert caught.value.available == tuple(offer.media_types[0] for offer in TABLES)


@pytest.mark.parametrize(
    ("form", "name", "media_type"),
    [
        ("SELECT", "json", "application/sparql-results+json"),
        ("SELECT", "XML", "application/sparql-results+xml"),
        ("SELECT", "text/csv", "text/csv"),
        ("CONSTRUCT", "json", "application/ld+json"),
        ("CONSTRUCT", "xml", "application/rdf+xml"),
        ("CONSTRUCT", "turtle", "text/turtle"),
        ("CONSTRUCT", "application/n-triples", "application/n-triples"),
    ],
)
def test_a_format_by_name(form: str, name: str, media_type: str) -> None:
    assert find_format(formats_of(form), name).media_type == media_type


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(FormatError, match="json, xml, csv, tsv"):
        find_format(TABLES, "turtle")


def test_text_has_a_charset() -> None:
    assert negotiate(TABLES, "text/csv").content_type == "text/csv; charset=utf-8"
    assert negotiate(TABLES, None).content_type == "application/sparql-results+json"


@pytest.mark.parametrize("offer", TABLES, ids=lambda offer: offer.name)
def test_tables_are_written(tiny_store: Store, offer: Format) -> None:
    output = io.BytesIO()
    results = tiny_store.query("SELECT ?p { ?s ?p ?o } LIMIT 3")
    write_results(results, output, offer)
    if offer.name == "csv":
        assert output.getvalue().count(b"\r\n") == 4
    else:
        back = parse_query_results(output.getvalue(), format=offer.engine)
        assert len(list(back)) == 3


@pytest.mark.parametrize("offer", GRAPHS, ids=lambda offer: offer.name)
def test_graphs_are_written(tiny_store: Store, offer: Format) -> None:
    output = io.BytesIO()
    query = "DESCRIBE <https://w3id.org/digiden/id/body/142069>"
    write_results(tiny_store.query(query), output, offer)
    back = {quad.triple for quad in parse(output.getvalue(), format=offer.engine)}
    assert back == set(tiny_store.query(query))


def test_a_format_of_the_other_kind_is_refused(tiny_store: Store) -> None:
    with pytest.raises(FormatError):
        write_results(tiny_store.query("ASK {}"), io.BytesIO(), GRAPHS[0])
    with pytest.raises(FormatError):
        write_results(tiny_store.query("CONSTRUCT WHERE {}"), io.BytesIO(), TABLES[0])


def test_ask_is_a_boolean(tiny_store: Store) -> None:
    output = io.BytesIO()
    write_results(tiny_store.query("ASK {}"), output, TABLES[0])
    assert json.loads(output.getvalue())["boolean"] is True


def test_a_table_aligns_japanese(tiny_store: Store) -> None:
    query = """SELECT ?body ?label ?cost {
      ?project <https://w3id.org/digiden/ontology#grantedTo> ?body ;
        <https://w3id.org/digiden/ontology#projectCost> ?cost .
      ?body <http://www.w3.org/2000/01/rdf-schema#label> ?label FILTER(LANG(?label) = "ja")
    } ORDER BY ?cost"""
    header, rule, *rows = table_text(evaluate(tiny_store, query)).splitlines()
    assert header.split() == ["body", "label", "cost"]
    assert [row.split()[:2] for row in rows] == [
        ["id:body/074462", "昭和村"],
        ["id:body/232301", "日進市"],
        ["id:body/142069", "小田原市"],
    ]
    assert {cell_len(row) for row in rows} == {cell_len(rule)}


def test_a_table_folds_on_a_terminal_only() -> None:
    answer = Answer(("x",), ((None,),))
    assert table_text(answer).splitlines() == ["x", "─", ""]

    long = Answer(("x",), ((Literal("あ" * 100),),))
    assert len(table_text(long).splitlines()) == 3
    folded = table_text(long, width=40).splitlines()
    assert len(folded) == 7
    assert max(cell_len(line) for line in folded) == 40


_TEXTS = st.text(st.sampled_from('a"\r\n\t},{<result>\\日'), max_size=8)


@pytest.mark.parametrize("offer", [*TABLES, GRAPHS[1], GRAPHS[-1]], ids=lambda offer: offer.name)
@given(texts=st.lists(_TEXTS, max_size=6), size=st.integers(1, 40))
@example(texts=["},{", "},{", '},{"'], size=1)
@example(texts=["}},{", "a},{"], size=40)
@settings(max_examples=60)
def test_rows_are_counted_as_they_pass_by(offer: Format, texts: list[str], size: int) -> None:
    rows = list(enumerate(texts))
    if offer in TABLES:
        values = " ".join(f"({number} {Literal(text)})" for number, text in rows)
        query = f"SELECT ?n ?t {{ VALUES (?n ?t) {{ {values} }} }}"
    else:
        values = " ".join(
            f"<http://e/{number}> <http://e/> {Literal(text)} ." for number, text in rows
        )
        query = f"CONSTRUCT {{ {values} }} {{}}"
    output = io.BytesIO()
    write_results(Store().query(query), output, offer)
    count = RowCount(offer)
    for start in range(0, len(output.getvalue()), size):
        count.add(output.getvalue()[start : start + size])
    assert count.rows == len(texts)


def test_some_formats_have_no_rows() -> None:
    count = RowCount(GRAPHS[0])
    count.add(b"<http://e> a <http://e> .\n")
    assert count.rows is None
