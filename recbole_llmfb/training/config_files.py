"""What people write: configuration files in YAML, and `--set key=value`. Nothing in either is ever evaluated as Python."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from recbole_llmfb.errors import ConfigError, DataError, UsageError


class _Loader(yaml.SafeLoader):
    """YAML's safe types, and `1e-5` is a number (YAML 1.1 asks for `1.0e-5`), as in RecBole."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_config(path: str | Path) -> dict[str, Any]:
    """One YAML file as a mapping; an empty file is an empty mapping.

    Raises:
        ConfigError: no such file.
        DataError: not UTF-8, not YAML (with the line), or not a mapping of names.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError("config_file_list", str(path), remedy="no such file; give the path of a YAML file")
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except UnicodeDecodeError as error:
        raise DataError(file, None, f"not UTF-8 (byte {error.start})", remedy="save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise DataError(file, line, f"not YAML: {error.problem}", remedy="mend the line") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise DataError(file, None, "not a mapping of names to values", remedy="write `key: value`, one a line")
    return content


def parse_overrides(items: Sequence[str]) -> dict[str, Any]:
    """`--set key=value` items as a `config_dict`: values are YAML, and a dotted key reaches inside a mapping.

    >>> parse_overrides(["epochs=3", "learning_rate=1e-3", "eval_args.mode=full"])
    {'epochs': 3, 'learning_rate': 0.001, 'eval_args.mode': 'full'}

    Raises:
        UsageError: an item without `=`, without a key or a value, or whose value is not YAML.
    """
    overrides = {}
    for item in items:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (equals and value and all(key.split("."))):
            raise UsageError(f"--set {item!r}: write key=value, such as epochs=3 or eval_args.mode=full (nothing is `null`)")
        try:
            overrides[key] = yaml.load(value, Loader=_Loader)  # noqa: S506 (a SafeLoader)
        except yaml.YAMLError as error:
            raise UsageError(f"--set {item!r}: the value is not YAML; quote it, or close its brackets") from error
    return overrides
