"""The words of items as features of the linear form: what one vector per item blurs, such as "capo" or "12-string"."""

from collections.abc import Sequence

import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

_MIN_ITEMS = 3
_MAX_SHARE = 0.3  # a word of more items tells them apart too little


def shared_words(documents: Sequence[str]) -> Tensor:
    """How much each pair of items has the same words: (I, I) float32, the Gram matrix of tf-idf rows of unit length.

    Source: Salton and Buckley, "Term-weighting approaches in automatic text retrieval", Information Processing & Management 24,
    1988: sublinear term frequency, inverse document frequency, cosine normalisation. Words of fewer than three items, of more
    than 30 % of them, and English stop words are left out; without any word left the matrix is zero.

    Args:
        documents: (I,) every word that is known about an item.
    """
    counts = TfidfVectorizer(
        stop_words="english", sublinear_tf=True, min_df=_MIN_ITEMS, max_df=max(_MAX_SHARE, _MIN_ITEMS / max(len(documents), 1))
    )
    try:
        rows = counts.fit_transform(documents)
    except ValueError:  # no word is left
        return torch.zeros(len(documents), len(documents))
    return torch.from_numpy((rows @ rows.T).toarray()).float()
