"""Conversations judged by folds of dialogues: known answers of the table, and one fold from training to report."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.evaluation import judgements
from recbole_llmfb.evaluation.conversation_table import measures, table, write_report
from recbole_llmfb.evaluation.conversations import AS_SERVED, METHODS, OVER_EVERYTHING, run_folds
from recbole_llmfb.evaluation.methods import OURS
from recbole_llmfb.training.judged import judged_turns
from recbole_llmfb.training.quick_start import prepare
from recbole_llmfb.training.run_log import close_log

sys.path.append(str(Path(__file__).parents[1] / "training"))  # the small dialogues are written there
from talks import NAME, judge_talks, talk_settings, write_talks  # type: ignore[import-not-found]  # noqa: E402


def test_measures_of_known_ranks() -> None:
    found = measures([1, 3, 11, 50, 51])
    assert {name: values.tolist() for name, values in found.items() if name.startswith("R@")} == {
        "R@1": [1, 0, 0, 0, 0],
        "R@5": [1, 1, 0, 0, 0],
        "R@10": [1, 1, 0, 0, 0],
        "R@20": [1, 1, 1, 0, 0],
        "R@50": [1, 1, 1, 1, 0],
    }
    np.testing.assert_allclose(found["NDCG@10"], [1, 0.5, 0, 0, 0])
    np.testing.assert_allclose(found["MRR"], [1, 1 / 3, 1 / 11, 1 / 50, 1 / 51])


def test_the_table_has_a_part_for_each_source_and_draws_dialogues() -> None:
    ranks = {method: [20, 20, 20] for method in (*METHODS, AS_SERVED, OVER_EVERYTHING)} | {OURS: [1, 1, 20]}
    record = {"fold": 0, "seconds": 60, "source": ["a", "a", "b"], "dialogue": ["x", "x", "y"], "ranks": ranks}
    text = table([record], title="T", command="c")
    assert "## a: 2 recommendations in 1 dialogues" in text and "## b: 1 recommendations in 1 dialogues" in text
    assert f"| {OURS} | 1.000 [1.000, 1.000]" in text.partition("## b")[0]
    assert "| popularity | 1.000 [1.000, 1.000] | - |" in text.partition("## b")[0]
    assert "is below" not in text and "ROC" not in text


def test_the_table_says_what_is_better_what_weights_are_chosen_for_and_what_its_configuration_notes() -> None:
    ranks = {method: [20] for method in (*METHODS, AS_SERVED, OVER_EVERYTHING)} | {METHODS[1]: [1], METHODS[3]: [9]}
    areas = {method: [0.5] for method in judgements.METHODS}
    record = {"fold": 0, "seconds": 60, "source": ["a"], "dialogue": ["x"], "ranks": ranks}
    told = table([record | {"judged": {"dialogue": ["x"], "areas": areas}}], title="T", command="c", note="Mind\nthis.")
    assert f"R@10 of {OURS} is below that of: {METHODS[1]}; {METHODS[3]}.\n" in told
    assert "for the place of what is recommended next.\n" in told and "\n\nMind\nthis.\n\n## Liked over disliked" in told


def test_a_fold_is_trained_judged_and_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = talk_settings(write_talks(tmp_path / "data"), tmp_path, epochs=1, eval_step=1, state="WARNING")
    settings = {"model": "LLMFB", "dataset": NAME, **settings}
    Path("small.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    text = write_report("small.yaml", tmp_path / "results", folds=[1])
    assert "`recbole-llmfb conversations small.yaml`" in text and OVER_EVERYTHING in text
    (line,) = (tmp_path / "results" / "small.runs.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["ranks"].keys() == {*METHODS, AS_SERVED, OVER_EVERYTHING}
    assert all(len(ranks) == len(record["dialogue"]) and min(ranks) >= 1 for ranks in record["ranks"].values())
    Path("small.yaml").unlink()  # a finished fold needs no configuration
    assert run_folds("small.yaml", tmp_path / "results" / "small.runs.jsonl", folds=[1]) == [record]


def test_judged_turns_are_told_of_where_there_are_some() -> None:
    areas = {method: [0.5, 0.5, 1.0] for method in judgements.METHODS} | {OURS: [1.0, 0.5, 1.0]}
    records = [{"fold": 0, "judged": {"dialogue": ["x", "x", "y"], "areas": areas}}, {"fold": 1}]
    lines = judgements.report(records)
    assert lines[0] == "## Liked over disliked: 3 turns with both, of 2 dialogues"
    assert any(line.startswith(f"| {OURS} | .833 [") for line in lines)
    assert any(line.startswith(f"| {judgements.FROZEN} | .667 [") and "| .167 [" in line for line in lines)
    assert lines[-1] == "| 0 | 3 | .833 | .667 | .667 |"
    assert any(
        line.startswith(f"Like for like, *{judgements.FROZEN_ALIKE}* has .667 [") and "is .167 [" in line for line in lines
    )
    assert judgements.report([{}]) == []


def test_a_fold_of_judged_dialogues_has_the_area_of_every_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_talks(tmp_path / "data")
    judge_talks(folder)
    settings = talk_settings(folder, tmp_path, epochs=6, eval_step=6, learning_rate=3e-3)
    Path("small.yaml").write_text(yaml.safe_dump({"model": "LLMFB", "dataset": NAME, **settings}), encoding="utf-8")
    text = write_report("small.yaml", tmp_path / "results", folds=[1])
    (record,) = run_folds("small.yaml", tmp_path / "results" / "small.runs.jsonl", folds=[1])
    turns = len(record["judged"]["dialogue"])
    assert turns == len(record["dialogue"]) > 0 and "## Liked over disliked" in text
    assert {method: len(areas) for method, areas in record["judged"]["areas"].items()} == dict.fromkeys(judgements.METHODS, turns)
    assert np.mean(record["judged"]["areas"][OURS]) > 0.9  # a dislike is of the other kind of film


def test_the_frozen_cosine_is_given_the_beginning_of_an_item_s_text_as_the_model_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a film is about stands first in its text, and both are cut: its end says nothing of it."""
    monkeypatch.chdir(tmp_path)
    folder = write_talks(tmp_path / "data")
    judge_talks(folder)
    settings = talk_settings(folder, tmp_path, ITEM_TEXT_FIELDS=["about", "title"], encoder_max_tokens=5)
    experiment = prepare("LLMFB", NAME, None, settings)
    turns = [turn for turn in judged_turns(experiment.dataset, experiment.test_data._dataset) if not turn.history]
    areas = judgements.untrained_areas(experiment.model, experiment.dataset, turns)
    assert areas[judgements.FROZEN_ALIKE] == areas[judgements.FROZEN] == [1.0] * len(turns) != []
    experiment.trainer.tensorboard.close()
    close_log()


def test_a_configuration_without_dialogue_folds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"model": "LLMFB", "dataset": NAME, **talk_settings(write_talks(tmp_path / "data"), tmp_path)}
    Path("small.yaml").write_text(yaml.safe_dump(settings | {"dialogue_folds": None}), encoding="utf-8")
    with pytest.raises(ConfigError, match="dialogue_folds=None"):
        run_folds("small.yaml", tmp_path / "runs.jsonl")
