"""Reviews: known answers of Amazon's three editions, Yelp, and a file of one's own."""

import gzip
from pathlib import Path

import pytest
from by_hand import AMAZON, OWN, YELP, Source, cells, converted, jsonl, review_2018, rows, table

from recbole_llmfb.convert import Options, convert
from recbole_llmfb.errors import DataError, UsageError

# Amazon


def test_reviews_of_2018_become_interactions_and_feedback(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "amazon-reviews", AMAZON.files)
    assert cells(folder, "inter", "user_id", "item_id", "rating", "timestamp") == [
        ("ann", "S1", "5", "1363392000"),
        ("ann", "S2", "2", "1363392000.000001"),  # the same day: the order of the rows decides
        ("bob", "S1", "4", "1377648000"),
    ]
    assert cells(folder, "feedback", "feedback_id", "timestamp", "text", "item_id", "rating") == [
        ("1", "1363392000", "Love them. Bright & warm.", "S1", "5"),
        ("2", "1363392000.000001", "They buzz.", "S2", "2"),
        ("3", "1377648000", "Fine!", "S1", "4"),
    ]
    assert report.counts["reviews"].reasons == {"repeated word for word": 1}


def test_metadata_describes_the_reviewed_items(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "amazon-reviews", AMAZON.files)
    assert rows(folder, "item") == [
        {
            "item_id": "S1",
            "title": "Strings & Co",
            "brand": "Wire",
            "categories": "Guitar|Strings",
            "features": "",
            "description": "",
            "price": "12.99",
        },
        {"item_id": "S2", "title": "", "brand": "", "categories": "", "features": "", "description": "", "price": ""},
    ]
    assert report.counts["metadata"].reasons == {"of items that nobody reviewed": 1}
    assert report.notes["items without metadata"] == 1


def test_all_items_are_kept_on_request(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "amazon-reviews", AMAZON.files, all_items=True)
    assert cells(folder, "item", "item_id") == [("S1",), ("S9",), ("S2",)]


def test_kaggle_s_csv_without_metadata_gives_items_without_words(tmp_path: Path) -> None:
    header = "reviewerID,asin,reviewerName,helpful,reviewText,overall,summary,unixReviewTime,reviewTime"
    text = table(
        header,
        ("ann", "0007", 'A. "Nn"', "[1, 2]", "Two\nlines, one review", 5.0, "Good", 1363392000, "03 16, 2013"),
        ("bob", "0008", "", "[0, 0]", "", 1.0, "Bad", 1363392001, "03 16, 2013"),
    )
    folder, _ = converted(tmp_path, "amazon-reviews", {"reviews.csv": text})
    assert cells(folder, "feedback", "user_id", "item_id", "text") == [
        ("ann", "0007", "Good. Two lines, one review"),
        ("bob", "0008", "Bad."),
    ]
    assert rows(folder, "item") == [{"item_id": "0007"}, {"item_id": "0008"}]  # no word of a review


def test_reviews_of_2023_name_the_parent_and_count_milliseconds(tmp_path: Path) -> None:
    review = {"rating": 3.0, "title": "Meh", "text": "It is<br />ok", "asin": "B1", "parent_asin": "P1", "user_id": "ann"}
    meta = {"parent_asin": "P1", "title": "Kit", "store": "Acme", "categories": ["Tools"], "features": ["a", "b"], "price": 3.5}
    files = {"reviews.jsonl": jsonl(review | {"timestamp": 1588687728923}), "meta.jsonl": jsonl(meta)}
    folder, _ = converted(tmp_path, "amazon-reviews", files)
    assert cells(folder, "feedback", "item_id", "timestamp", "text") == [("P1", "1588687728.923", "Meh. It is ok")]
    assert cells(folder, "item", "item_id", "title", "brand", "features", "price") == [("P1", "Kit", "Acme", "a b", "3.5")]


def test_metadata_of_2014_may_be_a_python_literal(tmp_path: Path) -> None:
    files = {
        "reviews.json": jsonl(review_2018("ann", "S1", 5, "x", "y", 1)),
        "meta.json": "{'asin': 'S1', 'title': \"Bob's\", 'categories': [['Guitar', 'Strings'], ['Gifts']], 'price': 5}\n",
    }
    folder, _ = converted(tmp_path, "amazon-reviews", files)
    assert cells(folder, "item", "title", "categories", "price") == [("Bob's", "Guitar|Strings|Gifts", "5")]


def test_metadata_may_be_named_by_an_option(tmp_path: Path) -> None:
    source = AMAZON.write(tmp_path / "source")
    options = Options(meta=source / "meta.jsonl")
    convert("amazon-reviews", source / "reviews.jsonl", tmp_path / "small", options=options)
    assert cells(tmp_path / "small", "item", "title")[0] == ("Strings & Co",)
    with pytest.raises(UsageError, match="none.jsonl is no file"):
        convert("amazon-reviews", source, tmp_path / "other", options=Options(meta=tmp_path / "none.jsonl"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"overall": 0}, "overall: .*greater than or equal to 1, not 0"),
        ({"asin": ""}, "asin: "),
        ({"unixReviewTime": None}, "needs unixReviewTime in seconds"),
        ({"overall": "NaN"}, "overall: "),
        ({"unixReviewTime": 1588687728923}, "unixReviewTime: .*less than 253402300800, not 1588687728923"),
    ],
)
def test_what_is_wrong_with_a_review_is_named(change: dict[str, object], problem: str, tmp_path: Path) -> None:
    good = review_2018("ann", "S1", 5, "x", "y", 1)
    with pytest.raises(DataError, match=f"reviews.json, line 2: .*{problem}"):
        converted(tmp_path, "amazon-reviews", {"reviews.json": jsonl(good, good | change)})


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    files = {"reviews.json": jsonl(review_2018("ann", "S1", 9, "x", "y", 1))}
    with pytest.raises(DataError, match="no interaction is left"):
        converted(tmp_path, "amazon-reviews", files, skip_bad=True)


