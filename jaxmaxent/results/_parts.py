"""Parts of a run that are kept if not all of it is."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import numpy as np

from jaxmaxent import checks
from jaxmaxent.results._run import Run
from jaxmaxent.results._schema import VARIABLES, axes

Keep = Literal["profile", "ladder", "draws"]
KEEPS: tuple[str, ...] = get_args(Keep)


def checked_keep(value: object) -> str:
    """Return `value`; ValueError if it is none of "profile", "ladder" and "draws"."""
    if value not in KEEPS:
        raise ValueError(f'keep must be "profile", "ladder" or "draws", got {checks.shown(value)}')
    return str(value)


def kept(run: Run, keep: str) -> Run:
    """Return a run without what is not kept.

    Args:
        run: the run.
        keep: "draws" for all of it; "ladder" for all but stored draws; "profile" for the first rung and the target
            alone, with one traced state. What belongs to the rungs between is NaN then.
    """
    if keep == "draws":
        return run
    run = dataclasses.replace(run, draws=None)
    rungs = run.beta.shape[1]
    if keep == "ladder" or rungs == 1:
        return run
    arrays = {name: getattr(run, name) for name in VARIABLES if getattr(run, name) is not None}
    for name, array in arrays.items():
        dims = axes(name)
        if "rung" in dims:
            arrays[name] = np.take(array, [0, rungs - 1], axis=dims.index("rung"))
        if "state" in dims:
            arrays[name] = np.take(arrays[name], [-1], axis=dims.index("state"))
    slots = [0, *range(rungs - 1, run.last.shape[1])]
    unknown = np.full((len(run.names), 1), np.nan)
    return dataclasses.replace(run, **arrays | {"swap_acceptance": unknown, "last": run.last[:, slots]})
