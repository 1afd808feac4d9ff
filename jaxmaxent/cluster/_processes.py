"""Processes of this machine as an executor: one thread each on a CPU, one device each on several GPUs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from typing import Any, NamedTuple

import jax

# A worker that was told to end may save for so long.
_SECONDS_TO_SAVE = 60.0
# Settings of JAX that results depend on. A program may have made them, and a new process would not know.
_INHERITED = ("jax_enable_x64", "jax_default_matmul_precision")
_VISIBLE = {"gpu": ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")}


class _Place(NamedTuple):
    """Where workers compute: the kind of device, the number of devices, and settings of JAX."""

    backend: str
    devices: int
    settings: dict[str, Any]


@contextlib.contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Return an executor with so many new processes. At the end of the block they are told to save and end.

    On a CPU each has a single thread, because several small programs with one thread each do more than one with
    several. If there are several GPUs, each process sees one of them.
    """
    context = multiprocessing.get_context("spawn")  # JAX has threads, so a copy of this process would hang
    numbers, (ends, end) = context.SimpleQueue(), context.Pipe(duplex=False)
    for number in range(workers):
        numbers.put(number)
    settings = {name: getattr(jax.config, name) for name in _INHERITED}
    place = _Place(jax.default_backend(), jax.local_device_count(), settings)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(numbers, ends, place))
    try:
        yield pool
    except BaseException:
        end.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        end.close()
        ends.close()
        numbers.close()


def _begin(numbers: Any, ends: connection.Connection, place: _Place) -> None:
    """Prepare a new worker: when it ends, and what it computes on."""
    number = numbers.get()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the main process, which then ends its workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    threading.Thread(target=_end_with, args=(ends,), daemon=True).start()
    for name, value in place.settings.items():
        jax.config.update(name, value)
    if place.backend == "cpu":
        _take_one_thread()
    elif place.devices > 1:
        for name in _VISIBLE.get(place.backend, ()):
            seen = os.environ.get(name, "").split(",")
            chosen = number % place.devices
            os.environ[name] = seen[chosen] if len(seen) == place.devices else str(chosen)


def _end_with(ends: connection.Connection) -> None:
    """Wait until the main process closes its end or dies. Then do as on SIGTERM: save what is sampled, and end."""
    parent = multiprocessing.parent_process()
    connection.wait([ends, *([] if parent is None else [parent.sentinel])])
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_SECONDS_TO_SAVE)
    os._exit(1)


def _take_one_thread() -> None:
    """Let JAX make a single thread for computing: it makes as many as it finds cores that the process may use."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if allowed is None:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
        return
    try:
        os.sched_setaffinity(0, {min(allowed)})
        jax.devices()
    finally:
        os.sched_setaffinity(0, allowed)  # the system may still move the process from core to core
