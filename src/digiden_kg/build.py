"""Build a release: read tables, map them, derive, check, write.

The dataset is deterministic: N-Quads sorted as text, no blank nodes, nothing that depends on the
clock. Each statement stands in the graph of whoever says it and, once, in the default graph.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    RdfFormat,
    Store,
    Triple,
    parse,
)

from digiden_kg import metadata, vocab
from digiden_kg.exceptions import InputError, Problem, ReleaseError
from digiden_kg.mapping import Statement, map_table
from digiden_kg.normalize import fold
from digiden_kg.questions import evaluate, load_questions
from digiden_kg.register import load_register
from digiden_kg.release import (
    DATASET,
    DESCRIPTION,
    Release,
    current_release,
    publish,
    release_name,
    sha256,
    staging,
)
from digiden_kg.report import Report, write_report
from digiden_kg.results import GRAPHS, Answer
from digiden_kg.settings import Settings
from digiden_kg.tables import read_tables
from digiden_kg.validate import check_store

Progress = Callable[[str], None]

_TYPE = NamedNode(vocab.expand("rdf:type"))
_SEARCH_TEXT = NamedNode(vocab.expand("dg:searchText"))
_NAMES = [
    NamedNode(vocab.expand(name))
    for name in ("rdfs:label", "skos:prefLabel", "skos:altLabel", "dcterms:title")
]
"""What a thing is searched by; labels include readings in kana and romaji."""
_DERIVE_ROUNDS = 10
_GENID = f"{vocab.BASE}.well-known/genid/"


def build(settings: Settings, *, progress: Progress = lambda _: None) -> tuple[Release, Report]:
    """Build a release from the tables and, unless there are violations, make it the current one.

    A release with violations that nothing explains is written all the same, so that its report
    can be read; the last good release stays the current one.

    Raises:
        InputError: Tables, ontology, shapes or queries are wrong; no release is written.
    """
    store, report = check(settings, progress=progress)
    progress("writing the release")
    with staging(settings.out_dir) as folder:
        write_dataset(store, folder / DATASET)
        write_report(report, store, folder)
        manifest = {
            "version": version("digiden-kg"),
            "base": vocab.BASE,
            "built": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": "digiden-kg build",
            "inputs": input_hashes(settings),
            "counts": counts(store, report),
        }
        name = release_name(folder, manifest)
        if (before := _before(settings.out_dir)) not in (None, name):
            manifest["previous"] = before
        _describe(store, folder, Release(settings.out_dir / name, manifest))
        release = publish(folder, settings.out_dir, manifest, current=not report.violations)
    return release, report


def _before(out_dir: Path) -> str | None:
    """Return the name of the release that was the current one until now."""
    try:
        return current_release(out_dir).name
    except ReleaseError:
        return None


def _describe(store: Store, folder: Path, release: Release) -> None:
    """Write what a release is; its files are those of the address that its IRI stands for."""

    async def ask(query: str) -> Answer:
        return evaluate(store, query)

    counted = asyncio.run(metadata.count(ask))
    files = metadata.release_files(folder, {})
    content = metadata.dataset_description(
        release, counted, vocab.BASE.rstrip("/"), GRAPHS[0], files
    )
    (folder / DESCRIPTION).write_bytes(content)


def check(settings: Settings, *, progress: Progress = lambda _: None) -> tuple[Store, Report]:
    """Return a store with everything, findings included, and the report of the checks.

    Raises:
        InputError: Tables, ontology, shapes or queries are wrong.
    """
    progress("reading and mapping the tables")
    store = assemble(settings)
    progress(f"checking {len(store):,} statements")
    report = check_store(store, settings)
    add_to(store, report.quads(), vocab.CHECKS)
    return store, report


def assemble(settings: Settings) -> Store:
    """Return a store with everything but the findings.

    Raises:
        InputError: Tables, ontology, shapes or derivations are wrong.
    """
    register = load_register(settings.data_dir / "register")
    statements = [
        statement
        for table in read_tables(settings.data_dir, register)
        for statement in map_table(table)
    ]
    store = Store()
    quads = [statement.quad for statement in statements]
    store.extend(quads)
    store.extend(Quad(q.subject, q.predicate, q.object) for q in quads)
    add_to(store, read_turtle(settings.ontology_dir, ("*.ttl", "alignments/*.ttl")), vocab.ONTOLOGY)
    add_to(store, read_turtle(settings.shapes_dir, ("*.ttl",)), vocab.SHAPES)
    questions = load_questions(settings.queries_dir / "questions")
    add_to(store, metadata.question_triples(questions), vocab.QUESTIONS)
    problems = list(dangling(store, statements))
    if problems:
        raise InputError(problems)
    derive(store, settings.queries_dir / "derive")
    add_to(store, list(search_texts(store)), vocab.DERIVED)
    return store


def add_to(store: Store, triples: Iterable[Triple], graph: str) -> int:
    """Add triples to a graph of ours and to the default graph; return how many were new."""
    name = NamedNode(vocab.source(graph))
    new = [t for t in triples if Quad(t.subject, t.predicate, t.object) not in store]
    store.extend(Quad(t.subject, t.predicate, t.object, name) for t in new)
    store.extend(Quad(t.subject, t.predicate, t.object) for t in new)
    return len(new)


def read_turtle(folder: Path, patterns: tuple[str, ...]) -> Iterator[Triple]:
    """Yield the triples of Turtle files; blank nodes become stable IRIs.

    Raises:
        InputError: A file is no Turtle.
    """
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        dataset = Dataset()
        try:
            text = vocab.rebase(path.read_text(encoding="utf-8"))
            for quad in parse(text, format=RdfFormat.TURTLE, base_iri=vocab.BASE):
                dataset.add(quad)
        except (SyntaxError, UnicodeDecodeError) as error:
            line = getattr(error, "lineno", None)
            problem = Problem(
                str(path.relative_to(folder.parent)), line, None, None, str(error), "Mend the file."
            )
            raise InputError([problem]) from error
        dataset.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
        for quad in dataset:
            yield Triple(
                _named(quad.subject, path.stem), quad.predicate, _named(quad.object, path.stem)
            )


def _named(term: Any, stem: str) -> Any:
    return NamedNode(f"{_GENID}{stem}-{term.value}") if isinstance(term, BlankNode) else term


def derive(store: Store, folder: Path) -> None:
    """Add what the CONSTRUCT queries of a folder conclude, until nothing new follows.

    Raises:
        InputError: A query is wrong, or they never come to an end.
    """
    queries = [
        (path, vocab.rebase(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.rq"))
    ]
    for _ in range(_DERIVE_ROUNDS):
        added = 0
        for path, text in queries:
            try:
                constructed: Any = store.query(text)
                added += add_to(store, list(constructed), vocab.DERIVED)
            except SyntaxError as error:
                problem = Problem(path.name, None, None, None, str(error), "Mend the query.")
                raise InputError([problem]) from error
        if not added:
            return
    problem = Problem(
        str(folder), None, None, None, "the derivations do not end", "One makes new IRIs each time."
    )
    raise InputError([problem])


def search_texts(store: Store) -> Iterator[Triple]:
    """Yield for each thing of ours one text of all its names, folded, a name a line.

    SPARQL cannot fold (NFKC, kana, old characters), so this is no rule of ``queries/derive/``.
    """
    spaces = (f"{vocab.BASE}id/", f"{vocab.BASE}scheme/", vocab.SOURCES)
    names: dict[NamedNode, set[str]] = {}
    for predicate in _NAMES:
        for quad in store.quads_for_pattern(None, predicate, None, DefaultGraph()):
            thing, name = quad.subject, quad.object
            if (
                isinstance(thing, NamedNode)
                and thing.value.startswith(spaces)
                and isinstance(name, Literal)
            ):
                names.setdefault(thing, set()).add(fold(name.value))
    for thing, folded in names.items():
        yield Triple(thing, _SEARCH_TEXT, Literal("\n".join(sorted(folded))))


def dangling(store: Store, statements: Iterable[Statement]) -> Iterator[Problem]:
    """Yield a problem for each cell that names a thing of ours that nothing describes."""
    described = {
        quad.subject.value
        for quad in store.quads_for_pattern(None, _TYPE, None, None)
        if isinstance(quad.subject, NamedNode)
    }
    ours = (f"{vocab.BASE}id/", f"{vocab.BASE}scheme/", vocab.SOURCES)
    seen: set[tuple[str, int, str, str]] = set()
    for statement in statements:
        quad = statement.quad
        for term in (quad.subject, quad.object, quad.graph_name):
            if (
                not isinstance(term, NamedNode)
                or not term.value.startswith(ours)
                or term.value in described
            ):
                continue
            place = (statement.file, statement.row, statement.column, term.value)
            if place in seen:
                continue
            seen.add(place)
            stem = term.value.rpartition("/")[0] + "/"
            siblings = [iri for iri in described if iri.startswith(stem)]
            near = difflib.get_close_matches(term.value, siblings, n=3, cutoff=0.7)
            names = ", ".join(iri.removeprefix(vocab.BASE) for iri in near) or "none"
            yield Problem(
                statement.file,
                statement.row,
                statement.column or None,
                statement.value,
                f"nothing describes {term.value.removeprefix(vocab.BASE)}",
                f"Mend the code, or add a row that describes it. Near: {names}.",
            )


def write_dataset(store: Store, path: Path) -> None:
    """Write sorted N-Quads: two builds of the same inputs are equal byte for byte."""
    lines = sorted(f"{quad} .\n" for quad in store)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def input_hashes(settings: Settings) -> dict[str, str]:
    """Return the sha256 of every file that a build reads, by its path in the project."""
    folders = (
        settings.ontology_dir,
        settings.shapes_dir,
        settings.queries_dir,
        settings.data_dir,
    )
    return {
        path.relative_to(settings.project_dir).as_posix(): sha256(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".csv", ".json", ".ttl", ".rq"}
    }


def counts(store: Store, report: Report) -> dict[str, int]:
    """Return the figures of the manifest and of the start page."""

    def instances(name: str) -> int:
        cls = NamedNode(vocab.expand(name))
        return sum(1 for _ in store.quads_for_pattern(None, _TYPE, cls, DefaultGraph()))

    return {
        "triples": sum(1 for _ in store.quads_for_pattern(None, None, None, DefaultGraph())),
        "quads": len(store),
        "graphs": sum(1 for _ in store.named_graphs()),
        "projects": instances("dg:Project"),
        "services": instances("dg:Service"),
        "bodies": instances("dg:LocalGovernment"),
        "observations": instances("qb:Observation"),
        "findings": len(report.findings),
        "violations": report.violations,
        "reconciled": len(report.reconciliations),
    }
