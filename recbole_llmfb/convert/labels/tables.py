"""What the kinds of labelled texts have in common: the columns of `.labels`, and titles as people write them.

| of a source | becomes |
|---|---|
| an utterance with a label | a row of `.labels`: text, label, group, source |

They give no interactions, and so no configuration: name the file in the key `labelled_texts` of another data set's training.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from recbole_llmfb.convert.writing import Row, Tables
from recbole_llmfb.training.labels import COLUMNS

_MARKED = re.compile(r"(?:@\d+\s*)?<([^<>]*)>|@\d+\b")
_QUOTED = re.compile(r'"([^"\t]*\(\d{4}\))"')


def label_tables(rows: Iterator[Row]) -> Tables:
    return Tables({"labels": COLUMNS}, rows, {})


def label_row(text: str, label: str, group: str, source: str) -> Row:
    return Row("labels", {"text": text, "label": label, "group": group, "source": source})


def plain_titles(text: str) -> str:
    """Markers of items as the titles that they stand for: "@82894 <Frozen (2013)>", "Why Him%3F (2016)" in quotation marks.

    A marker without a title is left out. White space is one space.
    """
    named = _MARKED.sub(lambda found: found[1] or "", text)
    return " ".join(_QUOTED.sub(lambda found: unquote(found[1]), named).split())
