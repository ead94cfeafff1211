"""MovieLens and movie texts: known answers, and how titles of different catalogues meet."""

import json
from pathlib import Path

import pytest
from by_hand import MOVIELENS, MOVIES_JSON, cells, converted, rows, table

from recbole_llmfb.convert.movies.movie_text import MovieText, MovieTexts, read_movie_texts
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.errors import DataError
from recbole_llmfb.text.titles import split_name, title_keys

KEYWORDS = table("movieId,title,genres,keywords", (10, "Usual Suspects, The (1995)", "Crime", "heist|twist ending"))
TMDB = table(
    "id,title,original_title,release_date,overview,genres,keywords",
    (
        629,
        "Usual Suspects",
        "",
        "1996-01-01",
        "A line-up.\n",
        '[{"id": 1, "name": "Drama"}]',
        '[{"id": 2, "name": "twist ending"}]',
    ),
    (949, "Heat", "", "1995-12-15", "A heist.", '[{"id": 3, "name": "Science Fiction"}]', "[]"),
)


def test_ratings_tags_and_movies(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "movielens", MOVIELENS.files)
    assert cells(folder, "inter", "user_id", "item_id", "rating", "timestamp") == [
        ("1", "10", "0.5", "1260759144"),
        ("1", "20", "4", "1260759144"),
        ("2", "10", "5", "9"),
    ]
    assert cells(folder, "feedback", "user_id", "timestamp", "text", "item_id") == [
        ("2", "1138537770", 'a "twist"', "10"),
        ("1", "5", "Long", "20"),
    ]
    assert cells(folder, "item", "item_id", "title", "release_year", "genres") == [
        ("10", "Usual Suspects, The", "1995", "Crime|Thriller"),
        ("20", "“Heat", "1995", ""),
    ]
    assert report.counts["tags"].reasons == {"of users without a rating": 1}
    assert report.counts["movies"].reasons == {"without a rating or tag": 1}


def test_tags_as_keywords_are_no_feedback(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "movielens", MOVIELENS.files, tags="keywords", all_items=True)
    assert not (folder / "small.feedback").exists()
    assert cells(folder, "item", "item_id", "keywords") == [("10", 'a "twist"|late'), ("20", "long"), ("30", "")]


def test_a_rated_movie_without_a_row_is_an_item_all_the_same(tmp_path: Path) -> None:
    files = {name: text for name, text in MOVIELENS.files.items() if name in ("ratings.csv", "movies.csv")}
    files["movies.csv"] = "movieId,title,genres\n10,Dinner (1995),Drama\n"
    folder, report = converted(tmp_path, "movielens", files)
    assert cells(folder, "item", "item_id", "title") == [("10", "Dinner"), ("20", "")]
    assert report.notes["items without a row in movies.csv"] == 1


def test_texts_are_joined_by_tmdb_id_and_by_title_and_year(tmp_path: Path) -> None:
    paths = []
    for name, text in (("keywords.csv", KEYWORDS), ("tmdb.csv", TMDB), ("movies.json", MOVIES_JSON)):
        paths.append(tmp_path / name)
        paths[-1].write_text(text)
    folder, _ = converted(tmp_path, "movielens", MOVIELENS.files, text=tuple(paths))
    assert cells(folder, "item", "title", "genres", "keywords", "plot") == [
        ("Usual Suspects, The", "Crime|Thriller", "twist ending|heist", "A line-up."),
        ("“Heat", "Sci-Fi", "", "A heist."),
    ]


@pytest.mark.parametrize(
    ("name", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", "1995"),
        ("The Witch (2015 film)", "The Witch", "2015"),
        ("Dirty Dancing (2017 film", "Dirty Dancing", "2017"),
        ("Office ()", "Office", ""),
        ("Why Him%3F (2016)", "Why Him?", "2016"),
        ("2001: A Space Odyssey  (1968)", "2001: A Space Odyssey", "1968"),
        ("(500) Days of Summer", "(500) Days of Summer", ""),
        ("Stranger Things", "Stranger Things", ""),
        ("City of Lost Children, The (Cité) (1995)", "City of Lost Children, The (Cité)", "1995"),
    ],
)
def test_a_name_is_a_title_and_a_year(name: str, title: str, year: str) -> None:
    assert split_name(name) == (title, year)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Usual Suspects, The", "The usual suspects"),
        ("Matrix", "The Matrix"),
        ("Misérables, Les", "Les Miserables"),
        ("Fast & Furious", "Fast and Furious"),
        ("City of Lost Children, The (Cité des enfants perdus, La)", "The City of Lost Children"),
        ("WALL·E", "Wall-E"),
    ],
)
def test_spellings_of_a_title_meet(one: str, other: str) -> None:
    assert set(title_keys(one)) & set(title_keys(other))


def test_the_year_decides_between_movies_of_one_title() -> None:
    old, new, undated = MovieText("Jumanji", "1995"), MovieText("Jumanji", "2017"), MovieText("jumanji")
    dated = MovieTexts([old, new])
    assert dated.find("Jumanji", "1995") == (old,)
    assert dated.find("Jumanji", "2018") == (new,)  # one year beside it
    assert dated.find("Jumanji", "2005") == dated.find("Jumanji", "") == ()
    assert MovieTexts([old, undated]).find("Jumanji", "2017") == (undated,)
    assert MovieTexts([old]).find("Jumanji", "") == (old,)


def test_described_movies_are_read_by_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "movies.json"
    path.write_text(MOVIES_JSON)
    thing, alien, him = read_movie_texts([path], Tally()).texts
    assert thing.people == ("John Carpenter", "Kurt Russell", "Keith David")
    assert thing.genres == ("Horror", "Sci-Fi") and thing.plot == "Something wakes in the ice."
    assert alien.people == ("Ridley Scott",) and alien.plot == "Nobody hears."
    assert him == MovieText("Why Him?", "2016", genres=("Comedy",), plot="A father's trouble.", name="Why Him%3F (2016)")


def test_an_unknown_file_of_texts_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    path.write_text(json.dumps({"a": "no labels here"}))
    with pytest.raises(DataError, match="no known file of movie texts"):
        read_movie_texts([path], Tally())


def test_a_broken_list_in_tmdb_s_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tmdb.csv"
    path.write_text(table("id,title,overview,keywords", (1, "A", "x", "[]"), (2, "B", "y", "[{")))
    with pytest.raises(DataError, match="tmdb.csv, line 3: keywords: .*JSON list"):
        read_movie_texts([path], Tally())
    tally = Tally(skip_bad=True)
    assert [text.title for text in read_movie_texts([path], tally).texts] == ["A"]


def test_a_movielens_folder_needs_ratings_and_movies(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no MovieLens folder.*ratings.csv"):
        converted(tmp_path, "movielens", {"tags.csv": MOVIELENS.files["tags.csv"]})


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    files = dict(MOVIELENS.files) | {"ratings.csv": "userId,movieId,stars\n1,10,4\n"}
    with pytest.raises(DataError, match=r"ratings.csv, line 1: no column 'rating' among 'userId', 'movieId', 'stars'"):
        converted(tmp_path, "movielens", files, skip_bad=True)


def test_a_title_row_is_complete(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "movielens", MOVIELENS.files)
    assert list(rows(folder, "item")[0]) == ["item_id", "title", "release_year", "genres", "keywords", "people", "plot"]
