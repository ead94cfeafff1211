"""What a movie is called: title and year apart, and a key under which different spellings meet."""

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

from recbole_llmfb.text.lexicon import display_title

_YEAR = re.compile(r"\s*\([^()]*?([12]\d{3})[^()]*\)?\s*$")  # also "(2015 film)" and "(2017 film", as INSPIRED has them
_NO_YEAR = re.compile(r"\s*\(\s*\)\s*$")
_ASIDE = re.compile(r"\s*\([^()]*\)")
_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)")


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


def title_keys(title: str) -> tuple[str, ...]:
    """Keys of a title without year, best first: letters and digits alone, no accents, no article at either end; then the same
    without what stands in brackets ("City of Lost Children, The (Cité des enfants perdus, La)")."""
    without = _ASIDE.sub("", title).strip()
    return tuple(dict.fromkeys(key for key in map(_key, (title, without)) if key))


def _key(title: str) -> str:
    plain = unicodedata.normalize("NFKD", _ARTICLE.sub("", display_title(title).casefold().replace("&", " and ")))
    return "".join(character for character in plain if character.isalnum())
