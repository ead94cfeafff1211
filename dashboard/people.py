"""Choosing a user: from those whom the service lists, or by typing an id."""

from typing import Literal

import streamlit as st

from dashboard.connection import ask, say

LISTED = 500  # a box with more is no longer looked through; ids can be typed


def choose_user(
    key: str, *, query: str = "", hint: str = "user_hint", bind: Literal["query-params"] | None = None, where: object = None
) -> str | None:
    """A box of users, of whom none may be chosen; the page ends here where the service does not say who there is.

    Args:
        query: a part of their ids. hint: the words for nobody. where: draws the box, instead of the page.
    """
    page = ask(lambda service: service.users(query, LISTED))
    if page is None:
        st.stop()
    counts = {one.user: one.feedback for one in page.users}
    options, chosen = list(counts), st.session_state.get(key)
    if chosen and chosen not in counts:
        options.insert(0, chosen)
    user: str | None = (where or st).selectbox(  # type: ignore[attr-defined]
        say("user"),
        options,
        index=None,
        format_func=lambda one: f"{one} ({counts[one]})" if counts.get(one) else one,
        accept_new_options=True,
        placeholder=say(hint),
        key=key,
        bind=bind,
        help=say("users_cut") if page.next is not None else None,
    )
    return user
