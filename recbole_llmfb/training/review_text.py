"""What reviews say about items: a text for the encoder, and all of their words for the linear form.

Only reviews of the training part speak: those that their writer wrote strictly before the writer's own first held-out
interaction. Which they are is known after the split.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recbole_llmfb.training.feedback_table import FeedbackTable

_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_WORD = re.compile(r"\w+")


def reviews_before(table: FeedbackTable, texts: Sequence[str], cutoff_us: NDArray[np.int64], n_items: int) -> list[list[str]]:
    """The texts about each of `n_items` internal items that were written strictly before their writer's cut-off.

    Args:
        texts: what `table.text_row` counts.
        cutoff_us: (U,) the earliest held-out time of each user.
    """
    about: list[list[str]] = [[] for _ in range(n_items)]
    spoken = (table.time_us < cutoff_us[table.user]) & (table.item > 0) & (table.text_row >= 0)
    for row in np.flatnonzero(spoken):
        about[table.item[row]].append(texts[table.text_row[row]])
    return about


def typical(reviews: Sequence[str], words: int) -> str:
    """The reviews' opening sentences, the most typical first, in at most `words` words; "" without reviews.

    An opening is what a converter writes a review's summary as. It is the more typical, the more of the item's reviews have its
    words, on the average of its words. Repeats are left out.
    """
    shared = Counter(word for review in reviews for word in _words(review))
    openings = dict.fromkeys(_SENTENCE.split(review.strip(), maxsplit=1)[0] for review in reviews)
    chosen: list[str] = []
    left = words
    for opening in sorted(openings, key=lambda one: -_typicality(one, shared)):
        taken = opening.split()[:left]
        chosen.append(" ".join(taken))
        left -= len(taken)
        if left <= 0:
            break
    return " ".join(part for part in chosen if part)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _typicality(opening: str, shared: Counter[str]) -> float:
    words = _words(opening)
    return sum(shared[word] for word in words) / len(words) if words else 0.0
