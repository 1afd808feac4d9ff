"""Runs that were never sampled, and their comparison bit for bit."""

import dataclasses

import numpy as np

from jaxmaxent.results import SCHEMA, Run
from jaxmaxent.results._schema import axes

SIZES = {
    "anchor": 3,
    "rung": 4,
    "position": 5,
    "letter": 4,
    "field": 2,
    "chain": 3,
    "state": 40,
    "draw": 6,
    "beyond": 2,
    "leg": 2,
    "end": 2,
    "kmer": 16,
}
NAMES, FIELDS = ("a", "β", "c d"), ("GC", "CpG")
# Bits that a detour over decoded values would lose.
ODD = np.array([0x7FF8000000000123, 0xFFF8000000000000, 0x7FF0000000000000, 0x8000000000000000], np.uint64)


ARRAYS = [name for name, what in SCHEMA.items() if what.dims is not None]


def made_up(seed=0, *, fields=FIELDS, draws=True, **sizes):
    """A run that was never sampled, whose numbers are all different and not all finite."""
    sizes = SIZES | sizes | {"field": len(fields)}
    sizes |= {"pair": sizes["rung"] - 1, "slot": sizes["rung"] + sizes["beyond"] + 1}
    rng = np.random.default_rng(seed)
    arrays = {}
    for name in ARRAYS:
        shape = tuple(sizes[axis] for axis in axes(name))
        arrays[name] = rng.normal(size=shape)
        if name in ("anchors", "last", "draws"):
            arrays[name] = rng.integers(0, sizes["letter"], shape, np.uint8)
        elif name in ("arrivals", "reference_arrivals", "round_trips", "steps", "kmer_counts"):
            arrays[name] = rng.integers(-(2**62), 2**62, shape)
        elif name == "converged":
            arrays[name] = np.arange(shape[0]) % 2 == 0
    arrays["energies"] = arrays["energies"].astype(np.float32)
    arrays["beta"] = np.sort(abs(arrays["beta"]), axis=1)
    arrays["log_z"].flat[: ODD.size] = ODD.view(float)[: arrays["log_z"].size]
    return Run(
        names=NAMES[: sizes["anchor"]],
        letters="ACGT"[: sizes["letter"]],
        field_names=fields,
        outcomes=("converged after 10 steps: R-hat ≤ 1.01", "not converged: β", "")[: sizes["anchor"]],
        burn_in=20,
        thin=5,
        seconds=0.1 + 0.2,
        compile_seconds=0.0,
        proposals_per_second=1e6 / 3,
        device="cpu",
        evaluation="full",
        **arrays | ({} if draws else {"draws": None}),
    )


def assert_same(one, other):
    for field in dataclasses.fields(Run):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert type(a) is type(b), field.name
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), field.name
        else:
            assert a == b, field.name
