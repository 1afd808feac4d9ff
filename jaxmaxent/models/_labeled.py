"""Labeled sequences for training: they are checked, split and weighted by class."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from jaxmaxent import checks
from jaxmaxent.ensembles import Alphabet
from jaxmaxent.models._networks import Architecture
from jaxmaxent.models._parameters import checked_tokens


class Labeled(NamedTuple):
    """Labeled sequences: tokens [sequences, length] uint8 and labels [sequences] int32, on the host or the device."""

    tokens: Any
    labels: Any


def with_other_strand(data: Labeled, alphabet: Alphabet) -> Labeled:
    """Append the reverse complement of every sequence, with the same label."""
    if alphabet.complements is None:
        raise ValueError(f"both_strands needs complements, which the alphabet {alphabet.letters!r} does not have")
    return Labeled(np.concatenate([data.tokens, alphabet.reverse_complement(data.tokens)]), np.tile(data.labels, 2))


def checked_data(what: str, tokens: Any, labels: Any, architecture: Architecture) -> Labeled:
    """Return tokens and labels that fit each other and the architecture; errors begin with `what`."""
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
    return Labeled(tokens, labels)


def checked_validation(validation: Any, architecture: Architecture) -> Labeled:
    """Return the validation sequences that the caller gave, after checks."""
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise ValueError(f"validation must be (tokens, labels), got {type(validation).__name__}")
    return checked_data("validation ", validation[0], validation[1], architecture)


def split(key: Array, data: Labeled, fraction: float) -> tuple[Labeled, Labeled]:
    """Split into training and validation sequences: the same fraction of each class, at least one sequence of it."""
    fraction = checks.number("validation_fraction", fraction, above=0, below=1)
    held_out = np.zeros(len(data.labels), bool)
    order = np.asarray(jax.random.permutation(key, len(data.labels)))
    for k in np.unique(data.labels):
        members = order[data.labels[order] == k]
        if len(members) < 2:
            raise ValueError(
                f"tokens must hold at least 2 sequences of every class to split off validation sequences, "
                f"but class {k} has {len(members)}"
            )
        held_out[members[: min(max(1, round(fraction * len(members))), len(members) - 1)]] = True
    training = Labeled(data.tokens[~held_out], data.labels[~held_out])
    return training, Labeled(data.tokens[held_out], data.labels[held_out])


def class_weights_of(class_weights: Any, labels: np.ndarray, units: int) -> np.ndarray:
    """Return the weight of each class, scaled so that the mean over the sequences is 1."""
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
