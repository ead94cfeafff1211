"""Mends for RecBole: what they keep, and what they leave alone."""

import subprocess
import sys
import warnings
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.training.compat import plain, plain_parameters, quiet, restored


def through_a_file(value: Any, folder: Path) -> Any:
    torch.save(plain(value), folder / "value.pth")
    return restored(torch.load(folder / "value.pth"))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6).reshape(2, 3).T,
        np.array([2**32 - 1], dtype=np.uint32),
        np.array([True, False]),
        np.array(1.5),
        np.array([], dtype=np.int64),
        np.arange(3, dtype=">i4"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_comes_back_with_its_type_and_shape(array: np.ndarray, tmp_path: Path) -> None:
    back = through_a_file(array, tmp_path)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok"])
def test_a_scipy_matrix_comes_back_in_its_format(form: str, tmp_path: Path) -> None:
    for kind in (sparse.coo_matrix, sparse.coo_array):
        matrix = kind(([1.0, 2.0], ([0, 2], [1, 1])), shape=(3, 4)).asformat(form)
        back = through_a_file(matrix, tmp_path)
        assert type(back) is type(matrix) and back.format == form
        np.testing.assert_array_equal(back.toarray(), matrix.toarray())


def test_plain_values_and_what_they_are_nested_in_come_back(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, "x", True], 3: (np.float64(0.5), {"b", "c"}), "deep": {"w": [np.ones(2)]}}
    back = through_a_file(value, tmp_path)
    assert back["a"] == value["a"] and back[3] == (0.5, {"b", "c"}) and type(back[3][0]) is float
    np.testing.assert_array_equal(back["deep"]["w"][0], np.ones(2))


def test_what_a_configuration_holds_becomes_text() -> None:
    kind = Enum("Kind", "GENERAL")
    assert plain({"kind": kind.GENERAL, "device": torch.device("cpu"), "path": Path("a/b")}) == {
        "kind": "GENERAL",
        "device": "cpu",
        "path": "a/b",
    }


@pytest.mark.parametrize("value", [object(), lambda: None, np.array(["text"]), {"inner": [object()]}])
def test_what_is_not_plain_is_refused_with_its_name(value: Any) -> None:
    with pytest.raises(LlmfbError, match="memory.*not plain data; keep it as a number"):
        plain(value, "memory")


def test_modules_are_left_to_the_state_dict_and_gradients_to_training() -> None:
    weights = torch.ones(2, requires_grad=True)
    kept = plain_parameters({"layer": torch.nn.Linear(2, 2), "sum": weights.sum(), "none": None})
    assert set(kept) == {"sum", "none"} and not kept["sum"].requires_grad
    assert plain_parameters(None) == {}


def test_quiet_lets_other_warnings_pass_and_keeps_standard_output_clean(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet():
            warnings.warn("`torch.cuda.amp.GradScaler(args...)` is deprecated", FutureWarning, stacklevel=1)
            warnings.warn("your data looks odd", UserWarning, stacklevel=1)
            print("modes_q=26")  # noqa: T201
    assert [str(warning.message) for warning in seen] == ["your data looks odd"]
    assert capsys.readouterr() == ("", "modes_q=26\n")


def test_training_imports_neither_ray_nor_noise() -> None:
    code = "import sys, recbole_llmfb.training.quick_start; sys.exit('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_torch_still_refuses_what_is_not_plain(tmp_path: Path) -> None:
    torch.save({"function": quiet}, tmp_path / "foreign.pth")
    with pytest.raises(Exception, match="[Ww]eights only"):
        torch.load(tmp_path / "foreign.pth")
