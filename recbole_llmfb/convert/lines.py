"""The lines of a file, plain or gzipped as its content says, numbered, with a progress bar on a terminal."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from recbole_llmfb.errors import DataError

_GZIP = b"\x1f\x8b"
_LINES_PER_TICK = 4096


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of every line, without a byte order mark.

    Bytes that are not UTF-8 become lone surrogates, see `encoding_problem`.

    Raises:
        DataError: a gzip stream that is damaged or cut off.
    """
    number = 0
    with path.open("rb") as raw, _progress(path) as bar:
        stream = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == _GZIP else raw
        try:
            for number, line in enumerate(stream, start=1):
                text = line.decode("utf-8", "surrogateescape")
                yield number, text.removeprefix("\ufeff") if number == 1 else text
                if number % _LINES_PER_TICK == 0:
                    bar.update(raw.tell() - bar.n)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            problem = f"the gzip stream ends or breaks after this line ({error})"
            raise DataError(path, number, problem, remedy="get the file again, it is not whole") from error


def is_json(path: Path) -> bool:
    """Whether the first line with something in it begins a JSON object."""
    return next((line.lstrip().startswith("{") for _, line in lines(path) if line.strip()), False)


def encoding_problem(text: str) -> str | None:
    """What is wrong with a line that is not UTF-8, as the number and value of its first wrong byte."""
    if text.isascii():
        return None
    at = next((at for at, character in enumerate(text) if "\udc80" <= character <= "\udcff"), None)
    if at is None:
        return None
    place = len(text[:at].encode("utf-8", "surrogateescape")) + 1
    return f"byte {place} of the line, 0x{ord(text[at]) - 0xDC00:02x}, is not UTF-8"


def _progress(path: Path) -> "tqdm[Any]":
    return tqdm(total=path.stat().st_size, desc=path.name, unit="B", unit_scale=True, delay=2, leave=False, disable=None)
