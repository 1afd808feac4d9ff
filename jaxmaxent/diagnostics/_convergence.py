"""Convergence: diagnostics of all estimates of one anchor, and the verdict on them as a sentence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from jaxmaxent.diagnostics._anchor_start import AnchorStart
from jaxmaxent.diagnostics._batch_means import batch_ess, batch_mcse, batch_means_ess, batch_means_mcse, indicator_rhat
from jaxmaxent.diagnostics._stored_draws import ess_bulk, ess_tail, nested_rhat
from jaxmaxent.diagnostics._two_legs import TwoLegs

# Sequences in a superchain of R-hat: if they never move, R-hat is √(1 + 1/n).
_MOST_TOGETHER = 16


class Batches(NamedTuple):
    """Counts and traces of chains of one anchor.

    Attributes:
        letters: counts of each letter at each position, shape [batches, chains, rungs, length, letters].
        means: mean energy, distance in letters and field counts, shape [batches, chains, rungs, scalars].
        traces: the same of single draws, shape [chains, draws, rungs, scalars].
        variance: variance of the same over all draws of a chain, mean over the chains, shape [rungs, scalars].
        trips: sequences that came to the target, by the lowest rung they had been at since the last time, shape
            [rungs].
        size: draws of a batch.
        target_replicas: sequences at the target in each draw; 1 at the other rungs.
    """

    letters: Integer[np.ndarray, "batches chains rungs length letters"]
    means: Float[np.ndarray, "batches chains rungs scalars"]
    traces: Float[np.ndarray, "chains draws rungs scalars"]
    variance: Float[np.ndarray, "rungs scalars"]
    trips: Integer[np.ndarray, " rungs"]
    size: int
    target_replicas: int


class Verdict(NamedTuple):
    """The verdict on the estimates of one anchor.

    Attributes:
        found: their diagnostics.
        start: energies of the anchor-start chains.
        legs: log Z by two legs; None without a second leg.
        converged: whether everything wanted was reached.
        outcome: a sentence that says so, or what is missing.
    """

    found: Diagnosis
    start: AnchorStart
    legs: TwoLegs | None
    converged: bool
    outcome: str


class Diagnosis(NamedTuple):
    """Diagnostics of the estimates of one anchor at all its rungs.

    If a letter was always or never seen at a rung, its R-hat is NaN, and its effective sample size comes from below:
    sequences have come to the target, all of which agreed, from a rung where the letter was seen at times. The
    effective sample size is the number of these sequences or the smallest of any letter at that rung, whichever is
    smaller; of all such rungs, the largest counts. At β = 0 sequences are drawn independently, so all that came from
    there count. Without a ladder it is 0. Positions that are held and letters that are forbidden have no R-hat and an
    infinite effective sample size, because nothing is estimated there.

    Attributes:
        letter_rhat: R-hat of letter frequencies, shape [rungs, length, letters].
        letter_ess: their effective sample sizes, the same shape.
        letter_mcse: their standard errors, the same shape.
        scalar_rhat: R-hat of energy, distance in letters and field counts, shape [rungs, scalars].
        scalar_ess: their bulk effective sample sizes, the same shape.
        scalar_tail_ess: their tail effective sample sizes, the same shape.
        scalar_mcse: standard errors of their means, the same shape.
    """

    letter_rhat: Float[np.ndarray, "rungs length letters"]
    letter_ess: Float[np.ndarray, "rungs length letters"]
    letter_mcse: Float[np.ndarray, "rungs length letters"]
    scalar_rhat: Float[np.ndarray, "rungs scalars"]
    scalar_ess: Float[np.ndarray, "rungs scalars"]
    scalar_tail_ess: Float[np.ndarray, "rungs scalars"]
    scalar_mcse: Float[np.ndarray, "rungs scalars"]

    def max_rhat(self) -> Float[np.ndarray, " rungs"]:
        """Return the largest R-hat of every rung, NaN if there is none."""
        both = np.concatenate([self.letter_rhat.reshape(len(self.letter_rhat), -1), self.scalar_rhat], axis=1)
        return np.where(np.isnan(both).all(1), np.nan, np.max(np.nan_to_num(both, nan=-np.inf, posinf=np.inf), axis=1))

    def min_ess(self) -> Float[np.ndarray, " rungs"]:
        """Return the smallest effective sample size of every rung."""
        return np.minimum(self.letter_ess.min((1, 2)), self.scalar_ess.min(1))


def diagnose(batches: Batches, varies: Bool[np.ndarray, "length letters"], *, tails: bool = True) -> Diagnosis:
    """Return diagnostics of one anchor at all its rungs.

    Args:
        batches: counts and traces of its chains.
        varies: letters that a position may have besides others; nothing is estimated elsewhere.
        tails: whether tail effective sample sizes are wanted, which decide nothing; NaN if not.
    """
    counts, size, replicas = batches.letters, batches.size, batches.target_replicas
    letters = [_of_letters(counts[:, :, :-1], size, 1), _of_letters(counts[:, :, -1:], size, replicas)]
    rhat, ess, mcse = (np.concatenate(both) for both in zip(*letters, strict=True))
    traces, means = batches.traces, batches.means
    found = Diagnosis(
        letter_rhat=rhat,
        letter_ess=ess,
        letter_mcse=mcse,
        scalar_rhat=nested_rhat(traces, chains_together(traces.shape[0])),
        scalar_ess=_scalar_ess(traces, means, size, replicas, batches.variance),
        scalar_tail_ess=ess_tail(traces) if tails else np.full(traces.shape[2:], np.nan),
        scalar_mcse=batch_means_mcse(means).error,
    )
    seen = counts.sum((0, 1), dtype=np.int64)
    constant = (seen == 0) | (seen == seen.sum(-1, keepdims=True))
    found.letter_ess[:] = with_trips(found.letter_ess, constant, batches.trips)
    # The standard deviation that remains possible after so many agreeing sequences (Laplace's rule).
    agreeing = found.letter_ess[constant]
    found.letter_mcse[constant] = np.where(agreeing > 0, 1 / (agreeing + 2), np.nan)
    constant = (np.ptp(traces, axis=(0, 1)) == 0) & (np.ptp(means, axis=(0, 1)) == 0)
    found.scalar_ess[:] = with_trips(found.scalar_ess, constant, batches.trips)
    found.letter_rhat[:, ~varies] = np.nan
    found.letter_ess[:, ~varies] = np.inf
    found.letter_mcse[:, ~varies] = 0
    return found


def target_rhat(
    counts: Integer[np.ndarray, "batches chains 1 length letters"],
    size: int,
    target_replicas: int,
    varies: Bool[np.ndarray, "length letters"],
) -> float:
    """Return the largest R-hat of the letters at the target, −∞ if it is unknown for all of them.

    It costs a small part of `diagnose`, and is mostly enough to say that a run has to go on.

    Args:
        counts: counts of each letter at each position of the target.
        size: draws of a batch.
        target_replicas: sequences at the target in each draw.
        varies: as for `diagnose`.
    """
    return float(_known(_letter_rhat(counts, size, target_replicas)[:, varies], -np.inf).max())


def with_trips(
    ess: Float[np.ndarray, "rungs ..."], constant: Bool[np.ndarray, "rungs ..."], trips: Integer[np.ndarray, " rungs"]
) -> Float[np.ndarray, "rungs ..."]:
    """Return effective sample sizes, with those of quantities that never changed at a rung; see `Diagnosis`.

    Args:
        ess: effective sample sizes at every rung.
        constant: quantities that never changed there.
        trips: sequences that came to the target, by the lowest rung they had been at since the last time.
    """
    came = np.cumsum(trips)  # those from a rung had been at it or below
    # Not that of the letter itself: if it is seen in a single draw, it would seem as large as there are draws.
    smallest = np.where(constant, np.inf, ess).reshape(len(ess), -1).min(1)
    bound = np.minimum(smallest, came)
    bound[0] = came[0]
    known = np.where(constant, 0, bound.reshape(-1, *[1] * (ess.ndim - 1)))
    known[0] = came[0]
    best = np.maximum.accumulate(known)
    # All that came to the target have passed the rungs between.
    return np.where(constant, np.concatenate([best[:1], best[:-1]]), ess)


def _of_letters(
    counts: Integer[np.ndarray, "batches chains rungs length letters"], size: int, replicas: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return R-hat, effective sample size and standard error of letter frequencies, from batches of so many draws."""
    sequences = size * replicas
    errors = batch_mcse(counts, sequences).error
    return _letter_rhat(counts, size, replicas), batch_ess(counts, sequences), errors


