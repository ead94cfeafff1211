"""A folder of versions: which there are, and which of them its pointer files name."""

from pathlib import Path
from typing import Literal
from uuid import uuid4

from recbole_llmfb.bundle.artifact import MANIFEST, Manifest
from recbole_llmfb.errors import NotFoundError
from recbole_llmfb.files import flush, replace_text

Alias = Literal["champion", "challenger"]
ALIASES: tuple[Alias, ...] = ("champion", "challenger")


def model_of(root: Path) -> str:
    """What a model is called: the name of its folder of versions, wherever that is mounted."""
    return root.resolve().name


def manifests(root: Path) -> dict[str, Manifest]:
    """The versions in a folder, oldest first. What cannot be read is left out."""
    found = []
    for path in root.glob(f"*/{MANIFEST}"):
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (OSError, ValueError):
            continue
        if manifest.version == path.parent.name:
            found.append(manifest)
    return {one.version: one for one in sorted(found, key=lambda one: (one.created, one.version))}


def read_pointer(root: Path, alias: Alias) -> str | None:
    """The version that a pointer file names; None without a file that can be read and names one."""
    try:
        version = (root / alias).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return version if version and Path(version).name == version else None


def write_pointer(root: Path, alias: Alias, version: str | None) -> None:
    """version: None to have the pointer name nothing."""
    if version is None:
        (root / alias).unlink(missing_ok=True)
    else:
        replace_text(root / alias, f"{version}\n")


def named(root: Path, name: str, aliases: dict[Alias, str | None]) -> str:
    """The version that somebody means: by its name, by the beginning of it, or by an alias.

    Raises:
        NotFoundError: none, or several.
    """
    if name in ALIASES:
        version = aliases.get(name)
        if version is None:
            raise NotFoundError(f"{root} has no {name}: name a version")
        return version
    versions = manifests(root)
    found = [name] if name in versions else [version for version in versions if name and version.startswith(name)]
    if len(found) != 1:
        several = f"{len(found)} versions begin with {name!r}" if found else f"there is no version {name!r}"
        raise NotFoundError(f"{several} in {root}: recbole-llmfb bundles list {root} shows them all")
    return found[0]


def hide(root: Path, version: str) -> Path:
    """Take a version out of its folder at once; whoever looks sees all of it or nothing. The caller removes what is returned."""
    hidden = root / f".{uuid4().hex}.tmp"
    (root / version).rename(hidden)
    flush(root)
    return hidden


def leavings(root: Path, older_than: float) -> list[Path]:
    """Hidden folders that a training which was killed left behind. older_than: seconds since 1970 of their last change."""
    return [path for path in root.glob(".*.tmp") if path.is_dir() and path.stat().st_mtime < older_than]
