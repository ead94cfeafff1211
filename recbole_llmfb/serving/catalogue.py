"""The boundary between external ids and rows of the catalogue."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import pandas as pd

from recbole_llmfb.text.titles import display_title


@dataclass(frozen=True, slots=True)
class Catalogue:
    """ids: external ids by row. row_of: the way back. titles: id -> title as people read it."""

    ids: tuple[str, ...]
    row_of: Mapping[str, int]
    titles: Mapping[str, str]

    @classmethod
    def of(cls, items: pd.DataFrame) -> Self:
        """items: as in a bundle."""
        ids = tuple(items["item"])
        titles = {item: display_title(title) for item, title in zip(ids, items["title"], strict=True)}
        return cls(ids, {item: row for row, item in enumerate(ids)}, titles)

    def rows(self, ids: Iterable[str]) -> tuple[int, ...]:
        """Rows of the ids that the catalogue has, without repeats, in the order given."""
        return tuple(dict.fromkeys(self.row_of[item] for item in ids if item in self.row_of))

    def unknown(self, ids: Iterable[str]) -> tuple[str, ...]:
        """The ids that the catalogue does not have, without repeats."""
        return tuple(dict.fromkeys(item for item in ids if item not in self.row_of))
