"""What is missing for five stars is named, with what to do about it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

from digiden_kg.exceptions import PublishError
from digiden_kg.publish.check import Point, check_publication, stars
from digiden_kg.publish.publisher import MANIFEST
from digiden_kg.release import Release
from digiden_kg.report import Report
from digiden_kg.settings import Settings, load_settings

CONTACT = "mailto:data@example.jp"
ROOT = "https://data.example.jp/digiden"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return dataclasses.replace(load_settings(), project_dir=PROJECT, contact=CONTACT)


@pytest.fixture(scope="module")
def points(built: tuple[Release, Report], settings: Settings) -> list[Point]:
    return check_publication(built[0], settings, base_url=ROOT)


def failed(points: list[Point]) -> list[str]:
    return [point.what["en"] for point in points if point.ok is False]


def test_our_release_has_five_stars_and_what_is_unknown_is_said(points: list[Point]) -> None:
    assert failed(points) == []
    assert stars(points) == 5
    unknown = [point for point in points if point.ok is None]
    assert [("w3id.org" in point.what["ja"], point.remedy is not None) for point in unknown] == [
        (True, True)
    ]


def test_every_point_is_in_both_languages_with_a_remedy(points: list[Point]) -> None:
    assert {point.stars for point in points} == {0, 1, 2, 3, 4, 5}
    for point in points:
        assert point.what["ja"] != point.what["en"]
        assert point.remedy is not None
        assert point.remedy["ja"]
        assert point.remedy["en"]


def test_what_is_lacking_is_named(
    tiny_release: Release, settings: Settings, tiny_project: Path
) -> None:
    poor = dataclasses.replace(settings, project_dir=tiny_project, contact=None)
    found = check_publication(tiny_release, poor, base_url="http://localhost:8000")
    text = "\n".join(failed(found))
    for words in ("contact", "public address", "links to other data"):
        assert words in text
    assert stars(found) == 4


def test_a_folder_without_a_site_is_an_error(
    tiny_release: Release, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(PublishError, match="publish --out"):
        check_publication(tiny_release, settings, tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps({"files": {}}))


def test_the_command_says_it_and_fails_where_something_is_missing(
    tiny_environment: dict[str, str], tiny_release: Release
) -> None:
    command = [sys.executable, "-m", "digiden_kg", "publish", "--check"]
    command += ["--release", str(tiny_release.path)]
    done = subprocess.run(
        command, env=tiny_environment, capture_output=True, check=False, text=True
    )
    assert done.returncode == 1, done.stderr
    assert "DIGIDEN_CONTACT=mailto:" in done.stdout
    assert "足りないもの" in done.stdout
