"""The whole story in a real browser: a comment, its preview, keeping it and taking it back; every page, without barriers."""

import re
from pathlib import Path

import pytest
from browsing import Visit
from console_process import Console, started

from dashboard.words import Language, word
from recbole_llmfb import Client, Feedback
from recbole_llmfb.bundle import Bundle

PAGES = ["respond", "users", "feedback", "catalogue", "models", "jobs", "service"]
LOCALES: dict[Language, str] = {"en": "en-GB", "zh": "zh-CN"}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_comment_is_previewed_kept_and_taken_back(
    visitor: Visit, first_console: Console, width: int, language: Language
) -> None:
    at = visitor(first_console.address, width, LOCALES[language])

    def say(name: str) -> str:
        return word(name, language)

    at.open(f"/console/?user=reader-{width}-{language}")
    at.page.locator(".slopes.single .after .title").first.wait_for()
    first = at.titles("after")
    assert len(first) == 10
    assert not at.page.locator(".slopes .before").is_visible()
    at.page.get_by_label(say("comment_label")).fill("no more even ones please")
    at.press(say("preview"))
    at.until(say("preview_state"))
    at.page.locator(".slopes:not(.single)").wait_for()
    changed = at.titles("after")
    assert at.titles("before") == first and changed != first
    assert at.page.get_by_role("switch").count() == 1
    assert at.is_within_the_window()
    assert at.barriers() == []

    at.page.get_by_role("switch").click()
    at.until(say("counterfactual"))
    at.page.locator('[role=switch][aria-checked="false"]').wait_for()
    at.page.get_by_role("switch").click()
    at.until(say("preview_state"))

    at.press(say("keep"))
    at.until(say("kept_state"))
    assert at.titles("after") == changed
    at.press(say("undo"))
    at.until(say("undone_state"))
    assert at.titles("after") == first
    assert at.wrong == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_no_page_keeps_anybody_out(visitor: Visit, first_console: Console, colours: str) -> None:
    with Client(first_console.address) as client:
        client.respond(Feedback("somebody", text="no more even ones"))
        client.respond(Feedback("somebody", rating=5, item="stone-1"))
    at = visitor(first_console.address, color_scheme=colours)
    barriers = {}
    for name in PAGES:
        path = "" if name == "respond" else name
        at.open(f"/console/{path}?user=somebody")
        barriers[name] = at.barriers()
        assert at.is_within_the_window(), name
    assert barriers == dict.fromkeys(PAGES, [])
    assert at.wrong == []


def test_words_of_others_run_nothing_and_load_nothing(visitor: Visit, first_console: Console) -> None:
    at = visitor(first_console.address)
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


def test_what_is_longer_than_can_be_said_cannot_be_typed(visitor: Visit, first_console: Console) -> None:
    at = visitor(first_console.address)
    at.open("/console/?user=talker")
    said = at.page.get_by_label("What the user says")
    said.fill("x" * 2000)
    said.press_sequentially("y")
    assert said.input_value() == "x" * 2000


def test_the_first_link_opens_the_console_for_an_admin_once(visitor: Visit, bundle: Bundle, tmp_path: Path) -> None:
    with started(bundle.path, tmp_path) as console:  # its own: it makes an account, and so ends the first start
        at = visitor(console.address)
        link = console.link or ""
        at.open(link.removeprefix(console.address))
        assert at.page.url.startswith(f"{console.address}/console/")
        at.page.get_by_role("link", name=re.compile("Admin")).click()
        at.until("No account yet.")
        at.settle()
        assert at.barriers() == []
        assert visitor(console.address).page.goto(link).status == 403
        password = "correct horse battery"
        made = at.page.request.post(
            f"{console.address}/v1/accounts",
            data={"name": "ada", "password": password, "role": "admin"},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert made.ok
        other = visitor(console.address)
        assert other.page.goto(f"{console.address}/console/").status == 401
        assert other.barriers() == []
        other.page.locator("#name").fill("ada")
        other.page.locator("#password").fill(password)
        other.press("Sign in · 登录")
        other.until("account:ada")
        other.press("Sign out")
        other.page.locator("#password").wait_for()
