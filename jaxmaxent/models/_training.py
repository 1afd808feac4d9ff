"""Training of a classifier. Each epoch is one compiled call; the host decides after each whether to continue."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int
from scipy.special import log_softmax

from jaxmaxent import checks, console
from jaxmaxent.models._epoch import Hyper, Recipe, TrainingState, hyper_parameters, initial, one_epoch
from jaxmaxent.models._labeled import (
    Labeled,
    checked_data,
    checked_validation,
    class_weights_of,
    split,
    with_other_strand,
)
from jaxmaxent.models._metrics import auroc, logits
from jaxmaxent.models._networks import Architecture, Network
from jaxmaxent.models._parameters import with_parameters

_VALIDATION_BATCH = 1024
_MOST_EPOCHS = 100_000  # a limit, because the learning rates of all steps are computed before the first step


class Epoch(NamedTuple):
    """The losses and other results of one epoch.

    Attributes:
        loss: mean training loss over the epoch (cross-entropy in nats, with class weights and dropout).
        validation_loss: loss on the validation sequences at the end of the epoch, without dropout.
        validation_auroc: AUROC of class 1 for two classes; for more, the mean over classes, each against the others.
        seconds: time of the epoch and its validation, without compilation.
    """

    loss: float
    validation_loss: float
    validation_auroc: float
    seconds: float


class TrainResult(NamedTuple):
    """A trained network and the history of its training.

    Attributes:
        network: the network with the weights of `best_epoch`, in evaluation mode.
        history: one `Epoch` for every epoch that was run.
        best_epoch: index of the best epoch in `history`.
        stopped_early: True if patience ended the training before the last epoch.
        compile_seconds: time of compilation; a few ms at most if the program was compiled before.
    """

    network: Network
    history: list[Epoch]
    best_epoch: int
    stopped_early: bool
    compile_seconds: float


def train(
    key: Array,
    architecture: Architecture,
    tokens: Int[np.ndarray, "n length"],
    labels: Int[np.ndarray, " n"],
    *,
    validation: tuple[Any, Any] | None = None,
    validation_fraction: float = 0.1,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.3,
    monitor: Literal["loss", "auroc"] = "loss",
    patience: int = 4,
    class_weights: Literal["balanced"] | Sequence[float] | None = None,
    both_strands: bool = False,
    progress: bool = True,
) -> TrainResult:
    """Train a new network with AdamW on the cross-entropy, and keep the weights of the best epoch in validation.

    The same key and data on the same machine give the same weights, bit by bit.

    The defaults suit the default `ConvArchitecture` on 10⁴ to 10⁵ sequences. The XOR of a dinucleotide is learned with
    epochs=60, learning_rate=0.02, weight_decay=0, patience=60.

        result = train(jax.random.key(0), ConvArchitecture(length=101), tokens, labels)
        save(result.network, "model")

    Args:
        key: a typed key (`jax.random.key`) for the initial weights, the order of the sequences, dropout and the split.
        architecture: the architecture of the new network.
        tokens: training sequences, shape [n, length].
        labels: class of each sequence, 0 to units − 1, shape [n]. Every class must be present.
        validation: (tokens, labels) for choosing the best epoch. None sets a part of the training sequences aside.
        validation_fraction: the size of that part. It is the same fraction of every class and is not trained on.
        epochs: the most passes over the training sequences; `patience` may end them sooner, and the weights of the best
            one are kept. The learning rate has fallen to 0 at the end of the last one.
        batch_size: sequences per step, at most the number of training sequences. Each epoch uses whole batches only,
            and leaves out some random sequences if the number is not a multiple.
        learning_rate: the largest learning rate of the schedule.
        weight_decay: decoupled weight decay of the kernels, ≥ 0.
        monitor: the best epoch has the lowest validation "loss" or the highest validation "auroc".
        patience: stop after this number of epochs in a row without a better one.
        class_weights: weight of each class in the loss, or "balanced" for weights in proportion to 1 / frequency. They
            are scaled so that the mean over the training sequences is 1.
        both_strands: train on the reverse complement of every sequence as well, with the same label. This helps if the
            table is small and the features may be on either strand. Validation sequences are used as they are.
        progress: show a bar over the epochs.

    Returns:
        the network, its history and the time of compilation.

    Raises:
        ValueError: for an argument out of range, which the message names, or if the loss is no longer finite.
    """
    key = checks.typed_key(key)
    checks.like("architecture", architecture, "build", "an architecture, such as ConvArchitecture(length=101)")
    data = checked_data("", tokens, labels, architecture)
    init_key, split_key, epochs_key = jax.random.split(key, 3)
    if validation is None:
        data, held_out = split(split_key, data, validation_fraction)
    else:
        held_out = checked_validation(validation, architecture)
    if both_strands:
        data = with_other_strand(data, architecture.alphabet)
    batch_size = min(checks.integer("batch_size", batch_size, at_least=1), len(data.labels))
    recipe = Recipe(architecture, batch_size, len(data.labels) // batch_size)
    epochs = checks.integer("epochs", epochs, at_least=1, at_most=_MOST_EPOCHS)
    hyper = hyper_parameters(learning_rate, weight_decay, epochs, recipe.steps)
    weights = class_weights_of(class_weights, data.labels, architecture.units)
    if monitor not in ("loss", "auroc"):
        raise ValueError(f"monitor must be 'loss' or 'auroc', got {checks.shown(monitor)}")
    patience = checks.integer("patience", patience, at_least=1)
    fit = _Fit(recipe, hyper, data, held_out, weights)
    return fit.run(init_key, epochs_key, monitor, patience, progress)


class _Fit:
    """A training: its compiled epoch, and its data on the device."""

    def __init__(self, recipe: Recipe, hyper: Hyper, data: Labeled, held_out: Labeled, weights: np.ndarray) -> None:
        self.recipe, self.hyper, self.held_out, self.weights = recipe, hyper, held_out, weights
        self.on_device = (Labeled(*map(jnp.asarray, data)), jnp.asarray(weights, jnp.float32))

    def run(self, init_key: Array, key: Array, monitor: str, patience: int, progress: bool) -> TrainResult:
        """Run epochs until all are done or there was no better one for `patience` epochs."""
        epochs, start = len(self.hyper.rates), time.perf_counter()
        state = initial(self.recipe.architecture, init_key)
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

    def compile(self, state: TrainingState, key: Array) -> None:
        """Compile the programs that an epoch runs."""
        one_epoch.lower(self.recipe, state, key, self._hyper_of(0), *self.on_device).compile()
        self._outputs(state.params, self.held_out.tokens[:_VALIDATION_BATCH])

    def epoch(self, state: TrainingState, key: Array, index: int) -> tuple[TrainingState, Epoch]:
        """Run one epoch and its validation."""
        start = time.perf_counter()
        state, losses = one_epoch(self.recipe, state, key, self._hyper_of(index), *self.on_device)
        losses = np.asarray(losses)
        self._check_finite(np.isfinite(losses).all(), index)
        outputs = self._outputs(state.params, self.held_out.tokens)
        self._check_finite(np.isfinite(outputs).all(), index)
        labels = self.held_out.labels
        validation_loss = _mean_loss(outputs, labels, self.weights)
        seconds = time.perf_counter() - start
        return state, Epoch(float(losses.mean()), validation_loss, _mean_auroc(outputs, labels), seconds)

    def _hyper_of(self, epoch: int) -> Hyper:
        return Hyper(self.hyper.rates[epoch], self.hyper.weight_decay)

    def _outputs(self, params: Any, tokens: np.ndarray) -> np.ndarray:
        return logits(self.recipe.architecture, params, tokens, _VALIDATION_BATCH)

    def _check_finite(self, finite: bool | np.bool_, epoch: int) -> None:
        if not finite:
            raise ValueError(
                f"the loss is no longer finite in epoch {epoch} (0-based): "
                f"learning_rate {self.hyper.rates.max():g} is too high for this network and data"
            )


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
