"""Normal forms of what Japanese documents print: names, amounts of money, codes, kana, years.

Everything here is a pure function of its text. Amounts are computed with ``Decimal``, because
22.8 has no exact binary form and 22.8億円 is exactly 2,280,000,000 yen.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from digiden_kg.exceptions import AmountError, CodeError

# --- Text ---------------------------------------------------------------------------------------

# Old, new and vendor forms of one character that NFKC leaves apart. Only forms that are never two
# different names of local governments in one prefecture (a test looks).
_VARIANTS = (
    "条條 沢澤 桜櫻 辺邊邉 浜濱濵 島嶋嶌 崎﨑碕 高髙 広廣 国國 県縣 寿壽 恵惠 "
    "瀬瀨 鉄鐵 万萬 与與 斎齋 曽曾 竜龍 梼檮 蕊蘂 騨驒 鯵鰺 篭籠 桧檜 薮藪 芦蘆 "
    "竃竈 頚頸 砺礪 讃讚 渕淵 富冨 壱壹 円圓 会會 宝寶寳 豊豐 塩鹽 亀龜 旧舊 "
    "総總 真眞 徳德 滝瀧 静靜 清淸 青靑 横橫 黒黑 穂穗 蔵藏 郷鄕 縄繩 庁廳 区區 "
    "駅驛 応應 対對 学學 実實 栄榮 渓溪 経經 数數 号號 発發 岳嶽 峰峯 館舘 祇祗 "
    "柳栁 吉𠮷 土圡 巌巖 児兒 当當 点點 写冩寫 来來 礼禮 両兩 稲稻 戸戶 内內 "
    "荘莊 諌諫 鴬鶯 桑桒 弥彌 権權 関關 図圖 団團 伝傳 転轉 売賣 医醫 薬藥 単單 "
    "帯帶 処處 証證 検檢 険險 効效 労勞 歳歲 毎每 予豫 厳嚴 継繼 続續 様樣 価價 "
    "断斷 釈釋 駆驅 闘鬪 礒磯 頬頰 糸絲 暦曆"
)
_KATAKANA = {code: code + 0x60 for code in (*range(0x3041, 0x3097), 0x309D, 0x309E)}
_FOLD = {
    **_KATAKANA,
    **{ord(old): group[0] for group in _VARIANTS.split() for old in group[1:]},
    ord("ゖ"): "ケ",
    ord("ヶ"): "ケ",
    **dict.fromkeys((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))),  # variation selectors
}
_KANJI = r"[々〆㐀-鿿豈-﫿𠀀-𯿿]"
_GA = re.compile(f"(?<={_KANJI})ガ(?={_KANJI})")
_TSU = re.compile(f"(?<={_KANJI})ッ(?={_KANJI})")


def fold(text: str) -> str:
    """Return the form of a text that comparison and search use.

    NFKC, lower case, katakana for hiragana, new for old characters, and one form of what stands
    for が or つ between kanji: 鎌ケ谷, 鎌ヶ谷 and 鎌が谷 are equal. Folding twice changes nothing.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = unicodedata.normalize("NFKC", text.translate(_FOLD)).translate(_FOLD)
    return _TSU.sub("ツ", _GA.sub("ケ", text))


_CASED = 0x20000
"""No character from here on has upper and lower case."""


def fold_rules() -> dict[str, Any]:
    """Return what :func:`fold` does, for programs in other languages that have NFKC and lower case.

    NFKC; ``case``, and lower case for what is not in it; NFKC; ``map``; NFKC; ``map``; and
    ``between`` two characters of ``kanji`` (a class of a regular expression).
    """
    letters = map(chr, range(_CASED))
    return {
        "case": {each: each.casefold() for each in letters if each.casefold() != each.lower()},
        "map": {
            chr(code): chr(to) if isinstance(to, int) else to or "" for code, to in _FOLD.items()
        },
        "between": {"ガ": "ケ", "ッ": "ツ"},
        "kanji": _KANJI,
    }


# --- Money --------------------------------------------------------------------------------------

