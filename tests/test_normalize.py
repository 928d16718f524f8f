"""Amounts, codes, kana and years as Japanese documents print them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digiden_kg.exceptions import AmountError, CodeError
from digiden_kg.normalize import (
    Amount,
    body_code,
    check_digit,
    corporate_number,
    era_year,
    fold,
    fold_rules,
    hepburn,
    is_body_code,
    parse_yen,
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("鎌ケ谷市", "鎌ヶ谷市"),
        ("鎌ケ谷市", "鎌が谷市"),
        ("つくば市", "ツクバ市"),
        ("ﾆｾｺ町", "ニセコ町"),
        ("檮原町", "梼原町"),
        ("須惠町", "須恵町"),
        ("龍ケ崎市", "竜ヶ﨑市"),
        ("三條市", "三条市"),
        ("葛\U000e0100城市", "葛城市"),
        ("ＴＹＰＥ２", "type2"),
        ("三ッ峠", "三ツ峠"),
    ],
)
def test_variants_fold_together(left: str, right: str) -> None:
    assert fold(left) == fold(right)


@pytest.mark.parametrize(("left", "right"), [("大津市", "大洲市"), ("カード", "ガード")])
def test_different_words_stay_different(left: str, right: str) -> None:
    assert fold(left) != fold(right)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "yen", "rounded_to", "approximate"),
    [
        ("661,074千円", 661_074_000, 1_000, False),
        ("382,360千円", 382_360_000, 1_000, False),
        ("約3,522万円", 35_220_000, 10_000, True),
        ("約1.94億円", 194_000_000, 1_000_000, True),
        ("22.8億円", 2_280_000_000, 10_000_000, False),
        ("228.0億円", 22_800_000_000, 10_000_000, False),
        ("800億円", 80_000_000_000, 100_000_000, False),
        ("6億円", 600_000_000, 100_000_000, False),
        ("9,000万円", 90_000_000, 10_000, False),
        ("0.5億円", 50_000_000, 10_000_000, False),
        ("653百万円", 653_000_000, 1_000_000, False),
        ("1億2,000万円", 120_000_000, 10_000, False),
        ("１，２００万円", 12_000_000, 10_000, False),
        ("約 ６０．５ 億円", 6_050_000_000, 10_000_000, True),
        ("1234円", 1_234, 1, False),
    ],
)
def test_amounts_as_printed(text: str, yen: int, rounded_to: int, approximate: bool) -> None:
    assert parse_yen(text) == Amount(yen, rounded_to, approximate, text)


def test_a_bare_number_takes_the_unit_of_its_table() -> None:
    assert parse_yen("653", unit="百万円") == Amount(653_000_000, 1_000_000, False, "653")
    assert parse_yen("22.8", unit="億円").yen == 2_280_000_000


def test_a_printed_unit_goes_before_that_of_the_table() -> None:
    assert parse_yen("653千円", unit="百万円").yen == 653_000


@pytest.mark.parametrize(
    "text",
    ["", "－", "653", "円", "約", "6,0億円", "1,20千円", "12.3.4億円", "2万1億円", "1.5億2万円",
     "0.5円", "1.2345千円", "30%", "22.8億", "-5万円", "三億円", "2億円程度", "5億億円"],
)  # fmt: skip
def test_what_is_no_amount_is_refused_in_both_languages(text: str) -> None:
    with pytest.raises(AmountError, match=r"no amount of money: .+ / 金額と読めません：.+"):
        parse_yen(text)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(AmountError, match="unknown unit ドル"):
        parse_yen("5", unit="ドル")


@given(st.integers(0, 10**9), st.sampled_from(["円", "千円", "万円", "百万円", "億円"]))
def test_whole_amounts_come_back(number: int, unit: str) -> None:
    amount = parse_yen(f"{number:,}{unit}")
    assert amount.yen == number * amount.rounded_to
    assert amount == parse_yen(f"{number:,}{unit}", unit="千円")


@given(st.integers(0, 10**6), st.integers(0, 99))
def test_decimal_amounts_are_exact(whole: int, hundredths: int) -> None:
    amount = parse_yen(f"約{whole}.{hundredths:02}億円")
    assert amount.yen == whole * 10**8 + hundredths * 10**6
    assert amount.rounded_to == 10**6


@given(st.text())
def test_any_other_text_is_an_amount_or_an_amount_error(text: str) -> None:
    with contextlib.suppress(AmountError):
        assert parse_yen(text).yen >= 0


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("010006", "7000020010006"),
        ("011002", "9000020011002"),
        ("130001", "8000020130001"),
        ("141003", "3000020141003"),
        ("142069", "1000020142069"),
        ("336815", "5000020336815"),
    ],
)
def test_codes_and_corporate_numbers(code: str, number: str) -> None:
    assert body_code(code[:5]) == code
    assert is_body_code(code)
    assert corporate_number(code) == number


@given(st.from_regex(r"[0-9]{5}", fullmatch=True))
def test_a_code_has_one_right_check_digit(code5: str) -> None:
    right = [digit for digit in "0123456789" if is_body_code(code5 + digit)]
    assert right == [check_digit(code5)]


@given(st.from_regex(r"[0-9]{6}", fullmatch=True))
def test_a_corporate_number_keeps_its_code(code6: str) -> None:
    number = corporate_number(code6)
    assert len(number) == 13
    assert number.endswith("000020" + code6)
    assert number[0] != "0"


@pytest.mark.parametrize("code", ["", "1420", "14206９", "01100", "abcdef", "142060", "1420691"])
def test_what_is_no_code(code: str) -> None:
    assert not is_body_code(code)


def test_a_code_of_wrong_length_is_refused() -> None:
    with pytest.raises(CodeError, match="5 digits"):
        body_code("1420")
    with pytest.raises(CodeError, match="6 digits"):
        corporate_number("14206")


@pytest.mark.parametrize(
    ("kana", "romaji"),
    [
        ("オダワラ", "odawara"),
        ("オオサカ", "osaka"),
        ("コウベ", "kobe"),
        ("ほっかいどう", "hokkaido"),
        ("ニイガタ", "niigata"),
        ("ユウバリ", "yubari"),
        ("キョウト", "kyoto"),
        ("ジュウニ", "juni"),
        ("ッチ", "tchi"),
        ("ハッチョウ", "hatcho"),
        ("グンマ", "gunma"),
        ("ニセコ", "niseko"),
        ("シモスワ", "shimosuwa"),
        ("エイヘイジ", "eiheiji"),
        ("アヅミノ", "azumino"),
    ],
)
def test_hepburn(kana: str, romaji: str) -> None:
    assert hepburn(kana) == romaji


@given(st.text(alphabet=[chr(code) for code in range(0x30A1, 0x30F5)]))
def test_kana_become_latin_letters(kana: str) -> None:
    assert all(letter.isascii() for letter in hepburn(kana) if letter != "ヮ")


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("令和4年度", 2022),
        ("令和４年", 2022),
        ("令和元年度", 2019),
        ("R5", 2023),
        ("Ｒ３年度", 2021),
        ("平成31年", 2019),
        ("2023年度", 2023),
        ("昭和 60 年", 1985),
    ],
)
def test_years(text: str, year: int) -> None:
    assert era_year(text) == year


@pytest.mark.parametrize("text", ["", "4年度", "令和年", "令和0年", "来年度", "R100"])
def test_what_is_no_year(text: str) -> None:
    with pytest.raises(ValueError, match="no year"):
        era_year(text)


FOLD_CASES = [
    *(
        "鎌ヶ谷市",
        "鎌ケ谷",
        "鎌が谷",
        "おだわら",
        "ｵﾀﾞﾜﾗ",
        "ﾊﾟｿｺﾝ",
        "Ｗｅｂ",
        "STRASSE",
        "Straße",
        "ς Σ σ",
    ),
    *(
        "四ッ谷",
        "四つ谷",
        "ほっかいどう",
        "龍ヶ崎",
        "澤",
        "葛󠄀城",
        "①番",
        "㌔",
        "ゝゞ",
        "ガス",
        "カ゛ス",
        "İstanbul",
    ),
    *("Ａ\u3000ｂ", "  a  b ", "𠮷野家", "か\u3099", "ヴァ", "ﬁ", "Ǆ", "ᏸ", "が", "町ガ町ッ町"),
]
FOLD_FILE = Path(__file__).parents[1] / "src/digiden_kg/web/frontend/test/fold.json"


def test_the_scripts_are_tested_with_the_present_rules(pytestconfig: pytest.Config) -> None:
    shared = {"rules": fold_rules(), "cases": [[text, fold(text)] for text in FOLD_CASES]}
    text = json.dumps(shared, ensure_ascii=True, indent=0) + "\n"
    if pytestconfig.getoption("--golden"):
        FOLD_FILE.write_text(text, encoding="utf-8")

    assert FOLD_FILE.read_text(encoding="utf-8") == text
