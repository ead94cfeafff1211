"""Small dialogues with a known structure: who speaks of the sea is recommended a sea film, who speaks of war a war film."""

from pathlib import Path
from typing import Any

NAME = "talks"
THINGS = ("ocean sailing ships", "soldiers battle tanks")
WORDS = ("I want the ocean, sailing and ships", "I want soldiers, a battle and tanks")
DIALOGUES, FILMS = 40, 16
"""Even films are of the sea, odd ones of war; so are dialogues."""


def write_talks(
    folder: Path, *, changed: dict[int, tuple[str, ...]] | None = None, viewers: bool = True, role: str = "recommender"
) -> Path:
    """Write `folder/talks/talks.{inter,item,talk}`; returns `folder`. changed: words of a dialogue in place of its own.
    role: of who mentions the films."""
    path = folder / NAME
    path.mkdir(parents=True)
    inter, talk = [], []
    for number in range(DIALOGUES):
        day, kind = 86_400 * (number + 1), number % 2
        user = f"talk:{number}"
        said = (changed or {}).get(number, ("hello, what do you like?", f"{WORDS[kind]} please", "look at this", "another?"))
        talk += [
            f"{user}\t{day + turn}\t{'recommender' if turn % 2 == 0 else 'seeker'}\t{text}" for turn, text in enumerate(said)
        ]
        first, second = (kind + 2 * (number // 2)) % FILMS, (kind + 2 * (number // 2 + 3)) % FILMS
        inter += [f"{user}\tfilm{first}\t{day + 2}\t{role}\ttalk", f"{user}\tfilm{second}\t{day + 4}\t{role}\ttalk"]
    for viewer in range(12 if viewers else 0):
        inter += [
            f"viewer:{viewer}\tfilm{film}\t{1000 + film}\t\tviews" for film in range(viewer % 2, FILMS, 2) if film != viewer
        ]
    item = [f"film{film}\tNumber {film}\t{THINGS[film % 2]}\t{'sea' if film % 2 == 0 else 'war'}\ttalk" for film in range(FILMS)]
    files = {
        "inter": ["user_id:token\titem_id:token\ttimestamp:float\trole:token\tsource:token", *inter],
        "item": ["item_id:token\ttitle:token_seq\tabout:token_seq\tgenres:token_seq\tsources:token_seq", *item],
        "talk": ["user_id:token\ttimestamp:float\tspeaker:token\ttext:text", *talk],
    }
    for suffix, rows in files.items():
        (path / f"{NAME}.{suffix}").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def talk_settings(folder: Path, work: Path, **changes: Any) -> dict[str, Any]:
    """A configuration of LLMFB for them, on one CPU thread's worth of work."""
    return {
        "data_path": str(folder),
        "checkpoint_dir": str(work / "saved"),
        "show_progress": False,
        "use_gpu": False,
        "load_col": {"inter": ["user_id", "item_id", "timestamp", "role", "source"], "item": ["item_id", "genres", "sources"]},
        "ITEM_TEXT_FIELDS": ["title", "about"],
        "ITEM_ATTRIBUTE_FIELDS": {"genres": "genre"},
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
        "dialogue_folds": 5,
        "dialogue_test_fold": 0,
        "dialogue_valid_share": 0.2,
        "phrase_book": str(Path(__file__).with_name("plain_book.yaml")),
        "critic_lessons": 40,
        "encoder_texts_per_step": 8,
        "encoder_tuning": "top:1",
        "encoder_max_tokens": 32,
        "collaborative": ["linear"],
        "linear_folds": 2,
        "train_batch_size": 64,
        "talk_cases_per_step": 16,
        "epochs": 2,
        "eval_step": 2,
        **changes,
    }


def judge_talks(folder: Path) -> None:
    """Write `folder/talks/talks.feedback`: with each recommendation of a dialogue, its film is liked, the next one disliked."""
    lines = ["feedback_id:token\tuser_id:token\ttimestamp:float\ttext:text\titem_id:token\trating:float"]
    for number in range(DIALOGUES):
        user, day, kind = f"talk:{number}", 86_400 * (number + 1), number % 2
        for turn, step in ((2, 0), (4, 3)):
            film = (kind + 2 * (number // 2 + step)) % FILMS
            for item, rating in ((film, 5), ((film + 1) % FILMS, 1)):
                lines.append(f"{user}:{turn}:{item}\t{user}\t{day + turn}\t\tfilm{item}\t{rating}")
    (folder / NAME / f"{NAME}.feedback").write_text("\n".join(lines) + "\n", encoding="utf-8")
