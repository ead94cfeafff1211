"""Words as features of items: known answers."""

import torch

from recbole_llmfb.training.word_features import shared_words

NOISE = [f"noise{number}" for number in range(12)]


def test_items_with_the_same_rare_words_are_alike() -> None:
    documents = ["capo clamp", "capo clamp", "capo clamp", "drum stick", "drum stick", "drum stick", *NOISE]
    shared = shared_words(documents)
    expected = torch.zeros(18, 18)
    expected[:3, :3] = expected[3:6, 3:6] = 1
    torch.testing.assert_close(shared, expected)


def test_words_of_two_items_of_nearly_all_and_stop_words_say_nothing() -> None:
    documents = ["guitar the rare"] * 2 + ["guitar the"] * 10
    assert not shared_words(documents).any()
    assert not shared_words(["", ""]).any()
