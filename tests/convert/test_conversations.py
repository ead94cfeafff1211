"""Conversations: who spoke, what was mentioned when, and what training may know before a recommendation."""

import json
from pathlib import Path

import pytest
from by_hand import CPCD, INSPIRED, MOVIES_JSON, REDIAL, cells, converted, jsonl, rows, turns

from recbole_llmfb.convert.conversations.dialogues import Turn, merged
from recbole_llmfb.errors import DataError

_SAID = [("0", "seeker", "Hi, I liked Alien (1979)"), ("1", "recommender", "Try The Thing (1982) then")]


def test_turns_of_a_side_are_one() -> None:
    messages = [Turn("seeker", "Hi", ("a",)), Turn("seeker", "", ("b", "a")), Turn("seeker", "there"), Turn("recommender", "Yes")]
    assert merged(messages) == (Turn("seeker", "Hi there", ("a", "b")), Turn("recommender", "Yes"))


# ReDial


@pytest.mark.parametrize(("first", "second", "swapped"), [("Recommender", "Seeker", 2), ("Seeker", "Recommender", None)])
def test_speakers_are_put_right_whatever_they_are_called(first: str, second: str, swapped: int | None, tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "redial", {"turns.jsonl": turns(first, second), "movies.json": MOVIES_JSON})
    assert cells(folder, "talk", "turn", "speaker", "text")[:2] == _SAID
    assert cells(folder, "feedback", "feedback_id", "text") == [
        ("turns-1:0", "Hi, I liked Alien (1979)"),
        ("turns-1:2", "Seen it. More?"),
        ("turns-2:0", "Hi, I liked Alien (1979)"),
    ]
    assert report.notes.get("dialogues whose speakers' names were swapped, and are put right") == swapped


def test_mentions_are_interactions_in_the_order_of_the_talk(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "redial", REDIAL.files)
    assert cells(folder, "inter", "user_id", "item_id", "timestamp", "turn", "role") == [
        ("turns.dev-1", "Alien (1979)", "86400", "0", "seeker"),
        ("turns.dev-1", "The Thing (1982)", "86401", "1", "recommender"),
        ("turns.dev-1", "Heat", "86403", "3", "recommender"),
        ("turns.dev-1", "Alien (1979)", "86403", "3", "recommender"),
        ("turns.dev-2", "Alien (1979)", "172800", "0", "seeker"),
    ]


def test_the_catalogue_has_what_was_mentioned_and_what_was_not(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "redial", REDIAL.files)
    assert cells(folder, "item", "item_id", "title", "release_year", "genres", "people") == [
        ("Alien (1979)", "Alien", "1979", "Horror", "Ridley Scott"),
        ("The Thing (1982)", "The Thing", "1982", "Horror|Sci-Fi", "John Carpenter|Kurt Russell|Keith David"),
        ("Heat", "Heat", "", "", ""),
        ("Why Him%3F (2016)", "Why Him?", "2016", "Comedy", ""),
    ]


def test_the_longest_known_title_before_a_year_is_the_mention(tmp_path: Path) -> None:
    said = "Recommender: I saw Thing (1982) and The Thing (1982), not the Blob (1958) or That Thing (1999)"
    line = {"context": said, "rec": ["Thing (1982)"], "resp": "Thing (1982)?"}
    folder, report = converted(tmp_path, "redial", {"turns.jsonl": jsonl(line), "movies.json": MOVIES_JSON})
    assert [item for (item,) in cells(folder, "inter", "item_id")][:-1] == ["Thing (1982)", "The Thing (1982)", "Thing (1999)"]
    assert report.counts["mentions of the seeker"].reasons == {"with a year, but of no known title": 1}


def official(**changes: object) -> str:
    said = [(5, "Hi, I liked @10"), (9, "Try @11 then"), (5, "Seen it."), (5, "More?"), (9, "@12 maybe, or @10 again, @99")]
    return jsonl(
        {
            "conversationId": "391",
            "initiatorWorkerId": 5,
            "respondentWorkerId": 9,
            "messages": [{"timeOffset": n, "text": text, "senderWorkerId": who} for n, (who, text) in enumerate(said)],
            "movieMentions": {"10": "Alien  (1979)", "11": "The Thing (1982)", "12": "Heat", "99": None},
            "initiatorQuestions": {"10": {"suggested": 0, "seen": 1, "liked": 1}, "11": {"liked": 0}, "12": {"liked": 2}},
            "respondentQuestions": [],
            **changes,
        }
    )


def test_the_official_lines_give_what_the_turn_files_give(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "redial", {"train_data.jsonl": official()})
    assert cells(folder, "inter", "user_id", "item_id", "turn", "role", "rating") == [
        ("391", "Alien (1979)", "0", "seeker", "5"),
        ("391", "The Thing (1982)", "1", "recommender", "1"),
        ("391", "Heat", "3", "recommender", ""),
        ("391", "Alien (1979)", "3", "recommender", "5"),
    ]
    assert cells(folder, "talk", "turn", "speaker", "text") == [
        *_SAID,
        ("2", "seeker", "Seen it. More?"),
        ("3", "recommender", "Heat maybe, or Alien (1979) again, @99"),
    ]
    assert rows(folder, "user") == [{"user_id": "391", "file": "train_data", "worker_id": "5", "outcome": ""}]
    assert report.notes["mentions of an @id without a name"] == 1


