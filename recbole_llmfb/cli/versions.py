"""`recbole-llmfb bundles`: the versions of a model, which one is served, and the way back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from recbole_llmfb.cli.options import AsJson
from recbole_llmfb.cli.printing import print_json, print_wide, table

if TYPE_CHECKING:
    from recbole_llmfb.serving.store import Database

bundles = typer.Typer(help="Versions of a model: list, show, diff, promote, rollback, lineage, prune.", no_args_is_help=True)

Root = Annotated[Path, typer.Argument(help="A folder of versions.", exists=True, file_okay=False)]
Version = Annotated[str, typer.Argument(help="A version, the beginning of one, champion or challenger.")]
Reason = Annotated[str, typer.Option(help="Why; the audit keeps it. Needed where the gate found against the version.")]
Where = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", help="The service's database, whose alias is the truth; without it the pointer files are."
    ),
]
ACTOR = "command-line"


@bundles.command("list")
def list_versions(root: Root, database: Where = None, as_json: AsJson = False) -> None:
    """Show all versions, oldest first."""
    from recbole_llmfb.bundle.folder import ALIASES, manifests
    from recbole_llmfb.bundle.gate_record import read_gate
    from recbole_llmfb.serving.versions import current

    with _opened(database) as opened:
        aliases = {version: alias for alias in reversed(ALIASES) if (version := current(opened, root, alias)) is not None}
    rows = [(version, aliases.get(version), one, read_gate(root / version)) for version, one in manifests(root).items()]
    if as_json:
        print_json(
            [
                {"version": version, "alias": alias, "parent": one.parent, "created": one.created, "gate": gate and gate.passed}
                for version, alias, one, gate in rows
            ]
        )
        return
    shown = table("version", "alias", "parent", "created", "gate")
    for version, alias, one, gate in rows:
        found = "" if gate is None else "passed" if gate.passed else "found against it"
        shown.add_row(version, alias or "", one.parent or "", f"{one.created:%Y-%m-%d %H:%M}", found)
    print_wide(shown)


@bundles.command("show")
def show_version(root: Root, version: Version = "champion", database: Where = None, as_json: AsJson = False) -> None:
    """Show one version: where it comes from, how it was measured, what the gate found, and when it was served."""
    from recbole_llmfb.bundle.folder import manifests, model_of
    from recbole_llmfb.bundle.gate_record import read_gate
    from recbole_llmfb.serving.versions import history
    from recbole_llmfb.serving.versions.promoting import resolved

    with _opened(database) as opened:
        name = resolved(opened, root, version)
        served = [one for one in history(opened, model_of(root)) if one.version == name] if opened else []
    gate, manifest = read_gate(root / name), manifests(root)[name].model_dump(mode="json", exclude={"files", "watermark"})
    told = {
        **manifest,
        "learned": sum(manifests(root)[name].watermark.values()),
        "gate": gate.model_dump(mode="json") if gate else None,
        "served": [one.model_dump(mode="json") for one in served],
    }
    if as_json:
        print_json(told)
        return
    shown = table("", "value")
    for key, value in told.items():
        shown.add_row(key, escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    print_wide(shown)


@bundles.command("diff")
def diff(root: Root, one: Version, other: Version, database: Where = None, as_json: AsJson = False) -> None:
    """Show how two versions differ: configuration, metrics, items, feedback learned."""
    from recbole_llmfb.bundle.difference import compare
    from recbole_llmfb.serving.versions.promoting import resolved

    with _opened(database) as opened:
        found = compare(root, resolved(opened, root, one), resolved(opened, root, other))
    if as_json:
        print_json(asdict(found))
        return
    shown = table("", *found.versions)
    for part, pairs in (("", found.configuration), ("metric ", found.metrics), ("of ", found.fingerprints)):
        for key, (before, after) in pairs.items():
            shown.add_row(f"{part}{escape(key)}", escape(str(before)), escape(str(after)))
    shown.add_row("feedback learned", *map(str, found.learned))
    shown.add_row("items gone, items new", str(len(found.items_gone)), str(len(found.items_new)))
    print_wide(shown)


@bundles.command("promote")
def promote_version(root: Root, version: Version, reason: Reason = "", database: Where = None, as_json: AsJson = False) -> None:
    """Make a version the champion. A service over the database serves it within seconds."""
    from recbole_llmfb.serving.versions import current, promote

    with _opened(database) as opened:
        promote(opened, root, version, actor=ACTOR, reason=reason)
        _tell(current(opened, root, "champion"), as_json=as_json)


@bundles.command("rollback")
def roll_back(root: Root, reason: Reason = "", database: Where = None, as_json: AsJson = False) -> None:
    """Serve again what was served before the champion; without a database, its parent."""
    from recbole_llmfb.serving.versions import rollback

    with _opened(database) as opened:
        _tell(rollback(opened, root, actor=ACTOR, reason=reason), as_json=as_json)


@bundles.command("lineage")
def trace(
    root: Root,
    feedback: Annotated[str, typer.Argument(metavar="FEEDBACK", help="The id of a feedback.")],
    database: Annotated[str, typer.Option("--database", metavar="URL", help="The database with the log.")],
    as_json: AsJson = False,
) -> None:
    """Follow a feedback to the version that learned it, and to the slates that this version showed."""
    from recbole_llmfb.serving.versions import lineage

    with _opened(database) as opened:
        assert opened is not None
        found = lineage(opened, root, feedback)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    typer.echo(f"feedback {found.feedback} of user {found.user}, number {found.seq} in the user's log")
    typer.echo(f"learned by {found.learned_by or 'no version yet'}")
    shown = table("slate", "version", "shown")
    for slate in (*found.answers, *found.slates):
        shown.add_row(slate.id, slate.bundle, f"{slate.shown:%Y-%m-%d %H:%M}")
    print_wide(shown)


@bundles.command("prune")
def prune_versions(
    root: Root,
    keep: Annotated[int, typer.Option(help="How many of the newest versions stay in any case.", min=1)] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    database: Where = None,
    as_json: AsJson = False,
) -> None:
    """Remove old versions, but for the champion, its parent, the way back, the challenger and the newest."""
    from recbole_llmfb.serving.versions import prune
    from recbole_llmfb.serving.versions.pruning import removable

    with _opened(database) as opened:
        gone = removable(opened, root, keep) if dry_run else prune(opened, root, keep=keep, actor=ACTOR)
    if as_json:
        print_json({"removed": [] if dry_run else gone, "removable": gone if dry_run else []})
        return
    for version in gone:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {version}")


@contextmanager
def _opened(url: str | None) -> "Iterator[Database | None]":
    from recbole_llmfb.serving.store import Database

    if url is None:
        yield None
        return
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def _tell(champion: Any, *, as_json: bool) -> None:
    if as_json:
        print_json({"champion": champion})
    else:
        typer.echo(f"champion: {champion}")
