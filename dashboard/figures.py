"""Charts. What users and items are called goes through `for_plotly`."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from dashboard.escaping import for_plotly
from dashboard.words import Language, word

PARTS = {"collaborative": "from_history", "text": "from_text", "feedback": "from_said", "bias": "from_popularity"}
QUIET = {"displayModeBar": False}


def part_name(part: str, language: Language) -> str:
    """What a part of a score is called."""
    return word(PARTS[part], language)


def waterfall(sides: Sequence[tuple[str, Mapping[str, float] | None]], language: Language) -> go.Figure:
    """How the parts of a score add up, for each of several lists; None where the item is not in one.

    Args:
        sides: name of a list, and the parts there.
    """
    figure = go.Figure()
    names = [*(part_name(part, language) for part in PARTS), word("score", language)]
    for place, (side, parts) in enumerate(sides):
        if parts is None:
            continue
        amounts = [parts.get(part, 0.0) for part in PARTS]
        figure.add_waterfall(
            name=for_plotly(side),
            x=names,
            y=[*amounts, 0.0],
            measure=["relative"] * len(PARTS) + ["total"],
            text=[f"{amount:+.2f}" for amount in amounts] + [f"{sum(amounts):.2f}"],
            textposition="outside",
            cliponaxis=False,
            offsetgroup=str(place),
            increasing_marker_color=("#7fbf9a", "#1a7f4b")[place % 2],
            decreasing_marker_color=("#e0a0a0", "#b3261e")[place % 2],
            totals_marker_color=("#9db4d3", "#2b5c9e")[place % 2],
            hovertemplate="%{x}: %{text}<extra></extra>",
        )
    figure.update_layout(waterfallgroupgap=0.15, height=340, margin={"l": 8, "r": 8, "t": 30, "b": 8})
    figure.update_layout(showlegend=len(figure.data) > 1, legend={"orientation": "h", "y": 1.15})
    figure.update_yaxes(zeroline=True, title=None)
    return figure


def part_bars(amounts: Sequence[tuple[str, float]], language: Language) -> go.Figure:
    """By how much each part puts one item above another."""
    figure = go.Figure(
        go.Bar(
            x=[amount for _, amount in amounts],
            y=[part_name(part, language) for part, _ in amounts],
            orientation="h",
            text=[f"{amount:+.2f}" for _, amount in amounts],
            marker_color=["#1a7f4b" if amount >= 0 else "#b3261e" for _, amount in amounts],
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(height=210, margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False)
    figure.update_yaxes(autorange="reversed")
    return figure
