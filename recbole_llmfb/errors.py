"""What can go wrong, each named with the value at fault and the remedy."""

from collections.abc import Mapping
from pathlib import Path


class LlmfbError(Exception):
    """Base of every error that this package raises on purpose. The command line prints it in one line and exits with 1."""


class UsageError(LlmfbError):
    """The caller asked for something that cannot be: a wrong argument, a wrong option. The command line exits with 2."""


class NotFoundError(UsageError):
    """Something that was named, and that is not there."""


class GoneError(UsageError):
    """Something that was there and was removed on purpose."""


class ErasedError(GoneError):
    """What was asked for went with its user, who was erased."""


class ConfigError(UsageError):
    """A configuration key or value that is unknown or out of range."""

    def __init__(self, key: str, value: object, *, remedy: str) -> None:
        super().__init__(f"configuration {key}={value!r}: {remedy}")
        self.key = key


class DataError(LlmfbError):
    """A file that cannot be read as what it should be, with the line where it goes wrong."""

    def __init__(self, path: str | Path, line: int | None, problem: str, *, remedy: str) -> None:
        where = f"{path}, line {line}" if line is not None else f"{path}"
        super().__init__(f"{where}: {problem}; {remedy}")
        self.path, self.line = str(path), line


class NotEnoughDataError(LlmfbError):
    """Nothing to learn from."""

    def __init__(self, shape: tuple[int, ...], *, remedy: str) -> None:
        super().__init__(f"nothing to learn from in an interaction matrix of shape {tuple(shape)}: {remedy}")


class BundleError(LlmfbError):
    """A bundle that is missing, changed, incomplete or of a newer format."""

    def __init__(self, path: str | Path, problem: str, *, remedy: str) -> None:
        super().__init__(f"bundle {path}: {problem}; {remedy}")


class EncoderError(LlmfbError):
    """An encoder that cannot be loaded, or whose weights are not the ones that were asked for."""

    def __init__(self, name: str | Path, problem: str, *, remedy: str) -> None:
        super().__init__(f"encoder {name}: {problem}; {remedy}")


class MissingExtraError(LlmfbError, ImportError):
    """Something that needs a library of an extra which is not installed."""

    def __init__(self, name: str, library: str, *, extra: str, remedy: str = "") -> None:
        super().__init__(f"{name} needs {library}, which is not installed: pip install 'recbole-llmfb[{extra}]'{remedy}")


class StoreError(LlmfbError):
    """The database of the log cannot be used now: locked, full, gone, or newer than this program. Nothing was stored."""

    def __init__(self, problem: str, cause: str, *, remedy: str = "try again when the database is back") -> None:
        super().__init__(f"{problem} ({' '.join(cause.split())}): nothing was stored; {remedy}")


class AccessError(LlmfbError):
    """A request that its sender may not make. status: of HTTP (401, 403, 429). headers: that the answer to it carries."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


class ServiceError(LlmfbError):
    """What a service answered instead. status: of HTTP, None where nothing answered. errors: by field, what is wrong with it."""

    def __init__(self, status: int | None, detail: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{detail} ({status})" if status is not None else f"{detail}: start it, or name another")
        self.status, self.detail, self.errors = status, detail, dict(errors or {})
