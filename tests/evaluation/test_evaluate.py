"""Judging a trained bundle from end to end: a small catalogue, an encoder of two layers, and a phrase book of few words."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from transformers import BertConfig, BertModel, BertTokenizerFast

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.errors import BundleError, DataError, UsageError
from recbole_llmfb.evaluation.evaluate import evaluate
from recbole_llmfb.evaluation.report import Report, success_over
from recbole_llmfb.training.quick_start import run_recbole_llmfb

USERS, ITEMS, EACH = 40, 80, 20
GENRES = ["comedy", "drama", "horror", "western"]
_STARTS = ["please", "now", "today", "tonight", "again", "really", "kindly", "well", "still", "here", "maybe", "simply"]
_MEANT = {"comedy": "laugh", "horror": "scream"}
BOOK = {
    "more": [f"{start} more {{aspect}}" for start in _STARTS],
    "less": [f"{start} no {{aspect}}" for start in _STARTS],
    "like_item": [f"{start} something like {{item}}" for start in _STARTS],
    "neutral": [f"{start} hello" for start in _STARTS],
    "indirect": {
        genre: {
            "more": [f"{start} make me {word}" for start in _STARTS],
            "less": [f"{start} do not make me {word}" for start in _STARTS],
        }
        for genre, word in _MEANT.items()
    },
}


def write_films(folder: Path) -> None:
    """Forty users who each like one genre; every item has one or two."""
    random = np.random.default_rng(0)
    genres = [sorted(random.choice(GENRES, 1 + item % 2, replace=False)) for item in range(ITEMS)]
    items = [f"i{item}\tFilm {item}\t{' '.join(of).title()}" for item, of in enumerate(genres)]
    inter = ["user_id:token\titem_id:token\ttimestamp:float"]
    for user in range(USERS):
        taste = np.array([3.0 if GENRES[user % 4] in of else 1.0 for of in genres])
        inter += [f"u{user}\ti{item}\t{step}" for step, item in enumerate(random.choice(ITEMS, EACH, False, taste / taste.sum()))]
    folder.mkdir()
    (folder / "films.inter").write_text("\n".join(inter) + "\n", encoding="utf-8")
    (folder / "films.item").write_text(
        "\n".join(["item_id:token\ttitle:token_seq\tclass:token_seq", *items]) + "\n", encoding="utf-8"
    )


def write_encoder(folder: Path) -> None:
    """A random BERT that knows the words of the book and of the titles."""
    text = " ".join([str(BOOK), *GENRES, "film", *map(str, range(ITEMS)), ". , ?"]).lower()
    words = sorted(set(re.findall(r"[a-z0-9]+|[.,?]", text)))
    vocabulary = {word: row for row, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    tokenizer = BertTokenizerFast(vocab=vocabulary)
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), **size)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a short training."""
    root = tmp_path_factory.mktemp("films")
    write_films(root / "films")
    write_encoder(root / "encoder")
    (root / "book.yaml").write_text(yaml.safe_dump({"phrases": BOOK}), encoding="utf-8")
    settings = {
        "data_path": str(root),
        "checkpoint_dir": str(root / "saved"),
        "phrase_book": str(root / "book.yaml"),
        "encoder": str(root / "encoder"),
        "encoder_tuning": "full",
        "encoder_learning_rate": 3e-3,
        "encoder_texts_per_step": 24,
        "critic_lessons": 200,
        "ITEM_TEXT_FIELDS": ["title", "class"],
        "ITEM_ATTRIBUTE_FIELDS": {"class": "genre"},
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "title", "class"]},
        "filter_inter_by_user_or_item": False,
        "eval_args": {"split": {"RS": [0.6, 0.2, 0.2]}, "order": "RO", "group_by": "user", "mode": "full"},
        "metrics": ["NDCG", "Recall", "Hit", "MRR", "Precision"],
        "topk": [10, 20],
        "valid_metric": "NDCG@10",
        "epochs": 4,
        "train_batch_size": 128,
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return Path(run_recbole_llmfb("LLMFB", "films", None, settings)["bundle"])


@pytest.fixture(scope="module")
def report(trained: Path) -> Report:
    return evaluate(trained, episodes=120)


