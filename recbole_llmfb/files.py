"""Files that are either whole or not there: written aside, flushed to disk, renamed once."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> list[str]:
    """Names of all files below a folder, relative to it, with slashes."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@contextmanager
def aside(root: Path) -> Iterator[Path]:
    """A hidden folder in `root` to build something in; gone afterwards unless it was renamed."""
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f".{uuid4().hex}.tmp"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Flush a folder with everything in it, then give it its name. Whoever may read the folder may read its files.

    Raises:
        OSError: the target exists.
    """
    for name in files_below(folder):
        (folder / name).chmod(folder.stat().st_mode & 0o666)
        flush(folder / name)
    for inner in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        flush(inner)
    folder.rename(target)
    flush(target.parent)


def replace_text(path: Path, text: str) -> None:
    """Replace a small file in one step; a reader sees the old text or the new one."""
    new = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        new.write_text(text, encoding="utf-8")
        flush(new)
        new.replace(path)
        flush(path.parent)
    finally:
        new.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
