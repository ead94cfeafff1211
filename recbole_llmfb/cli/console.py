"""The command `recbole-llmfb console`."""

import typer

from recbole_llmfb.cli.options import DATABASE, AccessFile, BundlePath, DatabaseUrl, Durable, Host, Port


def console(
    bundle: BundlePath,
    database: DatabaseUrl = DATABASE,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    durable: Durable = False,
    access: AccessFile = None,
) -> None:
    """Serve a bundle and the operators' console in one process, until Ctrl-C."""
    from recbole_llmfb.console import run
    from recbole_llmfb.serving.service.running import Settings

    run(Settings(bundle, database, host, port, durable=durable, access=access), _tell)


def _tell(address: str, link: str | None) -> None:
    typer.echo(f"console at {address}")
    if link:
        typer.echo(f"no account yet: this opens it once, as admin, within the hour\n  {link}")
