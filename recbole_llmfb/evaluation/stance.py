"""How well the stance towards what was shown is read on seekers whom training has not heard: F1 of neither, accept and reject.

Groups of the labelled texts (seekers) are dealt into folds. For each fold, encoder and head are trained afresh on the others,
without what other sources have of the same talk; what they read in the fold counts. Intervals draw seekers.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC
from tqdm import tqdm

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.evaluation.intervals import Estimate, f1
from recbole_llmfb.evaluation.rendering import table
from recbole_llmfb.schema import STANCES
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.signals import ReadingHead
from recbole_llmfb.training.config import OUR_PROPERTIES
from recbole_llmfb.training.config_files import read_config
from recbole_llmfb.training.labels import STANCE_LABELS, LabelledText, read_labels, without_echoes
from recbole_llmfb.training.stances import read_stances, tune_on_labels
from recbole_llmfb.training.tuning import TunedEncoder

Learner = Callable[[Sequence[LabelledText], Sequence[str]], Sequence[int]]
"""Learns from labelled texts, and gives the row in `STANCES` of each further text."""

BASELINE, OURS = "TF-IDF, linear", "fine-tuned encoder"


@dataclass(frozen=True, slots=True)
class StanceReport:
    """rows: method -> F1 of each of `STANCES`, then their mean; groups: the seekers that intervals draw."""

    rows: dict[str, list[Estimate]]
    told: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def markdown(self) -> str:
        """The table that a person reads; figures are `value [95 % interval]`."""
        header = ["method", *(f"F1, {label}" for label in STANCE_LABELS), "macro-F1"]
        return f"{self.told}\n\n{table(header, [[name, *map(str, row)] for name, row in self.rows.items()])}\n"


def cross_validate(paths: Sequence[str | Path], *, folds: int = 5, seed: int = 0) -> StanceReport:
    """Train on all folds but one, and read that one, in turn; beside it TF-IDF with a linear classifier on the same folds.

    Args:
        paths: `.labels` files. Folds are of the texts that bear a stance; a satisfaction is left out.
        seed: of the weights, of the order of texts, and of the intervals' draws.

    Raises:
        DataError: a file that cannot be read.
        UsageError: fewer groups than folds, or a stance without a text.
    """
    texts = _with_stance(paths)
    truth = _truth(texts)
    learners: dict[str, Learner] = {BASELINE: linear, OURS: lambda known, asked: tuned(known, asked, seed=seed)}
    read = {name: np.empty_like(truth) for name in learners}
    for rest, held in tqdm(deal(texts, folds), desc="folds", disable=None):
        for name, learner in learners.items():
            read[name][held] = learner(rest, [texts[row].text for row in held])
    told = f"{_counted(texts)}, {folds} folds by seeker, seed {seed}; 95 % bootstrap intervals, seekers drawn."
    return StanceReport({name: _scores(texts, found, seed) for name, found in read.items()}, told)


def deal(texts: Sequence[LabelledText], folds: int) -> list[tuple[list[LabelledText], NDArray[np.int64]]]:
    """Of each fold, what may be learned from and the rows held out. Every row is held out once, all of a seeker in one fold.

    Raises:
        UsageError: fewer seekers than folds.
    """
    groups = _groups(texts)
    if not 2 <= folds <= len(set(groups)):
        raise UsageError(f"folds={folds}: choose 2 to {len(set(groups))}, the number of seekers")
    dealt = GroupKFold(folds).split(groups, groups=groups)
    return [(without_echoes(texts, [texts[row] for row in held]), held) for _, held in dealt]


def judge(bundle_path: str | Path, paths: Sequence[str | Path], *, seed: int = 0) -> StanceReport:
    """How a bundle reads the stances of labelled texts, which should be of seekers whom its training has not heard.

    Raises:
        BundleError, DataError: what cannot be loaded.
        UsageError: a bundle that reads no stance, or no text that bears one.
    """
    bundle, texts = load_bundle(bundle_path), _with_stance(paths)
    reader = bundle.reader(device="cuda" if torch.cuda.is_available() else "cpu")
    if reader.head.stance is None:
        raise UsageError(f"bundle {bundle.version} reads no stance: train it with `labelled_texts`")
    found = [STANCES.index(utterance.reading.stance) for utterance in reader.read([one.text for one in texts])]
    told = f"{_counted(texts)}; 95 % bootstrap intervals, seekers drawn."
    return StanceReport({f"bundle {bundle.version}": _scores(texts, np.array(found), seed)}, told)


def tuned(known: Sequence[LabelledText], asked: Sequence[str], *, seed: int) -> Sequence[int]:
    """The encoder and head of LLMFB, by its default configuration, trained on labelled texts alone."""
    options = read_config(OUR_PROPERTIES)
    torch.manual_seed(seed)
    plain = Encoder.load(options["encoder"], revision=options["encoder_revision"], max_tokens=options["encoder_max_tokens"])
    encoder = TunedEncoder(plain, options["encoder_tuning"], lora_rank=options["lora_rank"], drop=options["encoder_dropout"])
    head = ReadingHead(0, encoder.width, stance=True)
    rates = {key: options[key] for key in ("learning_rate", "encoder_learning_rate", "weight_decay")}
    tune_on_labels(encoder, head, known, **rates)
    return read_stances(encoder, head, asked)


def linear(known: Sequence[LabelledText], asked: Sequence[str]) -> Sequence[int]:
    """TF-IDF of words, pairs of words and letters, under a linear classifier: the baseline."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    model = make_pipeline(make_union(words, letters), LinearSVC(C=0.2, class_weight="balanced", random_state=0))
    found: list[int] = model.fit([one.text for one in known], [one.stance for one in known]).predict(list(asked)).tolist()
    return found


def _with_stance(paths: Sequence[str | Path]) -> list[LabelledText]:
    texts = [one for one in read_labels(paths) if one.stance is not None]
    if not texts:
        raise UsageError(f"no text with a stance in {', '.join(map(str, paths))}: name .labels files that have them")
    return texts


def _scores(texts: Sequence[LabelledText], read: NDArray[np.int64], seed: int) -> list[Estimate]:
    return f1(_truth(texts), read, classes=len(STANCES), groups=_groups(texts), seed=seed)


def _truth(texts: Sequence[LabelledText]) -> NDArray[np.int64]:
    return np.array([one.stance for one in texts], dtype=np.int64)


def _groups(texts: Sequence[LabelledText]) -> list[str]:
    return [f"{one.source}:{one.group}" for one in texts]


def _counted(texts: Sequence[LabelledText]) -> str:
    return f"{len(texts):,} texts of {len(set(_groups(texts)))} seekers"
