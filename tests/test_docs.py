"""The documentation says what is: generated blocks are current, everything is mentioned."""

import re
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Store
from typer.testing import CliRunner

from digiden_kg.cli import app
from digiden_kg.questions import evaluate, load_question, store_choices

PROJECT = Path(__file__).parents[1]
READMES = {"en": PROJECT / "README.md", "ja": PROJECT / "README.ja.md"}
MARK = re.compile(r"(<!-- questions -->\n).*(<!-- /questions -->)", re.S)
SHOWN = 4
"""Rows of an answer that the README shows."""

QUESTIONS: list[tuple[str, dict[str, str], list[str]]] = [
    (
        "adopters-of-a-model-service",
        {"modelService": "デジタルライブラリー"},
        ["prefectureLabel", "bodyLabel", "serviceLabel", "certainty"],
    ),
    (
        "published-against-named-adopters",
        {},
        ["modelServiceLabel", "published", "named", "publishedNationalShare"],
    ),
    (
        "service-types-in-several-prefectures",
        {},
        ["modelServiceLabel", "prefectures", "named", "certainty"],
    ),
    ("bodies-with-several-grant-types", {}, ["prefectureLabel", "bodyLabel", "grantTypeLabels"]),
    (
        "platforms-and-their-projects",
        {},
        ["platformLabel", "platformStatusLabel", "howLabel", "bodyLabel", "certainty"],
    ),
    (
        "indicators-with-largest-growth",
        {},
        ["indicatorLabel", "bodyLabel", "firstValue", "lastValue"],
    ),
    (
        "cost-per-resident",
        {},
        ["bodyLabel", "projectCost", "population", "costPerResident"],
    ),
    ("telework-activities-by-word", {"word": "ワイン"}, ["bodyLabel", "projectLabel"]),
    ("figures-that-contradict", {}, ["aboutLabel", "published", "listed"]),
    ("what-is-unknown", {}, ["grantTypeLabel", "published", "named", "unnamed"]),
]


def block(store: Store, language: str) -> str:
    """Return ten questions with the first rows of their answers, as Markdown."""
    parts = []
    choices = store_choices(store)
    for slug, values, columns in QUESTIONS:
        question = load_question(PROJECT / "queries" / "questions" / f"{slug}.rq")
        given = {name: [value] for name, value in values.items()}
        if "lang" in question.parameters:
            given["lang"] = [language]
        answer = evaluate(store, question.bind(given, choices))
        places = [answer.columns.index(column) for column in columns]
        options = "".join(f" --{name} {value}" for name, value in values.items())
        lines = [
            f"**{question.title[language]}** `digiden-kg ask {slug}{options}`\n",
            "| " + " | ".join(columns) + " |",
            "|" + "---|" * len(columns),
        ]
        for row in answer.rows[:SHOWN]:
            lines.append("| " + " | ".join(_cell(row[place]) for place in places) + " |")
        rest = len(answer.rows) - SHOWN
        if rest > 0:
            lines.append(f"\n… {rest} more rows" if language == "en" else f"\n…ほか{rest}行")
        parts.append("\n".join(lines))
    return "\n" + "\n\n".join(parts) + "\n\n"


def _cell(term: object) -> str:
    if isinstance(term, Literal):
        return f"{int(term.value):,}" if term.value.isdecimal() else term.value
    return term.value if isinstance(term, NamedNode) else ""


@pytest.mark.parametrize("language", READMES)
def test_the_questions_of_the_readme_are_answered_as_it_says(
    language: str, real_store: Store, pytestconfig: pytest.Config
) -> None:
    path = READMES[language]
    text = path.read_text(encoding="utf-8")
    expected = MARK.sub(lambda match: match[1] + block(real_store, language) + match[2], text)
    if pytestconfig.getoption("--golden"):
        path.write_text(expected, encoding="utf-8")

    assert text == expected or pytestconfig.getoption("--golden")


def test_every_command_has_help_and_is_in_both_readmes() -> None:
    commands = [command.name or command.callback.__name__ for command in app.registered_commands]

    assert {"build", "check", "query", "ask", "questions", "serve"} <= set(commands)
    for command in commands:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
        assert all(
            f"digiden-kg {command}" in path.read_text(encoding="utf-8") for path in READMES.values()
        )


@pytest.mark.parametrize("path", [*READMES.values(), PROJECT / "data" / "README.md"])
def test_links_of_the_documentation_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_setting_is_in_the_readme() -> None:
    source = (PROJECT / "src" / "digiden_kg" / "settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'"(DIGIDEN_[A-Z_]+)"', source))

    assert len(names) >= 4
    for path in READMES.values():
        text = path.read_text(encoding="utf-8")
        assert {name for name in names if name not in text} == set()


@pytest.mark.parametrize("path", READMES.values(), ids=READMES)
def test_the_search_of_the_readme_finds_what_it_says(path: Path, real_store: Store) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.search(r"<!-- search -->\n```sparql\n(.*?)```", text, re.S)

    assert found
    labels = {row[1].value for row in evaluate(real_store, found[1]).rows if row[1]}
    assert "小田原市" in labels


def test_every_option_of_serve_is_in_both_readmes() -> None:
    names = ("--data", "--deadline", "--memory", "--max-rows", "--workers", "--base")

    for path in READMES.values():
        text = path.read_text(encoding="utf-8")
        assert [name for name in names if name not in text] == []
