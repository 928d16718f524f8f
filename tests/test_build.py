"""Builds of the real project: deterministic, honest about bad input, safe when they fail."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Store

from digiden_kg.build import assemble, build, check, write_dataset
from digiden_kg.exceptions import InputError
from digiden_kg.normalize import fold
from digiden_kg.questions import evaluate
from digiden_kg.release import Release, current_release, publish, sha256, staging
from digiden_kg.report import Report
from digiden_kg.settings import Settings, load_settings


@pytest.fixture
def settings(built: tuple[Release, Report]) -> Settings:
    project = Path(__file__).parents[1]
    return replace(load_settings(), project_dir=project, out_dir=built[0].path.parent)


@pytest.fixture
def damaged(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A copy of the project whose tables a test may damage; releases go to the same place."""
    for part in ("data", "ontology", "shapes", "queries"):
        shutil.copytree(settings.project_dir / part, tmp_path / part)
    yield replace(settings, project_dir=tmp_path)


def edit(settings: Settings, table: str, old: str, new: str) -> None:
    path = settings.data_dir / "tables" / table
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_second_build_is_equal_byte_for_byte_and_leaves_the_release_as_it_is(
    settings: Settings, built: tuple[Release, Report], tmp_path: Path
) -> None:
    release = built[0]
    before = (release.path / "manifest.json").stat().st_mtime_ns

    store, report = check(settings)
    write_dataset(store, tmp_path / "digiden.nq")
    with staging(settings.out_dir) as folder:
        shutil.copy(tmp_path / "digiden.nq", folder)
        again = publish(folder, settings.out_dir, dict(release.manifest))

    assert sha256(tmp_path / "digiden.nq") == sha256(release.dataset)
    assert report == built[1]
    assert again.name == release.name
    assert (release.path / "manifest.json").stat().st_mtime_ns == before


def test_a_release_names_the_one_before(
    settings: Settings, built: tuple[Release, Report], tmp_path: Path
) -> None:
    assert "previous" not in built[0].manifest
    with staging(tmp_path) as folder:
        (folder / "digiden.nq").write_text("", encoding="utf-8")
        publish(folder, tmp_path, {"version": "0.0.1", "inputs": {}, "counts": {}})
    before = current_release(tmp_path).name

    release, _ = build(replace(settings, out_dir=tmp_path))

    assert release.manifest["previous"] == before
    assert f"dataset/{before}" in (release.path / "dataset.ttl").read_text(encoding="utf-8")
    again, _ = build(replace(settings, out_dir=tmp_path))
    assert again.manifest == release.manifest


def test_the_lines_are_sorted_and_each_stands_once(built: tuple[Release, Report]) -> None:
    lines = built[0].dataset.read_text(encoding="utf-8").splitlines()

    assert lines == sorted(set(lines))


def test_nothing_is_blank(built: tuple[Release, Report]) -> None:
    store = built[0].open_store()

    assert not [q for q in store if isinstance(q.subject, BlankNode)]
    assert not [q for q in store if isinstance(q.object, BlankNode)]


def test_the_default_graph_is_the_named_graphs_merged(built: tuple[Release, Report]) -> None:
    store = built[0].open_store()

    default = {str(q.triple) for q in store.quads_for_pattern(None, None, None, DefaultGraph())}
    named = {str(q.triple) for q in store if q.graph_name != DefaultGraph()}

    assert default == named


def test_the_manifest_counts_what_the_store_holds(built: tuple[Release, Report]) -> None:
    release, report = built
    store: Store = release.open_store()

    assert release.counts["quads"] == len(store)
    assert release.counts["bodies"] == 1788
    assert release.counts["findings"] == len(report.findings)
    assert release.manifest["outputs"]["digiden.nq"] == sha256(release.dataset)
    assert release.manifest["inputs"]["data/tables/passages.csv"] == sha256(
        Path(__file__).parents[1] / "data" / "tables" / "passages.csv"
    )


def test_the_current_release_is_the_last_one(
    settings: Settings, built: tuple[Release, Report]
) -> None:
    assert current_release(settings.out_dir).name == built[0].name


