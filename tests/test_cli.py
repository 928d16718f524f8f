"""The command line: output, exit status, and no traceback for what a person can mend."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from digiden_kg.release import Release

Run = subprocess.CompletedProcess[str]


@pytest.fixture
def digiden(tiny_environment: dict[str, str]):
    def run(*arguments: str, status: int = 0, stdin: str = "", **environment: str) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "digiden_kg", *arguments],
            env={**tiny_environment, **environment},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_ask_prints_a_table_with_labels(digiden) -> None:
    lines = digiden("ask", "projects-of-a-body").stdout.splitlines()
    assert lines[:2] == [
        "この団体の交付決定事業は？",
        "Which projects does this body carry out?",
    ]
    assert "小田原市" in lines[-4]
    assert "id:body/142069" in lines[-4]
    assert lines[-1] == "Only named projects are listed."


@pytest.mark.parametrize(
    "arguments",
    [
        ("--body", "福島県昭和村"),
        ("--body=074462",),
        ("--param", "body=id:body/074462"),
        ("--param=body=https://w3id.org/digiden/id/body/074462",),
        ("--body", "Showa, Fukushima", "--cost", "84246000"),
    ],
)
def test_ask_takes_parameters(digiden, arguments: tuple[str, ...]) -> None:
    out = digiden("ask", "projects-of-a-body", *arguments, "--format", "csv").stdout
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["projectCost"] == "84246000"


def test_ask_takes_options_before_the_question(digiden) -> None:
    out = digiden("ask", "--format", "json", "projects-of-a-body", "--body", "日進市").stdout
    (binding,) = json.loads(out)["results"]["bindings"]
    assert binding["bodyLabel"]["value"] == "日進市"


def test_a_parameter_may_be_written_as_options_are(digiden, tiny_project: Path) -> None:
    done = digiden("ask", "projects-of-a-body", "--home-town", "x", status=1)
    assert "'homeTown'" in done.stderr


def test_several_values_make_several_rows(digiden) -> None:
    arguments = ("--body", "日進市", "--body", "小田原市", "-f", "tsv")
    assert digiden("ask", "projects-of-a-body", *arguments).stdout.count("\n") == 3


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("ask", "projects-of-a-body", "--body", "昭和村"), 1, "id:body/104485"),
        (("ask", "projects-of-a-body", "--body", "小田原"), 1, "神奈川県小田原市"),
        (("ask", "projects-of-a-body", "--cost", "x"), 1, "xsd:integer"),
        (("ask", "projects-of-a-body", "--town", "x"), 1, "no parameter 'town'"),
        (("ask", "projects-of-a-body", "--format", "pdf"), 1, "json, xml, csv, tsv"),
        (("ask", "projects-of-the-body"), 2, "projects-of-a-body"),
        (("ask", "projects-of-a-body", "--body"), 2, "NAME=VALUE"),
        (("ask", "projects-of-a-body", "--param", "body"), 2, "NAME=VALUE"),
        (("ask", "projects-of-a-body", "stray"), 2, "stray"),
        (("query", "no-such-file.rq"), 2, "no-such-file.rq"),
        (("query", "-", "--release", "no-such-release"), 1, "holds no release"),
        (("serve", "--release", "no-such-release", "--port", "0"), 1, "holds no release"),
        (("unknown",), 2, "unknown"),
        (("serve", "--port", "x"), 2, "--port"),
        (("serve", "--port", "0", "--data", "no-such-file.ttl"), 1, "no-such-file.ttl"),
        (("serve", "--port", "0", "--data", "pyproject.toml"), 1, ".trig"),
        (("serve", "--port", "0", "--data", "a.ttl", "--release", "x"), 2, "--release"),
        (("serve", "--port", "0", "a.ttl"), 2, "--data"),
        (("serve", "--port", "0", "--deadline", "0"), 2, "--deadline"),
        (("serve", "--port", "0", "--max-rows", "-1"), 2, "--max-rows"),
    ],
)
def test_what_is_wrong_is_said(
    digiden, arguments: tuple[str, ...], status: int, message: str
) -> None:
    done = digiden(*arguments, status=status)
    assert message in re.sub(r"[\s│]+", " ", done.stderr)
    assert not done.stdout


def test_query_reads_a_file_or_standard_input(digiden, tmp_path: Path) -> None:
    text = "SELECT ?x { VALUES ?x { 1 2 } } ORDER BY ?x"
    file = tmp_path / "q.rq"
    file.write_text(text, encoding="utf-8")
    assert digiden("query", str(file), "--format", "csv").stdout == "x\n1\n2\n"
    done = digiden("query", "-", stdin=text)
    assert done.stdout.splitlines()[0].strip() == "x"
    assert "2 rows" in done.stderr


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("ASK {}", "table", "true\n"),
        ("ASK { FILTER(false) }", "table", "false\n"),
        ("ASK {}", "json", '{"head":{},"boolean":true}'),
        ("CONSTRUCT { <http://e> a <http://e> } {}", "table", "<http://e> a <http://e>"),
        ("CONSTRUCT { <http://e> a <http://e> } {}", "jsonld", '[{"@id":"http://e"'),
    ],
)
def test_query_prints_every_form(digiden, text: str, name: str, expected: str) -> None:
    assert expected in digiden("query", "-", "-f", name, stdin=text).stdout


def test_a_wrong_query_has_its_place(digiden) -> None:
    done = digiden("query", "-", status=1, stdin="SELECT ?a\n <?b> {}")
    assert done.stderr.startswith("digiden-kg: line 2, column 7: ")
    done = digiden("query", "-", status=1, stdin="DROP ALL")
    assert "updates" in done.stderr


def test_questions_lists_names_and_parameters(digiden) -> None:
    out = digiden("questions").stdout
    assert "projects-of-a-body\n  この団体の交付決定事業は？\n" in out
    assert "--theme  テーマ / Theme (optional)" in out


def test_every_wrong_question_is_named(digiden, tmp_path: Path) -> None:
    folder = tmp_path / "queries" / "questions"
    folder.mkdir(parents=True)
    for name in ("a.rq", "b.rq"):
        (folder / name).write_text("SELECT * {}", encoding="utf-8")
    done = digiden("questions", status=1, DIGIDEN_PROJECT=str(tmp_path))
    assert "2 problems" in done.stderr
    assert "a.rq, row 1" in done.stderr
    assert "b.rq, row 1" in done.stderr


def test_bad_input_stops_a_build(digiden, tiny_project: Path, tmp_path: Path) -> None:
    project = Path(__file__).parents[1]
    for part in ("ontology", "shapes", "queries", "data"):
        shutil.copytree(project / part, tmp_path / "project" / part)
    table = tmp_path / "project" / "data" / "codes" / "field.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")
    environment = {"DIGIDEN_PROJECT": str(tmp_path / "project"), "DIGIDEN_OUT": str(tmp_path / "o")}
    for command in ("build", "check"):
        done = digiden(command, status=1, **environment)
        assert re.search(r"field\.csv, row \d+", done.stderr)
    assert not (tmp_path / "o" / "current").exists()


def test_a_damaged_release_is_refused(digiden, tiny_release: Release, tmp_path: Path) -> None:
    damaged = tmp_path / tiny_release.name
    shutil.copytree(tiny_release.path, damaged)
    with (damaged / "digiden.nq").open("a", encoding="utf-8") as file:
        file.write("no quad\n")
    done = digiden("serve", "--port", "0", "--release", str(damaged), status=1)
    assert "damaged" in done.stderr


def test_a_port_in_use_is_named(digiden, tiny_release: Release) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        release = str(tiny_release.path)
        done = digiden("serve", "--port", port, "--release", release, status=1)
    assert f"127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_serve_prints_where_it_is_and_ends_quietly(
    tiny_environment: dict[str, str], tiny_release: Release, name: str
) -> None:
    command = [sys.executable, "-m", "digiden_kg", "serve", "--port", "0"]
    command += ["--release", str(tiny_release.path)]
    with subprocess.Popen(
        command,
        env={**tiny_environment, "DIGIDEN_LOG": "-"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as server:
        assert server.stdout is not None
        printed = [server.stdout.readline() for _ in range(5)]
        assert "97 triples, 3 projects, 0 findings" in printed[0]
        assert re.search(r"http://127\.0\.0\.1:\d+", printed[1])
        example = "".join(printed[3:])
        curl = subprocess.run(
            ["sh", "-c", example.strip().replace("curl", "curl -sf --retry-connrefused --retry 9")],
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert curl.stdout.splitlines()[0] == "project,projectLabel,body,bodyLabel,projectCost"
        server.send_signal(signal.Signals[name])
        out, err = server.communicate(timeout=60)
        assert server.returncode in (0, -signal.SIGTERM)
        (line,) = err.splitlines()  # the access log, and no traceback
        assert json.loads(line)["outcome"] == "ok"
        assert not out


def test_export_writes_one_dump_or_all(digiden, tmp_path: Path, tiny_release: Release) -> None:
    names = digiden("export", "--list").stdout.split()
    assert names == [f"digiden.{end}.gz" for end in ("nq", "trig", "ttl", "jsonld")]

    nquads = digiden("export", "digiden.nq").stdout
    assert nquads == tiny_release.dataset.read_text(encoding="utf-8")
    digiden("export", "digiden.ttl", "--out", str(tmp_path / "a.ttl"))
    assert "@prefix dg:" in (tmp_path / "a.ttl").read_text(encoding="utf-8")

    folder = tmp_path / "all"
    listed = digiden("export", "--all", str(folder), "--format", "ttl", "-f", "nq").stdout
    assert listed.split()[1::2] == ["digiden.ttl.gz", "digiden.nq.gz"]
    assert {path.name for path in folder.iterdir()} == {*listed.split()[1::2], "SHA256SUMS"}


def test_export_says_what_is_wrong(digiden, tmp_path: Path) -> None:
    assert "'digiden.hdt'" in digiden("export", "digiden.hdt", status=1).stderr
    assert "there are: nq" in digiden("export", "--all", str(tmp_path), "-f", "x", status=1).stderr
    missing = tmp_path / "none" / "a.ttl"
    assert (
        "a.ttl cannot be written"
        in digiden("export", "digiden.ttl", "--out", str(missing), status=1).stderr
    )
    for wrong in ((), ("digiden.ttl", "--list"), ("digiden.ttl", "--format", "ttl")):
        digiden("export", *wrong, status=2)
    digiden("export", "nothing.csv", "--out", str(tmp_path / "b.csv"), status=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["DIGIDEN_DEADLINE", "DIGIDEN_WORKERS", "DIGIDEN_SLOW"])
def test_a_setting_that_is_no_number_is_named(digiden, name: str) -> None:
    done = digiden("questions", status=1, **{name: "ten"})
    assert f"{name} is 'ten'; write a number such as" in done.stderr
    assert "数を書いてください" in done.stderr
