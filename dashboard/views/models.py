"""Models: the versions of the model and where they come from, and how LLMFB stands beside RecBole's models."""

import os
from pathlib import Path

import pandas as pd
import plotly.io
import streamlit as st

from dashboard.connection import ask, say
from dashboard.promotion import show_promotion

LONGEST_FILE = 4_000_000  # bytes of one chart


def main() -> None:
    st.title(say("models"), anchor=False)
    st.caption(say("models_what"))
    known = ask(lambda service: service.bundles())
    if known is not None:
        rows = [
            {
                say("version"): one.version,
                say("created"): one.created,
                say("parent"): one.parent or "",
                say("served"): one.served,
                say("champion"): one.champion,
                **{name: value for name, value in one.metrics.items() if isinstance(value, int | float)},
            }
            for one in known.bundles
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="models_versions")
        show_promotion(known)
    st.subheader(say("comparison"), anchor=False)
    charts = _charts()
    if not charts:
        st.info(say("no_results"), icon=":material/query_stats:")
        return
    name = st.selectbox(say("dataset"), list(charts), key="models_results")
    st.plotly_chart(plotly.io.from_json(charts[name].read_text("utf-8")), key="models_chart", alt=say("comparison"))


def _charts() -> dict[str, Path]:
    """Charts that benchmarks wrote, by the name of their data set."""
    folder = Path(os.environ.get("LLMFB_RESULTS", "results"))
    found = sorted(folder.glob("*.plotly.json")) if folder.is_dir() else []
    return {path.name.removesuffix(".plotly.json"): path for path in found if path.stat().st_size <= LONGEST_FILE}


main()
