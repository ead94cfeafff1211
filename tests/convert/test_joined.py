"""Dialogues and ratings as one data set: who is who, and which movies are the same."""

from pathlib import Path

import pytest
from by_hand import CONVERSATION_MOVIES, INSPIRED, MOVIELENS, cells, converted, table

from recbole_llmfb.errors import DataError


def test_users_of_two_sources_never_meet_and_ratings_have_no_role(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "conversation-movies", CONVERSATION_MOVIES.files)
    rows = cells(folder, "inter", "user_id", "item_id", "role", "source")
    assert rows[0] == ("inspired:d1", "Alien (1979)", "seeker", "inspired")
    assert {user.partition(":")[0] for user, *_ in rows} == {source for *_, source in rows}
    assert {source for _, _, role, source in rows if not role} <= {"movielens"}


def test_the_catalogue_is_what_dialogues_know_and_says_who_knows_it(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "conversation-movies", CONVERSATION_MOVIES.files)
    sources = dict(cells(folder, "item", "item_id", "sources"))
    assert sources["Alien (1979)"] == "inspired|redial"
    assert sources["Us (2019)"] == "inspired" and sources["Why Him%3F (2016)"] == "redial"
    assert {item for (item,) in cells(folder, "inter", "item_id")} <= sources.keys()


def test_ratings_reach_the_movie_of_the_same_title_and_year(tmp_path: Path) -> None:
    files = {f"inspired/{name}": text for name, text in INSPIRED.files.items()} | {
        "ml-latest-small/movies.csv": table(
            "movieId,title,genres", (1, "Joker (2019)", ""), (2, "Joker (1990)", ""), (3, "Us (2019)", "")
        ),
        "ml-latest-small/ratings.csv": table("userId,movieId,rating,timestamp", (5, 1, 4.0, 9), (5, 2, 5.0, 9), (5, 3, 3.0, 9)),
    }
    folder, report = converted(tmp_path, "conversation-movies", files)
    assert ("movielens:5", "Joker (2019)") in cells(folder, "inter", "user_id", "item_id")
    assert [user for (user,) in cells(folder, "inter", "user_id")].count("movielens:5") == 1
    assert report.counts["ratings"].reasons == {"below 3.5": 1, "of movies that no dialogue knows": 1}


def test_a_catalogue_s_name_gives_way_to_the_name_that_dialogues_use(tmp_path: Path) -> None:
    files = {
        "redial/turns.jsonl": '{"context": "Seeker: Hi", "rec": ["Why Him? (2016)"], "resp": "Why Him? (2016)"}\n',
        "redial/movies.json": '{"Why Him%3F (2016)": "Title: Why Him? Genres: Comedy Overview: Trouble."}',
    }
    folder, report = converted(tmp_path, "conversation-movies", files)
    assert cells(folder, "item", "item_id", "genres") == [("Why Him? (2016)", "Comedy")]


def test_folders_are_told_apart_by_their_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder of dialogues"):
        converted(tmp_path, "conversation-movies", {f"movielens/{name}": text for name, text in MOVIELENS.files.items()})
    again = {**INSPIRED.files, "inspired-2/dev.tsv": INSPIRED.files["dev.tsv"], "inspired-1/dev.tsv": INSPIRED.files["dev.tsv"]}
    (tmp_path / "second").mkdir()
    with pytest.raises(DataError, match="two folders of inspired: inspired-1, inspired-2"):
        converted(tmp_path / "second", "conversation-movies", again)
