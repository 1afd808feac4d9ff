"""A run of `sample` beside the exact numbers of an enumerated space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.results import Run
from jaxmaxent.testing._report import CheckPart, z_parts
from jaxmaxent.testing._space import Space

# Errors of so few effective draws are not known well enough to compare with.
_FEWEST = 50.0
# Letters as rare as this, or as common, come so seldom or so often that their counts are far from normal.
_RARE = 0.02
# Errors come from the means of batches, of which there are about so many.
_DEGREES = 30.0
# Letters at a position, rungs that swap and replicas of a chain depend on each other: about so many go together.
_TOGETHER = 10.0


class Exact(NamedTuple):
    """Exact numbers at every rung.

    Attributes:
        frequencies: of letters at the positions that move, shape [rungs, positions, letters].
        energy: ⟨E⟩, shape [rungs].
        log_z: log Z, shape [rungs].
    """

    frequencies: Float[np.ndarray, "rungs positions letters"]
    energy: Float[np.ndarray, " rungs"]
    log_z: Float[np.ndarray, " rungs"]


def exact_of(space: Space, betas: Float[np.ndarray, " rungs"]) -> Exact:
    """Return the exact numbers of a space at some β's."""
    p = np.array([space.rung(beta).distribution(beta) for beta in betas])
    letters = np.arange(len(space.ensemble.alphabet))
    columns = [space.states[:, position, None] == letters for position in space.positions]
    frequencies = np.stack([p @ column for column in columns], 1)
    log_z = np.logaddexp.reduce(np.array([space.rung(beta).log_weights(beta) for beta in betas]), axis=1)
    return Exact(frequencies, p @ space.energies.astype(np.float64), log_z)


def run_parts(space: Space, run: Run) -> list[CheckPart]:
    """Return the comparison of a run's letter frequencies, mean energies and log Z with the exact ones, at every rung.

    Deviations are in the run's own standard errors.
    """
    exact = exact_of(space, run.beta[0])
    every = (run.frequencies, run.frequency_errors, run.frequency_ess)
    found, error, ess = (values[0][:, space.positions] for values in every)
    varies = np.minimum(exact.frequencies, 1 - exact.frequencies) > _RARE
    known = varies & (ess >= _FEWEST) & (error > 0)
    unknown = CheckPart(
        "letters of the run with an effective sample size too small to compare",
        float((varies & ~known).sum()),
        varies.sum() / 4,
        "letters",
        int(varies.sum()),
    )
    parts = [unknown]
    if known.any():
        z = (found - exact.frequencies)[known] / error[known]
        parts += z_parts("letter frequencies of the run at every rung", z, degrees=_DEGREES, alike=_TOGETHER)
    for what, values, errors, right in (
        ("mean energies of the run", run.energy[0], run.energy_error[0], exact.energy),
        ("log Z of the run", run.log_z[0], run.log_z_error[0], exact.log_z),
    ):
        usable = errors > 1e-9 * max(space.size, 1.0)
        if usable.any():
            z = (values - right)[usable] / errors[usable]
            parts.append(z_parts(f"{what} at every rung", z, degrees=_DEGREES)[0])
    return parts
