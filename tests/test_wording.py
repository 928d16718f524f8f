"""Numbers, money and dates in both languages."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digiden_kg.web import wording


@pytest.mark.parametrize(
    ("value", "ja", "en"),
    [
        (2_280_000_000, "22.8億円", "2.28 billion yen"),
        (661_074_000, "6.61億円", "661.07 million yen"),
        (9_500_000, "950万円", "9.5 million yen"),
        (178_105_000, "1.78億円", "178.11 million yen"),
        (84_246_000, "8,424.6万円", "84.25 million yen"),
        (950_000, "95万円", "950,000 yen"),
        (800, "800円", "800 yen"),
        (0, "0円", "0 yen"),
        (65_300_000_000, "653億円", "65.3 billion yen"),
    ],
)
def test_yen_in_words(value: int, ja: str, en: str) -> None:
    assert wording.yen(value, "ja") == ja
    assert wording.yen(str(value), "en") == en


@given(st.integers(0, 10**15), st.sampled_from(["ja", "en"]))
def test_the_full_form_keeps_every_digit(value: int, language: str) -> None:
    full = wording.full_yen(value, language)
    assert int("".join(each for each in full if each.isdigit())) == value


@pytest.mark.parametrize(
    ("value", "ja", "en"),
    [
        ("2022-12-01", "2022年12月1日", "1 December 2022"),
        ("2023-04", "2023年4月", "April 2023"),
        ("2023", "2023年", "2023"),
        ("2023-99", "2023-99", "2023-99"),
        ("令和5年", "令和5年", "令和5年"),
    ],
)
def test_dates_in_words(value: str, ja: str, en: str) -> None:
    assert wording.date(value, "ja") == ja
    assert wording.date(value, "en") == en


def test_shares_in_words() -> None:
    assert wording.percent(Decimal("0.6667"), "ja") == "66.7%"
    assert wording.percent("0.5", "en") == "50%"


@pytest.mark.parametrize(
    ("message", "ja", "en"),
    [
        ("a slash / and more / 誤りです", "誤りです", "a slash / and more"),
        ("only English / here", "only English / here", "only English / here"),
        ("日本語だけ", "日本語だけ", "日本語だけ"),
    ],
)
def test_the_part_of_a_message_in_a_language(message: str, ja: str, en: str) -> None:
    assert wording.part(message, "ja") == ja
    assert wording.part(message, "en") == en


def test_the_language_of_a_text() -> None:
    assert wording.tongue("661,074千円") == "ja"
    assert wording.tongue("80%") is None
    assert wording.tongue("日本語", "en") == "en"
