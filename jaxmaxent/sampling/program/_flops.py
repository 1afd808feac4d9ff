"""An upper bound of the work of a network, by the sizes of its arrays alone."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxmaxent.ensembles import Ensemble

# Below so many FLOPs a network costs no more than the steps around it, and to find out how it is evaluated best costs
# more than that saves.
SMALL = 100_000


def is_small(ensemble: Ensemble) -> bool:
    """Return whether a forward pass of the network costs no more than the steps around it."""
    return most_flops(traced(ensemble)) < SMALL


def traced(ensemble: Ensemble) -> core.Jaxpr:
    """Return the operations of the network, traced as for incremental evaluation, so that it is traced once."""
    one_hot = jax.ShapeDtypeStruct((ensemble.length, len(ensemble.alphabet)), jnp.float32)
    with jax.default_matmul_precision("highest"):
        return jax.make_jaxpr(ensemble.features)(ensemble.params, one_hot).jaxpr


def most_flops(jaxpr: core.Jaxpr) -> int:
    """Return an upper bound of the FLOPs of a forward pass, by the sizes of its arrays alone.

    It identifies a small network before the windows of its operations are worked out. A loop without a known number of
    turns may be long, so its network is not small.
    """
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "while":
            return SMALL
        values: list[Any] = [*equation.invars, *equation.outvars]
        sizes = [math.prod(value.aval.shape) for value in values]
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            total += 2 * sizes[-1] * sizes[1]
        else:
            total += sum(sizes) * math.prod(equation.params.get("window_dimensions", ()))
        inner = (getattr(parameter, "jaxpr", parameter) for parameter in equation.params.values())
        turns = equation.params["length"] if equation.primitive.name == "scan" else 1
        total += turns * sum(most_flops(one) for one in inner if isinstance(one, core.Jaxpr))
    return total
