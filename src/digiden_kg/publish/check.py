"""What is missing for five stars (https://5stardata.info/), and what to do about it.

The descriptions are read as anybody would read them: VoID and DCAT of the published site, or of
the site as it would be published. What cannot be known here is said to be unknown, not to be well.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Store, parse

from digiden_kg import vocab
from digiden_kg.dumps import dumps_folder
from digiden_kg.exceptions import PublishError
from digiden_kg.publish.publisher import MANIFEST, iris, public_root
from digiden_kg.publish.render import Job, Renderer
from digiden_kg.questions import Text
from digiden_kg.release import Release
from digiden_kg.settings import Settings

_VOID = ".well-known/void"
_OPEN = (
    "https://creativecommons.org/licenses/by/",
    "https://creativecommons.org/licenses/by-sa/",
    "https://creativecommons.org/publicdomain/",
    "http://www.opendefinition.org/licenses/",
    "https://opendatacommons.org/licenses/",
)
"""Starts of the IRIs of licences that conform to the Open Definition."""
_STRUCTURED = ("csv", "json", "xml", "sheet", "sqlite", "parquet", "turtle", "quads", "trig", "rdf")
_PROPRIETARY = ("sheet", "excel", "msword")
_RDF = ("turtle", "n-quads", "n-triples", "trig", "ld+json", "rdf+xml")
_PERSISTENT = ("w3id.org", "purl.org", "purl.archive.org", "doi.org", "n2t.net", "hdl.handle.net")
"""Hosts whose only work is to lead names on for good."""
_SPACES = {
    **vocab.PREFIXES,
    "spdx": "http://spdx.org/rdf/terms#",
    "dqv": "http://www.w3.org/ns/dqv#",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that was looked at."""

    stars: int
    """Which star needs it; 0 for what makes data easy to find and to trust."""
    ok: bool | None
    """None where it cannot be known here."""
    what: Text
    remedy: Text | None = None
    """What to do, if it is not well."""


class _Described:
    """The description of a dataset, read by prefixed names."""

    def __init__(self, content: bytes, release: str) -> None:
        self._store = Store()
        self._store.extend(parse(content, format=RdfFormat.TURTLE))
        self.dataset = NamedNode(vocab.dataset(release))

    def of(self, subject: NamedNode, name: str) -> list[NamedNode | Literal]:
        """Return the values of a property."""
        prefix, _, local = name.partition(":")
        predicate = NamedNode(_SPACES[prefix] + local)
        found = self._store.quads_for_pattern(subject, predicate, None, None)
        return [q.object for q in found if isinstance(q.object, NamedNode | Literal)]

    def all(self, name: str) -> list[NamedNode]:
        """Return the things of a class."""
        prefix, _, local = name.partition(":")
        kind = NamedNode(_SPACES[prefix] + local)
        found = self._store.quads_for_pattern(None, NamedNode(vocab.expand("rdf:type")), kind, None)
        return [q.subject for q in found if isinstance(q.subject, NamedNode)]


def check_publication(
    release: Release, settings: Settings, out: Path | None = None, *, base_url: str | None = None
) -> list[Point]:
    """Return what was looked at, by stars.

    Args:
        release: What is or would be published.
        settings: Public address and contact, and where the questions are.
        out: Folder of a published site, if there is one.
        base_url: Public address, if not that of the site or the settings.

    Raises:
        PublishError: The folder holds no published site.
    """
    manifest = _manifest(out) if out else {}
    root = base_url or manifest.get("address") or settings.public_url
    if out:
        content = (out / _VOID).read_bytes()
    else:
        job = Job(release, settings, public_root(base_url, settings), Path(), None, {})
        with contextlib.closing(Renderer(job)) as renderer:
            _, _, content = renderer.get(f"/{_VOID}")
    described = _Described(content, str(manifest.get("release", release.name)))
    points = [
        *_licence(described),
        *_formats(described),
        *_names(release, root),
        *_links(described),
        *_metadata(described),
        *_checksums(described, release, out),
        *_address(root),
        *(_site(out, manifest, release) if out else ()),
    ]
    return sorted(points, key=lambda point: point.stars or 9)


