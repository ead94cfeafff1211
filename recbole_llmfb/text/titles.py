"""What an item is called: title and year apart, the ways to say it, and a key under which different spellings meet."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

_YEAR = re.compile(r"\s*\([^()]*?([12]\d{3})[^()]*\)?\s*$")  # also "(2015 film)" and "(2017 film", as INSPIRED has them
_NO_YEAR = re.compile(r"\s*\(\s*\)\s*$")
_ASIDE = re.compile(r"\s*\(([^()]*)\)")
_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)")
_TITLE_TAIL = re.compile(r"^(?P<title>.+), (?P<article>The|A|An|Les|Le|La|L'|Il|Det|Das|Der|Die|El)(?P<rest>(?:\s*[^\w\s].*)?)$")
_LIKE_LETTERS = str.maketrans("’İı", "'ii")  # a Turkish "FİLM" is a film; so thinks `re.IGNORECASE`
_SHORTEST_ASIDE = 3


class Name(NamedTuple):
    """A title without its year, and the year as four digits, or ""."""

    title: str
    year: str


def split_name(name: str) -> Name:
    """ "Toy Story (1995)" -> ("Toy Story", "1995"); "Why Him%3F (2016)", as ReDial writes it, -> ("Why Him?", "2016")."""
    plain = " ".join(unquote(name).split())
    found = _YEAR.search(plain)
    if found and found.start():
        return Name(plain[: found.start()], found[1])
    return Name(_NO_YEAR.sub("", plain) or plain, "")


def name_of(title: str, text: str = "") -> Name:
    """The name of a catalogue's item; a year that the title lacks is taken from a text that begins with "title (year)"."""
    found = split_name(title)
    if found.year or not text.startswith(title):
        return found
    stated = re.match(r"\s*\(([12]\d{3})\)", text[len(title) :])
    return Name(found.title, stated[1]) if stated else found


def names_of(titles: Sequence[str], texts: Sequence[str]) -> list[Name]:
    """`name_of` for every item of a catalogue."""
    return [name_of(title, text) for title, text in zip(titles, texts, strict=True)]


def without_case(words: str) -> str:
    """What is written, however it is typed: in lower case, with one kind of apostrophe."""
    return words.translate(_LIKE_LETTERS).casefold()


def title_key(words: str) -> str:
    """Letters and digits alone, without case and accents."""
    plain = unicodedata.normalize("NFKD", without_case(words).replace("&", " and "))
    return "".join(character for character in plain if character.isalnum())


def title_keys(title: str) -> tuple[str, ...]:
    """Keys of a title without year, best first: without article at either end; then the same without what stands in brackets
    ("City of Lost Children, The (Cité des enfants perdus, La)")."""
    without = _ASIDE.sub("", title).strip()
    keys = (title_key(_ARTICLE.sub("", display_title(one).casefold())) for one in (title, without))
    return tuple(dict.fromkeys(key for key in keys if key))


def spoken_titles(title: str) -> set[str]:
    """A catalogue's title as people say it: "Usual Suspects, The" -> "The Usual Suspects" and "Usual Suspects".

    Another title in brackets is one of them: "Seven (Se7en)" -> "Seven", "Se7en" and "Seven (Se7en)".
    """
    title = split_name(title).title
    asides = [aside for aside in _ASIDE.findall(title) if len(aside) >= _SHORTEST_ASIDE]
    names = {name for one in (_ASIDE.sub("", title).strip(), *asides) for name in (display_title(one), _without_article(one))}
    return {name for name in (names | {display_title(title)} if asides else names) if name}


def display_title(title: str) -> str:
    """The catalogue's title in reading order: "Usual Suspects, The" -> "The Usual Suspects"."""
    tail = _TITLE_TAIL.match(title.strip())
    return _in_reading_order(tail) if tail else title


def distinct_titles(names: Sequence[Name]) -> list[str]:
    """Titles in reading order, each with its year where items of other years are called the same."""
    years: dict[str, set[str]] = defaultdict(set)
    for name in names:
        for key in {title_key(spoken) for spoken in spoken_titles(name.title)}:
            years[key].add(name.year)
    shown = [display_title(name.title) for name in names]
    shared = [any(len(years[title_key(one)]) > 1 for one in spoken_titles(name.title)) for name in names]
    return [
        f"{title} ({name.year})" if alike and name.year else title
        for title, name, alike in zip(shown, names, shared, strict=True)
    ]


def _without_article(title: str) -> str:
    tail = _TITLE_TAIL.match(title)
    return f"{tail['title']}{tail['rest']}" if tail else title


def _in_reading_order(tail: re.Match[str]) -> str:
    space = "" if tail["article"].endswith("'") else " "
    return f"{tail['article']}{space}{tail['title']}{tail['rest']}"
