"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated, Any

import typer

from recbole_llmfb.errors import UsageError

DATABASE = "sqlite:///feedback.db"

Config = Annotated[Path, typer.Argument(help="A YAML file with `model`, `dataset` and RecBole's and our keys.")]
Override = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be repeated.")]
BundlePath = Annotated[Path, typer.Argument(help="A bundle, or a folder of bundles (its champion).")]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database", metavar="URL", help="Where feedback is kept: sqlite:///file.db, or postgresql://user:password@host/name."
    ),
]
AccessFile = Annotated[Path | None, typer.Option(help="A TOML file: rates, sessions, tokens of an identity provider.")]
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port; 0 for any that is free.", min=0, max=65535)]
Durable = Annotated[bool, typer.Option("--durable", help="SQLite: lose nothing when the power fails; commits take longer.")]
Count = Annotated[int, typer.Option("--k", help="How many items.", min=1)]
Explore = Annotated[bool, typer.Option("--explore", help="Spend the last place on what feedback would teach most about.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]
Lang = Annotated[str, typer.Option(help="Language of reasons: en or zh.")]


def one_of(option: str, value: str, *choices: str) -> Any:
    """The value, if it is one of the choices. Raises UsageError."""
    if value not in choices:
        raise UsageError(f"--{option} {value!r}: choose {', '.join(choices)}")
    return value
