"""Names of local governments → codes.

A name is matched exactly, after folding, or not at all: a likely misreading is proposed, never
applied. Names repeat (three towns are called 美郷町), so a name without its prefecture only counts
where one body has it.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from digiden_kg.normalize import fold

TABLE = "local_governments.csv"
_PROPOSALS = 6
_PREFECTURE = re.compile("(.{2,3}[都道府県])(.+)")

# Characters that OCR takes for one another in names of places; a proposal that only differs by
# these goes before any other.
_CONFUSABLE = (
    "亀鎌 部都郡 大太犬 土士 未末 己已巳 千干 日目 口ロ 工エ 二ニ 力カ 八ハ "
    "夕タ 卜ト 間問 鳥烏 島鳥 綱網 萩荻 氷水永 王玉 牛午 村材 柿杮 栗粟 "
    "板坂阪 折拆 理埋 沖仲 住佳往 宮官 石右 今令 白自 氏民 古吉 崎埼 木本 "
    "名各 浦捕 津律 原厚"
)
_GROUPS: dict[str, set[int]] = {}
for _number, _group in enumerate(_CONFUSABLE.split()):
    for _sign in fold(_group):
        _GROUPS.setdefault(_sign, set()).add(_number)


@dataclass(frozen=True, slots=True)
class Body:
    """A local government, as the register has it."""

    code: str
    name: str
    prefecture_code: str
    """Code of its prefecture; empty for a prefecture."""
    kind: str
    """Local name of its class: Prefecture, City, Town, Village or SpecialWard."""
    county: str
    kana: str
    romaji: str
    label_en: str
    full_name: str
    """Prefecture and name, without the county: 福島県昭和村."""
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """What a name stands for: one code, or none and why not."""

    code: str | None
    candidates: tuple[str, ...] = ()
    """Full names of bodies that may be meant, the most likely first; each of them matches."""
    note: str = ""
    """Why there is no code."""
    note_ja: str = ""


@dataclass(frozen=True)
class Register:
    """The local governments of Japan."""

    bodies: dict[str, Body]
    _index: dict[str, list[str]] = field(repr=False, compare=False)
    """Codes by folded name, with and without county, whatever the prefecture."""
    _prefectures: dict[str, str] = field(repr=False, compare=False)
    """Code of a prefecture by its folded name."""

    def match(self, name: str, *, prefecture: str | None = None) -> Match:
        """Return the body of a name such as 福島県大沼郡昭和村, 福島県昭和村 or 福島県.

        Args:
            name: The name; the county may be left out, the prefecture where it is given apart or
                where only one body has the name.
            prefecture: Name or 6-digit code of the prefecture that the name belongs to.
        """
        key = _key(name)
        home = None
        if prefecture is not None:
            home = self._prefectures.get(_key(prefecture), prefecture)
            if home not in self._prefectures.values():
                return self._unknown_prefecture(prefecture)
        stated, rest = self._split(key)
        if home and stated and stated != home:
            there = self.bodies[home].name
            return Match(
                None,
                self._propose(rest, home) if rest else (),
                f"{name} is not in {there}",
                f"{name}は{there}の団体名ではありません",
            )
        if stated and not rest:
            return Match(stated)
        return self._match(name, rest, stated or home)

    def _match(self, name: str, key: str, home: str | None) -> Match:
        everywhere = self._index.get(key, [])
        codes = [c for c in everywhere if home in (None, self._home(c))]
        if len(codes) == 1:
            return Match(codes[0])
        if codes:
            return Match(
                None,
                self._names(codes),
                f"{len(codes)} bodies are called {name}; the prefecture is needed",
                f"「{name}」は{len(codes)}団体あります。都道府県名が必要です",
            )
        if city := self._designated_city(key, home):
            return Match(
                None,
                (city.full_name,),
                f"{name} is a part of {city.full_name}, not a body of its own",
                f"「{name}」は{city.full_name}の一部で、団体ではありません",
            )
        return Match(
            None,
            self._propose(key, home),
            f"no body is called {name}",
            f"「{name}」という団体はありません",
        )

    def _propose(self, key: str, home: str | None) -> tuple[str, ...]:
        """Return bodies that a name without a match may mean, for a person to choose from."""
        stem = key.rpartition("郡")[2]
        elsewhere = self._index.get(key, [])
        if not home and (parts := _PREFECTURE.fullmatch(key)):
            homes = _rank(parts[1], self._prefectures.items())
            same = [c for c in self._index.get(parts[2], []) if self._home(c) in homes]
        elif stem != key:
            same = [c for c in self._index.get(stem, []) if home in (None, self._home(c))]
        else:
            same = []
        codes = same or [*self._near(key, home), *elsewhere] or self._near(key, None)
        return self._names(list(dict.fromkeys(codes))[:_PROPOSALS])

    def _home(self, code: str) -> str:
        return self.bodies[code].prefecture_code

    def _split(self, key: str) -> tuple[str | None, str]:
        for name, code in self._prefectures.items():
            if key.startswith(name):
                return code, key[len(name) :]
        return None, key

    def _designated_city(self, key: str, home: str | None) -> Body | None:
        city, sign, ward = key.partition("市")
        if not (sign and ward.endswith("区")):
            return None
        codes = self._index.get(city + sign, [])
        codes = [c for c in codes if home in (None, self._home(c))]
        return self.bodies[codes[0]] if len(codes) == 1 else None

    def _unknown_prefecture(self, prefecture: str) -> Match:
        near = _rank(_key(prefecture), self._prefectures.items())
        return Match(
            None,
            self._names(near),
            f"no prefecture is called {prefecture}",
            f"「{prefecture}」という都道府県はありません",
        )

    def _near(self, key: str, home: str | None) -> list[str]:
        entries = [
            (name, code)
            for name, codes in self._index.items()
            for code in codes
            if home in (None, self._home(code))
        ]
        return _rank(key, entries if home else [*self._prefectures.items(), *entries])

    def _names(self, codes: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.bodies[code].full_name for code in codes)


def load_register(folder: Path) -> Register:
    """Return the register that a folder holds.

    Raises:
        FileNotFoundError: The folder has no table of local governments.
    """
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    prefectures = {row["code"]: row["name"] for row in rows if not row["prefecture"]}
    bodies = {
        row["code"]: Body(
            code=row["code"],
            name=row["name"],
            prefecture_code=row["prefecture"],
            kind=row["class"].rpartition("|")[2],
            county=row["county"],
            kana=row["kana"],
            romaji=row["romaji"],
            label_en=row["label_en"],
            full_name=row["full_name"] or row["name"],
            aliases=tuple(filter(None, row["aliases"].split("|"))),
        )
        for row in rows
    }
    index: defaultdict[str, list[str]] = defaultdict(list)
    for body in bodies.values():
        if body.prefecture_code:
            for key in {_key(name) for name in (body.name, *body.aliases)}:
                index[key].append(body.code)
    return Register(
        bodies=bodies,
        _index=dict(index),
        _prefectures={_key(name): code for code, name in prefectures.items()},
    )


def _key(name: str) -> str:
    return re.sub(r"\s", "", fold(name))


def _rank(key: str, entries: Iterable[tuple[str, str]]) -> list[str]:
    """Return the codes of the names nearest to a key; misreadings of it shut out all others."""
    found: dict[str, float] = {}
    for name, code in entries:
        cost = _cost(key, name)
        if cost is not None:
            found[code] = min(cost, found.get(code, cost))
    if any(cost < 1 for cost in found.values()):
        found = {code: cost for code, cost in found.items() if cost < 1}
    return sorted(found, key=lambda code: (found[code], code))[:_PROPOSALS]


def _cost(key: str, name: str) -> float | None:
    """Return how far a name is from a key, or nothing where it is too far to propose.

    Characters that OCR confuses cost a tenth; one other difference, or a missing end such as 市,
    costs one.
    """
    if len(key) == len(name):
        costs = [
            0.1 if _confusable(a, b) else 1.0 for a, b in zip(key, name, strict=True) if a != b
        ]
        total = sum(costs)
        return total if total <= 1.1 and total < len(key) / 2 else None
    short, long = sorted((key, name), key=len)
    if len(long) - len(short) == 1 and len(short) > 1:
        place = next((i for i, sign in enumerate(short) if sign != long[i]), len(short))
        return 1.0 if short[place:] == long[place + 1 :] else None
    return None


def _confusable(left: str, right: str) -> bool:
    return bool(_GROUPS.get(left, set()) & _GROUPS.get(right, set()))