def _letter_rhat(
    counts: Integer[np.ndarray, "batches chains rungs length letters"], size: int, replicas: int
) -> Float[np.ndarray, "rungs length letters"]:
    together = chains_together(counts.shape[1], replicas)
    return indicator_rhat(*_joined_counts(counts, size * replicas, together))


def _scalar_ess(
    traces: Float[np.ndarray, "chains draws rungs scalars"],
    means: Float[np.ndarray, "batches chains rungs scalars"],
    size: int,
    replicas: int,
    variance: Float[np.ndarray, "rungs scalars"],
) -> Float[np.ndarray, "rungs scalars"]:
    """Return bulk effective sample sizes of the traces, or those of all draws if the traces are too thin.

    A trace keeps a bounded number of draws. If these are hardly correlated, there were more effective draws between
    them, and the batch means of all draws tell how many. The same holds if the traced draws are all alike and others
    are not. At the target a trace goes from one replica to another, so its
    draws have little correlation but for a long time, which noise can hide. There the effective sample size is at most
    the one that the standard error implies.
    """
    bulk, spread = ess_bulk(traces), variance + means.mean(0).var(0)
    batches = batch_means_ess(means, spread, size)
    thin = (bulk > traces.shape[0] * traces.shape[1] / 4) | (np.ptp(traces, axis=(0, 1)) == 0)
    found = np.where(thin, batches, bulk)
    if replicas > 1:
        error = batch_means_mcse(means[:, :, -1]).error
        found[-1] = np.where(error > 0, np.minimum(found[-1], spread[-1] / error**2), found[-1])
    return found


