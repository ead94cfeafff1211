"""Commands that serve, and that look after what a service keeps: `recbole-llmfb serve`, `backup` and `restore`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from recbole_llmfb.cli.options import DATABASE, AccessFile, BundlePath, DatabaseUrl, Durable, Host, Port


def serve(
    bundle: BundlePath,
    database: DatabaseUrl = DATABASE,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(help="Processes over the same database.", min=1)] = 1,
    durable: Durable = False,
    access: AccessFile = None,
) -> None:
    """Serve a bundle over HTTP: recommendations that listen, until Ctrl-C."""
    from recbole_llmfb.serving.service.running import Settings, run

    run(Settings(bundle, database, host, port, workers, durable, access), _tell)


def backup(
    file: Annotated[Path, typer.Argument(help="A new file.")],
    database: DatabaseUrl = DATABASE,
) -> None:
    """Copy an SQLite database to a file, also while a service writes to it, and check the copy."""
    from recbole_llmfb.serving.store.backup import back_up

    typer.echo(f"{file}: {back_up(database, file)} records of feedback, checked")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` made.")],
    database: DatabaseUrl = DATABASE,
) -> None:
    """Make an SQLite database of a copy. One that holds anything is left alone."""
    from recbole_llmfb.serving.store.backup import restore as restore_from

    typer.echo(f"{database}: {restore_from(file, database)} records of feedback, checked")


def _tell(address: str) -> None:
    said = json.dumps({"user": "somebody", "text": "less violence, more 90s romance"})
    typer.echo(f"serving at {address}, described at {address}/docs; try")
    typer.echo(f"  curl '{address}/v1/feedback?k=5' -H 'Content-Type: application/json' -d '{said}'")