@pytest.mark.parametrize(
    ("table", "old", "new", "place"),
    [
        (
            "statistics_overall.csv",
            "653億円",
            "many",
            r"statistics_overall\.csv, row 2, column project_cost.*'many'",
        ),
        (
            "statistics_type1_prefectures.csv",
            "北海道",
            "南海道",
            r"statistics_type1_prefectures\.csv, row 2, column prefecture.*南海道",
        ),
        (
            "statistics_type1_fields.csv",
            "2,type1,2,",
            "2,type1,99,",
            r"statistics_type1_fields\.csv, row 3, column field: nothing describes scheme/field/99",
        ),
        (
            "statistics_overall.csv",
            "mnc,mnc,",
            "type3,mnc,",
            r"statistics_overall\.csv, row 6, column key: row 5 has the same key",
        ),
        (
            "statistics_overall.csv",
            ",overall\n",
            ",overal\n",
            r"statistics_overall\.csv, row 2.*Near: source/digiden-2023-04/overall",
        ),
        (
            "rounds.csv",
            "label_ja",
            "name_ja",
            r"rounds\.csv, row 1, column label_ja: this column is missing",
        ),
    ],
    ids=["amount", "body", "code", "key", "passage", "column"],
)
def test_bad_input_is_named_and_leaves_the_last_release(
    damaged: Settings,
    built: tuple[Release, Report],
    table: str,
    old: str,
    new: str,
    place: str,
) -> None:
    edit(damaged, table, old, new)

    with pytest.raises(InputError, match=place):
        build(damaged)

    assert current_release(damaged.out_dir).name == built[0].name
    assert not list(damaged.out_dir.glob(".staging-*"))


def test_problems_of_several_tables_come_together(damaged: Settings) -> None:
    edit(damaged, "statistics_overall.csv", "653億円", "many")
    edit(damaged, "statistics_type1_prefectures.csv", "北海道", "南海道")

    with pytest.raises(InputError) as caught:
        assemble(damaged)

    assert {problem.file.rpartition("/")[2] for problem in caught.value.problems} == {
        "statistics_overall.csv",
        "statistics_type1_prefectures.csv",
    }


def test_a_broken_derivation_is_named(damaged: Settings) -> None:
    broken = damaged.queries_dir / "derive" / "broken.rq"
    broken.write_text("CONSTRUCT { ?a ?b }", encoding="utf-8")

    with pytest.raises(InputError, match=r"broken\.rq"):
        assemble(damaged)


def test_broken_turtle_is_named(damaged: Settings) -> None:
    (damaged.ontology_dir / "broken.ttl").write_text("a b", encoding="utf-8")

    with pytest.raises(InputError, match=r"ontology/broken\.ttl"):
        assemble(damaged)


@pytest.mark.parametrize(
    "words", ["小田原市", "おだわら", "ｵﾀﾞﾜﾗ", "オダワラ", "ＯＤＡＷＡＲＡ", "odawara"]
)
def test_a_search_text_is_found_in_every_width_and_kana(
    built: tuple[Release, Report], words: str
) -> None:
    query = f"""SELECT ?thing {{
      ?thing <https://w3id.org/digiden/ontology#searchText> ?text
      FILTER(CONTAINS(?text, {Literal(fold(words))})) }}"""

    found = {row[0].value for row in evaluate(built[0].open_store(), query).rows}

    assert "https://w3id.org/digiden/id/body/142069" in found


def test_each_named_thing_has_one_search_text_of_our_making(
    built: tuple[Release, Report],
) -> None:
    store = built[0].open_store()
    text = NamedNode("https://w3id.org/digiden/ontology#searchText")
    label = NamedNode("http://www.w3.org/2000/01/rdf-schema#label")
    derived = NamedNode("https://w3id.org/digiden/source/derived")

    having = [quad.subject for quad in store.quads_for_pattern(None, text, None, derived)]
    named = {
        quad.subject
        for quad in store.quads_for_pattern(None, label, None, DefaultGraph())
        if quad.subject.value.startswith("https://w3id.org/digiden/id/body/")
    }

    assert len(having) == len(set(having)) > 3000
    assert named <= set(having)
    assert all(
        fold(quad.object.value) == quad.object.value
        for quad in store.quads_for_pattern(None, text, None, derived)
    )
