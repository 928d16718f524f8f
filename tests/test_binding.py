"""Values in, SPARQL out: the slots of saved questions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Literal, Store

from digiden_kg.exceptions import InputError, ParameterError
from digiden_kg.questions import (
    Question,
    load_question,
    load_questions,
    run_question,
    store_choices,
)
from digiden_kg.syntax import query_form, tokens

BODY = "https://w3id.org/digiden/id/body/"


def write(folder: Path, text: str) -> Path:
    path = folder / "asked.rq"
    path.write_text(text, encoding="utf-8")
    return path


HEADER = "#+ title: {en: t, ja: 題}\n#+ summary: {en: s, ja: 要約}\n"
TWO_SLOTS = (
    HEADER
    + """#+ params:
#+   word: {en: Word, ja: 語, datatype: "xsd:string"}
#+   other: {en: Other, ja: 他, datatype: "xsd:string"}
SELECT ?word ?other {
  # VALUES ?word { "comment" }
  VALUES ?word { "a" }
  { SELECT ?word ?other { values $word{"a"} VALUES ?other { UNDEF } } }
  FILTER(?other != "VALUES ?word { }" && ?other != <http://example.org/#VALUES> || true)
}"""
)


@pytest.fixture(scope="session")
def two_slots(tmp_path_factory: pytest.TempPathFactory) -> Question:
    return load_question(write(tmp_path_factory.mktemp("two"), TWO_SLOTS))


def bodies(store: Store, question: Question, **values: str | list[str]) -> list[str]:
    rows = run_question(store, question, values).rows
    return [row[2].value.removeprefix(BODY) for row in rows]


def test_the_file_runs_as_it_stands(tiny_store: Store, project_question: Question) -> None:
    assert bodies(tiny_store, project_question) == ["142069"]
    assert project_question.bind({}) == project_question.text


@pytest.mark.parametrize(
    "value",
    [
        "https://w3id.org/digiden/id/body/074462",
        "<https://w3id.org/digiden/id/body/074462>",
        "id:body/074462",
        "074462",
        "福島県昭和村",
        "Showa, Fukushima",
        "ＳＨＯＷＡ, fukushima",
    ],
)
def test_a_thing_has_many_names(tiny_store: Store, project_question: Question, value: str) -> None:
    assert bodies(tiny_store, project_question, body=value) == ["074462"]


def test_several_values_by_comma_or_repeated(tiny_store: Store, project_question: Question) -> None:
    assert bodies(tiny_store, project_question, body="小田原市、日進市") == ["142069", "232301"]
    given_twice = bodies(tiny_store, project_question, body=["小田原市", "Showa, Fukushima"])
    assert given_twice == ["074462", "142069"]


def test_an_ambiguous_label_lists_the_candidates(
    tiny_store: Store, project_question: Question
) -> None:
    with pytest.raises(ParameterError) as caught:
        bodies(tiny_store, project_question, body="昭和村")
    assert "福島県昭和村 = id:body/074462" in str(caught.value)
    assert "群馬県昭和村 = id:body/104485" in str(caught.value)


def test_an_unknown_label_names_what_is_near(tiny_store: Store, project_question: Question) -> None:
    with pytest.raises(ParameterError, match="神奈川県小田原市 = id:body/142069"):
        bodies(tiny_store, project_question, body="小田原")
    with pytest.raises(ParameterError, match="nothing is called 'id:body/999999'"):
        bodies(tiny_store, project_question, body="id:body/999999")


def test_a_concept_is_found_in_its_scheme(tiny_store: Store, project_question: Question) -> None:
    assert bodies(tiny_store, project_question, theme="観光") == ["142069"]
    assert bodies(tiny_store, project_question, theme="tourism") == ["142069"]


def test_an_empty_value_keeps_the_default(tiny_store: Store, project_question: Question) -> None:
    assert bodies(tiny_store, project_question, theme="", cost=" ") == ["142069"]


def test_a_literal_must_be_of_its_datatype(tiny_store: Store, project_question: Question) -> None:
    assert bodies(tiny_store, project_question, cost="700000000") == []
    with pytest.raises(ParameterError, match="no xsd:integer"):
        bodies(tiny_store, project_question, cost="6億円")


def test_an_unknown_parameter_is_refused(project_question: Question) -> None:
    with pytest.raises(ParameterError, match="it has: body, theme, cost, word"):
        project_question.bind({"town": "x"})


def test_slots_in_comments_and_strings_are_text(two_slots: Question) -> None:
    bound = two_slots.bind({"word": "b", "other": "VALUES ?word { 1 }"})
    assert '# VALUES ?word { "comment" }' in bound
    assert '"VALUES ?word { }"' in bound
    assert 'values $word{ "b" }' in bound
    assert 'VALUES ?other { "VALUES ?word { 1 }" }' in bound


@given(word=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_literal_binds_unchanged(two_slots: Question, word: str) -> None:
    if not word.strip():
        return
    bound = two_slots.bind({"word": word})
    (row,) = Store().query(bound)
    assert row["word"] == Literal(word.strip())


@given(text=st.text())
def test_tokens_never_overlap_and_never_fail(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert text[token.start : token.end] == token.text
        assert token.start >= end
        end = token.end


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("PREFIX select: <http://example.org/ask#> CONSTRUCT WHERE {}", "CONSTRUCT"),
        ("# SELECT\nask{}", "ASK"),
        ("BASE<http://example.org/SELECT>describe <x>", "DESCRIBE"),
        ("PREFIX : <http://example.org/> DELETE WHERE { ?s ?p ?o }", "UPDATE"),
        ('"SELECT"', None),
        ("", None),
    ],
)
def test_the_form_of_a_query(text: str, form: str | None) -> None:
    assert query_form(text) == form


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("SELECT * {}", 1, "no #+ header"),
        ("#+ title: {en: t\nSELECT * {}", 2, "no YAML"),
        ("#+ title: {en: t, ja: 題}\nSELECT * {}", 1, "both languages"),
        (HEADER + "SELECT * {", 3, "構文"),
        (HEADER + "ASK {}", None, "not a SELECT"),
        (HEADER + "#+ tags: reuse\nSELECT * {}", 3, "no list"),
        (HEADER + "#+ params:\n#+   x: {en: X, ja: X}\nSELECT * {}", 4, "one of class"),
        (
            HEADER + '#+ params:\n#+   x: {en: X, ja: X, class: "zz:A"}\nSELECT * {}',
            4,
            "unknown prefix",
        ),
        (
            HEADER + '#+ params:\n#+   x: {en: X, ja: X, class: "dg:A"}\nSELECT * {}',
            4,
            "no slot",
        ),
        (
            HEADER
            + '#+ params:\n#+   x: {en: X, ja: X, class: "dg:A"}\n'
            + "SELECT * { VALUES ?x { 1 } VALUES ?x { 2 } }",
            4,
            "differ",
        ),
    ],
)
def test_a_wrong_header_is_named_with_its_line(
    tmp_path: Path, text: str, line: int | None, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        load_questions(write(tmp_path, text).parent)
    problem = next(p for p in caught.value.problems if message in p.message)
    assert (problem.file, problem.row) == ("asked.rq", line)


def test_choices_list_what_a_parameter_may_be(
    tiny_store: Store, project_question: Question
) -> None:
    listed = store_choices(tiny_store)(project_question.parameters["body"])
    captions = [choice.caption("ja") for choice in listed]
    assert captions[:2] == ["愛知県", "神奈川県"]
    assert "群馬県昭和村" in captions
    assert len(listed) == 8
    assert store_choices(tiny_store)(project_question.parameters["cost"]) == ()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('sentence: {en: "Of {body}?", ja: "どの団体？"}', "the parameters do not fit"),
        ('sentence: {en: "Of {town}?", ja: "{town}？"}', "the parameters do not fit"),
        ("view: {kind: pie, label: body, values: [projectCost]}", "no view"),
        ("view: {kind: bar, label: body, values: [cost]}", "no column: ['cost']"),
        ("view: {kind: bar, label: body, values: [projectCost], colour: red}", "no view"),
    ],
)
def test_a_sentence_or_view_that_does_not_fit_is_said(
    tmp_path: Path, line: str, problem: str
) -> None:
    text = (Path(__file__).parent / "data" / "questions" / "projects-of-a-body.rq").read_text(
        encoding="utf-8"
    )
    (tmp_path / "projects-of-a-body.rq").write_text(f"#+ {line}\n{text}", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_question(tmp_path / "projects-of-a-body.rq")
    assert problem in str(caught.value)
