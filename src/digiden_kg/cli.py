"""The command line: reads arguments, calls the modules, prints.

Exit status: 0 all is well, 1 something is wrong (with the data, a query or a release), 2 bad usage.
What a command answers goes to standard output, everything else to standard error. What only some
commands need is imported there: reading tables, pyshacl and the server take half a second to load,
for which a question need not wait.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, NoReturn

import typer
from pyoxigraph import QuerySolutions
from rich.console import Console

from digiden_kg import vocab
from digiden_kg.exceptions import DigidenError, QueryError, ReleaseError
from digiden_kg.questions import (
    Question,
    load_questions,
    store_choices,
)
from digiden_kg.release import (
    DATASET,
    Release,
    current_release,
    draft,
    open_release,
    pointer_of,
    sha256,
)
from digiden_kg.results import (
    GRAPHS,
    TABLES,
    find_format,
    formats_of,
    read_answer,
    table_text,
    write_results,
)
from digiden_kg.settings import ADDRESS, Settings, load_settings
from digiden_kg.syntax import query_form, syntax_error

if TYPE_CHECKING:
    from digiden_kg.report import Report

_FORMATS = ", ".join(dict.fromkeys(["table", *(each.name for each in (*TABLES, *GRAPHS))]))

app = typer.Typer(
    help="DIGIDEN knowledge graph: build, check, ask and serve. / 作成、検査、質問、公開。",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

OutOption = Annotated[
    Path | None, typer.Option("--out", help="Folder of the releases. / リリースの置き場所。")
]
ReleaseOption = Annotated[
    Path | None,
    typer.Option("--release", help="Folder of one release. / リリースのフォルダー。"),
]
FormatOption = Annotated[
    str, typer.Option("--format", "-f", help=f"One of: {_FORMATS}. / 出力形式。")
]


def main() -> None:
    """Run the command line; what is wrong becomes lines on standard error, never a traceback."""
    try:
        load_settings().checked()
        app()
    except DigidenError as error:
        _fail(error)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        sys.exit(0)


def _fail(error: DigidenError) -> NoReturn:
    print(f"digiden-kg: {error}", file=sys.stderr)
    sys.exit(1)


def _settings(out: Path | None) -> Settings:
    settings = load_settings()
    return dataclasses.replace(settings, out_dir=out) if out else settings


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what a build does, on a terminal only."""
    console = Console(stderr=True)
    with console.status("…") as status:
        yield lambda step: status.update(f"{step} …")


def _build(settings: Settings) -> tuple[Release, Report]:
    from digiden_kg.build import build as build_release  # noqa: PLC0415

    with _progress() as progress:
        return build_release(settings, progress=progress)


def _print_summary(release: Release) -> None:
    counts = release.counts
    print(
        f"release {release.name}: {counts['triples']:,} triples, {counts['projects']:,} projects,"
        f" {counts['findings']:,} findings"
        f" / 文 {counts['triples']:,}、事業 {counts['projects']:,}、指摘 {counts['findings']:,}"
    )
    if violations := counts.get("violations"):
        print(
            f"{violations} violations that nothing explains; see {release.path}/report.html"
            f" / 説明の付いていない違反 {violations} 件",
            file=sys.stderr,
        )


@app.command()
def build(out: OutOption = None) -> None:
    """Make a release from the tables. / 表からリリースを作る。"""
    release, report = _build(_settings(out))
    _print_summary(release)
    raise typer.Exit(1 if report.violations else 0)


@app.command()
def check(
    report_dir: Annotated[
        Path | None,
        typer.Option("--report", help="Folder for report.ttl, .csv and .html. / 報告の置き場所。"),
    ] = None,
) -> None:
    """Check the tables and say what is wrong; makes no release. / 検査して問題を示す。"""
    from digiden_kg.build import check as check_tables  # noqa: PLC0415
    from digiden_kg.report import write_report  # noqa: PLC0415

    with _progress() as progress:
        store, report = check_tables(load_settings(), progress=progress)
        if report_dir:
            report_dir.mkdir(parents=True, exist_ok=True)
            write_report(report, store, report_dir)
    for finding in report.findings:
        if not finding.explained_by:
            thing = vocab.shorten(finding.focus)
            value = f" ({finding.value})" if finding.value is not None else ""
            print(f"{finding.severity} {thing}{value}: {finding.message_en} / {finding.message_ja}")
    explained = sum(1 for finding in report.findings if finding.explained_by)
    print(
        f"{len(report.findings)} findings, {explained} explained, {report.violations} violations"
        f" left; {len(report.reconciliations)} figures reconciled"
        f" / 指摘 {len(report.findings)} 件、うち説明済み {explained} 件、"
        f"残る違反 {report.violations} 件、照合 {len(report.reconciliations)} 件"
    )
    raise typer.Exit(1 if report.violations else 0)


