"""Changes of growing fields by an edit: those of the windows that it touches, and those of whole sequences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.evaluate import Edit, FullEvaluator
from jaxmaxent.kernels import Metropolis, Site
from jaxmaxent.kernels._metropolis import _change
from problems import changes_of_letter

LENGTH = 17
# So many that an edit of one letter makes or breaks a CANNTG in some of them.
ROWS = 600
FIELDS = [
    jme.motif_count("CANNTG"),
    jme.motif_count(np.random.default_rng(0).normal(size=(9, 4)), name="sum"),
    jme.motif_count(np.random.default_rng(1).normal(size=(17, 4)), threshold=0.1, softness=1.0, name="whole"),
    jme.codons({"TAA": -1, "ACG": 0.7, "GGC": 0.3, "CCA": 2}, frame=2),
    jme.count(changes_of_letter, name="changes"),
]


SLOW = [pytest.param(parts, width, marks=pytest.mark.slow) for parts, width in ((1, 1), (1, 17), (3, 2))]


@pytest.mark.parametrize(("parts", "width"), [(1, 6), (2, 1), *SLOW])
def test_an_edit_changes_counts_by_their_difference(parts, width, x64):
    """Parts of an edit are often so near each other that windows touch both."""
    ensemble = jme.Ensemble.create(lambda x: x.sum(0), "ACGTACGTACGTACGTA", beta=1.0, fields=FIELDS)
    kernel = Metropolis(ensemble, FullEvaluator(ensemble), Site())
    rng = np.random.default_rng(parts + width)
    tokens, edits = rng.integers(0, 4, (ROWS, LENGTH)), rng.integers(0, 4, (ROWS, parts, width))
    starts = np.stack([rng.permutation(LENGTH // width)[:parts] * width for _ in range(ROWS)])
    edited = tokens.copy()
    for row, letters, some in zip(edited, edits, starts, strict=True):
        for part, start in zip(letters, some, strict=True):
            row[start : start + width] = part

    def change(tokens, edited, starts, letters):
        return _change(ensemble, kernel.init(tokens), edited, Edit(starts, letters))

    arrays = (jnp.asarray(a, jnp.int32) for a in (tokens, edited, starts, edits))
    found = jax.jit(jax.vmap(change))(*arrays)
    before, after = (jax.vmap(ensemble.counts)(jnp.asarray(rows, jnp.int32)) for rows in (tokens, edited))
    np.testing.assert_allclose(found, after - before, rtol=0, atol=1e-12)
    assert (np.abs(found).max(0) > 0.1).all()


def test_counts_of_a_function_gather_no_rounding():
    """In single precision a sum of a thousand changes would drift; a function is evaluated anew."""
    field = jme.count(thirds, name="thirds")
    ensemble = jme.Ensemble.create(lambda x: x.sum(0), "ACGTACGTACGTACGTA", beta=0.1, fields=[field])
    kernel = Metropolis(ensemble, FullEvaluator(ensemble), Site())

    def step(state, key):
        state, _ = kernel.step(key, state)
        return state, state.counts[0] - ensemble.counts(state.tokens)[0]

    _, drift = jax.lax.scan(step, kernel.init(ensemble.anchor), jax.random.split(jax.random.key(0), 2000))
    assert np.abs(drift).max() <= 1e-4  # one rounding of a number near 1,000


def thirds(tokens):
    return 1000 + jnp.sum(tokens * jnp.arange(LENGTH)) / 3
