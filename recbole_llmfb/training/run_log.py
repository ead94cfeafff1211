"""A run's log: the file that RecBole's users look for, under `log/`, and the same lines on standard error.

RecBole writes everything to the root logger and adds its handlers once per process, so that a second run writes into the
first one's file. Here a run opens its own file, and `close_log` takes everything away again.
"""

import logging
import re
import sys
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from recbole.config import Config

_OURS = "recbole_llmfb.run"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LEVELS = {"debug": logging.DEBUG, "warning": logging.WARNING, "error": logging.ERROR, "critical": logging.CRITICAL}


class _PlainFormatter(logging.Formatter):
    """Text without the colours that RecBole puts into its messages."""

    def format(self, record: logging.LogRecord) -> str:
        return _COLOUR.sub("", super().format(record))


def open_log(config: Config) -> Path:
    """Begin the log of one run, in place of the last one's: `log/<model>/<model>-<data set>-<time>-<suffix>.log`.

    RecBole names the folder of its TensorBoard events after this file. Returns its path.
    """
    close_log()
    name = str(config["model"])
    folder = Path("log") / name
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now().strftime("%b-%d-%Y_%H-%M-%S")
    path = folder / f"{name}-{config['dataset']}-{now}-{uuid4().hex[:6]}.log"
    to_file = logging.FileHandler(path, encoding="utf-8")
    to_file.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s  %(message)s"))
    to_screen = logging.StreamHandler(sys.stderr)
    style = logging.Formatter if sys.stderr.isatty() else _PlainFormatter
    to_screen.setFormatter(style("%(asctime)s %(levelname)s  %(message)s", "%d %b %H:%M"))
    level = _LEVELS.get(str(config["state"]).lower(), logging.INFO)
    for handler in (to_file, to_screen):
        handler.set_name(_OURS)
        handler.setLevel(level)
        handler.addFilter(_from_the_run)
        logging.getLogger().addHandler(handler)
    logging.getLogger().addFilter(_with_a_place)
    logging.getLogger().setLevel(level)
    return path


def close_log() -> None:
    """Take away what `open_log` added to the root logger. Without an open log, nothing happens."""
    root = logging.getLogger()
    root.removeFilter(_with_a_place)
    for handler in [handler for handler in root.handlers if handler.get_name() == _OURS]:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(logging.WARNING)


def _from_the_run(record: logging.LogRecord) -> bool:
    """RecBole's lines (it uses the root logger) and ours; of other libraries, only what is wrong."""
    return record.levelno >= logging.WARNING or record.name == "root" or record.name.startswith(("recbole",))


def _with_a_place(record: logging.LogRecord) -> bool:
    """RaCT logs an argument that its message has no place for; logging prints a traceback in its stead."""
    if record.args and "%" not in str(record.msg):
        record.msg, record.args = f"{record.msg} {record.args}", ()
    return True
