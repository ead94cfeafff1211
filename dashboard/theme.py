"""What follows from the colours of `.streamlit/config.toml`."""

from typing import Literal

import streamlit as st


def emphasis() -> Literal["primary", "secondary"]:
    """The type of the button that goes on. Streamlit writes white on a primary one: too faint on the dark theme's light blue."""
    return "primary" if st.context.theme.type == "light" else "secondary"
