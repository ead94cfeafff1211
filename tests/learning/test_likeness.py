"""Near-identical texts find each other, however they are written, and others stay apart."""

import random
import string

from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.learning.likeness import groups, likeness, plain

TEXTS = st.lists(st.sampled_from(["a b", "more comedy please", "more comedy, please!", "less of it", "更多喜剧"]), max_size=12)


def together(*texts: str, threshold: float = 0.6) -> list[list[int]]:
    return groups([("", plain(text)) for text in texts], threshold)


def test_case_punctuation_and_forms_do_not_count() -> None:
    assert plain("  ＷＯＷ — such a_Film!!") == "wow such a film"
    assert together("You must see it!", "you MUST see it…") == [[0, 1]]


def test_a_changed_word_is_found_and_another_sentence_is_not() -> None:
    assert together(
        "everybody should really watch this wonderful film now",
        "the pacing is slow and the ending makes no sense to me",
        "everybody should really watch this wonderful movie now",
    ) == [[0, 2], [1]]


def test_texts_of_two_scopes_stay_apart() -> None:
    assert groups([("one", "great"), ("other", "great"), ("one", "great")], 0.6) == [[0, 2], [1]]


def test_likeness_is_jaccard_of_shingles() -> None:
    assert likeness("abcd", "abcd") == 1
    assert likeness("abcd", "wxyz") == 0
    assert likeness("abcde", "abcdf") == 2 / 6  # of " abc", "abcd", "bcde", "cde " and " abc", "abcd", "bcdf", "cdf "
    assert likeness("", "") == 1


@given(TEXTS)
def test_every_place_is_in_one_group_and_equal_texts_share_it(texts: list[str]) -> None:
    found = together(*texts)
    assert sorted(place for group in found for place in group) == list(range(len(texts)))
    of = {place: number for number, group in enumerate(found) for place in group}
    assert all(of[a] == of[b] for a in of for b in of if plain(texts[a]) == plain(texts[b]))


def test_a_large_crowd_is_one_group_and_honest_texts_are_their_own() -> None:
    draw = random.Random(0)
    pushed = [f"this film is the best of the year and everybody should see it {draw.randrange(10**6)}" for _ in range(2000)]
    own = ["".join(draw.choices(string.ascii_lowercase + " ", k=60)) for _ in range(2000)]
    found = sorted(map(len, together(*pushed, *own)))
    assert found == [1] * 2000 + [2000]
