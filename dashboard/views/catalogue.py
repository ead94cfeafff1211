"""Catalogue: what can be recommended, how an item is described, whose text is like it, and who likes it."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.connection import ask, say
from dashboard.history import table
from dashboard.paging import PAGE, gather, show_more


def main() -> None:
    st.title(say("catalogue"), anchor=False)
    st.caption(say("catalogue_what"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        query = st.text_input(say("search"), type="search", max_chars=256, key="catalogue_query", bind="query-params")
        cold = st.toggle(say("cold_only"), key="cold", bind="query-params")
    part = gather("catalogue", (query, cold), "items", lambda service, after: service.items(query, PAGE, after, cold=cold))
    if part is None:
        return
    if not part.entries:
        st.info(say("no_cold" if cold and not query else "no_items"), icon=":material/search_off:")
        return
    columns = [say(name) for name in ("item", "title", "attributes", "popularity")]
    rows = [(one.item, one.title, ", ".join(one.attributes), one.popularity) for one in part.entries]
    chosen = st.dataframe(
        pd.DataFrame(rows, columns=columns),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"catalogue_items_{hash((query, cold))}",
    ).selection.rows
    show_more("catalogue", part)
    if not chosen or chosen[0] >= len(part.entries):
        st.caption(say("choose_item"))
        return
    _show_item(part.entries[chosen[0]])


def _show_item(item: Any) -> None:
    with st.container(border=True):
        st.text(item.title)
        st.text(item.text)
    left, right = st.columns(2, gap="large")
    with left:
        _show_near(item.item)
    with right:
        _show_liking(item.item)


def _show_near(item: str) -> None:
    st.subheader(say("nearest"), anchor=False)
    near = ask(lambda service: service.near_items(item))
    if near is None:
        return
    rows = [(one.title, one.item, round(one.likeness, 3)) for one in near.items]
    columns = [say(name) for name in ("title", "item", "likeness")]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True, key="catalogue_near")


def _show_liking(item: str) -> None:
    """Who rated, clicked or praised it since the model was trained, and who had it then."""
    st.subheader(say("likes"), anchor=False)
    said = gather(
        "catalogue_likes",
        item,
        "records",
        lambda service, after: service.feedback(None, PAGE, after, item=item, polarity="positive", standing=True),
    )
    if said is not None and said.entries:
        st.dataframe(table(said.entries, with_user=True), hide_index=True, key="catalogue_likes_table")
        show_more("catalogue_likes", said)
    elif said is not None:
        st.caption(say("no_likes"))
    st.subheader(say("had"), anchor=False)
    had = gather("catalogue_had", item, "users", lambda service, after: service.item_users(item, PAGE, after))
    if had is not None and had.entries:
        st.dataframe(pd.DataFrame({say("user"): had.entries}), hide_index=True, key="catalogue_had_table")
        show_more("catalogue_had", had)
    elif had is not None:
        st.caption(say("is_cold"))


main()
