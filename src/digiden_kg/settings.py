"""Settings: the only reader of environment variables, and the only one who knows where files are.

The ontology, shapes, queries and tables are found in the current folder when it is a checkout of
the project, else beside this source tree, else in the copy that the wheel carries.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from digiden_kg.exceptions import SettingsError

DEFAULT_BASE = "https://w3id.org/digiden/"
_PARTS = ("ontology", "shapes", "queries", "data")
_IRI = r"[^\s<>\"{}|\\^`#]"
ADDRESS = re.compile(rf"https?://(?:(?![/?@]){_IRI})+(?:/(?:(?!\?){_IRI})*)?")
"""What the address of a site looks like."""
_CONTACT = re.compile(
    rf"mailto:(?:(?![@?,]){_IRI})+@(?:(?![@?,/]){_IRI})+(?:\?{_IRI}*)?"
    rf"|https://(?:(?![/?@]){_IRI})+(?:[/?]{_IRI}*)?(?:#{_IRI}*)?"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are, and the limits of the endpoint."""

    project_dir: Path
    """Folder that holds ``ontology/``, ``shapes/``, ``queries/`` and ``data/``."""
    out_dir: Path
    """Folder of the releases and of the pointer ``current``."""
    base: str
    """Base IRI of everything that we mint; ends in a slash."""
    deadline: float
    """Seconds that a query of the endpoint may take."""
    workers: int
    """Queries that are evaluated at a time; one process each."""
    memory: int = 1 << 30
    """Bytes of memory that a query may use."""
    max_rows: int = 2_000_000
    """Rows that a result may have."""
    max_bytes: int = 256 << 20
    """Bytes that a result may have."""
    queue: int = 128
    """Queries that may wait, in each lane."""
    quick: float = 0.15
    """Seconds of processor time after which a query leaves the quick lane."""
    slow: int | None = None
    """Queries that the slow lane evaluates at a time; one fewer than ``workers`` unless given."""
    in_memory: int = 5_000_000
    """Statements up to which a dataset is held in memory; a larger one is read from disk."""
    cache: int = 64
    """MiB of answers that are kept; 0 keeps none."""
    log: str = "-"
    """File of the access log, ``-`` for standard error, ``off`` for none."""
    metrics: str = "local"
    """Who may read ``/metrics``: ``local`` (this machine), ``all`` or ``off``."""
    admin: Path | None = None
    """UNIX socket at which a new release can be announced; None for none."""
    public_url: str | None = None
    """Address at which the public reaches the site, without a slash at the end; None: as asked."""
    dumps: str = "start"
    """When a server writes the dumps that are not there: at the ``start``, or when ``asked``."""
    federation: tuple[str, ...] = ()
    """Endpoints that queries may ask with ``SERVICE``; none unless given."""
    contact: str | None = None
    """Whom to ask about the data (``mailto:`` or ``https:``), for its descriptions."""
    unread: tuple[str, ...] = ()
    """What is wrong with settings that could not be read and are as if they were not given."""

    def checked(self) -> Settings:
        """Return these settings, if those that say where, whom and when can be true.

        Raises:
            SettingsError: An address or a contact is none, a number is none, or a word is unknown.
        """
        if self.unread:
            raise SettingsError("; ".join(self.unread))
        if self.public_url is not None and not ADDRESS.fullmatch(self.public_url):
            raise SettingsError(
                f"DIGIDEN_PUBLIC_URL is {self.public_url!r}, which is no address of a site; write"
                " https://example.org or http://… / DIGIDEN_PUBLIC_URL には公開するアドレスを"
                " https://example.org の形で書いてください。"
            )
        if self.contact is not None and not _CONTACT.fullmatch(self.contact):
            raise SettingsError(
                f"DIGIDEN_CONTACT is {self.contact!r}, where nobody can be asked; write"
                " mailto:name@example.org or https://example.org/contact / DIGIDEN_CONTACT には"
                "問い合わせ先を mailto:name@example.org か https://example.org/contact の形で"
                "書いてください。"
            )
        for endpoint in self.federation:
            if not ADDRESS.fullmatch(endpoint):
                raise SettingsError(
                    f"DIGIDEN_FEDERATION has {endpoint!r}, which is no address; write the addresses"
                    " of endpoints with spaces between them / DIGIDEN_FEDERATION には接続先の"
                    "アドレスを空白で区切って書いてください。"
                )
        if self.dumps not in ("start", "asked"):
            raise SettingsError(
                f"DIGIDEN_DUMPS is {self.dumps!r}; write start or asked"
                " / DIGIDEN_DUMPS は start か asked です。"
            )
        return self

    @property
    def ontology_dir(self) -> Path:
        """Folder of the ontology, its alignments and examples."""
        return self.project_dir / "ontology"

    @property
    def shapes_dir(self) -> Path:
        """Folder of the SHACL shapes."""
        return self.project_dir / "shapes"

    @property
    def queries_dir(self) -> Path:
        """Folder of the saved questions, checks and derivations."""
        return self.project_dir / "queries"

    @property
    def data_dir(self) -> Path:
        """Folder of the tables, code lists and register."""
        return self.project_dir / "data"


