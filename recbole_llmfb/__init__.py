"""A RecBole recommender that listens: what a user says, rates or clicks changes the very next list, with reasons.

`LLMFB` and `run_recbole_llmfb` train a model as RecBole does and write a bundle. `Recommender` serves a bundle and answers
`Feedback` with a `Slate`. The names below are imported on first use, so that `import recbole_llmfb` loads neither torch
nor RecBole, and serving needs no RecBole at all.

Letters of shapes, everywhere in the package: B batch, I items, U users, D text width, H history length, S signals.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recbole_llmfb.errors import LlmfbError, ServiceError
    from recbole_llmfb.schema import Evidence, Explanation, Feedback, Reading, Recommendation, Signal, Slate
    from recbole_llmfb.serving.client import Client
    from recbole_llmfb.serving.recommender import Recommender
    from recbole_llmfb.training.model import LLMFB
    from recbole_llmfb.training.quick_start import run_recbole_llmfb

__version__ = version("recbole-llmfb")

__all__ = [
    "LLMFB",
    "Client",
    "Evidence",
    "Explanation",
    "Feedback",
    "LlmfbError",
    "Reading",
    "Recommendation",
    "Recommender",
    "ServiceError",
    "Signal",
    "Slate",
    "run_recbole_llmfb",
]

_HOMES = {
    "LLMFB": "training.model",
    "run_recbole_llmfb": "training.quick_start",
    "Recommender": "serving.recommender",
    "Client": "serving.client",
    **dict.fromkeys(("LlmfbError", "ServiceError"), "errors"),
    **dict.fromkeys(("Evidence", "Explanation", "Feedback", "Reading", "Recommendation", "Signal", "Slate"), "schema"),
}

if not TYPE_CHECKING:  # a type checker must see the imports above, or any misspelt name would pass

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = f"{__name__}.{_HOMES[name]}"
        try:
            value = getattr(import_module(home), name)
        except ModuleNotFoundError as error:
            library = (error.name or __name__).partition(".")[0]
            if library == __name__ or not _HOMES[name].startswith("training."):
                raise
            from recbole_llmfb.errors import MissingExtraError

            raise MissingExtraError(name, library, extra="train", remedy=" (with Python 3.11)") from error
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
