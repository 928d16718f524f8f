"""What there is to take: VoID, DCAT, the saved questions in RDF, downloads, and how to cite."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse

from digiden_kg import metadata, vocab
from digiden_kg.dumps import STEM, SUMS, Dump
from digiden_kg.questions import Text
from digiden_kg.release import DESCRIPTION, Release
from digiden_kg.results import GRAPHS, HTML, Chosen, find_format, negotiate
from digiden_kg.web import problems
from digiden_kg.web.downloads import Dumps, gone_release
from digiden_kg.web.site import Site, choose, described, language_of, page_route, root_of


def add_datasets(app: FastAPI, site: Site, dumps: Dumps) -> None:
    """Add the descriptions of the dataset, its downloads and its citation."""

    async def description(request: Request, chosen: Chosen) -> Response:
        release = site.release
        dumps.start()  # whoever comes again finds them
        content = metadata.dataset_description(
            release,
            await site.counts(),
            root_of(request),
            chosen.format,
            [*metadata.release_files(release.path, release.manifest["outputs"]), *dumps.offered()],
            contact=site.settings.contact,
            has_server=not site.is_static,
        )
        return described(content, chosen)

    @page_route(app, "/.well-known/void", site)
    async def void(request: Request) -> Response:
        return await description(request, _choose(request, html=False))

    @page_route(app, f"/{metadata.DATASETS}", site)
    async def catalogue(request: Request) -> Response:
        chosen = _choose(request, html=True)
        if chosen.format is HTML:
            return RedirectResponse(f"/downloads?lang={language_of(request)}", 303)
        return await description(request, chosen)

    @page_route(app, f"/{metadata.DATASETS}/{{name}}", site)
    async def dataset(request: Request, name: str) -> Response:
        stem, end = _without_end(name)
        if stem == site.release.name:
            if end:
                return await description(request, find_format(GRAPHS, end))
            return await catalogue(request)
        releases, gone = dumps.former()
        if stem == gone:
            raise gone_release(stem, site.release.name)
        former = next((each for each in releases if each[0].name == stem), None)
        if former is None or not (former[0].path / DESCRIPTION).is_file():
            raise problems.ProblemError(
                404,
                "http",
                f"the release served here is {site.release.name}, not {stem}"
                f" / ここで公開しているのは {site.release.name} です。",
            )
        chosen = find_format(GRAPHS, end) if end else _choose(request, html=False)
        path, files = former[0].path / DESCRIPTION, former[1]
        content = metadata.former_description(
            path, site.release.name, chosen.format, root_of(request), files
        )
        return described(content, chosen)

    @page_route(app, "/.well-known/sparql-examples", site)
    async def examples(request: Request) -> Response:
        chosen = _choose(request, html=False)
        found = site.questions.values()
        content = metadata.question_descriptions(found, root_of(request), chosen.format)
        return described(content, chosen)

    @page_route(app, "/question/{slug}", site)
    async def question(request: Request, slug: str) -> Response:
        stem, _, end = slug.partition(".")
        found = site.question(stem)
        offers = (HTML, *GRAPHS)
        chosen = find_format(offers, end) if end else choose(request, offers)
        if chosen.format is HTML:
            iri, formats = metadata.question_iri(stem), [offer.name for offer in GRAPHS]
            return site.page(request, "saved.html", question=found, iri=iri, formats=formats)
        content = metadata.question_descriptions([found], root_of(request), chosen.format)
        return described(content, chosen)

    @page_route(app, "/downloads", site)
    async def downloads(request: Request) -> Response:
        release = site.release
        dumps.start()
        found = {dump.name: dump for dump in dumps.ready()}
        former, gone = dumps.former()
        listed = [(name, found.get(name)) for name in dumps.names() if name.startswith(f"{STEM}.")]
        return site.page(
            request,
            "downloads.html",
            files=metadata.release_files(release.path, release.manifest["outputs"]),
            whole=listed,
            tables=_tables(dumps.titles(), found, dumps.names()),
            ready=bool(found),
            sums=SUMS,
            former=[
                (each, [file for file in files if file.name.startswith(f"{STEM}.")], len(files))
                for each, files in former
            ],
            gone=gone,
            bibtex=bibtex(release),
        )

    @page_route(app, "/citation.bib", site)
    async def citation() -> Response:
        return PlainTextResponse(bibtex(site.release), media_type="application/x-bibtex")

    @page_route(app, "/datacite.json", site)
    async def datacite() -> Response:
        return JSONResponse(datacite_of(site.release))


_ENDS = frozenset(offer.name for offer in GRAPHS)


def _without_end(name: str) -> tuple[str, str]:
    """Return a name and the format that its end asks for; releases have dots in their names."""
    stem, _, end = name.rpartition(".")
    return (stem, end) if stem and end in _ENDS else (name, "")


def _tables(
    titles: Mapping[str, Text], found: Mapping[str, Dump], names: Sequence[str]
) -> list[tuple[str, Text, list[tuple[str, str, Dump | None]]]]:
    """Return the flat tables: name, title, and of each file its format, name and, if any, size."""
    return [
        (
            table,
            title,
            [
                (name.partition(".")[2], name, found.get(name))
                for name in names
                if name.partition(".")[0] == table
            ],
        )
        for table, title in titles.items()
    ]


def _choose(request: Request, *, html: bool) -> Chosen:
    if html:
        return choose(request, (HTML, *GRAPHS))
    if "text/html" in request.headers.get("accept", "") and not request.query_params.get("format"):
        return negotiate(GRAPHS, None)  # a browser is shown Turtle rather than an error
    return choose(request, GRAPHS)


def _year(release: Release) -> str:
    return str(release.manifest.get("built", "n.d."))[:4]


def bibtex(release: Release, iri: str | None = None, title: str | None = None) -> str:
    """Return how to cite a release, or one thing as it is in the release, for LaTeX."""
    key = re.sub(r"[^A-Za-z0-9.-]+", "-", (iri or "").removeprefix(vocab.BASE))
    named = re.sub(r"[{}\\]", "", title) if title else metadata.TITLE["en"]
    inside = f"  howpublished = {{{metadata.TITLE['en']}}},\n" if title else ""
    return (
        f"@misc{{digiden-kg-{release.name}{f'-{key}' if key else ''},\n"
        f"  title = {{{named}}},\n"
        f"{inside}"
        "  author = {{digiden-kg}},\n"
        f"  year = {{{_year(release)}}},\n"
        f"  version = {{{release.name}}},\n"
        f"  url = {{{iri or vocab.dataset(release.name)}}},\n"
        "  note = {Made by processing a publication of the Cabinet Office of Japan (April 2023)."
        " CC BY 4.0}\n}\n"
    )


def datacite_of(release: Release) -> dict[str, object]:
    """Return a release as DataCite describes datasets, ready for a DOI; it has none yet."""
    return {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "types": {"resourceTypeGeneral": "Dataset"},
        "creators": [{"name": "digiden-kg", "nameType": "Organizational"}],
        "titles": [
            *({"title": title, "lang": each} for each, title in metadata.TITLE.items()),
        ],
        "publisher": {"name": "digiden-kg"},
        "publicationYear": _year(release),
        "version": release.name,
        "url": vocab.dataset(release.name),
        "rightsList": [
            {
                "rightsIdentifier": "CC-BY-4.0",
                "rightsUri": "https://creativecommons.org/licenses/by/4.0/",
            }
        ],
        "relatedIdentifiers": [
            {
                "relatedIdentifier": vocab.source("digiden-2023-04"),
                "relatedIdentifierType": "URL",
                "relationType": "IsDerivedFrom",
            }
        ],
    }
