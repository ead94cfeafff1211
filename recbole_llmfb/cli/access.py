"""`recbole-llmfb keys` and `recbole-llmfb accounts`: who may use the service, without the service having to run."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recbole_llmfb.cli.options import DATABASE, AsJson, DatabaseUrl, one_of
from recbole_llmfb.cli.printing import print_json
from recbole_llmfb.errors import UsageError

if TYPE_CHECKING:
    from recbole_llmfb.serving.access import Access, Principal

keys = typer.Typer(help="Keys of the service: create, revoke, list.", no_args_is_help=True)
accounts = typer.Typer(help="Accounts of the console: create, disable, list.", no_args_is_help=True)

FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    database: DatabaseUrl = DATABASE,
    scope: Annotated[str, typer.Option(help="user, operator or admin.")] = "operator",
    user: Annotated[str | None, typer.Option(help="With --scope user: whom the key reaches.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it; it is shown this once."""
    with _access(database) as (access, myself):
        made = access.keys.create(myself, name, one_of("scope", scope, "user", "operator", "admin"), user)
    if as_json:
        print_json(made.model_dump(mode="json"))
        return
    typer.echo("This key is shown this once; keep it where nobody else reads:", err=True)
    typer.echo(made.key)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it: the middle part of the key.")],
    database: DatabaseUrl = DATABASE,
    as_json: AsJson = False,
) -> None:
    """Let a key in no more, from now on."""
    with _access(database) as (access, myself):
        _show([access.keys.revoke(myself, key_id)], as_json=as_json)


@keys.command("list")
def list_keys(database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Show all keys, without their secrets."""
    with _access(database) as (access, _):
        _show(access.keys.all(), as_json=as_json)


@accounts.command("create")
def create_account(
    name: Annotated[str, typer.Argument(help="To sign in with.")],
    database: DatabaseUrl = DATABASE,
    role: Annotated[str, typer.Option(help="operator or admin.")] = "operator",
    password_stdin: FromInput = False,
    as_json: AsJson = False,
) -> None:
    """Make an account; asks for its password."""
    chosen = one_of("role", role, "operator", "admin")
    password = _password(password_stdin)
    with _access(database) as (access, myself):
        _show([access.accounts.create(myself, name, password, chosen)], as_json=as_json)


@accounts.command("password")
def change_password(
    name: Annotated[str, typer.Argument()],
    database: DatabaseUrl = DATABASE,
    password_stdin: FromInput = False,
    as_json: AsJson = False,
) -> None:
    """Give an account another password, and end its sessions."""
    password = _password(password_stdin)
    with _access(database) as (access, myself):
        _show([access.accounts.change(myself, name, password=password)], as_json=as_json)


@accounts.command("disable")
def disable_account(name: Annotated[str, typer.Argument()], database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Let an account in no more, and end its sessions."""
    with _access(database) as (access, myself):
        _show([access.accounts.change(myself, name, disabled=True)], as_json=as_json)


@accounts.command("enable")
def enable_account(name: Annotated[str, typer.Argument()], database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Let a disabled account in again."""
    with _access(database) as (access, myself):
        _show([access.accounts.change(myself, name, disabled=False)], as_json=as_json)


@accounts.command("list")
def list_accounts(database: DatabaseUrl = DATABASE, as_json: AsJson = False) -> None:
    """Show all accounts."""
    with _access(database) as (access, _):
        _show(access.accounts.all(), as_json=as_json)


@contextmanager
def _access(url: str) -> "Iterator[tuple[Access, Principal]]":
    """Access over a database, and whom the audit names: whoever can open the database is an admin of it."""
    from recbole_llmfb.serving.access import Principal, open_access
    from recbole_llmfb.serving.store import Database

    database = Database(url)
    try:
        yield open_access(database), Principal("command-line", "admin")
    finally:
        database.close()


def _password(from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask for a password: give --password-stdin and write it to standard input")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise UsageError("the two passwords differ: try again")
    return password


def _show(shown: list[Any], *, as_json: bool) -> None:
    """Models of one kind, as a table or as JSON."""
    if as_json:
        print_json([one.model_dump(mode="json") for one in shown])
        return
    table = Table(box=None)
    rows: list[BaseModel] = shown
    for column in type(rows[0]).model_fields if rows else ():
        table.add_column(column)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.model_dump().values()))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "" if value is None else escape(str(value))
