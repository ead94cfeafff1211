"""`Recommender.respond` in process, call by call beside the bare encoder, over a catalogue of a given size."""

import resource
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.errors import NotEnoughDataError
from recbole_llmfb.evaluation.intervals import Estimate, ratio_of_medians
from recbole_llmfb.evaluation.serving.catalogue import USERS, large_bundle
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.text.encoder import Backend

CANDIDATES = 100
_WARM_UP = 10
_KIB = 2**20  # kibibytes in a GiB
# Twenty words each.
UTTERANCES = (
    "I liked the last one a lot but please show me something lighter, from the nineties, and without any violence",
    "that was too slow and sad for tonight, we would rather watch something funny and quick with the whole family",
    "could you find me a clever thriller that nobody talks about, not another superhero story, please no more horror films",
    "my friends want a romantic comedy with good music, I would take an old classic, but nothing longer than usual",
)


class Times(BaseModel):
    """Milliseconds of `calls` calls, by quantile."""

    model_config = ConfigDict(frozen=True)

    calls: int
    p10: float
    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Times":
        """Raises NotEnoughDataError where nothing was timed."""
        if not seconds:
            raise NotEnoughDataError((0,), remedy="no call was answered in time, or none was asked for")
        p10, p50, p90, p99 = (float(value) for value in np.quantile(np.array(seconds) * 1e3, [0.1, 0.5, 0.9, 0.99]))
        return cls(calls=len(seconds), p10=p10, p50=p50, p90=p90, p99=p99)

    def spread(self) -> str:
        return f"p50 {self.p50:.1f} ms, p10 {self.p10:.1f}, p90 {self.p90:.1f}, p99 {self.p99:.1f}, of {self.calls:,} calls"


class Answers(BaseModel):
    """items: of the catalogue. over_encoder: `respond`'s p50 over the encoder's. memory_gib: the largest that the process ever
    was."""

    model_config = ConfigDict(frozen=True)

    items: int
    backend: Backend
    respond: Times
    encoder: Times
    over_encoder: Estimate
    memory_gib: float


@torch.inference_mode()
def measure_answers(path: str | Path, n_items: int | None = None, *, calls: int = 300) -> Answers:
    """Time answers with their commits to SQLite, and the encoder alone on the same words, in turn and in changing order.

    Every call is of a user who has seen a list and spoken at most a few times; an utterance has twenty words.

    Args:
        n_items: of a random catalogue; the bundle's own, unless given.
    """
    bundle = load_bundle(path) if n_items is None else large_bundle(load_bundle(path), n_items)
    users = bundle.histories.users[:USERS] or ("nobody",)
    encoder = bundle.encoder().eval()
    respond, alone = list[float](), list[float]()
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/feedback.db")
        recommender = Recommender(bundle, SqlLog(database))
        for call in range(_WARM_UP + calls):
            user, text = users[call % len(users)], UTTERANCES[call // 2 % len(UTTERANCES)]
            recommender.recommend(user)
            feedback = Feedback(user, text=text)
            work: list[tuple[list[float], Callable[[], object]]] = [
                (respond, lambda: recommender.respond(feedback)),  # noqa: B023 (called at once)
                (alone, lambda: encoder.texts([text])),  # noqa: B023
            ]
            for times, one in work[:: 1 if call % 2 else -1]:
                times.append(_seconds(one))
        database.close()
    respond, alone = respond[_WARM_UP:], alone[_WARM_UP:]
    return Answers(
        items=len(bundle.items),
        backend=bundle.encoder_backend,
        respond=Times.of(respond),
        encoder=Times.of(alone),
        over_encoder=ratio_of_medians(respond, alone),
        memory_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB,
    )


@torch.inference_mode()
def measure_cross_encoder(path: str | Path, *, calls: int = 10) -> Times:
    """Re-rank 100 candidates with a cross-encoder built as the bundle's encoder is, in torch, as sentence-transformers does.

    Its weights are random: only their number matters for time. Each candidate is read together with the utterance, in batches
    of 32.
    """
    bundle = load_bundle(path)
    tokenizer = bundle.encoder("torch").tokenizer
    config = AutoConfig.from_pretrained(bundle.encoder_folder, num_labels=1)
    model: nn.Module = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    model.eval()
    texts = bundle.items["text"].sample(CANDIDATES, replace=len(bundle.items) < CANDIDATES, random_state=0).tolist()
    return Times.of([_seconds(lambda: _rerank(model, tokenizer, UTTERANCES[0], texts)) for _ in range(calls)])


def _rerank(model: nn.Module, tokenizer: Callable[..., object], said: str, texts: list[str]) -> None:
    for start in range(0, len(texts), 32):
        part = texts[start : start + 32]
        tokens = tokenizer([said] * len(part), part, padding=True, truncation=True, max_length=256, return_tensors="pt")
        model(**tokens)  # type: ignore[arg-type]


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
