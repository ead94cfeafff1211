"""Services to test: real applications over the checkerboard's bundle and a real database."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.store import Database

ADDRESS = "http://127.0.0.1:8000"


def visitor(app: FastAPI, **options: Any) -> TestClient:
    """A program on the service's own machine."""
    return TestClient(app, base_url=ADDRESS, client=("127.0.0.1", 50000), raise_server_exceptions=False, **options)


@pytest.fixture
def service(bundle: Bundle, database: Database) -> Iterator[TestClient]:
    """On SQLite, and on PostgreSQL."""
    with visitor(create_app(bundle.path, database=database)) as client:
        yield client


@pytest.fixture(scope="module")
def shared_service(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One on SQLite for a whole file of tests, which each speak for users of their own."""
    database = f"sqlite:///{tmp_path_factory.mktemp('service') / 'log.db'}"
    with visitor(create_app(bundle.path, database=database)) as client:
        yield client
