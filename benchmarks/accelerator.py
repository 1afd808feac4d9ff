"""Ten minutes on a device: is the sampler right there, is it fast, and does its memory fit.

    python benchmarks/accelerator.py --out FILE.json [--minutes 10] [--profile FOLDER]

It runs on the device that JAX finds, and writes the file after every part, in this order:

1. exactness: three ensembles of five letters against enumeration, every letter frequency within 5 standard errors;
2. resume: a run, and the same run resumed from its checkpoint; the arrays that differ, if any. Where products are
   autotuned anew, the last bits of energies may differ: XLA_FLAGS=--xla_gpu_autotune_level=0 pins them;
3. walks of single sites of the CTCF network, both ways, for more and more chains;
4. `sample` for 1 and for 32 anchors, with a profile of the first if a folder is named;
5. walks of Basset, both ways;
6. memory: the peak that the device tells, and the bytes that the package adds up before a default run.

A part begins only while there is time left, so the last ones may be left out; the file then says so. With less than
five minutes, and on a CPU, sizes are small: only the form is tested.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import networks
import numpy as np
from enumerated_kinds import KINDS
from hardware import ensemble_of
from measure import Way, machine, write_json

import jaxmaxent as jme
from jaxmaxent.evaluate import FullEvaluator, IncrementalEvaluator
from jaxmaxent.sampling import Options
from jaxmaxent.sampling.program._memory import besides_caches, free_bytes

EVALUATORS = {"full": FullEvaluator, "incremental": IncrementalEvaluator}
EXACT = ("network-5", "potts", "held")
CHAINS = {"ctcf": (256, 4096, 32_768, 131_072), "basset": (1024, 8192)}
FEW_CHAINS = {"ctcf": (16, 64), "basset": (2,)}
SECONDS, ERRORS, SHARE_OF_MEMORY = 3.0, 5.0, 0.8


class Budget:
    """The time that is left."""

    def __init__(self, minutes: float) -> None:
        self.end, self.small = time.monotonic() + 60 * minutes, minutes < 5 or jax.default_backend() == "cpu"

    @property
    def left(self) -> float:
        return self.end - time.monotonic()


def exactness(budget: Budget) -> Iterator[dict[str, Any]]:
    """Yield a row per ensemble: the largest difference from the exact letter frequencies, in standard errors."""
    for kind in (kind for kind in KINDS if kind.name in EXACT):
        until = jme.Precision(rhat=1.05, ess=100) if budget.small else None
        run = jme.sample(jax.random.key(1), kind.ensemble(), until=until, progress=False)
        exact = kind.exact(kind.beta)
        # Of a held letter the error is 0, and the difference that of rounding.
        difference = np.abs(run.frequencies[0, -1] - exact.frequencies)
        largest = float(np.max(difference / np.maximum(run.frequency_errors[0, -1], 1e-6)))
        yield {
            "ensemble": kind.name, "errors": largest, "right": largest < ERRORS, "converged": bool(run.converged[0]),
            "energy": float(run.energy[0, -1]), "exact_energy": exact.energy, "seconds": run.seconds,
        }  # fmt: skip


def resumed(budget: Budget) -> Iterator[dict[str, Any]]:
    """Yield which arrays of a run differ from those of the same run resumed from its last checkpoint."""
    ensemble = ensemble_of(networks.ctcf(), "highest")
    settings: dict[str, Any] = {"steps": 400, "burn_in": 200, "progress": False}
    whole = jme.sample(jax.random.key(2), ensemble, **settings)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "run"
        jme.sample(jax.random.key(2), ensemble, checkpoint=saved, keep_checkpoint=True, **settings)
        again = jme.resume(saved, ensemble, progress=False)
    pairs = {
        name: (value, getattr(again, name)) for name, value in vars(whole).items() if isinstance(value, np.ndarray)
    }
    differ = [name for name, (one, other) in pairs.items() if one.tobytes() != other.tobytes()]
    yield {"arrays": len(pairs), "different": differ}


def walks(name: str) -> Callable[[Budget], Iterator[dict[str, Any]]]:
    """Return the part that measures walks of a network."""

    def part(budget: Budget) -> Iterator[dict[str, Any]]:
        ensemble = ensemble_of(networks.NETWORKS[name](), "highest")
        for chains in (FEW_CHAINS if budget.small else CHAINS)[name]:
            for way, evaluator in EVALUATORS.items():
                if budget.left > 0:
                    yield {"network": name, "way": way, "chains": chains} | walked(ensemble, evaluator, chains)

    return part


def walked(ensemble: jme.Ensemble, evaluator: Any, chains: int) -> dict[str, Any]:
    """Return the speed of a walk, or why there is none."""
    free = free_bytes()
    try:
        walk = Way(ensemble, evaluator, chains, free=None if free is None else SHARE_OF_MEMORY * free)
        walk.run(2)
        steps = max(2, min(10_000, int(SECONDS / 3 / walk.run(2))))
        rate = chains / float(np.median([walk.run(steps) for _ in range(3)]))
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"proposals_per_second": None, "stopped": str(error).splitlines()[0]}
    return {"proposals_per_second": rate, "compile_seconds": walk.compile_seconds, "cache_bytes": walk.cache_bytes}


def samples(profile: Path | None) -> Callable[[Budget], Iterator[dict[str, Any]]]:
    """Return the part that measures `sample`."""

    def part(budget: Budget) -> Iterator[dict[str, Any]]:
        one = ensemble_of(networks.ctcf(), "highest")
        rng, steps = np.random.default_rng(3), 50 if budget.small else 5000
        for anchors in (1, 2) if budget.small else (1, 32):
            tokens = rng.integers(0, networks.LETTERS, (anchors, one.length))
            ensemble = jme.Ensemble.create(jme.Representation(one.features, one.params), tokens, beta=1.0)
            traced = profile is not None and anchors == 1
            with jax.profiler.trace(str(profile)) if traced else contextlib.nullcontext():
                run = jme.sample(jax.random.key(4), ensemble, steps=steps, burn_in=0, progress=False)
            yield {
                "anchors": anchors, "steps": steps, "proposals_per_second": run.proposals_per_second,
                "seconds": run.seconds, "compile_seconds": run.compile_seconds,
            }  # fmt: skip

    return part


def memory(budget: Budget) -> Iterator[dict[str, Any]]:
    """Yield the peak of the device's memory so far, and the bytes that a default run of the CTCF network adds up to."""
    stats = jax.local_devices()[0].memory_stats() or {}
    ensemble = ensemble_of(networks.ctcf(), "highest").batched()
    counted = besides_caches(ensemble, Options.of(ensemble))
    yield {"peak_bytes": stats.get("peak_bytes_in_use"), "limit": stats.get("bytes_limit"), "counted_bytes": counted}


