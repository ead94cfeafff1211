"""Written utterances are judged by what a reader says of them."""

from recbole_llmfb.evaluation.behaviour import Entry, Expected, fault
from recbole_llmfb.schema import Reading, Signal
from recbole_llmfb.text.signals import Utterance

TEXT = "I loved Heat but no gore"
ITEMS = {"Heat (1995)": "h"}


def said(*signals: tuple[str, float, float, str | None]) -> Utterance:
    found = [
        Signal(span=(TEXT.index(text), TEXT.index(text) + len(text)), text=text, kind="intent", polarity=p, strength=s, item=item)
        for text, p, s, item in signals
    ]
    return Utterance(Reading(text=TEXT, signals=tuple(found)))


def entry(*expected: Expected) -> Entry:
    return Entry(language="en", category="contrast", text=TEXT, expect=expected)


def test_signals_are_found_by_word_and_by_item() -> None:
    asked = entry(Expected(about="Heat (1995)", sign="for"), Expected(about="gore", sign="against"))
    assert fault(asked, said(("I loved Heat", 1, 1, "h"), ("no gore", -1, 1, None)), ITEMS) is None
    assert fault(asked, said(("I loved Heat", 1, 1, "other"), ("no gore", -1, 1, None)), ITEMS) == "Heat (1995) is none, not for"
    assert fault(asked, said(("I loved Heat", 1, 1, "h"), ("no gore", 1, 1, None)), ITEMS) == "gore is for, not against"


def test_nothing_and_little_are_expected_too() -> None:
    quiet, weak = entry(Expected(about=None, sign="none")), entry(Expected(about="gore", sign="against", weak=True))
    assert fault(quiet, said(), ITEMS) is None and fault(quiet, said(("no gore", -1, 1, None)), ITEMS)
    assert fault(weak, said(("no gore", -1, 0.4, None)), ITEMS) is None
    assert fault(weak, said(("no gore", -1, 0.9, None)), ITEMS) == "gore is not weak"
