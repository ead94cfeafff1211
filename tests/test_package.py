"""The package's front door: its names come on first use, and a missing extra is named with its remedy."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import recbole_llmfb

ROOT = Path(__file__).parent.parent


def run(code: str) -> str:
    """Standard output of a fresh interpreter, which has imported nothing yet."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_heavy_library() -> None:
    heavy = {"torch", "transformers", "recbole", "pandas", "pydantic"}
    assert run(f"import sys, recbole_llmfb; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_domain_types_load_neither_torch_nor_recbole() -> None:
    code = "import sys; from recbole_llmfb import Feedback, LlmfbError; print({'torch', 'recbole'} & set(sys.modules))"
    assert run(code) == "set()"


def test_serving_loads_no_recbole() -> None:
    assert run("import sys; from recbole_llmfb import Recommender; print('recbole' in sys.modules)") == "False"


@pytest.mark.parametrize("name", recbole_llmfb.__all__)
def test_public_name_is_what_its_module_defines(name: str) -> None:
    value = getattr(recbole_llmfb, name)
    assert value is getattr(import_module(value.__module__), name)
    assert value.__module__.startswith("recbole_llmfb.")


def test_public_names_are_listed_and_others_are_refused() -> None:
    assert set(recbole_llmfb.__all__) <= set(dir(recbole_llmfb))
    with pytest.raises(AttributeError, match="no attribute 'Recomender'"):
        recbole_llmfb.Recomender  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="Recomender"):
        exec("from recbole_llmfb import Recomender")


@pytest.mark.parametrize("name", ["LLMFB", "run_recbole_llmfb"])
def test_missing_training_extra_is_named_with_its_remedy(name: str) -> None:
    """As where the extra is not installed: nothing of RecBole can be imported."""
    printed = run(
        "import sys; sys.modules['recbole'] = None\n"
        "import recbole_llmfb\n"
        f"try:\n    recbole_llmfb.{name}\n"
        "except (recbole_llmfb.LlmfbError, ImportError) as error:\n"
        "    print(isinstance(error, recbole_llmfb.LlmfbError), isinstance(error, ImportError), error)"
    )
    expected = f"True True {name} needs recbole, which is not installed: pip install 'recbole-llmfb[train]' (with Python 3.11)"
    assert printed == expected


def test_commands_that_train_name_the_extra_that_is_missing() -> None:
    printed = run(
        "import contextlib, io, sys; sys.modules['recbole'] = None\n"
        "from recbole_llmfb.cli import main\n"
        "told = io.StringIO()\n"
        "with contextlib.redirect_stderr(told), contextlib.suppress(SystemExit):\n    main(['train', 'any.yaml'])\n"
        "print(told.getvalue())"
    )
    assert "pip install 'recbole-llmfb[train]'" in printed and "Traceback" not in printed


def test_version_is_the_one_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert recbole_llmfb.__version__ == project["version"]


def test_data_files_of_the_package_are_declared() -> None:
    """Every YAML below `training` matches a pattern of package data, so that an installed copy has it too."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"]
    training = ROOT / "recbole_llmfb" / "training"
    found = {path for pattern in declared["recbole_llmfb.training"] for path in training.glob(pattern)}
    assert set(training.rglob("*.yaml")) == found != set()
