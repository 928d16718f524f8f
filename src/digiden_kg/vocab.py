"""Namespaces and every IRI that we mint.

Files of the project (Turtle, SPARQL, CSVW) spell the default base; :func:`rebase` moves their text
to the base of the settings, so that nothing else has to know it.
"""

from __future__ import annotations

import functools
import re

from digiden_kg.settings import DEFAULT_BASE, load_settings

BASE = load_settings().base

PREFIXES: dict[str, str] = {
    "dg": f"{BASE}ontology#",
    "dgs": f"{BASE}shapes#",
    "id": f"{BASE}id/",
    "scheme": f"{BASE}scheme/",
    "src": f"{BASE}source/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "org": "http://www.w3.org/ns/org#",
    "prov": "http://www.w3.org/ns/prov#",
    "qb": "http://purl.org/linked-data/cube#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "void": "http://rdfs.org/ns/void#",
    "sd": "http://www.w3.org/ns/sparql-service-description#",
    "sh": "http://www.w3.org/ns/shacl#",
    "schema": "https://schema.org/",
    "vann": "http://purl.org/vocab/vann/",
}

SOURCES = f"{BASE}source/"
EDITORIAL = "editorial"
"""Graph of what we add: labels in English, identifiers, links, inferences, corrections."""
DERIVED = "derived"
"""Graph of what follows from other statements by a rule of ``queries/derive/``."""
REGISTER = "register"
"""Graph of the local governments of Japan."""
ONTOLOGY = "ontology"
"""Graph of the ontology and its alignments."""
SCHEMES = "schemes"
"""Graph of the concept schemes."""
SHAPES = "shapes"
"""Graph of the shapes."""
QUESTIONS = "questions"
"""Graph of the saved questions, which describe themselves."""
CHECKS = "checks"
"""Graph of the findings of a release."""

_CURIE = re.compile(r"([a-z]+):([^\s/].*)?")


@functools.lru_cache(maxsize=4096)
def expand(name: str) -> str:
    """Return the IRI of a prefixed name, of an IRI, or of a path relative to the base.

    Raises:
        KeyError: The prefix is none of ours.
    """
    if "://" in name:
        return name
    match = _CURIE.fullmatch(name)
    if match:
        return PREFIXES[match[1]] + (match[2] or "")
    return BASE + name


@functools.lru_cache(maxsize=4096)
def shorten(iri: str) -> str:
    """Return an IRI as a prefixed name where a prefix fits, else unchanged."""
    best = max(
        (p for p in PREFIXES.items() if iri.startswith(p[1])), key=lambda p: len(p[1]), default=None
    )
    return f"{best[0]}:{iri[len(best[1]) :]}" if best else iri


def source(key: str) -> str:
    """Return the IRI of a source document, passage or graph of ours (``editorial`` …)."""
    return SOURCES + key


def thing(kind: str, key: str) -> str:
    """Return the IRI ``…/id/{kind}/{key}``."""
    return f"{BASE}id/{kind}/{key}"


def dataset(release: str) -> str:
    """Return the IRI of a release."""
    return f"{BASE}dataset/{release}"


def rebase(text: str) -> str:
    """Return text of a project file with the default base replaced by the base of the settings."""
    return text if BASE == DEFAULT_BASE else text.replace(DEFAULT_BASE, BASE)
