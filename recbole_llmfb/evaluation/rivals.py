"""What else a simulated user could talk to: paging, a keyword filter, the frozen encoder's cosine, and a filter that knows all.

Each is a `training.episodes.Method`. All begin from the same list, the quiet scores (B, I) of the model without any words, so
that what differs is how they listen.
"""

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from recbole_llmfb.ranking.collaborative import standardize
from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.lexicon import Lexicon
from recbole_llmfb.training.episodes import Method, Talk

Constraints = dict[int, bool]
"""Attribute row -> whether items should have it. Later words about an attribute replace earlier ones."""

# What an engineer would list who has read the training phrasings: phrases around a negation that ask for more, and words that
# turn what they stand with into its opposite.
_WANTING = (
    "no problem with | no such thing as too much | not only | not just | can't go wrong | can't wait | can't live without | "
    "can't resist | don't mind | wouldn't mind | wouldn't hurt | no doubt | why not | why no | why is there no | never "
    "heard of | nothing beats | nothing like | too little | too few"
)
_AGAINST = (
    r"no | not | none | nothing | never | neither | nor | without | cannot | \w+n't | dont | doesnt | cant | isnt | less | "
    "fewer | least | lighter on | enough | enough of | bit too | little too | far too | way too | too much | too many | not "
    "too | nothing too | not so much | not so many | bores | burned out | zero | free of | minus | except | other than | "
    "apart from | instead of | rather than | away from | over it | tired of | sick of | fed up | bored | done with | "
    "finished with | through with | break from | rest from | move on | skip | avoid | drop | remove | exclude | delete | "
    "scrap | ditch | lose | stop | quit | leave out | leaving out | cut | cut back | cut down | ease off | ease up | easy "
    "on | hold the | hide | ban | block | spare | get rid of | stay away | keep away | steer clear | turn off | turn down | "
    "tone down | dial down | dial back | reduce | lower | decrease | hate | hates | dislike | can't stand | cannot stand | "
    "can't bear | loathe | refuse | refuses | allergic | boring | tedious | overrated | overdone | sucks | ugh | yuck | "
    "pass | had it with | despise | detest | awful | terrible | worst | annoying | unbearable | cringe | dump | bin | chuck "
    "out | out with | take away | take it away | do away | good riddance | sick to death | overdosed | refrain | no longer "
    "| rather not | last thing | nobody | lost interest | move past"
)
_IDIOMS = {"anything but": "avoid", "nothing but": "only", "no thanks": "avoid", "no thank you": "avoid"}  # clauses end at "but"


def _any_of(phrases: str) -> str:
    ordered = sorted(phrases.split(" | "), key=len, reverse=True)
    return "|".join(phrase.replace(" ", r"\s+").replace("'", "['’]") for phrase in ordered)


_CUE = re.compile(rf"\b(?:(?P<wanting>{_any_of(_WANTING)})|(?P<against>{_any_of(_AGAINST)}))(?!\w)", re.IGNORECASE)


def paging(quiet: Tensor) -> Method:
    """Hears nothing: the next page of the same list."""
    return lambda _: quiet


def keyword_filter(quiet: Tensor, lexicon: Lexicon, membership: Tensor) -> Method:
    """What an engineer would write without learning: names of attributes are looked up in the words, negations are counted.

    membership: (A, I), 1 where the item has the attribute.
    """

    def constraints(talk: Talk) -> Constraints:
        return {row: want for text in talk.texts for row, want in wanted(text, lexicon).items()}

    return _filter(quiet, membership, constraints)


def oracle_filter(quiet: Tensor, membership: Tensor) -> Method:
    """The same filter, told what was meant instead of what was said: an upper reference, and no rival that could exist."""

    def constraints(talk: Talk) -> Constraints:
        return {one.aspect: one.direction == "more" for one in talk.critiques if one.aspect is not None}

    return _filter(quiet, membership, constraints)


def frozen_cosine(quiet: Tensor, encode: Callable[[Sequence[str]], Tensor], item_vectors: Tensor, weight: float) -> Method:
    """Likeness of items to everything that was said, by an encoder that was not tuned.

    Args:
        encode: texts -> unit vectors (B, D), see `remembered`.
        item_vectors: (I, D) unit vectors of the items' texts, zero for an item without a text.
        weight: of the standardized sum of cosines beside the standardized quiet scores; tuned on validation.
    """
    base = standardize(quiet)

    def scores(talks: Sequence[Talk]) -> Tensor:
        texts = [text for talk in talks for text in talk.texts]
        if not texts:
            return base
        rows = torch.tensor([row for row, talk in enumerate(talks) for _ in talk.texts])
        said = torch.zeros(len(talks), item_vectors.shape[1]).index_add(0, rows, encode(texts))
        return base + weight * standardize(said @ item_vectors.T)

    return scores


def remembered(encoder: Encoder) -> Callable[[Sequence[str]], Tensor]:
    """`Encoder.embed` that encodes a text once."""
    known: dict[str, Tensor] = {}

    def encode(texts: Sequence[str]) -> Tensor:
        new = sorted(set(texts) - known.keys())
        known.update(zip(new, encoder.embed(new), strict=True))
        return torch.stack([known[text] for text in texts])

    return encode


def wanted(text: str, lexicon: Lexicon) -> Constraints:
    """Attributes that a text names, each wanted unless its clause holds an odd number of negations ("don't skip the horror").

    A clause that names nothing speaks of the one before it ("horror? no thanks").
    """
    for idiom, plain in _IDIOMS.items():
        text = re.sub(rf"\b{idiom}\b", plain, text, flags=re.IGNORECASE)
    mentions = [mention for mention in lexicon.find(text) if mention.kind == "aspect"]
    found: Constraints = {}
    last: list[int] = []
    for start, end in split(text):
        negated = sum(match["against"] is not None for match in _CUE.finditer(text, start, end)) % 2 == 1
        named = [row for mention in mentions if start <= mention.span[0] < end for row in mention.rows]
        last = named or last
        if named or negated:
            found |= dict.fromkeys(last, not negated)
    return found


def _filter(quiet: Tensor, membership: Tensor, constraints: Callable[[Talk], Constraints]) -> Method:
    """Items that meet most constraints first, in quiet order among equals; float64 keeps that order exact."""
    n_items = quiet.shape[1]
    place = quiet.argsort(dim=1, stable=True).argsort(dim=1).double() / n_items
    has = membership.double()

    def scores(talks: Sequence[Talk]) -> Tensor:
        sign, missing = torch.zeros(len(talks), len(has), dtype=torch.float64), torch.zeros(len(talks), 1, dtype=torch.float64)
        for row, talk in enumerate(talks):
            for attribute, want in constraints(talk).items():
                sign[row, attribute] = 1.0 if want else -1.0
                missing[row] += not want
        return sign @ has + missing + place

    return scores
