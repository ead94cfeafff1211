"""What an item is called, how it reads, and which aspects it has: the table of items, from the `.item` file.

Title, text and attributes are three views of the same cells. A title stays as it is written ("Shawshank Redemption, The"),
a text is one sentence or two for the encoder ("Toy Story (1995). Animation, Children's, Comedy"), and attributes are the
lower-cased names that a user's words are matched with ("animation", "1990s").
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.training.atomic import AtomicTable

ATTRIBUTE_KINDS = ("genre", "keyword", "decade")

_YEAR = re.compile(r"([12][0-9]{3})(\.0*)?")  # a column of numbers may write 1995.0
_UNKNOWN = frozenset({"unknown", "unkonwn"})  # the second is how ml-100k spells it


@dataclass(frozen=True)
class ItemFields:
    """Which columns of the `.item` file say what.

    text: the columns that are joined to an item's text, in this order; null for every column of words, which are those of
    type `text` and `token_seq`. title: the column of the name; null for the first one of the text. attributes: column ->
    kind, where the kind is one of `ATTRIBUTE_KINDS`:

    - `genre` and `keyword`: every token of a `token_seq` column, the whole value of another one;
    - `decade`: "1990s" for a year of four digits.

    A value that means "unknown", and in a column of years whatever is no year, is no attribute and no text.
    """

    text: tuple[str, ...] | None = None
    title: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_config(cls, text: object, title: object, attributes: object) -> "ItemFields":
        """Check the values of ITEM_TEXT_FIELDS, ITEM_TITLE_FIELD and ITEM_ATTRIBUTE_FIELDS.

        Raises:
            ConfigError: a value of the wrong shape, or an unknown kind of attribute.
        """
        if text is not None and not (isinstance(text, list) and all(isinstance(name, str) for name in text)):
            raise ConfigError("ITEM_TEXT_FIELDS", text, remedy="write a list of column names, such as [title, description]")
        if title is not None and not isinstance(title, str):
            raise ConfigError("ITEM_TITLE_FIELD", title, remedy="write one column name, or null for the first text field")
        kinds = {} if attributes is None else attributes
        if not isinstance(kinds, dict) or not all(kind in ATTRIBUTE_KINDS for kind in kinds.values()):
            remedy = f"write column: kind pairs, with a kind of {', '.join(ATTRIBUTE_KINDS)}"
            raise ConfigError("ITEM_ATTRIBUTE_FIELDS", attributes, remedy=remedy)
        return cls(None if text is None else tuple(text), title, dict(kinds))

    def resolved(self, table: AtomicTable) -> "ItemFields":
        """The same with nulls replaced by this table's columns. Raises DataError for a column that the table does not have."""
        words = tuple(name for name, kind in table.types.items() if kind in ("text", "token_seq"))
        text = words if self.text is None else self.text
        for key, names in (
            ("ITEM_TEXT_FIELDS", text),
            ("ITEM_TITLE_FIELD", [self.title] if self.title else []),
            ("ITEM_ATTRIBUTE_FIELDS", self.attributes),
        ):
            for name in names:
                table.column(name, remedy=f"set {key} to columns of this file, or add the column")
        return ItemFields(text, self.title or next(iter(text), None), self.attributes)


class TextRows:
    """Gives every distinct text one row, in the order of first sight, so that each is encoded once."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        """texts: distinct ones that have rows already."""
        self._rows: dict[str, int] = {text: row for row, text in enumerate(texts)}

    @property
    def texts(self) -> list[str]:
        return list(self._rows)

    def row(self, text: str) -> int:
        """The row of a text; -1 for an empty one, or one of white space."""
        return self._rows.setdefault(text, len(self._rows)) if text.strip() else -1


def describe_items(
    ids: Sequence[str], table: AtomicTable | None, fields: ItemFields, id_field: str, seq_separator: str
) -> pd.DataFrame:
    """One row per id, in the order given: `item` (str), `title` (str), `text` (str), `attributes` (list[str]).

    An id without a row in the table has itself as title, an empty text and no attributes.

    Raises:
        DataError: a configured column that the table does not have.
    """
    row_of: dict[str, int] = {}
    if table is not None:
        fields = fields.resolved(table)
        row_of = {item: row for row, item in enumerate(table.columns[id_field])}
    described = []
    for item in ids:
        row = row_of.get(item)
        view = ("", "", []) if row is None or table is None else _describe(table, row, fields, seq_separator)
        described.append((item, view[0] or item, view[1], view[2]))
    return pd.DataFrame(described, columns=["item", "title", "text", "attributes"])


def _describe(table: AtomicTable, row: int, fields: ItemFields, seq_separator: str) -> tuple[str, str, list[str]]:
    """Title, text and attributes of one row."""
    cells = {name: column[row] for name, column in table.columns.items()}
    text = fields.text or ()
    title = cells[fields.title] if fields.title else ""
    values = {
        name: _values(cells[name], fields.attributes.get(name), seq_separator if table.types[name] == "token_seq" else None)
        for name in (*text, *fields.attributes)
    }
    further = [name for name in text if name != fields.title]
    years = [year for name in further if fields.attributes.get(name) == "decade" for year in values[name]]
    rest = [value for name in further if fields.attributes.get(name) != "decade" for value in values[name]]
    attributes = [
        f"{value[:3]}0s" if kind == "decade" else value.lower()
        for name, kind in fields.attributes.items()
        for value in values[name]
    ]
    return title, _join(title if fields.title in text else "", years, rest), list(dict.fromkeys(attributes))


def _values(cell: str, kind: str | None, separator: str | None) -> list[str]:
    """What a cell says: its tokens where it has a separator, and a kind if that is a space (words are no entries), else the whole
    of it; nothing for "unknown"."""
    if kind == "decade":
        match = _YEAR.fullmatch(cell)
        return [match[1]] if match else []
    tokens = cell.split(separator) if separator and (kind or not separator.isspace()) else [cell]
    return [token for token in tokens if token and not (kind and token.lower() in _UNKNOWN)]


def _join(title: str, years: list[str], rest: list[str]) -> str:
    """ "Toy Story", ["1995"], ["Animation", "Comedy"] -> "Toy Story (1995). Animation, Comedy"."""
    when = ", ".join(years)
    head = f"{title} ({when})" if title and when else title or when
    return " ".join([head if not head or not rest or head.endswith((".", "!", "?")) else f"{head}.", ", ".join(rest)]).strip()