def line(part: str, row: dict[str, Any]) -> str:
    """Return a row in words."""
    told = {key: f"{value:,.4g}" if isinstance(value, float) else value for key, value in row.items()}
    return f"{part}: " + ", ".join(f"{key} {value}" for key, value in told.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all parts (default %(default)s)")
    parser.add_argument("--profile", type=Path, help="folder for a profile of `sample`")
    options = parser.parse_args()
    budget = Budget(options.minutes)
    found: dict[str, Any] = {"kind": "accelerator", "machine": machine(), "parts": {}, "left_out": []}
    parts: dict[str, Callable[[Budget], Iterator[dict[str, Any]]]] = {
        "exactness": exactness, "resume": resumed, "ctcf": walks("ctcf"), "sample": samples(options.profile),
        "basset": walks("basset"), "memory": memory,
    }  # fmt: skip
    for name, part in parts.items():
        if budget.left <= 0:
            found["left_out"].append(name)
            continue
        rows = found["parts"].setdefault(name, [])
        for row in part(budget):
            rows.append(row)
            print(line(name, row), flush=True)
            write_json(options.out, found)
    write_json(options.out, found)
    if found["left_out"]:
        print(f"no time was left for: {', '.join(found['left_out'])}")
    return int(not all(row["right"] for row in found["parts"]["exactness"]))


if __name__ == "__main__":
    sys.exit(main())
