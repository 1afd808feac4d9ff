"""The part of a run that an analysis is about: one anchor, one rung, one field, and the draws stored there."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxmaxent import checks
from jaxmaxent.results import Run


def checked_run(run: Any, attribute: str) -> Run:
    """Return `run`, or raise a ValueError if it is not a run that has this attribute."""
    return checks.like("run", run, attribute, "a Run: sample gives one, and Run.load reads one from a file")


def anchor_of(run: Run, anchor: Any) -> int:
    """Return the index of an anchor, or raise a ValueError if the run has no such anchor."""
    return index_of("anchor", anchor, len(run.beta))


def rung_of(run: Run, rung: Any) -> int:
    """Return the index of a rung, that of the target for None, or raise a ValueError if the run has no such rung."""
    rungs = run.beta.shape[1]
    if rung is None:
        return rungs - 1
    try:
        return index_of("rung", rung, rungs)
    except ValueError as error:
        wanted = f"rung must be None, which means the target, or a whole number from 0 to {rungs - 1}"
        raise ValueError(f"{wanted}, got {checks.shown(rung)}") from error


def field_of(run: Run, field: int | str) -> int:
    """Return the index of a field that is given by its name or its index.

    Raises:
        ValueError: if the run has no such field.
    """
    checked_run(run, "field_names")
    if isinstance(field, str):
        if field not in run.field_names:
            raise ValueError(
                f"field must be one of the run's fields {list(run.field_names)}, got {checks.shown(field)}"
            )
        return run.field_names.index(field)
    if not run.field_names:
        raise ValueError("run must have a field to look at, got one without: Ensemble.create(..., fields=[…]) adds it")
    return index_of("field", field, len(run.field_names))


def growing_fields(run: Run) -> tuple[str, ...]:
    """Return the names of the fields whose μ grows along the ladder of a run."""
    grows = (np.asarray(run.mu_share) != 1).any((0, 1))
    return tuple(name for name, growing in zip(run.field_names, grows, strict=True) if growing)


def refuse_growing(run: Run, why: str) -> None:
    """Raise ValueError if a run has fields that grow along its ladder; `why` says what does not go with them."""
    if growing := growing_fields(run):
        raise ValueError(f"run must have no field that grows along the ladder, got {growing[0]!r}: {why}")


def index_of(name: str, value: Any, size: int) -> int:
    """Return `value` as an index of one of `size` things, or raise a ValueError; there are no negative indices."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value < size:
        raise ValueError(f"{name} must be a whole number from 0 to {size - 1}, got {checks.shown(value)}")
    return int(value)


def stored_draws(run: Run, *, anchor: int = 0, rung: int | None = None) -> UInt8[np.ndarray, "chains draws length"]:
    """Return the stored draws of one anchor at one rung, as tokens of each chain.

    The draws of a chain are in the order drawn and are not independent of each other. Chains are independent.

    Args:
        run: a run with stored draws (`sample(..., store_every=…)`).
        anchor: index of the anchor.
        rung: index of the rung; None means the target.

    Raises:
        ValueError: if the run stored no draws, or has no such anchor or rung.

    Example:
        >>> analysis.stored_draws(run).shape  # [chains, draws, length]
        (4, 40, 24)
    """
    checked_run(run, "draws")
    if run.draws is None or 0 in run.draws.shape:
        raise ValueError("run must have stored draws, got one without: sample(..., store_every=…) keeps them")
    return run.draws[anchor_of(run, anchor), rung_of(run, rung)].swapaxes(0, 1)
