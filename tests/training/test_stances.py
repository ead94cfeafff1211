"""Stance learned from people's labels: the loss, training on labels alone, and beside everything else that LLMFB learns."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from small_data import NAME

from recbole_llmfb.errors import UsageError
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.signals import ReadingHead
from recbole_llmfb.training.labels import LabelledText
from recbole_llmfb.training.quick_start import prepare, run_recbole_llmfb
from recbole_llmfb.training.stances import StanceLessons, read_stances, tune_on_labels
from recbole_llmfb.training.tuning import TunedEncoder

MEANT = {"accept": "even", "reject": "odd", "neither": "stone"}
SAID = [LabelledText(f"{word} {n}", label, f"s{n}", "hand") for n in range(8) for label, word in MEANT.items()]
RATES = {"learning_rate": 1e-3, "encoder_learning_rate": 1e-3, "weight_decay": 0.0}
OURS = {
    "encoder_tuning": "frozen",
    "critic_lessons": 60,
    "phrase_book": str(Path(__file__).with_name("plain_book.yaml")),
    "encoder_texts_per_step": 24,
    "ITEM_TEXT_FIELDS": ["class"],
    "ITEM_ATTRIBUTE_FIELDS": {"class": "genre"},
    "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": ["item_id", "class"]},
    "epochs": 1,
}

Settings = Callable[..., dict[str, Any]]


def parts(encoder: Encoder, mode: str) -> tuple[TunedEncoder, ReadingHead]:
    torch.manual_seed(0)
    return TunedEncoder(deepcopy(encoder), mode), ReadingHead(0, encoder.width, hidden=16, drop=0.0, stance=True)


def test_rare_stances_weigh_more() -> None:
    lessons = StanceLessons([*SAID[:3], *[SAID[2]] * 3, LabelledText("even", "4.50", "s", "stars")])
    assert len(lessons) == 6
    torch.testing.assert_close(lessons.weight, torch.tensor([0.5, 2.0, 2.0]).sqrt())


def test_a_stance_without_a_text_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"neither, accept, reject: \[0, 1, 1\]"):
        StanceLessons(SAID[:2])


def test_the_loss_does_not_depend_on_the_order_of_rows(tiny_encoder: Encoder) -> None:
    encoder, head = parts(tiny_encoder, "frozen")
    lessons, rows = StanceLessons(SAID), torch.arange(len(SAID))
    encoder.eval(), head.eval()
    torch.testing.assert_close(lessons.loss(encoder, head, rows.flip(0)), lessons.loss(encoder, head, rows))


@pytest.mark.parametrize(("mode", "changes"), [("frozen", False), ("top:1", True), ("full", True)])
def test_labels_are_learned_and_the_encoder_changes_where_it_is_tuned(tiny_encoder: Encoder, mode: str, changes: bool) -> None:
    encoder, head = parts(tiny_encoder, mode)
    before = encoder.fingerprint()
    tune_on_labels(encoder, head, SAID, epochs=40, batch_size=8, **(RATES | {"learning_rate": 1e-2}))
    assert not encoder.training and not head.training
    assert (encoder.fingerprint() != before) is changes
    assert read_stances(encoder, head, [one.text for one in SAID]) == [one.stance for one in SAID]
    assert read_stances(encoder, head, ["the even", "odd , odd"]) == [1, 2]  # unheard


def test_equal_seeds_learn_equally(tiny_encoder: Encoder) -> None:
    weights = []
    for _ in range(2):
        encoder, head = parts(tiny_encoder, "top:1")
        tune_on_labels(encoder, head, SAID, epochs=2, **RATES)
        weights.append(encoder.fingerprint())
    assert weights[0] == weights[1]


@pytest.fixture
def labels(tmp_path: Path) -> str:
    words = {"accept": "great, that one", "reject": "no, not that", "neither": "what is it about"}
    rows = [f"{words[label]} {n}\t{label}\ts{n}\thand" for n in range(6) for label in words]
    path = tmp_path / "hand.labels"
    path.write_text("\n".join(["text:text\tlabel:token\tgroup:token\tsource:token", *rows]) + "\n", encoding="utf-8")
    return str(path)


def test_a_bundle_reads_the_stance_where_training_had_labels(settings: Settings, labels: str) -> None:
    changes = {"labelled_texts": [labels], "loss_weight_stance": 2.0, "learning_rate": 1e-2, "epochs": 6}
    result = run_recbole_llmfb("LLMFB", NAME, None, settings(**(OURS | changes)))
    recommender = Recommender.load(result["bundle"])
    read = [recommender.signals(f"{text} 3").stance for text in ("great, that one", "no, not that", "what is it about")]
    assert read == ["accept", "reject", None]


def test_without_labels_there_is_no_stance_and_no_loss_of_it(settings: Settings, labels: str) -> None:
    quiet, heard = (prepare("LLMFB", NAME, None, settings(**(OURS | change))) for change in ({}, {"labelled_texts": [labels]}))
    assert not any("stance" in name for name in quiet.model.state_dict())
    losses = [len(one.model.calculate_loss(next(iter(one.train_data)))) for one in (quiet, heard)]
    assert losses[1] == losses[0] + 1
