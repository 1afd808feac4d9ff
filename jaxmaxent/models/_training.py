"""Training a classifier: an epoch is one compiled call, and the host decides between epochs."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax
from jaxtyping import Array, Int
from scipy.special import log_softmax

from jaxmaxent import checks, console
from jaxmaxent.ensembles import Alphabet
from jaxmaxent.models._metrics import auroc, logits
from jaxmaxent.models._networks import Architecture, Network, checked_tokens, parameters, with_parameters

_VALIDATION_BATCH = 1024
_MOST_EPOCHS = 100_000  # learning rates of all steps are made beforehand


class Epoch(NamedTuple):
    """What one epoch gave.

    Attributes:
        loss: mean training loss over the epoch (cross-entropy in nats, class weights and dropout included).
        validation_loss: the same on the validation sequences at the end of the epoch, dropout off.
        validation_auroc: of class 1 for two classes, else the mean over the classes, each against the rest.
        seconds: time of the epoch with its validation, compilation not counted.
    """

    loss: float
    validation_loss: float
    validation_auroc: float
    seconds: float


class TrainResult(NamedTuple):
    """A trained network and how it came about.

    Attributes:
        network: the network with the weights of `best_epoch`, in evaluation mode.
        history: one `Epoch` for every epoch run.
        best_epoch: index into `history`.
        stopped_early: whether patience ran out before the last epoch.
        compile_seconds: time spent compiling, 0 up to a few ms where the program was compiled before.
    """

    network: Network
    history: list[Epoch]
    best_epoch: int
    stopped_early: bool
    compile_seconds: float


class _State(NamedTuple):
    params: Any
    optimizer: Any


class _Data(NamedTuple):
    """Labelled sequences: tokens [n, length] uint8, labels [n] int32."""

    tokens: Any
    labels: Any


class _Hyper(NamedTuple):
    """Numbers of the optimiser that another training may change without compiling again."""

    rates: Any  # the learning rate of each step, [steps] of an epoch or [epochs, steps]
    weight_decay: Any


@dataclasses.dataclass(frozen=True)
class _Recipe:
    """All that shapes the compiled epoch."""

    architecture: Architecture
    batch_size: int
    steps: int


def _adamw(weight_decay: Any) -> optax.GradientTransformation:
    """AdamW before the learning rate (Loshchilov & Hutter 2019). Kernels decay, biases do not."""

    def is_kernel(params: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    return optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(weight_decay, mask=is_kernel))


@functools.partial(jax.jit, static_argnums=0)
def _schedule(steps: int) -> Array:
    """A linear warm-up to 1 over the first twentieth of the steps, a cosine decay to 0 over the others."""
    schedule = optax.warmup_cosine_decay_schedule(0.0, 1.0, max(1, steps // 20), steps + 1)
    # Both ends of the schedule are 0 and would be steps that do nothing.
    return jnp.asarray(schedule(jnp.arange(1, steps + 1)))


def train(
    key: Array,
    architecture: Architecture,
    tokens: Int[np.ndarray, "n length"],
    labels: Int[np.ndarray, " n"],
    *,
    validation: tuple[Any, Any] | None = None,
    validation_fraction: float = 0.1,
    epochs: int = 6,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.3,
    monitor: Literal["loss", "auroc"] = "loss",
    patience: int = 4,
    class_weights: Literal["balanced"] | Sequence[float] | None = None,
    both_strands: bool = False,
    progress: bool = True,
) -> TrainResult:
    """Train a new network by AdamW on the cross-entropy, and keep the epoch that validates best.

    The same key, data and machine give bitwise the same weights.

    The defaults suit the default `ConvArchitecture` on some 10⁵ sequences. A small table needs more epochs or smaller
    batches; the XOR of a dinucleotide is learned with epochs=60, learning_rate=0.02, weight_decay=0, patience=60.

    Args:
        key: a typed key (`jax.random.key`): initial weights, order of the sequences, dropout, the split.
        architecture: what to train.
        tokens: training sequences, shape [n, length].
        labels: class of each, 0 to units − 1, every class present.
        validation: (tokens, labels) to choose the epoch by; if None, a part of the training sequences.
        validation_fraction: that part, taken from every class alike and not trained on.
        epochs: passes over the training sequences; the learning rate has decayed to 0 at their end.
        batch_size: sequences a step, at most the number of training sequences. A rest smaller than a batch is
            left out of an epoch, another rest in each.
        learning_rate: its peak.
        weight_decay: decoupled weight decay of the kernels, ≥ 0.
        monitor: choose the epoch by the lowest validation "loss" or the highest "auroc".
        patience: stop after this many epochs without a better one.
        class_weights: weight of each class in the loss, or "balanced" for one over its frequency; scaled so
            that the mean over the training sequences is 1.
        both_strands: train on the reverse complement of every sequence too, under the same label: where what counts may
            stand on either strand, a small table is worth twice as much. Validation takes sequences as they are.
        progress: show a bar over the epochs.

    Raises:
        ValueError: for bad input, in one sentence that names the argument; for a loss that is not finite.
    """
    key = checks.typed_key(key)
    checks.like("architecture", architecture, "build", "an architecture, such as ConvArchitecture(length=101)")
    data = _checked_data("", tokens, labels, architecture)
    init_key, split_key, epochs_key = jax.random.split(key, 3)
    if validation is None:
        data, held_out = _split(split_key, data, validation_fraction)
    else:
        held_out = _checked_validation(validation, architecture)
    if both_strands:
        data = _with_other_strand(data, architecture.alphabet)
    batch_size = min(checks.integer("batch_size", batch_size, at_least=1), len(data.labels))
    recipe = _Recipe(architecture, batch_size, len(data.labels) // batch_size)
    hyper = _hyper(
        learning_rate, weight_decay, checks.integer("epochs", epochs, at_least=1, at_most=_MOST_EPOCHS), recipe.steps
    )
    weights = _class_weights(class_weights, data.labels, architecture.units)
    if monitor not in ("loss", "auroc"):
        raise ValueError(f"monitor must be 'loss' or 'auroc', got {checks.shown(monitor)}")
    patience = checks.integer("patience", patience, at_least=1)
    fit = _Fit(recipe, hyper, data, held_out, weights)
    return fit.run(init_key, epochs_key, monitor, patience, progress)


def _with_other_strand(data: _Data, alphabet: Alphabet) -> _Data:
    if alphabet.complements is None:
        raise ValueError(f"both_strands needs complements, which the alphabet {alphabet.letters!r} does not have")
    return _Data(np.concatenate([data.tokens, alphabet.reverse_complement(data.tokens)]), np.tile(data.labels, 2))


class _Fit:
    """The compiled epoch with its data on the device."""

    def __init__(self, recipe: _Recipe, hyper: _Hyper, data: _Data, held_out: _Data, weights: np.ndarray) -> None:
        self.recipe, self.hyper, self.held_out, self.weights = recipe, hyper, held_out, weights
        self.on_device = (_Data(*map(jnp.asarray, data)), jnp.asarray(weights, jnp.float32))

    def run(self, init_key: Array, key: Array, monitor: str, patience: int, progress: bool) -> TrainResult:
        """All epochs, or as many as patience allows."""
        epochs, start = len(self.hyper.rates), time.perf_counter()
        state = _initial(self.recipe.architecture, init_key)
        self.compile(state, key)
        compile_seconds = time.perf_counter() - start
        best, history, best_epoch = state.params, [], 0
        with console.bar(total=epochs, desc="training", unit="epoch", show=progress) as bar:
            for epoch in range(epochs):
                state, record = self.epoch(state, jax.random.fold_in(key, epoch), epoch)
                history.append(record)
                if epoch == 0 or _better(record, history[best_epoch], monitor):
                    best, best_epoch = state.params, epoch
                _report(bar, record)
                if epoch - best_epoch >= patience:
                    break
        network = with_parameters(self.recipe.architecture, best)
        return TrainResult(network, history, best_epoch, len(history) < epochs, compile_seconds)

    def compile(self, state: _State, key: Array) -> None:
        """Compile what an epoch runs."""
        _epoch.lower(self.recipe, state, key, self._hyper_of(0), *self.on_device).compile()
        self._outputs(state.params, self.held_out.tokens[:_VALIDATION_BATCH])

    def epoch(self, state: _State, key: Array, index: int) -> tuple[_State, Epoch]:
        """One epoch and its validation."""
        start = time.perf_counter()
        state, losses = _epoch(self.recipe, state, key, self._hyper_of(index), *self.on_device)
        losses = np.asarray(losses)
        self._check_finite(np.isfinite(losses).all(), index)
        outputs = self._outputs(state.params, self.held_out.tokens)
        self._check_finite(np.isfinite(outputs).all(), index)
        labels = self.held_out.labels
        validation_loss = _mean_loss(outputs, labels, self.weights)
        seconds = time.perf_counter() - start
        return state, Epoch(float(losses.mean()), validation_loss, _mean_auroc(outputs, labels), seconds)

    def _hyper_of(self, epoch: int) -> _Hyper:
        return _Hyper(self.hyper.rates[epoch], self.hyper.weight_decay)

    def _outputs(self, params: Any, tokens: np.ndarray) -> np.ndarray:
        return logits(self.recipe.architecture, params, tokens, _VALIDATION_BATCH)

    def _check_finite(self, finite: bool | np.bool_, epoch: int) -> None:
        if not finite:
            raise ValueError(
                f"the loss is no longer finite in epoch {epoch} (0-based): "
                f"learning_rate {self.hyper.rates.max():g} is too high for this network and data"
            )


@functools.partial(jax.jit, static_argnums=0)
def _initial(architecture: Architecture, key: Array) -> _State:
    params = parameters(architecture.build(nnx.Rngs(key)))
    return _State(params, _adamw(0.0).init(params))


@functools.partial(jax.jit, static_argnums=0)
def _epoch(
    recipe: _Recipe, state: _State, key: Array, hyper: _Hyper, data: _Data, weights: Array
) -> tuple[_State, Array]:
    """All steps of an epoch in one scan; the loss of each."""
    optimizer = _adamw(hyper.weight_decay)
    order_key, dropout_key = jax.random.split(key)
    order = jax.random.permutation(order_key, len(data.labels))[: recipe.steps * recipe.batch_size]

    def step(state: _State, batch: tuple[Array, Array, Array]) -> tuple[_State, Array]:
        rows, step_key, rate = batch
        arguments = (recipe.architecture, data.tokens[rows], data.labels[rows], weights, step_key)
        loss, gradient = jax.value_and_grad(_loss)(state.params, *arguments)
        updates, moments = optimizer.update(gradient, state.optimizer, state.params)
        return _State(jax.tree.map(lambda p, u: p - rate * u, state.params, updates), moments), loss

    batches = order.reshape(recipe.steps, recipe.batch_size)
    return lax.scan(step, state, (batches, jax.random.split(dropout_key, recipe.steps), hyper.rates))


def _loss(params: Any, architecture: Architecture, tokens: Array, labels: Array, weights: Array, key: Array) -> Array:
    network = with_parameters(architecture, params, training=True)
    outputs = network(architecture.alphabet.one_hot(tokens), rngs=key)
    return jnp.mean(weights[labels] * optax.softmax_cross_entropy_with_integer_labels(outputs, labels))


def _mean_loss(outputs: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    log_probability = log_softmax(outputs, axis=1)[np.arange(len(labels)), labels]
    return float(-np.mean(weights[labels] * log_probability))


def _mean_auroc(outputs: np.ndarray, labels: np.ndarray) -> float:
    scores = log_softmax(outputs, axis=1)
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    return float(np.mean([auroc(labels == k, scores[:, k]) for k in classes]))


def _better(record: Epoch, best: Epoch, monitor: str) -> bool:
    if monitor == "auroc":
        return record.validation_auroc > best.validation_auroc
    return record.validation_loss < best.validation_loss


def _report(bar: Any, record: Epoch) -> None:
    numbers = {
        "loss": f"{record.loss:.4f}",
        "validation loss": f"{record.validation_loss:.4f}",
        "validation AUROC": f"{record.validation_auroc:.4f}",
    }
    bar.set_postfix(numbers, refresh=False)
    bar.update()


def _hyper(learning_rate: float, weight_decay: float, epochs: int, steps: int) -> _Hyper:
    """The learning rates as [epochs, steps]."""
    peak = float(checks.factor("learning_rate", checks.number("learning_rate", learning_rate, above=0)))
    rates = peak * np.asarray(_schedule(epochs * steps), np.float32)
    decay = checks.factor("weight_decay", checks.number("weight_decay", weight_decay), at_least=0)
    return _Hyper(rates.reshape(epochs, steps), np.float32(decay))


def _checked_data(what: str, tokens: Any, labels: Any, architecture: Architecture) -> _Data:
    """Tokens and labels that fit each other and the architecture; `what` names them in an error."""
    tokens = checked_tokens(f"{what}tokens", tokens, architecture)
    labels = np.asarray(labels)
    if labels.shape != (len(tokens),):
        raise ValueError(
            f"{what}labels must have shape [{len(tokens)}], one for each sequence, got {list(labels.shape)}"
        )
    numeric = labels.dtype == bool or np.issubdtype(labels.dtype, np.number)
    if not numeric or not np.isin(labels, np.arange(architecture.units)).all():
        wrong = labels[~np.isin(labels, np.arange(architecture.units))].tolist() if numeric else labels.tolist()
        raise ValueError(f"{what}labels must be whole numbers from 0 to {architecture.units - 1}, got {wrong[0]!r}")
    labels = labels.astype(np.int32)
    missing = np.flatnonzero(np.bincount(labels, minlength=architecture.units) == 0)
    if missing.size:
        raise ValueError(
            f"{what}labels must hold every class from 0 to {architecture.units - 1}, "
            f"but class {missing[0]} has no sequence"
        )
    return _Data(tokens, labels)


def _checked_validation(validation: Any, architecture: Architecture) -> _Data:
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise ValueError(f"validation must be (tokens, labels), got {type(validation).__name__}")
    return _checked_data("validation ", validation[0], validation[1], architecture)


def _split(key: Array, data: _Data, fraction: float) -> tuple[_Data, _Data]:
    """Training and validation sequences: of every class the same fraction, but at least one in each."""
    fraction = checks.number("validation_fraction", fraction, above=0, below=1)
    held_out = np.zeros(len(data.labels), bool)
    order = np.asarray(jax.random.permutation(key, len(data.labels)))
    for k in np.unique(data.labels):
        members = order[data.labels[order] == k]
        if len(members) < 2:
            raise ValueError(
                f"tokens must hold at least 2 sequences of every class to split validation sequences off, "
                f"but class {k} has {len(members)}"
            )
        held_out[members[: min(max(1, round(fraction * len(members))), len(members) - 1)]] = True
    training = _Data(data.tokens[~held_out], data.labels[~held_out])
    return training, _Data(data.tokens[held_out], data.labels[held_out])


def _class_weights(class_weights: Any, labels: np.ndarray, units: int) -> np.ndarray:
    """Weight of each class, their mean over the sequences being 1."""
    if class_weights is None:
        return np.ones(units)
    if isinstance(class_weights, str):
        if class_weights != "balanced":
            raise ValueError(f"class_weights must be 'balanced' or {units} numbers, got {checks.shown(class_weights)}")
        weights = 1 / np.bincount(labels, minlength=units)
    else:
        weights = checks.finite_array("class_weights", class_weights)
        if weights.shape != (units,) or (weights <= 0).any():
            raise ValueError(f"class_weights must be {units} numbers above 0, got {checks.shown(class_weights)}")
    return weights / weights[labels].mean()
