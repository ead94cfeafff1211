"""Reasons rest on evidence: the largest part, and something whose removal lowers the item."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.ranking.explain import Grounds, explain, largest
from recbole_llmfb.ranking.fusion import Parts, Scorer, Shape
from recbole_llmfb.ranking.preference import Wish, effective_weights, stack
from recbole_llmfb.ranking.wording import Change, Told, answer, quote, reason, standing
from recbole_llmfb.schema import Evidence, Signal

ITEMS, ATTRIBUTES, WIDTH = 12, 3, 8
IDS = [f"item {row}" for row in range(ITEMS)]
SEEDS = st.integers(0, 50)
TITLES = {item: item.title() for item in IDS}


def random_scorer(seed: int, mix: tuple[float, ...] = (1.0, 0.3, 0.5, 0.5, 0.1)) -> Scorer:
    torch.manual_seed(seed)
    scorer = Scorer(Shape(ITEMS, ATTRIBUTES, WIDTH, rank=4, hidden=3, n_factors=2))
    scorer.linear.copy_(torch.randn(ITEMS, ITEMS).fill_diagonal_(0))
    scorer.factors.normal_()
    scorer.item_text.normal_()
    scorer.membership.copy_((torch.rand(ATTRIBUTES, ITEMS) < 0.4).float())
    scorer.mix.copy_(torch.tensor(mix))
    torch.nn.init.normal_(scorer.popularity)
    return scorer.freeze()


def wish(weight: float, aspect: int) -> Wish:
    aspects = torch.zeros(ATTRIBUTES)
    words = f"about {aspect}"
    signal = Signal(span=(0, len(words)), text=words, kind="aspect", polarity=weight, strength=1, aspect=f"a{aspect}")
    aspects[aspect] = 1
    return Wish(weight, aspects, (), torch.zeros(WIDTH), 0.0, f"f{aspect}", signal)


def grounds(scorer: Scorer, history: tuple[int, ...], wishes: tuple[Wish, ...] = ()) -> Grounds:
    row = torch.zeros(1, ITEMS)
    row[0, list(history)] = 1
    stacked = stack([wishes], now=[0.0], half_life=1.0, n_items=ITEMS)
    relevance = scorer.relevance(stacked) if stacked else torch.zeros(0, ITEMS)
    weight = effective_weights(wishes, now=0.0, half_life=1.0)
    contributions, parts = scorer.contributions(weight, relevance), scorer.parts(row, stacked)
    return Grounds(history, parts, parts.score[0], wishes, lambda rows: contributions[:, list(rows)])


@given(SEEDS, st.sets(st.integers(0, ITEMS - 1), max_size=6), st.lists(st.sampled_from([-1.0, 0.5, 1.0]), max_size=3))
def test_first_evidence_is_of_the_largest_part(seed: int, history: set[int], weights: list[float]) -> None:
    scorer = random_scorer(seed)
    case = grounds(scorer, tuple(sorted(history)), tuple(wish(weight, aspect) for aspect, weight in enumerate(weights)))
    rows = [row for row in range(ITEMS) if row not in history]
    for row, found in zip(rows, explain(scorer, case, rows, IDS), strict=True):
        parts = case.parts_of([row])[0]
        assert found[0].part == largest(parts)
        assert parts[found[0].part] == max(parts.values())
        assert len({evidence.part for evidence in found}) == len(found)


@given(SEEDS, st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=6, unique=True))
def test_history_without_the_cited_item_lowers_part_and_score(seed: int, history: list[int]) -> None:
    scorer = random_scorer(seed)
    case = grounds(scorer, tuple(history))
    rows = [row for row in range(ITEMS) if row not in history]
    for row, found in zip(rows, explain(scorer, case, rows, IDS), strict=True):
        for evidence in found:
            if evidence.item is None:
                continue
            less = grounds(scorer, tuple(had for had in history if IDS[had] != evidence.item))
            drop = case.parts_of([row])[0][evidence.part] - less.parts_of([row])[0][evidence.part]
            assert drop == pytest.approx(evidence.amount, abs=1e-4)
            assert drop > 0
            assert case.score[row] > less.score[row]


@given(SEEDS, st.lists(st.tuples(st.sampled_from([-1.0, -0.4, 0.5, 1.0]), st.integers(0, 2)), min_size=1, max_size=4))
def test_words_without_the_cited_wish_lower_the_item(seed: int, said: list[tuple[float, int]]) -> None:
    scorer = random_scorer(seed)
    wishes = tuple(replace(wish(weight, aspect), feedback=str(place)) for place, (weight, aspect) in enumerate(said))
    case = grounds(scorer, (0,), wishes)
    rows = list(range(1, ITEMS))
    for row, found in zip(rows, explain(scorer, case, rows, IDS), strict=True):
        for evidence in found:
            if evidence.feedback is not None:
                left = tuple(one for one in wishes if one.feedback != evidence.feedback)
                assert grounds(scorer, (0,), left).score[row] < case.score[row]


def test_history_that_carries_a_part_only_together_is_not_cited() -> None:
    """Every item of the history speaks equally for every other: taking one out changes no standardized score."""
    scorer = random_scorer(0, mix=(1.0, 0.0, 0.0, 0.0, 0.0))
    speaks = torch.zeros(ITEMS, ITEMS)
    speaks[:4, 4:8] = 1.0
    scorer.linear.copy_(speaks)
    case = grounds(scorer, (0, 1, 2))
    (found,) = explain(scorer, case, [5], IDS)
    assert (found[0].part, found[0].item) == ("collaborative", None)
    assert reason(found[0], TITLES, "en") == "It fits what you usually choose."


def test_aspect_is_named_only_where_the_item_has_it() -> None:
    scorer = random_scorer(0)
    scorer.membership.copy_(torch.eye(ATTRIBUTES, ITEMS))
    implied = replace(wish(1.0, 0), aspects=torch.tensor([0.6, 0.4, 0.0]))
    first, second = explain(scorer, grounds(scorer, (), (implied,)), [0, 1], IDS)
    assert {evidence.part: evidence.aspect for evidence in first}["feedback"] == "a0"
    assert {evidence.part: evidence.aspect for evidence in second}["feedback"] is None


def test_nothing_shown_has_no_evidence() -> None:
    scorer = random_scorer(0)
    assert explain(scorer, grounds(scorer, ()), [], IDS) == []


def test_parts_of_are_those_of_the_score() -> None:
    flat = torch.arange(4.0)[None]
    case = Grounds((), Parts(flat, 2 * flat, 3 * flat, 4 * flat), 10 * flat[0], (), lambda rows: torch.zeros(0, len(rows)))
    assert case.parts_of([2, 1])[0] == {"collaborative": 2, "text": 4, "feedback": 6, "bias": 8}


WORDS = Signal(span=(0, 9), text="no horror", kind="aspect", polarity=-1, strength=1, aspect="horror")
ERA = Signal(span=(11, 20), text="more 90s", kind="aspect", polarity=1, strength=1, aspect="1990s")
MOOD = Signal(span=(0, 5), text="lighter", kind="intent", polarity=1, strength=1)


@pytest.mark.parametrize(
    ("evidence", "english", "chinese"),
    [
        (Evidence(part="feedback", text="more 90s", aspect="1990s", amount=1), "and this is from the 1990s", "1990年代"),
        (Evidence(part="feedback", text="lighter", amount=1), "You said “lighter”.", "您说过“lighter”。"),
        (Evidence(part="feedback", item="item 1", amount=1), "You rated “Item 1” well", "您给“Item 1”打了高分"),
        (Evidence(part="feedback", amount=1), "You rated a list well", "列表"),
        (Evidence(part="collaborative", item="item 1", amount=1), "chose “Item 1”", "选过“Item 1”的人"),
        (Evidence(part="collaborative", amount=1), "what you usually choose", "一贯的选择"),
        (Evidence(part="text", item="item 1", amount=1), "reads much like “Item 1”", "“Item 1”很相近"),
        (Evidence(part="text", amount=1), "reads like", "相近"),
        (Evidence(part="bias", amount=1), "Many people", "很多人"),
        (Evidence(part="bias", amount=-1), "of what is left", "其余"),
    ],
)
def test_reason_says_its_evidence(evidence: Evidence, english: str, chinese: str) -> None:
    assert english in reason(evidence, TITLES, "en")
    assert chinese in reason(evidence, TITLES, "zh")


def test_summary_says_what_was_understood_and_what_changed() -> None:
    told = [Told(text="no horror, more 90s", signals=(WORDS, ERA, WORDS))]
    change = Change(shown=10, fresh=4, aspects={"horror": (3, 0), "1990s": (6, 6)})
    expected = "Less horror (3 → 0 of 10), more from the 1990s (still 6 of 10). 4 of 10 are new here."
    assert answer(told, change, TITLES, "en") == expected
    expected = "更少horror（10 个中由 3 个变为 0 个），更多1990年代（10 个中仍为 6 个）。10 个中有 4 个是新的。"
    assert answer(told, change, TITLES, "zh") == expected


def test_summary_quotes_what_no_aspect_names() -> None:
    assert answer([Told(text="x", signals=(MOOD,))], Change(5, 1, {}), TITLES, "en").startswith("Towards “lighter”. 1 of 5")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (Told(text="hello", reason="small talk"), "No wish was found in “hello” (small talk)."),
        (Told(text=" ", reason="nothing was said"), "Nothing was said."),
        (Told(text="no horror"), "Nothing of “no horror” counts."),
    ],
)
def test_summary_says_why_nothing_was_understood(told: Told, expected: str) -> None:
    assert answer([told], Change(10, 0, {}), TITLES, "en") == f"{expected} The list stays as it was."


def test_summary_of_deeds() -> None:
    told = [Told(click=True, title="Alien"), Told(rating=4, title="Heat"), Told(rating=2)]
    expected = "You chose “Alien”, you gave “Heat” 4 of 5, you gave the list 2 of 5. 2 of 10 are new here."
    assert answer(told, Change(10, 2, {}), TITLES, "en") == expected
    assert answer([Told(click=True)], Change(10, 0, {}), TITLES, "en") == "The list stays as it was."
    assert answer([Told(click=True)], Change(0, 0, {}), TITLES, "en") == "Nothing is left to show."


def test_summary_without_new_words() -> None:
    assert standing([WORDS, ERA, ERA], 3, "en") == "Chosen from your history of 3. You said “no horror”, “more 90s”."
    assert standing([], 0, "en").startswith("Nothing is known about you yet")
    assert standing([], 0, "zh").startswith("对您还一无所知")


def test_every_sentence_exists_in_both_languages_with_the_same_blanks() -> None:
    from string import Formatter

    from recbole_llmfb.ranking import wording

    def blanks(template: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(template)} - {None}

    english, chinese = (wording._TEMPLATES[lang] for lang in ("en", "zh"))  # type: ignore[index]
    assert {key: blanks(text) for key, text in english.items()} == {key: blanks(text) for key, text in chinese.items()}


def test_user_words_are_values_never_templates() -> None:
    assert reason(Evidence(part="feedback", text="{title} {0}", amount=1), TITLES, "en") == "You said “{title} {0}”."


def test_long_quotes_are_cut_and_stay_in_one_line() -> None:
    assert quote("a\nb\t c") == "a b c"
    assert len(quote("x" * 500)) == 80
