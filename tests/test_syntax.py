"""What is said of the text of a query before anything parses it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digiden_kg.syntax import declare, normalise, query_form, tokens

PREFIXES = {"dg": "http://e/dg#", "rdfs": "http://e/rdfs#"}
pieces = st.one_of(
    st.sampled_from([" ", "\n", "#c\n", "#", '"a  b"', "'''x\n\ny'''", '"', "'", "\\", "\\u0022"]),
    st.sampled_from(
        ["SELECT", "?a", "<http://e/#b>", "{", "}", "<", ">", "dg:a", "1.5", "-", "日本", ".", ";"]
    ),
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_a_normal_form_has_the_same_tokens(text: str) -> None:
    normal = normalise(text)
    assert [(t.kind, t.text) for t in tokens(normal)] == [(t.kind, t.text) for t in tokens(text)]
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (" ASK  {\n}# end", "ASK { }"),
        ("ASK{}", "ASK{}"),
        ('ASK { FILTER("a  # b" = 1) }', 'ASK { FILTER("a  # b" = 1) }'),
        ('ASK  { "no end }', 'ASK  { "no end }'),
        ("ASK  \\u007B }", "ASK  \\u007B }"),
        ("ASK { ?a - 1 }", "ASK { ?a - 1 }"),
        ("ASK { ?a -1 }", "ASK { ?a -1 }"),
    ],
)
def test_white_space_and_comments_are_one_space(text: str, normal: str) -> None:
    assert normalise(text) == normal


starts = st.sampled_from(
    [
        *(
            " ",
            "\n",
            "# ASK\n",
            "PREFIX a: <http://e/#>",
            "prefix : <http://e/>",
            "BASE <http://e/>",
        ),
        *(
            "PREFIX a: <http://e/",
            "SELECT",
            "ask",
            "Construct",
            "describe",
            "INSERT",
            "\u017felect",
        ),
        *("a", ":", "?x", "{", "*", "'SELECT'", "é", "-", "."),
    ]
)


@given(st.lists(starts, max_size=8).map("".join))
def test_the_form_of_a_query_is_its_first_word_that_names_one(text: str) -> None:
    updates = ("INSERT", "DELETE", "WITH", "LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY")
    forms = {form: form for form in ("SELECT", "ASK", "CONSTRUCT", "DESCRIBE")}
    forms |= dict.fromkeys(updates, "UPDATE")
    words = (token.text.upper() for token in tokens(text) if token.kind == "word")
    assert query_form(text) == next((forms[word] for word in words if word in forms), None)


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("ASK { ?s dg:a rdfs:b }", ["dg", "rdfs"]),
        ("PREFIX dg: <http://other/> ASK { ?s dg:a ?o }", []),
        ("prefix dg: <http://other/> ASK { ?s rdfs:a dg:o }", ["rdfs"]),
        ('ASK { ?s ?p "dg:a" } # rdfs:b', []),
        ("ASK { ?s unknown:a <dg:b> }", []),
    ],
)
def test_only_missing_prefixes_are_declared(text: str, declared: list[str]) -> None:
    lines = [f"PREFIX {name}: <{PREFIXES[name]}>\n" for name in declared]
    assert declare(text, PREFIXES) == "".join(lines) + text
