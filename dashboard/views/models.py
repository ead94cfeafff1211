"""Models: the versions of the model and where they come from, and how LLMFB stands beside RecBole's models."""

from pathlib import Path

import pandas as pd
import plotly.io
import streamlit as st

from dashboard.benchmarks import Run, by_model, files, tested
from dashboard.connection import ask, say
from dashboard.figures import QUIET, model_bars
from dashboard.promotion import show_promotion

FIRST = "ndcg@10"


def main() -> None:
    st.title(say("models"), anchor=False)
    st.caption(say("models_what"))
    _show_versions()
    st.subheader(say("comparison"), anchor=False)
    _show_results()


def _show_versions() -> None:
    known = ask(lambda service: service.bundles())
    if known is None:
        return
    rows = [
        {
            say("version"): one.version,
            say("created"): one.created,
            say("parent"): one.parent or "",
            say("served"): one.served,
            say("champion"): one.champion,
            say("challenger"): one.challenger,
            **{name: value for name, value in one.metrics.items() if isinstance(value, int | float)},
        }
        for one in known.bundles
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="models_versions")
    show_promotion(known)


def _show_results() -> None:
    """One chart of any metric, a mark for each seed; and the figure of the benchmark's own page, with its intervals."""
    found = {name: runs for name, path in files(".runs.jsonl").items() if (runs := _runs(path, path.stat().st_mtime_ns))}
    figures = files(".plotly.json")
    if not found and not figures:
        st.info(say("no_results"), icon=":material/query_stats:")
        return
    with st.container(horizontal=True):
        name = st.selectbox(say("dataset"), sorted({*found, *figures}), key="models_results")
        runs = found.get(name, ())
        metrics = sorted({metric for run in runs for metric in run.test})
        first = metrics.index(FIRST) if FIRST in metrics else 0
        metric = st.selectbox(say("metric"), metrics, index=first if metrics else None, key=f"models_metric_{name}")
    if metric:
        values = by_model(runs, metric)
        st.plotly_chart(model_bars(values, metric), key="models_runs", config=QUIET, alt=f"{say('comparison')}: {metric}")
        st.caption(say("seeds_what"))
        rows = [{say("model"): model, **{str(seed): value for seed, value in sorted(of.items())}} for model, of in values.items()]
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="models_table")
    if name in figures:
        st.caption(say("intervals_what"))
        st.plotly_chart(plotly.io.from_json(figures[name].read_text("utf-8")), key="models_chart", alt=say("intervals_what"))


@st.cache_data(max_entries=8, show_spinner=False)
def _runs(path: Path, written: int) -> tuple[Run, ...]:  # noqa: ARG001  # written: a file that changed is read again
    return tested(path.read_text("utf-8").splitlines())


main()
