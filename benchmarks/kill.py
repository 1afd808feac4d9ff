"""Runs killed at random moments and resumed, against the run never interrupted: they must be equal bit by bit.

    python benchmarks/kill.py [--kills 25] [--seed 0]

Each run is a process of its own, killed by SIGKILL after a random time and resumed in a new process until it ends.
Checkpoints are made as often as blocks allow, so that kills also hit while one is written.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

STEPS = 4000


def run(folder: Path) -> None:
    """Sample, or go on with what is in the folder, and save the result."""
    import jax
    from flax import nnx

    import jaxmaxent as jme
    from jaxmaxent.models import ConvArchitecture, representation
    from jaxmaxent.run import save

    save._SECONDS_BETWEEN_SAVES = 0.0
    network = ConvArchitecture(length=41, filters=8, kernel_width=8, hidden=(16,)).build(nnx.Rngs(0))
    ensemble = jme.Ensemble.create(representation(network), "ACGTA" * 8 + "C", beta=20.0)
    checkpoint = folder / "checkpoint"
    try:
        found = jme.resume(checkpoint, ensemble, progress=False)
    except ValueError:  # nothing saved yet
        shutil.rmtree(checkpoint, ignore_errors=True)
        settings = {"ladder": 5, "chains": 8, "steps": STEPS, "store_every": 100, "progress": False}
        found = jme.sample(jax.random.key(0), ensemble, checkpoint=checkpoint, **settings)
    found.save(folder / "run.npz", force=True)  # it may have been killed after saving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        undisturbed = finish(Path(place) / "undisturbed", [])
        whole = time.perf_counter() - began
        delays = [random.Random(options.seed + i).uniform(0.3, 1.0) * whole for i in range(options.kills)]
        equal = [same(undisturbed, finish(Path(place) / str(i), [delay])) for i, delay in enumerate(delays)]
    print(
        f"{sum(equal)} of {options.kills} runs killed after {min(delays):.1f}–{max(delays):.1f} s of {whole:.1f} s",
        end=" ",
    )
    print("and resumed equal the run never interrupted bit by bit")


def finish(folder: Path, delays: list[float]) -> dict[str, np.ndarray]:
    """Run to the end, killed after each of the delays; the arrays of the result."""
    folder.mkdir()
    for delay in [*delays, None]:
        process = multiprocessing.get_context("spawn").Process(target=run, args=(folder,))
        process.start()
        process.join(delay)
        if process.is_alive():
            process.kill()
            process.join()
    with np.load(folder / "run.npz") as archive:
        return {name: archive[name] for name in archive.files if name != "about"}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Whether all arrays are equal, bit by bit."""
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
