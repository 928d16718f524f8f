"""Dumps hold what the release holds, in every format, and nothing that depends on the clock."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import hashlib
import io
import json
import re
import sqlite3
import subprocess
from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest
import zstandard
from csvw import CSVW
from pyoxigraph import DefaultGraph, Literal, NamedNode, RdfFormat, Store, parse

from digiden_kg import dumps, vocab
from digiden_kg.dumps import dump_names, find_dumps, write_dump, write_dumps
from digiden_kg.exceptions import InputError, ReleaseError
from digiden_kg.flat import SEPARATOR, Table, load_tables
from digiden_kg.questions import evaluate
from digiden_kg.release import Dump, Release
from digiden_kg.report import Report
from digiden_kg.settings import Settings, load_settings

PROJECT = Path(__file__).parents[1]
TABLES = sorted(path.stem for path in (PROJECT / "queries" / "tables").glob("*.rq"))
Written = tuple[Path, list[Dump]]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return dataclasses.replace(load_settings(), project_dir=PROJECT)


@pytest.fixture(scope="module")
def release(built: tuple[Release, Report]) -> Release:
    return built[0]


@pytest.fixture(scope="module")
def written(
    release: Release, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Written:
    folder = tmp_path_factory.mktemp("dumps")
    return folder, write_dumps(release, settings, folder)


@pytest.fixture(scope="module")
def tables(real_store: Store, settings: Settings) -> dict[str, Table]:
    return {each.name: each for each in load_tables(settings.queries_dir, real_store)}


def rows_of(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def test_all_files_are_there_with_true_sizes_and_checksums(
    written: Written, settings: Settings
) -> None:
    folder, found = written

    assert [dump.name for dump in found] == dump_names(settings)
    assert len(TABLES) >= 24
    assert {path.name for path in folder.iterdir()} == {
        "SHA256SUMS",
        *(f"digiden.{end}" for end in ("nq.gz", "trig.gz", "ttl.gz", "jsonld.gz", "sqlite")),
        *(
            f"{table}.{end}"
            for table in TABLES
            for end in ("csv", "csv-metadata.json", "xlsx", "parquet")
        ),
    }
    for dump in found:
        content = (folder / dump.name).read_bytes()
        assert dump.size == len(content)
        assert dump.sha256 == hashlib.sha256(content).hexdigest()
        assert dump.title["ja"] != dump.title["en"]
    assert find_dumps(settings, folder) == found
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False)
    assert done.returncode == 0


def test_two_exports_are_equal_byte_for_byte(
    written: Written, release: Release, settings: Settings, tmp_path: Path
) -> None:
    again = write_dumps(release, settings, tmp_path)

    assert {dump.name: dump.sha256 for dump in again} == {
        dump.name: dump.sha256 for dump in written[1]
    }


def default_graph(store: Store) -> set[str]:
    return {str(q.triple) for q in store.quads_for_pattern(None, None, None, DefaultGraph())}


@pytest.mark.parametrize(
    ("name", "format"), [("ttl", RdfFormat.TURTLE), ("jsonld", RdfFormat.JSON_LD)]
)
def test_one_graph_is_the_default_graph(
    written: Written, real_store: Store, name: str, format: RdfFormat
) -> None:
    content = gzip.decompress((written[0] / f"digiden.{name}.gz").read_bytes())

    assert {str(quad.triple) for quad in parse(content, format=format)} == default_graph(real_store)


@pytest.mark.parametrize(("name", "format"), [("nq", RdfFormat.N_QUADS), ("trig", RdfFormat.TRIG)])
def test_all_graphs_are_all_graphs(
    written: Written, real_store: Store, name: str, format: RdfFormat
) -> None:
    content = gzip.decompress((written[0] / f"digiden.{name}.gz").read_bytes())

    assert {str(quad) for quad in parse(content, format=format)} == {str(q) for q in real_store}


def test_json_ld_reads_as_json(written: Written) -> None:
    document = json.loads(gzip.decompress((written[0] / "digiden.jsonld.gz").read_bytes()))

    odawara = vocab.thing("body", "142069")
    (node,) = (node for node in document["graph"] if node["id"] == odawara)
    assert "小田原市" in node["label"]["ja"]
    assert node["code"] == "142069"


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_a_row_for_each_thing(
    written: Written, real_store: Store, tables: dict[str, Table], table: str
) -> None:
    """The query as it stands, over all things at once, gives the same rows."""
    found = tables[table]
    header, rows = rows_of(written[0] / f"{table}.csv")
    whole = evaluate(real_store, found.question.text)

    assert header == list(whole.columns)
    assert len(rows) == len(whole.rows) > 0
    keys = [row[header.index(found.key)] for row in rows]
    assert keys == sorted({row[whole.columns.index(found.key)].value for row in whole.rows})
    if table != "local-governments":  # which are those with a named project
        cls = NamedNode(found.cls)
        kind = NamedNode(vocab.expand("rdf:type"))
        quads = real_store.quads_for_pattern(None, kind, cls, DefaultGraph())
        assert len(rows) == sum(1 for _ in quads)


@pytest.mark.parametrize("table", TABLES)
def test_sqlite_parquet_and_xlsx_equal_csv(written: Written, table: str) -> None:
    folder = written[0]
    header, rows = rows_of(folder / f"{table}.csv")

    with sqlite3.connect(folder / "digiden.sqlite") as database:
        listed = database.execute(f'SELECT * FROM "{table}" ORDER BY rowid')
        assert [each[0] for each in listed.description] == header
        assert [[as_text(value) for value in row] for row in listed] == rows
    database.close()

    parquet = pyarrow.parquet.read_table(folder / f"{table}.parquet")
    assert parquet.column_names == header
    columns = [column.to_pylist() for column in parquet.columns]
    assert [[as_text(value) for value in row] for row in zip(*columns, strict=True)] == rows

    book = openpyxl.load_workbook(folder / f"{table}.xlsx", read_only=True)
    assert book.sheetnames == [table, "columns", "about"]
    first, *others = book[table].iter_rows(values_only=True)
    assert list(first) == header
    assert [[as_text(value) for value in row] for row in others] == rows
    described = [row[0] for row in book["columns"].iter_rows(min_row=2, values_only=True)]
    assert described == header
    book.close()


@pytest.mark.parametrize("table", TABLES)
def test_csvw_describes_its_file(written: Written, table: str) -> None:
    folder = written[0]
    description = CSVW(str(folder / f"{table}.csv-metadata.json"), validate=True)

    assert description.is_valid, description.warnings
    rows = list(description.tables[0].iterdicts(strict=True))
    assert len(rows) == len(rows_of(folder / f"{table}.csv")[1])
    for column in description.tables[0].tableSchema.columns:
        titles = column.titles.value
        assert titles["ja"]
        assert titles["en"]


def test_what_a_table_says_is_what_the_source_says(written: Written) -> None:
    header, rows = rows_of(written[0] / "projects.csv")
    projects = [dict(zip(header, row, strict=True)) for row in rows]

    (odawara,) = (each for each in projects if each["identifier"] == "r4-2-type2-3-142069")
    assert odawara["body"] == "142069"
    assert odawara["bodyLabelJa"] == "小田原市"
    assert odawara["prefectureLabelEn"] == "Kanagawa Prefecture"
    assert odawara["projectCost"] == "661074000"
    assert odawara["projectCostAsPrinted"] == "661,074千円"
    assert odawara["inferredGrantTypes"] == "r4-2/type3"
    assert "case-odawara" in odawara["passages"].split(SEPARATOR)

    header, rows = rows_of(written[0] / "observations.csv")
    figures = [dict(zip(header, row, strict=True)) for row in rows]
    (counter,) = (each for each in figures if each["modelServiceLabelJa"] == "書かない窓口")
    assert (counter["bodyCount"], counter["nationalShare"]) == ("146", "2280000000")


def test_no_text_of_the_graph_holds_what_separates_values(real_store: Store) -> None:
    literals = {quad.object.value for quad in real_store if isinstance(quad.object, Literal)}
    texts = [text for text in literals if SEPARATOR in text or "\t" in text]

    assert [text for text in texts if "SELECT" not in text] == []


@pytest.mark.parametrize("name", ["digiden.ttl", "projects.csv.zst", "digiden.nq.gz"])
def test_one_dump_is_what_all_hold(
    written: Written, release: Release, settings: Settings, name: str
) -> None:
    output = io.BytesIO()
    write_dump(release, settings, name, output)

    content = output.getvalue()
    folder = written[0]
    whole = {"digiden.ttl": "digiden.ttl.gz", "projects.csv.zst": "projects.csv"}.get(name, name)
    expected = (folder / whole).read_bytes()
    if name == "digiden.ttl":
        expected = gzip.decompress(expected)
    if name.endswith(".zst"):
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    assert content == expected


@pytest.mark.parametrize("name", ["digiden.hdt", "nothing.csv", "digiden.csv", "projects.ttl", ""])
def test_an_unknown_name_is_said_to_be_one(release: Release, settings: Settings, name: str) -> None:
    with pytest.raises(ReleaseError, match=re.escape(repr(name))):
        write_dump(release, settings, name, io.BytesIO())


def test_an_unknown_format_is_said_to_be_one(
    release: Release, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ReleaseError, match=r"'hdt'.*there are: nq, trig"):
        write_dumps(release, settings, tmp_path / "out", ["hdt"])
    assert not (tmp_path / "out").exists()


def test_parquet_is_left_out_where_it_cannot_be_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "_has_parquet", lambda: False)

    assert not [name for name in dump_names(settings) if name.endswith("parquet")]
    with pytest.raises(ReleaseError, match=r"digiden-kg\[parquet\]"):
        dump_names(settings, ["parquet"])


def test_a_store_on_disk_gives_the_same_tables(
    written: Written, release: Release, settings: Settings, tmp_path: Path
) -> None:
    write_dumps(release, dataclasses.replace(settings, in_memory=0), tmp_path, ["sqlite"])

    name = "digiden.sqlite"
    assert (tmp_path / name).read_bytes() == (written[0] / name).read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("types:   {", "types:   {titleJa: integer, ", "column titleJa: no integer"),
        ("#+ lists:", "#+ lists: [nothing]\n#+ more:", "no column nothing"),
        (" ?titleJa", " ?untold", "column untold has no name"),
    ],
)
def test_a_wrong_table_is_named_with_its_place(
    real_store: Store, settings: Settings, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (PROJECT / "queries" / "tables" / "projects.rq").read_text(encoding="utf-8")
    (tmp_path / "tables").mkdir()
    (tmp_path / "columns.csv").write_bytes((PROJECT / "queries" / "columns.csv").read_bytes())
    (tmp_path / "tables" / "projects.rq").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        tables = load_tables(tmp_path, real_store)
        dumps.write_tables(tables, real_store, tmp_path / "rows.sqlite")
