"""The dumps of a release: everything as RDF, and every flat table for spreadsheets and data frames.

A release never changes, so that a dump is always the same bytes: nothing says when it was made, and
everything is sorted. All of them are written as streams. RDF is read from the sorted N-Quads file;
tables come from a store, which a large release has on disk, and are sorted by SQLite (see
:mod:`digiden_kg.flat`).

There is no HDT, because no library that writes it is looked after
(``ontology/decisions/0008-no-hdt.md``).
"""

from __future__ import annotations

import contextlib
import csv
import functools
import gzip
import importlib.util
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store, parse, serialize

from digiden_kg import vocab
from digiden_kg.describe import compact, context
from digiden_kg.exceptions import ReleaseError
from digiden_kg.export import Sheet, write_workbook
from digiden_kg.flat import (
    SEPARATOR,
    Table,
    Value,
    dictionary,
    load_tables,
    read_rows,
    write_tables,
)
from digiden_kg.questions import Text
from digiden_kg.release import Dump, Release, sha256
from digiden_kg.settings import Settings
from digiden_kg.syntax import read_query

__all__ = [
    "FORMATS",
    "SUMS",
    "Dump",
    "dump_names",
    "dumps_folder",
    "expected_dumps",
    "find_dumps",
    "table_titles",
    "write_dump",
    "write_dumps",
]

