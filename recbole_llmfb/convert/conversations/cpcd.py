"""CPCD: conversations in which a user makes a playlist, one JSON object per line.

    id, turns: [{user_query, system_response, search_results: [[track ids]], liked_results, disliked_results}],
    tracks: {id: {track_titles, track_artists, track_release_titles}}, goal_playlist

| of a conversation | becomes |
|---|---|
| the conversation | a user |
| `user_query` of turn n (from 0) | a row of `.feedback`, at turn 2n of the talk |
| `system_response` of turn n | a row of `.talk` as the queries are, at turn 2n + 1 |
| a liked track of turn n | a row of `.inter`, and one of `.feedback` with the item and rating 5, at turn 2n + 1 |
| a disliked track of turn n | a row of `.feedback` with the item and rating 1, at turn 2n + 1; none of `.inter` |

So the query of a turn is heard before its tracks are judged, and likes and dislikes are known from the next query on. `slate_id`
is the same for all that is said of one turn's results. Times are those of `dialogues`. Items are the tracks that the file
describes. `goal_playlist`, which nobody knows while talking, and results that were not judged are not used.

Source: https://github.com/google-research-datasets/cpcd (Chaganty et al., SIGIR 2023)
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from recbole_llmfb.convert.conversations.dialogues import DIALOGUE_COLUMNS, moment
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import Record, first_names, json_lines
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.sources import by_format
from recbole_llmfb.convert.writing import WORDS, Cells, Row, Tables
from recbole_llmfb.training.feedback_table import COLUMNS

_ITEM = {"item_id": "token", "title": WORDS, "artists": "token_seq", "album": WORDS}
_INTER = {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float", "turn": "float"}
_SETTINGS = {
    "ITEM_TEXT_FIELDS": ["title", "artists", "album"],
    "ITEM_TITLE_FIELD": "title",
    "ITEM_ATTRIBUTE_FIELDS": {"artists": "keyword"},
}
_LIKED, _DISLIKED = 5, 1


class _Turn(Record):
    user_query: str = ""
    system_response: str = ""
    liked_results: tuple[str, ...] = ()
    disliked_results: tuple[str, ...] = ()


class _Track(Record):
    track_titles: str = ""
    track_artists: tuple[str, ...] = ()
    track_release_titles: str = ""


class _Conversation(Record):
    id: str = Field(min_length=1)
    turns: tuple[_Turn, ...]
    tracks: dict[str, _Track] = {}


def cpcd(source: Path, options: Options, tally: Tally) -> Tables:  # noqa: ARG001  (every kind is called alike)
    """See the module. Raises DataError for a source without conversations, or a malformed line."""
    columns = {"inter": _INTER, "item": _ITEM, "feedback": COLUMNS, "talk": DIALOGUE_COLUMNS["talk"]}
    return Tables(columns, _rows(source, tally), _SETTINGS)


def _rows(source: Path, tally: Tally) -> Iterator[Row]:
    def known(path: Path) -> str | None:
        return "conversations" if first_names(path) >= {"id", "turns"} else None

    tracks: dict[str, _Track | None] = {}
    ids = set[str]()
    for path in by_format(source, known, tally, needs="CPCD's dialogues (.jsonl)")["conversations"]:
        for one in json_lines(path, _Conversation, tally, "conversations"):
            if not any(turn.liked_results for turn in one.turns):
                tally.leave_out("conversations", "without a liked track")
                continue
            if one.id in ids:
                tally.leave_out("conversations", "of an id that was there already")
                continue
            for track, about in one.tracks.items():
                tracks[track] = tracks.get(track) or about
            tracks |= {track: None for turn in one.turns for track in _judged(turn) if track not in tracks}
            yield from _conversation(len(ids), one, tally)
            ids.add(one.id)
    for track, described in tracks.items():
        tally.note("tracks without a description", described is None)
        about = described or _Track()
        names = {"title": about.track_titles, "artists": about.track_artists, "album": about.track_release_titles}
        yield Row("item", {"item_id": track, **names})


def _judged(turn: _Turn) -> dict[str, int]:
    """Track -> rating. A track that is both liked and disliked counts as disliked, the later list."""
    return dict.fromkeys(turn.liked_results, _LIKED) | dict.fromkeys(turn.disliked_results, _DISLIKED)


def _conversation(number: int, one: _Conversation, tally: Tally) -> Iterator[Row]:
    for index, turn in enumerate(one.turns):
        for place, speaker, text in (
            (2 * index, "seeker", turn.user_query),
            (2 * index + 1, "recommender", turn.system_response),
        ):
            at: Cells = {"user_id": one.id, "timestamp": moment(number, place)}
            if text.strip():
                yield Row("talk", {**at, "turn": place, "speaker": speaker, "text": text})
                if speaker == "seeker":
                    yield Row("feedback", {**at, "feedback_id": f"{one.id}:{place}", "text": text})
        said: Cells = {**at, "slate_id": f"{one.id}:{place}"}
        for track, rating in _judged(turn).items():
            tally.read("liked tracks" if rating == _LIKED else "disliked tracks")
            yield Row("feedback", {**said, "feedback_id": f"{one.id}:{place}:{track}", "item_id": track, "rating": rating})
            if rating == _LIKED:
                yield Row("inter", {**at, "item_id": track, "rating": rating, "turn": place})
