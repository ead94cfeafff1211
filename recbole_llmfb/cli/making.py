"""Commands that make models and data: `train`, `tune`, `convert`, `export-encoder` and `demo`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from recbole_llmfb.cli.options import AsJson, BundlePath, Config, Override
from recbole_llmfb.cli.printing import print_json, table


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


def demo(
    folder: Annotated[Path, typer.Option(help="Where the bundle goes.")] = Path("saved"),
) -> None:
    """Train on ml-100k, compare with RecBole's models, and let a user speak."""
    from recbole_llmfb.evaluation.demo import demo as show

    show(folder, Console())
