"""What training asks of the words: read each clause rightly, and let what was said move the ranking as it should."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize, softplus

from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.ranking.preference import Wishes
from recbole_llmfb.text.signals import NEGATIVE, POSITIVE
from recbole_llmfb.training.lessons import Clause

_UNNAMEABLE_SHARE = 0.15
_RAREST = 1e-3


def reading_loss(scorer: Scorer, clauses: Sequence[Clause], vectors: Tensor, polarity: Tensor, implied: Tensor) -> Tensor:
    """Cross-entropies of polarity and implied attribute, and the unnamed route's loss.

    For a share of the clauses the attribute that is meant is hidden, and "none of them" is right: so the head learns to say
    that a wish has no name here, and the unnamed route to serve it.

    Args:
        vectors: (S, D). polarity: (S, 3) logits. implied: (S, A + 1) logits, the last for no attribute.
    """
    labels = torch.tensor([clause.polarity for clause in clauses], device=polarity.device)
    loss = cross_entropy(polarity, labels)
    about = [position for position, clause in enumerate(clauses) if clause.aspects]
    if not about:
        return loss
    goal = _shares([clauses[position] for position in about], implied.shape[1]).to(implied.device)
    hidden = torch.rand(len(about), 1, device=implied.device) < _UNNAMEABLE_SHARE
    logits = implied[about].masked_fill(hidden & (goal > 0), -torch.inf)
    nothing = torch.zeros_like(goal)
    nothing[:, -1] = 1
    chosen = torch.where(hidden, nothing, goal)
    named = -(torch.where(chosen > 0, logits.log_softmax(dim=1), 0.0) * chosen).sum(dim=1).mean()
    return loss + named + intent_loss(scorer, vectors[about], goal[:, :-1])


def intent_loss(scorer: Scorer, vectors: Tensor, goal: Tensor) -> Tensor:
    """Teach the unnamed route alone to find the items that have what is meant, in balance of those that have it or not.

    Args:
        vectors: (S, D). goal: (S, A), above 0 for the attributes that are meant.
    """
    asked = normalize(scorer.intent(vectors), dim=1) @ scorer.item_vectors().T
    logits = softplus(scorer.intent_scale[0]) * asked + scorer.intent_scale[1]
    has = ((goal > 0).float() @ scorer.membership).clamp(max=1)
    share = has.mean(dim=1, keepdim=True)
    weight = torch.where(has > 0, 0.5 / share.clamp(min=_RAREST), 0.5 / (1 - share).clamp(min=_RAREST))
    return binary_cross_entropy_with_logits(logits, has, weight)


def soft_wishes(
    scorer: Scorer, clauses: Sequence[Clause], vectors: Tensor, polarity: Tensor, implied: Tensor, place: Sequence[int]
) -> Wishes:
    """Clauses as wishes, with a gradient into the reading: named attributes as they are, implied ones by their shares.

    Args:
        place: (S,) the row in the batch of the user who said each clause. The rest as in `reading_loss`.
    """
    chance, share = polarity.softmax(dim=1), implied.softmax(dim=1)
    named = torch.zeros_like(share[:, :-1])
    items = torch.zeros(len(clauses), scorer.shape.n_items, device=share.device)
    for position, clause in enumerate(clauses):
        named[position, list(clause.named)] = 1.0
        if clause.item >= 0:
            items[position, clause.item] = 1.0
    is_named = named.any(dim=1) | items.any(dim=1)
    return Wishes(
        row=torch.tensor(place, device=share.device),
        weight=chance[:, POSITIVE] - chance[:, NEGATIVE],
        aspects=torch.where(is_named[:, None], named, share[:, :-1]),
        items=items,
        vector=vectors,
        unnamed=torch.where(is_named, torch.zeros_like(share[:, -1]), share[:, -1]),
    )


def _shares(clauses: Sequence[Clause], width: int) -> Tensor:
    """Target distribution over the attributes that clauses mean, in equal shares: (S, width)."""
    goal = torch.zeros(len(clauses), width)
    for position, clause in enumerate(clauses):
        goal[position, list(clause.aspects)] = 1 / len(clause.aspects)
    return goal
