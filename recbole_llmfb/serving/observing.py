"""What a recommender tells of its own work to whoever measures it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, Protocol, TypeVar

Stage = Literal["read", "fold", "score", "store"]
STAGES: tuple[Stage, ...] = ("read", "fold", "score", "store")


class Observer(Protocol):
    """Called from several threads."""

    def stage(self, stage: Stage) -> AbstractContextManager[None]:
        """Entered when a stage of an answer begins, left when it ends: words are read (or wait to be), a state is folded, items
        are scored, the log is written. Folding holds the reading of words that nobody has read before."""
        ...

    def state(self, *, kept: bool) -> None:
        """A user's state was needed. kept: it was in memory, and at most its newest feedback had to be folded in."""
        ...

    def waiting(self, texts: int) -> None:
        """So many texts more wait for the encoder, or fewer where negative."""
        ...


class Unobserved:
    """Nobody measures."""

    def stage(self, stage: Stage) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()

    def state(self, *, kept: bool) -> None: ...

    def waiting(self, texts: int) -> None: ...


class Observed(Protocol):
    observer: Observer


Self = TypeVar("Self", bound=Observed)
Given = ParamSpec("Given")
Answer = TypeVar("Answer")
Method = Callable[Concatenate[Self, Given], Answer]


def timed(stage: Stage) -> Callable[[Method[Self, Given, Answer]], Method[Self, Given, Answer]]:
    """A method that is a stage; its object's observer is told."""

    def decorate(method: Method[Self, Given, Answer]) -> Method[Self, Given, Answer]:
        @wraps(method)
        def run(self: Self, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
            with self.observer.stage(stage):
                return method(self, *args, **kwargs)

        return run

    return decorate
