"""What the wire types refuse."""

import pytest
from pydantic import ValidationError

from recbole_llmfb.schema import Feedback


@pytest.mark.parametrize(
    ("given", "at_fault"),
    [
        ({"text": "x"}, "user"),
        ({"user": "", "text": "x"}, "user"),
        ({"user": "u", "text": "x", "id": ""}, "id"),
        ({"user": "u", "text": "x", "mood": "bad"}, "mood"),
        ({"user": "u", "text": "x" * 2001}, "text"),
        ({"user": "u", "rating": 6, "item": "i"}, "rating"),
        ({"user": "u"}, "a text, a rating or a click"),
        ({"user": "u", "click": True}, "the item that was clicked"),
        ({"user": "u", "rating": 4}, "the item or the slate"),
    ],
)
def test_feedback_that_cannot_be_names_what_is_at_fault(given: dict[str, object], at_fault: str) -> None:
    for make in (Feedback.model_validate, lambda values: Feedback(**values)):
        with pytest.raises(ValidationError, match=at_fault):
            make(given)


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:00"])
def test_a_time_that_utc_has_no_year_for_is_refused(time: str) -> None:
    with pytest.raises(ValidationError, match="year from 1 to 9999"):
        Feedback(user="u", click=True, item="i", time=time)
