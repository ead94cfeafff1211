"""Runs what the tables need and has not been run: trainings, judgements and gates, each written down as soon as it is done.

The line of champions is: the model of slice 0, trained from scratch, then one warm challenger after each slice, taken whatever a
gate would say, because its figures on the next slice are what is reported. Nothing is chosen on a slice that is reported on.
"""

import gc
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, process_time
from typing import Any

import numpy as np

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.errors import BundleError, UsageError
from recbole_llmfb.learning.benchmark.neighbours import Neighbours
from recbole_llmfb.learning.benchmark.slices import SLICES, Stream
from recbole_llmfb.learning.data import Case, Data
from recbole_llmfb.learning.gate import decide
from recbole_llmfb.learning.judging import Judge
from recbole_llmfb.learning.laws import laws
from recbole_llmfb.learning.learn import OLD, written
from recbole_llmfb.learning.warm import Trained, Warmth, train
from recbole_llmfb.training.config import LLMFB, build_config
from recbole_llmfb.training.export import Descent, write_bundle
from recbole_llmfb.training.quick_start import assemble, fit_and_test

_log = logging.getLogger(__name__)
_METRICS = ("NDCG@10", "Recall@20", "MRR@10")
COLD = "Recall@20"


@dataclass(frozen=True)
class Records:
    """What was found, one JSON object a line; a record is named by its `kind` and `of`."""

    path: Path
    found: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Records":
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        records = [json.loads(line) for line in lines if line]
        return cls(path, {(record["kind"], record["of"]): record for record in records})

    def keep(self, kind: str, of: str, **values: Any) -> dict[str, Any]:
        record = {"kind": kind, "of": of} | values
        self.found[kind, of] = record
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return record

    def require_same(self, settings: Mapping[str, Any]) -> None:
        """Write the settings down, if they are the first; raise UsageError if they are others than those of the runs here."""
        plain = json.loads(json.dumps(settings, default=str))
        known = self.found.get(("settings", "all"))
        if known is None:
            self.keep("settings", "all", values=plain)
        elif known["values"] != plain:
            differ = sorted(key for key in plain if known["values"].get(key) != plain[key])
            raise UsageError(f"{self.path} has runs with another {', '.join(differ)}: name another folder for the results")


