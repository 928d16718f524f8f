"""The scripts of the pages: typed, tested, small, and made of pinned packages only."""

from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from digiden_kg.web.site import STATIC

PROJECT = Path(__file__).parents[1]
FRONTEND = PROJECT / "src" / "digiden_kg" / "web" / "frontend"
DIST = STATIC / "dist"
ORDINARY = 200_000
"""Bytes of compressed script that an ordinary page may load; editor, builder, graph load more."""


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", PROJECT / "hatch_build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run_npm(hook: ModuleType):
    _, npm, environment = hook.node_environment()

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*npm, *words],
            cwd=FRONTEND,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    if not (FRONTEND / "node_modules" / "typescript").is_dir():
        done = run("ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
        assert done.returncode == 0, done.stderr
    return run


@pytest.mark.parametrize("script", ["check", "test"])
def test_scripts_are_typed_and_tested(run_npm, script: str) -> None:
    done = run_npm("run", script)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_installed_bundles_are_made_of_the_present_sources(hook: ModuleType) -> None:
    assert hook.is_fresh(PROJECT), "install the package again: pip install -e ."


def test_a_change_of_any_source_makes_the_bundles_old(hook: ModuleType, tmp_path: Path) -> None:
    for path in hook.inputs(PROJECT):
        copy = tmp_path / path.relative_to(PROJECT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    stamp = tmp_path / hook.DIST / hook.STAMP
    stamp.parent.mkdir(parents=True)
    stamp.write_text(hook.digest(tmp_path))
    assert hook.is_fresh(tmp_path)
    source = tmp_path / hook.FRONTEND / "src" / "site.ts"
    source.write_text(source.read_text() + "\n// more\n")
    assert not hook.is_fresh(tmp_path)


def test_the_lock_names_no_host_and_pins_every_package() -> None:
    text = (FRONTEND / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    packages = json.loads(text)["packages"]
    assert all("integrity" in each for name, each in packages.items() if name)


def test_notices_name_every_package_with_its_licence() -> None:
    notices = (DIST / "NOTICES.txt").read_text(encoding="utf-8")
    assert "@svg-maps/japan" in notices
    assert "CC-BY-4.0" in notices


def test_the_map_has_each_prefecture_once() -> None:
    shapes = json.loads((DIST / "prefectures.json").read_text(encoding="utf-8"))["shapes"]
    assert [each["code"] for each in shapes] == [f"{code:02}" for code in range(1, 48)]
    assert all(each["path"] for each in shapes)


def test_the_script_of_every_page_is_small() -> None:
    assert len(gzip.compress((DIST / "site.js").read_bytes())) < ORDINARY
