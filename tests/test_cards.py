"""Pages elsewhere show ours by an image, words and a frame that are true and safe."""

from __future__ import annotations

import html
import re
import struct

import httpx
import pytest

from digiden_kg import vocab
from digiden_kg.web import cards
from digiden_kg.web.cards import wrap

HTML = {"Accept": "text/html"}
BODY = "/doc/body/142069"


@pytest.mark.parametrize(
    "path",
    [
        "doc/body/142069",
        "doc/project/r4-2-type2-3-142069",
        "doc/model-service/on-demand-transport",
        "questions/adopters-of-a-model-service",
        "map",
        "site",
    ],
)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_things_and_questions_have_an_image(web: httpx.Client, path: str, language: str) -> None:
    answer = web.get(f"/preview/{path}.png", params={"lang": language})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", answer.content[16:24]) == (1200, 630)
    assert len(answer.content) < 200_000
    again = web.get(f"/preview/{path}.png", params={"lang": language})
    assert again.content == answer.content
    tag = {"If-None-Match": answer.headers["ETag"]}
    unchanged = web.get(f"/preview/{path}.png", params={"lang": language}, headers=tag)
    assert unchanged.status_code == 304


def test_images_differ_by_what_they_are_of_and_by_language(web: httpx.Client) -> None:
    seen = {
        web.get(f"/preview/doc/body/{code}.png?lang={language}").content
        for code in ("142069", "204811", "016446")
        for language in ("ja", "en")
    }
    # A machine without a Japanese font shows no words.
    assert len(seen) == (6 if cards._font() else 1)


@pytest.mark.parametrize(
    "path",
    [
        "doc/body/none",
        "questions/none",
        "scheme/none",
        "doc/../../etc/passwd",
        "sparql",
        "%3Cscript%3E",
    ],
)
def test_there_is_no_image_of_nothing(web: httpx.Client, path: str) -> None:
    assert web.get(f"/preview/{path}.png").status_code == 404


def test_without_a_font_an_image_has_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_FOLDERS", ("/nowhere",))
    cards._font.cache_clear()
    try:
        assert cards._font() is None
    finally:
        cards._font.cache_clear()


@pytest.mark.parametrize(
    ("text", "width", "most", "lines"),
    [
        ("小田原市", 8, 2, ["小田原市"]),
        ("小田原市役所", 8, 2, ["小田原市", "役所"]),
        ("あいうえ、おか", 8, 3, ["あいうえ、", "おか"]),
        ("one two three", 7, 3, ["one two", "three"]),
        ("AIデマンド交通", 10, 3, ["AIデマンド", "交通"]),
        ("あいうえおかきくけこ", 8, 2, ["あいうえ", "おかき…"]),
        ("", 8, 2, [""]),
    ],
)
def test_words_are_broken_as_each_language_does(
    text: str, width: float, most: int, lines: list[str]
) -> None:
    assert wrap(text, width, most) == lines


def meta(page: str) -> dict[str, str]:
    found = re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


@pytest.mark.parametrize(
    ("path", "title"),
    [
        (BODY, {"ja": "小田原市", "en": "Odawara City"}),
        (
            "/questions/adopters-of-a-model-service",
            {
                "ja": "このモデル・サービスを使っている団体は？",
                "en": "Who runs this model service?",
            },
        ),
    ],
)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_pages_say_what_to_show_of_them(
    web: httpx.Client, path: str, title: dict[str, str], language: str
) -> None:
    shown = meta(web.get(path, params={"lang": language}, headers=HTML).text)
    assert shown["og:title"] == title[language]
    assert shown["description"] == shown["og:description"]
    assert len(shown["description"]) > 10
    assert shown["og:image"].startswith(str(web.base_url).rstrip("/"))
    assert web.get(shown["og:image"]).headers["Content-Type"] == "image/png"
    assert web.get(shown["og:url"], headers=HTML).status_code == 200


@pytest.mark.parametrize("path", ["/", "/map", "/reuse", "/ontology", "/doc/body/none", "/api"])
def test_every_page_has_an_image(web: httpx.Client, path: str) -> None:
    shown = meta(web.get(path, headers=HTML).text)
    assert web.get(shown["og:image"]).status_code == 200


def frame(content: dict) -> dict[str, str]:
    (tag,) = re.findall(r"<iframe ([^>]*)></iframe>", content["html"])
    return {name: html.unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}


@pytest.mark.parametrize(
    "path",
    [
        BODY,
        f"{BODY}?lang=en",
        "/map?figure=card-money&lang=ja",
        "/questions/adopters-of-a-model-service?modelService=digital-library&lang=en",
    ],
)
def test_pages_can_be_framed_by_others(web: httpx.Client, path: str) -> None:
    url = str(web.base_url).rstrip("/") + path
    content = web.get("/oembed", params={"url": url}).json()
    assert (content["version"], content["type"]) == ("1.0", "rich")
    address = frame(content)["src"]
    assert "embed=1" in address
    page = web.get(address, headers=HTML)
    assert page.status_code == 200
    assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
    assert "/map" in path or content["title"] in html.unescape(page.text)
    if "modelService" in path:
        assert "modelService=digital-library" in address
    assert web.get(content["thumbnail_url"]).status_code == 200


def test_pages_lead_to_their_frames(web: httpx.Client) -> None:
    page = web.get(BODY, params={"lang": "en"}, headers=HTML).text
    (link,) = re.findall(r'type="application/json\+oembed" href="([^"]+)"', page)
    assert web.get(html.unescape(link)).json()["title"] == "Odawara City"


def test_iris_stand_for_their_pages(web: httpx.Client) -> None:
    content = web.get("/oembed", params={"url": f"{vocab.BASE}id/body/142069", "lang": "ja"}).json()
    assert content["title"] == "小田原市"
    assert BODY in frame(content)["src"]


def test_a_frame_is_no_larger_than_wanted(web: httpx.Client) -> None:
    url = f"{vocab.BASE}id/body/142069"
    content = web.get("/oembed", params={"url": url, "maxwidth": 300, "maxheight": 2000}).json()
    assert (content["width"], content["height"]) == (300, 480)
    assert (frame(content)["width"], frame(content)["height"]) == ("300", "480")