def test_metrics_without_feedback_are_those_of_training(trained: Path, report: Report) -> None:
    told: Any = load_bundle(trained).manifest.metrics["test_result"]
    for name, estimate in report.ranking.items():
        assert estimate.value == pytest.approx(told[name.lower()], abs=1e-4)
        assert estimate.low < estimate.value < estimate.high


def test_critics_judge_five_methods_in_the_same_episodes(report: Report) -> None:
    critics = report.critics
    assert critics is not None and critics.wordings.count("literal") == critics.wordings.count("indirect") == 60
    assert set(critics.found) == {"LLMFB", "paging", "keyword filter", "frozen cosine", "oracle filter"}
    assert all(user % 5 == 0 for user in critics.users)
    first = {by_wording["all"].success[0].value for by_wording in critics.performance.values()}
    assert len(first) == 1  # nobody has spoken yet
    success = {name: by_wording["all"].success[-1].value for name, by_wording in critics.performance.items()}
    assert max(success, key=lambda name: success[name]) == "oracle filter"
    assert critics.performance["paging"]["all"].collateral is not None
    assert critics.performance["paging"]["all"].collateral.value == 0.0
    own = critics.over["paging"]["literal"]
    assert own.ratio is not None and own.ratio.value == pytest.approx(
        critics.performance["LLMFB"]["literal"].success[-1].value / critics.performance["paging"]["literal"].success[-1].value
    )


def test_probes_and_speed_are_measured(report: Report) -> None:
    assert report.negation is not None and report.negation.phrasings < len(BOOK["less"])
    assert report.neutral is not None and 0 <= report.neutral.unchanged.value <= 1
    assert report.speed is not None and report.speed.calls >= 200
    assert report.speed.respond.p10 < report.speed.respond.median < report.speed.respond.p90


def test_a_report_survives_json_and_reads_as_a_table(report: Report) -> None:
    assert Report.model_validate(json.loads(json.dumps(report.as_dict()))) == report
    text = report.markdown()
    for heading in re.findall(r"^## .*", text, re.MULTILINE):
        assert "simulated" in heading.lower() or heading in ("## Without feedback (RecBole's metrics, full ranking)", "## Speed")
    assert f"| NDCG@10 | {report.ranking['NDCG@10']} |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("| LLMFB")}) > 0


def test_one_seed_gives_one_report(trained: Path, report: Report) -> None:
    again = evaluate(trained, episodes=120, timed_calls=0)
    assert again.model_copy(update={"speed": None}) == report.model_copy(update={"speed": None})
    same = success_over(report, again)
    assert (same.difference.low, same.difference.high) == (0.0, 0.0)


def test_another_phrase_book_can_be_put_in_its_place(trained: Path, report: Report, tmp_path: Path) -> None:
    strange = BOOK | {"less": [f"{start} zip {{aspect}}" for start in _STARTS]}
    (tmp_path / "book.yaml").write_text(yaml.safe_dump({"phrases": strange}), encoding="utf-8")
    other = evaluate(trained, episodes=20, phrase_book=tmp_path / "book.yaml", split="valid", timed_calls=0)
    assert other.critics is not None and report.critics is not None
    assert other.part == "valid" and other.critics.phrase_book != report.critics.phrase_book
    with pytest.raises(UsageError, match="same episodes"):
        success_over(report, other)
    with pytest.raises(DataError, match="no-such"):
        evaluate(trained, phrase_book="no-such.yaml")


def test_other_data_than_the_bundles_is_refused(trained: Path, tmp_path: Path) -> None:
    write_films(tmp_path / "films")
    file = tmp_path / "films" / "films.inter"
    assert evaluate(trained, episodes=10, timed_calls=0, config_dict={"data_path": str(tmp_path)}).ranking  # moved, and the same
    file.write_text("\n".join(file.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(BundleError, match="the split of films is .* here, the bundle's is .*data_path"):
        evaluate(trained, config_dict={"data_path": str(tmp_path)})


def test_too_few_episodes_are_refused() -> None:
    with pytest.raises(UsageError, match="episodes=3"):
        evaluate("anywhere", episodes=3)
