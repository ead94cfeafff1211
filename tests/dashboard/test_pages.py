"""Every page, run by Streamlit's own test runner against a real service process."""

import json
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import jwt
import pytest
from console_process import PASSWORD, ROOT, Console, started

from dashboard import responding
from dashboard.metrics_text import parse, total
from dashboard.words import word
from recbole_llmfb import Client, Feedback, ServiceError
from recbole_llmfb.bundle import Bundle

pytest.importorskip("streamlit", reason="the extra `console` is not installed")

from streamlit.testing.v1 import AppTest  # noqa: E402

HOSTILE = ["![](http://x)", "<img src=x onerror=alert(1)>"]
PAGES = ["respond", "users", "feedback", "catalogue", "models", "jobs", "service"]
Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def token(console: Console) -> Callable[[str], str]:
    """The token of an account's session, one for all tests: the service counts who signs in."""

    @cache
    def sign_in(name: str) -> str:
        with Client(console.address) as client:
            return client.login(name, PASSWORD)

    return sign_in


@pytest.fixture
def operator(console: Console, token: Callable[[str], str]) -> Iterator[Client]:
    """What an operator asks beside the pages."""
    with Client(console.address, session=token("olga")) as client:
        yield client


@pytest.fixture
def visit(console: Console, token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the console as one of its accounts, at a page."""
    monkeypatch.setenv("LLMFB_SERVICE_URL", console.address)
    monkeypatch.delenv("LLMFB_CONSOLE", raising=False)

    def visit(name: str | None = "olga", page: str = "respond", **state: object) -> AppTest:
        shown = AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=300)
        shown.session_state["language"] = "English"
        if name is not None:
            shown.session_state["session_token"] = token(name)
        for key, value in state.items():
            shown.session_state[key] = value
        shown.run()
        if page != "respond":
            shown.switch_page(f"views/{page}.py").run()
        assert not shown.exception
        return shown

    return visit


def markup(page: AppTest) -> list[str]:
    """Everything on a page that is read as markdown or HTML."""
    kinds = ("markdown", "caption", "title", "header", "subheader", "error", "warning", "info", "success", "html")
    return [str(one.value) for kind in kinds for one in page.get(kind)]


def texts(page: AppTest) -> str:
    return "\n".join(str(one.value) for one in page.text)


def select_rows(page: AppTest, *rows: int) -> None:
    """Choose rows of the page's first table, as a press on their boxes does."""
    key = page.dataframe[0].key
    page.session_state[key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    page.run()


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
    assert [one.value for one in page.error] == [word("wrong_password", "en")] and page.title[0].value == "Operator console"
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
    assert page.title[0].value == word(name, "zh" if language == "中文" else "en")
    assert not page.error


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


def test_a_second_undo_is_compared_with_the_list_before_it(visit: Open, console: Console, new_user: Callable[[], str]) -> None:
    user = new_user()
    page = visit(respond_user=user)
    lists = [shown_items(page)]
    for words in ("no more even ones please", "I love stones from the 1980s"):
        say(page, words)
        page.button(key="respond_keep").click().run()
        lists.append(shown_items(page))
    assert len({tuple(one) for one in lists}) == 3
    page.button(key="respond_undo").click().run()
    with Client(console.address, session=page.session_state["session_token"]) as client:
        (first,) = (one.feedback.id for one in client.feedback(user).records if one.standing)
        turn = page.session_state["respond_turn"]
        undone = responding.undo(client, turn, first)
    assert [one.item for one in turn.before.items] == lists[2]
    assert [one.item for one in undone.before.items] == [one.item for one in turn.shown] == lists[1]
    assert [one.item for one in undone.shown] == lists[0]


def test_a_preview_is_discarded(visit: Open, console: Console, new_user: Callable[[], str]) -> None:
    user = new_user()
    page = visit(respond_user=user)
    first = shown_items(page)
    say(page, "no more even ones please")
    assert shown_items(page) != first
    page.button(key="respond_discard").click().run()
    assert page.session_state["respond_turn"].stage == "current" and shown_items(page) == first
    with Client(console.address, session=page.session_state["session_token"]) as client:
        assert client.feedback(user).records == ()


def test_a_preview_is_one_request_and_its_summary_is_of_the_list_that_is_shown(
    visit: Open, console: Console, new_user: Callable[[], str]
) -> None:
    page = visit(respond_user=new_user(), respond_k=4)
    with Client(console.address, session=page.session_state["session_token"]) as client:

        def previews() -> float:
            return total(parse(client.metrics()), "llmfb_request_seconds_count", route="/v1/preview")

        before = previews()
        say(page, "no more even ones please")
        assert previews() == before + 1
    turn = page.session_state["respond_turn"]
    with Client(console.address, session=page.session_state["session_token"]) as client:
        assert turn.after.summary == client.preview(turn.draft, 4).summary
    assert {move.beyond for move in turn.comparison.moves if move.after is None} - {None}


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
    assert len(pinned) == 3 and not page.warning
    page.button(key="respond_pin").click().run()
    assert [one.value for one in page.warning] == [word("pins_full", "en")]
    say(page, "no more even ones please")
    assert page.session_state["respond_pins"] == pinned
    assert [one[1] for one in pinned[0].rows] == page.dataframe[0].value["Title"].tolist()
    page.button(key="respond_unpin").click().run()
    assert page.session_state["respond_pins"] == ()


@pytest.mark.parametrize("words", HOSTILE)
def test_words_and_ids_of_others_are_never_markup(visit: Open, operator: Client, words: str) -> None:
    operator.respond(Feedback(words, text=words))
    operator.respond(Feedback(words, click=True, item=words))
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
    assert [one.value for one in page.error] == [word("invalid", "en")] and HOSTILE[0] not in "".join(markup(page))


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


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "http://", "ftp://x", "http://h:port"])
def test_a_service_whose_address_cannot_be_is_told(visit: Open, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    page = visit()
    monkeypatch.setenv("LLMFB_SERVICE_URL", address)
    page.run()
    assert [one.value for one in page.error] == [word("bad_address", "en")] and address in texts(page)


def test_a_client_that_is_replaced_is_closed(visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit()
    first = page.session_state["client"][1]
    monkeypatch.setenv("LLMFB_SERVICE_URL", "http://127.0.0.1:9")
    page.run()
    assert page.session_state["client"][1] is not first
    with pytest.raises(RuntimeError, match="closed"):
        first.me()


def test_a_session_that_is_over_leads_to_the_form(visit: Open, console: Console) -> None:
    with Client(console.address) as client:
        page = visit(session_token=client.login("olga", PASSWORD))
    with Client(console.address, session=page.session_state["session_token"]) as client:
        client.logout()
    page.run()
    assert page.title[0].value == "Operator console" and not page.exception
    assert [one.label for one in page.text_input] == ["Name", "Password"]


def test_a_user_is_erased_by_typing_the_id(visit: Open, operator: Client, new_user: Callable[[], str]) -> None:
    user = new_user()
    operator.respond(Feedback(user, text="no more even ones"))
    page = visit("olga", "users", users_user=user)
    next(one for one in page.button if one.label == "Prepare the export").click().run()
    owner, exported = page.session_state["users_export"]
    assert owner == user and exported == operator.export(user)
    consent = next(one for one in page.text_input if one.label == "The user's id")
    consent.set_value("somebody else")
    next(one for one in page.button if one.label == "Erase this user").click().run()
    assert [one.value for one in page.error] == [word("erase_differs", "en")] and operator.feedback(user).records
    consent = next(one for one in page.text_input if one.label == "The user's id")
    consent.set_value(user)
    next(one for one in page.button if one.label == "Erase this user").click().run()
    assert not operator.feedback(user).records


def test_an_admin_makes_and_disables_an_account(visit: Open) -> None:
    page = visit("ada", "admin")

    def make(password: str) -> None:
        labels = [one.label for one in page.text_input]
        page.text_input[labels.index("Name")].set_value("nora")
        page.text_input[labels.index("Password, 12 characters or more")].set_value(password)
        next(one for one in page.button if one.label == "Make").click().run()

    make("short")
    assert [one.value for one in page.error] == [word("invalid", "en")]
    assert "nora" not in page.dataframe[0].value["Name"].tolist()
    make(PASSWORD)
    assert not page.error and "nora" in page.dataframe[0].value["Name"].tolist()
    assert visit("nora").title[0].value == "Respond"
    page.selectbox(key="admin_which").set_value("nora").run()
    page.button(key="admin_switch").click().run()
    accounts = page.dataframe[0].value.set_index("Name")
    assert accounts["Disabled"].notna().to_dict()["nora"]


def test_an_admin_makes_a_key_that_is_shown_once_and_revokes_it(visit: Open, console: Console) -> None:
    page = visit("ada", "admin")
    names = [one for one in page.text_input if one.label == "Name"]
    names[1].set_value("of a shop")
    [one for one in page.button if one.label == "Make"][1].click().run()
    (secret,) = (one.value for one in page.code)
    with Client(console.address, key=secret) as client:
        assert client.me().scope == "operator"
        page.run()
        assert not page.code
        page.button(key="admin_revoke").click().run()
        with pytest.raises(ServiceError, match="revoked"):
            client.me()
    assert {"key.create", "key.revoke"} <= set(page.dataframe[-1].value["What"])


def test_a_list_that_is_cut_says_so_and_goes_on(visit: Open, operator: Client, new_user: Callable[[], str]) -> None:
    user = new_user()
    for start in (0, 50, 100):
        operator.respond([Feedback(user, text=f"hello {start + n}") for n in range(50)])
    page = visit("olga", "feedback", feedback_user=user)
    assert len(page.dataframe[0].value) == 100 and f"{word('cut', 'en')} 100" in markup(page)
    page.button(key="feedback_more").click().run()
    assert len(page.dataframe[0].value) == 150 and not any(one.key == "feedback_more" for one in page.button)
    page.text_input(key="contains").set_value("HELLO 7").run()
    assert set(page.dataframe[0].value["Words"]) == {"hello 7", *(f"hello 7{n}" for n in range(10))}


def test_filters_are_the_services_and_everybodys_feedback_is_listed(
    visit: Open, operator: Client, new_user: Callable[[], str]
) -> None:
    one, other = new_user(), new_user()
    operator.respond(Feedback(one, text="no more even ones", id=f"{one}-no"))
    operator.respond(Feedback(other, text="I love odd stones"))
    operator.respond(Feedback(other, click=True, item="stone-2"))
    operator.undo(one, f"{one}-no")
    page = visit("olga", "feedback", polarity="positive", kind="comment")
    table = page.dataframe[0].value
    assert other in set(table["User"]) and set(table["Kind"]) == {"Comment"} and one not in set(table["User"])
    page = visit("olga", "feedback", feedback_user=one, standing=True)
    assert not page.dataframe and word("nothing_found", "en") in markup(page)


def test_rows_of_the_log_are_read_and_taken_back_together(visit: Open, operator: Client, new_user: Callable[[], str]) -> None:
    user = new_user()
    shown = operator.recommend(user, 5)
    operator.respond(Feedback(user, text="no more even ones", slate=shown.id))
    operator.respond(Feedback(user, text="I love odd stones"))
    page = visit("olga", "feedback", feedback_user=user)
    select_rows(page, 1)
    assert page.dataframe[1].value["Names"].tolist() == ["even"]
    assert page.dataframe[2].value["Title"].tolist() == [one.title for one in shown.items]
    select_rows(page, 0, 1)
    page.button(key="feedback_take_back").click().run()
    assert f"{word('taken_back', 'en')} 2" in markup(page)
    assert not any(record.standing for record in operator.feedback(user).records)


def test_the_state_of_a_user_and_what_was_shown(visit: Open, operator: Client, new_user: Callable[[], str]) -> None:
    user = new_user()
    slate = operator.respond(Feedback(user, text="no more even ones"), 5)
    page = visit("olga", "users", users_user=user)
    records, state, slates = (one.value for one in page.dataframe)
    assert records["Words"].tolist() == ["no more even ones"]
    assert (state["Wish"].tolist(), state["Names"].tolist()) == (["does not want"], ["even"])
    assert state["Left now"].tolist() == pytest.approx(state["Strength"].tolist())
    assert slates["First items"].tolist() == [", ".join(one.title for one in slate.items[:3])]


def test_an_item_has_its_text_what_is_near_and_who_likes_it(visit: Open, console: Console, new_user: Callable[[], str]) -> None:
    user = new_user()
    page = visit("olga", "catalogue", catalogue_query="stone-7")
    with Client(console.address, session=page.session_state["session_token"]) as client:
        client.respond(Feedback(user, rating=5, item="stone-7"))
        near = client.near_items("stone-7")
        had = client.item_users("stone-7").users
    select_rows(page, 0)
    assert "Stone 7, The. odd, 1990s" in texts(page)
    tables = [one.value for one in page.dataframe]
    assert tables[1]["Item"].tolist() == [one.item for one in near.items]
    assert tables[2]["User"].tolist()[0] == user
    assert tables[3]["User"].tolist() == list(had)
    page = visit("olga", "catalogue", cold=True)
    assert word("no_cold", "en") in markup(page)


def test_results_are_drawn_by_metric(visit: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMFB_RESULTS", str(tmp_path))
    assert word("no_results", "en") in markup(visit("olga", "models"))
    lines = [
        {"kind": "tested", "label": label, "seed": seed, "key": label + str(seed), "split": str(seed), "test": {"hit@10": value}}
        for label, seed, value in (("Pop", 1, 0.2), ("LLMFB", 1, 0.5), ("LLMFB", 2, 0.7))
    ]
    (tmp_path / "few.runs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    page = visit("olga", "models")
    assert page.selectbox(key="models_metric_few").value == "hit@10"
    assert page.dataframe[1].value["Model"].tolist() == ["LLMFB", "Pop"]


def test_a_token_of_an_identity_provider_signs_in(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a secret of thirty-two characters or more"
    (tmp_path / "key").write_text(secret)
    settings = (
        f'[tokens]\nissuer = "https://id.example/"\naudience = "console"\nalgorithms = ["HS256"]\nkey_file = "{tmp_path}/key"\n'
    )
    (tmp_path / "access.toml").write_text(settings)
    now = datetime.now(UTC)
    times = {"iat": now, "exp": now + timedelta(minutes=5)}
    claims = {"iss": "https://id.example/", "aud": "console", "sub": "olga", "scope": "operator", **times}
    with started(bundle.path, tmp_path, options=("--access", str(tmp_path / "access.toml")), olga="operator") as running:
        monkeypatch.setenv("LLMFB_SERVICE_URL", running.address)
        monkeypatch.delenv("LLMFB_CONSOLE", raising=False)

        def visit(**user: object) -> AppTest:
            shown = AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=300)
            shown.user = user
            return shown.run()

        outside = visit(is_logged_in=False)
        assert [one.label for one in outside.button] == [word("sign_in_elsewhere", "en"), "Sign in"]
        assert [one.value for one in visit(is_logged_in=True, tokens={}).error] == [word("not_exposed", "en")]
        assert [one.value for one in visit(is_logged_in=True, tokens={"id": "x.y.z"}).error] == [word("not_taken", "en")]
        inside = visit(is_logged_in=True, tokens={"id": jwt.encode(claims, secret, "HS256")})
        assert inside.title[0].value == "Respond" and "token:olga" in texts(inside)
