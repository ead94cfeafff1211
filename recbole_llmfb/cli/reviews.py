"""`recbole-llmfb reviews`: what is held back from training until somebody has looked at it, without the service having to run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from recbole_llmfb.cli.options import DATABASE, AsJson, DatabaseUrl, one_of
from recbole_llmfb.cli.printing import print_json, table

if TYPE_CHECKING:
    from recbole_llmfb.serving.store import Database
    from recbole_llmfb.serving.store.reviews import Decision, Review

reviews = typer.Typer(help="Feedback held for review: scan, list, release, reject.", no_args_is_help=True)
Burst = Annotated[str, typer.Argument(help="As `reviews list` shows it.")]


@reviews.command("scan")
def scan(database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Hold bursts of near-identical comments of many new accounts; a training does so by itself."""
    from recbole_llmfb.learning.screening import screen

    with _opened(database) as opened:
        found = screen(opened)
    if as_json:
        print_json({"bursts": len(found.bursts), "held": found.held, "withheld": len(found.withheld)})
    else:
        typer.echo(f"{len(found.bursts)} bursts; {found.held} records newly held, {len(found.withheld)} left out in all")


@reviews.command("list")
def show(
    database: DatabaseUrl = DATABASE,
    status: Annotated[str, typer.Option(help="held, released or rejected.")] = "held",
    as_json: AsJson = False,
) -> None:
    """Show bursts, the latest first."""
    from recbole_llmfb.serving.store.reviews import Reviews

    chosen = one_of("status", status, "held", "released", "rejected")
    with _opened(database) as opened:
        _show(list(Reviews(opened).page(chosen, limit=500).reviews), as_json=as_json)


@reviews.command("release")
def release(burst: Burst, database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Let a burst take part in training."""
    _decide(burst, "release", database, as_json=as_json)


@reviews.command("reject")
def reject(burst: Burst, database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Leave a burst out of training for good; the log keeps it."""
    _decide(burst, "reject", database, as_json=as_json)


def _decide(burst: str, decision: "Decision", url: str, *, as_json: bool) -> None:
    from recbole_llmfb.serving.access import Principal, open_access
    from recbole_llmfb.serving.access.reviewing import review

    with _opened(url) as opened:
        made = review(opened, open_access(opened).audit, Principal("command-line", "admin"), burst, decision)
    _show([made], as_json=as_json)


@contextmanager
def _opened(url: str) -> "Iterator[Database]":
    from recbole_llmfb.serving.store import Database

    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def _show(shown: "list[Review]", *, as_json: bool) -> None:
    if as_json:
        print_json([one.model_dump(mode="json") for one in shown])
        return
    made = table("burst", "status", "records", "accounts", "items", "first said")
    for one in shown:
        cells = (one.burst, one.status, str(one.records), str(one.users), ", ".join(one.items), one.texts[0] if one.texts else "")
        made.add_row(*map(escape, cells))
    Console().print(made)
