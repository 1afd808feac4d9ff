"""Short texts about an ensemble, for people: they read a few small arrays and compute nothing."""

from __future__ import annotations

import html
from typing import Any

import jax
import numpy as np
from jax import core

from jaxmaxent.ensembles._representation import name_of


def summary(ensemble: Any) -> dict[str, str]:
    """Return the values that identify an ensemble, by their names in a small table.

    Under `jax.jit`, and wherever a pytree holds something else than arrays, a value is left out or said to be traced.
    """
    found = {"anchors": "1", "length": "?", "alphabet": ensemble.alphabet.letters, "β": _numbers(ensemble.beta)}
    shape: tuple[int, ...] = getattr(ensemble.anchor, "shape", ())
    if len(shape) > 0:
        found["length"] = str(shape[-1])
    if len(shape) > 1:
        found["anchors"] = "×".join(map(str, shape[:-1]))
    fields = ensemble.fields if isinstance(ensemble.fields, tuple) else ()
    found["fields"] = ", ".join(f"{field.name} (μ = {_numbers(field.mu)})" for field in fields) or "none"
    movable: tuple[int, ...] = getattr(ensemble.movable, "shape", ())
    held = tuple(shape)[-1] - tuple(movable)[-1] if len(shape) and len(movable) else "?"
    found["positions held"] = str(held) if ensemble.held is None else f"{held} and more in some anchors"
    found["network"] = name_of(ensemble.features)
    if ensemble.metric.name != "euclidean":
        found["distance"] = ensemble.metric.name
    return found


def line(ensemble: Any) -> str:
    """Return the ensemble in one line."""
    return f"Ensemble({', '.join(f'{name}: {value}' for name, value in summary(ensemble).items())})"


def table(ensemble: Any) -> str:
    """Return the ensemble as a table in HTML."""
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in summary(ensemble).items()
    )
    return f"<table><caption>Ensemble</caption>{rows}</table>"


@jax.transfer_guard("allow")
def _numbers(value: Any) -> str:
    """Return the number that an array holds, or the smallest and the largest of several."""
    if isinstance(value, core.Tracer):
        return "traced"
    if not isinstance(value, jax.Array | np.ndarray | np.number | float | int) or not np.size(value):
        return "?"
    try:
        numbers = np.asarray(value, float)
        low, high = numbers.min(), numbers.max()
    except RuntimeError:  # an array of several processes, or one that was given away
        return "?"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
