"""When a run has said enough: diagnostics of everything it estimates, and the verdict on them as a sentence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxmaxent import diagnostics
from jaxmaxent.sampling._options import Precision
from jaxmaxent.sampling.host._totals import Record

# Sequences in a superchain of R-hat: if they never move, it is √(1 + 1/n).
_MOST_TOGETHER = 16


class Diagnosis(NamedTuple):
    """What is known of the estimates of one anchor at all its rungs.

    Where a letter was always or never seen, R-hat is NaN, and what is known of it came from below: sequences have come
    to the top of the ladder, all of which said the same, from a rung where it was at times another. The effective
    sample size is the number of these sequences or the smallest of any letter at that rung, whichever is smaller; of
    all such rungs the one that says most. At β = 0, where they are drawn independently, all sequences that came from
    there count. It is 0 without a ladder. Positions that are held fixed and letters that are forbidden have no R-hat
    and an infinite effective sample size: nothing is estimated there.
    """

    letter_rhat: Float[np.ndarray, "rungs length letters"]
    letter_ess: Float[np.ndarray, "rungs length letters"]
    letter_mcse: Float[np.ndarray, "rungs length letters"]
    scalar_rhat: Float[np.ndarray, "rungs scalars"]
    scalar_ess: Float[np.ndarray, "rungs scalars"]
    scalar_tail_ess: Float[np.ndarray, "rungs scalars"]
    scalar_mcse: Float[np.ndarray, "rungs scalars"]

    def max_rhat(self) -> Float[np.ndarray, " rungs"]:
        """Largest R-hat of every rung, NaN where there is none."""
        both = np.concatenate([self.letter_rhat.reshape(len(self.letter_rhat), -1), self.scalar_rhat], axis=1)
        return np.where(np.isnan(both).all(1), np.nan, np.max(np.nan_to_num(both, nan=-np.inf, posinf=np.inf), axis=1))

    def min_ess(self) -> Float[np.ndarray, " rungs"]:
        """Smallest effective sample size of every rung."""
        return np.minimum(self.letter_ess.min((1, 2)), self.scalar_ess.min(1))


def diagnose(record: Record, anchor: int, chains: slice, varies: Bool[np.ndarray, "length letters"]) -> Diagnosis:
    """Diagnostics of one anchor at all its rungs, from the chains that are named.

    Args:
        record: what was seen.
        anchor: which anchor.
        chains: which of its chains.
        varies: which letters a position may have besides others; nothing is estimated elsewhere.
    """
    trips = record.sums["trips"][anchor, chains].sum(0)
    counts = np.stack([batch[anchor, chains] for batch in record.letters])
    means = np.stack([batch[anchor, chains] for batch in record.means])
    traces = np.stack([row[anchor, chains] for row in record.traces], axis=1)
    variance = record.scalars.variance()[anchor, chains].mean(0)
    letters = [
        _of_letters(counts[:, :, :-1], record.size, 1),
        _of_letters(counts[:, :, -1:], record.size, record.target_replicas),
    ]
    rhat, ess, mcse = (np.concatenate(both) for both in zip(*letters, strict=True))
    found = Diagnosis(
        letter_rhat=rhat,
        letter_ess=ess,
        letter_mcse=mcse,
        scalar_rhat=diagnostics.rhat(_joined_draws(traces, chains_together(traces.shape[0]))),
        scalar_ess=_scalar_ess(traces, means, record.size, record.target_replicas, variance),
        scalar_tail_ess=diagnostics.ess_tail(traces),
        scalar_mcse=diagnostics.batch_means_mcse(means).error,
    )
    seen = counts.sum((0, 1), dtype=np.int64)
    constant = (seen == 0) | (seen == seen.sum(-1, keepdims=True))
    found.letter_ess[:] = with_trips(found.letter_ess, constant, trips)
    # The standard deviation of what is left possible after so many agreeing sequences (Laplace's rule).
    agreeing = found.letter_ess[constant]
    found.letter_mcse[constant] = np.where(agreeing > 0, 1 / (agreeing + 2), np.nan)
    constant = (np.ptp(traces, axis=(0, 1)) == 0) & (np.ptp(means, axis=(0, 1)) == 0)
    found.scalar_ess[:] = with_trips(found.scalar_ess, constant, trips)
    found.letter_rhat[:, ~varies] = np.nan
    found.letter_ess[:, ~varies] = np.inf
    found.letter_mcse[:, ~varies] = 0
    return found


def has_to_go_on(
    record: Record, anchor: int, chains: slice, varies: Bool[np.ndarray, "length letters"], wanted: Precision
) -> bool:
    """Whether R-hat of the letters at the last rung is enough to say no, at a small part of the cost of a diagnosis.

    Arguments are those of `diagnose` and `judge`.
    """
    counts = np.stack([batch[anchor, chains, -1:] for batch in record.letters])
    rhat = _letter_rhat(counts, record.size, record.target_replicas)[:, varies]
    return not _known(rhat, -np.inf).max() <= wanted.rhat


def with_trips(
    ess: Float[np.ndarray, "rungs ..."], constant: Bool[np.ndarray, "rungs ..."], trips: Int[np.ndarray, " rungs"]
) -> Float[np.ndarray, "rungs ..."]:
    """Effective sample sizes with those of what never changed at a rung; see `Diagnosis`.

    Args:
        ess: effective sample sizes at every rung.
        constant: what never changed there.
        trips: sequences that came to the last rung, by the lowest rung they had been at since the last time.
    """
    came = np.cumsum(trips)  # those from a rung had been at it or below
    # Not that of the letter itself: seen in a single state it would seem as large as there are states.
    smallest = np.where(constant, np.inf, ess).reshape(len(ess), -1).min(1)
    says = np.minimum(smallest, came)
    says[0] = came[0]
    known = np.where(constant, 0, says.reshape(-1, *[1] * (ess.ndim - 1)))
    known[0] = came[0]
    best = np.maximum.accumulate(known)
    # All that came to the last rung have passed those between.
    return np.where(constant, np.concatenate([best[:1], best[:-1]]), ess)


def _of_letters(
    counts: Int[np.ndarray, "batches chains rungs length letters"], size: int, replicas: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R-hat, effective sample size and standard error of letter frequencies, from batches of `size` states."""
    sequences = size * replicas
    errors = diagnostics.batch_mcse(counts, sequences).error
    return _letter_rhat(counts, size, replicas), diagnostics.batch_ess(counts, sequences), errors


