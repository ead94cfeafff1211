"""What one simulated sentence does to a list: a genre that is rejected leaves it, and small talk leaves it alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.evaluation.intervals import mean, ratio
from recbole_llmfb.evaluation.report import Negation, Neutral
from recbole_llmfb.text.lexicon import is_decade
from recbole_llmfb.training.critic import spoken
from recbole_llmfb.training.episodes import Method, Talk

_TOP = 20
_SHOWN_AT_LEAST = 0.1
_USERS_PER_GENRE = 40
_WATCHED = 100


def negation(
    quiet: Tensor, heard: Method, membership: Tensor, attributes: Sequence[str], phrasings: Sequence[str], *, seed: int
) -> Negation | None:
    """Say every phrasing against every genre, to up to 40 lists each whose top 20 holds at least a tenth of the genre.

    Args:
        quiet: (B, I) scores of users without words, minus infinity where an item is never shown.
        heard: the feedback part of what users say, see `training.episodes.hearing`.
        membership: (A, I), 1 where the item has the attribute. attributes: (A,) names; decades are left out.
        phrasings: with a slot {aspect}.

    Returns:
        None where no list holds enough of any genre.
    """
    random = np.random.default_rng(seed)
    rows: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
    genres = 0
    for row, name in enumerate(attributes):
        before = _share(quiet, membership[row])
        shown = np.flatnonzero(before >= _SHOWN_AT_LEAST)
        if is_decade(name) or not len(shown):
            continue
        genres += 1
        asked = np.sort(random.choice(shown, min(_USERS_PER_GENRE, len(shown)), replace=False))
        texts = [phrasing.replace("{aspect}", spoken(name, random)) for phrasing in phrasings]
        lists = quiet[asked]
        for said in heard([Talk((text,)) for text in texts]):
            rows.append((asked, before[asked], _share(lists + said, membership[row])))
    if not rows:
        return None
    users, first, second = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Negation(
        before=mean(first, groups=users),
        after=mean(second, groups=users),
        fall=ratio(second, first, groups=users).complement(),
        phrasings=len(phrasings),
        genres=genres,
        users=len(np.unique(users)),
    )


def neutral(quiet: Tensor, heard: Method, phrasings: Sequence[str]) -> Neutral:
    """Say every phrasing to every list (B, I), and look whether the top 100 stays the same."""
    first = _top(quiet, _WATCHED)
    same = [bool((_top(quiet + said, _WATCHED) == first).all()) for said in heard([Talk((text,)) for text in phrasings])]
    return Neutral(unchanged=mean(np.array(same, dtype=float)), users=len(quiet))


def _top(scores: Tensor, count: int) -> Tensor:
    return scores.topk(min(count, scores.shape[1]), dim=1).indices


def _share(scores: Tensor, has: Tensor) -> NDArray[np.float64]:
    """The share of items with an attribute, has (I,), in the top 20 of every list (B, I)."""
    shares: NDArray[np.float64] = has[_top(scores, _TOP)].double().mean(dim=1).numpy()
    return shares
