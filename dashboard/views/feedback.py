"""Feedback: the log of a user, filtered; the filters are in the address, so that a view can be passed on."""

from collections import Counter

import plotly.graph_objects as go
import streamlit as st

from dashboard.connection import ask, say
from dashboard.figures import QUIET
from dashboard.history import kind_of, table, what_of

KINDS = ("comment", "rating", "click", "undo_kind")


def main() -> None:
    st.title(say("feedback"), anchor=False)
    st.caption(say("feedback_what"))
    page = ask(lambda service: service.users(limit=500))
    if page is None:
        return
    if not page.users:
        st.info(say("no_users"), icon=":material/chat:")
        return
    user = st.selectbox(say("user"), [one.user for one in page.users], key="feedback_user", bind="query-params")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = st.text_input(say("contains"), type="search", max_chars=256, key="contains", bind="query-params")
        kinds = st.pills(say("kind"), KINDS, format_func=say, selection_mode="multi", key="kind", bind="query-params")
        standing = st.toggle(say("only_standing"), key="standing", bind="query-params")
    found = ask(lambda service: service.feedback(user, limit=500))
    if found is None:
        return
    records = [
        one
        for one in found.records
        if part.lower() in what_of(one.feedback).lower()
        and (not kinds or kind_of(one.feedback) in kinds)
        and (one.standing or not standing)
    ]
    if not records:
        st.info(say("nothing_found"), icon=":material/filter_alt_off:")
        return
    days = Counter((one.feedback.time.date(), kind_of(one.feedback)) for one in records)
    figure = go.Figure()
    for kind in KINDS:
        of_kind = {day: count for (day, its), count in sorted(days.items()) if its == kind}
        if of_kind:
            figure.add_bar(x=list(of_kind), y=list(of_kind.values()), name=say(kind))
    figure.update_layout(height=220, margin={"l": 8, "r": 8, "t": 8, "b": 8}, barmode="stack", showlegend=True)
    figure.update_xaxes(type="date", tickformat="%Y-%m-%d")
    st.subheader(say("per_day"), anchor=False)
    st.plotly_chart(figure, key="feedback_days", config=QUIET, alt=say("per_day"))
    st.dataframe(table(records), hide_index=True, key="feedback_records")


main()