def chains_together(chains: int, replicas: int = 1) -> int:
    """Return how many chains make one superchain of the nested R-hat (Margossian et al., Bayesian Analysis, 2024).

    R-hat of single chains requires that each is long enough on its own; R-hat of superchains requires it of all chains
    of a superchain together. Up to four chains make one superchain, and there are at least four superchains. Of 64
    chains or more, which can be shorter for it, eight or sixteen make one, and there are at least eight. A superchain
    of several chains has at most 16 sequences: if all of them stay where they are, R-hat is still about
    √(1 + 1/16) = 1.03, so no number of chains makes up for chains that do not move.

    Args:
        chains: number of chains.
        replicas: sequences of each chain.
    """
    fewest = {1: 4, 2: 4, 4: 4, 8: 8, 16: 8}  # superchains, by the number of chains in each
    wanted = (
        n for n, least in fewest.items()
        if chains % n == 0 and chains >= least * n and n * replicas <= _MOST_TOGETHER
    )  # fmt: skip
    return max(wanted, default=1)


def _joined_counts(counts: np.ndarray, size: int, together: int) -> tuple[np.ndarray, int]:
    """Return counts [batches, superchains, …], and the draws in a batch of one superchain."""
    shape = (counts.shape[0], counts.shape[1] // together, together, *counts.shape[2:])
    return counts.reshape(shape).sum(2, dtype=np.int64), size * together


def judge(
    found: Diagnosis,
    *,
    rhat: float,
    ess: float,
    mcse: float | None,
    letters: str,
    scalar_names: tuple[str, ...],
    betas: Float[np.ndarray, " rungs"],
) -> tuple[bool, str]:
    """Return whether everything wanted is reached at every rung, and a sentence that says so or what is missing.

    Args:
        found: the diagnostics.
        rhat: largest R-hat wanted.
        ess: smallest effective sample size wanted.
        mcse: largest standard error of a letter frequency wanted, or None.
        letters: the alphabet.
        scalar_names: names of the field counts.
        betas: the ladder.
    """
    misses = _letter_misses(found, rhat, ess, mcse, letters, betas)
    names = ("energy", "distance in letters", *scalar_names)
    for name, rhats, sizes in zip(names, found.scalar_rhat.T, found.scalar_ess.T, strict=True):
        rhats = _known(rhats, -np.inf)
        if (worst := rhats.max()) > rhat:
            at = _at(betas, int(rhats.argmax()))
            misses.append(f"R-hat of the {name} is {worst:.4g}{at}, wanted ≤ {rhat:g}")
        if not (least := sizes.min()) >= ess:
            at = _at(betas, int(sizes.argmin()))
            misses.append(f"the effective sample size of the {name} is {least:,.0f}{at}, wanted {ess:g}")
    if misses:
        return False, "; ".join(misses)
    rhats, sizes = found.max_rhat(), found.min_ess()
    where = f" at any β ({rhats[-1]:.3f} and {sizes[-1]:,.0f} at the target)" if len(betas) > 1 else ""
    return True, (
        f"largest R-hat {np.fmax.reduce(rhats):.3f} and smallest effective sample size {sizes.min():,.0f}{where}"
    )


def _letter_misses(
    found: Diagnosis, rhat: float, ess: float, mcse: float | None, letters: str, betas: Float[np.ndarray, " rungs"]
) -> list[str]:
    def where(mask: np.ndarray) -> str:
        rung, position, letter = np.argwhere(mask)[0]
        return f"at position {position}, letter {letters[letter]}{_at(betas, rung)}"

    misses = []
    rhats = _known(found.letter_rhat, -np.inf)
    if not (worst := rhats.max()) <= rhat:
        misses.append(f"R-hat is {worst:.4g} {where(rhats == worst)}, wanted ≤ {rhat:g}")
    if not (least := found.letter_ess.min()) >= ess:
        at = where(found.letter_ess == least)
        misses.append(f"the effective sample size is {least:,.0f} {at}, wanted {ess:g}")
    if mcse is not None:
        errors = _known(found.letter_mcse, np.inf)
        if not (worst := errors.max()) <= mcse:
            misses.append(f"a standard error is {worst:.2g} {where(errors == worst)}, wanted ≤ {mcse:g}")
    return misses


def _known(values: np.ndarray, unknown: float) -> np.ndarray:
    return np.nan_to_num(values, nan=unknown, posinf=np.inf)


def _at(betas: Float[np.ndarray, " rungs"], rung: int) -> str:
    """Return the β of a rung in words; nothing if there is only one rung."""
    return f", β = {betas[rung]:.3g}" if len(betas) > 1 else ""
