"""An epoch of training as one compiled call."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax
from jaxtyping import Array

from jaxmaxent import checks
from jaxmaxent.models._labeled import Labeled
from jaxmaxent.models._networks import Architecture
from jaxmaxent.models._parameters import parameters, with_parameters


class TrainingState(NamedTuple):
    """The weights and the optimizer's moments between two steps."""

    params: Any
    optimizer: Any


class Hyper(NamedTuple):
    """Numbers of the optimizer. Another training may change them without a new compilation."""

    rates: Any  # the learning rate of each step, [steps] of one epoch or [epochs, steps]
    weight_decay: Any


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The static values that shape the compiled epoch."""

    architecture: Architecture
    batch_size: int
    steps: int


def _adamw(weight_decay: Any) -> optax.GradientTransformation:
    """Return AdamW without the learning rate (Loshchilov & Hutter 2019), with weight decay for kernels, not biases."""

    def is_kernel(params: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    return optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(weight_decay, mask=is_kernel))


@functools.partial(jax.jit, static_argnums=0)
def _schedule(steps: int) -> Array:
    """Return rates that rise linearly to 1 over the first 5 % of the steps, then fall to 0 along a cosine."""
    schedule = optax.warmup_cosine_decay_schedule(0.0, 1.0, max(1, steps // 20), steps + 1)
    # The schedule is 0 at both ends. Both ends are left out, because a step with rate 0 does nothing.
    return jnp.asarray(schedule(jnp.arange(1, steps + 1)))


@functools.partial(jax.jit, static_argnums=0)
def initial(architecture: Architecture, key: Array) -> TrainingState:
    """Return random weights and the optimizer's first state."""
    params = parameters(architecture.build(nnx.Rngs(key)))
    return TrainingState(params, _adamw(0.0).init(params))


@functools.partial(jax.jit, static_argnums=0)
def one_epoch(
    recipe: Recipe, state: TrainingState, key: Array, hyper: Hyper, data: Labeled, weights: Array
) -> tuple[TrainingState, Array]:
    """Run all steps of an epoch in one scan; return the new state and the loss of each step."""
    optimizer = _adamw(hyper.weight_decay)
    order_key, dropout_key = jax.random.split(key)
    order = jax.random.permutation(order_key, len(data.labels))[: recipe.steps * recipe.batch_size]

    def step(state: TrainingState, batch: tuple[Array, Array, Array]) -> tuple[TrainingState, Array]:
        rows, step_key, rate = batch
        arguments = (recipe.architecture, data.tokens[rows], data.labels[rows], weights, step_key)
        loss, gradient = jax.value_and_grad(weighted_loss)(state.params, *arguments)
        updates, moments = optimizer.update(gradient, state.optimizer, state.params)
        return TrainingState(jax.tree.map(lambda p, u: p - rate * u, state.params, updates), moments), loss

    batches = order.reshape(recipe.steps, recipe.batch_size)
    return lax.scan(step, state, (batches, jax.random.split(dropout_key, recipe.steps), hyper.rates))


def weighted_loss(
    params: Any, architecture: Architecture, tokens: Array, labels: Array, weights: Array, key: Array
) -> Array:
    """Return the mean cross-entropy of a batch in nats, each sequence weighted by its class."""
    network = with_parameters(architecture, params, training=True)
    outputs = network(architecture.alphabet.one_hot(tokens), rngs=key)
    return jnp.mean(weights[labels] * optax.softmax_cross_entropy_with_integer_labels(outputs, labels))


def hyper_parameters(learning_rate: float, weight_decay: float, epochs: int, steps: int) -> Hyper:
    """Check the numbers; return the learning rates as [epochs, steps], and the weight decay."""
    peak = float(checks.factor("learning_rate", checks.number("learning_rate", learning_rate, above=0)))
    rates = peak * np.asarray(_schedule(epochs * steps), np.float32)
    decay = checks.factor("weight_decay", checks.number("weight_decay", weight_decay), at_least=0)
    return Hyper(rates.reshape(epochs, steps), np.float32(decay))
