"""`recbole-llmfb jobs`: trainings in processes of their own, asked for, watched and cancelled."""

import logging.config
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from recbole_llmfb.cli.options import DATABASE, AsJson, DatabaseUrl
from recbole_llmfb.cli.printing import print_json, print_wide, table
from recbole_llmfb.cli.versions import ACTOR, Root

if TYPE_CHECKING:
    from recbole_llmfb.serving.access import Principal
    from recbole_llmfb.serving.jobs import Job, Jobs

jobs = typer.Typer(help="Trainings from feedback: work, start, list, show, cancel.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="As `jobs list` shows it.")]


@jobs.command("work")
def work(
    root: Root,
    database: DatabaseUrl = DATABASE,
    queue: Annotated[
        str | None,
        typer.Option(metavar="URL", help="sqlite:///file.db, postgresql://... or redis://...; by default, with the database."),
    ] = None,
    every: Annotated[str | None, typer.Option(metavar="TIME", help="Train this often without being asked: 30m, 6h, 1d.")] = None,
    after: Annotated[int | None, typer.Option(help="Train after so many new feedbacks without being asked.", min=1)] = None,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="How long such a training may take.")] = "6h",
    folder: Annotated[Path | None, typer.Option(help="Where logs go; by default beside the database.")] = None,
    command: Annotated[str | None, typer.Option(help="What a job runs instead of `recbole-llmfb learn`.")] = None,
) -> None:
    """Run trainings as they are asked for, one at a time, until Ctrl-C."""
    from recbole_llmfb.learning.jobs.schedule import Schedule, seconds
    from recbole_llmfb.learning.jobs.worker import Worker, WorkerSettings
    from recbole_llmfb.serving.service.logs import configuration
    from recbole_llmfb.serving.store import Database

    schedule = Schedule(seconds(every) if every else None, after, seconds(timeout))
    settings = WorkerSettings(root, queue, folder, tuple(shlex.split(command or "")), schedule)
    logging.config.dictConfig(configuration())
    opened = Database(database)
    try:
        Worker(opened, settings).run(lambda name: typer.echo(f"worker {name} takes jobs of {root}"))
    finally:
        opened.close()


@jobs.command("start")
def start(
    root: Root,
    database: DatabaseUrl = DATABASE,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="How long the training may take.")] = "6h",
    as_json: AsJson = False,
) -> None:
    """Ask for a training. A worker begins it."""
    from recbole_llmfb.learning.jobs.schedule import seconds

    with _jobs(root, database) as (known, myself):
        _show([known.start(myself, seconds(timeout))], as_json=as_json)
        if not as_json and not known.page(1).workers:
            typer.echo(f"no worker is there to run it: recbole-llmfb jobs work {root} --database {database}", err=True)


@jobs.command("list")
def list_jobs(
    root: Root,
    database: DatabaseUrl = DATABASE,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=500)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest jobs."""
    with _jobs(root, database) as (known, _):
        _show(list(known.page(limit).jobs), as_json=as_json)


@jobs.command("show")
def show(root: Root, job: JobId, database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Show one job with the end of its log."""
    with _jobs(root, database) as (known, _):
        found = known.one(job)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    _show([found], as_json=False)
    typer.echo(found.tail)


@jobs.command("cancel")
def cancel(root: Root, job: JobId, database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Have a job not begin, or stop."""
    with _jobs(root, database) as (known, myself):
        _show([known.cancel(myself, job)], as_json=as_json)


@contextmanager
def _jobs(root: Path, url: str) -> "Iterator[tuple[Jobs, Principal]]":
    from recbole_llmfb.bundle.folder import model_of
    from recbole_llmfb.serving.access import Principal
    from recbole_llmfb.serving.jobs import Jobs
    from recbole_llmfb.serving.store import Database

    database = Database(url)
    try:
        yield Jobs(database, model_of(root)), Principal(ACTOR, "admin")
    finally:
        database.close()


def _show(found: "list[Job]", *, as_json: bool) -> None:
    if as_json:
        print_json([one.model_dump(mode="json", exclude={"tail"}) for one in found])
        return
    shown = table("job", "state", "progress", "asked for by", "created", "why")
    for one in found:
        progress = f"{one.share:.0%} {one.step}" if one.started else ""
        shown.add_row(one.id, one.state, escape(progress), escape(one.actor), f"{one.created:%Y-%m-%d %H:%M}", escape(one.reason))
    print_wide(shown)
