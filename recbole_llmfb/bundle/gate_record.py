"""What a gate found of a version, beside its files: the version's own checksums are older than any judgement of it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from recbole_llmfb.errors import BundleError
from recbole_llmfb.files import replace_text

GATE = "gate.json"


class GateCheck(BaseModel):
    """One condition of a promotion. why: the figures, in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passed: bool
    why: str = ""


class GateRecord(BaseModel):
    """Whether a version may take its champion's place, and why. champion: the version that it was compared with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    champion: str | None = None
    checks: tuple[GateCheck, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that did not pass."""
        return tuple(check.name for check in self.checks if not check.passed)


def write_gate(folder: Path, gate: GateRecord) -> None:
    """folder: of the version."""
    replace_text(folder / GATE, gate.model_dump_json(indent=1))


def read_gate(folder: Path) -> GateRecord | None:
    """None for a version that no gate has judged.

    Raises:
        BundleError: the file is no record of a gate.
    """
    path = folder / GATE
    try:
        return GateRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        problem = f"{GATE}: {error.errors()[0]['msg']}"
        raise BundleError(folder, problem, remedy="judge the version again, or remove that file") from error
