"""A warm start: rows go where their ids are, whatever the order, and what is new begins where its text is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from learning_world import ITEMS, NAME, NEW_USERS, USERS, WARMTH, World, clicks, item_rows, write_items

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.learning.data import Base, Data, assemble
from recbole_llmfb.learning.exporting import LogPart
from recbole_llmfb.learning.gate import decide
from recbole_llmfb.learning.judging import Judge
from recbole_llmfb.learning.laws import laws
from recbole_llmfb.learning.learn import NEWEST, OLD, judged, written
from recbole_llmfb.learning.warm import FIRST, Warmth, first_of, start_from, train
from recbole_llmfb.serving.log import Said
from recbole_llmfb.training.config import rebuild_config
from recbole_llmfb.training.quick_start import assemble as build

LOG = LogPart(said=tuple(Said(1 + number, one) for number, one in enumerate(clicks(range(USERS + NEW_USERS)))))


def data_of(champion: Bundle, folder: Path, **changes: Any) -> Data:
    return assemble(Base.of(champion), LOG, folder, **changes)


def model_of(champion: Bundle, data: Data, folder: Path) -> Any:
    changes = data.settings() | {"encoder": str(champion.encoder_folder), "checkpoint_dir": str(folder), "epochs": 1}
    model = build(rebuild_config(first_of(champion)[0], changes=changes)).model
    start_from(model, champion)
    return model.eval()


def test_a_permuted_vocabulary_gives_the_same_model(world: World, tmp_path: Path) -> None:
    champion = world.champion
    models = []
    for place, rows in (("one", item_rows(ITEMS)), ("other", item_rows(ITEMS)[::-1])):
        data = data_of(champion, tmp_path / place, items=None)
        write_items(data.data_path / NAME / f"{NAME}.item", rows)
        if place == "other":  # RecBole numbers ids as they come
            path = data.data_path / NAME / f"{NAME}.train.inter"
            head, *lines = path.read_text(encoding="utf-8").splitlines()
            path.write_text("\n".join([head, *lines[::-1]]) + "\n", encoding="utf-8")
        models.append(model_of(champion, data, tmp_path))
    ids = [model.catalogue.ids for model in models]
    assert ids[0] != ids[1] and set(ids[0]) == set(ids[1])
    order = torch.tensor([ids[1].index(item) for item in ids[0]])
    torch.manual_seed(0)
    histories = (torch.rand(6, ITEMS) < 0.2).float()
    other = torch.zeros_like(histories)
    other[:, order] = histories
    with torch.no_grad():
        assert torch.allclose(models[0].scorer(histories), models[1].scorer(other)[:, order], atol=1e-4)


def test_what_was_there_keeps_its_rows_and_what_is_new_begins_at_its_text(world: World, tmp_path: Path) -> None:
    champion = world.champion
    write_items(tmp_path / "now.item", [*item_rows(ITEMS)[1:], f"new\tFilm 2\t{item_rows(3)[2].rpartition(chr(9))[2]}"])
    model = model_of(champion, data_of(champion, tmp_path / "data", items=tmp_path / "now.item"), tmp_path)
    old, row = champion.scorer(), {item: place for place, item in enumerate(champion.items["item"])}
    for place, item in enumerate(model.catalogue.ids):
        if item in row:
            assert torch.equal(model.scorer.residual[place], old.residual[row[item]])
            assert torch.equal(model.scorer.autoencoder.encode.weight[:, place], old.autoencoder.encode.weight[:, row[item]])
    new = model.catalogue.ids.index("new")
    assert not model.scorer.residual[new].any() and model.scorer.autoencoder.decode.weight[new].any()
    assert model.scorer.autoencoder.decode.bias[new] < model.scorer.autoencoder.decode.bias.max()
    assert "i0" not in model.catalogue.ids


def test_rates_are_measured_by_the_first_training_not_by_the_last(world: World, tmp_path: Path) -> None:
    champion = world.champion
    data = data_of(champion, tmp_path / "data")
    trained = train(champion, data, WARMTH, checkpoints=str(tmp_path))
    first = float(champion.manifest.configuration["encoder_learning_rate"])
    assert trained.experiment.config["encoder_learning_rate"] == pytest.approx(0.1 * first)
    from recbole_llmfb.bundle import load_bundle

    child = load_bundle(written(trained, champion, data, world.bundles))
    again = train(child, data, WARMTH, checkpoints=str(tmp_path))
    assert again.experiment.config["encoder_learning_rate"] == pytest.approx(0.1 * first)
    assert child.manifest.configuration[FIRST]["encoder_learning_rate"] == first


def test_lora_moves_the_encoder_a_little_and_is_merged(world: World, tmp_path: Path) -> None:
    from recbole_llmfb.bundle import load_bundle

    champion = world.champion
    data = data_of(champion, tmp_path / "data")
    trained = train(champion, data, replace(WARMTH, encoder_tuning="lora"), checkpoints=str(tmp_path))
    child = load_bundle(written(trained, champion, data, world.bundles))
    texts = ["now more comedy", "film 3"]
    before, after = (bundle.encoder().embed(texts) for bundle in (champion, child))
    assert child.manifest.encoder_fingerprint != champion.manifest.encoder_fingerprint
    assert not torch.equal(before, after) and torch.allclose(before, after, atol=0.1)


@pytest.fixture
def gated(world: World, tmp_path: Path) -> Callable[..., bool]:
    """Whether the gate promotes a challenger of the first model, trained on some data and judged on true ones."""
    champion = world.champion
    true = data_of(champion, tmp_path / "true")

    def run(data: Data, warmth: Warmth, against: Bundle = champion) -> tuple[bool, Bundle]:
        from recbole_llmfb.bundle import load_bundle

        trained = train(champion, data, warmth, checkpoints=str(tmp_path))
        challenger = load_bundle(written(trained, champion, data, world.bundles))
        scores = judged(against, challenger, true)
        found = decide(
            metrics={OLD: scores[OLD]}, newest=scores[NEWEST], laws=laws(challenger, against), latency=None,
            tolerances={"NDCG@10": 0.02},
        )  # fmt: skip
        return found.passed, challenger

    return run


def test_shuffled_labels_are_rejected_and_an_equal_challenger_is_not_promoted(
    world: World, tmp_path: Path, gated: Callable[..., tuple[bool, Bundle]]
) -> None:
    champion = world.champion
    true = data_of(champion, tmp_path / "true")
    passed, learned = gated(true, WARMTH)
    assert passed
    for seed in range(3):
        noise = clicks(range(USERS + NEW_USERS), random_taste=True, seed=seed)
        shuffled = assemble(Base.of(champion), LogPart(said=tuple(Said(1, one) for one in noise)), tmp_path / f"noise-{seed}")
        assert not gated(shuffled, replace(WARMTH, seed=seed))[0]
        assert not gated(true, replace(WARMTH, seed=100 + seed), learned)[0]


def test_nothing_from_after_the_cut_reaches_a_training(world: World, tmp_path: Path) -> None:
    """With its twin: what comes before the cut does."""
    champion = world.champion
    cut = data_of(champion, tmp_path / "plain").cut
    late = [n for n, one in enumerate(LOG.said) if one.feedback.time.timestamp() * 1e6 >= cut]
    for place, changed in ((late[-1], False), (0, True)):
        said = list(LOG.said)
        one = said[place].feedback
        taken = {other.feedback.item for other in LOG.said if other.feedback.user == one.user}
        item = next(f"i{n}" for n in range(ITEMS) if f"i{n}" not in taken and n % 2 != int(one.item[1:]) % 2)
        said[place] = Said(said[place].seq, one.model_copy(update={"item": item}))
        log = replace(LOG, said=tuple(said))
        data = assemble(Base.of(champion), log, tmp_path / f"changed-{place}")
        assert data.cut == cut
        files = [
            (of.data_path / NAME / f"{NAME}.train.inter").read_bytes() for of in (data, data_of(champion, tmp_path / "plain"))
        ]
        assert (files[0] != files[1]) == changed


def test_a_case_holds_what_came_before_it(world: World, tmp_path: Path) -> None:
    data = data_of(world.champion, tmp_path / "data")
    first = Base.of(world.champion).interactions
    had = set(zip(first["user"], first["item"], strict=True))
    by_id = {(one.user, one.item): one.time for _, one in LOG.said if (one.user, one.item) not in had}
    assert data.newest
    for case in data.newest:
        first = min(by_id[case.user, item] for item in case.targets)
        assert not set(case.history) & set(case.targets)
        assert all(by_id.get((case.user, item), first) <= first for item in case.history)
        assert all(one.time < first for one in case.said)
    judge = Judge(world.champion)
    assert judge(data.newest)["NDCG@10"].shape == (len(data.newest),)
    unknown = data.newest[0]._replace(targets=("nowhere",), history=("nothing",))
    assert judge([unknown])["NDCG@10"].tolist() == [0.0]
