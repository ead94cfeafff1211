"""The dataset with text, exact times and feedback: known answers on files written by hand, and its errors."""

import logging
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_files import BY_TIME, FILMS, INTER, NAME, TEXT_FIELDS, VIEWS, films, films_config, write
from hypothesis import given, settings
from hypothesis import strategies as st
from recbole.data.dataset import Dataset

from recbole_llmfb.errors import ConfigError, DataError
from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.dataset import NEVER, FeedbackDataset
from recbole_llmfb.training.quick_start import split


def described(dataset: FeedbackDataset) -> dict[str, tuple[str, str, list[str]]]:
    table = dataset.item_table
    return {row.item: (row.title, row.text, row.attributes) for row in table.itertuples()}


# Items


def test_items_have_title_text_and_attributes(tmp_path: Path) -> None:
    assert described(films(tmp_path)) == {
        "[PAD]": ("", "", []),
        "alien": ("Alien", "Alien (1979). Horror, Sci-Fi", ["horror", "sci-fi", "1970s"]),
        "heat": ("Heat", "Heat (1995). Crime, Crime", ["crime", "1990s"]),
        "babe": ("Babe, The", "Babe, The. Comedy", ["comedy"]),
        "solaris": ("Who?", "Who?", []),
    }


def test_the_item_table_follows_recbole_s_ids_after_filters(tmp_path: Path) -> None:
    dataset = films(tmp_path, item_inter_num_interval="[2,inf)")
    assert dataset.item_table["item"].tolist() == list(dataset.field2id_token["item_id"]) == ["[PAD]", "alien", "heat"]
    assert [dataset.texts[row] for row in dataset.item_text_row[1:]] == dataset.item_table["text"].tolist()[1:]
    assert dataset.item_text_row.dtype == np.int64 and dataset.item_text_row[0] == -1


def test_an_item_without_a_row_has_its_id_as_title(tmp_path: Path) -> None:
    dataset = films(tmp_path, items=FILMS[:1])
    assert described(dataset)["heat"] == ("heat", "", [])
    assert dataset.item_text_row[dataset.token2id("item_id", "heat")] == -1


def test_filtering_interactions_without_an_item_row_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        dataset = films(tmp_path, items=FILMS[:1], filter_inter_by_user_or_item=True)
    assert dataset.inter_num == len(dataset.interaction_time_us) == 2
    assert "3 of 5 interactions are left out" in caplog.text


def test_no_item_file_means_no_text(tmp_path: Path) -> None:
    dataset = films(tmp_path, items=None)
    assert dataset.texts == [] and described(dataset)["alien"] == ("alien", "", [])


def test_every_column_of_words_is_text_where_none_is_named(tmp_path: Path) -> None:
    write(tmp_path, "inter", INTER, VIEWS)
    write(tmp_path, "item", "item_id:token\tname:token_seq\tprice:float\tplot:text", [("alien", "Alien", "3", 'A "guest".')])
    dataset = FeedbackDataset(films_config(tmp_path, {"ITEM_TEXT_FIELDS": None, "ITEM_ATTRIBUTE_FIELDS": None}))
    assert described(dataset)["alien"] == ("Alien", 'Alien. A "guest".', [])
    assert "plot" not in dataset.field2type and "name" in dataset.field2type


def test_title_field_and_kinds_can_be_chosen(tmp_path: Path) -> None:
    fields = {
        "ITEM_TEXT_FIELDS": ["class"],
        "ITEM_TITLE_FIELD": "movie_title",
        "ITEM_ATTRIBUTE_FIELDS": {"movie_title": "keyword"},
    }
    assert described(films(tmp_path, **fields))["alien"] == ("Alien", "Horror Sci-Fi", ["alien"])


@pytest.mark.parametrize("key", ["ITEM_TEXT_FIELDS", "ITEM_TITLE_FIELD", "ITEM_ATTRIBUTE_FIELDS"])
def test_a_column_that_the_item_file_lacks_is_an_error(tmp_path: Path, key: str) -> None:
    value = {"ITEM_TEXT_FIELDS": ["titel"], "ITEM_TITLE_FIELD": "titel", "ITEM_ATTRIBUTE_FIELDS": {"titel": "genre"}}[key]
    with pytest.raises(DataError, match=rf"films\.item, line 1: no column 'titel' among 'item_id', 'movie_title'.*set {key}"):
        films(tmp_path, **{key: value})


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("ITEM_TEXT_FIELDS", "movie_title", "write a list of column names"),
        ("ITEM_TITLE_FIELD", ["movie_title"], "write one column name"),
        ("ITEM_ATTRIBUTE_FIELDS", {"class": "colour"}, "a kind of genre, keyword, decade"),
        ("ITEM_ATTRIBUTE_FIELDS", ["class"], "write column: kind pairs"),
    ],
)
def test_an_option_of_the_wrong_shape_is_an_error(tmp_path: Path, key: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}=.*{says}"):
        films(tmp_path, **{key: value})


