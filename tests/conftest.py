"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyoxigraph import RdfFormat, Store

from digiden_kg.questions import Question, load_question
from digiden_kg.register import Register, load_register

DATA = Path(__file__).parent / "data"
PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def register() -> Register:
    """The register of the project."""
    return load_register(PROJECT / "data" / "register")


@pytest.fixture(scope="session")
def tiny_store() -> Store:
    """A few bodies, projects and statistics of the source; for reading only."""
    store = Store()
    store.bulk_load(path=DATA / "tiny.nq", format=RdfFormat.N_QUADS)
    return store


@pytest.fixture(scope="session")
def project_question() -> Question:
    """A question with a parameter of each kind."""
    return load_question(DATA / "questions" / "projects-of-a-body.rq")
