"""What figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

_BUSY = 0.25  # of the cores


class Machine(BaseModel):
    """cores: that this process may use. threads: of torch. load: over the last minute before."""

    model_config = ConfigDict(frozen=True)

    processor: str
    cores: int
    memory_gib: float
    system: str
    versions: dict[str, str]
    threads: int
    load: float

    @classmethod
    def here(cls) -> "Machine":
        """This machine, now."""
        return cls(
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            system=f"{platform.system()} {platform.release()}",
            versions={"Python": platform.python_version()} | {name: version(name) for name in ("torch", "onnxruntime")},
            threads=torch.get_num_threads(),
            load=os.getloadavg()[0],
        )

    @property
    def is_busy(self) -> bool:
        """Whether other work had a part of the cores when the measuring began."""
        return self.load > _BUSY * self.cores

    def text(self) -> str:
        """One sentence, and another one where the figures are not those of a quiet machine."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        told = (
            f"{self.processor}, {self.cores} cores, {self.memory_gib:.0f} GiB, {self.system}; {versions}; {self.threads} threads "
            f"of torch; load {self.load:.2f} when it began."
        )
        return f"{told} Other work had a part of the cores: the times are too long." if self.is_busy else told


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
