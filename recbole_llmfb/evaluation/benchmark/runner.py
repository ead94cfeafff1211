"""Run a benchmark: every entrant through the same door on the same split, its grid judged on validation, its choice on test."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import recbole
from tqdm import tqdm

from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.evaluation.benchmark.choice import candidates, chosen
from recbole_llmfb.evaluation.benchmark.plan import Entrant, Plan, Point, read_plan
from recbole_llmfb.evaluation.benchmark.records import Judged, Records, SplitRecord, Tested, Tuned, in_order
from recbole_llmfb.evaluation.benchmark.standings import FIGURES
from recbole_llmfb.evaluation.benchmark.table import write_results
from recbole_llmfb.evaluation.ranking import rank_users
from recbole_llmfb.training.compat import quiet
from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.quick_start import Experiment, load_dataset, prepare, split, split_fingerprint
from recbole_llmfb.training.run_log import close_log

_log = logging.getLogger(__name__)


def benchmark(
    config_path: str | Path, *, only: Sequence[str] | None = None, run: bool = True, folder: str | Path = "results"
) -> Path:
    """Run what has not been run yet, then write the table and the picture of everything that has.

    Args:
        config_path: the benchmark's YAML file, see plan.py.
        only: labels or models; the table still shows the others' stored runs.
        run: False writes table and picture from the stored runs alone.
        folder: where `<name>.runs.jsonl`, `<name>.md` and the picture go. LLMFB's bundle of the first seed goes to
            `<checkpoint_dir>/benchmark/<label>`.

    Returns:
        The path of the table.

    Raises:
        ConfigError: an unknown key, model or label, or a value that makes no sense; before the first run.
        LlmfbError: an entrant whose split is not the others'.
    """
    plan = read_plan(config_path)
    entrants = plan.entrants(only)
    records = Records(Path(folder) / f"{plan.name}.runs.jsonl")
    if run:
        for entrant in entrants:
            for point in plan.points(entrant, plan.seeds[0]):
                _ = point.config  # refuses unknown keys
        try:
            _Runner(plan, records, entrants).run()
        finally:
            close_log()
    records.reload()  # another process may have added its own
    return write_results(plan, records, Path(folder), config_path)


@dataclass(frozen=True)
class _Trained:
    """An experiment whose best epoch lies in its checkpoint. valid: larger is better."""

    point: Point
    experiment: Experiment
    outcome: dict[str, Any]
    valid: float
    seconds: float


class _Runner:
    def __init__(self, plan: Plan, records: Records, entrants: Sequence[Entrant]) -> None:
        self.plan, self.records, self.entrants = plan, records, entrants

    def run(self) -> None:
        """Seed by seed, so that the first seed's table is there early."""
        rounds = {seed: [e for e in self.entrants if seed in self.plan.seeds_of(e)] for seed in self.plan.seeds}
        with tqdm(total=sum(map(len, rounds.values())), unit="model", desc=self.plan.name) as self.bar:
            for seed, entrants in rounds.items():
                fingerprint = self._fingerprint(seed) if entrants else ""
                for entrant in entrants:
                    self._run(entrant, seed, fingerprint)
                    self.bar.update()

    @quiet()
    def _fingerprint(self, seed: int) -> str:
        """The split that every entrant must have: that of the plan's settings alone."""
        config = build_config("Pop", self.plan.dataset, None, self.plan.settings | {"seed": seed})
        return split_fingerprint(*split(config, load_dataset(config)))

    def _run(self, entrant: Entrant, seed: int, fingerprint: str) -> None:
        """Train what is missing of the grid, and test what validation chose of it."""
        points = candidates(self.plan, self.records, entrant, seed) or []
        best: _Trained | None = None
        with TemporaryDirectory() as folder:
            for point in points if len(points) > 1 else ():
                if self.records.find(Tuned, point.key, fingerprint) is None:
                    trained = self._train(point, fingerprint, folder)
                    best = trained if best is None or trained.valid > best.valid else best
                    self.records.append(Tuned(**_facts(trained, fingerprint)))
            choice = chosen(self.plan, self.records, entrant, seed, fingerprint)
            if choice is None:
                raise LlmfbError(f"{entrant.label}, seed {seed}: nothing chosen yet; run seed {self.plan.seeds[0]} first")
            tested = self.records.find(Tested, choice.key, fingerprint)
            if tested is None:
                if best is None or best.point.key != choice.key:
                    best = self._train(choice, fingerprint, folder)
                tested = self._test(best, fingerprint)
        if tested.bundle and self.records.find(Judged, tested.key, fingerprint) is None:
            self._judge(tested)

    @quiet()
    def _train(self, point: Point, fingerprint: str, folder: str) -> _Trained:
        """Train one point. Of its test part, only which interactions are in it is looked at."""
        entrant, began = point.entrant, time.monotonic()
        self.bar.set_postfix_str(" ".join([entrant.label, f"seed={point.seed}", *(f"{k}={v}" for k, v in point.params.items())]))
        given = point.config_dict | {"checkpoint_dir": folder}
        experiment = prepare(entrant.model, self.plan.dataset, entrant.config_files, given)
        loaders = (experiment.train_data, experiment.valid_data, experiment.test_data)
        if split_fingerprint(*loaders) != fingerprint:
            remedy = "take eval_args, load_col, filters and data_path out of its settings and files, or give them to every model"
            raise LlmfbError(f"{entrant.label}, seed {point.seed}: its split is not that of the other models; {remedy}")
        trainer, config = experiment.trainer, experiment.config
        score, result = trainer.fit(*loaders[:2], saved=True, show_progress=config["show_progress"])
        trainer.tensorboard.close()
        bigger = config["valid_metric_bigger"]
        outcome = {"best_valid_score": score, "valid_score_bigger": bigger, "best_valid_result": result}
        valid = float(score) if bigger else -float(score)
        return _Trained(point, experiment, outcome, valid, round(time.monotonic() - began, 1))

    @quiet()
    def _test(self, trained: _Trained, fingerprint: str) -> Tested:
        experiment, point = trained.experiment, trained.point
        loader = experiment.test_data
        result = experiment.trainer.evaluate(loader, load_best_model=True, show_progress=False)
        ranked = rank_users(experiment.model, loader, metrics=FIGURES, device=experiment.config["device"])
        users = [str(user) for user in experiment.dataset.id2token(experiment.dataset.uid_field, ranked.users)]
        order = self.records.users(fingerprint)
        if order is None:
            order = sorted(users)
            self.records.append(SplitRecord(seed=point.seed, split=fingerprint, users=tuple(order)))
        bundle = None
        if experiment.is_llmfb and point.seed == self.plan.seeds[0]:
            bundle = _write_bundle(trained, result)
        tested = Tested(
            **_facts(trained, fingerprint),
            test={name: float(value) for name, value in result.items()},
            by_user=in_order(users, {name: values.tolist() for name, values in ranked.values.items()}, order),
            bundle=bundle,
        )
        self.records.append(tested)
        return tested

    def _judge(self, tested: Tested) -> None:
        """Let the simulated critics judge a bundle; one that is not on this machine is passed over."""
        from recbole_llmfb.evaluation.evaluate import evaluate  # late: baselines do without an encoder

        bundle = Path(str(tested.bundle))
        if not bundle.is_dir():
            remedy = "take its `tested` line out of the runs to train it again"
            _log.warning("%s: bundle %s is not here, the critics have not judged it; %s", tested.label, bundle, remedy)
            return
        facts = {name: getattr(tested, name) for name in ("label", "seed", "key", "split")}
        self.records.append(Judged(**facts, report=evaluate(bundle)))


def _facts(trained: _Trained, fingerprint: str) -> dict[str, Any]:
    """What the records of a tuned and a tested run have in common."""
    point = trained.point
    return {
        "label": point.entrant.label,
        "params": dict(point.params),
        "seed": point.seed,
        "key": point.key,
        "split": fingerprint,
        "valid": trained.valid,
        "seconds": trained.seconds,
        "recbole": recbole.__version__,
    }


def _write_bundle(trained: _Trained, result: dict[str, float]) -> str:
    """LLMFB's bundle, in a folder of the entrant's own, so that no variant becomes the champion of another."""
    from recbole_llmfb.training.export import write_bundle

    config = trained.experiment.config
    slug = "-".join("".join(c if c.isalnum() else " " for c in trained.point.entrant.label.lower()).split())
    config["checkpoint_dir"] = (Path(str(trained.point.config["checkpoint_dir"])) / "benchmark" / slug).as_posix()
    return Path(write_bundle(trained.experiment, trained.outcome | {"test_result": result})).as_posix()
