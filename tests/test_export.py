"""Files for other programs: whole, true to the answer, and equal byte for byte."""

from __future__ import annotations

import io
import time
import xml.etree.ElementTree as ET

import httpx
import openpyxl
import pytest
from pyoxigraph import Literal, NamedNode

from digiden_kg.export import (
    Edge,
    Node,
    Sheet,
    write_gexf,
    write_graphml,
    write_workbook,
    write_xlsx,
)
from digiden_kg.results import Answer

ANSWER = Answer(
    ("body", "cost", "note"),
    (
        (NamedNode("https://w3id.org/digiden/id/body/142069"), Literal(661074000), None),
        (None, Literal("12345678901234567890"), Literal('=HYPERLINK("http://x")')),
        (None, Literal(12345678901234567890), Literal("小田原\x01市", language="ja")),
        (None, Literal(1.5), Literal("http://example.org/")),
    ),
)
NODES = [
    Node("a", "小田原市 & <町>", {"kind": "City", "size": 3}),
    Node('b"', "line\nbreak\x00", {"kind": "Town", "size": 1.5, "seen": True}),
]
EDGES = [Edge("a", 'b"', "grants", {"count": 2})]


def test_a_workbook_holds_numbers_as_numbers_and_text_as_text() -> None:
    output = io.BytesIO()
    write_xlsx(
        ANSWER, output, title="A: [x]", headings={"body": "団体"}, notes=[("a", "b"), ("c", "")]
    )
    book = openpyxl.load_workbook(output)
    assert book.sheetnames == ["A   x ", "About"]
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    assert rows[0] == ("団体", "cost", "note")
    assert rows[1] == ("https://w3id.org/digiden/id/body/142069", 661074000, None)
    assert rows[2][1:] == ("12345678901234567890", '=HYPERLINK("http://x")')
    assert book.worksheets[0].cell(3, 3).data_type == "s"
    assert rows[3][1:] == ("12345678901234567890", "小田原\ufffd市")
    assert rows[4][1:] == (1.5, "http://example.org/")
    assert list(book["About"].iter_rows(values_only=True))[1:] == [("a", "b")]


def test_an_empty_answer_keeps_its_columns() -> None:
    output = io.BytesIO()
    write_xlsx(Answer(("a", "b"), ()), output, title="none")
    assert list(openpyxl.load_workbook(output).worksheets[0].iter_rows(values_only=True)) == [
        ("a", "b")
    ]


def test_what_one_sheet_cannot_hold_goes_on_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digiden_kg.export._SHEET_ROWS", 2)
    output = io.BytesIO()
    write_workbook([Sheet("n", ("n",), ((n,) for n in range(5)))], output)
    book = openpyxl.load_workbook(output)
    assert book.sheetnames == ["n", "n 2", "n 3"]
    assert [row for sheet in book for (row,) in sheet.iter_rows(min_row=2, values_only=True)] == [
        *range(5)
    ]


@pytest.mark.parametrize("write", ["xlsx", "graphml", "gexf"])
def test_equal_content_gives_equal_bytes(write: str) -> None:
    def content() -> bytes:
        output = io.BytesIO()
        if write == "xlsx":
            write_xlsx(ANSWER, output, title="t")
        else:
            {"graphml": write_graphml, "gexf": write_gexf}[write](NODES, EDGES, output)
        return output.getvalue()

    first = content()
    time.sleep(2.1)  # a ZIP archive counts time in steps of two seconds
    assert content() == first


def test_graphml_says_what_was_given() -> None:
    output = io.BytesIO()
    write_graphml(NODES, EDGES, output)
    space = {"g": "http://graphml.graphdrawing.org/xmlns"}
    root = ET.fromstring(output.getvalue())
    keys = {each.get("id"): each for each in root.findall("g:key", space)}

    def read(element: ET.Element) -> dict[str | None, str | None]:
        return {
            keys[data.get("key")].get("attr.name"): data.text
            for data in element.findall("g:data", space)
        }

    nodes = root.findall("g:graph/g:node", space)
    assert [node.get("id") for node in nodes] == ["a", 'b"']
    assert read(nodes[0]) == {"label": "小田原市 & <町>", "kind": "City", "size": "3"}
    assert read(nodes[1])["seen"] == "true"
    (edge,) = root.findall("g:graph/g:edge", space)
    assert (edge.get("source"), edge.get("target")) == ("a", 'b"')
    assert read(edge) == {"label": "grants", "count": "2"}
    kinds = {(key.get("for"), key.get("attr.name")): key.get("attr.type") for key in keys.values()}
    assert kinds["node", "size"] == "string"
    assert kinds["edge", "count"] == "long"


def test_gexf_says_what_was_given() -> None:
    output = io.BytesIO()
    write_gexf(NODES, EDGES, output)
    space = {"g": "http://gexf.net/1.3"}
    root = ET.fromstring(output.getvalue())
    nodes = root.findall("g:graph/g:nodes/g:node", space)
    assert nodes[0].get("label") == "小田原市 & <町>"
    (edge,) = root.findall("g:graph/g:edges/g:edge", space)
    assert (edge.get("source"), edge.get("target"), edge.get("label")) == ("a", 'b"', "grants")


def test_a_question_answers_as_a_workbook(live_server: str) -> None:
    address = f"{live_server}/questions/projects-of-a-body"
    answer = httpx.get(address, params={"format": "xlsx", "lang": "en"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith('projects-of-a-body.xlsx"')
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    about = dict(book["About"].iter_rows(min_row=2, values_only=True))
    assert about["リリース / Release"] == answer.headers["digiden-release"]
    table = httpx.get(address, params={"format": "json", "lang": "en"}).json()
    assert book.worksheets[0].max_row == len(table["results"]["bindings"]) + 1
