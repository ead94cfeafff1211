"""A small world in which there is something to learn that no text tells: users choose items of one parity.

Of what the first model was trained on a third is noise, and there is little of it; the log is much, and says it plainly.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from transformers import BertConfig, BertModel, BertTokenizerFast

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.learning.warm import Warmth
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.training.quick_start import run_recbole_llmfb
from recbole_llmfb.training.run_log import close_log

NAME = "films"
USERS, ITEMS, EACH, NEW_USERS, CLICKS = 60, 40, 8, 20, 12
GENRES = ["comedy", "drama", "horror", "western"]
FIRST, LATER = 1_600_000_000, datetime(2026, 6, 1, tzinfo=UTC)
WARMTH = Warmth(encoder_tuning="frozen", epochs=2, lessons=1.0)

_STARTS = ["please", "now", "today", "tonight", "again", "really", "kindly", "well", "still", "here", "maybe", "simply"]
BOOK = {
    "more": [f"{start} more {{aspect}}" for start in _STARTS],
    "less": [f"{start} no {{aspect}}" for start in _STARTS],
    "like_item": [f"{start} something like {{item}}" for start in _STARTS],
    "neutral": [f"{start} hello" for start in _STARTS],
    "indirect": {},
}


@dataclass(frozen=True)
class World:
    """root: holds the data set, the encoder and the phrase book; bundles: a folder whose champion is the first model."""

    root: Path
    bundles: Path

    @property
    def champion(self) -> Bundle:
        return load_bundle(self.bundles)


def item_rows(count: int) -> list[str]:
    return [f"i{item}\tFilm {item}\t{GENRES[item // 2 % 4].title()}" for item in range(count)]


def write_items(path: Path, rows: Sequence[str]) -> None:
    path.write_text("\n".join(["item_id:token\ttitle:token_seq\tclass:token_seq", *rows]) + "\n", encoding="utf-8")


def write_world(root: Path) -> None:
    random = np.random.default_rng(0)
    inter = ["user_id:token\titem_id:token\ttimestamp:float"]
    for user in range(USERS):
        taste = np.where(np.arange(ITEMS) % 2 == user % 2, 2.0, 1.0)
        chosen = random.choice(ITEMS, EACH, replace=False, p=taste / taste.sum())
        inter += [f"u{user}\ti{item}\t{FIRST + USERS * step + user}" for step, item in enumerate(chosen)]
    (root / NAME).mkdir(parents=True)
    (root / NAME / f"{NAME}.inter").write_text("\n".join(inter) + "\n", encoding="utf-8")
    write_items(root / NAME / f"{NAME}.item", item_rows(ITEMS))
    (root / "book.yaml").write_text(yaml.safe_dump({"phrases": BOOK}), encoding="utf-8")
    text = " ".join([str(BOOK), *GENRES, "film", *map(str, range(ITEMS + 5)), ". , ?"]).lower()
    words = sorted(set(re.findall(r"[a-z0-9]+|[.,?]", text)))
    tokenizer = BertTokenizerFast(vocab={w: row for row, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])})
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), **size)).save_pretrained(root / "encoder")
    tokenizer.save_pretrained(root / "encoder")


@pytest.fixture(scope="session")
def first_model(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Trained once; whoever promotes works on a copy (`world`)."""
    root = tmp_path_factory.mktemp("world")
    write_world(root)
    settings = {
        "data_path": str(root),
        "checkpoint_dir": str(root / "saved"),
        "phrase_book": str(root / "book.yaml"),
        "encoder": str(root / "encoder"),
        "encoder_tuning": "frozen",
        "critic_lessons": 60,
        "autoencoder_hidden": 8,
        "rank": 8,
        "epochs": 2,
        "eval_step": 2,
        "use_gpu": False,
        "show_progress": False,
        "train_batch_size": 256,
        "ITEM_TEXT_FIELDS": ["title", "class"],
        "ITEM_ATTRIBUTE_FIELDS": {"class": "genre"},
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
        "linear_ridge": 5.0,
        "topk": [10],
        "valid_metric": "NDCG@10",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        run_recbole_llmfb("LLMFB", NAME, config_dict=settings)
        close_log()
    return World(root, root / "saved" / NAME)


@pytest.fixture
def world(first_model: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The first model in a folder of the test's own, into which everything is written."""
    import shutil

    monkeypatch.chdir(tmp_path)
    shutil.copytree(first_model.bundles, tmp_path / "bundles")
    yield World(first_model.root, tmp_path / "bundles")
    close_log()


def clicks(users: Sequence[int], *, each: int = CLICKS, seed: int = 1, random_taste: bool = False) -> list[Feedback]:
    """Every user in turn clicks an item of the user's own parity, in the order of time."""
    random = np.random.default_rng(seed)
    mine = {user: np.arange(0 if random_taste else user % 2, ITEMS, 1 if random_taste else 2) for user in users}
    order = {user: random.permutation(of_user)[:each] for user, of_user in mine.items()}
    return [
        Feedback(
            f"u{user}", click=True, item=f"i{order[user][step]}", id=f"{user}-{step}",
            time=LATER + timedelta(minutes=step * len(users) + place),
        )
        for step in range(each)
        for place, user in enumerate(users)
    ]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[Database, SqlLog]]:
    database = Database(f"sqlite:///{tmp_path / 'log.db'}")
    yield database, SqlLog(database)
    database.close()
