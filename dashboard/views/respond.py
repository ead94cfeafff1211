"""Respond: say something for a user, see what would move and why, and keep it or not."""

from datetime import UTC, datetime
from uuid import uuid4

import streamlit as st
from pydantic import ValidationError

from dashboard import responding
from dashboard.comparison import Comparison
from dashboard.connection import ask, language, say
from dashboard.explanation import show_why
from dashboard.history import show_history
from dashboard.people import choose_user
from dashboard.pins import offer_pin, show_pins
from dashboard.responding import Turn
from dashboard.slopes import draw_slopes
from dashboard.theme import emphasis
from dashboard.utterance import draw_utterance
from recbole_llmfb import Feedback

KINDS = ("comment", "rating", "click")
TURN = "respond_turn"


def main() -> None:
    st.title(say("respond"), anchor=False)
    st.caption(say("respond_what"))
    left, right = st.columns([2, 3], gap="large")
    with left:
        turn = _turn()
        if turn is None:
            return
        turn = _say_something(turn)
        turn = _show_utterance(turn)
    with right:
        _show_lists(turn)
    show_why(turn)
    show_pins()
    show_history(turn)


def _turn() -> Turn | None:
    """Whose turn it is; asks for the list where user, length or language changed."""
    who, many = st.columns([3, 1])
    linked = st.query_params.get("user")
    if "respond_user" not in st.session_state and linked:
        st.session_state["respond_user"] = linked
    user = choose_user("respond_user", where=who)
    k = many.number_input(say("items_shown"), 1, 50, 10, key="respond_k")
    if not user:
        st.info(say("user_first"), icon=":material/person_search:")
        return None
    st.query_params["user"] = user
    turn: Turn | None = st.session_state.get(TURN)
    if turn is None or (turn.user, turn.k, turn.language) != (user, k, language()):
        turn = ask(lambda service: responding.begin(service, user, k, language()))
        _remember(turn)
    return turn


def _remember(turn: Turn | None) -> None:
    st.session_state[TURN] = turn


def _say_something(turn: Turn) -> Turn:
    kind = st.segmented_control(say("say_kind"), KINDS, format_func=say, default="comment", required=True, key="respond_kind")
    titles = {one.item: one.title for one in turn.shown}
    with st.form("respond_say", border=False):
        text, item, rating = None, None, None
        if kind == "comment":
            text = st.text_area(
                say("comment_label"), placeholder=say("comment_hint"), max_chars=2000, key="respond_text", height=96
            )
        else:
            whole = [""] if kind == "rating" else []
            item = st.selectbox(
                say("on_what"),
                [*whole, *titles],
                format_func=lambda one: titles.get(one, one) if one else say("whole_list"),
                accept_new_options=True,
                key=f"respond_on_{kind}",
            )
            if kind == "rating":
                rating = st.slider(say("satisfaction"), 1, 5, 3, key="respond_rating")
        wants_preview = st.form_submit_button(
            say("preview"), type=emphasis(), icon=":material/visibility:", key="respond_preview"
        )
    if not wants_preview:
        return turn
    if kind == "comment" and not (text or "").strip():
        st.warning(say("say_something"))
        return turn
    base = responding.settled(turn)
    draft = _draft(base, text, item, rating, click=kind == "click")
    if draft is None:
        return turn
    with st.spinner(say("preview"), show_time=True):
        previewed = ask(lambda service: responding.preview(service, base, draft))
    if previewed is not None:
        _remember(previewed)
        st.session_state.pop("respond_item", None)  # the item that moved most is explained first
    return previewed or turn


def _draft(turn: Turn, text: str | None, item: str | None, rating: float | None, *, click: bool) -> Feedback | None:
    try:
        return Feedback(
            turn.user,
            text=text,
            item=item or None,
            rating=rating,
            click=click,
            slate=turn.before.id,
            time=datetime.now(UTC),
            id=uuid4().hex,
        )
    except ValidationError as error:
        st.error(say("invalid"))
        st.text("; ".join(one["msg"] for one in error.errors()))
        return None


def _show_utterance(turn: Turn) -> Turn:
    """The text with a switch per span; switching previews again without it."""
    if turn.reading is None or not turn.draft:
        return turn
    st.subheader(say("understood"), anchor=False)
    key = f"respond_spans_{turn.draft.id}"
    is_preview = turn.stage == "preview"
    off = tuple(sorted((int(start), int(end)) for start, end in st.session_state.get(f"{key}_off", ())))
    if is_preview and off != turn.off:
        draft = turn.draft
        turn = ask(lambda service: responding.preview(service, turn, draft, off)) or turn
        _remember(turn)
    reading = turn.reading
    if reading is None:
        return turn
    draw_utterance(reading, turn.off, turn.language, key=key, on_switch=lambda: _switch(key))
    if reading.signals and is_preview:
        st.caption(say("switch_hint"))
    for words in (reading.reason, *reading.notes):
        if words:
            st.text(words)
    return turn


def _switch(key: str) -> None:
    st.session_state[f"{key}_off"] = st.session_state[key].get("off") or []


def _show_lists(turn: Turn) -> None:
    if turn.after is None:
        st.subheader(say("current"), anchor=False)
    _show_stage(turn)
    compared = turn.comparison
    if turn.after is not None:
        _show_strip(compared)
    if not compared.moves:
        st.info(say("nothing_shown"))
    draw_slopes(
        compared,
        turn.language,
        chosen=st.session_state.get("respond_item"),
        single=turn.after is None,
        key="respond_lists",
        on_choice=_choose,
    )
    st.text((turn.after or turn.before).summary)


def _choose() -> None:
    st.session_state["respond_item"] = st.session_state["respond_lists"].item


def _show_stage(turn: Turn) -> None:
    """What state the lists are in, and what can be done about it."""
    if turn.stage == "preview":
        st.info(say("counterfactual" if turn.off else "preview_state"), icon=":material/visibility:")
    elif turn.stage == "kept":
        st.success(say("kept_state"), icon=":material/check_circle:")
    elif turn.stage == "undone":
        st.success(say("undone_state"), icon=":material/undo:")
    with st.container(horizontal=True):
        if turn.stage == "preview":
            if st.button(say("keep"), type=emphasis(), icon=":material/check:", disabled=bool(turn.off), key="respond_keep"):
                _step(ask(lambda service: responding.keep(service, turn)))
            if st.button(say("discard"), icon=":material/close:", key="respond_discard"):
                _step(responding.settled(turn))
        elif turn.stage == "kept" and turn.draft is not None:
            said = turn.draft.id
            if st.button(say("undo"), icon=":material/undo:", key="respond_undo"):
                _step(ask(lambda service: responding.undo(service, turn, said)))
        offer_pin(turn)


def _step(turn: Turn | None) -> None:
    if turn is not None:
        _remember(turn)
        st.rerun()


def _show_strip(compared: Comparison) -> None:
    """How much moved, in numbers."""
    with st.container(horizontal=True, gap="small", key="respond_strip"):
        st.metric(say("improved"), f"▲ {compared.improved}", help=say("improved_help"), border=True)
        st.metric(say("worsened"), f"▼ {compared.worsened}", help=say("worsened_help"), border=True)
        st.metric(say("unchanged"), compared.unchanged, border=True)
        st.metric(say("overlap"), f"{compared.overlap:.0%}", help=say("overlap_help"), border=True)
        st.metric(say("rbo"), f"{compared.likeness:.2f}", help=say("rbo_help"), border=True)


main()
