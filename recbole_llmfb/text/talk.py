"""A talk: all that was said until now, as one text, whoever writes it down.

The encoder reads its last words (it truncates on the left), and not who said them: files label speakers in different ways, or
not at all.
"""

import re
from collections.abc import Sequence

REMEMBERED = 560
"""Characters of a talk that its vector is made of, about 128 tokens; with half of them fewer movies were found."""

_SPEAKER = re.compile(
    r"(?:^|(?<=\s))\**(?:seeker|recommender|user|system|assistant|bot|agent|customer|human|ai)\**\s*:\**(?=\s|$)", re.I
)


def as_talk(texts: Sequence[str], *, at_most: int = REMEMBERED) -> str:
    """The end of what was said in turns, oldest first, as one text without speakers' labels. at_most: characters."""
    return last_words(" ".join(" ".join(_SPEAKER.sub(" ", text).split()) for text in texts).strip(), at_most)


def last_words(text: str, at_most: int) -> str:
    """The end of a text, at most so many characters, from the beginning of a word where it has one."""
    if len(text) <= at_most:
        return text
    kept = text[-at_most:]
    if text[-at_most - 1].isspace():
        return kept
    _, space, rest = kept.partition(" ")
    return rest if space else kept
