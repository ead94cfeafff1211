"""How long an answer takes beside what it cannot do without: the encoder's pass over the same text."""

from collections.abc import Callable, Sequence
from time import perf_counter_ns

import numpy as np
import torch
from numpy.typing import NDArray

from recbole_llmfb.evaluation.intervals import ratio_of_medians
from recbole_llmfb.evaluation.report import Speed, Spread
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.text.encoder import Encoder

_WARM_UP = 20
_NS = 1e-6  # to milliseconds


def measure(recommender: Recommender, encoder: Encoder, texts: Sequence[str], users: Sequence[str], *, calls: int = 240) -> Speed:
    """Time `respond` and the encoder alone, on the same text, one after the other, in an order that rotates.

    Before speaking, a user is shown a list, untimed: what is timed is an answer to it.

    Args:
        encoder: the bundle's, in evaluation mode on the recommender's device.
        texts, users: said, and by whom, in turn; enough users that none has said much.
    """
    times = np.array(
        [_call(recommender, encoder, texts[i % len(texts)], users[i % len(users)], i) for i in range(_WARM_UP + calls)]
    )
    respond, encode, forward = times[_WARM_UP:].T * _NS
    return Speed(
        calls=calls,
        threads=torch.get_num_threads(),
        respond=_spread(respond),
        encoder=_spread(encode),
        forward=_spread(forward),
        over_encoder=ratio_of_medians(respond, encode),
        over_forward=ratio_of_medians(respond, forward),
    )


@torch.inference_mode()
def _call(recommender: Recommender, encoder: Encoder, text: str, user: str, turn: int) -> list[int]:
    """Nanoseconds of `respond`, of tokens and forward pass, and of the forward pass alone."""
    tokens, feedback = encoder.tokenize([text]), Feedback(user, text=text)
    recommender.recommend(user)
    work: list[Callable[[], object]] = [
        lambda: recommender.respond(feedback),
        lambda: encoder.texts([text]),
        lambda: encoder(tokens),
    ]
    taken = [0, 0, 0]
    for step in range(len(work)):
        one = (turn + step) % len(work)
        start = perf_counter_ns()
        work[one]()
        if encoder.device.type == "cuda":
            torch.cuda.synchronize()
        taken[one] = perf_counter_ns() - start
    return taken


def _spread(milliseconds: NDArray[np.float64]) -> Spread:
    p10, p50, p90 = np.quantile(milliseconds, [0.1, 0.5, 0.9])
    return Spread(median=float(p50), p10=float(p10), p90=float(p90))
