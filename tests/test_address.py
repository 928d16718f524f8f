"""What the site says of its own address, and of whom to ask, is what it was told."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from conftest import serving

from digiden_kg.engine.local import Local
from digiden_kg.exceptions import SettingsError
from digiden_kg.release import Release
from digiden_kg.settings import Settings, load_settings
from digiden_kg.web.app import create_app

EVIL = "evil.example"
PUBLIC = "https://data.example.org/digiden"
DATA = [
    "/sparql?format=ttl",
    "/prefixes?format=ttl",
    "/.well-known/void?format=ttl",
    "/.well-known/sparql-examples?format=ttl",
    "/openapi.json",
    "/api/questions",
    "/api/reconcile",
    "/robots.txt",
    "/sitemap.xml",
]
"""Addresses at which the site names itself."""
PAGES = ["/", "/questions/projects-of-a-body?body=142069", "/doc/body/142069"]


def answers_of(
    release: Release, project: Path, public_url: str | None, host: str, paths: Sequence[str]
) -> Mapping[str, httpx.Response]:
    """What the site answers at some paths to a client that names a host."""
    settings = dataclasses.replace(
        load_settings(), project_dir=project, public_url=public_url, log="off"
    )
    app = create_app(release, settings, engine=Local(release.dataset, release.name))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Host": host.encode("latin-1")}

    async def ask() -> Mapping[str, httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return {path: await client.get(path, headers=headers) for path in paths}

    return asyncio.run(ask())


def test_the_host_that_is_asked_for_is_not_echoed_where_the_address_is_known(
    tiny_release: Release, tiny_project: Path
) -> None:
    answers = answers_of(tiny_release, tiny_project, PUBLIC, EVIL, DATA + PAGES)
    for path, answer in answers.items():
        assert answer.status_code == 200, path
        assert EVIL not in answer.text, path
        assert not any(EVIL in value for value in answer.headers.values()), path
    assert f"<{PUBLIC}/sparql>" in answers["/sparql?format=ttl"].text
    assert f"<{PUBLIC}/prefixes> a owl:Ontology" in answers["/prefixes?format=ttl"].text


@pytest.mark.parametrize(
    "host",
    ["", "a b", "x/y", "a@b", "x?y", 'x"><script>', "[::1", "x:port", "x,y", "x:123456", "é"],
)
def test_what_is_no_host_is_refused(tiny_release: Release, tiny_project: Path, host: str) -> None:
    for path, answer in answers_of(tiny_release, tiny_project, None, host, DATA).items():
        assert answer.status_code == 400, path
        assert "Host" in answer.text
        assert not host or host not in answer.text


@pytest.mark.parametrize("host", ["example.org", "a-b.example:8080", "127.0.0.1:1", "[::1]:80"])
def test_without_a_public_address_a_client_is_answered_where_it_asked(
    tiny_release: Release, tiny_project: Path, host: str
) -> None:
    (answer,) = answers_of(tiny_release, tiny_project, None, host, ["/sparql?format=ttl"]).values()
    assert f"<http://{host}/sparql>" in answer.text


def settings_of(name: str, value: str) -> Settings:
    return dataclasses.replace(load_settings(), **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "contact",
            ["mailto:a@example.org", "https://example.org",
             "https://example.org/a?b=c#d", "mailto:a@b?subject=c"],
            ["a@example.org", "http://example.org", "mailto:", "mailto:a", "mailto:a b@c", "https://",
             "javascript:alert(1)", "https://a b", "mailto:a@b,c@d", "https://x/<y>", "https://u@x"],
        ),
        (
            "public_url",
            ["https://example.org", "http://127.0.0.1:8000", "https://example.org/a/b"],
            ["example.org", "ftp://example.org", "https://", "https://a b", "https://x?y",
             "https://x#y", "https://x/?y", 'https://x"y', "https://u@x"],
        ),
    ],
)  # fmt: skip
def test_addresses_are_checked(name: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        settings_of(name, value).checked()
    for value in bad:
        with pytest.raises(SettingsError, match=f"DIGIDEN_{name.upper()} is .* write"):
            settings_of(name, value).checked()


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["publish", "--out", "site"]])
def test_a_wrong_contact_is_said_at_the_start(
    command: list[str], tiny_environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "digiden_kg", *command],
        env={**tiny_environment, "DIGIDEN_CONTACT": "ask@example.org"},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "DIGIDEN_CONTACT is 'ask@example.org'" in done.stderr
    assert "mailto:name@example.org" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_whom_to_ask_is_described(tiny_release: Release, tiny_environment: dict[str, str]) -> None:
    environment = {**tiny_environment, "DIGIDEN_CONTACT": "mailto:ask@example.org"}
    with serving(environment, "--release", str(tiny_release.path)) as address:
        described = httpx.get(f"{address}/.well-known/void?format=ttl", timeout=60).text
    assert "hasEmail> <mailto:ask@example.org>" in described or "hasEmail <mailto" in described
