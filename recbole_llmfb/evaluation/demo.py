"""What somebody sees first: a model trained on real data, beside RecBole's own, and a list that obeys a sentence."""

from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recbole_llmfb.schema import Feedback, Slate
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.training.quick_start import run_recbole_llmfb

SENTENCE = "no more horror, something light from the 90s"
UNWANTED = "horror"
DATASET = "ml-100k"
_SHOWN = ("ndcg@10", "recall@10", "mrr@10", "hit@10")
_BASELINES: tuple[tuple[str, dict[str, Any]], ...] = (("Pop", {}), ("ItemKNN", {}), ("BPR", {}), ("EASE", {}))
_OURS = {"epochs": 13, "eval_step": 13, "critic_lessons": 24000}  # a third of what `train` takes: a first look should not wait
_COMMON = {"valid_metric": "NDCG@10", "show_progress": False}


def demo(folder: Path, console: Console) -> Slate:
    """Train LLMFB and some of RecBole's models on ml-100k, print their table, then a list before and after a sentence."""
    common = _COMMON | {"checkpoint_dir": str(folder)}
    table = Table(box=None, title="MovieLens 100k, RecBole's split (8:1:1 by user), full ranking, test")
    table.add_column("model")
    for column in (*_SHOWN, "seconds"):
        table.add_column(column, justify="right")
    bundle = ""
    for model, options in (*_BASELINES, ("LLMFB", _OURS)):
        console.print(f"training {model} ...", highlight=False)
        start = monotonic()
        result = run_recbole_llmfb(model=model, dataset=DATASET, config_dict=common | options)
        table.add_row(model, *(f"{result['test_result'][name]:.4f}" for name in _SHOWN), f"{monotonic() - start:.0f}")
        bundle = result["bundle"] or bundle
    console.print(table)
    console.print(
        "RecBole's models with RecBole's defaults, LLMFB with a short training; `make benchmark` tunes each on validation.\n",
        highlight=False,
    )
    slate = _speak(Recommender.load(bundle), console)
    for what, command in (
        ("Say something yourself:", f'recommend {folder / DATASET} --user {slate.user} --text "..."'),
        ("Open the operators' console, and see what moves:", f"console {folder / DATASET}"),
        ("Serve it over HTTP:", f"serve {folder / DATASET}"),
    ):
        console.print(what, highlight=False)
        console.print(f"  .venv/bin/recbole-llmfb {command}", highlight=False, markup=False)
    return slate


def _speak(recommender: Recommender, console: Console) -> Slate:
    """Show the list of the user who is shown most of what the sentence rejects, before and after the sentence."""
    users = recommender.bundle.histories.users
    unwanted = {
        item
        for item, has in zip(recommender.bundle.items["item"], recommender.bundle.items["attributes"], strict=True)
        if UNWANTED in has
    }
    before = max(
        (recommender.recommend(user) for user in users[:200]), key=lambda slate: sum(one.item in unwanted for one in slate.items)
    )
    user = str(before.user)
    _print(console, f"user {user} is shown", before, recommender)
    after = recommender.respond(Feedback(user, text=SENTENCE))
    console.print(f"user {user} says: [bold]{SENTENCE}[/bold]")
    console.print(escape(after.summary), highlight=False)
    _print(console, "and is shown", after, recommender)
    return after


def _print(console: Console, title: str, slate: Slate, recommender: Recommender) -> None:
    texts = dict(zip(recommender.items["item"], recommender.items["text"], strict=True))
    table = Table(box=None, title=title, title_justify="left")
    for column in ("", "movie", "why"):
        table.add_column(column)
    for one in slate.items:
        table.add_row(str(one.rank), escape(texts[one.item]), escape(one.reason))
    console.print(table)
    console.print()
