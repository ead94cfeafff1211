"""Admin: accounts, keys, and who changed what. The page is there for admins only, and the service asks again."""

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
import streamlit as st

from dashboard.connection import ask, say
from dashboard.paging import PAGE, gather, show_more
from recbole_llmfb import Client


def main() -> None:
    st.title(say("admin"), anchor=False)
    st.caption(say("admin_what"))
    accounts, keys, audit = st.tabs([say("accounts"), say("keys"), say("audit")])
    with accounts:
        known = ask(Client.accounts)
        _show(known, ("name", "role", "created", "disabled"), "no_accounts")
        _new_account()
        _switch_account(known or ())
    with keys:
        made = ask(Client.keys)
        _show(made, ("id", "name", "scope", "user", "created", "revoked"), "no_keys")
        _new_key()
        _revoke_key(made or ())
    with audit:
        part = gather("admin_audit", None, "entries", lambda service, before: service.audit(PAGE, before), following="before")
        if part is not None:
            _show(part.entries, ("time", "actor", "action", "subject", "detail"), "no_audit")
            show_more("admin_audit", part)


def _show(rows: Sequence[Any] | None, fields: Sequence[str], empty: str) -> None:
    if rows is None:
        return
    if not rows:
        st.info(say(empty))
        return
    table = pd.DataFrame(
        [[_cell(getattr(row, field)) for field in fields] for row in rows], columns=[say(field) for field in fields]
    )
    st.dataframe(table, hide_index=True, key=f"admin_{empty}")


def _cell(value: Any) -> Any:
    return ", ".join(f"{name}={fact}" for name, fact in value.items()) if isinstance(value, dict) else value


def _new_account() -> None:
    with (
        st.expander(say("new_account"), icon=":material/person_add:"),
        st.form("admin_account", border=False, clear_on_submit=True),
    ):
        name = st.text_input(say("name"), max_chars=100, autocomplete="off")
        password = st.text_input(say("new_password"), type="password", autocomplete="new-password")
        role = st.selectbox(say("role"), ("operator", "admin"), format_func=lambda one: say(f"role_{one}"))
        if st.form_submit_button(say("make")):
            _rerun_after(ask(lambda service: service.create_account(name, password, role)))


def _switch_account(accounts: Sequence[Any]) -> None:
    known = {one.name: one for one in accounts}
    if not known:
        return
    with st.expander(say("switch_account"), icon=":material/person_off:"):
        name = st.selectbox(say("name"), list(known), key="admin_which")
        is_off = known[name].disabled is not None
        label = say("enable" if is_off else "disable")
        if st.button(label, key="admin_switch"):
            _rerun_after(ask(lambda service: service.change_account(name, disabled=not is_off)))


def _new_key() -> None:
    made = st.session_state.pop("admin_made", None)
    if made is not None:
        st.warning(say("key_once"), icon=":material/key:")
        st.code(made, language=None)
    with st.expander(say("new_key"), icon=":material/key:"), st.form("admin_key", border=False, clear_on_submit=True):
        name = st.text_input(say("name"), max_chars=100, autocomplete="off")
        scope: Literal["operator", "user", "admin"] = st.selectbox(say("scope"), ("operator", "user", "admin"))
        user = st.text_input(say("key_user"), max_chars=1000, autocomplete="off")
        if st.form_submit_button(say("make")):
            key = ask(lambda service: service.create_key(name, scope, user or None))
            if key is not None:
                st.session_state["admin_made"] = key.key
                st.rerun()


def _revoke_key(keys: Sequence[Any]) -> None:
    standing = {one.id: one.name for one in keys if one.revoked is None}
    if not standing:
        return
    with st.expander(say("revoke"), icon=":material/key_off:"):
        chosen = st.selectbox(say("keys"), list(standing), format_func=lambda one: f"{standing[one]} ({one})", key="admin_key_id")
        if st.button(say("revoke"), key="admin_revoke"):
            _rerun_after(ask(lambda service: service.revoke_key(chosen)))


def _rerun_after(answer: object) -> None:
    """Draw the page anew, unless nothing was done; then it says why."""
    if answer is not None:
        st.rerun()


main()
