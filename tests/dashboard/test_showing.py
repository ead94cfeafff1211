"""What components and charts are given: words stay words, and signs say what colours say."""

import re
from pathlib import Path

import pytest

from dashboard import words
from dashboard.comparison import compare
from dashboard.escaping import for_plotly
from dashboard.figures import waterfall
from dashboard.metrics_text import histograms, parse, total
from dashboard.slopes import rows
from dashboard.utterance import pieces
from dashboard.words import _WORDS, word  # noqa: PLC2701  # all of them
from recbole_llmfb import Reading, Recommendation, Signal

HOSTILE = ["![](http://x)", "<img src=x onerror=alert(1)>", "<a href='javascript:1'>a</a>", "%{x} $x^2$", "&lt;b&gt;"]


def recommendation(item: str, rank: int, title: str = "") -> Recommendation:
    parts = {"collaborative": 0.5, "text": 0.25, "feedback": -1.0, "bias": 0.0}
    return Recommendation(item=item, title=title or item, rank=rank, score=-0.25, parts=parts)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_label_of_a_chart_has_no_markup(text: str) -> None:
    label = for_plotly(text)
    assert not set(label) & set("<>$") and "%{" not in label


def test_a_label_is_one_short_line() -> None:
    assert for_plotly("a\nb  c") == "a b c"
    assert len(for_plotly("x" * 500)) == 60


@pytest.mark.parametrize("text", HOSTILE)
def test_a_component_gets_the_very_characters(text: str) -> None:
    drawn = rows(compare([], [recommendation(text, 1, text)]), "en")
    assert drawn["after"][0]["title"] == drawn["after"][0]["item"] == text  # type: ignore[index]
    assert "".join(str(one["text"]) for one in pieces(Reading(text=text), "en")) == text


def test_signs_stand_beside_what_moved_and_nothing_beside_what_did_not() -> None:
    before = [recommendation(item, rank) for rank, item in enumerate("abcd", 1)]
    after = [recommendation(item, rank) for rank, item in enumerate("acbe", 1)]
    drawn = rows(compare(before, after, [recommendation("d", 9)]), "en")
    assert [one["sign"] for one in drawn["after"]] == ["", "▲ +1", "▼ −1", "NEW"]  # type: ignore[attr-defined]
    assert [one["sign"] for one in drawn["before"]] == ["", "", "", "DROPPED → 9"]  # type: ignore[attr-defined]
    assert drawn["lines"] == [(3, 2, "up", "c"), (2, 3, "down", "b")]


def test_an_utterance_is_cut_at_its_signals() -> None:
    said = "less horror, more comedy"
    signals = tuple(
        Signal(span=span, text=said[slice(*span)], kind="aspect", polarity=polarity, strength=1.0, aspect=aspect)
        for span, polarity, aspect in [((13, 24), 1.0, "comedy"), ((0, 11), -1.0, "horror"), ((5, 11), -0.5, "scary")]
    )
    cut = pieces(Reading(text=said, signals=signals), "en")
    assert "".join(str(one["text"]) for one in cut) == said
    switches = [(one["text"], one["sign"], one["about"]) for one in cut if "span" in one]
    assert switches == [
        ("less horror", "−", "does not want: horror, scary"),
        ("more comedy", "+", "wants: comedy"),
    ]


def test_a_waterfall_shows_the_parts_of_each_list_that_has_the_item() -> None:
    figure = waterfall([("Before", None), ("After", {"collaborative": 0.5, "feedback": -1.0})], "en")
    (drawn,) = figure.data
    assert list(drawn.y) == [0.5, 0.0, -1.0, 0.0, 0.0]
    assert list(drawn.text)[-1] == "-0.50"


def test_every_word_is_there_in_both_languages() -> None:
    for name, both in _WORDS.items():
        assert all(both), name
        assert word(name, "en") != word(name, "zh"), name


def test_every_word_is_used() -> None:
    folder = Path(words.__file__).parent
    source = "".join(path.read_text() for path in folder.rglob("*.py") if path.name != "words.py")
    views = {path.stem for path in (folder / "views").glob("*.py")}
    quoted = set(re.findall(r"""(["'])(\w+)\1""", source))
    unused = {name for name in _WORDS if name not in views} - {name for _, name in quoted}
    made = {f"job_{state}" for state in ("queued", "running", "done", "failed", "cancelled")}  # of what the service says
    assert unused == made


METRICS = """# HELP llmfb_stage_seconds Time
llmfb_stage_seconds_bucket{le="0.01",stage="read"} 50.0
llmfb_stage_seconds_bucket{le="0.02",stage="read"} 100.0
llmfb_stage_seconds_bucket{le="+Inf",stage="read"} 100.0
llmfb_stage_seconds_sum{stage="read"} 1.0
llmfb_request_seconds_count{method="GET",route="/a\\"b",status="200"} 3.0
llmfb_request_seconds_count{method="GET",route="/a",status="503"} 2.0
"""


def test_percentiles_come_from_buckets() -> None:
    read = histograms(parse(METRICS), "llmfb_stage_seconds", "stage")["read"]
    assert read.count == 100
    assert read.quantile(0.5) == pytest.approx(0.01)
    assert read.quantile(0.75) == pytest.approx(0.015)
    assert total(parse(METRICS), "llmfb_request_seconds_count", status="5") == 2
    assert {one.labels.get("route") for one in parse(METRICS)} >= {'/a\\"b', "/a"}
