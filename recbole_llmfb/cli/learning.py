"""Commands that close the loop: `export`, `learn` and `benchmark-learning`."""

from pathlib import Path
from typing import Annotated

import typer

from recbole_llmfb.cli.options import DATABASE, AsJson, DatabaseUrl
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
