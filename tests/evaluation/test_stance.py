"""Folds by seeker, and F1 with known answers."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.cli import main
from recbole_llmfb.errors import UsageError
from recbole_llmfb.evaluation.intervals import f1
from recbole_llmfb.evaluation.stance import BASELINE, OURS, cross_validate, deal, judge
from recbole_llmfb.training.labels import LabelledText

WORDS = {"accept": "great, I will watch it", "reject": "no, I do not like it", "neither": "what is it about"}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    rows = [f"{words} {n}\t{label}\ts{n % 4}\thand" for n in range(8) for label, words in WORDS.items()]
    rows.append("not bad\t4.00\t1\tstars")
    path = tmp_path / "hand.labels"
    path.write_text("\n".join(["text:text\tlabel:token\tgroup:token\tsource:token", *rows]) + "\n", encoding="utf-8")
    return path


def test_f1_is_the_textbooks() -> None:
    random = np.random.default_rng(0)
    truth, read = random.integers(3, size=200), random.integers(3, size=200)
    found = [one.value for one in f1(truth, read, classes=3)]
    assert found[:3] == pytest.approx(f1_score(truth, read, average=None))
    assert found[3] == pytest.approx(f1_score(truth, read, average="macro"))
    assert [one.value for one in f1([0, 1], [0, 1], classes=3)] == pytest.approx([1, 1, 0, 2 / 3])


def test_intervals_draw_groups() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(2, size=80)
    read = np.where(random.random(80) < 0.8, truth, 1 - truth)
    copies = [np.repeat(column, 20) for column in (truth, read)]
    single, grouped = f1(truth, read, classes=2)[-1], f1(*copies, classes=2, groups=np.repeat(np.arange(80), 20))[-1]
    assert grouped.high - grouped.low == pytest.approx(single.high - single.low, rel=0.05)
    naive = f1(*copies, classes=2)[-1]
    assert naive.high - naive.low < 0.4 * (single.high - single.low)


def test_no_seeker_of_a_fold_is_heard_before_it() -> None:
    texts = [LabelledText(f"text {n}", "neither", f"s{n % 7}", "hand") for n in range(40)]
    dealt = deal(texts, 3)
    assert sorted(row for _, held in dealt for row in held) == list(range(40))
    for rest, held in dealt:
        assert {one.group for one in rest}.isdisjoint(texts[row].group for row in held)
        assert len(rest) + len(held) == 40


def test_more_folds_than_seekers_are_an_error() -> None:
    with pytest.raises(UsageError, match=r"folds=5: choose 2 to 2"):
        deal([LabelledText("a", "accept", f"s{n % 2}", "hand") for n in range(8)], 5)


def test_stances_are_read_on_seekers_whom_training_has_not_heard(labels: Path) -> None:
    report = cross_validate([labels], folds=2)
    assert {name: row[-1].value for name, row in report.rows.items()} == {BASELINE: 1.0, OURS: 1.0}
    assert "24 texts of 4 seekers, 2 folds" in report.markdown()


def test_a_bundle_without_stance_is_told_how_to_get_one(bundle: Bundle, labels: Path) -> None:
    with pytest.raises(UsageError, match="labelled_texts"):
        judge(bundle.path, [labels])


def test_evaluate_needs_something_to_judge(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate"])
    assert ended.value.code == 2 and "--labels" in capsys.readouterr().err
