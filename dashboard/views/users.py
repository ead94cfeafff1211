"""Users: what one said, what counts of it, and what was shown; all that is stored of one, to take along or to erase."""

import json
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.connection import ask, language, say
from dashboard.figures import QUIET, timeline, wish_bars
from dashboard.history import kind_name, table, what_of
from dashboard.lists import show_list
from dashboard.paging import PAGE, Part, gather, show_more
from dashboard.people import choose_user
from dashboard.theme import emphasis
from dashboard.utterance import polarity_name

SLATES = 50  # on a page; each has its whole list


def main() -> None:
    st.title(say("users"), anchor=False)
    st.caption(say("users_what"))
    query = st.text_input(say("search"), type="search", max_chars=256, key="users_query", bind="query-params")
    user = choose_user("users_user", query=query, bind="query-params")
    if not user:
        st.info(say("users_first"), icon=":material/person_search:")
        return
    _show_history(user)
    _show_preferences(user)
    _show_slates(user)
    _export(user)
    _erase(user)


def _show_history(user: str) -> None:
    st.subheader(say("timeline"), anchor=False)
    part = gather("users_records", user, "records", lambda service, after: service.feedback(user, PAGE, after))
    if part is None:
        return
    if not part.entries:
        st.info(say("said_nothing"), icon=":material/chat:")
        return
    marks = [(one.feedback.time, kind_name(one.kind), what_of(one.feedback), one.standing) for one in part.entries]
    st.plotly_chart(timeline(marks), key="users_timeline", config=QUIET, alt=say("timeline"))
    st.dataframe(table(part.entries), hide_index=True, key="users_records_table")
    show_more("users_records", part)


def _show_preferences(user: str) -> None:
    """What counts of what was said: each wish as it was said, and what time and later words have left of it."""
    st.subheader(say("state"), anchor=False)
    state = ask(lambda service: service.preferences(user))
    if state is None:
        return
    st.caption(f"{say('has_items')} {state.items} · {say('half_life')} {state.half_life_days:g}")
    if not state.preferences:
        st.info(say("no_state"), icon=":material/psychology:")
        return
    wishes = [(one.text or ", ".join(one.items), one.said, one.weight) for one in state.preferences]
    st.plotly_chart(wish_bars(wishes, language()), key="users_state", config=QUIET, alt=say("state"))
    rows = [
        (say(polarity_name(one.said)), one.text or "", one.aspect or "", ", ".join(one.items), *_amounts(one))
        for one in state.preferences
    ]
    columns = [say(name) for name in ("wish", "words", "aspect", "item", "strength", "left", "time")]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True, key="users_state_table")


def _amounts(wish: Any) -> tuple[float, float, object]:
    """Strength as said, what is left of it, and when it was said."""
    return round(abs(wish.said), 2), round(abs(wish.weight), 2), wish.time


def _show_slates(user: str) -> None:
    st.subheader(say("slates"), anchor=False)
    part: Part | None = gather("users_slates", user, "slates", lambda service, after: service.slates(user, SLATES, after))
    if part is None:
        return
    if not part.entries:
        st.info(say("no_slates"), icon=":material/list:")
        return
    rows = [(one.now, len(one.items), ", ".join(item.title for item in one.items[:3]), one.bundle) for one in part.entries]
    columns = [say(name) for name in ("time", "items_shown", "first_items", "version")]
    chosen = st.dataframe(
        pd.DataFrame(rows, columns=columns),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"users_slates_{user}",
    ).selection.rows
    show_more("users_slates", part)
    if chosen and chosen[0] < len(part.entries):
        show_list(part.entries[chosen[0]], key="users_slate")
    else:
        st.caption(say("choose_slate"))


def _export(user: str) -> None:
    with st.container(horizontal=True):
        if st.button(say("prepare_export"), icon=":material/inventory_2:", help=say("export")):
            st.session_state["users_export"] = (user, ask(lambda service: service.export(user)))
        owner, known = st.session_state.get("users_export", (None, None))
        if owner == user and known is not None:
            data = json.dumps(known, ensure_ascii=False, indent=1)
            st.download_button(say("export"), data, file_name="user.json", mime="application/json", icon=":material/download:")


def _erase(user: str) -> None:
    erased = st.session_state.pop("users_erased", None)
    if erased is not None:
        st.success(f"{say('erased')} {erased}")
    with st.expander(say("erase"), icon=":material/delete_forever:"), st.form("users_erase", border=False, clear_on_submit=True):
        st.markdown(say("erase_what"))
        typed = st.text_input(say("erase_type"), autocomplete="off")
        if st.form_submit_button(say("erase"), type=emphasis()):
            if typed != user:
                st.error(say("erase_differs"))
                return
            gone = ask(lambda service: service.erase(user))
            if gone is not None:
                for name in ("users_export", "respond_turn", "respond_pins"):
                    st.session_state.pop(name, None)
                st.session_state["users_erased"] = gone
                st.rerun()


main()
