"""Catalogue: what can be recommended, how it is described, and what is like it."""

import pandas as pd
import streamlit as st

from dashboard.connection import ask, language, say


def main() -> None:
    st.title(say("catalogue"), anchor=False)
    st.caption(say("catalogue_what"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        query = st.text_input(say("search"), type="search", max_chars=256, key="catalogue_query", bind="query-params")
        cold = st.toggle(say("cold_only"), key="catalogue_cold")
    page = ask(lambda service: service.items(query, 500))
    if page is None:
        return
    items = [one for one in page.items if not cold or one.popularity == 0]
    if not items:
        st.info(say("no_items"), icon=":material/search_off:")
        return
    columns = [say(name) for name in ("item", "title", "attributes", "popularity")]
    rows = pd.DataFrame([(one.item, one.title, ", ".join(one.attributes), one.popularity) for one in items], columns=columns)
    key = f"catalogue_items_{query}_{cold}"
    chosen = st.dataframe(rows, hide_index=True, on_select="rerun", selection_mode="single-row", key=key).selection.rows
    if not chosen or chosen[0] >= len(items):
        st.caption(say("choose_item"))
        return
    item = items[chosen[0]]
    with st.container(border=True):
        st.text(item.title)
        st.text(item.text)
    st.subheader(say("nearest"), anchor=False)
    near = ask(lambda service: service.rank(item.text[:2000], exclude=[item.item], k=10, lang=language()))
    if near is not None:
        rows = pd.DataFrame(
            [(one.rank, one.title, one.item) for one in near.items], columns=[say(n) for n in ("rank", "title", "item")]
        )
        st.dataframe(rows, hide_index=True, key="catalogue_near")


main()
