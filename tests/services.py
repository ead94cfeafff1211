"""Services to test: real applications over the checkerboard's bundle and a real database."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.serving.service import create_app
from recbole_llmfb.serving.store import Database


@pytest.fixture
def service(bundle: Bundle, database: Database) -> Iterator[TestClient]:
    """On SQLite, and on PostgreSQL."""
    with TestClient(create_app(bundle.path, database=database), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def shared_service(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One on SQLite for a whole file of tests, which each speak for users of their own."""
    database = f"sqlite:///{tmp_path_factory.mktemp('service') / 'log.db'}"
    with TestClient(create_app(bundle.path, database=database), raise_server_exceptions=False) as client:
        yield client
