"""Profiles: how often each letter stands at each position, and how much that tells.

Errors of a position's letters go together as those of multinomial counts do, for frequencies sum to one: the
correlation of letters a and b is taken as −√(f_a f_b / ((1 − f_a)(1 − f_b))), with the standard errors of a run, which
know of autocorrelation and of the differences between chains. What is computed from frequencies gets its error by the
delta method, with the second-order term, which is all there is where letters are uniform.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxmaxent import checks
from jaxmaxent.analysis._profiles.draws import index_of
from jaxmaxent.ensembles import Ensemble, Field
from jaxmaxent.ensembles import _background as background
from jaxmaxent.results import Run


class Profile(NamedTuple):
    """The profile of one anchor at one β.

    Attributes:
        frequencies: shape [length, letters].
        frequency_errors: their standard errors.
        information: bits at each position, log2(letters) − entropy, shape [length]; the heights of a logo.
        information_errors: their standard errors.
        consensus: the commonest letter where it stands in more than half of the draws, else "N" or its like.
        divergence: bits by which the letters differ from those of the background, Σ f log2(f / b), shape [length];
            NaN where no background is known.
        divergence_errors: their standard errors.
        bias: bits that noise adds to `information` and to `divergence` on average, shape [length].
        letters: the alphabet in the order of the letter axis.
    """

    frequencies: Float[np.ndarray, "length letters"]
    frequency_errors: Float[np.ndarray, "length letters"]
    information: Float[np.ndarray, " length"]
    information_errors: Float[np.ndarray, " length"]
    consensus: str
    divergence: Float[np.ndarray, " length"]
    divergence_errors: Float[np.ndarray, " length"]
    bias: Float[np.ndarray, " length"]
    letters: str

    @property
    def unbiased_information(self) -> Float[np.ndarray, " length"]:
        """`information` less its bias: 0 on average where letters are uniform, so negative now and then."""
        return self.information - self.bias

    @property
    def unbiased_divergence(self) -> Float[np.ndarray, " length"]:
        """`divergence` less its bias: 0 on average where letters are those of the background."""
        return self.divergence - self.bias


def profile(run: Run, anchor: int = 0, rung: int = -1, *, any_letter: str = "N", background: Any = None) -> Profile:
    """The profile of one anchor of a run, at its last (largest) β unless another rung is named.

    Args:
        run: what `sample` gave.
        anchor: which anchor.
        rung: which of its rungs.
        any_letter: what the consensus has where no letter stands in more than half of the draws.
        background: letter frequencies to compare with, shape [length, letters] or [letters], for example
            `background_frequencies(ensemble)[anchor]`. If None, those of the run's own first rung, β = 0, whose noise
            then enters the errors; unknown for a run without a ladder.

    Raises:
        ValueError: for a background of another shape or that is no distribution.
    """
    checks.like("run", run, "frequencies", "a Run: sample gives one, and Run.load reads one from a file")
    anchor, rung = (
        index_of(name, value, size)
        for name, value, size in zip(("anchor", "rung"), (anchor, rung), run.frequencies.shape[:2], strict=True)
    )
    frequencies, errors = run.frequencies[anchor, rung], run.frequency_errors[anchor, rung]
    reference, its_errors = _background(run, anchor, background)
    divergence, divergence_errors = _divergence(frequencies, errors, reference, its_errors)
    return Profile(
        frequencies,
        errors,
        information_bits(frequencies),
        information_errors(frequencies, errors),
        consensus(frequencies, run.letters, any_letter=any_letter),
        divergence,
        divergence_errors,
        information_bias(frequencies, errors),
        run.letters,
    )


def background_frequencies(ensemble: Ensemble) -> Float[np.ndarray, "anchors length letters"]:
    """Exact letter frequencies of every anchor at β = 0, where only the fields and the fixed positions act."""
    checks.like("ensemble", ensemble, "batched", "an Ensemble")
    batch = ensemble.batched()
    return np.asarray(_background_frequencies(batch), np.float64)


@jax.jit
def _background_frequencies(ensemble: Ensemble) -> Float[Array, "anchors length letters"]:
    def one(single: Ensemble) -> Array:
        def log_partition(table: Array) -> Array:
            probe = Field(mu=jnp.ones((), table.dtype), unary=table, name="probe")
            fields = (*single.fields, probe)
            return background.log_partition(single.replace(fields=fields))  # pyright: ignore

        # The derivative of log Z by the weight of a letter at a position is how often it stands there.
        return jax.grad(log_partition)(jnp.zeros((single.length, len(single.alphabet)), single.beta.dtype))

    return jax.vmap(one, in_axes=(ensemble.anchor_axes(),))(ensemble)


def information_bits(frequencies: Float[np.ndarray, "... letters"]) -> Float[np.ndarray, ...]:
    """log2(letters) − entropy at every position, in bits; 0 for uniform letters, log2(letters) for a certain one."""
    frequencies = np.asarray(frequencies, float)
    return np.log2(frequencies.shape[-1]) + (frequencies * _logs(frequencies)).sum(-1)


def information_errors(
    frequencies: Float[np.ndarray, "... letters"], errors: Float[np.ndarray, "... letters"]
) -> Float[np.ndarray, ...]:
    """Standard error of the information, by the delta method to second order.

    Letters never seen drop out. Where one letter was always seen, with an error δ that says how far that can be
    trusted, it is the information that the share δ of other letters would cost. NaN where errors are not known.
    """
    frequencies, errors = np.asarray(frequencies, float), np.asarray(errors, float)
    return np.sqrt(_variance(frequencies, errors, _logs(frequencies)))


def information_bias(
    frequencies: Float[np.ndarray, "... letters"], errors: Float[np.ndarray, "... letters"]
) -> Float[np.ndarray, ...]:
    """What noise adds to the information on average, Σ var(f) / (2 f ln 2) bits.

    With n independent draws it is (letters seen − 1) / (2 n ln 2), the correction of Miller (1955).
    """
    frequencies, errors = np.asarray(frequencies, float), np.asarray(errors, float)
    seen = (frequencies > 0) & (frequencies < 1)
    terms = np.square(errors) / (2 * np.where(seen, frequencies, 1) * math.log(2))
    return np.where(seen, terms, 0).sum(-1)


def _logs(values: np.ndarray) -> np.ndarray:
    return np.log2(values, out=np.zeros_like(values), where=values > 0)


def covariance(
    frequencies: Float[np.ndarray, "... letters"], errors: Float[np.ndarray, "... letters"]
) -> Float[np.ndarray, "... letters letters"]:
    """Covariance of the frequencies of a position, with the correlations of multinomial counts."""
    frequencies, errors = np.asarray(frequencies, float), np.asarray(errors, float)
    inside = (frequencies > 0) & (frequencies < 1)
    odds = np.sqrt(np.where(inside, frequencies, 0) / np.where(inside, 1 - frequencies, 1))
    scaled = np.where(inside, errors, 0)
    products = -(odds * scaled)[..., :, None] * (odds * scaled)[..., None, :]
    diagonal = np.eye(frequencies.shape[-1], dtype=bool)
    return np.where(diagonal, np.square(scaled)[..., None, :], products)


def _variance(frequencies: np.ndarray, errors: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Variance of Σ f log2 f and its like, whose slopes in the frequencies are given and whose curvature is 1 / f."""
    spread = covariance(frequencies, errors)
    # Σ df = 0, so slopes count from their mean.
    slopes = np.where(frequencies > 0, slopes - (frequencies * slopes).sum(-1, keepdims=True), 0)
    first = np.einsum("...a,...ab,...b->...", slopes, spread, slopes)
    curvature = 1 / (np.where(frequencies > 0, frequencies, 1) * math.log(2))
    second = np.einsum("...a,...ab,...ab,...b->...", curvature, spread, spread, curvature) / 2
    # Slopes at the frequencies seen instead of the true ones make the first term too large, by twice the second; what
    # is left of their sum is never less than the second, all there is where slopes are 0.
    certain = (frequencies == 1).any(-1)
    return np.where(certain, np.square(_cost(errors, frequencies)), np.maximum(first - second, second))