def test_an_item_on_two_lines_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"films\.item, line 4: item_id 'alien' stands on line 2 already"):
        films(tmp_path, items=[FILMS[0], FILMS[1], FILMS[0]])


# Ids and cells


ODD = [
    "NaN",
    "NULL",
    "None",
    "nan",
    "1",
    "1.0",
    "01",
    " ",
    "a b",
    "a,b",
    '"',
    "'",
    "\U0001f988",
    "[PAD]",
    "#N/A",
    "user_id:token",
]
ODD += ["\u00e9", "e\u0301"]  # composed or not, two different ids


def test_odd_ids_stay_what_they_are(tmp_path: Path) -> None:
    views = [(user, item, str(time)) for time, (user, item) in enumerate(zip(ODD, reversed(ODD), strict=True))]
    dataset = films(tmp_path, views=views, items=[(item, f"T{item}", "1990", "Drama") for item in ODD])
    assert dataset.item_table["item"].tolist()[1:] == list(reversed(ODD))
    assert dataset.item_table["title"].tolist()[1:] == [f"T{item}" for item in reversed(ODD)]
    users, items = dataset.split_interactions(dataset.build()[0])
    pairs = zip(dataset.id2token("user_id", users), dataset.id2token("item_id", items), strict=True)
    assert sorted(pairs) == sorted((user, item) for user, item, _ in views)


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\0"), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=3, unique_by=(lambda row: row[0],)), st.data())
def test_any_ids_and_titles_make_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    words = data.draw(st.lists(VALUES.filter(str.strip), min_size=1, max_size=4))
    folder = tmp_path_factory.mktemp("any")
    items = [(item, title, "1990", "Drama") for item, title in rows]
    said = [(f"f{place}", rows[0][0], str(place), text, rows[-1][0], "", "") for place, text in enumerate(words)]
    dataset = films(folder, views=[(item, item, "7") for item, _ in rows], items=items, said=said)
    assert dict(zip(dataset.item_table["item"][1:], dataset.item_table["title"][1:], strict=True)) == dict(rows)
    assert [dataset.texts[row] for row in dataset.feedback.text_row] == words
    assert len(set(dataset.texts)) == len(dataset.texts)
    assert dataset.id2token("user_id", dataset.feedback.user).tolist() == [rows[0][0]] * len(words)
    assert dataset.id2token("item_id", dataset.feedback.item).tolist() == [rows[-1][0]] * len(words)


def test_a_quote_in_a_title_merges_no_rows(tmp_path: Path) -> None:
    items = [("alien", '"Alien', "1979", "Horror"), ("heat", 'Heat"', "1995", "Crime"), ("babe", "Babe", "1995", "Comedy")]
    dataset = films(tmp_path, items=items)
    assert [dataset.item_table["title"][row] for row in (1, 2, 3)] == ['"Alien', 'Heat"', "Babe"]
    assert dataset.num("class") == 4 and dataset.item_num == 4


@pytest.mark.parametrize("suffix", ["inter", "item", "user"])
def test_recbole_s_own_files_are_read_strictly(tmp_path: Path, suffix: str) -> None:
    write(tmp_path, "user", "user_id:token\tage:float", [("u1", "31"), ("u2", "")])
    films(tmp_path)
    path = tmp_path / NAME / f"{NAME}.{suffix}"
    rows = path.read_text().count("\n")
    path.write_text(path.read_text() + "u1\ttoo\tmany\tvalues\there\n")
    with pytest.raises(DataError, match=rf"films\.{suffix}, line {rows + 1}: 5 values where the header names"):
        FeedbackDataset(films_config(tmp_path))
    path.write_text("")
    with pytest.raises(DataError, match=rf"films\.{suffix}, line 1: .*name:type"):
        FeedbackDataset(films_config(tmp_path))


