"""Profiles: the letter frequencies at each position, their information and standard errors."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxmaxent import checks
from jaxmaxent.analysis._run_parts import anchor_of, checked_run, rung_of
from jaxmaxent.ensembles import Ensemble, Field
from jaxmaxent.ensembles import _background as background
from jaxmaxent.results import Run
from jaxmaxent.results._information import (
    consensus,
    divergence_bits,
    first_rung_as_background,
    information_bias,
    information_bits,
    information_errors,
)


class Profile(NamedTuple):
    """The profile of one anchor at one rung.

    Attributes:
        frequencies: shape [length, letters].
        frequency_errors: their standard errors.
        information: bits at each position, log2(letters) − entropy, shape [length]; the heights of a logo.
        information_errors: their standard errors.
        consensus: the commonest letter where more than half of the draws have it, else the alphabet's sign for any
            letter, such as "N".
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
        """`information` less its bias: 0 on average where letters are uniform, so sometimes negative."""
        return self.information - self.bias

    @property
    def unbiased_divergence(self) -> Float[np.ndarray, " length"]:
        """`divergence` less its bias: 0 on average where letters are those of the background."""
        return self.divergence - self.bias


def profile(
    run: Run,
    *,
    anchor: int = 0,
    rung: int | None = None,
    any_letter: str = "N",
    background: ArrayLike | None = None,
) -> Profile:
    """Return the profile of one anchor of a run at one rung.

    Args:
        run: the result of `sample`.
        anchor: index of the anchor.
        rung: index of the rung; None means the target.
        any_letter: sign of the consensus where no letter has more than half of the draws.
        background: letter frequencies to compare with, shape [length, letters] or [letters], for example
            `background_frequencies(ensemble)[anchor]`. None means those of the run's own first rung, β = 0, whose noise
            then enters the errors; they are unknown for a run without a ladder.

    Raises:
        ValueError: if the run has no such anchor or rung, or the background has another shape or is no distribution.

    Example:
        >>> found = analysis.profile(run, anchor=0)
        >>> found.frequencies.shape, len(found.consensus)
        ((24, 4), 24)
    """
    checked_run(run, "frequencies")
    anchor, rung = anchor_of(run, anchor), rung_of(run, rung)
    frequencies, errors = run.frequencies[anchor, rung], run.frequency_errors[anchor, rung]
    divergence, divergence_errors = divergence_bits(frequencies, errors, *_background(run, anchor, background))
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
    """Return the exact letter frequencies of every anchor at β = 0, where only fields and fixed positions act.

    Example:
        >>> analysis.background_frequencies(ensemble).shape  # [anchors, length, letters]
        (3, 24, 4)
    """
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

        # The derivative of log Z with respect to the weight of a letter at a position is the frequency of the letter.
        return jax.grad(log_partition)(jnp.zeros((single.length, len(single.alphabet)), single.beta.dtype))

    return jax.vmap(one, in_axes=(ensemble.anchor_axes(),))(ensemble)


def _background(run: Run, anchor: int, given: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the letter frequencies to compare with and their errors; NaN where there are none."""
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
    return first_rung_as_background(run.frequencies[anchor, 0], run.chains * int(run.steps[anchor]) // run.thin)
