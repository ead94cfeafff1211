"""Commands that judge a bundle, a configuration or the service: `evaluate`, `conversations`, all that begin with `benchmark`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from recbole_llmfb.cli.options import AsJson, BundlePath, Config, Override
from recbole_llmfb.cli.printing import print_json, print_report
from recbole_llmfb.errors import UsageError


def evaluate(
    bundle: Annotated[Path | None, typer.Argument(help="A bundle, or a folder of bundles (its champion).")] = None,
    episodes: Annotated[int, typer.Option(help="Simulated conversations.", min=10)] = 2000,
    phrase_book: Annotated[Path | None, typer.Option(help="Another phrase book for the simulated users.")] = None,
    behaviour: Annotated[bool, typer.Option("--behaviour", help="Judge how it reads written utterances, alone.")] = False,
    labels: Annotated[list[Path] | None, typer.Option(help="Texts with the stance of people; may be repeated.")] = None,
    folds: Annotated[int, typer.Option(help="Without a bundle: folds of the labels' seekers.", min=2)] = 5,
    as_json: AsJson = False,
) -> None:
    """Judge a bundle on what its training held out: RecBole's metrics, and simulated users who criticise.

    With --labels, judge how the stance of people is read: by the bundle, or without one by cross-validation.
    """
    if bundle is None and (behaviour or not labels):
        raise UsageError("evaluate needs a BUNDLE, or --labels FILE")
    if behaviour and labels:
        raise UsageError("--behaviour and --labels judge different things: give one of them")
    print_report(_report(bundle, episodes, phrase_book, labels or (), folds, behaviour), as_json=as_json)


def benchmark(
    config: Config,
    only: Annotated[list[str] | None, typer.Option(help="Run these models only; may be repeated.")] = None,
) -> None:
    """Compare models on one split; goes on where it stopped, and writes the table and the picture."""
    from recbole_llmfb.evaluation.benchmark import benchmark as compare

    typer.echo(compare(config, only=only))


def conversations(
    config: Config,
    fold: Annotated[list[int] | None, typer.Option(help="Run these folds only; may be repeated.", min=0)] = None,
    results: Annotated[Path, typer.Option(help="Where the table and the finished folds go.")] = Path("results"),
    override: Override = None,
) -> None:
    """Train on dialogues and judge what is recommended next in those held out, fold by fold; goes on where it stopped."""
    from recbole_llmfb.evaluation.conversation_table import write_report
    from recbole_llmfb.training.config_files import parse_overrides

    typer.echo(write_report(config, results, folds=fold, config_dict=parse_overrides(override or [])))


def benchmark_serving(
    bundle: BundlePath,
    results: Annotated[Path, typer.Option(help="Where the table goes.")] = Path("results/serving.md"),
    size: Annotated[list[int] | None, typer.Option(help="Items of a catalogue; may be repeated.", min=1000)] = None,
    calls: Annotated[int, typer.Option(help="Timed answers of each catalogue.", min=1)] = 300,
    starts: Annotated[int, typer.Option(help="Timed starts of the service.", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of each of three rounds of requests.", min=0.1)] = 5.0,
    kills: Annotated[int, typer.Option(help="How often the service is killed under load.", min=1)] = 20,
    database: Annotated[
        list[str] | None,
        typer.Option(help="One more to be killed over, empty; a throw-away PostgreSQL, unless given; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Time a bundle's answers, and write the table of ratios beside times: with the defaults in ten minutes on two cores."""
    from recbole_llmfb.evaluation.serving import benchmark_serving as measure
    from recbole_llmfb.evaluation.serving.report import SIZES

    report = measure(
        bundle, sizes=size or SIZES, calls=calls, starts=starts, seconds=seconds, kills=kills, databases=database or ()
    )
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(report.markdown(), encoding="utf-8")
    print_report(report, as_json=as_json)


def benchmark_attack(
    config: Config,
    results: Annotated[Path, typer.Option(help="Where the table and the finished trainings go.")] = Path("results"),
    seed: Annotated[list[int] | None, typer.Option(help="A split; may be repeated.")] = None,
    items: Annotated[int, typer.Option(help="Items that are pushed, one at a time, for each seed.", min=1)] = 5,
) -> None:
    """Measure how far false accounts push an item, with and without the defences; goes on where it stopped."""
    from recbole_llmfb.learning.benchmark.attack_table import benchmark_attack as measure

    typer.echo(measure(config, results, seeds=seed or (2020,), items=items))


def benchmark_console(
    bundle: BundlePath,
    interactions: Annotated[int, typer.Option(help="Previews before the other operators come.", min=50)] = 200,
    operators: Annotated[int, typer.Option(help="Others who work at the same time, without a browser.", min=1)] = 9,
) -> None:
    """Time the console in a browser: first paint, redraw, redraw among other operators, memory. Prints JSON."""
    from recbole_llmfb.evaluation.console import measure_console

    print_json(measure_console(bundle, interactions=interactions, operators=operators).model_dump())


def _report(
    bundle: Path | None, episodes: int, phrase_book: Path | None, labels: Sequence[Path], folds: int, behaviour: bool
) -> Any:
    """What `evaluate` is asked for; see its options."""
    if labels:
        from recbole_llmfb.evaluation import stance

        return stance.judge(bundle, labels) if bundle else stance.cross_validate(labels, folds=folds)
    assert bundle is not None
    if behaviour:
        from recbole_llmfb.evaluation.behaviour import judge

        return judge(bundle)
    from recbole_llmfb.evaluation.evaluate import evaluate

    return evaluate(bundle, episodes=episodes, phrase_book=phrase_book)
