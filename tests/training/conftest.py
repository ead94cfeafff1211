"""A small data set on disk, and a working folder of its own for what RecBole writes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_data import NAME, write_checkerboard

from recbole_llmfb.training.run_log import close_log


@pytest.fixture(scope="session")
def data_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_checkerboard(root / NAME)
    return root


@pytest.fixture
def settings(data_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """`settings(epochs=2, ...)`: a configuration for the small data; RecBole's `log/` and the rest go to a folder of the test."""
    monkeypatch.chdir(tmp_path)
    common = {
        "data_path": str(data_path),
        "checkpoint_dir": str(tmp_path / "saved"),
        "show_progress": False,
        "use_gpu": False,
        "epochs": 1,
        "train_batch_size": 256,
        "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"]},
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors this small only wait for each other, for minutes on a busy machine
    yield lambda **changes: common | changes
    torch.set_num_threads(threads)
    close_log()