@dataclass(frozen=True)
class Runner:
    """One benchmark.

    config_file: of the data set. settings: configuration keys of every training. warmth: of warm ones. folder: for data and
    bundles, which are kept for the next run.
    """

    config_file: Path
    stream: Stream
    records: Records
    folder: Path
    settings: Mapping[str, Any]
    warmth: Warmth

    def line(self) -> None:
        """The champions after each slice, models from scratch beside them, and all of them judged."""
        self.champion(0)
        for stage in range(1, SLICES + 1):
            self.champion(stage)
            self.judge(f"warm-{stage}", self.champion(stage), stage)
            if stage < SLICES:
                self.judge(f"scratch-{stage}", self.scratch(stage), stage)
        for stage in range(SLICES):
            self.judge("warm-0", self.champion(0), stage)

    def champion(self, stage: int) -> Bundle:
        if stage == 0:
            return self._trained("warm-0", lambda: self._from_scratch(0))
        return self._trained(f"warm-{stage}", lambda: self._warm(self.champion(stage - 1), self._data(stage), self.warmth))

    def scratch(self, stage: int) -> Bundle:
        return self._trained(f"scratch-{stage}", lambda: self._from_scratch(stage))

    def gates(self, kind: str, seeds: Sequence[int]) -> None:
        """Challengers that must not be promoted. kind: `shuffled` labels against champion 0, or `equal` to champion 1: the same
        data with another seed. Both begin at champion 0 and are judged on slice 2."""
        reading: Trained | None = None  # keeps what a frozen encoder has read for the next seed
        for seed in seeds:
            if ("gated", f"{kind}-{seed}") in self.records.found:
                continue
            first, data = self.champion(0), self._data(1)
            champion = first if kind == "shuffled" else self.champion(1)
            learned = self.stream.learnable(1, self._data_folder, shuffled=seed) if kind == "shuffled" else data
            start = process_time()
            path, reading = self._warm(first, learned, replace(self.warmth, seed=1000 + seed))
            seconds = process_time() - start
            challenger = load_bundle(path)
            judges = Judge(champion), Judge(challenger)
            newest, old = ((judges[0](cases), judges[1](cases)) for cases in (data.newest, data.old))
            verdict = decide(
                metrics={"next slice": newest, OLD: old}, newest=newest, laws=laws(challenger, champion), latency=None
            )
            checks = {check.name: [check.passed, check.value, check.bound] for check in verdict.checks}
            assert reading is not None
            self.records.keep("gated", f"{kind}-{seed}", passed=verdict.passed, cpu_seconds=round(seconds, 1), checks=checks)

    def judge(self, name: str, bundle: Bundle, stage: int) -> None:
        """A model after slice `stage`, on slice `stage` + 1, on cold items of it, and on the old test set."""
        if ("judged", f"{name} on {stage + 1}") in self.records.found:
            return
        judge, values = Judge(bundle), dict[str, Any]()
        if stage < SLICES:
            values |= {"next": _listed(judge(self.stream.cases(stage + 1), metrics=_METRICS))}
            items, cases = self.stream.cold(stage + 1)
            values |= {"cold": judge(cases, metrics=[COLD], among=items)[COLD].round(4).tolist()}
            values |= {"cold_neighbours": self._neighbours(items, cases)}
        values |= {"old": _listed(judge(self._old_cases, metrics=_METRICS))}
        self.records.keep("judged", f"{name} on {stage + 1}", **values)

    @property
    def _old_cases(self) -> tuple[Case, ...]:
        return self._data(0).old

    def _neighbours(self, items: Sequence[str], cases: Sequence[Case]) -> dict[str, list[float]]:
        return {name: values.round(4).tolist() for name, values in Neighbours.of(self.stream)(cases, items).items()}

    @property
    def _data_folder(self) -> Path:
        return self.folder / "data"

    def _data(self, stage: int) -> Data:
        return self.stream.learnable(stage, self._data_folder)

    def _trained(self, name: str, run: Callable[[], tuple[str, Trained]]) -> Bundle:
        """The bundle of this name, trained unless it is there."""
        known = self.records.found.get(("trained", name))
        if known:
            try:
                return load_bundle(self.folder / known["bundle"])
            except BundleError:
                _log.warning("%s is gone: it is trained again", known["bundle"])
        gc.collect()  # what another training's encoder has read must not save this one time
        wall, cpu = monotonic(), process_time()
        path, trained = run()
        took = {"wall_seconds": round(monotonic() - wall, 1), "cpu_seconds": round(process_time() - cpu, 1)}
        valid = {key: float(value) for key, value in trained.result["best_valid_result"].items()}
        self.records.keep("trained", name, **took, valid=valid, bundle=str(Path(path).relative_to(self.folder)))
        return load_bundle(path)

    def _from_scratch(self, stage: int) -> tuple[str, Trained]:
        data = self._data(stage)
        with TemporaryDirectory(prefix="learning-") as scratch:
            given = data.settings() | {"checkpoint_dir": scratch, "show_progress": False} | dict(self.settings)
            experiment = assemble(build_config(LLMFB, None, [self.config_file], given))
            trained = Trained(experiment, fit_and_test(experiment))
            return write_bundle(experiment, trained.result, Descent(self.folder / "bundles", None, {})), trained

    def _warm(self, champion: Bundle, data: Data, warmth: Warmth) -> tuple[str, Trained]:
        with TemporaryDirectory(prefix="learning-") as scratch:
            trained = train(champion, data, warmth, checkpoints=scratch)
            return written(trained, champion, data, self.folder / "bundles"), trained


def _listed(values: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: np.round(of_cases, 4).tolist() for name, of_cases in values.items()}
