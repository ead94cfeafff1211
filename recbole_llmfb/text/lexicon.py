"""What the catalogue calls things: finds the names of attributes and the titles of items in a text."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from recbole_llmfb.text.title_index import TitleIndex
from recbole_llmfb.text.titles import names_of, without_case

# The labels that people use for the genres and keywords of catalogues, beside the label itself and its plural.
_SYNONYMS = {
    "action": ("动作",),
    "adventure": ("冒险",),
    "animation": ("animated", "cartoon", "cartoons", "动画"),
    "children's": ("children", "childrens", "children's", "family", "kids'", "kids film", "kids movie", "儿童"),
    "comedy": ("comedic", "喜剧"),
    "crime": ("criminal", "犯罪"),
    "documentary": ("doc", "docs", "documentarys", "纪录片"),
    "drama": ("dramatic", "剧情片"),
    "fantasy": ("奇幻",),
    "film-noir": ("noir", "noirs", "黑色电影"),
    "horror": ("恐怖",),
    "musical": ("音乐剧", "歌舞片"),
    "mystery": ("悬疑",),
    "romance": ("romantic", "romantics", "爱情"),
    "sci-fi": ("science fiction", "scifi", "sf", "科幻"),
    "thriller": ("惊悚",),
    "war": ("战争",),
    "western": ("西部",),
}
_DECADE_WORDS = ("twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
_DECADE_ZH = "一二三四五六七八九"
_DECADE = re.compile(r"(\d\d)(\d)0s")
_BOUND_BEFORE = re.compile(r"\b(?:before|pre|earlier than|later than|older than|newer than)[\s-]+(?:the\s+)?$", re.IGNORECASE)
_BOUND_BEHIND = re.compile(r"\s*(?:$|[^\w\s]|(?:and|or|but|please)\b)", re.IGNORECASE)


class Mention(NamedTuple):
    """A name found in a text. rows: of the attribute or the item (all copies of it) that bears it.

    A title of which it is not clear which item is meant has no row, and a note that says so.
    """

    span: tuple[int, int]
    kind: Literal["aspect", "item"]
    rows: tuple[int, ...]
    note: str | None = None


class Lexicon:
    """Names of a catalogue's attributes, lower case, and its items' titles."""

    def __init__(self, attributes: Sequence[str], titles: Sequence[str], texts: Sequence[str] | None = None) -> None:
        """texts: of the items, which tell the year of a title that does not."""
        self.attributes = tuple(attributes)
        self.names = names_of(titles, texts or [""] * len(titles))
        self._forms = {without_case(form): row for row, value in enumerate(attributes) for form in surface_forms(value)}
        forms = "|".join(
            re.escape(form).replace(r"\ ", r"[\s-]+").replace("'", "['’]") for form in sorted(self._forms, key=len, reverse=True)
        )
        # A Chinese sign beside a name ends no word: "想看comedy".
        edges = r"(?<![^\W一-鿿])(?<!-)'?", r"(?:(?<=[一-鿿])|(?![^\W一-鿿]))"
        self._aspect = re.compile(rf"{edges[0]}(?P<form>{forms}){edges[1]}", re.IGNORECASE) if forms else None
        self._titles = TitleIndex(self.names)

    def find(self, text: str) -> list[Mention]:
        """Names in the order of the text; titles first where the two overlap, the longest title where titles do."""
        found = [Mention(one.span, "item", one.rows, one.note) for one in self._titles.find(text)]
        for match in self._aspect.finditer(text) if self._aspect else ():
            span = match.span("form")
            row = self._forms[re.sub(r"[\s-]+", " ", without_case(match["form"]))]
            if any(_overlap(span, mention.span) for mention in found) or self._is_bound(text, span, row):
                continue
            found.append(Mention(span, "aspect", (row,)))
        return sorted(found)

    def _is_bound(self, text: str, span: tuple[int, int], row: int) -> bool:
        """Whether a decade only bounds what is meant: "before 1970" is no wish for the 1970s."""
        before = _BOUND_BEFORE.search(text[: span[0]].rstrip("'’"))
        return is_decade(self.attributes[row]) and before is not None and _BOUND_BEHIND.match(text, span[1]) is not None


def surface_forms(value: str) -> set[str]:
    """Ways to write an attribute, lower case with hyphens as spaces: plurals, known synonyms, decades as words or short."""
    decade = _DECADE.fullmatch(value)
    if decade:
        century, ten = decade.groups()
        forms = {value, f"{century}{ten}0's", f"{century}{ten}0"}
        if century == "19" and ten >= "2":
            forms |= {f"{ten}0s", f"{ten}0's", _DECADE_WORDS[int(ten) - 2], f"{ten}0年代", f"{_DECADE_ZH[int(ten) - 1]}十年代"}
        return forms
    names = {value, *_SYNONYMS.get(value, ())}
    plurals = {_plural(name) for name in names if name.isascii() and not name.endswith("s")}
    return {re.sub(r"[\s-]+", " ", name.strip()) for name in names | plurals if name.strip()}


def _plural(name: str) -> str:
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(?:x|z|ch|sh)$", name) else f"{name}s"


def is_decade(value: str) -> bool:
    """Whether an attribute is a decade, such as "1990s"."""
    return _DECADE.fullmatch(value) is not None


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]
