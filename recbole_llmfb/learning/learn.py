"""From feedback to a better model, or to the same one: export, train, judge, decide. `learn` reads top to bottom.

The log is read once, at one moment. A challenger is trained on everything before the cut and written as a bundle whose parent is
the champion; both are judged on what came after the cut and on the old test set; the gate decides. Until the champion's pointer
moves, in one step and last of all, nothing that is served has changed: whatever ends this process leaves the champion.
"""

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.bundle.artifact import MANIFEST
from recbole_llmfb.bundle.gate_record import GateCheck, GateRecord
from recbole_llmfb.files import replace_text
from recbole_llmfb.learning.data import Base, Data, assemble
from recbole_llmfb.learning.exporting import erased, read_log
from recbole_llmfb.learning.gate import TOLERANCES, Verdict, decide
from recbole_llmfb.learning.judging import Judge
from recbole_llmfb.learning.laws import latency, laws
from recbole_llmfb.learning.versions import champion_of, nominate, promote
from recbole_llmfb.learning.warm import FIRST, Cancelled, Progress, Trained, Warmth, first_of, train, unheard, wanted
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.versions.promoting import LONGEST_REASON
from recbole_llmfb.training.export import Descent, write_bundle

DATA = "data"
"""The folder of data beside the versions."""

NEWEST, OLD = "newest feedback", "old test set"
REPORT = "{version}.learning.json"
_SENTENCES = ("less of this", "more like the last one please", "something funny", "no more of the same", "I liked the old ones")


