"""Calls of several threads that arrive together, computed as one."""

from collections.abc import Callable, Iterable, Sequence
from threading import Condition
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class _Job(Generic[In, Out]):
    """What one thread asked for. error: instead of outputs."""

    def __init__(self, inputs: Sequence[In]) -> None:
        self.inputs = inputs
        self.outputs: Sequence[Out] | None = None
        self.error: Exception = RuntimeError("the thread that computed this was interrupted")
        self.done = False


class Batching(Generic[In, Out]):
    """A function of many inputs that one thread runs at a time.

    A call that finds it idle runs at once, alone. Calls that arrive meanwhile wait, and the next run takes all of them: batches
    grow with the load, and nobody waits for company.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[In]], Iterable[Out]],
        *,
        at_most: int = 64,
        waiting: Callable[[int], None] = lambda change: None,  # noqa: ARG005
    ) -> None:
        """compute: gives one output for each input. at_most: inputs of one run, unless a single call has more. waiting: told how
        many inputs more (or fewer) wait."""
        self._compute, self._at_most, self._told = compute, at_most, waiting
        self._queue: list[_Job[In, Out]] = []
        self._running = False
        self._turn = Condition()

    def __call__(self, inputs: Sequence[In]) -> list[Out]:
        """One output for each input. Raises what `compute` does for these inputs, whatever else is in the batch."""
        if not inputs:
            return []
        job: _Job[In, Out] = _Job(inputs)
        with self._turn:
            self._queue.append(job)
            self._told(len(inputs))
        while not job.done:
            with self._turn:
                self._turn.wait_for(lambda: job.done or not self._running)
                batch = [] if job.done else self._take()
                self._running = self._running or bool(batch)
            if batch:
                self._run(batch)
        if job.outputs is None:
            raise job.error
        return list(job.outputs)

    def _take(self) -> list[_Job[In, Out]]:
        """The oldest calls, as many as fit."""
        room, batch = self._at_most, list[_Job[In, Out]]()
        while self._queue and (not batch or len(self._queue[0].inputs) <= room):
            batch.append(self._queue.pop(0))
            room -= len(batch[-1].inputs)
        self._told(room - self._at_most)
        return batch

    def _run(self, batch: Sequence[_Job[In, Out]]) -> None:
        try:
            self._fill(batch)
        finally:
            with self._turn:
                for job in batch:
                    job.done = True
                self._running = False
                self._turn.notify_all()

    def _fill(self, batch: Sequence[_Job[In, Out]]) -> None:
        try:
            outputs = iter(self._compute([one for job in batch for one in job.inputs]))
            for job in batch:
                job.outputs = [next(outputs) for _ in job.inputs]
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
            else:  # one of the calls fails, and the others shall have their answers
                for job in batch:
                    self._fill([job])