# Yelp


def test_yelp_keeps_what_is_known_at_the_time(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "yelp", YELP.files)
    assert rows(folder, "inter") == [
        {"user_id": "ann", "item_id": "cafe", "rating": "4", "timestamp": "1531001351"},
        {"user_id": "bob", "item_id": "cafe", "rating": "1", "timestamp": "1531008000"},
    ]
    assert cells(folder, "feedback", "feedback_id", "text") == [("r0", "Good coffee"), ("r1", "Cold soup")]
    about = {"title": "Café Zwei", "city": "Reno", "state": "NV", "categories": "Coffee & Tea|Food"}
    assert rows(folder, "item") == [{"item_id": "cafe", **about}]
    assert rows(folder, "user") == [
        {"user_id": "ann", "yelping_since": "1262304000"},
        {"user_id": "bob", "yelping_since": ""},
    ]
    assert report.counts["businesses"].reasons == {"that nobody reviewed": 1}
    assert report.counts["users"].reasons == {"without a review": 1}
    assert any("yelp_academic_dataset_tip.json" in note for note in report.notes)


# One's own file


def test_one_s_own_file_is_read_by_its_mapping(tmp_path: Path) -> None:
    convert("jsonl", OWN.write(tmp_path / "source"), tmp_path / "small", options=OWN.options)
    folder = tmp_path / "small"
    assert cells(folder, "inter", "user_id", "item_id", "rating", "timestamp") == [
        ("7", "a", "2", "1714564800.25"),
        ("7", "b", "", "1714564800.123"),
    ]
    assert cells(folder, "feedback", "feedback_id", "user_id", "text", "item_id", "rating") == [
        ("1", "7", "Too sweet", "a", "2"),
        ("3", "8", "Anything sour?", "", ""),
    ]
    assert rows(folder, "item") == [
        {"item_id": "a", "title": "Jam", "categories": "", "description": ""},
        {"item_id": "b", "title": "", "categories": "", "description": ""},
    ]


def test_keys_have_defaults_and_a_dot_may_be_part_of_one(tmp_path: Path) -> None:
    line = {"user_id": "u", "item_id": "i", "timestamp": 5, "a.b": "words", "title": "T", "categories": "one"}
    source = Source("jsonl", {"own.jsonl": jsonl(line)}, ("", 0), "").write(tmp_path / "source")
    convert("jsonl", source, tmp_path / "small", options=Options(field=(("text", "a.b"),)))
    assert cells(tmp_path / "small", "feedback", "text", "timestamp") == [("words", "5")]
    assert cells(tmp_path / "small", "item", "title", "categories") == [("T", "one")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"user_id": "u", "timestamp": "yesterday", "text": "x"}, "timestamp: .*a date such as.*'yesterday'"),
        ({"user_id": "u", "timestamp": "NaN", "text": "x"}, "timestamp: .*seconds or milliseconds"),
        ({"user_id": "u", "timestamp": -5, "text": "x"}, "timestamp: .*seconds or milliseconds"),
        ({"user_id": "u", "timestamp": 1, "rating": 10, "text": "x"}, "rating: .*1 to 5"),
        ({"user_id": "u", "timestamp": 1}, "an item, a text or a rating"),
        ({"timestamp": 1, "text": "x"}, "user_id: field required"),
        ({"user_id": "", "timestamp": 1, "text": "x"}, "user_id: .*must not be empty"),
    ],
)
def test_a_wrong_line_of_one_s_own_names_the_mapping(line: dict[str, object], problem: str, tmp_path: Path) -> None:
    source = Source("jsonl", {"own.jsonl": jsonl(line)}, ("", 0), "").write(tmp_path / "source")
    with pytest.raises(DataError, match=f"own.jsonl, line 1: .*{problem}.*--field ROLE=KEY"):
        convert("jsonl", source, tmp_path / "small")


def test_an_unknown_role_is_an_error(tmp_path: Path) -> None:
    source = OWN.write(tmp_path / "source")
    with pytest.raises(UsageError, match="--field colour=red: no such role; the roles are user"):
        convert("jsonl", source, tmp_path / "small", options=Options(field=(("colour", "red"),)))


def test_a_packed_file_needs_no_suffix(tmp_path: Path) -> None:
    source = tmp_path / "export"
    source.write_bytes(gzip.compress(jsonl({"user_id": "u", "item_id": "i", "timestamp": 5}).encode()))
    convert("jsonl", source, tmp_path / "small")
    assert cells(tmp_path / "small", "inter", "user_id") == [("u",)]
