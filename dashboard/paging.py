"""Lists that come from the service page by page: as many pages as were asked for, and a way to the next one."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.connection import ask, say
from recbole_llmfb import Client

PAGE = 100


@dataclass(frozen=True, slots=True)
class Part:
    """The first entries of a list, and whether it goes on."""

    entries: tuple[Any, ...]
    goes_on: bool


def gather(
    key: str, filters: Hashable, entries: str, question: Callable[[Client, str | None], Any], *, following: str = "next"
) -> Part | None:
    """As much of a list as this session has asked for; None after saying on the page what went wrong.

    Args:
        key: of the list.
        filters: what chooses its entries; other ones begin again with the first page.
        entries, following: what an answer calls them, and the place where the next page goes on.
        question: asks for the page that goes on at a place.
    """
    kept, pages = st.session_state.get(f"{key}_pages", (filters, 1))
    if kept != filters:
        pages = 1
    st.session_state[f"{key}_pages"] = (filters, pages)
    found: list[Any] = []
    after: str | None = None
    for _ in range(pages):
        place = after
        page = ask(lambda service: question(service, place))  # noqa: B023  # asked at once
        if page is None:
            return None
        found += getattr(page, entries)
        after = getattr(page, following)
        if after is None:
            break
    return Part(tuple(found), after is not None)


def show_more(key: str, part: Part) -> None:
    """Say what is cut off, and offer the next page; nothing where all is shown."""
    if not part.goes_on:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{say('cut')} {len(part.entries)}")
        st.button(say("more"), icon=":material/expand_more:", key=f"{key}_more", on_click=_ask_for_more, args=(key,))


def _ask_for_more(key: str) -> None:
    filters, pages = st.session_state[f"{key}_pages"]
    st.session_state[f"{key}_pages"] = (filters, pages + 1)
