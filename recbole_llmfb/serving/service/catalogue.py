"""The catalogue as people look through it: by a part of a title or an id, the most popular first."""

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.serving.service.wire import Item, ItemPage
from recbole_llmfb.text.titles import display_title


class Shelf:
    """The items of one bundle, in the order in which they are found."""

    def __init__(self, bundle: Bundle) -> None:
        items = bundle.items
        self._items = items.sort_values(["popularity", "item"], ascending=[False, True], kind="stable").reset_index(drop=True)
        self._titles = [display_title(title) for title in self._items["title"]]
        pairs = zip(self._items["item"], self._titles, strict=True)
        self._found_by = [f"{item}\n{title}".casefold() for item, title in pairs]

    def find(self, query: str, limit: int, after: str | None) -> ItemPage:
        """A page of the items whose id or title has the query in it; an id that equals it comes first, on the first page.

        Raises:
            UsageError: `after` is nothing that a page said.
        """
        start, wanted = _place(after), query.casefold()
        rows = [row for row, words in enumerate(self._found_by) if wanted in words]
        if query:
            rows.sort(key=lambda row: not self._found_by[row].startswith(f"{wanted}\n"))
        page = rows[start : start + limit]
        more = start + limit < len(rows)
        return ItemPage(items=tuple(self._item(row) for row in page), next=str(start + limit) if more else None)

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