STEM = "digiden"
"""What files are called that hold everything."""
SUMS = "SHA256SUMS"
"""The file of checksums, which ``sha256sum -c`` reads."""
_LICENCE = "https://creativecommons.org/licenses/by/4.0/"
_PACKINGS = {".gz": "application/gzip", ".zst": "application/zstd"}
_OPEN_FILES = 64
_AT_ONCE = 20_000
"""Statements that are loaded into a store on disk at a time."""
_BATCH = 10_000
"""Rows of one group of a Parquet file."""
_TITLES = {
    "nq": ("全データ（N-Quads、出典ごとのグラフ）", "All data (N-Quads, a graph for each source)"),
    "trig": ("全データ（TriG、出典ごとのグラフ）", "All data (TriG, a graph for each source)"),
    "ttl": ("全データの和集合（Turtle）", "All data as one graph (Turtle)"),
    "jsonld": ("全データの和集合（JSON-LD）", "All data as one graph (JSON-LD)"),
    "sqlite": ("すべての表（SQLite）", "All tables (SQLite)"),
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """One format of dumps."""

    media_type: str
    each_table: bool
    """Whether there is a file for each table, rather than one for everything."""
    write: Callable[[_Maker, str, Path], None]
    """Writes the file of a table, or of everything."""
    packing: str = ""
    """End of the name of its compressed form, where that is the one that is offered."""


def dump_names(settings: Settings, formats: Iterable[str] | None = None) -> list[str]:
    """Return the names of the files that :func:`write_dumps` writes.

    Raises:
        ReleaseError: A format is unknown, or cannot be written here.
    """
    tables = list(table_titles(settings))
    return [
        f"{stem}.{name}{kind.packing}"
        for name, kind in _chosen(formats).items()
        for stem in (tables if kind.each_table else [STEM])
        if tables or name != "sqlite"
    ]


def write_dumps(
    release: Release, settings: Settings, folder: Path, formats: Iterable[str] | None = None
) -> list[Dump]:
    """Write all dumps of a release into a folder, and their checksums.

    Each file appears whole or not at all.

    Args:
        release: What is written.
        settings: Where the queries of the tables are.
        folder: Where files go; it is made where there is none.
        formats: Some of :data:`FORMATS`; all that can be written here unless given.

    Raises:
        ReleaseError: A format is unknown, the release cannot be read, or is a draft.
        InputError: The query of a table is wrong.
    """
    names, titles = dump_names(settings, formats), table_titles(settings)
    folder.mkdir(parents=True, exist_ok=True)
    dumps = []
    with _maker(release, settings, folder) as maker:
        for name in names:
            path = maker.write(name)
            dumps.append(_described(name, titles, path.stat().st_size, sha256(path)))
            path.replace(folder / name)
        lines = [f"{dump.sha256}  {dump.name}\n" for dump in sorted(dumps, key=lambda d: d.name)]
        sums = maker.folder / SUMS
        sums.write_text("".join(lines), encoding="utf-8")
        sums.replace(folder / SUMS)
    return dumps


def write_dump(release: Release, settings: Settings, name: str, output: IO[bytes]) -> None:
    """Write one dump by the name of its file; any may end in ``.gz`` or ``.zst``, or in neither.

    Raises:
        ReleaseError: There is none of that name, or the release cannot be read.
        InputError: The query of a table is wrong.
    """
    with (
        tempfile.TemporaryDirectory(prefix="digiden-kg-") as folder,
        _maker(release, settings, Path(folder)) as maker,
        maker.write(name).open("rb") as file,
    ):
        shutil.copyfileobj(file, output)


def dumps_folder(release: Release) -> Path:
    """Return where a server looks for the dumps of a release, and puts them."""
    return release.path.parent / "dumps" / release.name


def find_dumps(settings: Settings, folder: Path) -> list[Dump]:
    """Return the dumps that are in a folder, by its list of checksums; none where there is none."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    titles = table_titles(settings)
    listed = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
    return [
        _described(name, titles, (folder / name).stat().st_size, listed[name])
        for name in dump_names(settings)
        if name in listed and (folder / name).is_file()
    ]


def expected_dumps(settings: Settings) -> list[Dump]:
    """Return the dumps that :func:`write_dumps` would write, without sizes and checksums."""
    titles = table_titles(settings)
    return [_described(name, titles) for name in dump_names(settings)]


def _described(
    name: str, titles: Mapping[str, Text], size: int | None = None, checksum: str | None = None
) -> Dump:
    plain, packing = _unpacked(name)
    stem, _, end = plain.partition(".")
    if stem == STEM:
        title: Text = dict(zip(("ja", "en"), _TITLES[end], strict=True))
    else:
        shown = {"csv-metadata.json": "CSVW"}.get(end, end.upper())
        words = titles[stem]
        title = {"ja": f"{words['ja']}（{shown}）", "en": f"{words['en']} ({shown})"}
    return Dump(
        name,
        FORMATS[end].media_type,
        size,
        checksum,
        title,
        _PACKINGS.get(packing),
        None if stem == STEM else stem,
    )


def table_titles(settings: Settings) -> dict[str, Text]:
    """Return what the flat tables are called, by their names.

    Raises:
        InputError: The header of a table's query is wrong.
    """
    return {
        path.stem: _title(path, path.stat().st_mtime_ns)
        for path in sorted((settings.queries_dir / "tables").glob("*.rq"))
    }


@functools.lru_cache(maxsize=256)
def _title(path: Path, _changed: int) -> Text:
    # The query itself is looked at when the table is written, which takes far longer.
    title: Text = read_query(path).header.get("title") or {"ja": path.stem, "en": path.stem}
    return title


def _unpacked(name: str) -> tuple[str, str]:
    end = next((end for end in _PACKINGS if name.endswith(end)), "")
    return name.removesuffix(end), end


def _chosen(formats: Iterable[str] | None) -> Mapping[str, _Kind]:
    if formats is None:
        return {name: kind for name, kind in FORMATS.items() if name != "parquet" or _has_parquet()}
    chosen = list(dict.fromkeys(formats))
    for name in chosen:
        if name not in FORMATS:
            raise ReleaseError(
                f"{name!r} is no format of dumps; there are: {', '.join(FORMATS)}"
                f" / ダンプの形式に {name!r} はありません。"
            )
    if "parquet" in chosen:
        _need_parquet()
    return {name: FORMATS[name] for name in chosen}


def _has_parquet() -> bool:
    return importlib.util.find_spec("pyarrow") is not None


def _need_parquet() -> None:
    if not _has_parquet():
        raise ReleaseError(
            "Parquet needs pyarrow: pip install 'digiden-kg[parquet]'"
            " / Parquet には pyarrow が要ります。"
        )


@contextlib.contextmanager
def _maker(release: Release, settings: Settings, folder: Path) -> Iterator[_Maker]:
    if release.is_draft:
        raise ReleaseError(
            "data that is served as it is has no dumps; its files are the data"
            " / そのまま公開しているデータにダンプはありません。"
        )
    with tempfile.TemporaryDirectory(prefix=".dumps-", dir=folder) as scratch:
        yield _Maker(release, settings, Path(scratch))


class _Maker:
    """Writes dumps of one release into a folder; what several need is made once."""

    def __init__(self, release: Release, settings: Settings, folder: Path) -> None:
        self.release, self.settings, self.folder = release, settings, folder
        self._store: Store | None = None
        self._tables: dict[str, Table] = {}
        self._rows: dict[tuple[str, ...], Path] = {}

    def write(self, name: str) -> Path:
        """Write a dump and return its path.

        Raises:
            ReleaseError: There is none of that name.
        """
        plain, packing = _unpacked(name)
        stem, _, end = plain.partition(".")
        kind = FORMATS.get(end)
        known = kind and (stem in table_titles(self.settings) if kind.each_table else stem == STEM)
        if not kind or not known:
            tables = ", ".join(table_titles(self.settings))
            raise ReleaseError(
                f"there is no dump {name!r}. There are {STEM}.nq, .trig, .ttl, .jsonld and .sqlite,"
                f" and .csv, .csv-metadata.json, .xlsx and .parquet of: {tables}"
                f" / ダンプ {name!r} はありません（一覧: digiden-kg export --list）。"
            )
        path = self.folder / plain
        kind.write(self, stem, path)
        if not packing:
            return path
        packed = self.folder / name
        with path.open("rb") as file, _packed(packed, packing) as output:
            shutil.copyfileobj(file, output)
        path.unlink()
        return packed

    @property
    def store(self) -> Store:
        """The release; on disk where it is too large for memory."""
        if self._store is None:
            quads = self.release.counts.get("quads", 0)
            if quads > self.settings.in_memory:
                self._store = Store(self.folder / "store")
                # All at once, the loader would hold up to a million statements in memory.
                rest = _quads(self.release)
                while part := list(itertools.islice(rest, _AT_ONCE)):
                    self._store.bulk_extend(part)
                self._store.optimize()
            else:
                self._store = self.release.open_store()
        return self._store

    def table(self, name: str) -> Table:
        """Return a flat table."""
        if not self._tables:
            loaded = load_tables(self.settings.queries_dir, self.store)
            self._tables = {table.name: table for table in loaded}
        return self._tables[name]

    def rows(self, *names: str) -> Path:
        """Return the file of the rows of tables."""
        for known, path in self._rows.items():
            if set(names) <= set(known):
                return path
        path = self.folder / f"rows-{len(self._rows)}.sqlite"
        write_tables([self.table(name) for name in names], self.store, path)
        self._rows[names] = path
        return path


@contextlib.contextmanager
def _packed(path: Path, packing: str) -> Iterator[Any]:
    """Open a compressed file that says neither its name nor the time."""
    with path.open("wb") as raw:
        if packing == ".gz":
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as output:
                yield output
        else:
            with zstandard.ZstdCompressor(level=19).stream_writer(raw, closefd=False) as stream:
                yield stream


def _quads(release: Release) -> Iterator[Quad]:
    try:
        yield from parse(path=release.dataset, format=RdfFormat.N_QUADS)
    except (OSError, SyntaxError) as error:
        raise ReleaseError(f"{release.dataset} cannot be read: {error}. Build again.") from error


def _default_graph(release: Release) -> Iterator[Quad]:
    return (quad for quad in _quads(release) if isinstance(quad.graph_name, DefaultGraph))


def _write_nquads(maker: _Maker, _: str, path: Path) -> None:
    shutil.copyfile(maker.release.dataset, path)


def _write_turtle(maker: _Maker, _: str, path: Path) -> None:
    triples = (quad.triple for quad in _default_graph(maker.release))
    with path.open("wb") as output:
        serialize(triples, output, RdfFormat.TURTLE, prefixes=vocab.PREFIXES)


def _write_trig(maker: _Maker, _: str, path: Path) -> None:
    """Write one graph after the other; the file of the release has them mixed."""
    folder = maker.folder / "graphs"
    folder.mkdir()
    names = _split(maker.release, folder)

    def quads() -> Iterator[Quad]:
        yield from _default_graph(maker.release)
        for name in sorted(names):
            for quad in parse(path=names[name], format=RdfFormat.N_TRIPLES):
                yield Quad(quad.subject, quad.predicate, quad.object, NamedNode(name))

    with path.open("wb") as output:
        serialize(quads(), output, RdfFormat.TRIG, prefixes=vocab.PREFIXES)
    shutil.rmtree(folder)


def _split(release: Release, folder: Path) -> dict[str, Path]:
    """Write each named graph to a file of its own; return the files by the names of the graphs."""
    names: dict[str, Path] = {}
    files: dict[str, IO[str]] = {}
    with contextlib.ExitStack() as stack:
        for quad in _quads(release):
            if not isinstance(quad.graph_name, NamedNode):
                continue
            name = quad.graph_name.value
            if name not in files:
                if len(files) == _OPEN_FILES:
                    files.pop(next(iter(files))).close()
                path = names.setdefault(name, folder / f"{len(names)}.nt")
                files[name] = stack.enter_context(path.open("a", encoding="utf-8", newline="\n"))
            files[name].write(f"{quad.triple} .\n")
    return names


def _write_json_ld(maker: _Maker, _: str, path: Path) -> None:
    """Write one node a line; the context stands in the file, so that nothing has to be fetched."""
    with path.open("w", encoding="utf-8", newline="\n") as output:
        head = json.dumps(context()["@context"], ensure_ascii=False)
        output.write(f'{{"@context": {head},\n"graph": [')
        groups = itertools.groupby(_default_graph(maker.release), key=lambda quad: quad.subject)
        for number, (subject, quads) in enumerate(groups):
            assert isinstance(subject, NamedNode)
            (node,) = compact([quad.triple for quad in quads], subject.value)["graph"]
            output.write(("," if number else "") + "\n" + json.dumps(node, ensure_ascii=False))
        output.write("\n]}\n")


def _write_sqlite(maker: _Maker, _: str, path: Path) -> None:
    shutil.copyfile(maker.rows(*table_titles(maker.settings)), path)


def _write_csv(maker: _Maker, name: str, path: Path) -> None:
    table = maker.table(name)
    with path.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output)
        writer.writerow([column.name for column in table.columns])
        for row in read_rows(table, maker.rows(name)):
            writer.writerow([_text(value) for value in row])


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _write_csvw(maker: _Maker, name: str, path: Path) -> None:
    table = maker.table(name)
    title, summary = table.question.title, table.question.summary
    description = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": f"{name}.csv",
        "dc:title": _both(title),
        "dc:description": _both(summary),
        "dc:license": {"@id": _LICENCE},
        "dc:source": {"@id": vocab.dataset(maker.release.name)},
        "tableSchema": {
            "aboutUrl": f"{{+{table.key}}}",
            "primaryKey": table.key,
            "columns": [_csvw_column(table, column) for column in table.columns],
        },
    }
    text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8")


def _csvw_column(table: Table, column: Any) -> dict[str, Any]:
    datatype = {"year": "gYear"}.get(column.type, column.type)
    described: dict[str, Any] = {
        "name": column.name,
        "titles": {"und": column.name, **column.heading},
        "datatype": "anyURI" if column.name == table.key else datatype,
        "required": column.name == table.key,
    }
    if column.description:
        described["dc:description"] = _both(column.description)
    if column.many:
        described["separator"] = SEPARATOR
    if column.term:
        described["propertyUrl"] = column.term
    else:
        described["suppressOutput"] = True
    return described


def _both(text: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"@value": text[language], "@language": language} for language in text]


def _write_xlsx(maker: _Maker, name: str, path: Path) -> None:
    table = maker.table(name)
    title, summary = table.question.title, table.question.summary
    about = [
        ("データ / Data", f"{title['ja']} / {title['en']}"),
        ("説明", summary["ja"]),
        ("Description", summary["en"]),
        ("リリース / Release", maker.release.name),
        ("IRI", vocab.dataset(maker.release.name)),
        ("ライセンス / Licence", "CC BY 4.0"),
    ]
    words = ("列 / Column", "名称", "Name", "説明", "Description", "型 / Type", "複数 / Several")
    rows = ((*each[:-1], SEPARATOR.strip() if each[-1] else None) for each in dictionary(table))
    sheets = [
        Sheet(
            name, tuple(column.name for column in table.columns), read_rows(table, maker.rows(name))
        ),
        Sheet("columns", words, rows),
        Sheet("about", ("", ""), about),
    ]
    with path.open("wb") as output:
        write_workbook(sheets, output, title=f"{title['ja']} / {title['en']}")


def _write_parquet(maker: _Maker, name: str, path: Path) -> None:
    _need_parquet()
    import pyarrow  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415

    types = {
        "string": pyarrow.string(),
        "integer": pyarrow.int64(),
        "year": pyarrow.int16(),
        "decimal": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
    }
    table = maker.table(name)
    schema = pyarrow.schema(
        [
            pyarrow.field(column.name, types[column.type], metadata=dict(column.heading))
            for column in table.columns
        ]
    )
    rows = read_rows(table, maker.rows(name))
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while part := list(itertools.islice(rows, _BATCH)):
            columns = zip(*part, strict=True)
            arrays = [
                pyarrow.array(column, type=field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))


FORMATS: Mapping[str, _Kind] = {
    "nq": _Kind("application/n-quads", False, _write_nquads, ".gz"),
    "trig": _Kind("application/trig", False, _write_trig, ".gz"),
    "ttl": _Kind("text/turtle", False, _write_turtle, ".gz"),
    "jsonld": _Kind("application/ld+json", False, _write_json_ld, ".gz"),
    "sqlite": _Kind("application/vnd.sqlite3", False, _write_sqlite),
    "csv": _Kind("text/csv", True, _write_csv),
    "csv-metadata.json": _Kind("application/csvm+json", True, _write_csvw),
    "xlsx": _Kind(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", True, _write_xlsx
    ),
    "parquet": _Kind("application/vnd.apache.parquet", True, _write_parquet),
}
"""Formats by the ends of the names of their files."""
