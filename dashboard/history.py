"""What a user said before, and the way to take it back."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import responding
from dashboard.connection import ask, say
from dashboard.responding import Turn


def table(records: Any) -> pd.DataFrame:
    """Records of the log, newest first, one row each."""
    return pd.DataFrame(
        [
            {
                say("time"): one.feedback.time,
                say("kind"): say(kind_of(one.feedback)),
                say("words"): what_of(one.feedback),
                say("item"): getattr(one.feedback, "item", None) or "",
                say("stands"): one.standing,
            }
            for one in records
        ],
        columns=[say(name) for name in ("time", "kind", "words", "item", "stands")],
    )


def kind_of(feedback: Any) -> str:
    """The word for what a record is."""
    if hasattr(feedback, "undoes"):
        return "undo_kind"
    return "comment" if feedback.text is not None else "rating" if feedback.rating is not None else "click"


def what_of(feedback: Any) -> str:
    """What a record says, in a cell."""
    if hasattr(feedback, "undoes"):
        return str(feedback.undoes)
    return feedback.text if feedback.text is not None else f"{feedback.rating:g}" if feedback.rating is not None else ""


def show_history(turn: Turn) -> None:
    """The newest records of the user whose turn it is."""
    st.subheader(say("history"), anchor=False)
    page = ask(lambda service: service.feedback(turn.user, limit=50))
    if page is None:
        return
    if not page.records:
        st.info(say("no_history"), icon=":material/chat:")
        return
    chosen = st.dataframe(
        table(page.records), hide_index=True, on_select="rerun", selection_mode="single-row", key=f"respond_history_{turn.user}"
    ).selection.rows
    record = page.records[chosen[0]] if chosen and chosen[0] < len(page.records) else None
    can = record is not None and record.standing
    if st.button(
        say("take_back"),
        icon=":material/undo:",
        disabled=not can,
        help=None if can else say("choose_row"),
        key="respond_take_back",
    ):
        assert record is not None
        undone = ask(lambda service: responding.undo(service, turn, record.feedback.id))
        if undone is not None:
            st.session_state["respond_turn"] = undone
            st.rerun()
