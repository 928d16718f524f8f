"""Mapping: what a row with a sidecar states, and in which graph."""

import json
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad

from digiden_kg.exceptions import InputError
from digiden_kg.mapping import map_table
from digiden_kg.register import Register
from digiden_kg.tables import read_table
from digiden_kg.vocab import expand

DG = "https://w3id.org/digiden/ontology#"
CASE = "source/digiden-2023-04/case-showa"
LIST = "source/digiden-2023-04/mnc-decisions"


def node(name: str) -> NamedNode:
    return NamedNode(expand(name))


def quad(subject: str, predicate: str, value: NamedNode | Literal, graph: str) -> Quad:
    return Quad(node(subject), node(predicate), value, node(graph))


def mapped(folder: Path, register: Register, columns: list[dict], text: str, **table: str) -> set:
    sidecar = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "ja"}],
        "url": "things.csv",
        "tableSchema": {"aboutUrl": "id/project/{key}", "columns": columns},
        **table,
    }
    path = folder / "things.csv-metadata.json"
    path.write_text(json.dumps(sidecar), encoding="utf-8")
    (folder / "things.csv").write_text(text, encoding="utf-8")
    return {statement.quad for statement in map_table(read_table(path, register))}


KEY = {"name": "key"}
PASSAGE = {"name": "passage", "separator": "|"}


def test_a_statement_stands_in_every_passage_of_its_row(tmp_path: Path, register: Register) -> None:
    title = {"name": "title", "propertyUrl": "dcterms:title", "lang": "ja"}

    quads = mapped(
        tmp_path,
        register,
        [KEY, title, PASSAGE],
        "key,title,passage\nx,題名,case-showa|mnc-decisions\n",
    )

    value = Literal("題名", language="ja")
    assert quads == {
        quad("id/project/x", "dcterms:title", value, CASE),
        quad("id/project/x", "dcterms:title", value, LIST),
    }


def test_a_column_of_ours_does_not_stand_in_the_passage(tmp_path: Path, register: Register) -> None:
    label = {
        "name": "label_en",
        "propertyUrl": "rdfs:label",
        "lang": "en",
        "dcterms:source": "editorial",
    }

    quads = mapped(
        tmp_path, register, [KEY, label, PASSAGE], "key,label_en,passage\nx,Smart,case-showa\n"
    )

    value = Literal("Smart", language="en")
    assert quads == {quad("id/project/x", "rdfs:label", value, "source/editorial")}


def test_an_amount_keeps_its_printed_form_and_its_rounding(
    tmp_path: Path, register: Register
) -> None:
    amount = {
        "name": "cost",
        "propertyUrl": "dg:projectCost",
        "datatype": {"@id": f"{DG}printedAmount", "base": "string"},
    }

    quads = mapped(
        tmp_path, register, [KEY, amount, PASSAGE], "key,cost,passage\nx,約302万円,case-showa\n"
    )

    integer = node("xsd:integer")
    assert quads == {
        quad("id/project/x", "dg:projectCost", Literal("3020000", datatype=integer), CASE),
        quad("id/project/x", "dg:projectCostAsPrinted", Literal("約302万円"), CASE),
        quad("id/project/x", "dg:roundedTo", Literal("10000", datatype=integer), CASE),
    }


def test_each_value_of_a_list_is_stated_and_bodies_become_codes(
    tmp_path: Path, register: Register
) -> None:
    partner = {
        "name": "partner",
        "separator": "|",
        "propertyUrl": "dg:partnerBody",
        "valueUrl": "id/body/{partner}",
        "datatype": {"@id": f"{DG}localGovernment", "base": "string"},
    }

    quads = mapped(
        tmp_path,
        register,
        [KEY, partner, PASSAGE],
        "key,partner,passage\nx,静岡県熱海市|静岡県函南町,case-showa\n",
    )

    assert quads == {
        quad("id/project/x", "dg:partnerBody", node("id/body/222054"), CASE),
        quad("id/project/x", "dg:partnerBody", node("id/body/223255"), CASE),
    }


def test_a_statement_with_an_empty_variable_is_left_out(tmp_path: Path, register: Register) -> None:
    virtual = {
        "name": "type",
        "virtual": True,
        "aboutUrl": "id/consortium/{lead}",
        "propertyUrl": "rdf:type",
        "valueUrl": "dg:Consortium",
    }

    quads = mapped(
        tmp_path,
        register,
        [KEY, {"name": "lead"}, PASSAGE, virtual],
        "key,lead,passage\nx,,case-showa\ny,z,case-showa\n",
    )

    assert quads == {quad("id/consortium/z", "rdf:type", node("dg:Consortium"), CASE)}


def test_a_row_without_a_passage_is_refused(tmp_path: Path, register: Register) -> None:
    title = {"name": "title", "propertyUrl": "dcterms:title", "lang": "ja"}

    with pytest.raises(InputError, match="row 2, column passage"):
        mapped(tmp_path, register, [KEY, title, PASSAGE], "key,title,passage\nx,題名,\n")
