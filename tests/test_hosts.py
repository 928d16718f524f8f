"""The rules for hosts are given to real ones, which then answer as the server does."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from test_publish import no_check, project, settings, site, small  # noqa: F401 -- fixtures

from digiden_kg.publish.publisher import Published

BODY = "/grants/doc/body/142069"
MODULES = Path("/usr/lib/apache2/modules")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[httpx.Client]:
    """Run a host in the foreground until its client is done."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert process.poll() is None, process.communicate()[0].decode()
                time.sleep(0.05)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                yield client
        finally:
            process.terminate()


def apache(root: Path, folder: Path) -> contextlib.AbstractContextManager[httpx.Client]:
    program = shutil.which("apache2", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("no apache2")
    port = free_port()
    (folder / "types").write_text("text/html html\ntext/css css\napplication/json json\n")
    names = ("mpm_event", "authz_core", "mime", "dir", "rewrite", "headers")
    (folder / "apache.conf").write_text(
        "\n".join(
            [
                f"ServerRoot {folder}",
                "ServerName localhost",
                f"Listen 127.0.0.1:{port}",
                f"PidFile {folder}/apache.pid",
                f"ErrorLog {folder}/apache.log",
                *(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in names),
                f"TypesConfig {folder}/types",
                f"DocumentRoot {root}",
                "<Directory />\nAllowOverride All\nRequire all granted",
                "Options +FollowSymLinks\n</Directory>",
            ]
        )
        + "\n"
    )
    return running([program, "-f", f"{folder}/apache.conf", "-D", "FOREGROUND"], port)


def nginx(root: Path, folder: Path) -> contextlib.AbstractContextManager[httpx.Client]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("no nginx")
    port = free_port()
    rules = (root / "grants" / "hosting" / "nginx.conf").read_text(encoding="utf-8")
    rules = rules.replace("# server {", f"server {{ listen 127.0.0.1:{port}; root {root};")
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (folder / "nginx.conf").write_text(
        # A master that is root would give up its rights, and with them those to our folders.
        ("user root;\n" if os.getuid() == 0 else "")
        + f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{}}\n"
        + "http { default_type application/octet-stream; access_log off;\n"
        + "".join(f"{name}_temp_path {folder}/{name};\n" for name in temporary)
        + rules.replace("# }", "}")
        + "}\n",
        encoding="utf-8",
    )
    return running([program, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx.log"], port)


@pytest.fixture(scope="module", params=[apache, nginx], ids=["Apache", "nginx"])
def host(
    request: pytest.FixtureRequest,
    site: Published,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A client of a host that serves the site below a folder."""
    root = tmp_path_factory.mktemp("root")
    (root / "grants").symlink_to(site.folder)
    with request.param(root, tmp_path_factory.mktemp("host")) as client:
        yield client


@pytest.mark.parametrize(
    ("accept", "media_type", "words"),
    [
        ("text/html", "text/html; charset=utf-8", ' lang="ja">'),
        ("*/*", "text/html; charset=utf-8", ' lang="ja">'),
        ("text/turtle", "text/turtle; charset=utf-8", "rdfs:label"),
        ("application/ld+json", "application/ld+json", '"@context"'),
        ("application/rdf+xml", "application/rdf+xml", "<rdf:RDF"),
        ("text/html,application/rdf+xml;q=0.9", "text/html; charset=utf-8", "<html"),
    ],
)
def test_a_thing_leads_to_its_description_in_the_format_that_was_asked_for(
    host: httpx.Client, accept: str, media_type: str, words: str
) -> None:
    answer = host.get("/grants/id/body/142069", headers={"Accept": accept})
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith(BODY)
    answer = host.get(BODY, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == media_type
    assert words in answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("path", "media_type", "words"),
    [
        (f"{BODY}?lang=en", "text/html; charset=utf-8", ' lang="en">'),
        (f"{BODY}.ttl", "text/turtle; charset=utf-8", "rdfs:label"),
        ("/grants/ontology", "text/html; charset=utf-8", ' lang="ja">'),
        ("/grants/", "text/html; charset=utf-8", ' lang="ja">'),
        ("/grants/.well-known/void", "text/turtle; charset=utf-8", "void:Dataset"),
        ("/grants/files/digiden.nq", "application/n-quads", "142069"),
        ("/grants/static/style.css", "text/css; charset=utf-8", "--text"),
        ("/grants/search-index/meta.json", "application/json", "{"),
    ],
)
def test_files_have_their_types(host: httpx.Client, path: str, media_type: str, words: str) -> None:
    answer = host.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(media_type)
    assert words in answer.text


def test_what_is_not_there_is_a_page_too(host: httpx.Client) -> None:
    answer = host.get("/grants/doc/body/none", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<html" in answer.text


@pytest.mark.parametrize(
    ("path", "accept", "to"),
    [
        ("id/body/142069", "text/html", "doc/body/142069.html"),
        ("id/body/142069", "text/turtle", "doc/body/142069.ttl"),
        ("id/body/142069", "application/ld+json", "doc/body/142069.jsonld"),
        ("ontology", "application/rdf+xml", "ontology.rdf"),
        ("scheme/field/1", "*/*", "scheme/field/1.html"),
        ("doc/body/142069.nt", "text/html", "doc/body/142069.nt"),
        (".well-known/void", "text/turtle", ".well-known/void"),
    ],
)
def test_names_at_w3id_lead_to_the_site(
    w3id: httpx.Client, path: str, accept: str, to: str
) -> None:
    answer = w3id.get(f"/digiden/{path}", headers={"Accept": accept})
    assert answer.status_code in (302, 303)
    assert answer.headers["Location"] == f"https://data.example/grants/{to}"


@pytest.fixture(scope="module")
def w3id(
    site: Published,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A client of an Apache that has our rules where w3id.org would have them."""
    root = tmp_path_factory.mktemp("w3id")
    (root / "digiden").mkdir()
    shutil.copy(site.folder / "hosting" / "w3id.htaccess", root / "digiden" / ".htaccess")
    with apache(root, tmp_path_factory.mktemp("w3id-host")) as client:
        yield client
