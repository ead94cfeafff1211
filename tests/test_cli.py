"""The command line as people meet it: what is printed where, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.cli import main


def run(*arguments: str) -> int:
    """The exit status of a command run in this process."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["rank"], 2, "Missing argument"),
        (["rank", "nowhere"], 2, "--text"),
        (["listen"], 2, "No such command 'listen'"),
        (["recommend", "nowhere", "--user", "1", "--k", "0"], 2, "--k"),
        (["recommend", "nowhere", "--user", "1", "--lang", "fr"], 1, "nowhere"),
        (["rank", "nowhere", "--text", "hi"], 1, "there is no such folder"),
        (["train", "none.yaml"], 2, "none.yaml"),
        (["train", "none.yaml", "--set", "epochs"], 2, "key=value"),
        (["benchmark", "none.yaml"], 2, "none.yaml"),
        (["export-encoder", "nowhere"], 1, "there is no such folder"),
        (["export-encoder", "nowhere", "--backend", "int4"], 2, "int4"),
        (["benchmark-serving", "nowhere"], 1, "there is no such folder"),
        (["benchmark-serving", "nowhere", "--kills", "0"], 2, "--kills"),
        (["convert", "cpcd"], 2, "Missing argument"),
        (["convert", "netflix", "nowhere", "out"], 2, "no such kind 'netflix'; choose one of amazon-reviews"),
        (["convert", "cpcd", "nowhere", "out"], 2, "nowhere: no such file or folder"),
        (["convert", "cpcd", "nowhere", "out", "--tags", "all"], 2, "--tags 'all'"),
        (["convert", "jsonl", "nowhere", "out", "--field", "user"], 2, "role=key"),
        (["convert", "yelp", "nowhere", "out", "--meta", "nowhere"], 2, "--meta is no option of yelp"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == status
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1


def test_json_stands_alone_on_standard_output(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("rank", str(bundle.path), "--text", "no more even ones", "--history", "stone-0, stone-2", "--k", "3", "--json") == 0
    )
    slate = json.loads(capsys.readouterr().out)
    assert [one["rank"] for one in slate["items"]] == [1, 2, 3]
    assert slate["items"][0]["parts"].keys() == {"collaborative", "text", "feedback", "bias"}


def test_behaviour_of_a_bundle_is_a_table_or_json(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", str(bundle.path), "--behaviour", "--json") == 0
    shares = json.loads(capsys.readouterr().out)
    assert {one["language"] for one in shares} == {"en", "zh"}
    assert all(one["holds"] + len(one["failing"]) == one["count"] for one in shares)
    assert all(one["count"] == 0 < one["left_out"] for one in shares if one["language"] == "zh")  # its encoder reads English
    assert run("evaluate", str(bundle.path), "--behaviour") == 0
    assert "| en | negation |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "evaluate needs a BUNDLE"),
        (["--behaviour"], "evaluate needs a BUNDLE"),
        (["BUNDLE", "--behaviour", "--labels", "a.labels"], "judge different things"),
        (["--labels", "nowhere.labels"], "nowhere.labels: no such file"),
    ],
)
def test_evaluate_says_what_it_lacks(options: list[str], told: str, bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", *(str(bundle.path) if one == "BUNDLE" else one for one in options)) == (1 if "nowhere" in told else 2)
    assert told in capsys.readouterr().err


def test_a_list_for_people_names_titles_and_reasons(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("recommend", str(bundle.path), "--user", "u0", "--text", "no more even ones", "--k", "2", "--lang", "zh") == 0
    shown = capsys.readouterr().out
    assert "The Stone" in shown
    assert "更少even" in shown


def test_unknown_ids_are_named_and_ignored(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rank", str(bundle.path), "--text", "hello", "--history", "stone-0,nothing") == 0
    assert "not in the catalogue: nothing" in capsys.readouterr().out


def test_a_conversion_accounts_for_every_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "said.jsonl"
    source.write_text('{"user_id": "u", "item_id": "i", "timestamp": 5, "say": "hm"}\nnonsense\n')
    command = ["convert", "jsonl", str(source), str(tmp_path / "mine"), "--field", "text=say"]
    assert run(*command) == 1
    assert f"{source}, line 2: not JSON" in capsys.readouterr().err
    assert run(*command, "--skip-bad", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"]["lines"] == {"read": 2, "kept": 1, "left_out": 1, "reasons": {"malformed": 1}}
    assert report["rows"] == {"mine.inter": 1, "mine.item": 1, "mine.feedback": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "said.jsonl"]


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "recbole_llmfb", "--help"], capture_output=True, text=True, check=True)
    for command in (
        *("train", "tune", "evaluate", "export-encoder", "rank", "recommend", "convert", "benchmark", "benchmark-serving"),
        *("conversations", "serve", "console", "backup", "restore", "demo", "keys", "accounts"),
    ):
        assert f"  {command} " in done.stdout
