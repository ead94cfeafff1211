"""What holds of every kind of source: packed or not, with malformed lines or without, and what reads the files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from by_hand import SOURCES, Source, rows

from recbole_llmfb.convert import KINDS, convert
from recbole_llmfb.convert.report import MALFORMED
from recbole_llmfb.errors import DataError, UsageError
from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.dataset import FeedbackDataset
from recbole_llmfb.training.labels import read_labels
from recbole_llmfb.training.quick_start import load_dataset

every_kind = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.kind)
every_data_set = pytest.mark.parametrize(
    "source", [source for source in SOURCES if KINDS[source.kind].gives == "inter"], ids=lambda source: source.kind
)
every_labelled = pytest.mark.parametrize(
    "source", [source for source in SOURCES if KINDS[source.kind].gives == "labels"], ids=lambda source: source.kind
)


def test_every_kind_has_a_source() -> None:
    assert {source.kind for source in SOURCES} == set(KINDS)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".yaml"}


@every_labelled
def test_labels_are_what_training_reads(source: Source, tmp_path: Path) -> None:
    report = convert(source.kind, source.write(tmp_path / "source"), tmp_path / "small", options=source.options)
    assert [path.name for path in (tmp_path / "small").iterdir()] == ["small.labels"]
    assert len(read_labels([tmp_path / "small" / "small.labels"])) == report.rows["small.labels"]


@every_data_set
def test_the_files_load_as_a_dataset(source: Source, tmp_path: Path) -> None:
    report = convert(source.kind, source.write(tmp_path / "source"), tmp_path / "small", options=source.options)
    dataset = FeedbackDataset(build_config("LLMFB", None, [tmp_path / "small" / "small.yaml"], {"use_gpu": False}))
    inter, items = rows(tmp_path / "small", "inter"), rows(tmp_path / "small", "item")
    assert report.rows["small.inter"] == len(inter)
    assert dataset.inter_num == len({(row["user_id"], row["item_id"]) for row in inter})
    assert set(dataset.item_table["item"][1:]) == {row["item_id"] for row in items} >= {row["item_id"] for row in inter}
    known = {row["user_id"] for row in inter}
    said = rows(tmp_path / "small", "feedback") if "small.feedback" in report.rows else []
    assert set(dataset.feedback.ids) == {row["feedback_id"] for row in said if row["user_id"] in known}
    heard = rows(tmp_path / "small", "talk") if "small.talk" in report.rows else []
    assert sorted(dataset.talk.texts) == sorted(row["text"] for row in heard if row["user_id"] in known)
    titles = {row["item_id"]: row.get("title") or row["item_id"] for row in items}
    assert dict(zip(dataset.item_table["item"][1:], dataset.item_table["title"][1:], strict=True)) == titles


@every_data_set
def test_recbole_s_own_models_read_the_same_interactions(source: Source, tmp_path: Path) -> None:
    convert(source.kind, source.write(tmp_path / "source"), tmp_path / "small", options=source.options)
    random = {"use_gpu": False, "eval_args.order": "RO"}  # a split by time is read with exact times, by our data set
    dataset = load_dataset(build_config("BPR", None, [tmp_path / "small" / "small.yaml"], random))
    assert not isinstance(dataset, FeedbackDataset)
    users, items = (dataset.id2token(field, dataset.inter_feat[field]) for field in ("user_id", "item_id"))
    assert set(zip(users, items, strict=True)) == {(row["user_id"], row["item_id"]) for row in rows(tmp_path / "small", "inter")}
    assert dataset.item_num == 1 + len(rows(tmp_path / "small", "item"))


@every_kind
def test_gzipped_files_are_read_as_they_are(source: Source, tmp_path: Path) -> None:
    for folder, packed in (("plain", False), ("packed", True)):
        given = source.write(tmp_path / folder, packed=packed)
        convert(source.kind, given, tmp_path / "out" / folder, name="small", options=source.options)
    assert contents(tmp_path / "out" / "plain") == contents(tmp_path / "out" / "packed")


@every_kind
def test_a_malformed_line_stops_with_file_line_and_remedy(source: Source, tmp_path: Path) -> None:
    given = source.write(tmp_path / "source", bad=True)
    name, line = source.broken
    with pytest.raises(DataError, match=rf"{name}, line {line}: .*; .*--skip-bad"):
        convert(source.kind, given, tmp_path / "small", options=source.options)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]  # nothing half-done is left


@every_kind
def test_a_malformed_line_is_skipped_and_counted_on_request(source: Source, tmp_path: Path) -> None:
    convert(source.kind, source.write(tmp_path / "good"), tmp_path / "out" / "good", name="small", options=source.options)
    given = source.write(tmp_path / "bad", bad=True)
    report = convert(source.kind, given, tmp_path / "out" / "bad", name="small", skip_bad=True, options=source.options)
    assert contents(tmp_path / "out" / "good") == contents(tmp_path / "out" / "bad")
    assert sum(count.reasons.get(MALFORMED, 0) for count in report.counts.values()) == 1
    assert all(count.read == count.kept + count.left_out for count in report.counts.values())
    (told,) = report.malformed
    assert f"{source.broken[0]}, line {source.broken[1]}: " in told


@every_kind
def test_a_source_of_another_kind_is_an_error(source: Source, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "notes.txt").write_text("nothing to see\n")
    given = tmp_path / "source" / "notes.txt" if source.kind == "jsonl" else tmp_path / "source"
    with pytest.raises(DataError, match="source"):
        convert(source.kind, given, tmp_path / "small", options=source.options)
    assert not (tmp_path / "small").exists()


def test_an_unknown_kind_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'netflix'.*amazon-reviews"):
        convert("netflix", tmp_path, tmp_path / "small")


def test_a_destination_that_exists_is_not_touched(tmp_path: Path) -> None:
    given = SOURCES[0].write(tmp_path / "source")
    (tmp_path / "small").mkdir()
    convert("amazon-reviews", given, tmp_path / "small")  # an empty folder is as good as none
    with pytest.raises(UsageError, match="small exists"):
        convert("amazon-reviews", given, tmp_path / "small")


def test_an_option_of_another_kind_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--field is no option of cpcd"):
        convert("cpcd", tmp_path, tmp_path / "small", options=SOURCES[-1].options)


def test_neither_recbole_nor_torch_is_needed(tmp_path: Path) -> None:
    given = SOURCES[0].write(tmp_path / "source")
    program = (
        "import sys\n"
        "from recbole_llmfb.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "assert not {'recbole', 'torch', 'transformers'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", program, "convert", "amazon-reviews", str(given), str(tmp_path / "small")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert "reviews: 4 read, 3 kept, 1 left out (1 repeated word for word)" in done.stdout
