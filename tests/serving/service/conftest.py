"""A real application over the checkerboard's bundle and a real database."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.serving.service import create_app
from recbole_llmfb.serving.store import Database

NewClient = Callable[..., TestClient]


@pytest.fixture
def service(bundle: Bundle, database: Database) -> Iterator[TestClient]:
    """Of SQLite and of PostgreSQL; errors that nobody foresaw are raised here by no one, but answered with 500."""
    with TestClient(create_app(bundle.path, database=database), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def shared(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One on SQLite for a whole file of tests, which each speak for users of their own."""
    database = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'log.db'}"
    with TestClient(create_app(bundle.path, database=database), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def root(bundle: Bundle) -> Path:
    """The folder of versions."""
    return bundle.path.parent