def _release(release: Path | None, settings: Settings) -> Release:
    """Return the release that is asked for, else the current one, else a new one."""
    if release:
        return open_release(release)
    try:
        return current_release(settings.out_dir)
    except ReleaseError:
        return _build(settings)[0]


@app.command()
def query(
    file: Annotated[str, typer.Argument(help="Query file, - for standard input. / 問い合わせ。")],
    format: FormatOption = "table",
    release: ReleaseOption = None,
) -> None:
    """Run a SPARQL query. / SPARQL の問い合わせを実行する。"""
    if file == "-":
        text = sys.stdin.read()
    else:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(str(error), param_hint="FILE") from error
    _print_results(_release(release, load_settings()), text, format)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="Name of a question. / 質問の名前。")],
    param: Annotated[
        list[str] | None, typer.Option("--param", help="NAME=VALUE. / パラメータ。")
    ] = None,
    format: FormatOption = "table",
    release: ReleaseOption = None,
) -> None:
    """Answer a saved question; --NAME VALUE sets a parameter. / 保存された質問に答える。"""
    settings = load_settings()
    asked = _find(settings, question)
    values = _parameters(param or [], context.args)
    found = _release(release, settings)
    text = asked.bind(values, store_choices(found.open_store()) if values else None)
    if format == "table":
        print(f"{asked.title['ja']}\n{asked.title['en']}\n")
    _print_results(found, text, format)
    if format == "table" and asked.complete:
        print(f"\n{asked.complete['ja']}\n{asked.complete['en']}")


def _find(settings: Settings, slug: str) -> Question:
    questions = {each.slug: each for each in load_questions(settings.queries_dir / "questions")}
    if slug not in questions:
        import difflib  # noqa: PLC0415

        near = ", ".join(difflib.get_close_matches(slug, questions, n=5, cutoff=0.3))
        raise typer.BadParameter(
            f"there is no question {slug!r}; near: {near or '-'} (all: digiden-kg questions)"
            f" / 質問 {slug!r} はありません。",
            param_hint="QUESTION",
        )
    return questions[slug]


def _parameters(given: list[str], extra: list[str]) -> Mapping[str, list[str]]:
    """Return the values of ``--param name=value``, ``--name value`` and ``--name=value``."""
    values: dict[str, list[str]] = {}
    pairs = [each.partition("=") for each in given]
    rest = iter(extra)
    for word in rest:
        if not word.startswith("--"):
            raise typer.BadParameter(f"{word!r} belongs to no option / 余分な引数です。")
        name, equals, value = word[2:].partition("=")
        pairs.append((name, "=", value if equals else next(rest, "")))
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise typer.BadParameter(f"write NAME=VALUE / NAME=VALUE と書いてください: {name!r}")
        camel = re.sub("-(.)", lambda match: match[1].upper(), name)  # --model-service
        values.setdefault(camel, []).append(value)
    return values


def _print_results(release: Release, text: str, name: str) -> None:
    store = release.open_store()
    form = query_form(text)
    if form == "UPDATE":
        raise QueryError("updates are not possible / 更新はできません。")
    chosen = None if name == "table" else find_format(formats_of(form), name).format
    try:
        results = store.query(text)
    except SyntaxError as error:
        raise syntax_error(error) from error
    sys.stdout.flush()
    if chosen is None and isinstance(results, QuerySolutions):
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        answer = read_answer(results)
        print(table_text(answer, width=width), end="")
        print(f"{len(answer.rows)} rows / {len(answer.rows)} 件", file=sys.stderr)
    elif chosen is None and form == "ASK":
        print("true" if results else "false")
    else:
        write_results(results, sys.stdout.buffer, chosen or GRAPHS[0])
    sys.stdout.flush()


@app.command()
def questions() -> None:
    """List the saved questions. / 保存された質問の一覧。"""
    for each in load_questions(load_settings().queries_dir / "questions"):
        print(f"{each.slug}\n  {each.title['ja']}\n  {each.title['en']}")
        for parameter in each.parameters.values():
            label = f"{parameter.label['ja']} / {parameter.label['en']}"
            print(f"    --{parameter.name}  {label}{'' if parameter.required else ' (optional)'}")


