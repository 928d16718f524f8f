"""Release folders: complete or refused, switched in one step."""

import json
from pathlib import Path

import pytest

from digiden_kg.exceptions import ReleaseError
from digiden_kg.release import (
    DATASET,
    current_release,
    former_release,
    open_release,
    publish,
    staging,
)

QUAD = '<http://example.org/a> <http://example.org/b> "c" .\n'


def make(out: Path, text: str = QUAD) -> str:
    with staging(out) as folder:
        (folder / "digiden.nq").write_text(text, encoding="utf-8")
        return publish(folder, out, {"version": "0.1.0", "inputs": {}, "counts": {}}).name


def test_a_published_release_is_current_and_readable(tmp_path: Path) -> None:
    name = make(tmp_path)

    release = current_release(tmp_path)

    assert release.name == name
    assert len(release.open_store()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "current"])


def test_an_interrupted_build_leaves_no_trace_and_the_last_release(tmp_path: Path) -> None:
    name = make(tmp_path)

    with pytest.raises(RuntimeError, match="killed"), staging(tmp_path) as folder:
        (folder / "digiden.nq").write_text("", encoding="utf-8")
        raise RuntimeError("killed")

    assert current_release(tmp_path).name == name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "current"])


def test_other_content_gets_another_name_and_the_old_release_stays(tmp_path: Path) -> None:
    first = make(tmp_path)
    second = make(tmp_path, QUAD.replace("c", "d"))

    assert first != second
    assert current_release(tmp_path).name == second
    assert len(open_release(tmp_path / first).open_store()) == 1


def test_no_release_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="digiden-kg build"):
        current_release(tmp_path)


def test_a_folder_that_is_no_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({}), encoding="utf-8")

    with pytest.raises(ReleaseError, match=r"digiden\.nq"):
        open_release(tmp_path)


def test_a_damaged_dataset_is_named(tmp_path: Path) -> None:
    name = make(tmp_path)
    (tmp_path / name / "digiden.nq").write_text("damaged", encoding="utf-8")

    with pytest.raises(ReleaseError, match=r"digiden\.nq cannot be read"):
        open_release(tmp_path / name).open_store()


def test_the_release_before_is_the_one_that_the_manifest_names(tmp_path: Path) -> None:
    releases = {}
    for name, before in (("a", None), ("b", "a"), ("c", "gone")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / DATASET).write_bytes(b"")
        manifest = {"previous": before} if before else {}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        releases[name] = open_release(folder)
    assert former_release(releases["b"]) == releases["a"]
    assert former_release(releases["a"]) is None
    assert former_release(releases["c"]) is None
