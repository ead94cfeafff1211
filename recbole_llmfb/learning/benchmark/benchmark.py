"""One call for the whole benchmark: run what is missing, then write the page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recbole_llmfb.learning.benchmark.runner import Records, Runner
from recbole_llmfb.learning.benchmark.slices import Stream
from recbole_llmfb.learning.benchmark.table import markdown
from recbole_llmfb.learning.warm import Warmth
from recbole_llmfb.training.run_log import close_log

PARTS = ("line", "shuffled", "equal")

_PROTOCOL = (
    "Interactions in the order of time: slice 0 is the first 5 %, four equal slices follow. On each, the later half of what "
    "each user did is to be found; every model folds in all that the user had and said before it, that slice included. Comments "
    "are simulated, in phrasings that no training has seen. No human took part. A figure is a mean over users, in brackets its "
    "95 % bootstrap interval, users drawn in pairs. Time is that of the processor, because others use the machine."
)


def benchmark_learning(
    config_file: str | Path,
    *,
    folder: str | Path = "results",
    work: str | Path = "saved/benchmark-learning",
    encoder_tuning: str = "frozen",
    seeds: int = 20,
    parts: Sequence[str] = PARTS,
    settings: Mapping[str, Any] | None = None,
    warmth: Warmth | None = None,
    command: str = "recbole-llmfb benchmark-learning",
) -> Path:
    """Run what has not been run, and write `learning.md` and `learning.runs.jsonl`; returns the page's path.

    Args:
        config_file: of a data set with times. work: for data and bundles. seeds: of challengers that must not be promoted.
        parts: of `PARTS`. settings: configuration keys of every training. warmth: of warm ones.

    Raises:
        ConfigError, DataError: a configuration or data that cannot be read.
        UsageError: the folder has runs of other settings.
    """
    given = {"use_gpu": False, "encoder_tuning": encoder_tuning} | dict(settings or {})
    chosen = warmth or Warmth(encoder_tuning=encoder_tuning if encoder_tuning == "frozen" else "lora")
    records = Records.read(Path(folder) / "learning.runs.jsonl")
    records.require_same({"data": Path(config_file).name, "settings": given, "warmth": asdict(chosen)})
    page = Path(folder) / "learning.md"
    try:
        if parts:
            stream = Stream.of(config_file, changes=given)
            runner = Runner(Path(config_file), stream, records, Path(work), given, chosen)
            if "line" in parts:
                runner.line()
            for kind in ("shuffled", "equal"):
                if kind in parts:
                    runner.gates(kind, range(seeds))
    finally:
        close_log()
        if records.found:
            page.write_text(markdown(records.found, command=command, notes=[_PROTOCOL]), encoding="utf-8")
    return page
