"""Every page as the documentation shows it.

    LLMFB_PICTURES=docs/console LLMFB_PICTURES_BUNDLE=saved/ml-100k python -m pytest tests/dashboard/test_pictures.py

writes the pictures of `docs/console.md`, of that bundle; without the variables they are made of the tests' own and thrown away.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Visit
from console_process import PASSWORD, Console, started

from recbole_llmfb import Client, Feedback

WANTED = os.environ.get("LLMFB_PICTURES")
PAGES = ["users", "feedback", "catalogue", "models", "jobs", "service", "admin"]
SAID = ["no more horror please, something funny", "it is all too dark", "I love romance from the 1990s", "less violence"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = Path(WANTED or tmp_path_factory.mktemp("pictures"))
    found.mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Over the bundle that is asked for, or the console that other tests have."""
    path = os.environ.get("LLMFB_PICTURES_BUNDLE")
    if not path:
        yield request.getfixturevalue("console")
        return
    with started(Path(path), tmp_path_factory.mktemp("served"), ada="admin") as running:
        yield running


def signed_in(visitor: Visit, console: Console) -> tuple[Any, Client]:
    """A window of an admin's, and the client of the same session, by which some users have said something."""
    with Client(console.address) as client:
        token = client.login("ada", PASSWORD)
    client = Client(console.address, session=token)
    for user, text in zip(("196", "13", "196", "22"), SAID, strict=True):
        slate = client.recommend(user)
        client.respond(Feedback(user, text=text, slate=slate.id))
        client.respond(Feedback(user, rating=4, item=slate.items[0].item))
    at = visitor(console.address)
    at.page.context.add_cookies([{"name": "llmfb_session", "value": token, "url": console.address}])
    return at, client


def test_each_page_has_its_picture(visitor: Visit, served: Console, folder: Path) -> None:
    at, client = signed_in(visitor, served)
    with client:
        at.open("/console/?user=200")
        at.page.get_by_label("What the user says").fill("it is all too dark, I want something funny. no more horror")
        at.press("Preview")
        at.until("nothing is stored yet")
        take(at, folder / "respond.png", 1500)
        for name in PAGES:
            at.open(f"/console/{name}?users_user=196")
            if name == "catalogue":
                choose_first_row(at)
            take(at, folder / f"{name}.png", 1300 if name != "service" else 900)
    made = {path.stem for path in folder.glob("*.png")}
    assert made >= {"respond", *PAGES}
    assert at.wrong == []


def choose_first_row(at: Any) -> None:
    """Rows of a table are drawn, not written: the first one's box is where it always is."""
    box = at.page.get_by_test_id("stDataFrame").first.bounding_box()
    at.page.mouse.click(box["x"] + 16, box["y"] + 52)
    at.until("Nearest by text")
    at.settle()


def take(at: Any, file: Path, height: int) -> None:
    at.settle()
    at.page.set_viewport_size({"width": 1280, "height": height})
    if WANTED:
        at.page.wait_for_timeout(1000)  # charts glide to their new size
    at.page.screenshot(path=file, animations="disabled")
