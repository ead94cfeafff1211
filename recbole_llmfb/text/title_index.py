"""Which items of a catalogue a text mentions: by title, by title and year, and by a title that is misspelt in a letter.

A title is looked up by its key, over runs of words of the text, so that the cost depends on the text and not on the size of the
catalogue. For misspelt words there is a symmetric deletion index (Garbe, "SymSpell", 2012): two words within one edit of each
other share a word that is either of them, or either with one letter deleted.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from recbole_llmfb.text.titles import Name, display_title, spoken_titles, title_key

WORD = re.compile(r"[一-鿿]|[^\W一-鿿]+(?:['’][^\W一-鿿]+)*")
_YEAR_BEHIND = re.compile(
    r"[!?.]?[》」]?\s*(?:[(（]\s*([12]\d{3})\s*[)）]|,?\s*(?:from|of|in)\s+((?:19|20)\d\d)\b|,?\s*((?:19|20)\d\d)\b(?!['’]?s))"
)
_YEAR_BEFORE = re.compile(
    r"\b((?:19|20)\d\d)(?:['’]s)?\s+(?:(?:film|movie|version|one|remake|original)\s+(?:of\s+)?)?(?:the\s+)?$|"
    r"((?:19|20)\d\d)年?(?:版|拍)?的[《「]?$"
)
_CLOSING, _OPENING = "\"'”’»》」", "\"'“‘«《「"
_TOLD_OF = re.compile(r"\s+(?:was|wasn['’]?t|were|had|bored|made\s+me|scared|blew|instead\s+of|rather\s+than)\b", re.IGNORECASE)
_ARTICLES = frozenset(("the", "a", "an"))
_SHORTEST_MISSPELT = 5
_SHORTEST_FUZZY = 7  # letters of a title that is found although a word of it is misspelt
_SPELLINGS_AT_MOST = 4
# Right as they are, so that none of them is taken for a title's word that is misspelt.
_COMMON = frozenset(
    "about action actor actors actress after again also always another anything around because before being best better boring "
    "cannot comedy could didnt doesnt dont drama drive ending enough every everything except family favorite favourite feels "
    "film films first found funny gentle great having heard heart horror hours however instead kinda known later light lighter "
    "little liked likes loved lovely lover loves maybe might minute moment months movie movies music musical never nothing "
    "often other others people perhaps place plays please plots prefer quite rather really right romance romantic scare scared "
    "scary scene scenes seeing shape should shows since slasher slower someone something sometimes sound space still stories "
    "story stuff suggest thank thanks their there these thing things think thought three through today tonight tried trying "
    "under until usual violence violent wanna wanted wants watch watched watching weird western where which while white whole "
    "without world would wrong years young".split()
)


@dataclass(frozen=True, slots=True)
class Found:
    """A title in a text. rows: of the one item that is meant (all copies of it), or none, and `note` says why."""

    span: tuple[int, int]
    rows: tuple[int, ...]
    note: str | None = None


class TitleIndex:
    """Titles of a catalogue by key; one word of a title may be misspelt."""

    def __init__(self, names: Sequence[Name]) -> None:
        """names: of the items, in the catalogue's order; without years two items of one title cannot be told apart."""
        self._names = names
        self._whole: dict[str, tuple[int, ...]] = {}  # rows by the key of a whole title, and of a part of it; tuples are small
        self._part: dict[str, tuple[int, ...]] = {}
        self._length: dict[str, int] = {}  # words of a title by its key, an article before it left out
        self._words: set[str] = set()
        for row, name in enumerate(names):
            whole = title_key(display_title(name.title).partition(" (")[0])
            for spoken in spoken_titles(name.title):
                self._add(row, spoken, whole=title_key(spoken) == whole)
        self._longest = max(map(len, self._length), default=0)
        self._near: dict[str, list[str]] = defaultdict(list)
        for word in self._words:
            for form in _deletions(word) if len(word) >= _SHORTEST_MISSPELT else ():
                self._near[form].append(word)

    def _add(self, row: int, spoken: str, *, whole: bool) -> None:
        words = [title_key(word) for word in WORD.findall(spoken)]
        key = "".join(words)
        if not key:
            return
        content = len(words) - (len(words) > 1 and words[0] in _ARTICLES)
        self._length[key] = max(content, self._length.get(key, 0))
        self._words.update(words)
        rows = self._whole if whole else self._part
        known = rows.get(key, ())
        if row not in known:
            rows[key] = (*known, row)

    def find(self, text: str) -> Iterator[Found]:
        """Titles in the order of the text, the longest where they overlap."""
        words = list(WORD.finditer(text))
        keys = [title_key(word[0]) for word in words]
        spelt = [self._spellings(key) for key in keys]
        start = 0
        while start < len(words):
            length, key, misspelt = self._longest_at(text, words, spelt, start)
            if length:
                yield self._resolve(text, (words[start].start(), words[start + length - 1].end()), key, misspelt=misspelt)
            start += max(1, length)

    def _longest_at(
        self, text: str, words: Sequence[re.Match[str]], spelt: Sequence[list[str]], start: int
    ) -> tuple[int, str, bool]:
        """Number of words, key, and whether it is misspelt, of the longest title that begins at a word; 0 words for none.

        spelt: for each word its key, and those that it may be meant for.
        """
        best = (0, "", False)
        said = ""
        spellings = [""]
        for length, place in enumerate(range(start, len(words)), start=1):
            said += spelt[place][0]
            if len(said) > self._longest + 1:
                break
            spellings = [a + b for a in spellings for b in spelt[place]][:_SPELLINGS_AT_MOST]
            if said in self._length and self._is_written_as_name(text, words[place], said, length):
                best = (length, said, False)
                continue
            near = [one for one in spellings[1:] if one in self._length and self._may_be_misspelt(one, length)]
            if near and (self._length[near[0]] > 1 or _is_name(text, words[place])):
                best = (length, near[0], True)
        return best

    def _is_written_as_name(self, text: str, word: re.Match[str], key: str, length: int) -> bool:
        """A title of several words is one however it is written; one of a single word only where it is written as a name."""
        many = self._length[key] > 1
        return (many and (length > 1 or len(key) >= _SHORTEST_FUZZY)) or _is_name(text, word)

    def _may_be_misspelt(self, key: str, length: int) -> bool:
        return len(key) >= _SHORTEST_FUZZY and length - self._length[key] in (0, 1)

    def _spellings(self, key: str) -> list[str]:
        """A word itself, and words of titles within one edit of it if it is no word of a title and no common one."""
        if len(key) < _SHORTEST_MISSPELT or key in self._words or key in _COMMON:
            return [key]
        near = {word for form in _deletions(key) for word in self._near.get(form, ()) if _within_one_edit(key, word)}
        return [key, *sorted(near)]

    def _resolve(self, text: str, span: tuple[int, int], key: str, *, misspelt: bool) -> Found:
        before, behind = _YEAR_BEFORE.search(text[: span[0]]), _YEAR_BEHIND.match(text, span[1])
        if behind:
            year, whole = next(group for group in behind.groups() if group), (span[0], behind.end())
        elif before:
            year, whole = before[1] or before[2], (before.start(), span[1])
        else:
            year, whole = "", span
        rows = self._whole.get(key) or self._part[key]
        said = text[slice(*span)]
        if year:
            every = sorted({*self._whole.get(key, ()), *self._part.get(key, ())})
            return self._with_year(said, year, every, whole, explicit=behind is not None)
        years = {self._names[row].year for row in rows}
        if len(rows) > 1 and (len(years) > 1 or "" in years):
            return Found(span, (), self._ambiguous(said, rows))
        shown = self._shown(rows[0])
        return Found(span, tuple(rows), f"'{said}' was taken for {shown}" if misspelt else None)

    def _with_year(self, said: str, year: str, rows: Sequence[int], span: tuple[int, int], *, explicit: bool) -> Found:
        """Of items of one title, those of a year; catalogues differ by one in it. A title without a year in it may be of any."""
        for far in (0, 1):
            near = [row for row in rows if self._names[row].year and abs(int(self._names[row].year) - int(year)) <= far]
            if near and len({self._names[row].year for row in near}) == 1:
                return Found(span, tuple(near))
        if len(rows) == 1 and not self._names[rows[0]].year:
            return Found(span, tuple(rows))
        known = " or ".join(self._shown(row) for row in _one_of_each(rows, self._names))
        note = f"'{said}' of {year} is not in the catalogue, which has {known}"
        return Found(span, (), note) if explicit or len(rows) > 1 else Found(span, tuple(rows))

    def _ambiguous(self, said: str, rows: Sequence[int]) -> str:
        known = _one_of_each(rows, self._names)
        if len(known) == 1 or not all(self._names[row].year for row in known):
            return f"'{said}' is the title of {len(rows)} items, which the catalogue's years do not tell apart"
        return f"'{said}' may be {' or '.join(self._shown(row) for row in known)}: say the year"

    def _shown(self, row: int) -> str:
        name = self._names[row]
        return f"{name.title} ({name.year})" if name.year else name.title