def _cost(errors: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Bits that a share of other letters would take from a letter that was always seen."""
    share = np.clip(np.where(frequencies == 1, errors, 0).sum(-1), 0, 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    return np.where(share == 0, 0, bits)


def _background(run: Run, anchor: int, given: Any) -> tuple[np.ndarray, np.ndarray]:
    """Letter frequencies to compare with, and their errors; NaN where there are none."""
    shape = run.frequencies.shape[2:]
    if given is not None:
        table = checks.finite_array("background", given, at_least=0)
        if table.shape not in (shape, shape[1:]):
            raise ValueError(f"background must have shape {list(shape)} or {list(shape[1:])}, got {list(table.shape)}")
        if not np.allclose(table.sum(-1), 1, atol=1e-4):
            worst = table.sum(-1).flat[np.abs(table.sum(-1) - 1).argmax()]
            raise ValueError(f"background must have frequencies that sum to 1 at every position, got {worst:g}")
        return np.broadcast_to(table, shape), np.zeros(shape)
    if run.beta.shape[1] == 1 or run.beta[anchor, 0] != 0:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    # The draws at β = 0 are independent and exact. A letter that was never among them is taken as half a draw.
    draws = run.chains * int(run.steps[anchor]) // run.thin
    frequencies = run.frequencies[anchor, 0]
    errors = np.sqrt(frequencies * (1 - frequencies) / draws)
    return np.maximum(frequencies, np.where(frequencies == 0, 0.5 / draws, 0)), errors


def _divergence(
    frequencies: np.ndarray, errors: np.ndarray, reference: np.ndarray, its_errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Σ f log2(f / b) and its standard error."""
    seen = frequencies > 0
    with np.errstate(divide="ignore"):
        ratios = np.where(seen, np.log2(np.where(seen, frequencies, 1)) - np.log2(reference), 0)
    bits = (frequencies * ratios).sum(-1)
    with np.errstate(invalid="ignore"):
        own = _variance(frequencies, errors, np.where(np.isfinite(ratios), ratios, 0))
    slopes = np.where(seen & (reference > 0), frequencies / (np.where(reference > 0, reference, 1) * math.log(2)), 0)
    of_reference = covariance(reference, its_errors)
    theirs = np.einsum("...a,...ab,...b->...", slopes, of_reference, slopes)
    known = np.isfinite(bits)
    return bits, np.where(known, np.sqrt(own + np.maximum(theirs, 0)), np.nan)


def consensus(frequencies: Float[np.ndarray, "length letters"], letters: str, *, any_letter: str = "N") -> str:
    """The letter that stands in more than half of the draws at each position, `any_letter` where none does."""
    best = checks.number_array("frequencies", frequencies).argmax(-1)
    checks.text("any_letter", any_letter)
    return "".join(letters[b] if row[b] > 0.5 else any_letter for b, row in zip(best, frequencies, strict=True))


def informative_window(information: Float[np.ndarray, " length"], *, threshold: float = 0.25) -> tuple[int, int]:
    """The stretch [start, stop) with the largest sum of information above `threshold` bits a position.

    It is (0, 0) where no position has more than `threshold`.
    """
    best, start, total, window = 0.0, 0, 0.0, (0, 0)
    for position, excess in enumerate(np.asarray(information, float) - threshold):
        if total <= 0:
            start, total = position, 0.0
        total += excess
        if total > best:
            best, window = total, (start, position + 1)
    return window
