"""Users: who said what and when; all that is stored of one, to take along or to erase."""

import json

import plotly.graph_objects as go
import streamlit as st

from dashboard.connection import ask, say
from dashboard.escaping import for_plotly
from dashboard.figures import QUIET
from dashboard.history import kind_of, table, what_of


def main() -> None:
    st.title(say("users"), anchor=False)
    st.caption(say("users_what"))
    query = st.text_input(say("search"), type="search", max_chars=256, key="users_query", bind="query-params")
    page = ask(lambda service: service.users(query, 500))
    if page is None:
        return
    if not page.users:
        st.info(say("nothing_found" if query else "no_users"), icon=":material/person_off:")
        return
    counts = {one.user: one.feedback for one in page.users}
    user = st.selectbox(say("user"), list(counts), format_func=lambda one: f"{one} ({counts[one]})", key="users_user")
    records = ask(lambda service: service.feedback(user, limit=500))
    if records is None:
        return
    st.subheader(say("timeline"), anchor=False)
    st.plotly_chart(_timeline(records.records), key="users_timeline", config=QUIET, alt=say("timeline"))
    st.dataframe(table(records.records), hide_index=True, key="users_records")
    _export(user)
    _erase(user)


def _timeline(records) -> go.Figure:  # type: ignore[no-untyped-def]  # records of the log, which have no public name
    """One mark for each record, by time and kind; what was taken back is hollow."""
    figure = go.Figure(
        go.Scatter(
            x=[one.feedback.time for one in records],
            y=[say(kind_of(one.feedback)) for one in records],
            mode="markers",
            marker={"size": 12, "symbol": ["circle" if one.standing else "circle-open" for one in records]},
            text=[for_plotly(what_of(one.feedback)) for one in records],
            hovertemplate="%{x|%Y-%m-%d %H:%M}<br>%{text}<extra></extra>",
        )
    )
    figure.update_layout(height=220, margin={"l": 8, "r": 8, "t": 8, "b": 8})
    return figure


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
        if st.form_submit_button(say("erase"), type="primary"):
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
