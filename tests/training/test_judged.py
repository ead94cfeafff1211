"""Judged turns: what they know, their area by known answers, weights that move only for more than chance, and no leak."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from talks import DIALOGUES, NAME, WORDS, judge_talks, talk_settings, write_talks  # type: ignore[import-not-found]

from recbole_llmfb.training.judged import JudgedTurn, judged_turns, liked_over_disliked
from recbole_llmfb.training.judged_mixing import START, choose_weights
from recbole_llmfb.training.quick_start import Experiment, prepare
from recbole_llmfb.training.run_log import close_log


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Experiment]]:
    monkeypatch.chdir(tmp_path)
    prepared: list[Experiment] = []

    def experiment(*, judged: bool, **changes: Any) -> Experiment:
        folder = write_talks(tmp_path / f"data-{judged}")
        if judged:
            judge_talks(folder)
        prepared.append(prepare("LLMFB", NAME, None, talk_settings(folder, tmp_path, **changes)))
        return prepared[-1]

    yield experiment
    for one in prepared:
        one.trainer.tensorboard.close()
    close_log()


def rows(experiment: Experiment, films: list[int]) -> tuple[int, ...]:
    tokens = experiment.dataset.field2token_id["item_id"]
    return tuple(int(tokens[f"film{film}"]) - 1 for film in films)


# What a turn knows


def test_a_turn_has_its_own_items_and_what_was_said_and_liked_before(ready: Callable[..., Experiment]) -> None:
    experiment = ready(judged=True)
    dataset = experiment.dataset
    turns = judged_turns(dataset, experiment.test_data._dataset)
    held = sorted({turn.user for turn in turns})
    assert set(held) == set(np.unique(experiment.test_data._dataset.inter_feat["user_id"].numpy()).tolist())
    number = int(str(dataset.id2token("user_id", held[0])).partition(":")[2])
    kind, (first, second) = number % 2, [turn for turn in turns if turn.user == held[0]]
    wanted, other = (kind + 2 * (number // 2)) % 16, (kind + 2 * (number // 2) + 1) % 16
    assert (first.liked, first.disliked, first.history) == (rows(experiment, [wanted]), rows(experiment, [other]), ())
    assert first.talk == f"hello, what do you like?\n{WORDS[kind]} please"
    assert second.history == first.liked and second.talk == f"{first.talk}\nlook at this\nanother?"


def test_data_without_ratings_of_items_has_no_judged_turn(ready: Callable[..., Experiment]) -> None:
    experiment = ready(judged=False)
    assert judged_turns(experiment.dataset, experiment.test_data._dataset) == []


def test_every_dialogue_is_judged_in_one_part(ready: Callable[..., Experiment]) -> None:
    experiment = ready(judged=True)
    parts = (experiment.train_data, experiment.valid_data, experiment.test_data)
    users = [{turn.user for turn in judged_turns(experiment.dataset, part._dataset)} for part in parts]
    assert sum(map(len, users)) == len(set().union(*users)) == DIALOGUES


# The area


def test_areas_of_known_scores() -> None:
    turns = [JudgedTurn(1, "", (), (0, 1), (2, 3)), JudgedTurn(1, "", (), (0,), (1,)), JudgedTurn(1, "", (), (3,), (0,))]
    scores = torch.tensor([[4.0, 2.0, 3.0, 1.0], [1.0, 1.0, 0.0, 0.0], [5.0, 0.0, 0.0, 4.0]])
    assert liked_over_disliked(scores, turns).tolist() == [0.75, 0.5, 0.0]


# Weights


def turns_of(count: int) -> list[JudgedTurn]:
    return [JudgedTurn(number, "", (), (0, 1), (2, 3)) for number in range(count)]


def test_a_weight_moves_for_what_is_clearly_better() -> None:
    parts = {name: torch.zeros(200, 4) for name in START}
    parts["talk"] = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    parts["bias"] = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(200, -1)
    parts["text"] = -parts["bias"]
    chosen = choose_weights(parts, turns_of(200))
    assert chosen["bias"] > START["bias"] and chosen["text"] < START["text"]
    assert {name: chosen[name] for name in ("linear", "wanted", "talk")} == {n: START[n] for n in ("linear", "wanted", "talk")}


def test_weights_stay_where_nothing_tells() -> None:
    same = torch.zeros(5, 4)
    assert choose_weights(dict.fromkeys(START, same), turns_of(5)) == START
