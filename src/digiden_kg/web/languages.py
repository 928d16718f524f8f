"""Templates in one language each: what is said in two is decided when a template is compiled.

A template says ``{{ say("日本語", "English") }}``. Most of a page is such words, so it saves
much to choose them once for each language rather than once for each page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, nodes, select_autoescape
from jinja2.visitor import NodeTransformer

from digiden_kg.web import wording


def environments(languages: Sequence[str]) -> Mapping[str, Environment]:
    """Return the templates of the web in each language, given in the order of ``say``."""
    return {language: _Spoken(language, place) for place, language in enumerate(languages)}


class _Spoken(Environment):
    """Templates that speak one language."""

    def __init__(self, language: str, place: int) -> None:
        super().__init__(
            loader=PackageLoader("digiden_kg.web"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.filters.update(wording.filters())
        self._choice = _Choice(language, place)

    def _generate(self, source: nodes.Template, *given: Any, **named: Any) -> str:
        self._choice.visit(source)
        return super()._generate(source, *given, **named)


class _Choice(NodeTransformer):
    """Puts the words of one language where a template offers those of both."""

    def __init__(self, language: str, place: int) -> None:
        self._language, self._place = language, place

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 -- named by jinja2
        """Choose between the two that ``say`` is given."""
        self.generic_visit(node)
        if isinstance(node.node, nodes.Name) and node.node.name == "say" and len(node.args) == 2:
            return node.args[self._place]
        return node

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802
        """Know the language."""
        if node.name == "language" and node.ctx == "load":
            return nodes.Const(self._language).set_lineno(node.lineno)
        return node
