"""The command line: `recbole-llmfb`, also `python -m recbole_llmfb`.

Answers go to standard output, progress and logs to standard error. Wrong use exits with 2 and one line that says what to do, a
failed run with 1. Heavy libraries are imported inside the commands, so that `--help` is quick and serving needs no RecBole.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from recbole_llmfb import access_cli
from recbole_llmfb.cli_serving import backup, restore, serve
from recbole_llmfb.console_cli import console
from recbole_llmfb.errors import LlmfbError, MissingExtraError, UsageError
from recbole_llmfb.printing import fail, one_line, print_json, print_report, print_slate, table

_TRAINING_LIBRARIES = frozenset("hyperopt peft plotly recbole scipy sklearn tensorboard".split())  # that the extra `train` brings

app = typer.Typer(
    name="recbole-llmfb",
    help="Recommenders that listen: train through RecBole, serve, and re-rank by what users say.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(access_cli.keys, name="keys")
app.add_typer(access_cli.accounts, name="accounts")

Config = Annotated[Path, typer.Argument(help="A YAML file with `model`, `dataset` and RecBole's and our keys.")]
Override = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be repeated.")]
BundlePath = Annotated[Path, typer.Argument(help="A bundle, or a folder of bundles (its champion).")]
Count = Annotated[int, typer.Option("--k", help="How many items.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]
Lang = Annotated[str, typer.Option(help="Language of reasons: en or zh.")]


app.command()(serve)
app.command()(backup)
app.command()(restore)
app.command()(console)


@app.command()
def train(
    config: Config,
    override: Override = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint of this model.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model, test it, and write a bundle if it is LLMFB."""
    from recbole_llmfb.training.checkpoint import newest_checkpoint
    from recbole_llmfb.training.config import build_config
    from recbole_llmfb.training.config_files import parse_overrides
    from recbole_llmfb.training.quick_start import run_recbole_llmfb

    given = parse_overrides(override or [])
    checkpoint = newest_checkpoint(build_config(config_file_list=[config], config_dict=given)) if resume else None
    result = run_recbole_llmfb(config_file_list=[config], config_dict=given, resume=checkpoint)
    if as_json:
        print_json(result)
        return
    shown = table("", "validation", "test")
    for name, value in result["test_result"].items():
        shown.add_row(name, f"{result['best_valid_result'][name]:.4f}", f"{value:.4f}")
    Console().print(shown)
    if result["bundle"]:
        typer.echo(f"bundle: {result['bundle']}")


@app.command()
def tune(config: Config, override: Override = None, as_json: AsJson = False) -> None:
    """Search hyper-parameters with RecBole's HyperTuning; the file's key `tune` says which."""
    from recbole_llmfb.training.config_files import parse_overrides
    from recbole_llmfb.training.search import tune as search

    found = search([config], config_dict=parse_overrides(override or []))
    if as_json:
        print_json(asdict(found))
        return
    shown = table("parameters", "validation", "test")
    for trial in found.trials:
        best = "  <- best" if trial is found.best else ""
        name, score = next(iter(trial.result["test_result"].items()))
        params = ", ".join(f"{key}={value}" for key, value in trial.params.items())
        shown.add_row(escape(params) + best, f"{trial.result['best_valid_score']:.4f}", f"{name} {score:.4f}")
    Console().print(shown)


@app.command()
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


@app.command()
def export_encoder(
    bundle: BundlePath,
    backend: Annotated[str, typer.Option(help="What runs the encoder: onnx, or onnx-int8.")] = "onnx-int8",
    as_json: AsJson = False,
) -> None:
    """Write a version of a bundle whose encoder runs in ONNX Runtime, unless that ranks worse by more than 0.5 %."""
    from recbole_llmfb.training.encoder_export import export_encoder as export

    exported = export(bundle, backend)  # type: ignore[arg-type]  # it checks the name
    if as_json:
        print_json(exported.as_dict())
        return
    typer.echo(exported.text())


@app.command()
def rank(
    bundle: BundlePath,
    text: Annotated[str, typer.Option(help="What somebody says.")],
    history: Annotated[str, typer.Option(help="Item ids, separated by commas.")] = "",
    exclude: Annotated[str, typer.Option(help="Item ids, separated by commas.")] = "",
    k: Count = 10,
    lang: Lang = "en",
    as_json: AsJson = False,
) -> None:
    """Rank items for a text and a history; nothing is remembered."""
    from recbole_llmfb.serving.recommender import Recommender

    recommender = Recommender.load(bundle)
    slate = recommender.rank(text=text, history=_ids(history), exclude=_ids(exclude), k=k, lang=_language(lang))
    print_slate(slate, as_json=as_json)


