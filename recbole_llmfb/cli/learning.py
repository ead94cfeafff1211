"""Commands that close the loop: `export`, `learn` and `benchmark-learning`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from recbole_llmfb.cli.options import DATABASE, AsJson, Config, DatabaseUrl, Override, one_of
from recbole_llmfb.cli.printing import print_json


def export(
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="The new folder for the atomic files.")],
    database: DatabaseUrl = DATABASE,
    since: Annotated[
        Path | None, typer.Option(metavar="BUNDLE", help="Only what this bundle, or this folder's champion, has not learned.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the files; by default DEST's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write what people did, said and were shown as atomic files; the same log gives the same bytes."""
    from recbole_llmfb.bundle import load_bundle
    from recbole_llmfb.learning.exporting import export as run
    from recbole_llmfb.serving.store import Database

    opened = Database(database)
    try:
        exported = run(opened, destination, since=load_bundle(since) if since else None, name=name)
    finally:
        opened.close()
    if as_json:
        print_json({"folder": str(exported.folder), "rows": exported.rows, "fingerprint": exported.fingerprint})
        return
    for file, rows in exported.rows.items():
        typer.echo(f"{exported.folder / file}: {rows} rows")
    typer.echo(f"fingerprint: {exported.fingerprint}")


def learn(
    database: DatabaseUrl = DATABASE,
    bundle: Annotated[Path, typer.Option(metavar="CHAMPION", help="A folder of bundles, whose champion is challenged.")] = Path(
        "saved"
    ),
    items: Annotated[Path | None, typer.Option(help="An .item file with the catalogue as it is now.")] = None,
    encoder: Annotated[
        str, typer.Option("--encoder-tuning", help="lora, top:<n>, full, or frozen for the same vectors.")
    ] = "lora",
    epochs: Annotated[int, typer.Option(help="Passes over old and new data.", min=1)] = 3,
    newest: Annotated[float, typer.Option(help="Share of new interactions to judge by.", min=0.01, max=0.9)] = 0.2,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Train a challenger from the champion on what the log has since, and promote it if it is better and breaks nothing.

    What looks like a campaign of new accounts is held for review first; see `reviews`.
    """
    from recbole_llmfb.learning.jobs.reporting import Reporter
    from recbole_llmfb.learning.learn import Options
    from recbole_llmfb.learning.learn import learn as run
    from recbole_llmfb.learning.screening import screen
    from recbole_llmfb.learning.warm import Warmth
    from recbole_llmfb.serving.store import Database
    from recbole_llmfb.training.config_files import parse_overrides

    given = parse_overrides(override or [])
    moved = {"data_path": given.pop("data_path")} if "data_path" in given else None  # of the champion's data, not of the new ones
    warmth = Warmth(encoder_tuning=encoder, epochs=epochs, settings=given)
    opened, job = Database(database), Reporter.of_this_process()

    def progress(step: str, share: float | None) -> None:
        _tell(step, share)
        job.progress(step, share)

    options = Options(warmth, items, newest, config_dict=moved, screen=partial(screen, opened))
    try:
        report = run(opened, bundle, options=options, progress=progress, cancelled=job.cancelled)
    finally:
        opened.close()
    typer.echo(report.model_dump_json() if as_json else report.text())


def benchmark_learning(
    config: Config,
    results: Annotated[Path, typer.Option(help="Where the page and the finished runs go.")] = Path("results"),
    work: Annotated[Path, typer.Option(help="Where data and bundles go.")] = Path("saved/benchmark-learning"),
    encoder: Annotated[
        str, typer.Option("--encoder-tuning", help="Of the first training; frozen, or top:<n> and then lora.")
    ] = "frozen",
    seeds: Annotated[int, typer.Option(help="Challengers that must not be promoted, of each kind.", min=1)] = 20,
    only: Annotated[list[str] | None, typer.Option(help="line, shuffled or equal; may be repeated.")] = None,
    override: Override = None,
) -> None:
    """Learn slice by slice from a public data set, and write the table; goes on where it stopped."""
    from recbole_llmfb.learning.benchmark import PARTS
    from recbole_llmfb.learning.benchmark import benchmark_learning as run
    from recbole_llmfb.training.config_files import parse_overrides

    parts = [one_of("only", part, *PARTS) for part in only or PARTS]
    told = " ".join(["recbole-llmfb benchmark-learning", str(config), *(f"--set {one}" for one in override or [])])
    typer.echo(
        run(
            config, folder=results, work=work, encoder_tuning=encoder, seeds=seeds, parts=parts,
            settings=parse_overrides(override or []), command=told,
        )
    )  # fmt: skip


def _tell(step: str, share: float | None) -> None:
    if share == 0.0:
        typer.echo(f"{step} ...", err=True)
