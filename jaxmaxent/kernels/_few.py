"""Choices from and sums over a few numbers, such as letters or rungs, and the order of axes, as suits each device.

A GPU starts an operation for each reduction. Written out number by number, it becomes part of an operation that is
started anyway. A TPU is slow where each chain reads from another place, so there a product with a one-hot reads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.experimental.layout import Layout, with_layout_constraint
from jaxtyping import Array, Float, Int

# So many numbers are written out at most, as the program becomes longer with each.
_FEW = 64


def entry(table: Array, place: Int[Array, ""]) -> Array:
    """Return an entry of a table of finite numbers, [few, …]."""
    if _kind() != "tpu":
        return table[place]
    hot = jax.nn.one_hot(place, table.shape[0], dtype=table.dtype)
    # All bits arrive: the products of the highest precision are with 1 and 0, and their sum has one that is not 0.
    return jnp.tensordot(hot, table, 1, precision="highest")


def largest(values: Float[Array, "*rows few"]) -> Int[Array, "*rows"]:
    """Return the place of the largest number along the last axis, the first of equal ones."""
    if not _written_out(values):
        return jnp.argmax(values, axis=-1)
    best, place = values[..., 0], jnp.zeros(values.shape[:-1], jnp.int32)
    for number in range(1, values.shape[-1]):
        better = values[..., number] > best
        best, place = jnp.where(better, values[..., number], best), jnp.where(better, number, place)
    return place


def log_sum_exp(values: Float[Array, "*rows few"]) -> Float[Array, "*rows"]:
    """Return the log of the sum of the exponentials along the last axis, of numbers of which one is finite."""
    most = _reduced(jnp.maximum, jnp.max, values)
    return jnp.log(_reduced(jnp.add, jnp.sum, jnp.exp(values - most[..., None]))) + most


def _reduced(
    two: Callable[[Array, Array], Array], every: Callable[..., Array], values: Float[Array, "*rows few"]
) -> Float[Array, "*rows"]:
    if not _written_out(values):
        return every(values, axis=-1)
    return functools.reduce(two, [values[..., number] for number in range(values.shape[-1])])


def _written_out(values: Array) -> bool:
    return on_a_gpu() and values.shape[-1] <= _FEW


def chains_last(values: Array) -> Array:
    """Return an array of one chain, of many of which a TPU has the chains along the last axis in memory.

    A TPU computes along this axis. Where nothing tells it, its compiler may lay out an array in another order between
    two operations, and copies it to and fro.
    """
    return _chains_last(values) if _kind() == "tpu" else values


@jax.custom_batching.custom_vmap
def _chains_last(values: Array) -> Array:
    return values


@_chains_last.def_vmap
def _(chains: int, batched: list[bool], values: Array) -> tuple[Array, bool]:
    del chains
    order = Layout((*range(1, values.ndim), 0))
    return with_layout_constraint(values, order) if batched[0] else values, batched[0]


def on_a_gpu() -> bool:
    """Return whether programs are made for a GPU."""
    return _kind() == "gpu"


def _kind() -> str:
    return jax.default_backend()
