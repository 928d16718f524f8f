"""Reading tables: typed cells with coordinates, and every problem at once."""

import json
from pathlib import Path

import pytest

from digiden_kg.exceptions import InputError
from digiden_kg.register import Register
from digiden_kg.tables import read_table, read_tables

COLUMNS = [
    {"name": "key", "required": True, "datatype": {"base": "string", "format": "[a-z-]+"}},
    {
        "name": "body",
        "datatype": {
            "@id": "https://w3id.org/digiden/ontology#localGovernment",
            "base": "string",
        },
    },
    {
        "name": "cost",
        "datatype": {"@id": "https://w3id.org/digiden/ontology#printedAmount", "base": "string"},
    },
    {"name": "count", "datatype": "integer"},
    {"name": "passage", "separator": "|", "required": True},
]
HEADER = "key,body,cost,count,passage\n"


def write(folder: Path, text: str | bytes, *, columns: list[dict] | None = None) -> Path:
    sidecar = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "ja"}],
        "url": "things.csv",
        "tableSchema": {"primaryKey": ["key"], "columns": columns or COLUMNS},
    }
    path = folder / "things.csv-metadata.json"
    path.write_text(json.dumps(sidecar), encoding="utf-8")
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "things.csv").write_bytes(data)
    return path


def problems(path: Path, register: Register) -> list[tuple[int | None, str | None, str | None]]:
    with pytest.raises(InputError) as caught:
        read_table(path, register)
    return [(p.row, p.column, p.value) for p in caught.value.problems]


def test_cells_keep_row_text_amount_and_code(tmp_path: Path, register: Register) -> None:
    path = write(tmp_path, HEADER + "a,福島県昭和村,22.8億円,12,p|q\nb,,,,p\n")

    table = read_table(path, register)

    first, second = table.rows
    assert first.number == 2
    assert [cell.text for cell in first.cells["body"]] == ["074462"]
    amount = first.cells["cost"][0].amount
    assert amount is not None
    assert (amount.yen, amount.rounded_to) == (2_280_000_000, 10_000_000)
    assert [cell.text for cell in first.cells["passage"]] == ["p", "q"]
    assert second.cells["count"] == ()


def test_every_problem_of_a_table_is_reported_at_once(tmp_path: Path, register: Register) -> None:
    path = write(
        tmp_path,
        HEADER + "A,福島県昭和村,22.8億円,12,p\nb,昭和村,many,x,\nb,,,,p\n,,,,p\nc,,, 1,p\n",
    )

    found = problems(path, register)

    assert found == [
        (2, "key", "A"),
        (3, "body", "昭和村"),
        (3, "cost", "many"),
        (3, "count", "x"),
        (3, "passage", ""),
        (5, "key", ""),
        (6, "count", " 1"),
        (4, "key", "b"),
    ]


def test_an_unknown_body_is_answered_with_near_names(tmp_path: Path, register: Register) -> None:
    path = write(tmp_path, HEADER + "a,三重県鎌山市,,,p\n")

    with pytest.raises(InputError, match="亀山市"):
        read_table(path, register)


def test_columns_are_compared_with_the_sidecar(tmp_path: Path, register: Register) -> None:
    path = write(tmp_path, "key,body,cost,passage,extra\na,,,p,\n")

    assert problems(path, register) == [(1, "count", None), (1, "extra", None)]


def test_a_row_with_too_many_cells_is_named(tmp_path: Path, register: Register) -> None:
    path = write(tmp_path, HEADER + "a,,,,p,too many\nb,,,,p\n")

    assert problems(path, register) == [(2, None, None)]


def test_a_quoted_line_break_does_not_shift_the_row_numbers(
    tmp_path: Path, register: Register
) -> None:
    columns = [{"name": "key"}, {"name": "text"}, {"name": "count", "datatype": "integer"}]
    path = write(tmp_path, 'key,text,count\na,"one\ntwo",1\nb,,x\n', columns=columns)

    assert problems(path, register) == [(4, "count", "x")]


def test_another_encoding_is_refused_with_its_row(tmp_path: Path, register: Register) -> None:
    path = write(tmp_path, HEADER.encode() + "a,福島県昭和村,,,p\n".encode("shift_jis"))

    with pytest.raises(InputError, match="not UTF-8") as caught:
        read_table(path, register)
    assert caught.value.problems[0].row == 2


def test_a_broken_sidecar_is_named(tmp_path: Path, register: Register) -> None:
    path = write(tmp_path, HEADER)
    path.write_text("{", encoding="utf-8")

    with pytest.raises(InputError, match=r"things\.csv-metadata\.json, row 1"):
        read_table(path, register)


def test_a_table_without_a_sidecar_is_named(tmp_path: Path, register: Register) -> None:
    (tmp_path / "lonely.csv").write_text("a\n", encoding="utf-8")

    with pytest.raises(InputError, match=r"lonely\.csv: this table has no sidecar"):
        read_tables(tmp_path, register)
