"""Compare seeded runs of two versions of jaxmaxent bit by bit, to test changes of code that must keep all numbers.

In the version before: `python benchmarks/same_runs.py --save before.npz`; in the one after, on the same machine:
`python benchmarks/same_runs.py --against before.npz`. Toy ensembles with every rule, with and without a ladder, by both
ways of evaluation, and a small convolutional network, each also resumed. `--model FOLDER --anchors FILE` adds a trained
network, such as the demo's. The exit code is 1 if anything differs.
"""

import argparse
import dataclasses
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxmaxent as jme
from jaxmaxent import kernels

# Attributes that depend on the clock and on the machine.
IGNORED = {"seconds", "compile_seconds", "proposals_per_second", "device"}
# Rules and attributes that had another name in the version before.
RENAMED = {"Block": "Segment", "Swap": "Transposition", "exchange": "swap_acceptance"}


def toy(params, x):
    """Return features of a sequence: a hidden layer."""
    return jnp.tanh(x.reshape(-1) @ params)


def convolution(params, x):
    """Return features of a sequence: two layers of convolution, and a dense one."""
    kernel, second, dense = params
    layers = ("NWC", "WIO", "NWC")
    y = jax.nn.relu(jax.lax.conv_general_dilated(x[None], kernel, (1,), "SAME", dimension_numbers=layers))
    y = jax.nn.relu(jax.lax.conv_general_dilated(y, second, (1,), "SAME", dimension_numbers=layers))
    return jnp.tanh(y.reshape(-1) @ dense)


def ensembles():
    """Yield names and ensembles."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    plain = jme.Representation(toy, normal(8 * 4, 6))
    yield "toy", jme.Ensemble.create(plain, ["ACGTTGCA", "GGGTACCA"], beta=3.0)
    prior = rng.normal(size=(8, 4))
    prior[2, 1] = -np.inf
    fields = [jme.composition("GC", 0.4), jme.dinucleotide("CG", -0.3), jme.position_prior(prior)]
    yield "fields", jme.Ensemble.create(plain, "ACGTTGCA", beta=[2.0][0], fields=fields, fixed=[0, 5])
    binary = jme.Representation(toy, normal(10 * 2, 4), alphabet=jme.BINARY)
    yield "binary", jme.Ensemble.create(binary, "0110100110", beta=4.0)
    params = (normal(5, 4, 8) / 3, normal(5, 8, 8) / 5, normal(60 * 8, 5) / 20)
    anchor = "".join(rng.choice(list("ACGT"), 60))
    network = jme.Representation(convolution, params)
    yield "convolution", jme.Ensemble.create(network, anchor, beta=20.0)


def runs(model: str | None, anchors: str | None):
    """Yield names and runs."""
    names = ("Site", "SiteAdaptive", "Segment", "SegmentAdaptive", "Transposition", "Informed")
    arguments = {"Segment": (2,)}
    quiet: dict[str, Any] = {"progress": False}
    for number, (name, ensemble) in enumerate(ensembles()):
        key = jax.random.key(number)
        for way in ("full", "incremental"):
            long: dict[str, Any] = {"steps": 400, "burn_in": 200, "store_every": 20, "evaluation": way}
            yield f"{name} {way}", jme.sample(key, ensemble, ladder=6, chains=4, **long, **quiet)
        for rule in names:
            made = getattr(kernels, rule)(*arguments.get(rule, ()))
            yield f"{name} {rule}", jme.sample(key, ensemble, ladder=4, chains=2, rule=made, steps=100, **quiet)
        flat = jme.sample(key, ensemble, ladder=None, chains=8, steps=100, **quiet)
        yield f"{name} one beta", flat
        yield f"{name} going on", jme.sample(key, ensemble, ladder=None, chains=8, steps=100, start=flat, **quiet)
        yield f"{name} until", jme.sample(key, ensemble, until=jme.Precision(1.05, 100, steps=3000), **quiet)
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "saved"
            long: dict[str, Any] = {"checkpoint": checkpoint, "keep_checkpoint": True, "steps": 400}
            yield f"{name} saved", jme.sample(key, ensemble, ladder=5, **long, **quiet)
            yield f"{name} resumed", jme.resume(checkpoint, ensemble, **quiet)
    if model and anchors:
        from jaxmaxent import models
        from jaxmaxent.data import read_sequences

        read = read_sequences(anchors)
        trained = jme.Ensemble.create(models.representation(models.load(model)), read.tokens[:1], beta=30.0)
        for way in ("full", "incremental"):
            run = jme.sample(jax.random.key(9), trained, steps=1000, chains=4, evaluation=way, **quiet)
            yield f"model {way}", run


def digest(value) -> str:
    """Return the type, shape and checksum of an array, or a text as it is."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {zlib.crc32(np.ascontiguousarray(value).tobytes()):08x}"
    return repr(value)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", help="a file for what comes out")
    parser.add_argument("--against", help="such a file of another version")
    parser.add_argument("--model")
    parser.add_argument("--anchors")
    arguments = parser.parse_args()
    found = {}
    for name, run in runs(arguments.model, arguments.anchors):
        values = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
        found |= {f"{name} | {key}": digest(value) for key, value in values.items() if key not in IGNORED}
        print(f"{name}: {len(values)} values", flush=True)
    if arguments.save:
        np.savez(arguments.save, names=np.array(list(found)), digests=np.array(list(found.values())))
    if not arguments.against:
        return 0
    with np.load(arguments.against) as file:
        before = dict(zip(file["names"].tolist(), file["digests"].tolist(), strict=True))
    differ = 0
    for name, value in before.items():
        run, attribute = name.split(" | ")
        new_run = " ".join(RENAMED.get(word, word) for word in str(run).split())
        new = f"{new_run} | {RENAMED.get(attribute, attribute)}"
        if found.get(new) != value:
            differ += 1
            print(f"{new}: {value} before, {found.get(new)} now")
    print(f"{len(before) - differ} of {len(before)} values are the same")
    return differ > 0


if __name__ == "__main__":
    sys.exit(main())
