"""Every page, run by Streamlit's own test runner against a real service process."""

import socket
from collections.abc import Callable, Iterator

import pytest
from console_process import PASSWORD, ROOT, Console

from recbole_llmfb import Client, Feedback

pytest.importorskip("streamlit", reason="the extra `console` is not installed")

from streamlit.testing.v1 import AppTest  # noqa: E402

HOSTILE = ["![](http://x)", "<img src=x onerror=alert(1)>"]
PAGES = ["respond", "users", "feedback", "catalogue", "models", "jobs", "service"]
Open = Callable[..., AppTest]


@pytest.fixture
def visit(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens the console as one of its accounts, at a page."""
    monkeypatch.setenv("LLMFB_SERVICE_URL", console.address)
    monkeypatch.delenv("LLMFB_CONSOLE", raising=False)
    clients = []

    def visit(name: str | None = "olga", page: str = "respond", **state: object) -> AppTest:
        shown = AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=300)
        shown.session_state["language"] = "English"
        if name is not None:
            client = Client(console.address)
            clients.append(client)
            shown.session_state["session_token"] = client.login(name, PASSWORD)
        for key, value in state.items():
            shown.session_state[key] = value
        shown.run()
        if page != "respond":
            shown.switch_page(f"views/{page}.py").run()
        assert not shown.exception
        return shown

    yield visit
    for client in clients:
        client.close()


def markup(page: AppTest) -> list[str]:
    """Everything on a page that is read as markdown or HTML."""
    kinds = ("markdown", "caption", "title", "header", "subheader", "error", "warning", "info", "success", "html")
    return [str(one.value) for kind in kinds for one in page.get(kind)]


def texts(page: AppTest) -> str:
    return "\n".join(str(one.value) for one in page.text)


def say(page: AppTest, words: str) -> AppTest:
    page.text_area(key="respond_text").set_value(words)
    return page.button(key="respond_preview").click().run()


def shown_items(page: AppTest) -> list[str]:
    return [one.item for one in page.session_state["respond_turn"].shown]


def test_nobody_sees_a_page_before_signing_in(visit: Open) -> None:
    page = visit(None)
    assert [one.label for one in page.text_input] == ["Name", "Password"]
    page.text_input[0].set_value("olga")
    page.text_input[1].set_value("something else")
    page.button[0].click().run()
    assert len(page.error) == 1 and page.title[0].value == "Operator console"
    page.text_input[0].set_value("olga")
    page.text_input[1].set_value(PASSWORD)
    page.button[0].click().run()
    assert page.title[0].value == "Respond" and "account:olga" in texts(page)


def test_a_page_that_a_role_may_not_see_is_not_there(visit: Open) -> None:
    with pytest.raises(ValueError, match="admin"):
        visit("olga").switch_page("views/admin.py")
    page = visit("ada", "admin")
    assert page.title[0].value == "Admin"
    assert set(page.dataframe[0].value["Name"]) == {"ada", "olga"}


@pytest.mark.parametrize("language", ["English", "中文"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_in_both_languages(visit: Open, name: str, language: str) -> None:
    page = visit("olga", name, language=language)
    assert page.title[0].value and not page.error


def test_preview_keep_and_undo(visit: Open, console: Console, new_user: Callable[[], str]) -> None:
    user = new_user()
    page = visit(respond_user=user)
    first = shown_items(page)
    say(page, "no more even ones please")
    assert page.session_state["respond_turn"].stage == "preview"
    previewed = shown_items(page)
    assert previewed != first
    with Client(console.address, session=page.session_state["session_token"]) as client:
        assert client.feedback(user).records == ()
        page.button(key="respond_keep").click().run()
        assert shown_items(page) == previewed
        (record,) = client.feedback(user).records
        assert record.feedback.text == "no more even ones please" and record.standing
        page.button(key="respond_undo").click().run()
        assert shown_items(page) == first
        assert not any(record.standing for record in client.feedback(user).records)
    assert not page.exception and not page.error


def test_a_span_that_is_switched_off_does_not_count(visit: Open, new_user: Callable[[], str]) -> None:
    page = visit(respond_user=new_user())
    first = shown_items(page)
    say(page, "no more even ones please")
    turn = page.session_state["respond_turn"]
    page.session_state[f"respond_spans_{turn.draft.id}_off"] = [list(one.span) for one in turn.reading.signals]
    page.run()
    assert shown_items(page) == first
    assert page.button(key="respond_keep").disabled
    page.session_state[f"respond_spans_{turn.draft.id}_off"] = []
    page.run()
    assert shown_items(page) == [one.item for one in turn.shown]


def test_a_rating_and_a_click_are_previewed_too(visit: Open, new_user: Callable[[], str]) -> None:
    page = visit(respond_user=new_user(), respond_kind="click")
    page.button(key="respond_preview").click().run()
    assert page.session_state["respond_turn"].draft.click
    page = visit(respond_user=new_user(), respond_kind="rating")
    page.slider(key="respond_rating").set_value(1)
    page.button(key="respond_preview").click().run()
    draft = page.session_state["respond_turn"].draft
    assert (draft.rating, draft.item, bool(draft.slate)) == (1, None, True)
    assert not page.exception


def test_three_lists_can_be_pinned_and_stay_as_they_were(visit: Open, new_user: Callable[[], str]) -> None:
    page = visit(respond_user=new_user())
    for _ in range(3):
        page.button(key="respond_pin").click().run()
    pinned = page.session_state["respond_pins"]
    page.button(key="respond_pin").click().run()
    say(page, "no more even ones please")
    assert page.session_state["respond_pins"] == pinned and len(pinned) == 3


@pytest.mark.parametrize("words", HOSTILE)
def test_words_and_ids_of_others_are_never_markup(visit: Open, console: Console, words: str) -> None:
    with Client(console.address, session=visit().session_state["session_token"]) as client:
        client.respond(Feedback(words, text=words))
        client.respond(Feedback(words, click=True, item=words))
    page = say(visit(respond_user=words), f"{words} no more even ones")
    page.button(key="respond_keep").click().run()
    seen = markup(page)
    for name in ("users", "feedback"):
        at = visit("olga", name, **{f"{name}_user": words})
        seen += markup(at)
        assert words in at.dataframe[0].value["Words"].tolist()
    assert seen and not any(words in one for one in seen)


def test_an_error_that_quotes_an_id_is_no_markup_either(visit: Open) -> None:
    page = visit(respond_user="a" * 300 + HOSTILE[0])
    assert len(page.error) == 1 and HOSTILE[0] not in "".join(markup(page))


def test_nothing_to_say_is_said(visit: Open, new_user: Callable[[], str]) -> None:
    page = say(visit(respond_user=new_user()), "   ")
    assert [one.value for one in page.warning] == ["Say something first."]


def test_a_service_that_goes_away_and_comes_back(visit: Open, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LLMFB_SERVICE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        page.run()
        assert "does not answer" in page.error[0].value and not page.exception
    monkeypatch.setenv("LLMFB_SERVICE_URL", console.address)
    page.run()
    assert page.title[0].value == "Respond" and not page.error


def test_a_session_that_is_over_leads_to_the_form(visit: Open, console: Console) -> None:
    page = visit()
    with Client(console.address, session=page.session_state["session_token"]) as client:
        client.logout()
    page.run()
    assert page.title[0].value == "Operator console" and not page.exception


def test_a_user_is_erased_by_typing_the_id(visit: Open, console: Console, new_user: Callable[[], str]) -> None:
    user = new_user()
    with Client(console.address, session=visit().session_state["session_token"]) as client:
        client.respond(Feedback(user, text="no more even ones"))
        page = visit("olga", "users", users_user=user)
        consent = next(one for one in page.text_input if one.label == "The user's id")
        consent.set_value("somebody else")
        next(one for one in page.button if one.label == "Erase this user").click().run()
        assert len(page.error) == 1 and client.feedback(user).records
        consent = next(one for one in page.text_input if one.label == "The user's id")
        consent.set_value(user)
        next(one for one in page.button if one.label == "Erase this user").click().run()
        assert not client.feedback(user).records


def test_an_admin_makes_an_account_and_a_key(visit: Open) -> None:
    page = visit("ada", "admin")
    assert len(page.tabs) == 3
    labels = [one.label for one in page.text_input]
    page.text_input[labels.index("Name")].set_value("new")
    page.text_input[labels.index("Password, 12 characters or more")].set_value("short")
    next(one for one in page.button if one.label == "Make").click().run()
    assert len(page.error) == 1
    page = visit("ada", "admin")
    assert set(page.dataframe[0].value["Name"]) == {"ada", "olga"}
