"""What a site keeps of a release is made once; what the first search needs, in the background."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import pytest
from conftest import PROJECT
from starlette.types import ASGIApp

from digiden_kg import vocab
from digiden_kg.engine.local import Local
from digiden_kg.engine.seam import Engine
from digiden_kg.exceptions import QueryBusy
from digiden_kg.release import Release
from digiden_kg.report import Report
from digiden_kg.results import Term
from digiden_kg.settings import load_settings
from digiden_kg.web import app as web_app
from digiden_kg.web import inside
from digiden_kg.web.site import Site
from digiden_kg.web.sparql import Answers


class Noting(Site):
    """A site without an engine that notes which queries of pages it would ask."""

    asked: list[str]

    async def page_rows(self, name: str, **given: str) -> Sequence[Sequence[Term | None]]:
        self.asked.append(name)
        await asyncio.sleep(0)
        return ()


@pytest.fixture
def site(tiny_release: Release) -> Noting:
    nothing = cast(Any, None)
    site = Noting(tiny_release, load_settings(), cast(Engine, nothing), cast(Answers, nothing))
    site.asked = []
    return site


def test_what_many_ask_for_at_a_time_is_made_once(site: Noting) -> None:
    made = []

    async def make() -> int:
        await asyncio.sleep(0)
        made.append(len(made))
        return made[-1]

    async def many() -> list[int]:
        return await asyncio.gather(*(site.kept("it", make) for _ in range(5)))

    assert asyncio.run(many()) == [0] * 5
    assert made == [0]


def test_what_failed_is_tried_again_by_the_next(site: Noting) -> None:
    tries = []

    async def make() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise QueryBusy(1)
        return "made"

    async def twice() -> str:
        with pytest.raises(QueryBusy):
            await site.kept("it", make)
        return await site.kept("it", make)

    assert asyncio.run(twice()) == "made"


def test_whoever_gives_up_does_not_stop_it_for_the_others(site: Noting) -> None:
    async def run() -> str:
        go_on = asyncio.Event()

        async def make() -> str:
            await go_on.wait()
            return "made"

        first = asyncio.create_task(site.kept("it", make))
        second = asyncio.create_task(site.kept("it", make))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        go_on.set()
        return await second

    assert asyncio.run(run()) == "made"


def test_what_the_first_search_needs_is_made_before_anybody_asks(site: Noting) -> None:
    async def run() -> None:
        site.begin()
        while "indicator-values" not in site.asked:
            await asyncio.sleep(0.01)
        before = list(site.asked)
        await site.index()
        await site.profiles()
        assert site.asked == before
        await site.end()

    asyncio.run(run())
    assert {"search-things", "search-facets", "profiles"} <= set(site.asked)


def test_slow_pages_are_made_before_anyone_asks(
    built: tuple[Release, Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, int] = {}

    async def ask(app: ASGIApp, address: str, root: str, /, **more: Any) -> tuple[int, Any, bytes]:
        answer = await inside.ask(app, address, root, **more)
        made[address] = answer[0]
        return answer

    async def main() -> None:
        settings = dataclasses.replace(load_settings(), project_dir=PROJECT, log="off")
        app = web_app.create_app(built[0], settings)
        async with app.router.lifespan_context(app):
            while len(made) < 2 * len(web_app.EARLY):
                await asyncio.sleep(0.1)

    monkeypatch.setattr(web_app, "ask", ask)
    asyncio.run(asyncio.wait_for(main(), 120))
    assert set(made.values()) == {200}


def test_what_strangers_think_up_is_not_kept(tiny_release: Release) -> None:
    engine = Local(tiny_release.dataset, tiny_release.name)
    site = Site(tiny_release, load_settings(), engine, cast(Answers, None))
    body = vocab.thing("body", "142069")
    asked = [body, *(vocab.thing("body", f"none-{number}") for number in range(50))]
    for _ in range(2):
        assert list(asyncio.run(site.labels(asked))) == [body]
    assert list(site._known.labels) == [body]