@pytest.mark.parametrize(
    ("inter", "views", "says"),
    [
        (INTER, [("u1", "", "5")], "line 2: empty item_id; give the row an id"),
        (INTER, [("u1", "alien", "5"), ("u1", "heat", "noon")], "line 3: timestamp 'noon' is not a number"),
        (INTER, [], "line 1: a header without rows"),
        ("user:token\titem_id:token\ttimestamp:float", VIEWS, "line 1: no column 'user_id' among 'user', 'item_id', 'timestamp'"),
        ("user_id:token\titem_id:token\trow_id:token", VIEWS, "line 1: the column name 'row_id' is taken; rename"),
        ("user_id:token\titem_id:token\trating:float", [("u1", "alien", "good")], "line 2: rating 'good' is not a number"),
    ],
)
def test_an_interaction_that_is_none_is_an_error(tmp_path: Path, inter: str, views: list[Sequence[str]], says: str) -> None:
    with pytest.raises(DataError, match=rf"films\.inter, {says}"):
        films(tmp_path, inter=inter, views=views)


def test_recbole_gets_the_tensors_that_its_own_reader_gives(tmp_path: Path) -> None:
    write(
        tmp_path,
        "user",
        "user_id:token\tage:float\tjob:token\tlikes:float_seq",
        [("u1", "31", "", "1 2"), ("u2", "", "cook", "")],
    )
    ours = films(tmp_path)
    theirs = Dataset(films_config(tmp_path))
    for dataset in (ours, theirs):
        dataset._change_feat_format()
    assert {key: list(value) for key, value in ours.field2id_token.items()} == {
        key: list(value) for key, value in theirs.field2id_token.items()
    }
    for name in ("field2type", "field2source", "field2seqlen", "field2bucketnum"):
        assert getattr(ours, name) == getattr(theirs, name)
    for feat in ("inter_feat", "user_feat", "item_feat"):
        for field in getattr(theirs, feat):
            torch.testing.assert_close(getattr(ours, feat)[field], getattr(theirs, feat)[field])


# Times


MANY = [(f"u{user}", f"i{item}", f"{1_700_000_000 + 7 * item + user}.{item:06d}") for user in range(6) for item in range(20)]
US = {(user, item): 1_000_000 * int(time.split(".")[0]) + int(time.split(".")[1]) for user, item, time in MANY}


def times_found(dataset: FeedbackDataset, part: FeedbackDataset) -> dict[tuple[str, str], int]:
    users, items = dataset.split_interactions(part)
    times = part.interaction_time_us[part.inter_feat["row_id"].numpy()]
    return {
        (str(dataset.id2token("user_id", user)), str(dataset.id2token("item_id", item))): int(time)
        for user, item, time in zip(users, items, times, strict=True)
    }


def test_exact_times_are_found_after_filters_a_shuffle_and_a_split(tmp_path: Path) -> None:
    changes = {"val_interval": {"rating": "[2,inf)"}, "rm_dup_inter": "first", "normalize_all": True}
    views = [(user, item, time, str(1 + place % 5)) for place, (user, item, time) in enumerate(MANY)]
    dataset = films(tmp_path, inter=f"{INTER}\trating:float", views=views, items=None, **changes)
    torch.manual_seed(1)
    parts = dataset.build()
    kept = {(user, item): US[user, item] for user, item, _, rating in views if rating != "1"}
    found = [times_found(dataset, part) for part in parts]
    assert found[0] | found[1] | found[2] == kept and sum(map(len, found)) == len(kept) == 96
    assert list(found[0]) != sorted(found[0], key=lambda pair: found[0][pair])
    assert parts[0].inter_feat["row_id"].dtype == torch.int64 and "row_id" not in dataset.field2type


def test_the_loaders_of_a_split_still_carry_the_times(tmp_path: Path) -> None:
    dataset = films(tmp_path, views=[*MANY, ("u9", "i99", "1")], items=None)
    train, valid, _ = split(dataset.config, dataset)
    for batch in train:
        users = dataset.id2token("user_id", batch["user_id"].numpy())
        items = dataset.id2token("item_id", batch["item_id"].numpy())
        times = train.dataset.interaction_time_us[batch["row_id"].numpy()].tolist()
        assert times == [(US | {("u9", "i99"): 1_000_000})[pair] for pair in zip(users, items, strict=True)]
    assert valid.dataset.texts is dataset.texts and valid.dataset.feedback is dataset.feedback


