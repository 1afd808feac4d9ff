"""The checked input of `solve_chemical_potential`: fields by their names, and possible targets for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble, composition, dinucleotide


class Problem(NamedTuple):
    """Fields, their targets, and the anchors that share a μ.

    Attributes:
        target: wanted means per site, shape [fields].
        indices: indices of the fields in the ensemble.
        names: names of the fields.
        groups: indices of the anchors that share a μ.
        one: True if the field was given as a single name.
    """

    target: Float[np.ndarray, " fields"]
    indices: list[int]
    names: tuple[str, ...]
    groups: list[list[int]]
    one: bool


def problem_of(ensemble: Ensemble, target: Any, field: Any, *, shared: bool) -> tuple[Ensemble, Problem]:
    """Return the ensemble with all fields that were named, and the checked problem."""
    one = isinstance(field, str)
    names = (field,) if one else tuple(field) if isinstance(field, Sequence) else ()
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ValueError(f"field must be a name or several different ones, got {checks.shown(field)}")
    targets = [target] if one else list(target) if np.ndim(target) == 1 else []
    if len(targets) != len(names):
        raise ValueError(f"target must have one entry for each of {len(names)} fields, got {checks.shown(target)}")
    for name in names:
        ensemble = _with_field(ensemble, name)
    growing = [its.name for its in ensemble.fields if its.grows]
    if growing and not (np.asarray(ensemble.beta) > 0).all():
        raise ValueError(f"ensemble must have a β above 0 with fields that grow along a ladder, such as {growing[0]!r}")
    known = [its.name for its in ensemble.fields]
    indices = [known.index(name) for name in names]
    checked = [_checked_target(entry, ensemble.fields[index]) for entry, index in zip(targets, indices, strict=True)]
    anchors = list(range(ensemble.anchors))
    groups = [anchors] if shared else [[a] for a in anchors]
    return ensemble, Problem(np.array(checked), indices, names, groups, one)


def _with_field(ensemble: Ensemble, name: str) -> Ensemble:
    """Return the ensemble with a field of this name, at μ = 0 if the field is new."""
    if name in [its.name for its in ensemble.fields]:
        return ensemble
    letters = ensemble.alphabet.letters
    pair = len(name) == 3 and name[1] == "p" and "p" not in letters
    made = (
        dinucleotide(name[0] + name[2], alphabet=ensemble.alphabet)
        if pair
        else composition(name, alphabet=ensemble.alphabet)
    )
    made = made.replace(mu=jnp.zeros_like(ensemble.beta))  # pyright: ignore[reportAttributeAccessIssue]
    return ensemble.replace(fields=(*ensemble.fields, made))  # pyright: ignore[reportAttributeAccessIssue]


def _checked_target(target: Any, field: Any) -> float:
    """Check a target: between 0 and 1 for a field that counts sites or pairs, any number for one that scores them."""
    tables = [np.asarray(table) for table in (field.unary, field.pair) if table is not None]
    counts = not field.grows and all(np.isin(table, (0, 1)).all() for table in tables)
    bounds = {"above": 0.0, "below": 1.0} if counts else {"above": -math.inf}
    return checks.number("target", target, **bounds)
