"""Small data sets in RecBole's atomic files, written by hand by the tests that read them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recbole.config import Config

from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.dataset import FeedbackDataset

NAME = "films"
INTER = "user_id:token\titem_id:token\ttimestamp:float"
ITEM = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
FEEDBACK = "feedback_id:token\tuser_id:token\ttimestamp:float\ttext:text\titem_id:token\trating:float\tslate_id:token"
TEXT_FIELDS = {
    "ITEM_TEXT_FIELDS": ["movie_title", "release_year", "class"],
    "ITEM_ATTRIBUTE_FIELDS": {"class": "genre", "release_year": "decade"},
}
BY_TIME = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}

VIEWS = [("u1", "alien", "100"), ("u1", "heat", "300"), ("u1", "babe", "200"), ("u2", "heat", "50"), ("u2", "alien", "60")]
FILMS = [
    ("alien", "Alien", "1979", "Horror Sci-Fi"),
    ("heat", "Heat", "1995", "Crime Crime"),
    ("babe", "Babe, The", "V", "unknown Comedy"),
    ("solaris", "Who?", "unkonwn", "unknown"),
]


def write(folder: Path, suffix: str, header: str, rows: Sequence[Sequence[str]] = ()) -> None:
    """Write `folder/films/films.<suffix>`."""
    path = folder / NAME / f"{NAME}.{suffix}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in [header, *map("\t".join, rows)]).encode())


def films_config(folder: Path, changes: Mapping[str, Any] | None = None) -> Config:
    """A configuration of the data set in `folder` that keeps every row and column, with the text fields of ml-100k."""
    given = {"data_path": str(folder), "use_gpu": False, "load_col": None, "filter_inter_by_user_or_item": False}
    return build_config("BPR", NAME, None, {**given, **TEXT_FIELDS, **(changes or {})})


def films(
    folder: Path,
    *,
    views: Sequence[Sequence[str]] = VIEWS,
    inter: str = INTER,
    items: Sequence[Sequence[str]] | None = FILMS,
    said: Sequence[Sequence[str]] | None = None,
    **changes: Any,
) -> FeedbackDataset:
    """The films above, or with other rows; `said` writes a .feedback file and splits by time."""
    write(folder, "inter", inter, views)
    if items is not None:
        write(folder, "item", ITEM, items)
    if said is not None:
        write(folder, "feedback", FEEDBACK, said)
        changes = {"eval_args": BY_TIME} | changes
    return FeedbackDataset(films_config(folder, changes))