def _letter_rhat(
    counts: Int[np.ndarray, "batches chains rungs length letters"], size: int, replicas: int
) -> Float[np.ndarray, "rungs length letters"]:
    together = chains_together(counts.shape[1], replicas)
    return diagnostics.indicator_rhat(*_joined_counts(counts, size * replicas, together))


def _scalar_ess(
    traces: np.ndarray, means: np.ndarray, size: int, replicas: int, variance: Float[np.ndarray, "rungs scalars"]
) -> Float[np.ndarray, "rungs scalars"]:
    """Bulk effective sample sizes of the traces [chains, states, …]; of all states where the traces are too thin.

    A trace keeps a bounded number of states. Where these are hardly correlated there were more effective ones between
    them, and the batch means of all states say how many. At the last rung a trace goes from one of the replicas to
    another, so that its states are correlated little but for long, which can be lost in noise: there it is at most
    what the standard error tells.
    """
    bulk, spread = diagnostics.ess_bulk(traces), variance + means.mean(0).var(0)
    batches = diagnostics.batch_means_ess(means, spread, size)
    found = np.where(bulk > traces.shape[0] * traces.shape[1] / 4, batches, bulk)
    if replicas > 1:
        error = diagnostics.batch_means_mcse(means[:, :, -1]).error
        found[-1] = np.where(error > 0, np.minimum(found[-1], spread[-1] / error**2), found[-1])
    return found


