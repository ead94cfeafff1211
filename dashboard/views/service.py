"""Service: how fast it answers and how often it fails, as it measures itself."""

import pandas as pd
import streamlit as st

from dashboard.connection import ask, say
from dashboard.metrics_text import Histogram, histograms, parse, total

QUANTILES = (0.5, 0.95, 0.99)
STAGES = {"read": "read", "fold": "fold", "score": "scoring", "store": "store"}


def main() -> None:
    st.title(say("service"), anchor=False)
    st.caption(say("service_what"))
    st.button(say("refresh"), icon=":material/refresh:")
    text = ask(lambda service: service.metrics())
    if text is None:
        return
    samples = parse(text)
    routes = {name: one for name, one in histograms(samples, "llmfb_request_seconds", "route").items() if name.startswith("/")}
    with st.container(horizontal=True, gap="small"):
        st.metric(say("requests"), f"{total(samples, 'llmfb_request_seconds_count'):,.0f}", border=True)
        st.metric(say("errors"), f"{total(samples, 'llmfb_request_seconds_count', status='5'):,.0f}", border=True)
        st.metric(say("in_progress"), f"{total(samples, 'llmfb_requests_in_progress'):,.0f}", border=True)
        st.metric(say("waiting"), f"{total(samples, 'llmfb_texts_waiting'):,.0f}", border=True)
    stages = histograms(samples, "llmfb_stage_seconds", "stage")
    known = {say(STAGES[name]): one for name, one in stages.items() if name in STAGES and one.count}
    if not known:
        st.info(say("no_requests"), icon=":material/hourglass_empty:")
    else:
        st.subheader(say("stage"), anchor=False)
        _table(known, say("stage"))
    st.subheader(say("route"), anchor=False)
    _table(routes, say("route"))


def _table(found: dict[str, Histogram], title: str) -> None:
    """One row each: how often, and percentiles in milliseconds."""
    names = {f"p{round(100 * q)}": q for q in QUANTILES}
    rows = [
        {title: name, say("count"): int(one.count), **{p: 1000 * (one.quantile(q) or 0) for p, q in names.items()}}
        for name, one in found.items()
    ]
    column = st.column_config.NumberColumn(help=say("milliseconds"), format="%.1f ms")
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=dict.fromkeys(names, column))


main()
