"""The saved questions of the project, asked of the real data."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from pyoxigraph import NamedNode, QueryResultsFormat, QuerySolutions, Store
from rdflib.plugins.sparql import prepareQuery

from digiden_kg import vocab
from digiden_kg.questions import (
    Answer,
    Choices,
    Question,
    describe_query,
    evaluate,
    load_question,
    store_choices,
)
from digiden_kg.syntax import tokens

PROJECT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden" / "questions"
FILES = sorted((PROJECT / "queries" / "questions").glob("*.rq"))
CASES = yaml.safe_load((GOLDEN / "cases.yaml").read_text(encoding="utf-8"))
FLOOR = 40
"""Fewer files than this mean that some got lost, not that all is well."""
TAGS = {
    *("reuse", "grants", "money", "platforms", "partners", "indicators", "people"),
    *("telework", "card", "statistics", "quality", "unknown"),
}
SURE = re.compile(r"(?i)^(named|published|listed|certainty)|(named|published|listed|certainty)$")
"""Names of columns that say how complete or how sure an answer is."""

TYPE = NamedNode(vocab.expand("rdf:type"))
SUBPROPERTY = NamedNode(vocab.expand("rdfs:subPropertyOf"))

each_question = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def choices(real_store: Store) -> Choices:
    """Look up what values are called; each parameter's list is read once."""
    look_up, known = store_choices(real_store), {}

    def choices(parameter):
        key = (parameter.kind, parameter.range)
        if key not in known:
            known[key] = look_up(parameter)
        return known[key]

    return choices


def names(question: Question) -> list[str]:
    """Return the IRIs that a query names, without those that only declare a prefix."""
    found, before = [], ["", ""]
    for token in tokens(question.text):
        if "PREFIX" not in before:
            if token.kind == "iri":
                found.append(token.text[1:-1])
            elif token.kind == "name":
                found.append(vocab.expand(token.text))
        before = [before[1], token.text.upper()]
    return found


def iris(answer: Answer) -> Counter[tuple[str, ...]]:
    """Return the things of each row, whatever they are called."""
    return Counter(
        tuple(cell.value for cell in row if isinstance(cell, NamedNode)) for row in answer.rows
    )


def blanks(answer: Answer) -> Counter[tuple[bool, ...]]:
    """Return which cells of the rows are empty."""
    return Counter(tuple(cell is None for cell in row) for row in answer.rows)


def test_there_are_enough_questions() -> None:
    assert len(FILES) >= FLOOR


@each_question
def test_the_header_is_complete(path: Path) -> None:
    question = load_question(path)
    assert re.fullmatch("[a-z]+(-[a-z0-9]+)+", question.slug)
    assert question.title["en"].endswith("?")
    assert question.title["ja"].endswith("？")
    for text in (question.summary, question.complete or question.summary):
        assert text["en"].endswith((".", ")"))
        assert text["ja"].endswith(("。", "）"))
    assert question.tags
    assert set(question.tags) <= TAGS
    assert question.text.rstrip().splitlines()[-1].startswith("ORDER BY")


@each_question
def test_a_question_with_parameters_is_a_sentence_with_places_for_them(path: Path) -> None:
    question = load_question(path)
    required = {
        name for name, each in question.parameters.items() if each.required and name != "lang"
    }
    for language, end in (("en", "?"), ("ja", "？")):
        pieces = question.pieces(language)
        assert str(pieces[-1]).endswith(end)
        named = {each.name for each in pieces if not isinstance(each, str)}
        assert required <= named


