"""Calls that arrive together run as one, a call alone runs at once, and what fails is one call."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event, Thread

import pytest

from recbole_llmfb.serving.batching import Batching


def test_a_call_alone_runs_at_once_in_its_own_thread() -> None:
    assert Batching[int, int](lambda numbers: [2 * number for number in numbers])([1, 2, 3]) == [2, 4, 6]
    assert Batching[int, int](lambda numbers: numbers)([]) == []


def test_calls_that_arrive_while_one_runs_are_the_next_batch_and_each_has_its_own_answer() -> None:
    batches: list[list[int]] = []
    started, go, queued = Event(), Event(), Event()
    waiting = [0]

    def compute(numbers: Sequence[int]) -> list[int]:
        batches.append(list(numbers))
        started.set()
        assert go.wait(60)
        return [10 * number for number in numbers]

    def told(change: int) -> None:
        waiting[0] += change
        if waiting[0] == 6:
            queued.set()

    batching = Batching[int, int](compute, waiting=told)
    answers: dict[int, list[int]] = {}
    threads = [Thread(target=lambda n=n: answers.update({n: batching([n, n + 1])})) for n in (1, 3, 5, 7)]
    threads[0].start()
    assert started.wait(60)
    for thread in threads[1:]:
        thread.start()
    assert queued.wait(60)
    go.set()
    for thread in threads:
        thread.join(60)
    assert answers == {n: [10 * n, 10 * n + 10] for n in (1, 3, 5, 7)}
    assert [sorted(batch) for batch in batches] == [[1, 2], [3, 4, 5, 6, 7, 8]]
    assert waiting == [0]


def test_many_threads_get_what_each_asked_for_in_batches_of_bounded_size() -> None:
    sizes: list[int] = []

    def compute(numbers: Sequence[int]) -> list[int]:
        sizes.append(len(numbers))
        return [-number for number in numbers]

    batching = Batching[int, int](compute, at_most=4)
    with ThreadPoolExecutor(8) as pool:
        calls = {number: pool.submit(batching, [number, number]) for number in range(200)}
        wait(calls.values())
    assert all(call.result() == [-number, -number] for number, call in calls.items())
    assert sum(sizes) == 400 and max(sizes) <= 4
    assert batching(range(9)) == [-number for number in range(9)]  # a single call is not split


def test_what_fails_is_the_call_at_fault_and_nobody_else_and_the_next_one_works() -> None:
    def compute(numbers: Sequence[int]) -> list[int]:
        if 13 in numbers:
            raise ValueError("13 brings bad luck")
        return list(numbers)

    batching = Batching[int, int](compute)
    with ThreadPoolExecutor(8) as pool:
        calls = {number: pool.submit(batching, [number]) for number in range(26)}
        wait(calls.values())
    with pytest.raises(ValueError, match="bad luck"):
        calls.pop(13).result()
    assert all(call.result() == [number] for number, call in calls.items())
    assert batching([1]) == [1]
