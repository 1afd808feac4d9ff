"""The processes that do the work of a job, as `--workers` and `--scheduler` choose them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import NamedTuple

import jax

from jaxmaxent.checks import integer, shown
from jaxmaxent.commands._engine_options import EngineOptions

# A process takes half a minute to begin and to compile: for 8 short runs two processes took longer than one.
_FEWEST_FOR_A_WORKER = 32
# A call is repeated so often if the worker that made it is lost or fails.
_RETRIES = 3


class Engine(NamedTuple):
    """What `cluster.each` calls a function by: an executor, or a number of processes of this machine."""

    executor: Executor | None
    workers: int | None


def check_engine(options: EngineOptions) -> None:
    """Raise ValueError if options do not go together, ImportError if a package is missing."""
    if options.workers is not None:
        integer("workers", options.workers, at_least=1, at_most=4096)
    if options.scheduler is not None:
        if options.workers is not None:
            raise ValueError(f"workers must be left out with --scheduler, got {shown(options.workers)}")
        _dask()


@contextlib.contextmanager
def engine(options: EngineOptions, units: int) -> Iterator[Engine]:
    """Yield the engine for a number of units of work."""
    if options.scheduler is None:
        yield Engine(None, options.workers or _default_workers(units))
        return
    try:
        client = _dask()(options.scheduler, timeout="5s")
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"scheduler must be the address of a Dask scheduler such as tcp://host:8786, got "
            f"{shown(options.scheduler)}, which does not answer"
        ) from error
    with client:
        yield Engine(client.get_executor(pure=False, retries=_RETRIES), None)


def _default_workers(units: int) -> int:
    at_once = _cores() if jax.default_backend() == "cpu" else jax.local_device_count()
    return max(1, min(at_once, units // _FEWEST_FOR_A_WORKER))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _dask() -> type:
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ImportError(f'--scheduler needs distributed: pip install "jaxmaxent[cluster]" ({error})') from error
    return Client
