"""What a user said before, and the way to take it back."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import responding
from dashboard.connection import ask, say
from dashboard.paging import PAGE, gather, show_more
from dashboard.responding import Turn


def table(records: Sequence[Any], *, with_user: bool = False) -> pd.DataFrame:
    """Records of the log, one row each. with_user: they are of several."""
    columns = [*(["user"] if with_user else []), "time", "kind", "words", "item", "stands"]
    rows = [
        {
            "user": one.feedback.user,
            "time": one.feedback.time,
            "kind": kind_name(one.kind),
            "words": what_of(one.feedback),
            "item": getattr(one.feedback, "item", None) or "",
            "stands": one.standing,
        }
        for one in records
    ]
    return pd.DataFrame([[row[name] for name in columns] for row in rows], columns=[say(name) for name in columns])


def kind_name(kind: str) -> str:
    """The word for what a record is."""
    return say("undo_kind" if kind == "undo" else kind)


def what_of(feedback: Any) -> str:
    """What a record says, in a cell."""
    if feedback.kind == "undo":
        return str(feedback.undoes)
    return feedback.text if feedback.text is not None else f"{feedback.rating:g}" if feedback.rating is not None else ""


def show_history(turn: Turn) -> None:
    """The newest records of the user whose turn it is."""
    st.subheader(say("history"), anchor=False)
    user = turn.user
    part = gather("respond_history", user, "records", lambda service, after: service.feedback(user, PAGE, after))
    if part is None:
        return
    if not part.entries:
        st.info(say("no_history"), icon=":material/chat:")
        return
    chosen = st.dataframe(
        table(part.entries), hide_index=True, on_select="rerun", selection_mode="single-row", key=f"respond_history_{user}"
    ).selection.rows
    show_more("respond_history", part)
    record = part.entries[chosen[0]] if chosen and chosen[0] < len(part.entries) else None
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
