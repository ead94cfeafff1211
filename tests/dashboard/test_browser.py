"""The whole story in a real browser: the first link, a comment, its preview, keeping it and taking it back."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from console_process import Console

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip(f"no browser at {CHROMIUM}", allow_module_level=True)
sync_playwright = pytest.importorskip("playwright.sync_api", reason="the extra `dev` brings playwright").sync_playwright

SLOW = 120_000  # milliseconds until a page that does not come is given up; nothing here is measured
WIDTHS = [1280, 390]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


class Visitor:
    """One page of a browser, and what went wrong in it: errors of scripts, and whatever it asked other machines for."""

    def __init__(self, page: Any, console: Console) -> None:
        self.page, self.address, self.wrong = page, console.address, []
        page.set_default_timeout(SLOW)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", self._note)

    def _note(self, request: Any) -> None:
        own = (self.address, self.address.replace("http", "ws"), "data:", "blob:")
        if not request.url.startswith(own):
            self.wrong.append(request.url)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}", wait_until="commit")
        self.page.get_by_role("heading", level=1).wait_for()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def titles(self, side: str) -> list[str]:
        """What a list shows, in its order."""
        return list(self.page.locator(f".slopes .{side} .title").all_text_contents())

    def until(self, words: str) -> None:
        self.page.get_by_text(words).first.wait_for()


@pytest.fixture
def visitor(browser: Any, first_console: Console) -> Iterator[Callable[[int], Visitor]]:
    contexts = []

    def visit(width: int) -> Visitor:
        context = browser.new_context(viewport={"width": width, "height": 900}, locale="en-GB")
        contexts.append(context)
        return Visitor(context.new_page(), first_console)

    yield visit
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_comment_is_previewed_kept_and_taken_back(visitor: Callable[[int], Visitor], width: int, tmp_path: Path) -> None:
    at = visitor(width)
    at.open(f"/console/?user=reader-{width}")
    at.page.locator(".slopes .after .title").first.wait_for()
    first = at.titles("after")
    assert first and not at.titles("before")[1:] or at.page.locator(".slopes.single").count() == 1
    at.page.get_by_label("What the user says").fill("no more even ones please")
    at.press("Preview")
    at.until("nothing is stored yet")
    at.page.locator(".slopes:not(.single)").wait_for()
    assert at.titles("before") == first and at.titles("after") != first
    assert at.page.get_by_role("switch").count() >= 1
    assert at.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page is wider than the window"
    at.page.screenshot(path=tmp_path / f"respond-{width}.png")
    changed = at.titles("after")

    at.page.get_by_role("switch").first.click()
    at.until("cannot be kept")
    at.page.locator('[role=switch][aria-checked="false"]').wait_for()
    at.page.get_by_role("switch").first.click()
    at.until("nothing is stored yet")

    at.press("Keep it")
    at.until("next list is this one")
    assert at.titles("after") == changed
    at.press("Undo")
    at.until("earlier list is back")
    assert at.titles("after") == first
    assert at.wrong == []


def test_words_of_others_run_nothing_and_load_nothing(visitor: Callable[[int], Visitor]) -> None:
    at = visitor(1280)
    at.open("/console/?user=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    at.page.get_by_label("What the user says").fill("![](http://x/y.png) <img src=x onerror=alert(1)> no more even ones")
    at.press("Preview")
    at.until("nothing is stored yet")
    at.press("Keep it")
    at.until("next list is this one")
    assert at.page.locator("img[src='x'], img[src^='http://x']").count() == 0
    assert at.wrong == []
    policy = at.page.request.get(f"{at.address}/console/").headers["content-security-policy"]
    assert "img-src 'self' data: blob:;" in policy and "default-src 'self'" in policy


def test_the_first_link_opens_the_console_for_an_admin_once(
    visitor: Callable[[int], Visitor], first_console: Console
) -> None:  # the last test: it makes an account, and so ends the first start
    at = visitor(1280)
    link = first_console.link or ""
    at.open(link.removeprefix(first_console.address))
    assert at.page.url.startswith(f"{at.address}/console/")
    at.page.get_by_role("link", name=re.compile("Admin")).click()
    at.until("No account yet.")
    assert visitor(1280).page.goto(link).status == 403
    password = "correct horse battery"
    made = at.page.request.post(
        f"{at.address}/v1/accounts",
        data={"name": "ada", "password": password, "role": "admin"},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert made.ok
    other = visitor(1280)
    assert other.page.goto(f"{at.address}/console/").status == 401
    other.page.locator("#name").fill("ada")
    other.page.locator("#password").fill(password)
    other.press("Sign in · 登录")
    other.until("account:ada")
    other.press("Sign out")
    other.page.locator("#password").wait_for()
