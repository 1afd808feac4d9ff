"""The precision of the network's matrix products: full, or rounded where β cannot tell the difference."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate._precision import product_noise
from jaxmaxent.sampling._options import Options
from jaxmaxent.sampling.program._flops import is_small

# Acceptance ratios are wrong by a factor of exp(β × noise). From a tenth on no run is called converged; rounded
# products may use up a tenth of that.
MOST_NOISE = 0.01


def products_of(ensemble: Ensemble, options: Options) -> tuple[float, ...] | None:
    """Return β times the error of rounded products, one per anchor, if they are good enough for all; otherwise ().

    Args:
        ensemble: what is sampled, batched.
        options: the options; what they have decided stays, so that a run that goes on is the same run.

    Returns:
        None on a CPU, where all products are full; () for a small network, which gains nothing, and in double
        precision.
    """
    if options.product_noise is not None or jax.default_backend() == "cpu":
        return options.product_noise
    if is_small(ensemble) or ensemble.reference.dtype == jnp.float64:
        return ()
    return good_enough(product_noise(ensemble))


def good_enough(noise: Any) -> tuple[float, ...]:
    """Return the noise of each anchor if it is at most `MOST_NOISE` for all of them; otherwise ()."""
    values = np.asarray(noise, float)
    # NaN is not good enough.
    return tuple(values.tolist()) if (values <= MOST_NOISE).all() else ()
