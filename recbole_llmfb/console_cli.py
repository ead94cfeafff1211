"""The command `recbole-llmfb console`."""

from pathlib import Path
from typing import Annotated

import typer

from recbole_llmfb.cli_serving import DATABASE, BundlePath, DatabaseUrl


def console(
    bundle: BundlePath,
    database: DatabaseUrl = DATABASE,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for any that is free.", min=0, max=65535)] = 8000,
    access: Annotated[Path | None, typer.Option(help="A TOML file: rates, sessions, tokens of an identity provider.")] = None,
) -> None:
    """Serve a bundle and the operators' console in one process, until Ctrl-C."""
    from recbole_llmfb.console import run
    from recbole_llmfb.serving.service.running import Settings

    run(Settings(bundle, database, host, port, access=access), _tell)


def _tell(address: str, link: str | None) -> None:
    typer.echo(f"console at {address}")
    if link:
        typer.echo(f"no account yet: this opens it once, as admin, within the hour\n  {link}")