def chains_together(chains: int, replicas: int = 1) -> int:
    """How many chains make one superchain of the nested R-hat (Margossian et al., Bayesian Analysis, 2024).

    R-hat of single chains asks that each is long enough on its own; of superchains, that all of a superchain together
    are. Up to four chains make one, and there are at least four of them. Several chains make one only if they have at
    most 16 sequences, so that sequences which all stay where they are still have an R-hat of √(1 + 1/16) = 1.03.

    Args:
        chains: how many there are.
        replicas: sequences of each chain.
    """
    wanted = (n for n in (1, 2, 4) if chains % n == 0 and chains >= 4 * n and n * replicas <= _MOST_TOGETHER)
    return max(wanted, default=1)


def _joined_counts(counts: np.ndarray, size: int, together: int) -> tuple[np.ndarray, int]:
    """Counts [batches, chains, …] of superchains, and the states in a batch of one."""
    shape = (counts.shape[0], counts.shape[1] // together, together, *counts.shape[2:])
    return counts.reshape(shape).sum(2, dtype=np.int64), size * together


def _joined_draws(draws: np.ndarray, together: int) -> np.ndarray:
    """Draws [chains, draws, …] of superchains, whose halves are the halves of their chains."""
    grouped = draws.reshape(draws.shape[0] // together, together, *draws.shape[1:]).swapaxes(1, 2)
    return grouped.reshape(len(grouped), -1, *draws.shape[2:])


def judge(
    found: Diagnosis, wanted: Precision, letters: str, scalar_names: tuple[str, ...], betas: Float[np.ndarray, " rungs"]
) -> tuple[bool, str]:
    """Whether everything wanted is reached at every rung, and the sentence that says so or what is missing."""
    names = ("energy", "distance in letters", *scalar_names)

    def where(mask: np.ndarray) -> str:
        rung, position, letter = np.argwhere(mask)[0]
        return f"at position {position}, letter {letters[letter]}{_at(betas, rung)}"

    misses = []
    rhat = _known(found.letter_rhat, -np.inf)
    if not (worst := rhat.max()) <= wanted.rhat:
        misses.append(f"R-hat is {worst:.4g} {where(rhat == worst)}, wanted ≤ {wanted.rhat:g}")
    if not (least := found.letter_ess.min()) >= wanted.ess:
        place = where(found.letter_ess == least)
        misses.append(f"the effective sample size is {least:,.0f} {place}, wanted {wanted.ess:g}")
    if wanted.mcse is not None:
        error = _known(found.letter_mcse, np.inf)
        if not (worst := error.max()) <= wanted.mcse:
            misses.append(f"a standard error is {worst:.2g} {where(error == worst)}, wanted ≤ {wanted.mcse:g}")
    for name, rhats, sizes in zip(names, found.scalar_rhat.T, found.scalar_ess.T, strict=True):
        rhats = _known(rhats, -np.inf)
        if (worst := rhats.max()) > wanted.rhat:
            at = _at(betas, int(rhats.argmax()))
            misses.append(f"R-hat of the {name} is {worst:.4g}{at}, wanted ≤ {wanted.rhat:g}")
        if not (least := sizes.min()) >= wanted.ess:
            at = _at(betas, int(sizes.argmin()))
            misses.append(f"the effective sample size of the {name} is {least:,.0f}{at}, wanted {wanted.ess:g}")
    if misses:
        return False, "; ".join(misses)
    largest, smallest = np.fmax.reduce(found.max_rhat()), found.min_ess().min()
    anywhere = " at any β" if len(betas) > 1 else ""
    return True, f"largest R-hat {largest:.3f} and smallest effective sample size {smallest:,.0f}{anywhere}"


def _known(values: np.ndarray, unknown: float) -> np.ndarray:
    return np.nan_to_num(values, nan=unknown, posinf=np.inf)


def _at(betas: Float[np.ndarray, " rungs"], rung: int) -> str:
    """Where a rung is, in words; nothing where there is only one."""
    return f", β = {betas[rung]:.3g}" if len(betas) > 1 else ""