def test_a_conversation_without_mentions_writes_lists_for_mappings(tmp_path: Path) -> None:
    lines = official() + official(conversationId="392", movieMentions=[], initiatorQuestions=[])
    _, report = converted(tmp_path, "redial", {"train_data.jsonl": lines})
    assert report.counts["dialogues"].reasons == {"without a movie": 1}


def test_what_is_known_afterwards_is_not_loaded(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "redial", REDIAL.files)
    settings = (folder / "small.yaml").read_text()
    assert "rating" not in settings and "outcome" not in settings and "turn" in settings


def test_a_conversation_that_comes_twice_is_kept_once(tmp_path: Path) -> None:
    again = {
        "redial": {"a.jsonl": official(), "b.jsonl": official()},
        "cpcd": {f"{n}.jsonl": CPCD.files["dialogs.jsonl"] for n in "ab"},
    }
    for kind, files in again.items():
        (tmp_path / kind).mkdir()
        folder, report = converted(tmp_path / kind, kind, files)
        assert len(cells(folder, "feedback", "feedback_id")) == len(set(cells(folder, "feedback", "feedback_id")))
        assert any("of an id that was there already" in count.reasons for count in report.counts.values())


# INSPIRED


def test_tables_mark_the_movies_of_both_sides(tmp_path: Path) -> None:
    folder, _ = converted(tmp_path, "inspired", {"dev.tsv": INSPIRED.files["dev.tsv"]})
    assert cells(folder, "inter", "item_id", "turn", "role") == [
        ("Alien (1979)", "1", "seeker"),
        ("Ghostbusters (1984)", "2", "recommender"),
        ("Heat (1995)", "2", "recommender"),
    ]
    assert cells(folder, "feedback", "text") == [('"Alien", say "so" And fun.',)]
    assert rows(folder, "user") == [{"user_id": "d1", "file": "dev", "worker_id": "", "outcome": "accept"}]


def test_pairs_grow_into_dialogues(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "inspired", {"pairs.json": INSPIRED.files["pairs.json"]})
    assert cells(folder, "inter", "user_id", "item_id", "turn", "role") == [
        ("pairs-1", "Ghostbusters (1984)", "2", "recommender"),
        ("pairs-2", "Us (2019)", "2", "recommender"),
        ("pairs-2", "Joker (2019)", "4", "recommender"),
        ("pairs-2", "Heat (1995)", "4", "recommender"),
    ]
    second = [row for row in cells(folder, "talk", "user_id", "turn", "speaker", "text") if row[0] == "pairs-2"]
    assert second == [
        ("pairs-2", "0", "recommender", "Hey"),
        ("pairs-2", "1", "seeker", "Something new"),
        ("pairs-2", "2", "recommender", "Us?"),
        ("pairs-2", "3", "seeker", "Seen it"),
    ]
    assert report.counts["dialogues"].kept == 2


def test_a_dialogue_of_two_files_is_kept_once(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "inspired", INSPIRED.files)
    assert cells(folder, "user", "user_id") == [("d1",), ("pairs-2",)]
    assert report.counts["dialogues"].reasons == {"in another file already": 1}


def test_turn_files_of_inspired_are_right_as_they_are(tmp_path: Path) -> None:
    line = {"context": "Recommender: Hello Seeker: Hi", "rec": ["Up (2009)"], "resp": "Up"}
    folder, report = converted(tmp_path, "inspired", {"turns.jsonl": jsonl(line)})
    said = [("recommender", "Hello"), ("seeker", "Hi"), ("recommender", "Up")]
    assert cells(folder, "talk", "speaker", "text") == said
    assert not report.notes


def test_a_malformed_pair_is_named_by_its_line(tmp_path: Path) -> None:
    pairs = json.loads(INSPIRED.files["pairs.json"]) | {"3": {"context": "no list", "target": []}}
    files = {"pairs.json": json.dumps(pairs, indent=1)}
    line = files["pairs.json"].splitlines().index(' "3": {') + 1
    with pytest.raises(DataError, match=f"pairs.json, line {line}: entry '3': context: "):
        converted(tmp_path, "inspired", files)


def test_a_broken_document_cannot_be_skipped(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs.json, line 2: not JSON .*nothing of a broken document"):
        converted(tmp_path, "inspired", {"pairs.json": '{\n"0": {"context": ]}\n}'}, skip_bad=True)


# CPCD


def test_likes_and_dislikes_follow_the_query_that_found_them(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "cpcd", CPCD.files)
    assert cells(folder, "feedback", "feedback_id", "timestamp", "text", "item_id", "rating", "slate_id") == [
        ("c1:0", "86400", "Songs to jump to", "", "", ""),
        ("c1:2", "86402", "Any", "", "", ""),
        ("c1:3:t1", "86403", "", "t1", "5", "c1:3"),
        ("c1:3:t2", "86403", "", "t2", "1", "c1:3"),
    ]
    assert cells(folder, "inter", "item_id", "rating", "timestamp", "turn") == [("t1", "5", "86403", "3")]
    assert cells(folder, "item", "item_id", "title", "artists") == [("t1", "Hey Ya!", "Outkast|A/B"), ("t2", "Slow", "")]
    assert cells(folder, "talk", "turn", "speaker") == [
        ("0", "seeker"),
        ("1", "recommender"),
        ("2", "seeker"),
        ("3", "recommender"),
    ]
    assert report.counts["conversations"].reasons == {"without a liked track": 1}