@each_question
def test_the_things_of_an_answer_can_be_described(path: Path, real_store: Store) -> None:
    question = load_question(path)
    answer = evaluate(real_store, question.text)
    columns = [
        name
        for at, name in enumerate(answer.columns)
        if any(isinstance(row[at], NamedNode) for row in answer.rows)
    ]
    if columns:
        described = {
            triple.subject
            for triple in real_store.query(describe_query(question.text, columns))  # type: ignore[union-attr]
        }
        at = answer.columns.index(columns[0])
        things = {row[at] for row in answer.rows if isinstance(row[at], NamedNode)}
        assert described
        for silent in things - described:  # a check is named, but nothing is said of it
            assert not list(real_store.quads_for_pattern(silent, None, None, None))


@each_question
def test_every_slot_is_a_parameter(path: Path) -> None:
    question = load_question(path)
    slots = re.findall(r"VALUES \?(\w+) \{ (?:UNDEF|[^()}]+) \}\n", question.text)
    assert set(question.parameters) <= set(slots)
    if "lang" in slots:
        assert "lang" in question.parameters


@each_question
def test_rdflib_reads_it_too(path: Path) -> None:
    prepareQuery(load_question(path).text)


def in_use(store: Store, term: NamedNode) -> bool:
    """Tell whether a term is a property, a class or a thing of the dataset.

    A property of ours is also in use where only the property above it has statements: a question
    may ask how a thing is done and find that one of the ways does not occur.
    """
    if any(store.quads_for_pattern(None, term, None, None)):
        return True
    if any(store.quads_for_pattern(None, TYPE, term, None)):
        return True
    if term.value.startswith(vocab.PREFIXES["dg"]):
        above = store.quads_for_pattern(term, SUBPROPERTY, None, None)
        return any(in_use(store, quad.object) for quad in above)
    return any(store.quads_for_pattern(term, None, None, None))


@each_question
def test_every_name_is_in_use(path: Path, real_store: Store) -> None:
    unused = [
        iri
        for iri in names(load_question(path))
        if not iri.startswith(vocab.PREFIXES["xsd"]) and not in_use(real_store, NamedNode(iri))
    ]
    assert unused == []


@each_question
def test_the_defaults_answer(path: Path, real_store: Store) -> None:
    question = load_question(path)
    answer = evaluate(real_store, question.text)
    assert answer.rows
    if question.complete:
        assert any(SURE.search(column) for column in answer.columns), answer.columns


@each_question
def test_both_languages_find_the_same_things(
    path: Path, real_store: Store, choices: Choices
) -> None:
    question = load_question(path)
    if "lang" not in question.parameters:
        pytest.skip("shows no labels")
    japanese, english = (
        evaluate(real_store, question.bind({"lang": lang}, choices)) for lang in ("ja", "en")
    )
    assert iris(japanese) == iris(english)
    assert blanks(japanese) == blanks(english)


def _asked() -> list[tuple[str, dict[str, str]]]:
    cases = [(path.stem, {}) for path in FILES]
    cases += [
        (f"{slug}--{case}", values)
        for slug, entries in CASES.items()
        for case, values in entries.items()
    ]
    return sorted(cases)


@pytest.mark.parametrize(("name", "values"), _asked(), ids=str)
def test_the_answer_is_the_golden_one(
    name: str,
    values: dict[str, str],
    real_store: Store,
    choices: Choices,
    request: pytest.FixtureRequest,
) -> None:
    slug = name.partition("--")[0]
    question = load_question(PROJECT / "queries" / "questions" / f"{slug}.rq")
    result = real_store.query(question.bind(values, choices))
    assert isinstance(result, QuerySolutions)
    buffer = io.BytesIO()
    result.serialize(buffer, format=QueryResultsFormat.CSV)
    answer = buffer.getvalue().decode().replace("\r\n", "\n")
    file = GOLDEN / f"{name}.csv"
    if request.config.getoption("--golden"):
        file.write_text(answer, encoding="utf-8", newline="\n")
    assert answer == file.read_text(encoding="utf-8")
    assert answer.count("\n") > 1


def test_every_golden_answer_has_a_question() -> None:
    assert {path.stem for path in GOLDEN.glob("*.csv")} == {name for name, _ in _asked()}
