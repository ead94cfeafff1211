"""From a log to a champion: what is learned, what is left alone, and who decides."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from learning_world import CLICKS, ITEMS, LATER, NEW_USERS, USERS, WARMTH, World, clicks, item_rows, write_items

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.cli import main
from recbole_llmfb.errors import NotEnoughDataError
from recbole_llmfb.evaluation.heldout import rebuild
from recbole_llmfb.learning import learn as learning
from recbole_llmfb.learning.data import WEIGHT, Base, assemble
from recbole_llmfb.learning.exporting import read_log
from recbole_llmfb.learning.learn import Options, learn
from recbole_llmfb.learning.warm import Cancelled
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.store.reviews import Reviews
from recbole_llmfb.training.atomic import read_atomic

OPTIONS = Options(warmth=WARMTH, timed_calls=0, tolerances={"NDCG@10": 0.02})

Log = tuple[Database, SqlLog]


def fill(log: SqlLog, feedback: list[Feedback]) -> None:
    for one in feedback:
        log.append(one)


def versions(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("*/bundle.json")}


def test_plain_feedback_makes_a_better_champion(world: World, log: Log) -> None:
    database, said = log
    fill(said, clicks(range(USERS + NEW_USERS)))
    said.append(Feedback("u0", text="now more comedy", time=LATER))
    before = world.champion
    report = learn(database, world.bundles, options=OPTIONS)
    assert report.promoted, report.text()
    after = world.champion
    assert after.version == report.challenger and after.manifest.parent == before.version
    assert (
        learning.LearningReport.model_validate_json(
            (world.bundles / f"{after.version}.learning.json").read_text(encoding="utf-8")
        )
        == report
    )
    unseen = f"u{USERS + 1}"
    assert unseen in after.histories and unseen not in before.histories
    assert rebuild(after, "test").part.users.size == report.counts["test"]  # RecBole's own evaluation reads the same split
    slate = Recommender(after, SqlLog(database)).rank(history=["i1", "i5", "i9", "i13"], k=5)
    assert {int(item.item[1:]) % 2 for item in slate.items} == {1}


def test_what_is_held_out_is_not_learned_and_is_new_the_next_time(world: World, log: Log) -> None:
    database, said = log
    given = clicks(range(USERS + NEW_USERS))
    fill(said, given)
    learn(database, world.bundles, options=OPTIONS)
    after = world.champion
    cut = sorted(one.time for one in given)[round(0.8 * len(given))]
    learned = {(user, after.items["item"][row]) for user in after.histories.users for row in after.histories.rows(user)}
    first = read_atomic(world.root / "films" / "films.inter")
    known = set(zip(first.columns["user_id"], first.columns["item_id"], strict=True))
    late = {(one.user, one.item) for one in given if one.time >= cut + timedelta(minutes=60)} - known
    assert len(late) > 50 and not learned & late
    assert after.manifest.watermark and all(0 < seq < CLICKS for seq in after.manifest.watermark.values())
    state = Recommender(after, SqlLog(database))
    for user in ("u0", f"u{USERS + 3}"):
        shown = {place.item for place in state.recommend(user, k=ITEMS).items}
        assert not shown & {one.item for one in given if one.user == user}  # what was not learned folds in
    with pytest.raises(NotEnoughDataError):
        learn(Database(f"sqlite:///{world.bundles / 'empty.db'}"), world.bundles, options=OPTIONS)


def test_erased_users_are_in_no_data_of_the_next_training(world: World, log: Log) -> None:
    database, said = log
    fill(said, clicks(range(USERS + NEW_USERS)))
    for user in ("u4", f"u{USERS + 2}"):  # one of the first data, one of the log alone
        said.erase(user)
    report = learn(database, world.bundles, options=OPTIONS)
    challenger = load_bundle(world.bundles / report.challenger)
    assert not {"u4", f"u{USERS + 2}"} & {*challenger.histories.users, *challenger.manifest.watermark}
    for path in (world.bundles / "data").rglob("*.inter"):
        users = {line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]}
        assert users and not users & {"u4", f"u{USERS + 2}"}


def test_the_catalogue_grows_and_shrinks_by_its_file(world: World, log: Log, tmp_path: Path) -> None:
    database, said = log
    fill(said, clicks(range(USERS + NEW_USERS)))
    fill(said, [Feedback(f"u{user}", click=True, item=f"i{ITEMS}", time=LATER, id=f"n{user}") for user in range(0, 30, 2)])
    write_items(tmp_path / "now.item", item_rows(ITEMS + 2)[1:])
    report = learn(database, world.bundles, options=replace(OPTIONS, items=tmp_path / "now.item"))
    challenger = load_bundle(world.bundles / report.challenger)
    assert set(challenger.items["item"]) == {f"i{item}" for item in range(1, ITEMS + 2)}
    recommender = Recommender(challenger)
    ranked = [place.item for place in recommender.rank(history=[f"i{item}" for item in range(2, ITEMS, 4)], k=ITEMS).items]
    assert f"i{ITEMS}" in ranked[:15] and f"i{ITEMS + 1}" in ranked and "i0" not in ranked


def test_who_dies_before_the_promotion_leaves_the_champion(world: World, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    database, said = log
    fill(said, clicks(range(USERS + NEW_USERS)))
    before = world.champion.version

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("train", "judged", "_promote"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(learning, step, die)
            learn(database, world.bundles, options=OPTIONS)
        assert world.champion.version == before
        assert all(load_bundle(world.bundles / version) for version in versions(world.bundles))
    assert learn(database, world.bundles, options=OPTIONS).promoted  # and the next one is none the worse for it


def test_a_training_that_nobody_wants_any_more_stops(world: World, log: Log) -> None:
    database, said = log
    fill(said, clicks(range(USERS)))
    before, steps = world.champion.version, list[tuple[str, float | None]]()

    def told(step: str, share: float | None) -> None:
        steps.append((step, share))

    with pytest.raises(Cancelled):
        learn(database, world.bundles, options=OPTIONS, progress=told, cancelled=lambda: len(steps) > 4)
    assert world.champion.version == before and versions(world.bundles) == {before}
    assert steps[0] == ("export", 0.0) and ("train", 0.5) not in steps[:3]


def test_a_second_reading_of_the_same_log_makes_no_other_data(world: World, log: Log) -> None:
    database, said = log
    fill(said, clicks(range(USERS)))
    first = learn(database, world.bundles, options=replace(OPTIONS, tolerances={"NDCG@10": -9.0}))
    second = learn(database, world.bundles, options=replace(OPTIONS, tolerances={"NDCG@10": -9.0}))
    assert not first.promoted and not second.promoted and first.fingerprint == second.fingerprint
    assert first.figures == second.figures


def test_a_folder_of_bundles_that_moved_goes_on_and_keeps_only_data_that_is_used(world: World, log: Log, tmp_path: Path) -> None:
    database, said = log
    fill(said, clicks(range(USERS + NEW_USERS)))
    assert learn(database, world.bundles, options=OPTIONS).promoted
    more = [one for one in clicks(range(USERS + NEW_USERS), each=20, seed=2) if not one.id.endswith("-0")]
    fill(said, [one.model_copy(update={"id": f"b{one.id}", "time": one.time + timedelta(days=3)}) for one in more])
    moved = world.bundles.rename(tmp_path / "moved")
    (moved / "data" / "0123456789abcdef").mkdir()
    report = learn(database, moved, options=OPTIONS)
    assert {path.name for path in (moved / "data").iterdir()} >= {report.fingerprint} and len(
        list((moved / "data").iterdir())
    ) == 2


def test_what_is_withheld_is_not_learned(world: World, log: Log) -> None:
    database, said = log
    given = clicks(range(USERS + NEW_USERS))
    fill(said, given)
    late = f"u{USERS + 5}"
    parts = read_log(database, {})
    kept = parts.without({one.id for one in given if one.user == late})
    assert {one.feedback.user for one in parts.said} - {one.feedback.user for one in kept.said} == {late}
    data = assemble(Base.of(world.champion), kept, world.bundles / "data", weights={given[0].id: 0.25})
    train = read_atomic(data.data_path / data.name / f"{data.name}.train.inter")
    weights = dict(zip(zip(train.ids("user_id"), train.ids("item_id"), strict=True), train.numbers(WEIGHT), strict=True))
    assert (
        late not in train.columns["user_id"] and weights.pop(("u0", str(given[0].item))) == 0.25 and set(weights.values()) == {1}
    )
    assert data.settings()["INTERACTION_WEIGHT_FIELD"] == WEIGHT


def test_the_command_line_exports_and_learns(world: World, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database, said = log
    fill(said, clicks(range(USERS + NEW_USERS)))
    accounts = [f"false{number}" for number in range(10)]
    campaign = "everybody should really watch this wonderful film tonight"
    fill(said, [Feedback(one, text=campaign, click=True, item="i0", time=LATER) for one in accounts])
    url = f"sqlite:///{tmp_path / 'log.db'}"
    for arguments in (
        ["export", str(tmp_path / "out"), "--database", url, "--since", str(world.bundles), "--json"],
        ["learn", "--database", url, "--bundle", str(world.bundles), "--encoder-tuning", "frozen", "--epochs", "1", "--json"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    exported, report = map(json.loads, capsys.readouterr().out.strip().splitlines())
    assert exported["rows"] == {"out.inter": CLICKS * (USERS + NEW_USERS) + 10, "out.feedback": 10}
    learned = load_bundle(world.bundles / report["challenger"]).manifest.watermark
    assert "u0" in learned and not {*accounts} & {*learned} and len(Reviews(database).withheld()) == 10
    assert {check["kind"] for check in report["verdict"]["checks"]} == {"metric", "newest", "law", "latency"}
    assert report["promoted"] == (world.champion.version == report["challenger"])
