"""A version of a bundle whose encoder runs in ONNX Runtime: written only where what is said ranks as well as through torch."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from recbole_llmfb.bundle import Bundle, derive_bundle, load_bundle
from recbole_llmfb.bundle.artifact import ENCODER
from recbole_llmfb.errors import EncoderError, NotEnoughDataError, UsageError
from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.ranking.preference import said, stack, talked
from recbole_llmfb.ranking.slate import best
from recbole_llmfb.text.encoder import ONNX_FILES, Backend, Encoder, checked_backend
from recbole_llmfb.text.onnx_export import export_onnx
from recbole_llmfb.text.signals import Reader
from recbole_llmfb.text.talk import as_talk
from recbole_llmfb.text.titles import distinct_titles
from recbole_llmfb.training.critic import Critic, Wording, utterance
from recbole_llmfb.training.phrases import load_phrase_book

MOST_LOST = 0.005
_CUT = 10
_WORDINGS: tuple[Wording, ...] = ("literal", "indirect")


@dataclass(frozen=True, slots=True)
class Exported:
    """A version that was written. ndcg_torch, ndcg: mean NDCG@10 over `texts`, through torch and through the backend."""

    path: Path
    backend: Backend
    ndcg_torch: float
    ndcg: float
    texts: int

    @property
    def fall(self) -> float:
        """Relative; negative for a gain."""
        return 1 - self.ndcg / self.ndcg_torch

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"path": str(self.path), "fall": self.fall}

    def text(self) -> str:
        ranked = f"NDCG@10 {self.ndcg_torch:.4f} through torch, {self.ndcg:.4f} through {self.backend} ({-self.fall:+.2%})"
        return f"bundle: {self.path}\n{ranked}, over {self.texts:,} simulated critiques"


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody who has a history (rows), wants a target (a row), and says a text about it."""

    history: tuple[int, ...]
    target: int
    text: str


def export_encoder(
    path: str | Path, backend: Backend = "onnx-int8", *, texts: int = 2000, most_lost: float = MOST_LOST, seed: int = 0
) -> Exported:
    """Write a version of a bundle, its parent, whose encoder runs through a backend; see `derive_bundle`.

    What is compared: the mean NDCG@10 of a ranking after one text, once read through torch and once through the backend. Each
    case is an interaction of the bundle's histories, drawn at random: the rest of the history ranks the catalogue, a simulated
    critic who wants the item that was taken out speaks about the first ten (half of them literally, half indirectly where the
    phrase book can, in phrasings of its test share), and the items are ranked again. In a catalogue without attributes nobody can
    criticise, and the text is the item's own. The bundle's items, head and weights stay as they are: only the user's words go
    through the backend, as in serving. The linear form has seen the interactions, on both sides alike, so that the
    figures compare backends and say nothing of how good the model is.

    Args:
        path: a bundle, or a folder of bundles (its champion).
        texts: cases at most. most_lost: the relative fall of NDCG@10 from which the export is refused.

    Raises:
        UsageError: torch, which needs no export, or an unknown backend.
        BundleError: a bundle that is damaged. NotEnoughDataError: no history of two items, or no ranking to compare.
        EncoderError: a network that cannot be exported, or that ranks too much worse; nothing is written.
        MissingExtraError: without the library `onnx`.
    """
    if checked_backend(backend) == "torch":
        raise UsageError("encoder_backend='torch' needs no export: every bundle has it")
    bundle = load_bundle(path)
    name = f"{ENCODER}/{ONNX_FILES[backend]}"
    with TemporaryDirectory() as aside:
        encoder = bundle.encoder("torch")
        folder = Path(aside) / ENCODER
        encoder.save(folder)
        export_onnx(encoder, Path(aside) / name, int8=backend == "onnx-int8")
        fast = Encoder.load(folder, max_tokens=encoder.max_tokens, backend=backend)
        cases = draw_cases(bundle, texts, seed=seed)
        before, after = _quality(bundle, encoder, cases, backend="torch"), _quality(bundle, fast, cases, backend=backend)
        if before <= 0:
            raise NotEnoughDataError((len(cases),), remedy="no text brings its item among the first ten: nothing can be compared")
        exported = Exported(bundle.path, backend, before, after, len(cases))
        if exported.fall > most_lost:
            problem = (
                f"over {len(cases):,} texts, NDCG@10 falls by {exported.fall:.2%} through {backend}, {before:.4f} to {after:.4f}"
            )
            raise EncoderError(bundle.path, problem, remedy=f"at most {most_lost:.1%} may be lost: keep torch, or try onnx")
        figures = {key: value for key, value in exported.as_dict().items() if key != "path"}
        written = derive_bundle(
            bundle,
            {name: Path(aside) / name},
            configuration={"encoder_backend": backend},
            metrics={"encoder_export": figures},
        )
    return Exported(written, backend, before, after, len(cases))


