"""Feedback: the log of everybody or of one user, filtered by the service. The filters are in the address, to be passed on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.connection import ask, client, language, say, tell
from dashboard.figures import QUIET, sentiment_bars, topic_bars
from dashboard.history import kind_name, table, what_of
from dashboard.lists import show_list
from dashboard.paging import PAGE, gather, show_more
from dashboard.people import choose_user
from dashboard.utterance import polarity_name
from recbole_llmfb import LlmfbError

KINDS = ("comment", "rating", "click", "undo")
POLARITIES = ("positive", "neutral", "negative")
DAYS = (7, 30, 365)
TOPICS = 15


def main() -> None:
    st.title(say("feedback"), anchor=False)
    st.caption(say("feedback_what"))
    user = choose_user("feedback_user", hint="everybody", bind="query-params")
    _show_days(user)
    st.subheader(say("records"), anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = st.text_input(say("contains"), type="search", max_chars=256, key="contains", bind="query-params")
        kind = st.pills(say("kind"), KINDS, format_func=kind_name, key="kind", bind="query-params")
        polarity = st.pills(say("sentiment"), POLARITIES, format_func=say, key="polarity", bind="query-params")
        standing = st.toggle(say("only_standing"), key="standing", bind="query-params")
    chosen_filters = {"kind": kind, "contains": part, "polarity": polarity, "standing": standing}
    filters: dict[str, Any] = {name: value for name, value in chosen_filters.items() if value}
    found = gather(
        "feedback",
        (user, *filters.items()),
        "records",
        lambda service, after: service.feedback(user, PAGE, after, **filters),
    )
    if found is None:
        return
    _say_what_was_done()
    if not found.entries:
        filtered = user or filters
        st.info(say("nothing_found" if filtered else "no_users"), icon=":material/filter_alt_off:")
        return
    chosen = st.dataframe(
        table(found.entries, with_user=user is None),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"feedback_records_{hash((user, *filters.items()))}",
    ).selection.rows
    show_more("feedback", found)
    _review([found.entries[row] for row in chosen if row < len(found.entries)])


def _show_days(user: str | None) -> None:
    """What was said on each day, and about what, as the service counts it."""
    days = st.segmented_control(say("days"), DAYS, default=30, required=True, key="feedback_days", bind="query-params")
    since = datetime.now(UTC) - timedelta(days=days)
    counts = ask(lambda service: service.counts(since, user=user))
    topics = ask(lambda service: service.topics(since, user=user))
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(say("per_day"), anchor=False)
        if counts is not None and counts.counts:
            numbers = [(one.day, one.polarity, one.number) for one in counts.counts]
            figure = sentiment_bars(numbers, language())
            st.plotly_chart(figure, key="feedback_sentiment", config=QUIET, alt=say("per_day"))
        elif counts is not None:
            st.info(say("no_days"), icon=":material/event_busy:")
    with right:
        st.subheader(say("topics"), anchor=False)
        if topics is not None and topics.topics:
            rows = [(one.aspect, one.wanted, one.refused) for one in topics.topics[:TOPICS]]
            st.plotly_chart(topic_bars(rows, language()), key="feedback_topics", config=QUIET, alt=say("topics"))
        elif topics is not None:
            st.info(say("no_topics"), icon=":material/label_off:")


def _review(records: Sequence[Any]) -> None:
    """What can be done with the rows that are chosen: read one closely, take back all."""
    if not records:
        st.caption(say("choose_rows"))
        return
    if len(records) == 1:
        _show_record(records[0])
    standing = [one.feedback for one in records if one.standing]
    if standing and st.button(f"{say('take_back_rows')} ({len(standing)})", icon=":material/undo:", key="feedback_take_back"):
        _take_back(standing)


def _show_record(record: Any) -> None:
    """One record: its words, what was understood of them, and the list that it was about."""
    with st.container(border=True):
        st.text(what_of(record.feedback))
        if record.signals:
            rows = [(say(polarity_name(one.polarity)), one.text, one.aspect or one.item or "") for one in record.signals]
            columns = [say(name) for name in ("wish", "words", "aspect")]
            st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True, key="feedback_signals")
    about = getattr(record.feedback, "slate", None)
    if about is None:
        st.caption(say("about_no_list"))
        return
    user = record.feedback.user
    page = ask(lambda service: service.slates(user, slate=about))
    if page is None:
        return
    if not page.slates:
        st.caption(say("list_gone"))
        return
    st.subheader(say("about_list"), anchor=False)
    show_list(page.slates[0], key="feedback_slate")


def _take_back(said: Sequence[Any]) -> None:
    """One after the other, as far as that goes; the page then says how far it went."""
    bar = st.progress(0.0, say("take_back_rows"))
    done, failure = 0, None
    for one in said:
        try:
            client().undo(one.user, one.id, 1)
        except LlmfbError as error:
            failure = error
            break
        done += 1
        bar.progress(done / len(said), say("take_back_rows"))
    st.session_state["feedback_done"] = (done, failure)
    st.rerun()


def _say_what_was_done() -> None:
    done, failure = st.session_state.pop("feedback_done", (0, None))
    if done:
        st.success(f"{say('taken_back')} {done}", icon=":material/undo:")
    if failure is not None:
        tell(failure)


main()
