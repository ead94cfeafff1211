"""A talk: all that was said until now, as one text, whoever writes it down.

The encoder reads its last words (it truncates on the left), and not who said them: files label speakers in different ways, or
not at all.
"""

import re
from collections.abc import Sequence

_SPEAKER = re.compile(
    r"(?:^|(?<=\s))\**(?:seeker|recommender|user|system|assistant|bot|agent|customer|human|ai)\**\s*:\**(?=\s|$)", re.I
)


def as_talk(texts: Sequence[str], *, at_most: int | None = None) -> str:
    """Turns as one text, oldest first, without speakers' labels. at_most: characters that are kept, the last ones, from the
    beginning of a word."""
    plain = " ".join(" ".join(_SPEAKER.sub(" ", text).split()) for text in texts).strip()
    return plain if at_most is None else last_words(plain, at_most)


def last_words(text: str, at_most: int) -> str:
    """The end of a text, at most so many characters, from the beginning of a word where it has one."""
    if len(text) <= at_most:
        return text
    kept = text[-at_most:]
    if text[-at_most - 1].isspace():
        return kept
    _, space, rest = kept.partition(" ")
    return rest if space else kept
