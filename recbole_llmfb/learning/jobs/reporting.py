"""How a training and its worker tell each other things: two small files in the job's folder, so that any program can do it.

`progress.json` holds {"step": words, "share": how far that step is, 0 to 1}. Once `cancel` is there, the training should end.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

JOB_FOLDER = "LLMFB_JOB"
_PROGRESS, _CANCEL = "progress.json", "cancel"


class Progress(BaseModel):
    """How far a training is. share: of its step, 0 to 1."""

    model_config = ConfigDict(frozen=True)

    step: Annotated[str, Field(max_length=500)] = ""
    share: Annotated[float, Field(ge=0, le=1)] = 0.0


class Reporter:
    """For a training: what `learn` takes as `progress` and `cancelled`. Without a job nobody listens and nobody cancels."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def of_this_process(cls, environment: Mapping[str, str] = os.environ) -> "Reporter":
        """The job that this process is."""
        folder = environment.get(JOB_FOLDER)
        return cls(Path(folder) if folder else None)

    def progress(self, step: str, share: float | None) -> None:
        """share: None where nobody knows."""
        if self._folder is not None:
            told = json.dumps({"step": step[:500], "share": min(max(share or 0.0, 0.0), 1.0)})
            _replace(self._folder / _PROGRESS, told)

    def cancelled(self) -> bool:
        return self._folder is not None and (self._folder / _CANCEL).exists()


def read_progress(folder: Path) -> Progress:
    """What the training said last; nothing, where it said nothing that can be read."""
    try:
        return Progress.model_validate_json((folder / _PROGRESS).read_bytes())
    except (OSError, ValidationError):
        return Progress()


def ask_to_stop(folder: Path) -> None:
    (folder / _CANCEL).touch()


def _replace(path: Path, text: str) -> None:
    """A reader sees the old text or the new one; neither has to outlive a loss of power."""
    new = path.with_suffix(".tmp")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
