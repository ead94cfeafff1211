"""What the gate found of a version, and what an admin may do with it: promote, overrule, roll back."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.connection import ask, say
from recbole_llmfb import Client

LONGEST_REASON = 200


def show_promotion(known: Any) -> None:
    """known: what the service says of its versions (`Client.bundles`)."""
    versions = {one.version: one for one in known.bundles}
    if not versions:
        return
    st.subheader(say("gate"), anchor=False)
    names = list(versions)
    first = next((place for place, one in enumerate(known.bundles) if one.challenger), 0)
    chosen = versions[st.selectbox(say("version"), names, index=first, key="models_version")]
    _show_gate(chosen)
    me = ask(Client.me)
    if me is not None and me.scope == "admin":
        _change(chosen)
    _show_history(known.history)


def _show_gate(version: Any) -> None:
    """The checklist, one row for each condition."""
    if version.gate is None:
        st.info(say("not_judged"), icon=":material/balance:")
        return
    if version.gate.passed:
        st.success(say("gate_passed"), icon=":material/check_circle:")
    else:
        st.warning(say("gate_failed"), icon=":material/block:")
    rows = [{say("passed"): check.passed, say("check"): check.name, say("found"): check.why} for check in version.gate.checks]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="models_gate")


def _change(version: Any) -> None:
    reason = st.text_input(say("reason"), max_chars=LONGEST_REASON, key="models_reason", help=say("reason_help"))
    is_overrule = version.gate is not None and not version.gate.passed
    with st.container(horizontal=True):
        promote = st.button(
            say("overrule" if is_overrule else "promote"),
            icon=":material/publish:",
            key="models_promote",
            disabled=version.champion or (is_overrule and not reason.strip()),
        )
        back = st.button(say("rollback"), icon=":material/undo:", key="models_rollback")
    if promote:
        _rerun_after(ask(lambda service: service.promote(version.version, reason)))
    if back:
        _rerun_after(ask(lambda service: service.rollback(reason)))


def _rerun_after(answer: object) -> None:
    """Draw the page anew, unless nothing was done; then it says why."""
    if answer is not None:
        st.rerun()


def _show_history(history: Any) -> None:
    if not history:
        return
    st.subheader(say("served_history"), anchor=False)
    rows = [
        {
            say("version"): one.version,
            say("from_when"): one.since,
            say("to_when"): one.until,
            say("action"): say("rollback" if one.how == "rollback" else "promote"),
            say("actor"): one.actor,
            say("reason"): one.reason,
        }
        for one in history
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="models_history")