class LearningReport(BaseModel):
    """What became of one round of learning.

    figures: test set -> metric -> means of champion and challenger. counts: interactions by part of the data. seconds: by step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    champion: str
    challenger: str
    promoted: bool
    verdict: Verdict
    figures: dict[str, dict[str, tuple[float, float]]]
    counts: dict[str, int]
    fingerprint: str
    seconds: dict[str, float]

    def text(self) -> str:
        """Lines for people: every check, and what came of it."""
        lines = [f"{'  passed' if check.passed else '  FAILED'}  {check.why}" for check in self.verdict.checks]
        end = f"{self.challenger} is the champion now" if self.promoted else f"{self.champion} stays the champion"
        return "\n".join([f"challenger {self.challenger} against champion {self.champion}", *lines, end])


class Screening(Protocol):
    """What of the log counts for what others are shown: ids of feedback that training leaves out, and weights of the rest."""

    @property
    def withheld(self) -> Collection[str]: ...
    @property
    def weights(self) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class Options:
    """How a round of learning goes.

    warmth: of the training. items: an `.item` file in place of the champion's. newest_share: of new interactions, held out to
    judge by. timed_calls: of each bundle; 0 leaves latency out of the gate. config_dict: configuration keys that differ on this
    machine, such as `data_path`. screen: is told the users whom the champion knows, and says what of the log counts.
    """

    warmth: Warmth = Warmth()
    items: Path | None = None
    newest_share: float = 0.2
    tolerances: Mapping[str, float] = field(default_factory=lambda: TOLERANCES)
    timed_calls: int = 40
    config_dict: Mapping[str, Any] | None = None
    screen: Callable[[Collection[str]], Screening] | None = None


def learn(
    database: Database,
    root: str | Path,
    *,
    options: Options | None = None,
    actor: str = "learn",
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = wanted,
) -> LearningReport:
    """Learn from what a log has since the champion, and promote the challenger if it is better and breaks nothing.

    Args:
        root: the folder of bundles, whose champion is challenged.
        actor: who promotes, for the audit log.
        progress: is told steps ("export", "train", "judge", "gate") and shares. cancelled: asked between steps.

    Raises:
        BundleError: no champion, or data that are not what it was trained on.
        NotEnoughDataError: too little is new.
        StoreError: the log cannot be read.
        Cancelled: `cancelled` said so; the champion stays.
    """
    options, root, clock = options or Options(), Path(root), _Clock(progress, cancelled)
    champion = load_bundle(champion_of(database, root))
    with clock.step("export"):
        data = _gathered(database, champion, root, options)
    with clock.step("train"), TemporaryDirectory(prefix="learning-") as scratch:
        trained = train(champion, data, options.warmth, checkpoints=scratch, progress=progress, cancelled=cancelled)
        challenger = load_bundle(written(trained, champion, data, root))
    with clock.step("judge"):
        scores = judged(champion, challenger, data)
    with clock.step("gate"):
        timed = latency(champion, challenger, _SENTENCES, calls=options.timed_calls) if options.timed_calls else None
        verdict = decide(
            metrics=scores, newest=scores[NEWEST], laws=laws(challenger, champion), latency=timed, tolerances=options.tolerances
        )
    report = LearningReport(
        champion=champion.version,
        challenger=challenger.version,
        promoted=verdict.passed,
        verdict=verdict,
        figures={name: _means(*both) for name, both in scores.items()},
        counts=dict(data.counts),
        fingerprint=data.fingerprint,
        seconds=clock.seconds,
    )
    replace_text(root / REPORT.format(version=challenger.version), report.model_dump_json(indent=1))
    _prune(root)
    nominate(database, root, challenger.version, _record(verdict, champion.version), actor=actor)
    if verdict.passed:
        _promote(database, root, challenger.version, actor=actor, reason=verdict.checks[0].why)
    return report


def written(trained: Trained, champion: Bundle, data: Data, root: Path) -> str:
    """A trained challenger as a bundle that is not served yet; its path."""
    watermark = dict(champion.manifest.watermark)
    watermark |= {user: max(seq, watermark.get(user, 0)) for user, seq in data.watermark.items()}
    descent = Descent(root, champion.version, watermark, {FIRST: first_of(champion)[1]})
    return write_bundle(trained.experiment, trained.result, descent)


def judged(
    champion: Bundle, challenger: Bundle, data: Data
) -> dict[str, tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]]:
    """Test set -> metrics by case of champion and challenger."""
    judges = Judge(champion), Judge(challenger)
    cases = {NEWEST: data.newest, OLD: data.old}
    return {name: (judges[0](of), judges[1](of)) for name, of in cases.items() if of}


def _gathered(database: Database, champion: Bundle, root: Path, options: Options) -> Data:
    """The data of this round, on disk beside the bundles."""
    base = Base.of(champion, options.config_dict or _beside(champion, root))
    known = {*base.interactions["user"], *base.old["user"]}
    screened = options.screen(known) if options.screen else None
    log = read_log(database, {})
    return assemble(
        base,
        log.without(screened.withheld) if screened else log,
        root / DATA,
        erased=frozenset(erased(database, known)),
        items=options.items,
        newest_share=options.newest_share,
        weights=screened.weights if screened else None,
    )


def _beside(champion: Bundle, root: Path) -> dict[str, str] | None:
    """Where the data of an earlier round are, should the folder of bundles have moved since."""
    folder = root / DATA / Path(str(champion.manifest.configuration.get("data_path"))).parent.name
    return {"data_path": str(folder)} if folder.is_dir() else None


def _prune(root: Path) -> None:
    """Remove data that no bundle here was trained on."""
    used = set()
    for path in root.glob(f"*/{MANIFEST}"):
        used.add(Path(str(json.loads(path.read_text(encoding="utf-8"))["configuration"].get("data_path"))).parent.name)
    for folder in (root / DATA).iterdir():
        if folder.name not in used:
            shutil.rmtree(folder, ignore_errors=True)


class _Clock:
    """Times steps, and lets nobody begin one that is not wanted any more."""

    def __init__(self, progress: Progress, cancelled: Callable[[], bool]) -> None:
        self.seconds: dict[str, float] = {}
        self._progress, self._cancelled = progress, cancelled

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if self._cancelled():
            raise Cancelled
        self._progress(name, 0.0)
        start = monotonic()
        yield
        self.seconds[name] = round(monotonic() - start, 1)
        self._progress(name, 1.0)


def _promote(database: Database, root: Path, version: str, *, actor: str, reason: str) -> None:
    promote(database, root, version, actor=actor, reason=reason[:LONGEST_REASON])


def _record(verdict: Verdict, champion: str) -> GateRecord:
    """The verdict as it is kept beside the challenger, for whoever decides otherwise."""
    checks = tuple(GateCheck(name=check.name, passed=check.passed, why=check.why) for check in verdict.checks)
    return GateRecord(passed=verdict.passed, champion=champion, checks=checks)


def _means(one: Mapping[str, NDArray[np.float64]], other: Mapping[str, NDArray[np.float64]]) -> dict[str, tuple[float, float]]:
    return {name: (float(one[name].mean()), float(other[name].mean())) for name in one}
