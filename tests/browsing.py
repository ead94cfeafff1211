"""A real browser at a console: what a visitor does there, and what goes wrong on the way."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
SLOW = 120_000  # milliseconds until a page that does not come is given up; nothing here is measured
SERIOUS = frozenset(("serious", "critical"))  # as axe-core weighs what it finds


@pytest.fixture(scope="module")  # playwright keeps an event loop in this thread while it runs, and others need theirs
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    sync_api = pytest.importorskip("playwright.sync_api", reason="the extra `dev` brings playwright")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


class Visitor:
    """One page of a browser, and what went wrong in it: errors of scripts, and whatever it asked other machines for."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address, self.wrong = page, address, list[str]()
        page.set_default_timeout(SLOW)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", self._note)

    def _note(self, request: Any) -> None:
        own = (self.address, self.address.replace("http", "ws"), "data:", "blob:")
        if not request.url.startswith(own):
            self.wrong.append(request.url)

    def open(self, path: str) -> None:
        """Go there, and wait until a page of the console is drawn to its end."""
        self.page.goto(f"{self.address}{path}", wait_until="commit")
        self.page.get_by_role("heading", level=1).wait_for()
        self.settle()

    def settle(self) -> None:
        """Wait until the console has nothing more to draw."""
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        self.page.wait_for_function("() => !document.querySelector('[data-stale=true], [data-testid=stSkeleton]')")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def titles(self, side: str) -> list[str]:
        """What a list shows, in its order."""
        return list(self.page.locator(f".slopes .{side} .title").all_text_contents())

    def until(self, words: str) -> None:
        self.page.get_by_text(words).first.wait_for()

    def is_within_the_window(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))

    def barriers(self) -> list[str]:
        """What axe-core finds that keeps people out, one line each."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra `dev` brings axe-core").Axe()
        found = axe.run(self.page).response["violations"]
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:160]}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]


Visit = Callable[..., Visitor]


@pytest.fixture
def visitor(browser: Any) -> Iterator[Visit]:
    """Opens a new window of an address, `width` pixels wide, in English or Chinese, light or dark."""
    contexts = []

    def visit(address: str, width: int = 1280, locale: str = "en-GB", **options: Any) -> Visitor:
        context = browser.new_context(viewport={"width": width, "height": 900}, locale=locale, **options)
        contexts.append(context)
        return Visitor(context.new_page(), address)

    yield visit
    for context in contexts:
        context.close()
