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
    "I liked the last one a lot but please show me something lighter now, from the nineties, and without any violence",
    "that was far too slow and sad for tonight, we would rather watch something funny and quick with the whole family",
    "could you find me a clever thriller that nobody talks about, not another superhero story, and please no more horror films",
    "my friends want a romantic comedy with good music, I could live with an old classic, but nothing longer than usual",
)


class Times(BaseModel):
    """Milliseconds of `calls` calls."""

    model_config = ConfigDict(frozen=True)

    calls: int
    p10: float
    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Times":
        p10, p50, p90, p99 = (float(value) for value in np.quantile(np.array(seconds) * 1e3, [0.1, 0.5, 0.9, 0.99]))
        return cls(calls=len(seconds), p10=p10, p50=p50, p90=p90, p99=p99)


class Answers(BaseModel):
    """items: of the catalogue. memory_gib: the largest that the process ever was."""

    model_config = ConfigDict(frozen=True)

    items: int
    backend: Backend
    respond: Times
    encoder: Times
    memory_gib: float

    @property
    def over_encoder(self) -> float:
        return self.respond.p50 / self.encoder.p50


@torch.inference_mode()
def measure_answers(path: str | Path, n_items: int, *, backend: Backend | None = None, calls: int = 300) -> Answers:
    """Time answers with their commits to SQLite, and the encoder alone on the same words, in turn.

    Every call is of a user who has seen a list and spoken at most a few times; the words have twenty words.
    """
    bundle = large_bundle(load_bundle(path), n_items)
    encoder = bundle.encoder(backend).eval()
    respond, alone = list[float](), list[float]()
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/feedback.db")
        recommender = Recommender(bundle, SqlLog(database), encoder_backend=backend)
        for call in range(_WARM_UP + calls):
            user, text = f"user-{call % USERS}", UTTERANCES[call % len(UTTERANCES)]
            recommender.recommend(user)
            feedback = Feedback(user, text=text)
            respond.append(_seconds(lambda: recommender.respond(feedback)))  # noqa: B023 (called at once)
            alone.append(_seconds(lambda: encoder.texts([text])))  # noqa: B023
        database.close()
    return Answers(
        items=n_items,
        backend=backend or bundle.encoder_backend,
        respond=Times.of(respond[_WARM_UP:]),
        encoder=Times.of(alone[_WARM_UP:]),
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
