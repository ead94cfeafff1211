"""Charts. What users and items are called goes through `for_plotly`."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from statistics import fmean

import plotly.graph_objects as go

from dashboard.escaping import for_plotly
from dashboard.words import Language, word

PARTS = {"collaborative": "from_history", "text": "from_text", "feedback": "from_said", "bias": "from_popularity"}
QUIET = {"displayModeBar": False}
UP, DOWN = "#1a7f4b", "#b3261e"


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
            increasing_marker_color=("#7fbf9a", UP)[place % 2],
            decreasing_marker_color=("#e0a0a0", DOWN)[place % 2],
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
            marker_color=[_signed(amount, faint=False) for _, amount in amounts],
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(height=210, margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False)
    figure.update_yaxes(autorange="reversed")
    return figure


def wish_bars(wishes: Sequence[tuple[str, float, float]], language: Language, most: int = 12) -> go.Figure:
    """Wishes of a user as they were said and as they count now, those for something to the right.

    Args:
        wishes: words, weight as said, and weight now, both in [-1, 1]; the weightiest first. most: how many are drawn.
    """
    drawn = wishes[:most]
    names = [f"{place}. {for_plotly(words, 40)}" for place, (words, _, _) in enumerate(drawn, 1)]
    figure = go.Figure()
    said, left = [wish[1] for wish in drawn], [wish[2] for wish in drawn]
    for name, amounts, shape in (("as_said", said, "/"), ("now", left, "")):
        figure.add_bar(
            name=word(name, language),
            x=amounts,
            y=names,
            orientation="h",
            text=[f"{amount:+.2f}" for amount in amounts],
            marker={"color": [_signed(amount, faint=amounts is said) for amount in amounts], "pattern": {"shape": shape}},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    figure.update_layout(height=120 + 44 * len(drawn), margin={"l": 8, "r": 8, "t": 8, "b": 8}, barmode="group")
    figure.update_layout(legend={"orientation": "h", "y": 1.05, "yanchor": "bottom"})
    figure.update_xaxes(range=[-1.15, 1.15], zeroline=True)
    figure.update_yaxes(type="category", autorange="reversed")  # ids are no numbers
    return figure


def timeline(marks: Sequence[tuple[datetime, str, str, bool]]) -> go.Figure:
    """One mark for each record, by time and kind; what does not count any more is hollow.

    Args:
        marks: time, kind, words, and whether it counts.
    """
    figure = go.Figure(
        go.Scatter(
            x=[time for time, _, _, _ in marks],
            y=[kind for _, kind, _, _ in marks],
            mode="markers",
            marker={"size": 12, "symbol": ["circle" if counts else "circle-open" for _, _, _, counts in marks]},
            text=[for_plotly(words) for _, _, words, _ in marks],
            hovertemplate="%{x|%Y-%m-%d %H:%M}<br>%{text}<extra></extra>",
        )
    )
    figure.update_layout(height=220, margin={"l": 8, "r": 8, "t": 8, "b": 8})
    return figure


def sentiment_bars(counts: Sequence[tuple[date, str, int]], language: Language) -> go.Figure:
    """How much was said on each day: what is positive or neutral upwards, what is negative downwards."""
    figure = go.Figure()
    for polarity, colour, shape, way in (("neutral", "#7a8699", ".", 1), ("positive", UP, "", 1), ("negative", DOWN, "/", -1)):
        of_kind = [(day, number) for day, its, number in counts if its == polarity]
        figure.add_bar(
            name=word(polarity, language),
            x=[day for day, _ in of_kind],
            y=[way * number for _, number in of_kind],
            customdata=[number for _, number in of_kind],
            marker={"color": colour, "pattern": {"shape": shape}},
            hovertemplate="%{x|%Y-%m-%d}: %{customdata}",
        )
    figure.update_layout(height=300, margin={"l": 8, "r": 8, "t": 8, "b": 8}, barmode="relative")
    figure.update_layout(legend={"orientation": "h", "y": 1.05, "yanchor": "bottom"})
    figure.update_xaxes(type="date", tickformat="%Y-%m-%d", nticks=5)
    figure.update_yaxes(tickformat=",d", nticks=6)
    return figure


def topic_bars(topics: Sequence[tuple[str, int, int]], language: Language) -> go.Figure:
    """How many want an attribute, to the right, and how many do not, to the left. topics: name, wanted, refused."""
    names = [for_plotly(name, 30) for name, _, _ in topics]
    figure = go.Figure()
    for name, column, colour, shape, way in (("wants", 1, UP, "", 1), ("refuses", 2, DOWN, "/", -1)):
        numbers = [int(topic[column]) for topic in topics]
        figure.add_bar(
            name=word(name, language),
            x=[way * number for number in numbers],
            y=names,
            orientation="h",
            text=[str(number or "") for number in numbers],
            marker={"color": colour, "pattern": {"shape": shape}},
            hovertemplate="%{y}: %{text}",
        )
    figure.update_layout(height=max(300, 80 + 24 * len(topics)), margin={"l": 8, "r": 8, "t": 8, "b": 8}, barmode="relative")
    figure.update_layout(legend={"orientation": "h", "y": 1.05, "yanchor": "bottom"})
    figure.update_yaxes(type="category", autorange="reversed")
    return figure


def model_bars(values: Mapping[str, Mapping[int, float]], metric: str) -> go.Figure:
    """Means of models as bars, the best on top, with a mark for each seed. values: by model and seed, in the order drawn."""
    names = [for_plotly(name) for name in values]
    means = [fmean(of_model.values()) for of_model in values.values()]
    figure = go.Figure(
        go.Bar(
            x=means,
            y=names,
            orientation="h",
            text=[f"{mean:.3f}" for mean in means],
            textposition="inside",
            insidetextanchor="start",
            marker={"color": ["#c2410c" if name.startswith("LLMFB") else "#8a97a8" for name in names]},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    marks = [(value, name, seed) for name, of in zip(names, values.values(), strict=True) for seed, value in of.items()]
    figure.add_scatter(
        x=[value for value, _, _ in marks],
        y=[name for _, name, _ in marks],
        text=[f"{seed}: {value:.4f}" for value, _, seed in marks],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 12, "color": "#1f2937"},
        hovertemplate="%{y}, %{text}<extra></extra>",
    )
    figure.update_layout(height=120 + 34 * len(values), margin={"l": 8, "r": 8, "t": 8, "b": 40}, showlegend=False)
    figure.update_xaxes(title=metric, rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return figure


def _signed(amount: float, *, faint: bool) -> str:
    """The colour of an amount by its sign."""
    return ("#7fbf9a" if faint else UP) if amount >= 0 else ("#e0a0a0" if faint else DOWN)
