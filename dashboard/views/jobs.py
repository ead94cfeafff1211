"""Jobs: trainings from feedback, asked for, watched while they run, and cancelled. A worker runs them, not this page."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.connection import ask, say
from dashboard.theme import emphasis
from recbole_llmfb import Client

LOOK_SECONDS = 2.0
LIVE = ("queued", "running")


def main() -> None:
    st.title(say("jobs"), anchor=False)
    st.caption(say("jobs_what"))
    me = ask(Client.me)
    if me is None:
        return
    if me.scope == "admin" and st.button(say("start_job"), icon=":material/play_arrow:", type=emphasis(), key="jobs_start"):
        if ask(lambda service: service.start_job()) is not None:
            st.toast(say("job_asked"))
    _watch(me.scope == "admin")


@st.fragment(run_every=LOOK_SECONDS)
def _watch(may_cancel: bool) -> None:
    """What is under way, and what was; drawn again every few seconds."""
    page = ask(lambda service: service.jobs(limit=100))
    if page is None:
        return
    if not page.workers:
        st.warning(say("no_workers"), icon=":material/engineering:")
    for job in page.jobs:
        if job.state in LIVE:
            _show_live(job, may_cancel)
    if not page.jobs:
        st.info(say("no_jobs"), icon=":material/hourglass_empty:")
        return
    share = st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
    st.dataframe(_table(page.jobs), hide_index=True, key="jobs_table", column_config={say("progress"): share})
    names = {job.id: f"{job.created:%Y-%m-%d %H:%M} · {say(f'job_{job.state}')}" for job in page.jobs}
    chosen = st.selectbox(say("log"), list(names), format_func=lambda job: names.get(job, job), key="jobs_log")
    detail = ask(lambda service: service.job(chosen)) if chosen in names else None
    if detail is not None:
        st.code(detail.tail or say("log_empty"), language=None, height=300)


def _show_live(job: Any, may_cancel: bool) -> None:
    with st.container(border=True):
        st.text(f"{say(f'job_{job.state}')} · {job.step}" if job.step else say(f"job_{job.state}"))
        st.progress(job.share)
        if job.cancelling is not None:
            st.caption(say("job_cancelling"))
        elif may_cancel and st.button(say("cancel_job"), icon=":material/stop_circle:", key=f"jobs_cancel_{job.id}"):
            if ask(lambda service: service.cancel_job(job.id)) is not None:
                st.rerun(scope="fragment")


def _table(jobs: Any) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                say("created"): job.created,
                say("job_state"): say(f"job_{job.state}"),
                say("progress"): job.share,
                say("step"): job.step,
                say("reason"): job.reason,
                say("actor"): job.actor,
                say("started"): job.started,
                say("ended"): job.ended,
            }
            for job in jobs
        ]
    )


main()