_UNITS = {
    "円": 1,
    "千円": 1_000,
    "万円": 10_000,
    "百万円": 1_000_000,
    "千万円": 10_000_000,
    "億円": 100_000_000,
    "兆円": 1_000_000_000_000,
}
_ABOUT = re.compile(r"^(?:約|およそ|おおよそ|概ね|おおむね)")
_PART = re.compile(
    r"(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?)(?P<scale>兆|億|千万|百万|万|千|)"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money as printed, and what it is in yen."""

    yen: int
    rounded_to: int
    """Place value in yen of the last printed digit: 22.8億円 → 10,000,000."""
    approximate: bool
    """The print says 約."""
    printed: str


def parse_yen(text: str, *, unit: str | None = None) -> Amount:
    """Return an amount of money.

    Args:
        text: The amount as printed: ``661,074千円``, ``約1.94億円``, ``1億2,000万円``.
        unit: The unit of a bare number, as the heading of a table gives it; a unit that is printed
            with the number goes before it.

    Raises:
        AmountError: The text is no whole number of yen. "－" and "" are not zero; the caller
            decides what a missing amount means.
    """
    if unit is not None and unit not in _UNITS:
        raise _no_amount(text, f"unknown unit {unit}", f"単位「{unit}」は使えません")
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    digits = _ABOUT.sub("", plain)
    approximate = digits != plain
    if not re.search(r"[0-9]", digits):
        raise _no_amount(text, "it has no digits", "数字がありません")
    if not digits.endswith("円"):
        if unit is None or not re.fullmatch(r"[0-9.,]+", digits):
            raise _no_amount(
                text, "write its unit, as in 22.8億円", "「22.8億円」のように単位まで書いてください"
            )
        digits += unit
    yen, rounded_to = _sum_parts(digits.removesuffix("円"), text)
    return Amount(yen, rounded_to, approximate, text)


def _sum_parts(digits: str, text: str) -> tuple[int, int]:
    total, place, end = Decimal(0), Decimal(0), 0
    last = Decimal("Infinity")
    for part in _PART.finditer(digits):
        scale = Decimal(_UNITS[part["scale"] + "円"])
        if part.start() != end or scale >= last:
            break
        number = part["number"].replace(",", "")
        total += Decimal(number) * scale
        place = scale.scaleb(-len(number.partition(".")[2]))
        last, end = scale, part.end()
        if "." in number:
            break
    if end != len(digits):
        raise _no_amount(
            text,
            "its digits, commas or units are out of order",
            "数字・桁区切り・単位の並びが正しくありません",
        )
    if place < 1:
        raise _no_amount(text, "it is less than one yen exact", "1円未満の桁があります")
    return int(total), int(place)


def _no_amount(text: str, reason: str, reason_ja: str) -> AmountError:
    return AmountError(f"{text!r} is no amount of money: {reason} / 金額と読めません：{reason_ja}")


# --- Codes --------------------------------------------------------------------------------------


def _digits(code: str, length: int) -> str:
    if len(code) != length or not (code.isascii() and code.isdigit()):
        raise CodeError(
            f"{code!r} is no code of {length} digits / 「{code}」は{length}桁の数字ではありません"
        )
    return code


def check_digit(code5: str) -> str:
    """Return the check digit of a 全国地方公共団体コード.

    Raises:
        CodeError: The code has not five digits.
    """
    weighted = zip(_digits(code5, 5), (6, 5, 4, 3, 2), strict=True)
    return str((11 - sum(int(digit) * weight for digit, weight in weighted) % 11) % 10)


def body_code(code5: str) -> str:
    """Return the 6-digit code of a local government.

    Raises:
        CodeError: The code has not five digits.
    """
    return code5 + check_digit(code5)


def is_body_code(code6: str) -> bool:
    """Tell whether a text is a 6-digit code whose check digit is right."""
    try:
        return _digits(code6, 6) == body_code(code6[:5])
    except CodeError:
        return False


def corporate_number(code6: str) -> str:
    """Return the 13-digit 法人番号 of a local government.

    Wards of designated cities are no bodies of their own; do not use their codes.

    Raises:
        CodeError: The code has not six digits.
    """
    base = "000020" + _digits(code6, 6)
    total = sum(int(digit) * (1, 2)[place % 2] for place, digit in enumerate(reversed(base)))
    return str(9 - total % 9) + base


# --- Kana ---------------------------------------------------------------------------------------

_CONSONANTS = {
    "カ": "k", "ガ": "g", "サ": "s", "ザ": "z", "タ": "t", "ダ": "d", "ナ": "n",
    "ハ": "h", "バ": "b", "パ": "p", "マ": "m", "ラ": "r",
}  # fmt: skip
_ROWS = (
    *("カキクケコ", "ガギグゲゴ", "サシスセソ", "ザジズゼゾ", "タチツテト", "ダヂヅデド"),
    *("ナニヌネノ", "ハヒフヘホ", "バビブベボ", "パピプペポ", "マミムメモ", "ラリルレロ"),
)
_ROMAJI: dict[str, str] = {
    **dict(zip("アイウエオ", "aiueo", strict=True)),
    **{
        kana: _CONSONANTS[row[0]] + vowel
        for row in _ROWS
        for kana, vowel in zip(row, "aiueo", strict=True)
    },
    "ヤ": "ya", "ユ": "yu", "ヨ": "yo", "ワ": "wa", "ヰ": "i", "ヱ": "e", "ヲ": "o", "ン": "n",
    "シ": "shi", "チ": "chi", "ツ": "tsu", "フ": "fu", "ジ": "ji", "ヂ": "ji", "ヅ": "zu",
    "ヴ": "vu", "ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o",
    "ャ": "ya", "ュ": "yu", "ョ": "yo",
    "ヴァ": "va", "ヴィ": "vi", "ヴェ": "ve", "ヴォ": "vo", "ティ": "ti", "ディ": "di",
    "ファ": "fa", "フィ": "fi", "フェ": "fe", "フォ": "fo", "ウィ": "wi", "ウェ": "we",
    "シェ": "she", "ジェ": "je", "チェ": "che", "トゥ": "tu", "ドゥ": "du",
}  # fmt: skip
for _row in _ROWS:
    _stem = _ROMAJI[_row[1]].removesuffix("i")
    for _small, _vowel in zip("ャュョ", "auo", strict=True):
        _y = "" if _stem in ("sh", "ch", "j") else "y"
        _ROMAJI[_row[1] + _small] = _stem + _y + _vowel
_LONG = re.compile(r"oo|ou|uu")


def hepburn(kana: str) -> str:
    """Return kana in Hepburn romanisation without macrons: オオサカ → osaka, コウベ → kobe.

    ン is always n. A long vowel is shortened wherever one is written, also where two words meet
    (マツウラ → matsura): names of that kind are exceptions, which the register lists. Characters
    that are no kana stay.
    """
    kana = fold(kana)
    out: list[str] = []
    place, double = 0, False
    while place < len(kana):
        size = 2 if kana[place : place + 2] in _ROMAJI else 1
        sign = kana[place : place + size]
        place += size
        if sign == "ッ":
            double = True
            continue
        if sign == "ー":
            continue
        roman = _ROMAJI.get(sign, sign)
        if double and roman[0] not in "aiueon":
            roman = ("t" if roman.startswith("ch") else roman[0]) + roman
        double = False
        out.append(roman)
    return _LONG.sub(lambda pair: pair[0][0], "".join(out))


# --- Years --------------------------------------------------------------------------------------

_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "大正": 1911, "明治": 1867}
_ERAS |= {"r": 2018, "h": 1988, "s": 1925, "t": 1911, "m": 1867}
_YEAR = re.compile(rf"(?:({'|'.join(_ERAS)})\.?([0-9]{{1,2}}|元)|([0-9]{{4}}))(?:年度?)?")


def era_year(text: str) -> int:
    """Return the year of the common era: 令和4年度 → 2022, R4 → 2022, 令和元年 → 2019.

    Raises:
        ValueError: The text is no year.
    """
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text).casefold())
    match = _YEAR.fullmatch(plain)
    if not match or match[2] in ("0", "00"):
        raise ValueError(f"{text!r} is no year / 「{text}」は年と読めません")
    if match[3]:
        return int(match[3])
    return _ERAS[match[1]] + (1 if match[2] == "元" else int(match[2]))
