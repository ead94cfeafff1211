"""Items as the model counts them: from row 0, without RecBole's padding item."""

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from data_files import FILMS, films  # type: ignore[import-not-found]

from recbole_llmfb.training.catalogue import Catalogue
from recbole_llmfb.training.dataset import FeedbackDataset


@pytest.fixture
def dataset(tmp_path: Path) -> FeedbackDataset:
    """The films, two more that share everything but their ids, and a word of feedback, which is no item's text."""
    more = [("twin1", "Twin", "1994", "Horror"), ("twin2", "Twin", "1994", "Horror")]
    said = [("f1", "u1", "10", "more horror", "", "", "")]
    return films(tmp_path, items=[*FILMS, *more], said=said)


def attributes_of(catalogue: Catalogue, item: str) -> set[str]:
    column = catalogue.membership[:, catalogue.ids.index(item)]
    return {name for name, has in zip(catalogue.attributes, column, strict=True) if has}


def test_rows_are_recboles_items_without_padding(dataset: FeedbackDataset) -> None:
    catalogue = Catalogue.from_dataset(dataset, attribute_min_items=1)
    assert "[PAD]" not in catalogue.ids and len(catalogue.ids) == dataset.item_num - 1
    for row, item in enumerate(catalogue.ids):
        assert dataset.token2id(dataset.iid_field, item) == row + 1
    titles = {item: title for item, title, *_ in FILMS} | {"twin1": "Twin", "twin2": "Twin"}
    assert dict(zip(catalogue.ids, catalogue.titles, strict=True)) == titles


def test_every_item_has_the_attributes_of_its_file(dataset: FeedbackDataset) -> None:
    catalogue = Catalogue.from_dataset(dataset, attribute_min_items=1)
    assert catalogue.attributes == ("1970s", "1990s", "comedy", "crime", "horror", "sci-fi")
    assert attributes_of(catalogue, "alien") == {"1970s", "horror", "sci-fi"}
    assert attributes_of(catalogue, "heat") == {"1990s", "crime"}
    assert attributes_of(catalogue, "babe") == {"comedy"}
    assert attributes_of(catalogue, "solaris") == set()
    assert attributes_of(catalogue, "twin1") == attributes_of(catalogue, "twin2") == {"1990s", "horror"}


@pytest.mark.parametrize(("least", "left"), [(1, 6), (2, {"1990s", "horror"}), (3, {"1990s", "horror"}), (4, set())])
def test_attributes_of_few_items_are_left_out(dataset: FeedbackDataset, least: int, left: set[str] | int) -> None:
    catalogue = Catalogue.from_dataset(dataset, attribute_min_items=least)
    assert len(catalogue.attributes) == left if isinstance(left, int) else set(catalogue.attributes) == left
    assert catalogue.membership.shape == (len(catalogue.attributes), len(catalogue.ids))
    assert (catalogue.membership.sum(axis=1) >= least).all()


def test_like_texts_are_one_and_feedback_is_none_of_them(dataset: FeedbackDataset) -> None:
    catalogue = Catalogue.from_dataset(dataset, attribute_min_items=1)
    texts = dict(zip(catalogue.ids, (catalogue.texts[row] for row in catalogue.text_rows), strict=True))
    assert texts["alien"] == "Alien (1979). Horror, Sci-Fi"
    assert texts["twin1"] == texts["twin2"] and len(set(catalogue.texts)) == len(catalogue.texts) == 5
    assert "more horror" in dataset.texts and "more horror" not in catalogue.texts
    assert sorted(set(catalogue.text_rows.tolist())) == list(range(5))


def test_rows_of_texts_do_not_depend_on_what_else_was_said(dataset: FeedbackDataset) -> None:
    """As if every text of an item stood behind ten of feedback."""
    rows = np.where(dataset.item_text_row >= 0, dataset.item_text_row + 10, -1)
    texts = [*(f"said {n}" for n in range(10)), *dataset.texts]
    same = {"item_table": dataset.item_table, "item_documents": dataset.item_documents}
    moved = SimpleNamespace(**same, item_text_row=rows, texts=texts)
    catalogues = [Catalogue.from_dataset(one, attribute_min_items=1) for one in (dataset, moved)]
    assert catalogues[0].texts == catalogues[1].texts
    assert np.array_equal(catalogues[0].text_rows, catalogues[1].text_rows)


def test_item_without_text_has_no_row_of_it(tmp_path: Path) -> None:
    catalogue = Catalogue.from_dataset(films(tmp_path, items=[("alien", "Alien", "1979", "Horror")]), attribute_min_items=1)
    rows = dict(zip(catalogue.ids, catalogue.text_rows.tolist(), strict=True))
    assert rows == {"alien": 0, "heat": -1, "babe": -1}
    assert catalogue.texts == ("Alien (1979). Horror",)
    assert np.array_equal(catalogue.membership.sum(axis=0)[[row < 0 for row in rows.values()]], [0, 0])


def test_catalogue_without_words_has_items_alone(tmp_path: Path) -> None:
    catalogue = Catalogue.from_dataset(films(tmp_path, items=None), attribute_min_items=1)
    assert sorted(catalogue.ids) == sorted(catalogue.titles) == ["alien", "babe", "heat"]
    assert catalogue.texts == catalogue.attributes == () and (catalogue.text_rows == -1).all()
    assert catalogue.membership.shape == (0, 3)


def test_a_catalogue_without_words_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        catalogue = Catalogue.from_dataset(films(tmp_path, items=None), attribute_min_items=1)
    assert catalogue.texts == () and "ITEM_TEXT_FIELDS" in caplog.text
