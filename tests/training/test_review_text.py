"""Items described by reviews: known answers on files written by hand, and no word from after a cut-off."""

from pathlib import Path
from typing import Any

import pytest
from data_files import films  # type: ignore[import-not-found]

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.training.dataset import FeedbackDataset
from recbole_llmfb.training.review_text import typical

VIEWS = [("u1", film, time) for film, time in (("alien", "10"), ("heat", "20"), ("babe", "30"))]
VIEWS += [("u2", film, time) for film, time in (("heat", "10"), ("alien", "20"), ("babe", "30"))]


def said(*reviews: tuple[str, str, str, str]) -> list[tuple[str, ...]]:
    """Rows of (user, time, text, item)."""
    return [(f"f{row}", user, time, text, item, "5", "") for row, (user, time, text, item) in enumerate(reviews)]


def train_part(folder: Path, *reviews: tuple[str, str, str, str], words: int | None = 20, **changes: Any) -> FeedbackDataset:
    changes = {"items": None, "ITEM_TEXT_FIELDS": None, "ITEM_ATTRIBUTE_FIELDS": None} | changes
    parts = films(folder, views=VIEWS, said=said(*reviews), ITEM_TEXT_FROM_FEEDBACK=words, **changes).build()
    return parts[0]  # type: ignore[no-any-return]


def text_of(dataset: FeedbackDataset, item: str) -> str:
    return str(dataset.item_table["text"][dataset.token2id("item_id", item)])


def document_of(dataset: FeedbackDataset, item: str) -> str:
    return dataset.item_documents[dataset.token2id("item_id", item)]


def test_a_training_review_describes_its_item(tmp_path: Path) -> None:
    train = train_part(tmp_path, ("u1", "10", "Scary ship. It eats the crew.", "alien"), ("u2", "10", "Long talk.", "heat"))
    assert text_of(train, "alien") == "Scary ship." and text_of(train, "heat") == "Long talk." and text_of(train, "babe") == ""
    assert document_of(train, "alien").strip() == "Scary ship. It eats the crew."
    assert train.texts[train.item_text_row[train.token2id("item_id", "alien")]] == "Scary ship."
    assert len(train.texts) == len(set(train.texts))


@pytest.mark.parametrize(("time", "described"), [("19", True), ("20", False), ("21", False), ("30", False)])
def test_a_review_from_its_writers_cut_off_on_describes_nothing(tmp_path: Path, time: str, described: bool) -> None:
    """u1's validation item came at 20, and the test item at 30."""
    train = train_part(tmp_path, ("u1", time, "Scary ship.", "alien"))
    assert text_of(train, "alien") == document_of(train, "alien").strip() == ("Scary ship." if described else "")


def test_every_part_of_the_split_shares_the_description(tmp_path: Path) -> None:
    given = {"items": None, "ITEM_TEXT_FIELDS": None, "ITEM_ATTRIBUTE_FIELDS": None, "ITEM_TEXT_FROM_FEEDBACK": 20}
    parts = films(tmp_path, views=VIEWS, said=said(("u1", "10", "Scary ship.", "alien")), **given).build()
    assert [text_of(part, "alien") for part in parts] == ["Scary ship."] * 3


def test_reviews_stand_behind_the_items_own_text(tmp_path: Path) -> None:
    own = {"items": [("alien", "Alien", "1979", "Horror")], "ITEM_TEXT_FIELDS": ["movie_title"]}
    assert text_of(train_part(tmp_path, ("u1", "10", "Scary ship.", "alien"), **own), "alien") == "Alien Scary ship."


def test_without_the_key_no_review_is_item_text(tmp_path: Path) -> None:
    train = train_part(tmp_path, ("u1", "10", "Scary ship.", "alien"), words=None)
    assert text_of(train, "alien") == document_of(train, "alien") == ""


def test_a_number_of_words_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ITEM_TEXT_FROM_FEEDBACK=0.*1 or more"):
        train_part(tmp_path, ("u1", "10", "Scary ship.", "alien"), words=0)


def test_typical_openings_come_first() -> None:
    reviews = [
        "Broke at once. Never again.",
        "Great strap. My strap holds.",
        "A great strap! I own two.",
        "Great strap. My strap holds.",
    ]
    assert typical(reviews, 20) == "Great strap. A great strap! Broke at once."
    assert typical(reviews, 4) == "Great strap. A great"
    assert typical([], 5) == typical(["  "], 5) == ""
