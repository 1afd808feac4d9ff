"""Helpers of the benchmarks: the fastest rates of the machine, walks whose speed is measured, and a description."""

import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxmaxent as jme
from jaxmaxent.kernels import Site, build
from jaxmaxent.sampling import device_name


def data_folder(name: str) -> Path:
    """Return a folder below JAXMAXENT_DATA; end the program with a message if that variable is not set."""
    if "JAXMAXENT_DATA" not in os.environ:
        sys.exit(f"set JAXMAXENT_DATA to the folder that holds {name}/")
    return Path(os.environ["JAXMAXENT_DATA"]) / name


def ceilings(precision: str = "highest") -> tuple[float, float]:
    """Measure FLOP/s of a large float32 matrix product at a precision, and bytes/s read and written by a large copy."""
    # An accelerator needs a larger product: the one for CPUs, of a tenth of a second on two cores, would be too short.
    size = 1536 if jax.default_backend() == "cpu" else 8192
    a = jnp.ones((size, size))
    long = jnp.ones(2**26)
    product = seconds(jax.jit(lambda a: jnp.matmul(a, a, precision=precision)), a)
    copy = seconds(jax.jit(lambda x: x + 1), long)
    return 2 * size**3 / product, 2 * long.nbytes / copy


def seconds(function: Callable[..., Any], *arguments: Any, rounds: int = 5) -> float:
    """Return the shortest time of several calls, after a first call that compiles."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - began)
    return min(times)


class Way:
    """A compiled walk with one evaluator: single-site proposals at positions that all chains share.

    Args:
        ensemble: the ensemble of one anchor.
        evaluator: makes an evaluator of the ensemble.
        chains: number of chains that walk together.
        free: bytes of free memory, or None if unknown.

    Raises:
        MemoryError: if the chains and the other memory of the program do not fit. It is raised before they are made.
    """

    def __init__(self, ensemble: jme.Ensemble, evaluator: Any, chains: int, free: float | None = None) -> None:
        self.ensemble, self.evaluator, self.chains = ensemble, evaluator, chains
        shape = chains, ensemble.length
        tokens = np.random.default_rng(0).integers(0, len(ensemble.alphabet), shape).astype(np.int32)
        first = jax.jit(lambda e, t: jax.vmap(build(Site(), e, evaluator(e)).init)(t))
        shapes = jax.eval_shape(first, ensemble, tokens)
        began = time.perf_counter()
        self.walk = jax.jit(self._walk, donate_argnums=1).lower(ensemble, shapes, 1).compile()
        self.compile_seconds = time.perf_counter() - began
        needed = self._bytes()
        if free is not None and needed > free:
            raise MemoryError(f"{chains:,} chains need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free")
        self.states = first(ensemble, jnp.asarray(tokens))
        self.steps, self.times = 0, []

    def _walk(self, ensemble: jme.Ensemble, states: Any, steps: Any) -> Any:
        keys = jax.random.split(jax.random.key(0), self.chains)
        kernel = build(Site(), ensemble, self.evaluator(ensemble))

        def step(number: Any, states: Any) -> Any:
            where = kernel.where(jax.random.fold_in(keys[0], number))
            return jax.vmap(lambda k, s: kernel.move(jax.random.fold_in(k, number), s, where)[0])(keys, states)

        return jax.lax.fori_loop(0, steps, step, states)

    def _bytes(self) -> int:
        """Return the bytes of the walk: those of its states, and other memory while it runs."""
        sizes = self.walk.memory_analysis()
        return 0 if sizes is None else sizes.argument_size_in_bytes + sizes.temp_size_in_bytes

    def run(self, steps: int) -> float:
        """Run `steps` steps from the current states; return the seconds per step."""
        began = time.perf_counter()
        self.states = jax.block_until_ready(self.walk(self.ensemble, self.states, steps))
        self.times.append((time.perf_counter() - began) / steps)
        return self.times[-1]

    @property
    def cache_bytes(self) -> int:
        """The size of the cache of one chain."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self.states.cache)) // self.chains


def machine() -> dict[str, Any]:
    """Return the device, the packages and the date of measurements, in plain JSON types."""
    return {
        "device": device_name(),
        "devices": jax.device_count(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in ("jaxmaxent", "jax", "jaxlib", "flax", "numpy")},
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def _cpu() -> str:
    """Return the model of the processor, if the system gives it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write_json(path: Path, content: Any) -> None:
    """Write figures to a file, completely or not at all. Missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)
