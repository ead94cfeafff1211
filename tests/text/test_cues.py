"""What grammar alone tells of every hand-written utterance: clauses, negation, hedges, questions, comparison and titles."""

from collections import Counter

import pytest

from recbole_llmfb.evaluation.behaviour import CATEGORIES, Entry, load_utterances
from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.cues import Cues, cues
from recbole_llmfb.text.encoder import Span
from recbole_llmfb.text.lexicon import Lexicon, Mention

ENTRIES = load_utterances()
TITLES = sorted({title for entry in ENTRIES for title in entry.titles} | {"Sabrina (1954)", "Sabrina (1995)", "Cape Fear (1962)"})
LEXICON = Lexicon(["comedy", "horror", "western"], TITLES)


def clause_cues(text: str) -> list[tuple[Span, Cues]]:
    return [(span, cues(text, span)) for span in split(text)]


def place_of(word: str, text: str) -> int:
    return text.casefold().index(word.casefold())


def faults(entry: Entry) -> list[str]:
    """What the rules say that the entry does not."""
    text, found = entry.text, clause_cues(entry.text)
    wrong = [f"clauses: {[text[slice(*span)] for span, _ in found]}"] if len(found) != entry.clauses else []
    words = [one for one in entry.expect if one.about and one.about not in TITLES and one.about in text]
    negated = [(a, b) for _, one in found for a, b in one.negated]
    for word in {one.about for one in words if one.about} | set(entry.negated):
        if any(a <= place_of(word, text) < b for a, b in negated) != (word in entry.negated):
            wrong.append(f"negated: {word}")
    for span, one in found:
        said = text[slice(*span)]
        if one.asking != any(word.casefold() in said.casefold() for word in entry.asks):
            wrong.append(f"asking: {said}")
        weak = [w for w in words if span[0] <= place_of(str(w.about), text) < span[1] and w.sign != "none"]
        if weak and one.weak != any(w.weak for w in weak):
            wrong.append(f"weak: {said}")
    return wrong + title_faults(entry, [m for m in LEXICON.find(text) if m.kind == "item"], [one for _, one in found])


def title_faults(entry: Entry, mentions: list[Mention], found: list[Cues]) -> list[str]:
    ranges = [span for one in found for span in one.references]
    compared = {m for m in mentions if any(a <= m.span[0] < b for a, b in ranges)}
    meant = [TITLES[m.rows[0]] for m in mentions if m.rows and m not in compared]
    asked = any(one.asking for one in found)
    wrong = [] if asked or sorted(meant) == sorted(entry.items) else [f"items: {meant}"]
    refers = [TITLES[m.rows[0]] for m in compared if m.rows]
    wrong += [] if sorted(refers) == sorted(entry.refers) else [f"refers: {refers}"]
    unresolved = sum(not m.rows and m.note is not None for m in mentions)
    return wrong + ([] if unresolved == len(entry.unresolved) else [f"unresolved: {unresolved}"])


def test_there_are_enough_utterances_of_every_category() -> None:
    count = Counter(entry.language for entry in ENTRIES)
    assert count["en"] >= 150 and count["zh"] >= 60
    kinds = Counter((entry.language, entry.category) for entry in ENTRIES)
    assert set(kinds) == {(language, category) for language in count for category in CATEGORIES}
    assert all(kinds["en", category] >= 15 for category in CATEGORIES if category != "sarcasm")
    assert len({entry.text for entry in ENTRIES}) == len(ENTRIES)


def test_sarcasm_is_known_to_be_beyond_the_rules() -> None:
    assert {entry.category for entry in ENTRIES if entry.known} == {"sarcasm"}
    assert all(entry.known == "sarcasm" for entry in ENTRIES if entry.category == "sarcasm")


def test_words_that_an_entry_is_about_stand_in_its_text() -> None:
    for entry in ENTRIES:
        words = [one.about for one in entry.expect if one.about and one.about not in TITLES]
        assert all(word.casefold() in entry.text.casefold() for word in (*words, *entry.negated, *entry.asks)), entry


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("多一点浪漫", True), ("少一些打斗", True), ("多来点轻松的", True), ("更多爱情", True), ("不要太血腥", True),
        ("不想看战争片", True), ("别再推荐爱情片了", True), ("太暴力了", True), ("不要这个", False), ("不要了", False),
        ("别看了", False), ("太好了", False), ("不要其他的", False), ("喜欢喜剧", False), ("你好", False),
        ("more romance", True), ("too violent", True), ("no more of that", False), ("too bad", False),
    ],
)  # fmt: skip
def test_a_direction_with_a_thing_of_its_own_is_a_wish_of_its_own(text: str, wishes: bool) -> None:
    assert cues(text, (0, len(text))).wishes is wishes


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.text)
def test_what_grammar_tells_of_an_utterance(entry: Entry) -> None:
    assert bool(faults(entry)) == (entry.fails is not None), faults(entry)
