"""A list as it was shown once."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.connection import say


def show_list(slate: Any, *, key: str) -> None:
    """Its items in their order, each with its score and the reason that was given, and the summary. slate: a `Slate`."""
    rows = [(one.rank, one.title, one.item, round(one.score, 3), one.reason) for one in slate.items]
    columns = [say(name) for name in ("rank", "title", "item", "score", "why")]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True, key=key)
    st.text(slate.summary)