def _is_project(folder: Path) -> bool:
    return all((folder / part).is_dir() for part in _PARTS)


def _find_project() -> Path:
    here = Path(__file__).resolve().parent
    for folder in (Path.cwd(), here.parent.parent, here / "project"):
        if _is_project(folder):
            return folder
    return Path.cwd()


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Return the settings of this process.

    Each ``DIGIDEN_…`` variable overrides one default; the README lists them.
    """
    env = os.environ
    project = env.get("DIGIDEN_PROJECT")
    base = env.get("DIGIDEN_BASE", DEFAULT_BASE)
    unread: list[str] = []

    def number(name: str, default: float) -> float:
        text = env.get(name) or str(default)
        if re.fullmatch(r"[0-9]+" if isinstance(default, int) else r"[0-9]+(\.[0-9]+)?", text):
            return float(text)
        unread.append(
            f"{name} is {text!r}; write a number such as {default}"
            f" / {name} には {default} のような数を書いてください。"
        )
        return default

    def count(name: str, default: int) -> int:
        return int(number(name, default))

    return Settings(
        project_dir=Path(project) if project else _find_project(),
        out_dir=Path(env.get("DIGIDEN_OUT", "build")),
        base=base if base.endswith("/") else base + "/",
        deadline=number("DIGIDEN_DEADLINE", 10.0),
        workers=count("DIGIDEN_WORKERS", min(4, os.cpu_count() or 1)),
        memory=count("DIGIDEN_MEMORY", 1024) << 20,
        max_rows=count("DIGIDEN_MAX_ROWS", 2_000_000),
        max_bytes=count("DIGIDEN_MAX_BYTES", 256) << 20,
        queue=count("DIGIDEN_QUEUE", 128),
        quick=number("DIGIDEN_QUICK", 0.15),
        slow=count("DIGIDEN_SLOW", 1) if env.get("DIGIDEN_SLOW") else None,
        in_memory=count("DIGIDEN_IN_MEMORY", 5_000_000),
        cache=count("DIGIDEN_CACHE", 64),
        log=env.get("DIGIDEN_LOG", "-"),
        metrics=env.get("DIGIDEN_METRICS", "local"),
        admin=Path(env["DIGIDEN_ADMIN"]) if env.get("DIGIDEN_ADMIN") else None,
        public_url=env.get("DIGIDEN_PUBLIC_URL", "").rstrip("/") or None,
        dumps=env.get("DIGIDEN_DUMPS", "start"),
        federation=tuple(env.get("DIGIDEN_FEDERATION", "").split()),
        contact=env.get("DIGIDEN_CONTACT") or None,
        unread=tuple(unread),
    )
