"""Other people's words where something would read them as markup.

Wherever Streamlit takes markdown, words of users and items do not go at all: they go to `st.text`, to cells of a table, or to a
component that sets them as text. Plotly has no such place: its labels know a part of HTML.
"""

import html


def for_plotly(text: str, longest: int = 60) -> str:
    """A label that shows these characters and no markup: on one line, and cut at its end if it is longer."""
    line = " ".join(text.split())
    shown = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return html.escape(shown, quote=False).replace("%{", "%&#123;").replace("$", "&#36;")
