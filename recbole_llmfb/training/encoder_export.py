"""A version of a bundle whose encoder runs in ONNX Runtime: written only where what is said ranks as well as through torch.

What is compared: the mean NDCG@10 of a ranking after one text, once read through torch and once through the backend. Each request
is an interaction of the bundle's histories, drawn at random: the rest of the history ranks the catalogue, a simulated critic who
wants the item that was taken out speaks about the first ten (half of them literally, half indirectly where the phrase book can,
in phrasings of its test share), and the items are ranked again. In a catalogue without attributes nobody can criticise, and the
text is the item's own.

The bundle's items, head and weights stay as they are: only the user's words go through the backend, as in serving. The linear
form has seen the interactions, on both sides alike: figures compare backends, and say nothing of how good the model is.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from recbole_llmfb.bundle import Bundle, derive_bundle, load_bundle
from recbole_llmfb.bundle.artifact import ENCODER
from recbole_llmfb.errors import BundleError, EncoderError, UsageError
from recbole_llmfb.ranking.slate import best
from recbole_llmfb.text.encoder import ONNX_FILES, Backend, Encoder, checked_backend
from recbole_llmfb.text.onnx_export import export_onnx
from recbole_llmfb.text.titles import distinct_titles
from recbole_llmfb.training.conversations import histories_of
from recbole_llmfb.training.critic import Critic, Wording, utterance
from recbole_llmfb.training.episodes import Talk, hearing
from recbole_llmfb.training.phrases import load_phrase_book
from recbole_llmfb.training.talk_mixing import ranks_of

MOST_LOST = 0.005
_CUT = 10
_WORDINGS: tuple[Wording, ...] = ("literal", "indirect")

Speaker = Callable[[int, Sequence[int], Wording, np.random.Generator], str]
"""What somebody who wants a target (a row) says about a slate (rows) in a wording; "" for nothing."""


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
class Request:
    """Somebody who has a history (rows), wants a target (a row), and says a text about it."""

    history: tuple[int, ...]
    target: int
    text: str


def export_encoder(
    path: str | Path, backend: Backend = "onnx-int8", *, texts: int = 2000, most_lost: float = MOST_LOST, seed: int = 0
) -> Exported:
    """Write a version of a bundle, its parent, whose encoder runs through a backend; see `derive_bundle`, and the module.

    Args:
        path: a bundle, or a folder of bundles (its champion).
        texts: requests at most. most_lost: the relative fall of NDCG@10 from which the export is refused.

    Raises:
        UsageError: torch, which needs no export, or an unknown backend.
        BundleError: a bundle that is damaged, or that has nothing to compare backends by.
        EncoderError: a network that cannot be exported, or that ranks too much worse; nothing is written.
        MissingExtraError: without the library `onnx`.
    """
    if checked_backend(backend) == "torch":
        raise UsageError("encoder_backend='torch' needs no export: every bundle has it")
    bundle = load_bundle(path)
    with TemporaryDirectory() as aside:
        folder = Path(aside)
        exact, file = bundle.encoder("torch"), ONNX_FILES[backend]
        exact.save(folder)
        export_onnx(exact, folder / file, int8=backend == "onnx-int8")
        fast = Encoder.load(folder, max_tokens=exact.max_tokens, backend=backend)
        found = _compared(bundle, exact, fast, backend, draw_requests(bundle, texts, seed=seed))
        if found.fall > most_lost:
            figures = f"NDCG@10 falls by {found.fall:.2%} through {backend}, {found.ndcg_torch:.4f} to {found.ndcg:.4f}"
            remedy = f"at most {most_lost:.1%} may be lost: keep torch, or try onnx"
            raise EncoderError(bundle.path, f"over {found.texts:,} texts, {figures}", remedy=remedy)
        written = derive_bundle(
            bundle,
            {f"{ENCODER}/{file}": folder / file},
            configuration={"encoder_backend": backend},
            metrics={"encoder_export": {key: value for key, value in found.as_dict().items() if key != "path"}},
        )
    return replace(found, path=written)


def _compared(bundle: Bundle, exact: Encoder, fast: Encoder, backend: Backend, requests: Sequence[Request]) -> Exported:
    """Figures of a bundle, before any version is written.

    Raises:
        BundleError: no text brings its item among the first ten.
    """
    before, after = _quality(bundle, exact, requests, "torch"), _quality(bundle, fast, requests, backend)
    if before <= 0:
        problem = f"none of {len(requests):,} texts brings its item among the first {_CUT}, so that backends cannot be compared"
        raise BundleError(bundle.path, problem, remedy="keep torch, or train it longer")
    return Exported(bundle.path, backend, before, after, len(requests))


@torch.inference_mode()
def draw_requests(bundle: Bundle, count: int, *, seed: int = 0) -> list[Request]:
    """Requests as the module describes them; fewer where a critic has nothing to say.

    Raises:
        BundleError: no history of two items, or nobody has anything to say.
    """
    random = np.random.default_rng(seed)
    histories = bundle.histories
    lengths = np.diff(histories.indptr)
    owner = np.repeat(np.arange(len(histories)), lengths)
    drawn = random.permutation(np.flatnonzero(lengths[owner] > 1))[:count]
    speak = _speaker(bundle)
    scorer, requests = bundle.scorer().freeze(), []
    for number, place in enumerate(drawn):
        target = int(histories.indices[place])
        history = tuple(row for row in histories.rows(histories.users[owner[place]]) if row != target)
        unsaid = Request(history, target, "")
        had = histories_of([unsaid], scorer.shape.n_items)
        slate = best(scorer(had)[0].masked_fill(had[0] > 0, -torch.inf), _CUT)
        text = speak(target, slate, _WORDINGS[number % len(_WORDINGS)], random)
        if text and history:
            requests.append(replace(unsaid, text=text))
    if not requests:
        problem = f"none of its {len(histories)} users has two items and words about them, so that backends cannot be compared"
        raise BundleError(bundle.path, problem, remedy="export a bundle of more interactions")
    return requests


def _speaker(bundle: Bundle) -> Speaker:
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


@torch.inference_mode()
def _quality(bundle: Bundle, encoder: Encoder, requests: Sequence[Request], backend: Backend) -> float:
    """Mean NDCG@10 of one relevant item, 1 / log2(1 + rank) and 0 below the cut, among the items that are not in the history."""
    scorer = bundle.scorer().freeze()
    heard = hearing(scorer, bundle.reader_of(encoder))
    gains = []
    for request in tqdm(requests, desc=f"reading through {backend}", unit="text", disable=None):
        had = histories_of([request], scorer.shape.n_items)
        scores = scorer(had) + heard([Talk((request.text,))])
        rank = float(ranks_of(scores, torch.tensor([request.target]), had > 0))
        gains.append(1 / np.log2(1 + rank) if rank <= _CUT else 0.0)
    return float(np.mean(gains))
