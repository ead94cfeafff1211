"""The imports of every module keep to the layers: what may know of what, and who may use which library.

Whoever adds a module or a library names its place in `LAYERS`; that is the one decision this file asks for.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import recbole_llmfb

ROOT = Path(__file__).parent.parent
PACKAGE = "recbole_llmfb"


@dataclass(frozen=True, slots=True)
class Layer:
    """below: layers that this one may import beside itself, with all that they may use. libraries: third parties of its own."""

    below: tuple[str, ...] = ()
    libraries: frozenset[str] = frozenset()


def _layer(*below: str, libraries: str = "") -> Layer:
    return Layer(below, frozenset(libraries.split()))


LAYERS = {
    "errors": _layer(libraries="pydantic"),
    "files": _layer(),
    "schema": _layer("errors"),
    "text": _layer("schema", libraries="onnx onnxruntime safetensors torch transformers"),
    "ranking": _layer("schema", libraries="torch"),
    "bundle": _layer("files", "text", "ranking", libraries="numpy pandas pyarrow"),
    "training": _layer("bundle", libraries="hyperopt peft plotly recbole scipy sklearn tensorboard tqdm yaml"),
    "serving": _layer(
        "bundle",
        libraries="alembic anyio fastapi httpx jwt limits prometheus_client pwdlib sqlalchemy sqlmodel starlette uvicorn",
    ),
    "convert": _layer("training"),
    "evaluation": _layer("training", "serving", libraries="playwright rich"),
    "learning": _layer("evaluation", "convert", libraries="huey"),
    "console": _layer("serving", "dashboard"),
    "cli": _layer("console", "convert", "evaluation", "learning", libraries="typer"),
    "__main__": _layer("cli"),
    "dashboard": _layer(libraries="numpy pandas plotly pydantic starlette streamlit"),
}

# The command line must start without the training extra: what may import RecBole, it imports inside the command that needs it.
LAZY_IN_CLI = {"recbole", "hyperopt", "peft"} | {f"{PACKAGE}.{name}" for name in "training convert evaluation learning".split()}
# Ranking is pure: no files, no clock, no log, no process.
IMPURE_MODULES = set("http io logging os pathlib pickle shutil socket sqlite3 subprocess tempfile time urllib".split())
IMPURE_NAMES = {"open", "print", "input"}
IMPURE_ATTRIBUTES = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "torch.load", "torch.save"}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module or name, in full (`recbole_llmfb.text.encoder.Encoder`). lazy: not imported when the module is."""

    name: str
    line: int
    lazy: bool

    def within(self, *modules: str) -> bool:
        return any(self.name == module or self.name.startswith(f"{module}.") for module in modules)


def imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[Import]:
    """Every import of a module, relative ones resolved, and `import_module` and `__import__` of a literal name among them."""

    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")
            base = parents[: len(parents) - node.level + is_package] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(f"{source}.{alias.name}", node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"}:
            if node.args and isinstance(node.args[0], ast.Constant):
                yield Import(str(node.args[0].value), node.lineno, lazy)
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        lazy = lazy or (isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING")
        for child in ast.iter_child_nodes(node):
            yield from walk(child, lazy)

    return walk(tree, False)


def layer_of(module: str) -> str:
    """`recbole_llmfb.text.encoder` is of `text`, `dashboard.views.users` of `dashboard`, the package itself of ``."""
    head, _, rest = module.partition(".")
    return rest.partition(".")[0] if head == PACKAGE else head


def reach(layer: str) -> set[str]:
    """A layer and everything below it."""
    return {layer}.union(*(reach(below) for below in LAYERS[layer].below))


def breaches(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """What in a module's source breaks the layers, each as one line that says where and why."""
    tree, layer = ast.parse(source), layer_of(module)
    if layer and layer not in LAYERS:
        return [f"{module} is of no layer: move it into one, or name its place in LAYERS"]
    found = [(found.line, _wrong_import(found, layer)) for found in imports(tree, module, is_package=is_package)]
    if layer == "ranking":
        found += [(node.lineno, "ranking is pure, leave this to its caller") for node in ast.walk(tree) if _is_impure(node)]
    return [f"{module}, line {line}: {problem}" for line, problem in found if problem]


def _wrong_import(found: Import, layer: str) -> str | None:
    library = found.name.partition(".")[0]
    own = library in {PACKAGE, "dashboard"}
    if not layer:  # the package's __init__, from which the public names come on first use
        return None if found.lazy or library in sys.stdlib_module_names else f"{found.name} must be imported on first use only"
    if layer == "cli" and found.within(*LAZY_IN_CLI) and not found.lazy:
        return f"{found.name} must be imported inside the command that needs it"
    if layer == "ranking" and library in IMPURE_MODULES:
        return f"ranking is pure and must not import {found.name}"
    if layer == "dashboard" and library == PACKAGE:
        public = {PACKAGE, *(f"{PACKAGE}.{name}" for name in [*recbole_llmfb.__all__, "__version__"])}
        return None if found.name in public else f"{found.name} is no public name of {PACKAGE}"
    if own:
        home = layer_of(found.name)
        if found.within(f"{PACKAGE}.__version__") or home in reach(layer):
            return None
        if home not in LAYERS:
            return f"import {found.name} from the module that defines it"
        return f"{layer} must not import {found.name}"
    allowed = set().union(*(LAYERS[below].libraries for below in reach(layer)))
    if library in sys.stdlib_module_names or library in allowed:
        return None
    return f"{layer} must not import {found.name}: its libraries are {', '.join(sorted(allowed)) or 'none'}"


def _is_impure(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in IMPURE_NAMES
    return isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in IMPURE_ATTRIBUTES


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(path for folder in (PACKAGE, "dashboard") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_module_keeps_to_its_layer(path: Path) -> None:
    assert breaches(module_name(path), path.read_text(encoding="utf-8"), is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        ("schema", "import torch", "schema must not import torch"),
        ("errors", "from recbole_llmfb.schema import Slate", "errors must not import recbole_llmfb.schema.Slate"),
        ("text.signals", "from recbole_llmfb.ranking import fusion", "text must not import recbole_llmfb.ranking.fusion"),
        ("ranking.fusion", "from ..text.encoder import Encoder", "ranking must not import recbole_llmfb.text.encoder.Encoder"),
        ("ranking.fusion", "from transformers import AutoModel", "ranking must not import transformers.AutoModel"),
        ("ranking.slate", "import logging", "ranking is pure and must not import logging"),
        ("ranking.slate", "from time import time", "ranking is pure and must not import time.time"),
        ("ranking.slate", "def f(path):\n    return open(path).read()", "line 2: ranking is pure"),
        ("ranking.slate", "import datetime as d\nnow = d.datetime.now(d.UTC)", "line 2: ranking is pure"),
        ("ranking.slate", "import torch\ndef f(p):\n    return torch.load(p)", "line 3: ranking is pure"),
        ("bundle", "from recbole_llmfb.training.model import LLMFB", "bundle must not import recbole_llmfb.training.model.LLMFB"),
        ("bundle", "def f():\n    import recbole", "bundle must not import recbole"),
        ("training.model", "from ..serving import recommender", "training must not import recbole_llmfb.serving.recommender"),
        ("training.model", "from fastapi import FastAPI", "training must not import fastapi.FastAPI"),
        ("serving.service", "def f():\n    from ..training import config", "serving must not import recbole_llmfb.training"),
        ("serving.service", "import importlib\nimportlib.import_module('recbole')", "serving must not import recbole"),
        ("serving.service", "import streamlit", "serving must not import streamlit"),
        ("serving.service", "from recbole_llmfb import LLMFB", "import recbole_llmfb.LLMFB from the module that defines it"),
        ("evaluation.metrics", "from recbole_llmfb.cli import main", "evaluation must not import recbole_llmfb.cli.main"),
        ("evaluation.metrics", "import dashboard.app", "evaluation must not import dashboard.app"),
        ("convert.reading", "import torchvision", "convert must not import torchvision"),
        ("convert.reading", "from ..evaluation import report", "convert must not import recbole_llmfb.evaluation.report"),
        ("training.model", "from ..convert import convert", "training must not import recbole_llmfb.convert.convert"),
        ("cli", "from .convert import convert", "must be imported inside the command"),
        ("cli", "import recbole", "recbole must be imported inside the command"),
        ("cli", "from .training.quick_start import run_recbole_llmfb", "must be imported inside the command"),
        ("utils", "", "recbole_llmfb.utils is of no layer"),
    ],
)
def test_breach_is_found(module: str, source: str, problem: str) -> None:
    (found,) = breaches(f"{PACKAGE}.{module}", source)
    assert problem in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (PACKAGE, "from recbole_llmfb.schema import Slate"),
        ("dashboard.app", "from recbole_llmfb.serving.client import Client"),
        ("dashboard.app", "import recbole_llmfb.schema"),
        ("dashboard.views.users", "from recbole_llmfb import breaches"),
        ("dashboard.app", "import torch"),
    ],
)
def test_breach_outside_the_layers_is_found(module: str, source: str) -> None:
    assert len(breaches(module, source, is_package=module == PACKAGE)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (PACKAGE, "def __getattr__(name):\n    from recbole_llmfb.training.model import LLMFB\n    return LLMFB"),
        (PACKAGE, "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from recbole_llmfb.schema import Slate"),
        (f"{PACKAGE}.cli", "def train():\n    from recbole_llmfb.training.quick_start import run_recbole_llmfb"),
        (f"{PACKAGE}.ranking.slate", "from datetime import datetime\nfrom ..schema import Slate\nfrom .fusion import fuse"),
        (f"{PACKAGE}.evaluation.benchmark", "import recbole\nfrom ..training import model\nfrom ..serving import recommender"),
        (f"{PACKAGE}.training.model", "import recbole\nfrom recbole_llmfb import __version__\nfrom ..bundle import Bundle"),
        ("dashboard.app", "import streamlit\nfrom dashboard.views import users\nfrom recbole_llmfb import Feedback"),
    ],
)
def test_what_the_layers_allow_is_no_breach(module: str, source: str) -> None:
    assert breaches(module, source, is_package=module == PACKAGE) == []


def test_relative_imports_are_resolved_from_a_package_as_well() -> None:
    assert len(breaches(f"{PACKAGE}.serving", "from ..training import model", is_package=True)) == 1
    assert breaches(f"{PACKAGE}.serving", "from .recommender import Recommender", is_package=True) == []