@app.command()
def recommend(
    bundle: BundlePath,
    user: Annotated[str, typer.Option(help="A user id of the data; an unknown one is a new user.")],
    text: Annotated[str | None, typer.Option(help="What the user says.")] = None,
    k: Count = 10,
    lang: Lang = "en",
    as_json: AsJson = False,
) -> None:
    """The next list of a user, after what the user says."""
    from recbole_llmfb.schema import Feedback
    from recbole_llmfb.serving.recommender import Recommender

    recommender = Recommender.load(bundle)
    if text is None:
        slate = recommender.recommend(user, k=k, lang=_language(lang))
    else:
        slate = recommender.respond(Feedback(user, text=text), k=k, lang=_language(lang))
    print_slate(slate, as_json=as_json)


@app.command()
def convert(
    kind: Annotated[
        str,
        typer.Argument(
            help="amazon-reviews, yelp, movielens, inspired, redial, conversation-movies, cpcd, iard, user-satisfaction, jsonl."
        ),
    ],
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A file or a folder, gzipped or not.")],
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The new folder for the atomic files.")],
    name: Annotated[str | None, typer.Option(help="Name of the data set; by default DEST's.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave malformed lines out, and count them.")] = False,
    meta: Annotated[Path | None, typer.Option(help="amazon-reviews: a file of item metadata.")] = None,
    text: Annotated[list[Path] | None, typer.Option(help="Movies: a file that describes them; may be repeated.")] = None,
    tags: Annotated[str, typer.Option(help="movielens: tags as feedback, as keywords, or none.")] = "feedback",
    all_items: Annotated[bool, typer.Option("--all-items", help="Keep items that nobody has.")] = False,
    field: Annotated[list[str] | None, typer.Option(metavar="ROLE=KEY", help="jsonl: a key; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a published data set, or a file of your own, into atomic files with text and feedback."""
    from recbole_llmfb.convert import Options
    from recbole_llmfb.convert import convert as run

    options = Options.parse(meta=meta, text=text or (), tags=tags, all_items=all_items, field=field or ())
    report = run(kind, source, destination, name=name, skip_bad=skip_bad, options=options)
    typer.echo(report.model_dump_json() if as_json else report.text())


@app.command()
def benchmark(
    config: Config,
    only: Annotated[list[str] | None, typer.Option(help="Run these models only; may be repeated.")] = None,
) -> None:
    """Compare models on one split; goes on where it stopped, and writes the table and the picture."""
    from recbole_llmfb.evaluation.benchmark import benchmark as compare

    typer.echo(compare(config, only=only))


@app.command()
def benchmark_serving(
    bundle: BundlePath,
    results: Annotated[Path, typer.Option(help="Where the table goes.")] = Path("results/serving.md"),
    size: Annotated[list[int] | None, typer.Option(help="Items of a catalogue; may be repeated.", min=1000)] = None,
    calls: Annotated[int, typer.Option(help="Timed answers of each catalogue.", min=10)] = 300,
    kills: Annotated[int, typer.Option(help="How often the service is killed under load.", min=1)] = 20,
    database: Annotated[list[str] | None, typer.Option(help="One more to be killed over, empty; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Time a bundle's answers, and write the table of ratios beside times."""
    from recbole_llmfb.evaluation.serving import benchmark_serving as measure
    from recbole_llmfb.evaluation.serving.benchmark import SIZES

    report = measure(bundle, sizes=tuple(size) if size else SIZES, calls=calls, kills=kills, databases=database or ())
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(report.markdown(), encoding="utf-8")
    if as_json:
        print_json(report.as_dict())
        return
    typer.echo(report.markdown())


@app.command()
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


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the bundle goes.")] = Path("saved"),
) -> None:
    """Train on ml-100k, compare with RecBole's models, and let a user speak."""
    from recbole_llmfb.evaluation.demo import demo as show

    show(folder, Console())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; see the module."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the tokenizer warns when a process with threads forks
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="recbole-llmfb", standalone_mode=False)
    except typer.TyperException as error:
        fail(f"{error.format_message()} (see recbole-llmfb --help)", 2)
    except (UsageError, ValidationError) as error:
        fail(one_line(error), 2)
    except LlmfbError as error:
        fail(one_line(error), 1)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _TRAINING_LIBRARIES:
            raise
        fail(one_line(MissingExtraError("this command", library, extra="train", remedy=" (with Python 3.11)")), 1)
    except (KeyboardInterrupt, typer.Abort):
        fail("stopped", 1)
    else:
        sys.exit(code if isinstance(code, int) else 0)


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


def _ids(listed: str) -> list[str]:
    return [one.strip() for one in listed.split(",") if one.strip()]


def _language(lang: str) -> Any:
    if lang not in ("en", "zh"):
        raise UsageError(f"--lang {lang!r}: choose en or zh")
    return lang
