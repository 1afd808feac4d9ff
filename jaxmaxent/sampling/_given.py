"""Checks of single options of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxmaxent import checks


def checked_names(names: Sequence[str] | None, anchors: int) -> tuple[str, ...]:
    """Return a name for each anchor: those given, or anchor_0, anchor_1, …; ValueError if they do not fit."""
    if names is None:
        return tuple(f"anchor_{i}" for i in range(anchors))
    if isinstance(names, str | bytes | dict) or not (hasattr(names, "__iter__") and hasattr(names, "__len__")):
        raise ValueError(f"names must be a list of {anchors} names, got {checks.shown(names)}")
    if len(names) != anchors:
        raise ValueError(f"names must name each of {anchors} anchors, got {len(names)} names")
    return tuple(str(name) for name in names)


def checked_store_every(given: Any, thin: int, steps: int) -> int | None:
    """Return the steps between two stored draws, or None; ValueError unless they are a multiple of `thin`."""
    if given is None:
        return None
    every = checks.multiple("store_every", checks.integer("store_every", given, at_least=1), "thin", thin)
    if every > steps:
        raise ValueError(f"store_every must be at most steps = {steps}, got {every}")
    return every


def check_counts(steps: int, target_replicas: int) -> None:
    """Check that counts between two visits of the host are numbers that the device can hold."""
    if steps * target_replicas > checks.MOST:
        raise ValueError(
            f"target_replicas must be at most {checks.MOST // steps:,} for so many steps, got {target_replicas:,}: "
            f"take fewer, or fewer steps or burn_in"
        )