def _manifest(out: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PublishError(
            f"{out} holds no published site; make one with: digiden-kg publish --out {out}"
            f" / {out} に公開したサイトがありません。"
        ) from error
    return found


def _text(ja: str, en: str) -> Text:
    return {"ja": ja, "en": en}


def _distributions(described: _Described) -> list[NamedNode]:
    found = described.of(described.dataset, "dcat:distribution")
    return [each for each in found if isinstance(each, NamedNode)]


def _licence(described: _Described) -> Iterator[Point]:
    lacking = [
        each.value
        for each in (described.dataset, *_distributions(described))
        if not any(value.value.startswith(_OPEN) for value in described.of(each, "dcterms:license"))
    ]
    yield Point(
        1,
        not lacking,
        _text(
            "データと各ファイルに開かれたライセンスがある", "data and files have an open licence"
        ),
        _text(
            f"dcterms:license に CC BY などを書く：{_few(lacking)}",
            f"give dcterms:license, such as CC BY, for {_few(lacking)}",
        ),
    )


def _formats(described: _Described) -> Iterator[Point]:
    kinds = {
        value.value.lower()
        for each in _distributions(described)
        for value in described.of(each, "dcat:mediaType")
    }
    structured = [each for each in kinds if any(end in each for end in _STRUCTURED)]
    free = [each for each in structured if not any(end in each for end in _PROPRIETARY)]
    yield Point(
        2,
        bool(structured),
        _text("機械で読める形式のファイルがある", "there are files that machines can read"),
        _text("digiden-kg export --all で書き出す", "write them: digiden-kg export --all"),
    )
    yield Point(
        3,
        bool(free),
        _text(
            "特定の製品に依存しない形式のファイルがある",
            "there are files in non-proprietary formats",
        ),
        _text("CSV か RDF を加える", "add CSV or RDF"),
    )
    yield Point(
        4,
        any(end in each for each in free for end in _RDF),
        _text("RDF のファイルがある", "there is RDF"),
        _text("digiden.nq を公開する", "publish digiden.nq"),
    )


def _names(release: Release, root: str | None) -> Iterator[Point]:
    blank = sum(
        isinstance(quad.subject, BlankNode)
        for quad in parse(path=release.dataset, format=RdfFormat.N_QUADS)
    )
    yield Point(
        4,
        not blank,
        _text(
            "すべてのものに IRI がある（空白ノードがない）", "everything has an IRI; no blank nodes"
        ),
        _text(
            f"空白ノードの文 {blank} 件に IRI を付ける", f"name the subjects of {blank} statements"
        ),
    )
    host = urlsplit(vocab.BASE).netloc
    own = urlsplit(root).netloc if root else ""
    yield Point(
        4,
        host in _PERSISTENT or host == own,
        _text(
            f"IRI の基底 {vocab.BASE} は変わらない名前のサービスか自分のホストにある",
            f"the base of the IRIs, {vocab.BASE}, is at a service of lasting names or at your host",
        ),
        _text(
            "DIGIDEN_BASE を w3id.org などの自分の名前空間にして作り直す",
            "build again with DIGIDEN_BASE at a namespace of yours, for example at w3id.org",
        ),
    )
    if host != own:
        yield Point(
            4,
            None,
            _text(
                f"{vocab.BASE} が {root or 'サイト'} に導くかは、ここでは分からない",
                f"whether {vocab.BASE} leads to {root or 'the site'} cannot be known here",
            ),
            _text(
                "hosting/w3id.htaccess を https://github.com/perma-id/w3id.org に提案し、"
                "curl -IL で確かめる",
                "propose hosting/w3id.htaccess at https://github.com/perma-id/w3id.org, then look"
                " with curl -IL",
            ),
        )


def _links(described: _Described) -> Iterator[Point]:
    targets: dict[str, int] = {}
    for each in described.all("void:Linkset"):
        spaces = [
            space.value
            for target in described.of(each, "void:objectsTarget")
            if isinstance(target, NamedNode)
            for space in described.of(target, "void:uriSpace")
        ]
        for count in described.of(each, "void:triples"):
            for space in spaces:
                targets[space] = targets.get(space, 0) + int(count.value)
    linked = ", ".join(f"{space} ({count})" for space, count in sorted(targets.items()) if count)
    yield Point(
        5,
        bool(linked),
        _text(
            f"ほかのデータへのリンクがある：{linked}", f"there are links to other data: {linked}"
        ),
        _text(
            "ontology/alignments に skos:exactMatch などを加える",
            "add skos:exactMatch and the like to ontology/alignments",
        ),
    )


_NEEDED = (
    ("dcterms:title", "題名", "a title"),
    ("dcterms:description", "説明", "a description"),
    ("dcterms:publisher", "公開者", "a publisher"),
    ("dcterms:issued", "公開日", "a date of issue"),
    ("dcat:version", "版", "a version"),
    ("dcterms:temporal", "対象の期間", "a period"),
    ("dcterms:spatial", "対象の地域", "a place"),
    ("dcterms:language", "言語", "languages"),
    ("dcat:keyword", "キーワード", "keywords"),
    ("dcterms:source", "出典", "a source"),
    ("void:triples", "大きさ（VoID）", "its size (VoID)"),
    ("dqv:hasQualityMeasurement", "品質（DQV）", "its quality (DQV)"),
)
"""What the description of a dataset needs: property and words."""


def _metadata(described: _Described) -> Iterator[Point]:
    for name, ja, en in _NEEDED:
        values = described.of(described.dataset, name)
        tags = {each.language for each in values if isinstance(each, Literal) and each.language}
        both = not tags or tags >= {"ja", "en"}
        yield Point(
            0,
            bool(values) and both,
            _text(f"{ja}がある（{name}）", f"the description has {en} ({name})"),
            _text("日英で書く" if values else f"{name} を加える", f"give {name} in both languages"),
        )
    yield Point(
        0,
        bool(described.of(described.dataset, "dcat:contactPoint")),
        _text("問い合わせ先がある（dcat:contactPoint）", "there is a contact (dcat:contactPoint)"),
        _text(
            "DIGIDEN_CONTACT=mailto:… を設定して公開し直す",
            "set DIGIDEN_CONTACT=mailto:… and publish again",
        ),
    )


def _checksums(described: _Described, release: Release, out: Path | None) -> Iterator[Point]:
    lacking, wrong = [], []
    for each in _distributions(described):
        sums = [
            value.value
            for checksum in described.of(each, "spdx:checksum")
            if isinstance(checksum, NamedNode)
            for value in described.of(checksum, "spdx:checksumValue")
        ]
        name = next(
            (url.value.rpartition("/")[2] for url in described.of(each, "dcat:downloadURL")), ""
        )
        if not (sums and described.of(each, "dcat:byteSize")):
            lacking.append(name or each.value)
        folders = [out / "files"] if out else [release.path, dumps_folder(release)]
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if sums and (path is None or hashlib.sha256(path.read_bytes()).hexdigest() not in sums):
            wrong.append(name or each.value)
    yield Point(
        0,
        not lacking,
        _text("各ファイルに大きさとチェックサムがある", "files have sizes and checksums"),
        _text(f"リリースを作り直す：{_few(lacking)}", f"build the release again: {_few(lacking)}"),
    )
    yield Point(
        0,
        not wrong,
        _text("ファイルはチェックサムのとおり", "files are what their checksums say"),
        _text(f"公開し直す：{_few(wrong)}", f"publish again: {_few(wrong)}"),
    )


def _address(root: str | None) -> Iterator[Point]:
    parts = urlsplit(root or "")
    yield Point(
        0,
        parts.scheme == "https" and not _is_private(parts.hostname or ""),
        _text(
            f"公開するアドレスは https で、だれでも届く：{root or '未設定'}",
            f"the public address is https, and anybody can reach it: {root or 'not set'}",
        ),
        _text(
            "--base-url か DIGIDEN_PUBLIC_URL に https://… を指定する",
            "give https://… as --base-url or DIGIDEN_PUBLIC_URL",
        ),
    )


def _is_private(host: str) -> bool:
    if host == "localhost" or ("." not in host.strip("[]") and ":" not in host):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _site(out: Path, manifest: dict[str, str], release: Release) -> Iterator[Point]:
    files = manifest["files"]
    assert isinstance(files, dict)
    damaged = [
        name
        for name, checksum in files.items()
        if not (out / name).is_file()
        or hashlib.sha256((out / name).read_bytes()).hexdigest() != checksum
    ]
    again = f"digiden-kg publish --out {out}"
    yield Point(
        0,
        not damaged,
        _text("サイトのファイルはすべて公開したときのまま", "every file is as it was published"),
        _text(f"{again}：{_few(damaged)}", f"{again}: {_few(damaged)}"),
    )
    yield Point(
        0,
        manifest["release"] == release.name,
        _text(f"サイトは今のリリース {release.name} のもの", f"the site is of {release.name}"),
        _text(again, again),
    )
    lacking = [iri for iri in iris(release) if not _is_described(out, iri)]
    yield Point(
        4,
        not lacking,
        _text("すべての IRI が HTML と RDF で答える", "every IRI answers as HTML and as RDF"),
        _text(f"{again}：{_few(lacking)}", f"{again}: {_few(lacking)}"),
    )


def _is_described(out: Path, iri: str) -> bool:
    path = iri.removeprefix(vocab.BASE)
    path = f"doc/{path.removeprefix('id/')}" if path.startswith("id/") else path
    return all((out / f"{path}.{end}").is_file() for end in ("html", "ttl"))


def _few(names: Sequence[str] | Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" … ({len(listed)})" if len(listed) > 3 else "")


def stars(points: Iterable[Point]) -> int:
    """Return the stars that are reached: those below the first that something lacks."""
    lacking = [point.stars for point in points if point.stars and point.ok is False]
    return min(lacking, default=6) - 1
