"""The rivals hear what they should, and nothing else."""

import numpy as np
import pytest
import torch

from recbole_llmfb.evaluation.rivals import frozen_cosine, keyword_filter, oracle_filter, paging, wanted
from recbole_llmfb.text.lexicon import Lexicon
from recbole_llmfb.training.critic import Critique
from recbole_llmfb.training.episodes import Talk, displacement

ATTRIBUTES = ["1990s", "comedy", "horror"]
LEXICON = Lexicon(ATTRIBUTES, ["Heat", "Comedy, The"])
DECADE, COMEDY, HORROR = range(3)
MEMBERSHIP = torch.tensor([[1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0]], dtype=torch.float)
QUIET = torch.tensor([[0.6, 0.5, 0.4, 0.3, 0.2, 0.1]])


def heard(*texts: str) -> list[int]:
    """The list of the keyword filter after these words."""
    return keyword_filter(QUIET, LEXICON, MEMBERSHIP)([Talk(texts)])[0].argsort(descending=True).tolist()


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("more horror please", {HORROR: True}),
        ("No horror.", {HORROR: False}),
        ("I don't want horror", {HORROR: False}),
        ("I’m sick of horror", {HORROR: False}),
        ("less horror, more comedy", {HORROR: False, COMEDY: True}),
        ("horror is fine but skip the comedies", {HORROR: True, COMEDY: False}),
        ("I've had enough of horror", {HORROR: False}),
        ("not enough horror", {HORROR: True}),
        ("I can't get enough horror", {HORROR: True}),
        ("don't skip the horror", {HORROR: True}),
        ("anything but horror", {HORROR: False}),
        ("nothing but horror", {HORROR: True}),
        ("too much horror and comedy", {HORROR: False, COMEDY: False}),
        ("horror? no thanks", {HORROR: False}),
        ("scary movies from the 90s", {DECADE: True}),
        ("nothing scary", {}),
        ("hello", {}),
        ("something like Heat", {}),
    ],
)
def test_plain_negation_is_understood(text: str, meaning: dict[int, bool]) -> None:
    assert wanted(text, LEXICON) == meaning


def test_items_that_meet_most_wishes_come_first_then_the_quiet_order() -> None:
    assert heard() == [0, 1, 2, 3, 4, 5]
    assert heard("more horror") == [2, 3, 0, 1, 4, 5]
    assert heard("more horror", "no 90s") == [3, 1, 2, 5, 0, 4]
    assert heard("more horror", "no horror") == [0, 1, 4, 5, 2, 3]  # the later word counts


def test_paging_hears_nothing() -> None:
    assert torch.equal(paging(QUIET)([Talk(("no comedy",))]), QUIET)


def test_the_oracle_hears_what_was_meant() -> None:
    talk = Talk(("nothing scary",), (Critique("nothing scary", "less", HORROR),))
    assert oracle_filter(QUIET, MEMBERSHIP)([talk])[0].argsort(descending=True).tolist() == [0, 1, 4, 5, 2, 3]


def test_a_filter_moves_nothing_that_the_words_are_not_about() -> None:
    random = np.random.default_rng(0)
    quiet = torch.from_numpy(random.normal(size=(4, 500)).astype(np.float32)) + 1000  # little float32 precision is left
    membership = torch.from_numpy(random.random((3, 500)) < 0.3).float()
    method = keyword_filter(quiet, LEXICON, membership)
    before, after = method([Talk()] * 4), method([Talk(("no horror",))] * 4)
    unrelated = (membership[HORROR] == 0).expand(4, -1)
    assert displacement(before, after, unrelated).tolist() == [0.0] * 4
    assert (displacement(before, after, torch.ones_like(unrelated)) > 0).all()


def test_displacement_counts_places() -> None:
    before, after = torch.tensor([[4.0, 3.0, 2.0, 1.0]]), torch.tensor([[4.0, 1.0, 2.0, 3.0]])
    everything = torch.ones(1, 4, dtype=torch.bool)
    assert displacement(before, after, everything).tolist() == [(0 + 2 + 0 + 2) / 4 / 4]
    assert displacement(before, after, torch.tensor([[True, False, True, False]])).tolist() == [0.0]
    assert np.isnan(displacement(before, after, torch.tensor([[True, False, False, False]])))


def test_the_cosine_follows_likeness_and_ignores_polarity() -> None:
    vectors = torch.eye(6)
    said = {"horror": 3, "no horror": 3}

    def encode(texts: list[str]) -> torch.Tensor:
        return torch.stack([vectors[said[text]] for text in texts])

    for text in said:
        scores = frozen_cosine(QUIET, encode, vectors, 5.0)([Talk((text,))])
        assert scores.argmax() == 3
    silent, deaf = frozen_cosine(QUIET, encode, vectors, 5.0)([Talk()]), frozen_cosine(QUIET, encode, vectors, 0.0)
    assert silent[0].argsort(descending=True).tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(deaf([Talk(("horror",))]), silent)
