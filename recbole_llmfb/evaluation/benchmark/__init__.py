"""The benchmark: LLMFB beside RecBole's own models, on one split through one door, each tuned on validation.

Its modules, in the order of the work:

    plan.py       the benchmark's YAML file: which models, which grids, which seeds
    records.py    what has been run, one JSON line each; nothing is run twice
    choice.py     the point of a grid that validation chose
    runner.py     train, choose, test the chosen
    standings.py  the runs as figures with intervals
    table.py      the figures as Markdown
    picture.py    the figures as a plotly picture
"""

from recbole_llmfb.evaluation.benchmark.runner import benchmark

__all__ = ["benchmark"]
