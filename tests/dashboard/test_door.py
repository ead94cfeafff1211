"""Who is not let in is told why, in the gate's own words."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.serving.access import Principal
from recbole_llmfb.serving.service.app import create_app

pytest.importorskip("streamlit", reason="the extra `console` is not installed")

from recbole_llmfb.console.mounting import with_console  # noqa: E402

PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def mounted(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMFB_CONSOLE", "")  # which mounting changes
        yield with_console(create_app(bundle.path, database=f"sqlite:///{tmp_path_factory.mktemp('door') / 'log.db'}"))


def visitor(app: FastAPI, host: str = "127.0.0.1", peer: str = "127.0.0.1") -> TestClient:
    return TestClient(app, base_url=f"http://{host}:8000", client=(peer, 50000))


@pytest.mark.parametrize(("host", "peer"), [("evil.example", "127.0.0.1"), ("127.0.0.1", "192.0.2.7")])
def test_at_first_start_another_machine_is_told_what_is_missing(mounted: FastAPI, host: str, peer: str) -> None:
    answer = visitor(mounted, host, peer).get("/console/", headers=PAGE)
    assert answer.status_code == 403
    assert "until a key is configured, only this machine&#x27;s own user may ask" in answer.text
    assert "account of an operator" not in answer.text


def test_a_key_that_does_not_reach_the_console_is_told_so(mounted: FastAPI) -> None:
    key = mounted.state.service.access.keys.create(Principal("test", "admin"), "<i>of ada</i>", "user", "ada").key
    answer = visitor(mounted).get("/console/", headers={**PAGE, "X-API-Key": key})
    assert answer.status_code == 403 and "this needs the scope &#x27;operator&#x27;" in answer.text
    assert "<i>" not in answer.text
    stranger = visitor(mounted).get("/console/", headers=PAGE)
    assert stranger.status_code == 401 and "Sign in to see the console" in stranger.text