def _one_of_each(rows: Iterable[int], names: Sequence[Name]) -> list[int]:
    """One row of each year, oldest first."""
    return [row for _, row in sorted({names[row].year: row for row in rows}.items())]


def _is_name(text: str, word: re.Match[str]) -> bool:
    """Whether a word is written as a name: with a capital inside a sentence, or before a verb of the past or a contrast, quoted,
    with a year behind, or said alone."""
    before, after = text[: word.start()].rstrip(), text[word.end() :]
    if after[:1] in _CLOSING and before[-1:] in _OPENING and before and after:
        return True
    if re.match(r"\s*\([12]\d{3}\)", after):
        return True
    if len(word[0]) < 2 or not word[0][0].isupper():
        return False
    if before and before[-1] not in '.!?:"“':
        return True
    return bool(_TOLD_OF.match(after)) or not (before.strip(_OPENING) or after.strip(" .!?" + _CLOSING))


def _deletions(word: str) -> Iterator[str]:
    """The word, and every word that it becomes without one of its letters."""
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def _within_one_edit(a: str, b: str) -> bool:
    """Whether one letter inserted, deleted, replaced, or two neighbours exchanged make one word the other."""
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1:
        return False
    same = next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return a[same:] == b[same + 1 :]
    swapped = a[same : same + 2] == b[same : same + 2][::-1] and a[same + 2 :] == b[same + 2 :]
    return a[same + 1 :] == b[same + 1 :] or swapped
