"""The memory that a sequence takes on a device."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate.incremental import Incremental

_MATERIALIZED = "dot_general", "conv_general_dilated"
# A TPU lays the letters of a one-hot out in so many lanes, of four bytes.
_LANES, _LANE = 128, 4


def sequence_bytes(ensemble: Ensemble, *, full: bool) -> int:
    """Return about the bytes that a replica takes: one-hot and largest activation, and a cache unless `full`."""
    letters = len(ensemble.alphabet)
    walked = activation_bytes(ensemble) + ensemble.length * max(letters, _LANES) * _LANE
    if full:
        return walked
    return walked + Incremental(ensemble.features, ensemble.params, ensemble.length, letters).cache_bytes


def activation_bytes(ensemble: Ensemble) -> int:
    """Return the bytes of the largest product or convolution that the network makes of one sequence."""
    leaves, structure = jax.tree.flatten(ensemble.params)
    shapes = tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    return _activation_bytes_of(ensemble.features, structure, shapes, (ensemble.length, len(ensemble.alphabet)))


@functools.lru_cache(maxsize=64)
def _activation_bytes_of(features: Any, structure: Any, shapes: tuple[Any, ...], sequence: tuple[int, int]) -> int:
    """Trace a network once, whatever its parameters."""
    leaves = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes]
    one_hot = jax.ShapeDtypeStruct(sequence, np.float32)
    traced = jax.make_jaxpr(features)(jax.tree.unflatten(structure, leaves), one_hot).jaxpr
    changes = [False] * len(leaves) + [True]
    return _largest_product(traced, changes)[0]


def _largest_product(jaxpr: core.Jaxpr, changes: list[bool]) -> tuple[int, list[bool]]:
    """Return the bytes, and which outputs change with the sequence, given which inputs do.

    A value that does not change is made once for all sequences; one that is no product may never be made as a whole.
    """
    changing = {id(value) for value, own in zip(jaxpr.invars, changes, strict=True) if own}
    largest = 0
    for equation in jaxpr.eqns:
        given = [id(value) in changing for value in equation.invars]
        found = [any(given)] * len(equation.outvars)
        if any(given) and equation.primitive.name in _MATERIALIZED:
            value: Any = equation.outvars[0].aval
            largest = max(largest, math.prod(value.shape) * value.dtype.itemsize)
        for parameter in equation.params.values():
            inner = getattr(parameter, "jaxpr", parameter)
            if isinstance(inner, core.Jaxpr) and len(inner.invars) == len(given):
                inside, found = _largest_product(inner, given)
                largest = max(largest, inside)
        if len(found) == len(equation.outvars):
            changing |= {id(value) for value, own in zip(equation.outvars, found, strict=True) if own}
        elif any(given):
            changing |= {id(value) for value in equation.outvars}
    return largest, [id(value) in changing for value in jaxpr.outvars]
