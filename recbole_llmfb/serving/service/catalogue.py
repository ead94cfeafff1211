"""The catalogue as people look through it: by a part of a title or an id, the most popular first, or by what is alike."""

from collections.abc import Sequence

from torch.nn.functional import cosine_similarity

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import NotFoundError, UsageError
from recbole_llmfb.ranking.slate import choose
from recbole_llmfb.serving.service.wire import Item, ItemPage, NearItem, NearItems
from recbole_llmfb.text.titles import display_title


class Shelf:
    """The items of one bundle, in the order in which they are found."""

    def __init__(self, bundle: Bundle) -> None:
        items = bundle.items
        self._bundle, self._row = bundle, {item: row for row, item in enumerate(items["item"])}
        self._items = items.sort_values(["popularity", "item"], ascending=[False, True], kind="stable").reset_index(drop=True)
        self._titles = [display_title(title) for title in self._items["title"]]
        pairs = zip(self._items["item"], self._titles, strict=True)
        self._found_by = [f"{item}\n{title}".casefold() for item, title in pairs]

    def find(self, query: str, limit: int, after: str | None, *, cold: bool = False) -> ItemPage:
        """A page of the items whose id or title has the query in it; an id that equals it comes first, on the first page.

        cold: those alone that nobody had.

        Raises:
            UsageError: `after` is nothing that a page said.
        """
        start, wanted = _place(after), query.casefold()
        rows = [row for row, words in enumerate(self._found_by) if wanted in words]
        if cold:
            popularity = self._items["popularity"]
            rows = [row for row in rows if popularity.iloc[row] == 0]
        if query:
            rows.sort(key=lambda row: not self._found_by[row].startswith(f"{wanted}\n"))
        page = rows[start : start + limit]
        more = start + limit < len(rows)
        return ItemPage(items=tuple(self._item(row) for row in page), next=str(start + limit) if more else None)

    def near(self, item: str, k: int) -> NearItems:
        """The k items whose text is most like an item's.

        Raises:
            NotFoundError: the catalogue does not have it.
        """
        place = self._place_of(item)
        scorer = self._bundle.scorer()
        vectors = scorer.residual.detach() if scorer.shape.projected else scorer.item_text
        likeness = cosine_similarity(vectors, vectors[place][None])
        rows, ids, titles = choose(likeness, k, hidden=[place]), self._bundle.items["item"], self._bundle.items["title"]
        return NearItems(
            items=tuple(
                NearItem(item=ids.iloc[row], title=display_title(titles.iloc[row]), likeness=float(likeness[row])) for row in rows
            )
        )

    def users_of(self, item: str) -> Sequence[str]:
        """Who has an item, in the order of code points. Raises NotFoundError as `near` does."""
        return sorted(self._bundle.histories.users_of(self._place_of(item)))

    def _place_of(self, item: str) -> int:
        if item not in self._row:
            raise NotFoundError(f"item {item!r} is not in the catalogue: name one that is")
        return self._row[item]

    def _item(self, row: int) -> Item:
        one = self._items.iloc[row]
        return Item(
            item=one["item"],
            title=self._titles[row],
            text=one["text"],
            attributes=tuple(one["attributes"]),
            popularity=int(one["popularity"]),
        )


def _place(after: str | None) -> int:
    if after is None:
        return 0
    if not (after.isascii() and after.isdecimal() and len(after) <= 12):
        raise UsageError(f"after={after[:80]!r}: give what the page before said as `next`")
    return int(after)
