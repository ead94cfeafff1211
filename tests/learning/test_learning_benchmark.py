"""The benchmark from end to end on a small world, and that it goes on where it stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from learning_world import ITEMS, NAME, WARMTH, World, item_rows, write_items

from recbole_llmfb.errors import UsageError
from recbole_llmfb.learning.benchmark import benchmark_learning
from recbole_llmfb.learning.benchmark.slices import SLICES, Stream


@pytest.fixture
def config(first_model: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eighty users come one after the other and take items of their parity; the last items appear late."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    rows = ["user_id:token\titem_id:token\ttimestamp:float"]
    for user in range(80):
        upto = ITEMS - 8 + user // 10
        for step, item in enumerate(random.permutation(np.arange(user % 2, upto, 2))[:10]):
            rows.append(f"u{user}\ti{item}\t{1_600_000_000 + 3600 * user + 60 * step}")
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / f"{NAME}.inter").write_text("\n".join(rows) + "\n", encoding="utf-8")
    write_items(tmp_path / NAME / f"{NAME}.item", item_rows(ITEMS))
    settings = {key: value for key, value in first_model.champion.manifest.configuration.items() if key in _SAME}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(settings | {"dataset": NAME, "data_path": str(tmp_path)}), encoding="utf-8")
    return path


_SAME = (
    "phrase_book encoder critic_lessons autoencoder_hidden rank epochs eval_step train_batch_size ITEM_TEXT_FIELDS "
    "ITEM_ATTRIBUTE_FIELDS load_col linear_ridge topk valid_metric attribute_min_items"
).split()


def test_slices_follow_each_other_and_hide_what_comes(config: Path, tmp_path: Path) -> None:
    stream = Stream.of(config)
    assert len(stream.bounds) == SLICES + 2 and stream.bounds[-1] == len(stream.base.interactions)
    frame = stream.base.interactions
    for stage in range(SLICES):
        data = stream.learnable(stage, tmp_path / "data")
        folder = data.data_path / NAME
        items = {line.split("\t")[0] for line in (folder / f"{NAME}.item").read_text(encoding="utf-8").splitlines()[1:]}
        assert items == set(frame["item"][: stream.bounds[stage + 2]])
        cold, cases = stream.cold(stage + 1)
        seen = set(frame["item"][: stream.bounds[stage + 1]])
        assert not set(cold) & seen and all(set(case.targets) <= set(cold) for case in cases)
        train = (folder / f"{NAME}.train.inter").read_text(encoding="utf-8").splitlines()[1:]
        pairs = {tuple(line.split("\t")[:2]) for line in train}
        assert not pairs & set(zip(stream.old["user"], stream.old["item"], strict=True))
        assert not any(
            set(case.targets) & {item for user, item in pairs if user == case.user} for case in stream.cases(stage + 1)
        )


def test_the_page_is_made_and_nothing_runs_twice(config: Path, tmp_path: Path) -> None:
    def run(**changes: object) -> Path:
        given = {"folder": tmp_path / "results", "work": tmp_path / "work", "seeds": 1, "warmth": WARMTH}
        return benchmark_learning(config, **(given | changes))  # type: ignore[arg-type]

    run(parts=["line"])
    page = run().read_text(encoding="utf-8")
    runs = (tmp_path / "results" / "learning.runs.jsonl").read_text(encoding="utf-8")
    kinds = [json.loads(line)["kind"] for line in runs.splitlines()]
    assert kinds.count("trained") == 2 * SLICES and kinds.count("gated") == 2
    assert "not run" not in page and "1 of 1" in page and str(tmp_path) not in runs
    run()
    assert (tmp_path / "results" / "learning.runs.jsonl").read_text(encoding="utf-8") == runs
    with pytest.raises(UsageError, match="another folder"):
        run(settings={"rank": 4})
