"""Lists that were pinned beside each other; what they show was true when they were pinned."""

import pandas as pd
import streamlit as st

from dashboard.connection import say
from dashboard.responding import PINS, Snapshot, Turn, snapshot


def offer_pin(turn: Turn) -> None:
    """Pin what is shown, as long as there is a place."""
    if not st.button(say("pin"), icon=":material/push_pin:", key="respond_pin"):
        return
    pins = st.session_state.setdefault("respond_pins", ())
    if len(pins) < PINS:
        st.session_state["respond_pins"] = (*pins, snapshot(turn))
    else:
        st.warning(say("pins_full"))


def show_pins() -> None:
    """Up to three of them."""
    pins: tuple[Snapshot, ...] = st.session_state.get("respond_pins", ())
    if not pins:
        return
    st.subheader(say("pinned"), anchor=False)
    for place, (column, pin) in enumerate(zip(st.columns(len(pins)), pins, strict=True)):
        with column:
            st.text(f"{pin.user}\n{pin.about}" if pin.about else pin.user)
            rows = pd.DataFrame(pin.rows, columns=[say("rank"), say("title")])
            st.dataframe(rows, hide_index=True, key=f"respond_pin_{place}")
    if st.button(say("unpin"), icon=":material/keep_off:", key="respond_unpin"):
        st.session_state["respond_pins"] = ()
        st.rerun()
