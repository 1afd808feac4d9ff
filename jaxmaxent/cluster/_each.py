"""One function, called for many numbers, by any engine that Python knows."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import TypeVar

from jaxmaxent import checks
from jaxmaxent.cluster._processes import processes

Result = TypeVar("Result")
# Calls that an engine knows of at a time: enough for hundreds of workers, few enough for the memory of its scheduler.
_AHEAD = 1024
# Errors of Dask for a call that killed several workers, and for one whose scheduler is gone.
_GIVEN_UP = ("KilledWorker", "CancelledError", "FutureCancelledError")
# A pool of processes that loses a worker is lost as a whole. It is begun again, but not for ever.
_MOST_LOSSES = 3


class LostWorkerError(ChildProcessError):
    """Worker processes end again and again, for example because there is not enough memory for them."""


def each(
    work: Callable[[int], Result],
    numbers: Iterable[int],
    *,
    executor: Executor | None = None,
    workers: int | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yield a number and what a function returns for it, in the order in which calls end.

    Args:
        work: the function. Other processes must be able to import it.
        numbers: its arguments.
        executor: an engine, such as `dask.distributed.Client(…).get_executor()`; it stays open.
        workers: instead of it, so many processes of this machine; this process if None or 1.

    Raises:
        LostWorkerError: if processes of this machine were lost three times without a call that ended between.
        Exception: what a call raises. Calls that were not begun are cancelled then.

    Example:
        ```
        for number, found in each(abs, range(-3, 0), workers=2):
            print(number, found)
        ```
    """
    if executor is not None:
        if workers is not None:
            raise ValueError(f"workers must be left out if an executor is given, got {checks.shown(workers)}")
        yield from _by(checks.like("executor", executor, "submit", "a concurrent.futures.Executor"), work, numbers)
    elif workers is None or checks.integer("workers", workers, at_least=1) == 1:
        for number in numbers:
            yield number, work(number)
    else:
        yield from _in_processes(work, numbers, workers)


def _by(executor: Executor, work: Callable[[int], Result], numbers: Iterable[int]) -> Iterator[tuple[int, Result]]:
    rest, known = iter(numbers), dict[Future[Result], int]()
    ended: queue.SimpleQueue[Future[Result]] = queue.SimpleQueue()
    try:
        while True:
            for number in itertools.islice(rest, _AHEAD - len(known)):
                future = executor.submit(work, number)
                known[future] = number
                future.add_done_callback(ended.put)
            if not known:
                return
            future = ended.get()
            yield known.pop(future), _result_of(future)
    finally:
        for future in known:
            future.cancel()


def _result_of(future: Future[Result]) -> Result:
    """Return the result of a call, or raise its error; an engine that gave it up has an error of its own."""
    try:
        return future.result()
    except Exception as error:
        if type(error).__name__ not in _GIVEN_UP:
            raise
        raise LostWorkerError(
            "the engine gave up a call, as the workers that made it were lost; look into their logs for the reason"
        ) from error


def _in_processes(work: Callable[[int], Result], numbers: Iterable[int], workers: int) -> Iterator[tuple[int, Result]]:
    left, losses = dict.fromkeys(numbers), 0
    while left:
        try:
            with processes(min(workers, len(left))) as executor:
                for number, found in _by(executor, work, list(left)):
                    del left[number]
                    losses = 0
                    yield number, found
        except BrokenExecutor as error:
            losses += 1
            if losses == _MOST_LOSSES:
                raise LostWorkerError(
                    f"worker processes were killed {losses} times, perhaps because the machine has too little memory "
                    f"for {workers} of them; take fewer workers"
                ) from error
