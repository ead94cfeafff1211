"""Which language a text is in, and whether an encoder's vocabulary has its script."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from recbole_llmfb.schema import Language

LACKING = "the encoder's vocabulary lacks most of this text's characters"

_CJK = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+")
_CJK_PER_WORD = 1.5  # Chinese words have one or two characters
_LACKED_AT_MOST = 1 / 3  # share of a text's characters of its own script
_LEAST = {"CJK": 3000, "HANGUL": 1000}  # a reader of newspapers knows 3,000 characters
_LEAST_WORDS = 500  # of an alphabet: its letters alone are no words
_SHARE_ENOUGH = 0.2  # of a small vocabulary


def language(text: str) -> Language:
    """ "zh" where Chinese words outnumber or equal those in Latin letters, else "en"."""
    count = len(_CJK.findall(text))
    return "zh" if count and count / _CJK_PER_WORD >= len(_LATIN_WORD.findall(text)) else "en"


class Vocabulary:
    """The scripts that an encoder's vocabulary can read. Latin is always one of them."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._words: Counter[str] = Counter()
        self._letters: set[str] = set()
        plain = {token.removeprefix("##").removeprefix("▁") for token in tokens}
        self.bytes = "Ġ" in "".join(plain)  # a byte-level vocabulary has every character, and shows none
        for word in plain:
            if not word.isalpha() or word.isascii():
                continue
            self._letters.update(word)
            script = _script(word[0])
            self._words[script] += len(word) == 1 or script != "CJK" if script in _LEAST else len(word) > 2
        self._enough = _SHARE_ENOUGH * len(plain)

    def can_read(self, text: str) -> bool:
        """Whether the words of the text are in scripts that the vocabulary has, but for a few among Latin ones."""
        foreign = [] if text.isascii() or self.bytes else [c for c in text if c.isalpha() and _script(c) != "LATIN"]
        if not foreign:
            return True
        script, _ = Counter(map(_script, foreign)).most_common(1)[0]
        words = len(foreign) / _CJK_PER_WORD if script in _LEAST else len(re.findall(r"[^\W\d_a-zA-Z]+", text))
        if words < len(_LATIN_WORD.findall(text)):
            return True
        lacked = sum(c.lower() not in self._letters for c in foreign)
        known = self._words[script] >= min(_LEAST.get(script, _LEAST_WORDS), self._enough)
        return known and lacked <= _LACKED_AT_MOST * len(foreign)


@lru_cache(maxsize=20_000)
def _script(letter: str) -> str:
    """The first word of a letter's name: LATIN, CJK, CYRILLIC, HIRAGANA, ..."""
    return unicodedata.name(letter, "UNKNOWN").split()[0]