@torch.inference_mode()
def draw_cases(bundle: Bundle, count: int, *, seed: int = 0) -> list[Case]:
    """Cases as `export_encoder` describes them; fewer where a critic has nothing to say.

    Raises:
        NotEnoughDataError: no history of two items, or nobody has anything to say.
    """
    random = np.random.default_rng(seed)
    histories = bundle.histories
    lengths = np.diff(histories.indptr)
    owner = np.repeat(np.arange(len(histories)), lengths)
    drawn = random.permutation(np.flatnonzero(lengths[owner] > 1))[:count]
    speak = _critic_of(bundle)
    scorer, cases = bundle.scorer().freeze(), []
    for number, place in enumerate(drawn):
        target = int(histories.indices[place])
        history = tuple(row for row in histories.rows(histories.users[owner[place]]) if row != target)
        slate = best(_quiet(scorer, history), _CUT)
        text = speak(target, slate, _WORDINGS[number % len(_WORDINGS)], random)
        if text and history:
            cases.append(Case(history, target, text))
    if not cases:
        raise NotEnoughDataError((len(histories),), remedy="a user with two items, and words about them, are needed")
    return cases


def _critic_of(bundle: Bundle) -> Any:
    """A function of target, slate, wording and random numbers, to what is said; "" for nothing."""
    texts = bundle.items["text"].tolist()
    if not bundle.attributes:
        return lambda target, slate, wording, random: texts[target]  # noqa: ARG005
    chosen = bundle.manifest.configuration.get("phrase_book")
    book = load_phrase_book(str(chosen) if chosen else None).share("test")
    titles = distinct_titles(bundle.lexicon().names)
    critic = Critic(bundle.attributes, bundle.scorer_state["membership"].numpy() > 0, titles, book)

    def speak(target: int, slate: Sequence[int], wording: Wording, random: np.random.Generator) -> str:
        said = critic.criticise(target, slate, wording, random)
        said = said or critic.criticise(target, slate, "literal", random)
        return utterance(said) if said else ""

    return speak


def _quality(bundle: Bundle, encoder: Encoder, cases: Sequence[Case], *, backend: Backend) -> float:
    """Mean NDCG@10 of one relevant item: 1 / log2(1 + rank), 0 below the cut."""
    reader = bundle.reader_of(encoder)
    gains = [_gain(rank) for rank in _ranks(bundle.scorer().freeze(), reader, cases, backend)]
    return float(np.mean(gains))


def _gain(rank: int) -> float:
    return float(1 / np.log2(1 + rank)) if rank <= _CUT else 0.0


@torch.inference_mode()
def _ranks(scorer: Scorer, reader: Reader, cases: Sequence[Case], backend: Backend) -> Iterator[int]:
    """Rank of each target after the text, among the items that are not in the history."""
    for case in tqdm(cases, desc=f"reading through {backend}", unit="text", disable=None):
        scores = _quiet(scorer, case.history) + _heard(scorer, reader, case.text)
        yield 1 + int((scores > scores[case.target]).sum())


def _quiet(scorer: Scorer, history: Sequence[int]) -> Tensor:
    """Scores (I,) of a history without words, minus infinity for its own items."""
    row = torch.zeros(1, scorer.shape.n_items)
    row[0, list(history)] = 1
    scores: Tensor = scorer(row)[0].masked_fill(row[0] > 0, -torch.inf)
    return scores


def _heard(scorer: Scorer, reader: Reader, text: str) -> Tensor:
    """What a text adds to the scores, (I,), read and weighed as in serving."""
    (read,) = reader.read([text])
    wishes = [said(one, time=0.0, feedback="") for one in read.understood]
    if scorer.shape.talk:
        wishes += talked(wishes, reader.encoder.embed([as_talk([text])])[0])
    stacked = stack([wishes], now=[0.0], half_life=1.0, n_items=scorer.shape.n_items)
    return scorer.feedback(stacked, 1)[0]
