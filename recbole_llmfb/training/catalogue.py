"""The items of a dataset in the form that the model uses: rows from 0, without RecBole's padding item."""

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """ids, titles: (I,) as in the files. texts: the distinct texts of items. text_rows: (I,) rows of items' texts, -1 for none.

    documents: (I,) every word about an item, which may be more than its text. attributes: (A,) names. membership: (A, I) true
    where the item has the attribute.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    text_rows: NDArray[np.int64]
    documents: tuple[str, ...]
    attributes: tuple[str, ...]
    membership: NDArray[np.bool_]

    @property
    def item_texts(self) -> list[str]:
        """The text of every item, "" for none: (I,)."""
        return [self.texts[row] if row >= 0 else "" for row in self.text_rows]

    @classmethod
    def from_dataset(cls, dataset: Any, *, attribute_min_items: int) -> "Catalogue":
        """attribute_min_items: attributes of fewer items are left out; nobody can ask for them and be served."""
        table = dataset.item_table.iloc[1:]
        kept = np.unique(dataset.item_text_row[1:])
        kept = kept[kept >= 0]
        if not len(kept):
            _log.warning("no item has a text; name columns of the .item file in ITEM_TEXT_FIELDS, or set ITEM_TEXT_FROM_FEEDBACK")
        rows = np.where(dataset.item_text_row[1:] >= 0, np.searchsorted(kept, dataset.item_text_row[1:]), -1)
        counts = Counter(attribute for of_item in table["attributes"] for attribute in set(of_item))
        attributes = tuple(sorted(name for name, count in counts.items() if count >= attribute_min_items))
        place = {name: row for row, name in enumerate(attributes)}
        membership = np.zeros((len(attributes), len(table)), dtype=bool)
        for item, of_item in enumerate(table["attributes"]):
            membership[[place[name] for name in of_item if name in place], item] = True
        return cls(
            ids=tuple(table["item"]),
            titles=tuple(table["title"]),
            texts=tuple(dataset.texts[row] for row in kept),
            text_rows=rows.astype(np.int64),
            documents=tuple(dataset.item_documents[1:]),
            attributes=attributes,
            membership=membership,
        )