def test_a_split_by_time_is_exact_where_float32_would_tie(tmp_path: Path) -> None:
    views = [("u1", f"i{place}", f"1700000000.{place:06d}") for place in (4, 1, 3, 0, 2)]
    dataset = films(tmp_path, views=views, items=None, eval_args=BY_TIME)
    parts = [list(times_found(dataset, part)) for part in dataset.build()]
    assert parts == [[("u1", "i0"), ("u1", "i1"), ("u1", "i2")], [("u1", "i3")], [("u1", "i4")]]


def test_a_split_by_time_needs_no_loaded_time_column(tmp_path: Path) -> None:
    dataset = films(tmp_path, items=None, eval_args=BY_TIME, load_col={"inter": ["user_id", "item_id"]})
    _, valid, test = (list(times_found(dataset, part).values()) for part in dataset.build())
    assert (valid, test) == ([200_000_000], [60_000_000, 300_000_000])


def test_cut_offs_are_the_earliest_held_out_times(tmp_path: Path) -> None:
    dataset = films(tmp_path, views=[*VIEWS, ("u3", "heat", "1")], eval_args=BY_TIME)
    train, valid, test = dataset.build()
    assert dataset.cutoff_us(train).tolist() == [NEVER, 100_000_000, 50_000_000, 1_000_000]
    assert dataset.cutoff_us(valid).tolist() == [NEVER, 200_000_000, NEVER, NEVER]
    assert test.cutoff_us(test).tolist() == [NEVER, 300_000_000, 60_000_000, NEVER]


def test_without_times_a_random_split_is_fine(tmp_path: Path) -> None:
    dataset = films(tmp_path, inter="user_id:token\titem_id:token", views=[view[:2] for view in VIEWS])
    assert dataset.interaction_time_us.tolist() == [NEVER] * 5
    assert dataset.cutoff_us(dataset.build()[0]).tolist() == [NEVER] * 3


@pytest.mark.parametrize(("said", "why"), [(None, "sorts by"), ([], "feedback is compared with")])
def test_times_that_are_needed_and_missing_are_an_error(tmp_path: Path, said: list[Any] | None, why: str) -> None:
    problem = rf"films\.inter, line 1: no column 'timestamp' among 'user_id', 'item_id'; add timestamp:float.*{why}"
    with pytest.raises(DataError, match=problem):
        films(tmp_path, inter="user_id:token\titem_id:token", views=[view[:2] for view in VIEWS], said=said, eval_args=BY_TIME)


# The data set in RecBole's wheel


def test_ml_100k_loads_whole() -> None:
    config = build_config("BPR", "ml-100k", None, {"use_gpu": False, **TEXT_FIELDS})
    dataset = FeedbackDataset(config)
    assert (dataset.item_num - 1, dataset.user_num - 1, dataset.inter_num) == (1682, 943, 100_000)
    items = described(dataset)
    assert items["1"] == (
        "Toy Story",
        "Toy Story (1995). Animation, Children's, Comedy",
        ["animation", "children's", "comedy", "1990s"],
    )
    assert items["64"][0] == "Shawshank Redemption, The"
    assert items["267"] == ("unkonwn", "unkonwn", [])
    assert items["1412"][1] == "Land Before Time III: The Time of the Great Giving (1995). Animation, Children's"
    assert len(dataset.texts) == len(set(dataset.texts)) == 1664
    assert dataset.interaction_time_us[0] == 881_250_949_000_000 and len(dataset.feedback) == 0


def test_a_dataset_can_be_pickled(tmp_path: Path) -> None:
    dataset = films(tmp_path, said=[("f1", "u1", "5", "hello", "", "", "")])
    again = pickle.loads(pickle.dumps(dataset))
    assert again.feedback.ids == ["f1"] and again.texts == dataset.texts


def test_entries_without_a_kind_are_words_of_their_own_where_no_space_separates_them(tmp_path: Path) -> None:
    dataset = films(tmp_path, items=[("alien", "Alien", "1979", "Horror|Sci-Fi")], seq_separator="|", ITEM_ATTRIBUTE_FIELDS={})
    assert described(dataset)["alien"] == ("Alien", "Alien. 1979, Horror, Sci-Fi", [])
