"""The console as an application: `streamlit run dashboard/app.py`, or mounted in the service by `recbole-llmfb console`."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard.content_policy import ContentPolicy

app = st.App(Path(__file__).parent / "main.py", middleware=[Middleware(ContentPolicy)])
