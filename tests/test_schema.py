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
