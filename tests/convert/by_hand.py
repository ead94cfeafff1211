"""Small sources of every kind, written by hand in the formats of the real ones, and what reads the converted files."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recbole_llmfb.convert import Options, Report, convert
from recbole_llmfb.training.atomic import read_atomic


@dataclass(frozen=True)
class Source:
    """files: name -> text. broken: the file with its line (from 1) to break, and `bad`, what stands there then."""

    kind: str
    files: Mapping[str, str]
    broken: tuple[str, int]
    bad: str
    options: Options = field(default_factory=Options)

    def write(self, folder: Path, *, packed: bool = False, bad: bool = False) -> Path:
        """The source to convert: the folder, or its only file."""
        folder.mkdir()
        for name, text in self.files.items():
            if bad and name == self.broken[0]:
                lines = text.splitlines(keepends=True)
                lines.insert(self.broken[1] - 1, f"{self.bad}\n")
                text = "".join(lines)
            data = text.encode()
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(gzip.compress(data) if packed else data)
        return folder / next(iter(self.files)) if self.kind == "jsonl" else folder


def jsonl(*records: Any) -> str:
    return "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)


def table(header: str, *rows: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header.split(","), *rows])
    return text.getvalue()


def rows(folder: Path, suffix: str) -> list[dict[str, str]]:
    """The rows of a converted file, as the strict reader of atomic files gives them."""
    columns = read_atomic(folder / f"{folder.name}.{suffix}").columns
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def cells(folder: Path, suffix: str, *names: str) -> list[tuple[str, ...]]:
    """Some columns of a converted file."""
    return [tuple(row[name] for name in names) for row in rows(folder, suffix)]


def converted(tmp_path: Path, kind: str, files: Mapping[str, str], **given: Any) -> tuple[Path, Report]:
    """Convert a folder of these files; `given` are options, or `skip_bad`."""
    skip_bad = given.pop("skip_bad", False)
    source = Source(kind, files, ("", 0), "").write(tmp_path / "source")
    report = convert(kind, source, tmp_path / "small", skip_bad=skip_bad, options=Options(**given))
    return tmp_path / "small", report


def review_2018(user: str, item: str, stars: float, text: str, summary: str, time: int, **more: Any) -> dict[str, Any]:
    named = {"reviewerID": user, "asin": item, "overall": stars, "reviewText": text, "summary": summary}
    return {**named, "unixReviewTime": time, **more}


AMAZON = Source(
    "amazon-reviews",
    {
        "reviews.jsonl": jsonl(
            review_2018("ann", "S1", 5, "Bright & warm.", "Love them", 1363392000),
            review_2018("ann", "S2", 2, "They buzz.", "They buzz", 1363392000),
            review_2018("bob", "S1", 4, "", "Fine!", 1377648000),
            review_2018("bob", "S1", 4, "", "Fine!", 1377648000),
        ),
        "meta.jsonl": jsonl(
            {"asin": "S1", "title": "Strings &amp; Co", "brand": "Wire", "category": ["Guitar", "Strings"], "price": "$12.99"},
            {"asin": "S9", "title": "Nobody's", "category": []},
        ),
    },
    ("reviews.jsonl", 2),
    '{"reviewerID": "ann", "asin": "S1"',
)
YELP = Source(
    "yelp",
    {
        "yelp_academic_dataset_review.json": jsonl(
            *(
                {"review_id": f"r{n}", "user_id": user, "business_id": place, "stars": stars, "text": text, "date": date}
                for n, (user, place, stars, text, date) in enumerate(
                    [
                        ("ann", "cafe", 4.0, "Good\ncoffee", "2018-07-07 22:09:11"),
                        ("bob", "cafe", 1.0, "Cold soup", "2018-07-08 00:00:00"),
                    ]
                )
            )
        ),
        "yelp_academic_dataset_business.json": jsonl(
            {"business_id": "cafe", "name": "Café Zwei", "city": "Reno", "state": "NV", "categories": "Coffee & Tea, Food"},
            {"business_id": "shut", "name": "Shut", "city": "Reno", "state": "NV", "categories": None},
        ),
        "yelp_academic_dataset_user.json": jsonl(
            {"user_id": "ann", "name": "Ann", "yelping_since": "2010-01-01 00:00:00", "average_stars": 4.0},
            {"user_id": "zoe", "name": "Zoe", "yelping_since": "2011-01-01 00:00:00", "average_stars": 3.0},
        ),
        "yelp_academic_dataset_tip.json": jsonl({"user_id": "ann", "business_id": "cafe", "text": "Sit outside"}),
    },
    ("yelp_academic_dataset_review.json", 1),
    '{"review_id": "r9", "user_id": "ann", "business_id": "cafe", "stars": 6, "text": "", "date": "2018-07-07 22:09:11"}',
)
MOVIELENS = Source(
    "movielens",
    {
        "ratings.csv": table(
            "userId,movieId,rating,timestamp", (1, 10, 0.5, 1260759144), (1, 20, 4.0, 1260759144), (2, 10, 5, 9)
        ),
        "movies.csv": table(
            "movieId,title,genres",
            (10, "Usual Suspects, The (1995)", "Crime|Thriller"),
            (20, '"Heat (1995)', "(no genres listed)"),
            (30, "Unseen (2000)", "Drama"),
        ),
        "tags.csv": table(
            "userId,movieId,tag,timestamp", (2, 10, 'a "twist"', 1138537770), (7, 10, "late", 1138537771), (1, 20, "Long", 5)
        ),
        "links.csv": table("movieId,imdbId,tmdbId", (10, "0114814", 629), (20, "0113277", "")),
    },
    ("ratings.csv", 3),
    "1,31,lots,1260759144",
)


def turn(context: Iterable[tuple[str, str]], rec: list[str], resp: str) -> dict[str, Any]:
    return {"context": " ".join(f"{who}: {words}" for who, words in context), "rec": rec, "resp": resp}


def turns(first: str, second: str) -> str:
    """Two dialogues that the person called `first` begins, whom `second` answers with a recommendation."""
    talk = [(first, "Hi, I liked Alien (1979)"), (second, "Try The Thing (1982) then"), (first, "Seen it. More?")]
    return jsonl(
        turn(talk[:1], ["The Thing (1982)"], "Try The Thing (1982) then"),
        turn(talk, ["Heat", "Alien (1979)"], "Heat maybe, or Alien (1979) again"),
        turn([(first, "Hi, I liked Alien (1979)")], [], "No idea, sorry."),
    )


MOVIES_JSON = json.dumps(
    {
        "the thing": " Title: the thing  Actors: Kurt Russell, Keith David Director: John Carpenter Gneres: Horror, Sci-Fi "
        "Description: Something wakes in the ice.",
        "alien": "Title: alien Actors: nan Director: Ridley Scott Genres: Horror Overview: Nobody hears.",
        "Why Him%3F (2016)": "Title: Why Him? Actors: N/A Director:  Genres: Comedy Overview: A father's trouble.",
    },
    indent=1,
)
REDIAL = Source(
    "redial",
    {"turns.dev.jsonl": turns("Recommender", "Seeker"), "movies.json": MOVIES_JSON},
    ("turns.dev.jsonl", 2),
    '{"context": "Somebody: Hi", "rec": [], "resp": "Hi"}',
)
_MESSAGE = "dialog_id\tspeaker\ttext\tmovies\tfine_label"
INSPIRED = Source(
    "inspired",
    {
        "dev.tsv": "\n".join(
            [
                _MESSAGE,
                "d1\tRECOMMENDER\tHello! What do you like?\t\taccept",
                'd1\tSEEKER\tQUOTATION_MARKAlienQUOTATION_MARK, say "so"\tAlien (1979)\taccept',
                "d1\tSEEKER\tAnd fun.\t\taccept",
                "d1\tRECOMMENDER\tGhostbusters\tGhostbusters (1984); Heat (1995)\taccept",
                "",
            ]
        ),
        "pairs.json": json.dumps(
            {
                "0": {"context": ["Hello! What do you like?", '"Alien", say "so" And fun.'], "target": ["Ghostbusters (1984)"]},
                "1": {"context": ["Hey", "Something new"], "target": ["Us (2019)", ""]},
                "2": {"context": ["Hey", "Something new", "Us?", "Seen it"], "target": ["Joker (2019), Heat (1995)"]},
            },
            indent=1,
        ),
    },
    ("dev.tsv", 3),
    "d1\tNARRATOR\tMeanwhile\t\t",
)
CPCD = Source(
    "cpcd",
    {
        "dialogs.jsonl": jsonl(
            {
                "id": "c1",
                "turns": [
                    {"user_query": "Songs to jump to", "system_response": "Which genre?", "liked_results": []},
                    {
                        "user_query": "Any",
                        "system_response": "These?",
                        "search_results": [["t1", "t2", "t3"]],
                        "liked_results": ["t1"],
                        "disliked_results": ["t2"],
                    },
                ],
                "tracks": {
                    "t1": {
                        "track_titles": "Hey Ya!",
                        "track_artists": ["Outkast", "A|B"],
                        "track_release_titles": "Speakerboxxx",
                    },
                    "t2": {"track_titles": "Slow", "track_artists": []},
                },
                "goal_playlist": ["t1"],
            },
            {"id": "c2", "turns": [{"user_query": "Hello", "system_response": "Hello"}], "tracks": {}},
        )
    },
    ("dialogs.jsonl", 1),
    '{"id": "", "turns": []}',
)
OWN = Source(
    "jsonl",
    {
        "shop.jsonl": jsonl(
            {"who": {"id": 7}, "sku": "a", "at": "2024-05-01T12:00:00.25Z", "say": "Too sweet", "stars": 2, "label": "Jam"},
            {"who": {"id": 7}, "sku": "b", "at": 1714564800123, "say": None},
            {"who": {"id": 8}, "at": 1714564800, "say": "Anything sour?"},
        )
    },
    ("shop.jsonl", 2),
    '{"who": {}, "sku": "a", "at": 1}',
    Options(
        field=(("user", "who.id"), ("item", "sku"), ("time", "at"), ("text", "say"), ("rating", "stars"), ("title", "label"))
    ),
)
_MANY = {f"{kind.kind}/{name}": text for kind in (INSPIRED, REDIAL, MOVIELENS) for name, text in kind.files.items()}
CONVERSATION_MOVIES = Source("conversation-movies", _MANY, ("inspired/dev.tsv", 3), INSPIRED.bad)


def _said(position: int, role: str, worker: int, text: str, *intents: str) -> tuple[str, dict[str, Any]]:
    utterance = {"utterance_pos": position, "worker_id": worker, "role": role, "utterance_text": text}
    return f"{role[0].upper()}{position}", {**utterance, "top-level intent/action": ["OTH"], "sub-intent/action": list(intents)}


IARD = Source(
    "iard",
    {
        "dialogs.json": json.dumps(
            {
                "1": {
                    "accepted_recommendation": [6],
                    "dialogue_info": dict(
                        [
                            _said(1, "recommender", 5, "Hi!", "OTH"),
                            _said(6, "seeker", 7, "Great, @10 <Alien  (1979)>  it is", "SEE", "ACC"),
                            _said(2, "seeker", 7, "Hello", "OTH"),
                            _said(4, "seeker", 7, "Fine, but rather a comedy", "ACC", "CRI-F"),
                        ]
                    ),
                },
                "2": {"dialogue_info": dict([_said(1, "seeker", 8, "No thanks", "REJ"), _said(2, "seeker", 8, "@11", "SEE")])},
            },
            indent=1,
        )
    },
    ("dialogs.json", 2),
    '"3": {"dialogue_info": {"S1": {"utterance_pos": 1, "role": "seeker"}}},',
)
USER_SATISFACTION = Source(
    "user-satisfaction",
    {
        "redial.txt": "\n".join(
            [
                "",
                "USER\tHello!\t\t4,3,4,3",
                'SYSTEM\tTry "Why Him%3F (2016)"\t\t',
                'USER\tI hated "Why Him%3F (2016)" !\tOTHER\t1,2,2',
                "USER\tOVERALL\t\t2,2,3",
                "",
                "USER\tBye\t\t5",
                "",
            ]
        )
    },
    ("redial.txt", 3),
    "USER\tHello!\t\t4,6",
)
SOURCES = [AMAZON, YELP, MOVIELENS, INSPIRED, REDIAL, CONVERSATION_MOVIES, CPCD, IARD, USER_SATISFACTION, OWN]