@app.command()
def export(
    name: Annotated[
        str | None, typer.Argument(help="File, e.g. digiden.trig or projects.csv. / ファイル名。")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where it goes; else standard output. / 出力先。"),
    ] = None,
    everything: Annotated[
        Path | None, typer.Option("--all", help="Folder for all dumps. / すべてを書くフォルダー。")
    ] = None,
    format: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="Only these, with --all. / 形式。")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the names. / 一覧。")] = False,
    release: ReleaseOption = None,
) -> None:
    """Write one dump of a release, or all: RDF, CSV, XLSX, SQLite, Parquet. / ダンプを書く。"""
    from digiden_kg.dumps import dump_names, write_dump, write_dumps  # noqa: PLC0415

    if [bool(name), bool(everything), listing].count(True) != 1 or (format and name):
        raise typer.BadParameter(
            "give a name, --all FOLDER [--format …] or --list"
            " / ファイル名、--all、--list のどれか一つを指定してください。"
        )
    settings = load_settings()
    if listing:
        print("\n".join(dump_names(settings, format)))
        return
    found = _release(release, settings)
    if everything:
        for dump in write_dumps(found, settings, everything, format):
            print(f"{dump.sha256}  {dump.name}")
    elif out:
        with _replaced(out) as file:
            write_dump(found, settings, str(name), file)
    else:
        sys.stdout.flush()
        write_dump(found, settings, str(name), sys.stdout.buffer)
        sys.stdout.flush()


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".export-", delete=False) as file:
            try:
                yield file
            except BaseException:
                Path(file.name).unlink()
                raise
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as error:
        raise ReleaseError(f"{path} cannot be written: {error} / 書き込めません。") from error


@app.command()
def publish(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the site. / サイトのフォルダー。")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", help="Address where it will be reached. / 公開するアドレス。"),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Say what is missing for five stars. / 足りないものを示す。"),
    ] = False,
    release: ReleaseOption = None,
) -> None:
    """Write the whole site as files, for any static host. / サイトをファイルに書き出す。"""
    from digiden_kg.publish.publisher import publish_site  # noqa: PLC0415

    settings = load_settings()
    if base_url and not ADDRESS.fullmatch(base_url):
        raise typer.BadParameter(
            "write https://… / https://… の形で書いてください。", param_hint="--base-url"
        )
    if check:
        _check_publication(_release(release, settings), settings, out, base_url)
    if out is None:
        raise typer.BadParameter("--out / 書き出す先を指定してください。", param_hint="--out")
    with _bar() as tell:
        done = publish_site(
            _whole(_release(release, settings)), settings, out, base_url=base_url, progress=tell
        )
    if not done.fresh:
        print(f"nothing has changed / 変更はありません: {done.folder}")
        return
    print(
        f"{done.files:,} files, {done.bytes / 1e6:,.0f} MB in {done.folder} for {done.root}:"
        f" {done.written:,} written, {done.removed:,} removed"
        f" / ファイル {done.files:,}（書き込み {done.written:,}、削除 {done.removed:,}）"
    )


def _check_publication(
    release: Release, settings: Settings, out: Path | None, base_url: str | None
) -> NoReturn:
    from digiden_kg.publish.check import check_publication, stars  # noqa: PLC0415

    points = check_publication(release, settings, out, base_url=base_url)
    marks = {True: "✓", False: "✗", None: "?"}
    for point in points:
        print(f"{marks[point.ok]} {'★' * point.stars:　<5} {point.what['en']} / {point.what['ja']}")
        if not point.ok and point.remedy:
            print(f"    → {point.remedy['en']}\n    → {point.remedy['ja']}")
    lacking = sum(point.ok is False for point in points)
    unknown = sum(point.ok is None for point in points)
    print(
        f"{'★' * stars(points)} {lacking} missing, {unknown} unknown"
        f" / 足りないもの {lacking} 件、ここでは分からないもの {unknown} 件"
    )
    raise typer.Exit(1 if lacking else 0)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show how far a publication is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("…", total=None)
        yield lambda what, done, total: progress.update(
            task, description=what, completed=done, total=total
        )


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at. / アドレス。")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at. / ポート。")] = 8000,
    release: ReleaseOption = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="RDF files or folders to serve instead. / 代わりに公開するRDF。"),
    ] = None,
    files: Annotated[
        list[Path] | None, typer.Argument(help="More files for --data. / --data の続き。")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds that a query may take. / 時間の上限（秒）。")
    ] = None,
    memory: Annotated[
        int | None, typer.Option(help="MiB that a query may use. / メモリの上限（MiB）。")
    ] = None,
    max_rows: Annotated[
        int | None, typer.Option(help="Rows that an answer may have. / 行数の上限。")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that evaluate. / プロセスの数。")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Base of relative IRIs in files and queries. / 相対IRIの基底。"),
    ] = None,
) -> None:
    """Serve pages and a SPARQL endpoint; builds first if needed. / 公開する。"""
    if files and not data:
        raise typer.BadParameter("files go after --data / ファイルは --data の後に書きます。")
    if data and release:
        raise typer.BadParameter("give --data or --release / --data か --release の一方です。")
    given = {
        "deadline": deadline,
        "memory": memory if memory is None else memory << 20,
        "max_rows": max_rows,
        "workers": workers,
        "base": base,
    }
    limits = {name: value for name, value in given.items() if value is not None}
    wrong = [name for name, value in limits.items() if name != "base" and not float(value) > 0]
    if wrong:
        option = wrong[0].replace("_", "-")
        raise typer.BadParameter("must be positive / 正の数です。", param_hint=f"--{option}")
    settings = dataclasses.replace(load_settings(), **limits)  # type: ignore[arg-type]
    # Taken before the build, so that a port in use is known at once.
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise ReleaseError(
            f"cannot listen at {host}:{port}: {error.strerror}; choose another with --port"
            f" / {host}:{port} を使えません。--port で別の番号を指定してください。"
        ) from error
    with listener, tempfile.TemporaryDirectory(prefix="digiden-kg-") as folder:
        pointer = None
        if data:

            def find() -> Release:
                fresh = Path(tempfile.mkdtemp(dir=folder))
                return draft([*data, *(files or [])], fresh, base=settings.base)

            served = find()
        elif release:

            def find() -> Release:
                return _whole(open_release(release))

            served = find()
        else:
            pointer = pointer_of(settings.out_dir)

            def find() -> Release:
                return _whole(current_release(settings.out_dir))

            served = _whole(_fresh(settings))
        _serve(served, settings, listener, find, pointer)


