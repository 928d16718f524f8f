"""Numbers, money and dates as a page writes them; filters of the templates.

The exact value stays in the data: a page that shortens a value gives the full one as its title.
"""

from __future__ import annotations

import datetime
import functools
import re
from decimal import ROUND_HALF_UP, Decimal

from babel.dates import format_date
from babel.numbers import format_compact_decimal, format_decimal, format_percent

_THOUSANDS = re.compile("[0-9]{4,}")
_FILTERS = ("yen", "full_yen", "number", "percent", "date", "part", "tongue")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@functools.lru_cache(maxsize=4096)
def yen(value: Decimal | int | str, language: str) -> str:
    """Return an amount in yen in short words: 22.8億円, 2.28 billion yen."""
    amount = Decimal(value)
    if language == "en" and abs(amount) < 1_000_000:
        return full_yen(amount, language)
    steps = (10**12, 10**8, 10**4) if language == "ja" else (10**12, 10**9, 10**6)
    unit = next((step for step in steps if abs(amount) >= step), 1)
    rounded = (amount / unit).quantize(Decimal("0.01"), ROUND_HALF_UP).normalize()
    digits = max(0, -int(rounded.as_tuple().exponent))
    short = format_compact_decimal(
        rounded * unit, format_type="long", locale=language, fraction_digits=digits
    )
    # Thousands apart here too, as the document prints them (3,000万円); the pattern knows none.
    return _THOUSANDS.sub(lambda digits: f"{int(digits[0]):,}", short, count=1) + _unit(language)


@functools.lru_cache(maxsize=4096)
def full_yen(value: Decimal | int | str, language: str) -> str:
    """Return an amount in yen with all its digits: 2,280,000,000円."""
    return number(value, language) + _unit(language)


@functools.lru_cache(maxsize=4096)
def number(value: Decimal | int | str, language: str) -> str:
    """Return a number with its thousands apart."""
    return str(format_decimal(Decimal(value), locale=language))


@functools.lru_cache(maxsize=4096)
def percent(value: Decimal | str, language: str) -> str:
    """Return a share (0.5) as 50%, with at most one digit after the point."""
    return str(format_percent(Decimal(value), "#,##0.#%", locale=language))


@functools.lru_cache(maxsize=4096)
def date(value: str, language: str) -> str:
    """Return a day, month or year as written in ISO 8601 in words: 2022年12月1日, 1 December 2022.

    Anything else, such as the name of a period, comes back as it is.
    """
    pattern = {7: ("y年M月", "MMMM y"), 10: ("y年M月d日", "d MMMM y")}.get(len(value))
    if len(value) == 4 and value.isdigit():
        return value + ("年" if language == "ja" else "")
    if pattern is None:
        return value
    try:
        day = datetime.date.fromisoformat(value if len(value) == 10 else f"{value}-01")
    except ValueError:
        return value
    return str(format_date(day, pattern[language != "ja"], locale=language))


def tongue(text: str, tag: str | None = None) -> str | None:
    """Return the language of a text: what it says itself, else Japanese if it is written so."""
    return tag or ("ja" if _JAPANESE.search(text) else None)


def part(message: object, language: str) -> str:
    """Return the part of a message ("English / 日本語") that is in a language, else all of it."""
    text = str(message)
    english, mark, japanese = text.rpartition(" / ")
    if not mark or not _JAPANESE.search(japanese):
        return text
    return japanese if language == "ja" else english


def _unit(language: str) -> str:
    return "円" if language == "ja" else " yen"


def filters() -> dict[str, object]:
    """Return the filters by their names; each takes the language of the page."""
    return {name: globals()[name] for name in _FILTERS}
