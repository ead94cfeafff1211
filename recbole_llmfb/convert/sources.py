"""Finds the files of a source: a file by itself, or those of a folder that a kind knows."""

from collections.abc import Callable
from pathlib import Path

from recbole_llmfb.convert.report import Tally
from recbole_llmfb.errors import DataError


def by_format(source: Path, format_of: Callable[[Path], str | None], tally: Tally, *, needs: str) -> dict[str, list[Path]]:
    """The files of a source by their format, in the order of their names. Files of no known format are noted, not read.

    Args:
        format_of: names the format of a file, by its content where that tells; None for an unknown one.
        needs: the known formats in words, for the error.

    Raises:
        DataError: no file of a known format.
    """
    paths = [source] if source.is_file() else sorted(path for path in source.iterdir() if path.is_file())
    found: dict[str, list[Path]] = {}
    for path in paths:
        name = None if path.name.startswith(".") else format_of(path)
        if name is None:
            tally.note(f"file not read, of no format that this kind knows: {path.name}")
        else:
            found.setdefault(name, []).append(path)
    if not found:
        raise DataError(source, None, "no file of a known format", remedy=f"name a file or a folder with {needs}")
    return found