def _whole(found: Release) -> Release:
    """Return a release whose dataset is what was written.

    Raises:
        ReleaseError: It is damaged or cannot be read.
    """
    try:
        checksum = sha256(found.dataset)
    except OSError as error:
        raise ReleaseError(
            f"{found.dataset} cannot be read: {error.strerror} / 読み込めません。"
        ) from error
    if checksum != found.manifest["outputs"][DATASET]:
        raise ReleaseError(
            f"{found.dataset} is damaged; make it again with: digiden-kg build"
            f" / {found.dataset} が壊れています。digiden-kg build で作り直してください。"
        )
    return found


def _serve(
    served: Release,
    settings: Settings,
    listener: socket.socket,
    find: Callable[[], Release],
    pointer: Path | None,
) -> None:
    """Serve a release until somebody ends it.

    Raises:
        ReleaseError: It cannot be served.
    """
    from digiden_kg.engine.generation import launch  # noqa: PLC0415

    # The release is loaded while the application is; what is wrong there is told when that starts.
    launched = None
    with contextlib.suppress(OSError):
        launched = launch(served.dataset, in_memory=settings.in_memory, memory=settings.memory)

    import uvicorn  # noqa: PLC0415

    from digiden_kg.web.app import create_app  # noqa: PLC0415
    from digiden_kg.web.protocol import Protocol  # noqa: PLC0415
    from digiden_kg.web.site import ANY_EXAMPLE, EXAMPLE  # noqa: PLC0415

    if served.is_draft:
        count, files = served.counts["triples"], len(served.manifest["files"])
        print(f"{count:,} statements of {files} files / 文 {count:,}、ファイル {files}")
    else:
        _print_summary(served)
    address = "http://{}:{}".format(*listener.getsockname()[:2])
    print(f"serving / 公開中: {address}")
    print(f"SPARQL: {address}/sparql   for example / 例:")
    print(f"  curl -H 'Accept: text/csv' {address}/sparql \\")
    example = ANY_EXAMPLE if served.is_draft else EXAMPLE
    query_text = " ".join(example.split()).replace("'", "'\\''")
    print(f"    --data-urlencode '{'query=' + query_text}'", flush=True)
    application = create_app(served, settings, find=find, pointer=pointer, launched=launched)
    # An answer that is cut on purpose is no mistake of the application; the access log has it.
    # Why the start failed is said below, without a traceback.
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: (
            "without completing response" not in record.getMessage()
            and application.state.failure is None
        )
    )
    # What is noted of requests is the application's own; uvicorn would prepare lines of its log.
    config = uvicorn.Config(
        application, http=Protocol, log_level="warning", access_log=False, lifespan="on"
    )
    server = uvicorn.Server(config)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn has shut down by then
        pass
    except SystemExit:
        if server.started:
            raise
    if not server.started:
        reason = application.state.failure
        raise ReleaseError(f"{served.path} cannot be served: {reason} / 公開できません。")


def _fresh(settings: Settings) -> Release:
    """Return the current release, or a new one where there is none or the inputs have changed."""
    from digiden_kg.build import input_hashes  # noqa: PLC0415

    try:
        release = current_release(settings.out_dir)
    except ReleaseError:
        return _build(settings)[0]
    if release.manifest.get("inputs") != input_hashes(settings):
        return _build(settings)[0]
    return release
