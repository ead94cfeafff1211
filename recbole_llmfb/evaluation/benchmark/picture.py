"""The benchmark's picture: each model's headline figure as a point with its interval."""

import logging
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from recbole_llmfb.evaluation.benchmark.standings import HEADLINE, Standing

OURS, THEIRS = "#c2410c", "#475569"
_WIDTH, _ROW = 760, 38

_log = logging.getLogger(__name__)


def draw(found: Sequence[Standing], stem: Path) -> Path | None:
    """Write the figure as `<stem>.plotly.json`, and as `<stem>.svg` where kaleido and a Chromium are installed.

    Returns the path of the SVG: a new one, or the one that was there and is of the same figure; None where there is neither.
    """
    figure = build(found)
    stem.parent.mkdir(parents=True, exist_ok=True)
    source, picture = stem.with_name(f"{stem.name}.plotly.json"), stem.with_name(f"{stem.name}.svg")
    text = figure.to_json(pretty=True) + "\n"
    if picture.is_file() and source.is_file() and source.read_text(encoding="utf-8") == text:
        return picture
    source.write_text(text, encoding="utf-8")
    try:
        figure.write_image(picture)
    except (ImportError, ValueError, RuntimeError) as missing:  # plotly: no kaleido, or kaleido found no Chromium
        picture.unlink(missing_ok=True)  # it would show other figures than the table
        reason = str(missing).strip().partition("\n")[0]
        _log.warning("%s is not drawn (%s): pip install kaleido, install Chromium; %s has the figure", picture, reason, source)
        return None
    return picture


def build(found: Sequence[Standing]) -> go.Figure:
    """The figure; the best model on top."""
    rows = sorted(found, key=lambda standing: standing.figure(HEADLINE).value)
    most = max((len(standing.runs) for standing in rows), default=0)
    estimates = [standing.figure(HEADLINE) for standing in rows]
    figure = go.Figure(
        go.Scatter(
            x=[estimate.value for estimate in estimates],
            y=[_name(standing, most) for standing in rows],
            mode="markers+text",
            cliponaxis=False,
            text=[f"{estimate.value:.3f}" for estimate in estimates],
            textposition="top center",
            marker={"size": 11, "color": [OURS if standing.is_ours else THEIRS for standing in rows]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [estimate.high - estimate.value for estimate in estimates],
                "arrayminus": [estimate.value - estimate.low for estimate in estimates],
                "color": "#94a3b8",
                "thickness": 1.5,
            },
        )
    )
    figure.update_layout(
        title={"text": f"Test {HEADLINE}, mean of the seeds, with 95 % interval over users", "font": {"size": 15}},
        width=_WIDTH,
        height=120 + _ROW * len(rows),
        margin={"l": 10, "r": 30, "t": 60, "b": 40},
        font={"family": "sans-serif", "size": 13, "color": "#0f172a"},
        plot_bgcolor="white",
        xaxis={"title": {"text": HEADLINE}, "gridcolor": "#e2e8f0", "zeroline": False},
        yaxis={"gridcolor": "#f1f5f9", "automargin": True, "range": [-0.6, len(rows) - 0.3]},
    )
    return figure


def _name(standing: Standing, most: int) -> str:
    """A row that ran on fewer seeds than others says so: its splits are not theirs."""
    count = len(standing.runs)
    return standing.entrant.label + ("" if count == most else f" ({count} {'seed' if count == 1 else 'seeds'})")
