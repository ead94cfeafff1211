"""The console's frame: language, who is signed in, and the pages that one may see. Streamlit runs it for every interaction."""

from pathlib import Path

import streamlit as st

from dashboard.connection import say
from dashboard.frame import choose_language, identify, show_account

VIEWS = Path(__file__).parent / "views"
PAGES = {
    "respond": ":material/forum:",
    "users": ":material/group:",
    "feedback": ":material/rate_review:",
    "catalogue": ":material/menu_book:",
    "models": ":material/model_training:",
    "jobs": ":material/school:",
    "service": ":material/monitor_heart:",
}

st.set_page_config(page_title="recbole-llmfb", page_icon="💬", layout="wide")
choose_language()
me = identify()
names = dict(PAGES)
if me.scope == "admin":
    names["admin"] = ":material/admin_panel_settings:"
pages = [st.Page(VIEWS / f"{name}.py", title=say(name), icon=icon, default=name == "respond") for name, icon in names.items()]
page = st.navigation(pages)
show_account(me)
page.run()
