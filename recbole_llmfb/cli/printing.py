"""What the command line writes: tables for people, JSON for programs, and a failure in one line."""

import json
import sys
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recbole_llmfb.schema import Slate


def table(*columns: str) -> Table:
    """An empty table; every column but the first stands right."""
    made = Table(box=None)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left")
    return made


def print_wide(shown: Table) -> None:
    """A table whose names must be whole, to be copied: at least 140 columns wide, whatever the terminal."""
    Console(width=max(Console().width, 140)).print(shown)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_report(report: Any, *, as_json: bool) -> None:
    """report: has `as_dict` and `markdown`."""
    if as_json:
        print_json(report.as_dict())
    else:
        typer.echo(report.markdown())


def print_slate(slate: Slate, *, as_json: bool) -> None:
    if as_json:
        typer.echo(slate.model_dump_json())
        return
    console = Console()
    console.print(escape(slate.summary))
    shown = Table(box=None)
    for column in ("", "item", "title", "score", "why"):
        shown.add_column(column, justify="right" if column == "score" else "left")
    for one in slate.items:
        shown.add_row(str(one.rank), escape(one.item), escape(one.title), f"{one.score:.2f}", escape(one.reason))
    console.print(shown)
    if slate.unknown:
        console.print(escape(f"not in the catalogue: {', '.join(slate.unknown)}"))


def fail(message: str, code: int) -> None:
    typer.echo(f"recbole-llmfb: {message}", err=True)
    sys.exit(code)


def one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg']}" for one in error.errors())
    return " ".join(str(error).split())
