"""Lessons mean what they say: every clause stands where its span says, and keeps its label when utterances are joined."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.lexicon import Lexicon
from recbole_llmfb.text.signals import NEGATIVE, NEUTRAL, POSITIVE
from recbole_llmfb.training.critic import Critic
from recbole_llmfb.training.lessons import Clause, Lesson, Teacher, in_turn, join
from recbole_llmfb.training.phrases import load_phrase_book

ATTRIBUTES = ["1970s", "1990s", "comedy", "horror", "robots", "sci-fi", "war"]
ITEMS, USERS = 30, 60
MEMBERSHIP = np.random.default_rng(0).random((len(ATTRIBUTES), ITEMS)) < 0.4
TITLES = [f"The Tale of {chr(65 + n % 26)}{n}" for n in range(ITEMS)]
SLATES = np.stack([np.random.default_rng(user).permutation(ITEMS)[:20] for user in range(USERS)])
TARGETS = np.random.default_rng(1).integers(ITEMS, size=USERS).tolist()
KNOWN = [np.random.default_rng(user).permutation(ITEMS)[:8].tolist() for user in range(USERS)]
BOOK = load_phrase_book().share("train")
LEXICON = Lexicon(ATTRIBUTES, TITLES)


def teach(seed: int, *, count: int = 50) -> list[Lesson]:
    teacher = Teacher(Critic(ATTRIBUTES, MEMBERSHIP, TITLES, BOOK), SLATES, slate_size=5)
    return teacher.lessons(list(range(USERS)), TARGETS, KNOWN, count, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def many() -> list[Lesson]:
    return [lesson for seed in range(40) for lesson in teach(seed)]


def words(lesson: Lesson, clause: Clause) -> str:
    return lesson.text[slice(*clause.span)]


# -- joining


def lesson(
    text: str, polarity: int, row: int, *, aspects: tuple[int, ...] = (), named: tuple[int, ...] = (), item: int = -1
) -> Lesson:
    """Every clause of the text says the same."""
    return Lesson(text, tuple(Clause(span, polarity, row, aspects, named, item) for span in split(text)))


def test_joined_lessons_keep_words_and_labels() -> None:
    first = lesson("Less war. Really, no war!", NEGATIVE, 3, aspects=(6,), named=(6,))
    second = lesson("something like Heat", POSITIVE, 4, item=2)
    both = join(first, second, ", but ")
    assert both.text == "Less war. Really, no war, but something like Heat"
    assert [words(both, clause) for clause in both.clauses] == ["Less war", "Really", "no war", "something like Heat"]
    assert [(c.polarity, c.row, c.aspects, c.named, c.item) for c in both.clauses] == [
        *[(NEGATIVE, 3, (6,), (6,), -1)] * 3,
        (POSITIVE, 4, (), (), 2),
    ]


@given(
    st.text("ab .!;,?", max_size=12).map(lambda text: f"a{text}"),
    st.text("ab .!;,?", max_size=12),
    st.sampled_from([", ", ". ", " but ", "; ", " - "]),
)
def test_joining_loses_and_invents_no_clause(one: str, other: str, joint: str) -> None:
    first, second = lesson(one, POSITIVE, 0), lesson(other, NEGATIVE, 1)
    both = join(first, second, joint)
    said = [(words(part, clause).rstrip(".!;, "), clause.polarity) for part in (first, second) for clause in part.clauses]
    assert [(words(both, clause).rstrip(".!;, "), clause.polarity) for clause in both.clauses] == said
    assert both.text.endswith(joint + other)


@pytest.mark.parametrize("joint", [" but ", ", but ", ". ", "; ", ". Also, "])
def test_clauses_of_joined_wishes_are_those_that_serving_will_split(joint: str) -> None:
    both = join(lesson("less war, no horror", NEGATIVE, 0), lesson("more comedy", POSITIVE, 1), joint)
    found = [both.text[slice(*span)] for span in split(both.text)]
    assert [words(both, clause) for clause in both.clauses] == [clause for clause in found if clause != "Also"]


# -- what a teacher draws


def test_clauses_are_in_order_apart_and_inside_their_text(many: list[Lesson]) -> None:
    for one in many:
        edges = [edge for clause in one.clauses for edge in clause.span]
        assert edges and edges == sorted(edges) and 0 <= edges[0] and edges[-1] <= len(one.text)
        assert all(words(one, clause) == words(one, clause).strip() != "" for clause in one.clauses)


def test_talk_means_nothing_and_a_wish_means_something(many: list[Lesson]) -> None:
    for clause in (clause for one in many for clause in one.clauses):
        assert (clause.polarity == NEUTRAL) == (not clause.aspects and clause.item < 0)
        assert clause.polarity != NEUTRAL or clause.row == -1
        assert set(clause.named) <= set(clause.aspects)


def test_wishes_of_users_are_true_of_their_target(many: list[Lesson]) -> None:
    for clause in (clause for one in many for clause in one.clauses if clause.row >= 0):
        has = MEMBERSHIP[list(clause.aspects), TARGETS[clause.row]]
        assert has.all() if clause.polarity == POSITIVE else not has.any()
        assert clause.item == -1 or clause.item in KNOWN[clause.row] and clause.item != TARGETS[clause.row]


def test_names_stand_in_the_lesson_and_others_are_meant_without_a_name(many: list[Lesson]) -> None:
    for one in many:
        mentions = LEXICON.find(one.text)
        found = {row for mention in mentions if mention.kind == "aspect" for row in mention.rows}
        assert {row for clause in one.clauses for row in clause.named} <= found
        items = {row for mention in mentions if mention.kind == "item" for row in mention.rows}
        assert {clause.item for clause in one.clauses if clause.item >= 0} <= items
        for clause in one.clauses:
            unnamed = Lexicon([ATTRIBUTES[row] for row in clause.aspects if row not in clause.named], [])
            assert not unnamed.find(words(one, clause))


def test_lessons_are_as_mixed_as_they_are_meant_to_be(many: list[Lesson]) -> None:
    kinds: Counter[str] = Counter()
    for one in many:
        says = {clause.polarity for clause in one.clauses}
        kinds["talk"] += says == {NEUTRAL}
        kinds["contrast"] += {POSITIVE, NEGATIVE} <= says
        kinds["drill"] += all(clause.row < 0 for clause in one.clauses) and says != {NEUTRAL}
        kinds["era"] += any(clause.named and set(clause.aspects) - set(clause.named) for clause in one.clauses)
        kinds["like item"] += any(clause.item >= 0 for clause in one.clauses)
    share = {kind: count / len(many) for kind, count in kinds.items()}
    assert 0.1 < share["talk"] < 0.2 and 0.4 < share["drill"] < 0.6
    assert 0.1 < share["contrast"] < 0.4 and share["era"] > 0 and share["like item"] > 0.005


def test_both_directions_and_every_attribute_are_taught(many: list[Lesson]) -> None:
    taught = {(row, clause.polarity) for one in many for clause in one.clauses for row in clause.aspects}
    assert taught == {(row, polarity) for row in range(len(ATTRIBUTES)) for polarity in (POSITIVE, NEGATIVE)}


def test_decade_is_named_beside_what_is_implied(many: list[Lesson]) -> None:
    era = [(one, c) for one in many for c in one.clauses if c.named and set(c.aspects) - set(c.named)]
    for one, clause in era:
        (decade,) = clause.named
        assert ATTRIBUTES[decade][2:] in words(one, clause) and MEMBERSHIP[decade, TARGETS[clause.row]]
        assert clause.polarity == POSITIVE and clause.span[1] <= len(one.text)


def test_every_phrasing_is_drilled_before_any_is_drilled_again() -> None:
    drilled = in_turn(Critic(ATTRIBUTES, MEMBERSHIP, TITLES, BOOK), np.random.default_rng(0))
    known = [name for name in ATTRIBUTES if name in BOOK.indirect]
    once = len(BOOK.more) + len(BOOK.less) + sum(len(phrases) for name in known for phrases in BOOK.indirect[name].values())
    for _ in range(2):
        said = [next(drilled) for _ in range(once)]
        assert {one.text for one in said if not one.name} == {
            phrase for name in known for phrases in BOOK.indirect[name].values() for phrase in phrases
        }
        counts = Counter(one.aspect for one in said if one.name)
        assert len(counts) == len(ATTRIBUTES) and max(counts.values()) - min(counts.values()) <= 2


# -- how many


def test_same_seed_teaches_the_same() -> None:
    assert teach(7) == teach(7) != teach(8)


def test_no_more_lessons_than_asked_for_and_fewer_when_the_users_run_out() -> None:
    assert len(teach(0, count=20)) == 20
    assert len(teach(0, count=10_000)) < 10_000


def test_every_user_speaks_in_one_lesson_at_most() -> None:
    rows = [row for one in teach(3, count=10_000) for row in {clause.row for clause in one.clauses} - {-1}]
    assert len(rows) == len(set(rows))


def test_users_speak_about_a_page_of_their_own_slate() -> None:
    """Nothing to criticise on one page, one thing on the other: half of the time nothing is said."""
    membership = np.zeros((1, 4), dtype=bool)
    membership[0, [0, 1]] = True
    teacher = Teacher(Critic(["horror"], membership, list("ABCD"), BOOK), np.array([[1, 1, 2, 3]]), slate_size=2)
    drawn = teacher.lessons([0] * 400, [0] * 400, [[]] * 400, 10_000, np.random.default_rng(0))
    spoken = {clause.row for one in drawn for clause in one.clauses if clause.row >= 0}
    assert 0.35 < len(spoken) / 400 < 0.65
    assert {c.polarity for one in drawn for c in one.clauses if c.row >= 0} == {POSITIVE}
