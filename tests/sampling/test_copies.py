"""Copies of an anchor: shifted, and of the other strand."""

import jax.numpy as jnp
import numpy as np

import jaxmaxent as jme
from jaxmaxent.sampling.host._copies import copies, energies_of_copies


def pooled(params, one_hot):
    """Return the best match with a site of four letters, at any position."""
    windows = jnp.stack([jnp.sum(one_hot[i : i + 4] * params) for i in range(one_hot.shape[0] - 3)])
    return jnp.max(windows)[None]


def test_copies_are_shifted_and_of_both_strands():
    site = np.eye(4)[[2, 0, 1, 1]]
    ensemble = jme.Ensemble.create(jme.Representation(pooled, jnp.asarray(site)), "TTTTGACCTTTT", beta=5.0)
    rows, energies = copies(ensemble), energies_of_copies(ensemble)
    assert len({tuple(row) for row in rows}) == len(rows) == len(energies) == 24
    np.testing.assert_array_equal(rows[0], ensemble.anchor)
    assert energies[0] == 0
    # A shift cuts the site in three of twelve places; the other strand holds GGTC instead.
    assert (energies == 0).sum() == 9
    found = np.asarray([ensemble.energy(jnp.asarray(row)) for row in rows])
    np.testing.assert_allclose(energies, found, rtol=1e-6)


def test_copies_of_which_there_are_fewer():
    def of(anchor, **settings):
        return copies(jme.Ensemble.create(lambda x: x.reshape(-1), anchor, beta=1.0, **settings))

    assert len(of("AAAA")) == 2  # and TTTT
    assert len(of("ACGT")) == 4  # its own reverse complement
    assert len(of("0011", alphabet=jme.BINARY)) == 4
    np.testing.assert_array_equal(of("ACCA", fixed=[0, 1]), [[0, 1, 1, 0]])
    table = np.zeros((4, 4))
    table[0, 3] = -np.inf
    assert (of("AACG", fields=[jme.position_prior(table)])[:, 0] != 3).all()
