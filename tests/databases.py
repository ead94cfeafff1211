"""Databases to test the log on: SQLite always, PostgreSQL where `initdb` is on the machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from recbole_llmfb.evaluation.serving import postgresql
from recbole_llmfb.serving.store import Database

KINDS = ("sqlite", "postgresql")
NewUrl = Callable[[str], str]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    programs = postgresql.programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql): its half of these tests is left out")
    with postgresql.server(programs) as server:
        yield server


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewUrl:
    """Makes addresses of empty databases of a kind."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / uuid4().hex}.db"
        server: postgresql.Server = request.getfixturevalue("postgresql_server")
        return server.new_url()

    return make


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, new_url: NewUrl) -> str:
    return new_url(request.param)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()
