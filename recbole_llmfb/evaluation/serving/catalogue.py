"""A catalogue of any size around a bundle's encoder and head: random items, of which only the number matters for time."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import normalize

from recbole_llmfb.bundle import Bundle, Histories
from recbole_llmfb.ranking.fusion import Scorer, Shape

USERS = 500
_HISTORY = 30
_RANK = 64
_ATTRIBUTES_OF_ITEM = 3
_WORDS = 20_000


def large_bundle(bundle: Bundle, n_items: int, *, seed: int = 0) -> Bundle:
    """The bundle with `n_items` random items in place of its own, in memory: titles of two to four made-up words and a year,
    factors and item vectors of rank 64 at most, no dense form. Its encoder, head and attributes stay."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    scorer = _scorer(bundle, n_items)
    histories = {f"user-{user}": random.choice(n_items, _HISTORY, replace=False).tolist() for user in range(USERS)}
    manifest = bundle.manifest.model_copy(update={"shape": asdict(scorer.shape), "watermark": {}})
    return replace(
        bundle,
        manifest=manifest,
        scorer_state=scorer.state_dict(),
        items=_items(bundle, n_items, random),
        histories=Histories.of_users(histories),
    )


def _scorer(bundle: Bundle, n_items: int) -> Scorer:
    own = bundle.scorer()
    rank = min(_RANK, own.shape.rank)
    shape = replace(own.shape, n_items=n_items, rank=rank, hidden=0, n_factors=_RANK, linear=0, projected=1, talk=0)
    scorer = Scorer(Shape(**asdict(shape)), factor_ridge=own.factor_ridge).requires_grad_(False)
    scorer.factors.normal_()
    scorer.residual.copy_(normalize(torch.randn(n_items, rank), dim=1))
    scorer.popularity.normal_()
    if shape.n_attributes:
        for _ in range(_ATTRIBUTES_OF_ITEM):
            scorer.membership[torch.randint(shape.n_attributes, (n_items,)), torch.arange(n_items)] = 1
    scorer.mix.copy_(torch.tensor([0.0, 1.0, 0.0, 0.3, 0.1]))
    for name in ("feedback_scale", "intent_scale", "item_gain"):
        getattr(scorer, name).copy_(getattr(own, name))
    scorer.intent.load_state_dict(own.intent.state_dict())
    return scorer


def _items(bundle: Bundle, n_items: int, random: np.random.Generator) -> pd.DataFrame:
    syllables = [one + two for one in "bdfgklmnprstvz" for two in "aeiou"]
    words = ["".join(random.choice(syllables, size=3)).capitalize() for _ in range(_WORDS)]
    lengths, chosen = random.integers(2, 5, n_items), random.integers(0, _WORDS, (n_items, 4))
    years = random.integers(1920, 2026, n_items)
    titles = [
        f"{' '.join(words[word] for word in of_item[:length])} ({year})"
        for of_item, length, year in zip(chosen.tolist(), lengths.tolist(), years.tolist(), strict=True)
    ]
    names = bundle.attributes[:_ATTRIBUTES_OF_ITEM]  # one list for all: what an item has stands in the scorer
    return pd.DataFrame(
        {
            "item": [f"i{row}" for row in range(n_items)],
            "title": titles,
            "text": titles,
            "attributes": [names] * n_items,
            "popularity": random.integers(0, 1000, n_items),
        }
    )
