"""Imports go one way: a module uses only what stands above it in the flow."""

import ast
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "digiden_kg"
FLOW = [
    *("exceptions", "settings", "vocab", "normalize", "register", "tables", "mapping", "syntax"),
    *(
        "ontology",
        "report",
        "validate",
        "release",
        "results",
        "questions",
        "search",
        "describe",
        "metadata",
        "build",
        "export",
        "matching",
        "profiles",
        "builder",
        "network",
        "flat",
        "dumps",
        "engine",
        "web",
        "publish",
        "cli",
    ),
    "__main__",
]


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("digiden_kg"):
            rest = (node.module or "").split(".")[1:]
            names |= {rest[0]} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("digiden_kg.")
            }
    return names


def test_every_module_has_its_place_and_imports_only_from_above() -> None:
    modules = sorted(p for p in SRC.rglob("*.py") if p != SRC / "__init__.py")
    assert len(modules) >= 12
    for path in modules:
        name = path.relative_to(SRC).parts[0].removesuffix(".py")
        assert name in FLOW, f"{name} has no place in the flow"
        below = {other for other in imports(path) if FLOW.index(other) > FLOW.index(name)}
        assert not below, f"{path.name} imports {below}, which come later in the flow"
