"""The console as the service carries it, before anybody opens a page."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recbole_llmfb import Feedback
from recbole_llmfb.schema import Undo

pytest.importorskip("streamlit", reason="the extra `console` is not installed")

_ASK = """import json
import dashboard.app
from streamlit import config
names = ["browser.gatherUsageStats", "client.showErrorDetails", "client.toolbarMode", "server.fileWatcherType"]
print(json.dumps({name: config.get_option(name) for name in names}))
"""


def test_the_mounted_console_has_the_settings_of_its_file_wherever_it_is_started(tmp_path: Path) -> None:
    said = subprocess.run([sys.executable, "-c", _ASK], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == {
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "server.fileWatcherType": "none",
    }


def test_a_record_has_one_kind() -> None:
    assert Feedback("u", text="a", rating=5, item="i", click=True).kind == "comment"
    assert Feedback("u", rating=5, item="i", click=True).kind == "rating"
    assert Feedback("u", click=True, item="i").kind == "click"
    assert Undo(user="u", undoes="f").kind == "undo"
