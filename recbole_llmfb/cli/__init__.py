"""The command line: `recbole-llmfb`, also `python -m recbole_llmfb`.

Answers go to standard output, progress and logs to standard error. Wrong use exits with 2 and one line that says what to do, a
failed run with 1. Heavy libraries are imported inside the commands, so that `--help` is quick and serving needs no RecBole.
"""

import os
import sys
from collections.abc import Sequence

import typer
from pydantic import ValidationError

from recbole_llmfb.cli import access, asking, console, jobs, judging, learning, making, reviews, serving, versions
from recbole_llmfb.cli.printing import fail, one_line
from recbole_llmfb.errors import LlmfbError, MissingExtraError, UsageError

_TRAINING_LIBRARIES = frozenset("hyperopt peft plotly recbole scipy sklearn tensorboard".split())  # that the extra `train` brings

app = typer.Typer(
    name="recbole-llmfb",
    help="Recommenders that listen: train through RecBole, serve, and re-rank by what users say.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _command in (
    making.train,
    making.tune,
    judging.evaluate,
    making.export_encoder,
    asking.rank,
    asking.recommend,
    making.convert,
    judging.benchmark,
    judging.benchmark_serving,
    judging.benchmark_attack,
    judging.benchmark_console,
    judging.conversations,
    learning.export,
    learning.learn,
    learning.benchmark_learning,
    serving.serve,
    console.console,
    serving.backup,
    serving.restore,
    making.demo,
):
    app.command()(_command)
app.add_typer(access.keys, name="keys")
app.add_typer(access.accounts, name="accounts")
app.add_typer(versions.bundles, name="bundles")
app.add_typer(jobs.jobs, name="jobs")
app.add_typer(reviews.reviews, name="reviews")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; see the module."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the tokenizer warns when a process with threads forks
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="recbole-llmfb", standalone_mode=False)
    except typer.TyperException as error:
        fail(f"{error.format_message()} (see recbole-llmfb --help)", 2)
    except (UsageError, ValidationError) as error:
        fail(one_line(error), 2)
    except LlmfbError as error:
        fail(one_line(error), 1)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _TRAINING_LIBRARIES:
            raise
        fail(one_line(MissingExtraError("this command", library, extra="train", remedy=" (with Python 3.11)")), 1)
    except (KeyboardInterrupt, typer.Abort):
        fail("stopped", 1)
    else:
        sys.exit(code if isinstance(code, int) else 0)
