"""Judged turns: what they know, their area by known answers, weights that move only for more than chance, and no leak."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from talks import DIALOGUES, NAME, WORDS, judge_talks, talk_settings, write_talks  # type: ignore[import-not-found]

from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.judged import JudgedTurn, judged_turns, liked_over_disliked
from recbole_llmfb.training.judged_mixing import START, choose_weights
from recbole_llmfb.training.quick_start import Experiment, load_dataset, prepare
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


# No leak, and its twin


def rated_later(folder: Path, dialogue: int, film: int, turn: int) -> Path:
    """One more liked film in a turn of a dialogue; returns the folder."""
    file = folder / NAME / f"{NAME}.feedback"
    row = f"extra\ttalk:{dialogue}\t{86_400 * (dialogue + 1) + turn}\t\tfilm{film}\t5\n"
    file.write_text(file.read_text(encoding="utf-8") + row, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("turn", "known"), [(1, True), (2, False), (3, False)])
def test_a_rating_counts_for_later_turns_and_for_no_turn_before_it(tmp_path: Path, turn: int, known: bool) -> None:
    """What a dialogue likes in turn 1 is known when turn 2 is judged; what it likes from turn 2 on is not."""
    plain = write_talks(tmp_path / "plain")
    judge_talks(plain)
    told = write_talks(tmp_path / "told")
    judge_talks(told)
    rated_later(told, dialogue=0, film=9, turn=turn)
    before, after = (judged_in(folder, tmp_path, user="talk:0") for folder in (plain, told))
    first = before[0]
    assert (after[0].talk, after[0].disliked) == (first.talk, first.disliked)
    assert len(after[0].history) - len(first.history) == known
    assert len(after[1].history) - len(before[1].history) == 1  # and all of them when turn 4 is


def judged_in(folder: Path, work: Path, user: str) -> list[JudgedTurn]:
    """The judged turns of one dialogue."""
    dataset = load_dataset(build_config("LLMFB", NAME, None, talk_settings(folder, work)))
    dataset.build()
    number = dataset.token2id(dataset.uid_field, user)
    return [turn for turn in judged_turns(dataset, dataset) if turn.user == number]


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


@pytest.mark.parametrize(("better", "worse", "moves"), [(13, 7, True), (12, 9, False), (7, 13, False)])
def test_a_weight_moves_only_for_more_than_one_standard_error(better: int, worse: int, moves: bool) -> None:
    """Of 100 turns, twice the weight of popularity puts some right that were wrong, and some wrong that were right: on the mean
    6 of 100, where the standard error is 4.4, or 3, where it is 4.5."""
    talk, bias = torch.zeros(100, 2), torch.zeros(100, 2)
    talk[:better, 1], bias[:better, 0] = 0.5, 1.0
    talk[better : better + worse, 0], bias[better : better + worse, 1] = 0.5, 1.0
    parts = dict.fromkeys(START, torch.zeros(100, 2)) | {"talk": talk, "bias": bias}
    chosen = choose_weights(parts, [JudgedTurn(number, "", (), (0,), (1,)) for number in range(100)])
    assert chosen == START | ({"bias": 2 * START["bias"]} if moves else {})


def test_weights_stay_where_nothing_tells() -> None:
    same = torch.zeros(5, 4)
    assert choose_weights(dict.fromkeys(START, same), turns_of(5)) == START
