"""What the catalogue calls things: finds the names of attributes and the titles of items in a text."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

# The labels that people use for the genres and keywords of catalogues, beside the label itself and its plural.
_SYNONYMS = {
    "animation": ("animated", "cartoon", "cartoons"),
    "children's": ("children", "childrens", "children's", "family", "kids'", "kids film", "kids movie"),
    "comedy": ("comedic",),
    "crime": ("criminal",),
    "documentary": ("doc", "docs", "documentarys"),
    "drama": ("dramatic",),
    "film-noir": ("noir", "noirs"),
    "romance": ("romantic", "romantics"),
    "sci-fi": ("science fiction", "scifi", "sf"),
}
_DECADE_WORDS = ("twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
_DECADE = re.compile(r"(\d\d)(\d)0s")
_BOUND_BEFORE = re.compile(r"\b(?:before|pre|earlier than|later than|older than|newer than)[\s-]+(?:the\s+)?$", re.IGNORECASE)
_BOUND_BEHIND = re.compile(r"\s*(?:$|[^\w\s]|(?:and|or|but|please)\b)", re.IGNORECASE)
_TITLE_TAIL = re.compile(r"^(?P<title>.+), (?P<article>The|A|An|Les|Le|La|L'|Il|Das|Der|Die|El)(?P<rest>(?:\s*[^\w\s].*)?)$")
_ASIDE = re.compile(r"\s*\([^)]*\)")
_WORD = re.compile(r"\w+(?:['’]\w+)*", re.UNICODE)
_LIKE_LETTERS = str.maketrans("’İı", "'ii")  # a Turkish "FİLM" is a film; so thinks `re.IGNORECASE`


class Mention(NamedTuple):
    """A name found in a text. `rows`: attribute or item rows that bear it (a title may belong to several items)."""

    span: tuple[int, int]
    kind: Literal["aspect", "item"]
    rows: tuple[int, ...]


class Lexicon:
    """Names of a catalogue's attributes, lower case, and its items' titles."""

    def __init__(self, attributes: Sequence[str], titles: Sequence[str]) -> None:
        self.attributes = tuple(attributes)
        self._forms = {_key(form): row for row, value in enumerate(attributes) for form in surface_forms(value)}
        forms = "|".join(
            re.escape(form).replace(r"\ ", r"[\s-]+").replace("'", "['’]") for form in sorted(self._forms, key=len, reverse=True)
        )
        self._aspect = re.compile(rf"(?<![\w-])'?(?P<form>{forms})(?!\w)", re.IGNORECASE) if forms else None
        self._titles: dict[tuple[str, ...], list[int]] = {}
        for row, title in enumerate(titles):
            for name in spoken_titles(title):
                rows = self._titles.setdefault(tuple(map(_key, _WORD.findall(name))), [])
                if row not in rows:
                    rows.append(row)
        self._titles.pop((), None)
        self._longest = max((len(words) for words in self._titles), default=0)

    def find(self, text: str) -> list[Mention]:
        """Names in the order of the text; titles first where the two overlap, the longest title where titles do."""
        found = list(self._find_titles(text))
        for match in self._aspect.finditer(text) if self._aspect else ():
            span = match.span("form")
            row = self._forms[re.sub(r"[\s-]+", " ", _key(match["form"]))]
            if any(_overlap(span, mention.span) for mention in found) or self._is_bound(text, span, row):
                continue
            found.append(Mention(span, "aspect", (row,)))
        return sorted(found)

    def _is_bound(self, text: str, span: tuple[int, int], row: int) -> bool:
        """Whether a decade only bounds what is meant: "before 1970" is no wish for the 1970s."""
        before = _BOUND_BEFORE.search(text[: span[0]].rstrip("'’"))
        return is_decade(self.attributes[row]) and before is not None and _BOUND_BEHIND.match(text, span[1]) is not None

    def _find_titles(self, text: str) -> Iterable[Mention]:
        words = list(_WORD.finditer(text))
        start = 0
        while start < len(words):
            for length in range(min(self._longest, len(words) - start), 0, -1):
                matched = words[start : start + length]
                rows = self._titles.get(tuple(_key(word[0]) for word in matched))
                if rows and (length > 1 or self._is_name(text, matched[0])):
                    yield Mention((matched[0].start(), matched[-1].end()), "item", tuple(rows))
                    start += length - 1
                    break
            start += 1

    @staticmethod
    def _is_name(text: str, word: re.Match[str]) -> bool:
        """A one-word title is a name where it is written as one: capital inside a sentence, quoted, or with a year behind."""
        before, after = text[: word.start()].rstrip(), text[word.end() :]
        if after[:1] in "\"'”’»" and before[-1:] in "\"'“‘«" and before and after:
            return True
        if re.match(r"\s*\(\d{4}\)", after):
            return True
        return len(word[0]) > 1 and word[0][0].isupper() and bool(before) and before[-1] not in '.!?:"“'


def surface_forms(value: str) -> set[str]:
    """Ways to write an attribute, lower case with hyphens as spaces: plurals, known synonyms, decades as words or short."""
    decade = _DECADE.fullmatch(value)
    if decade:
        century, ten = decade.groups()
        forms = {value, f"{century}{ten}0's", f"{century}{ten}0"}
        if century == "19" and ten >= "2":
            forms |= {f"{ten}0s", f"{ten}0's", _DECADE_WORDS[int(ten) - 2]}
        return forms
    names = {value, *_SYNONYMS.get(value, ())}
    plurals = {_plural(name) for name in names if not name.endswith("s")}
    return {re.sub(r"[\s-]+", " ", name.strip()) for name in names | plurals if name.strip()}


def _plural(name: str) -> str:
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(?:x|z|ch|sh)$", name) else f"{name}s"


def is_decade(value: str) -> bool:
    """Whether an attribute is a decade, such as "1990s"."""
    return _DECADE.fullmatch(value) is not None


def spoken_titles(title: str) -> set[str]:
    """A catalogue's title as people say it: "Usual Suspects, The" -> "The Usual Suspects" and "Usual Suspects"."""
    plain = _ASIDE.sub("", title).strip()
    names = {plain}
    tail = _TITLE_TAIL.match(plain)
    if tail:
        names = {_in_reading_order(tail), f"{tail['title']}{tail['rest']}"}
    return {name for name in names if name}


def display_title(title: str) -> str:
    """The catalogue's title in reading order: "Usual Suspects, The" -> "The Usual Suspects"."""
    tail = _TITLE_TAIL.match(title.strip())
    return _in_reading_order(tail) if tail else title


def _in_reading_order(tail: re.Match[str]) -> str:
    space = "" if tail["article"].endswith("'") else " "
    return f"{tail['article']}{space}{tail['title']}{tail['rest']}"


def _key(words: str) -> str:
    """What is written, however it is typed."""
    return words.translate(_LIKE_LETTERS).casefold()


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]
