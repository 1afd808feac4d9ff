"""Positions held by each anchor, and templates that say which."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.analysis import background_frequencies, mutant_energies
from jaxmaxent.testing import distribution
from problems import Problem

PROBLEM = Problem(length=4, mus=(0.4, 0.5, 0.3), seed=5)
ANCHORS = PROBLEM.states[[27, 141, 201]]
HELD = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)


def features(one_hot):
    return one_hot.sum(0)


def test_each_anchor_is_the_ensemble_that_holds_its_positions(x64):
    ensemble = PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD)
    np.testing.assert_array_equal(ensemble.movable, range(4))
    frequencies = background_frequencies(ensemble)
    for number, (anchor, held) in enumerate(zip(ANCHORS, HELD, strict=True)):
        alone = PROBLEM.ensemble(anchor=anchor, fixed=held)
        np.testing.assert_allclose(distribution(ensemble.take(number)), distribution(alone), rtol=0, atol=1e-12)
        np.testing.assert_allclose(frequencies[number], background_frequencies(alone)[0], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(ensemble.take(number).moves(jnp.arange(4)), ~held)


def test_positions_held_by_all_anchors_are_no_part_of_the_mask():
    both = HELD | np.array([False, False, False, True])
    ensemble = PROBLEM.ensemble(anchor=ANCHORS, fixed=both)
    np.testing.assert_array_equal(ensemble.movable, range(3))
    np.testing.assert_array_equal(ensemble.held, HELD)
    alike = PROBLEM.ensemble(anchor=ANCHORS, fixed=np.tile(both[:1], (3, 1)))
    assert alike.held is None
    np.testing.assert_array_equal(alike.movable, [1, 2])
    assert "positions held: 1 and more in some anchors" in repr(ensemble)


def test_mutants_are_those_of_positions_that_move():
    found = mutant_energies(PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD))
    np.testing.assert_array_equal(np.isnan(found), np.repeat(HELD[:, :, None], 3, axis=2))
    for row, anchor, held in zip(found, ANCHORS, HELD, strict=True):
        alone = mutant_energies(PROBLEM.ensemble(anchor=anchor, fixed=held))[0]
        np.testing.assert_allclose(row[~held], alone, rtol=1e-5)
    betas = jme.analysis.beta_by_acceptance(PROBLEM.ensemble(anchor=ANCHORS, fixed=HELD))
    alone = [
        jme.analysis.beta_by_acceptance(PROBLEM.ensemble(anchor=a, fixed=h))[0]
        for a, h in zip(ANCHORS, HELD, strict=True)
    ]
    np.testing.assert_allclose(betas, alone, rtol=1e-5)


@pytest.mark.parametrize("free", "N.")
def test_a_template_holds_its_letters(free):
    ensemble = jme.Ensemble.create(features, "ACGTTTGG", beta=1.0, fixed="ACNNNNGG".replace("N", free))
    np.testing.assert_array_equal(ensemble.movable, range(2, 6))
    several = jme.Ensemble.create(features, ["ACGT", "TCGA"], beta=1.0, fixed=[f"A{free}GT", f"T{free}G{free}"])
    np.testing.assert_array_equal(several.movable, [1, 3])
    np.testing.assert_array_equal(several.held, [[0, 0, 0, 1], [0, 0, 0, 0]])
    every = jme.Ensemble.create(features, ["ACGT", "TCGA"], beta=1.0, fixed=f"{free}CG{free}")
    np.testing.assert_array_equal(every.movable, [0, 3])
    assert every.held is None


def test_n_is_a_letter_of_proteins():
    ensemble = jme.Ensemble.create(features, "MKNNW", beta=1.0, fixed="M.NNX", alphabet=jme.PROTEIN)
    np.testing.assert_array_equal(ensemble.movable, [1, 4])


@pytest.mark.parametrize(
    ("anchor", "fixed", "message"),
    [
        ("ACGT", "ACG", "fixed must be a template of 4 letters, got 3"),
        ("ACGT", "AGNN", "fixed must have letters of the anchor, or '.' or 'N' for a free position, got 'G' at positi"),
        ("ACGT", "aNNN", "fixed must have letters of the anchor, .* got 'a' at position 0"),
        ("ACGT", "ACGT", "fixed must leave a position that may move, but it and the fields hold all 4$"),
        ("ACGT", ["ANNN"], "fixed must be 1 template, got 1 templates"),
        (["ACGT", "TCGA"], ["ANNN"], "fixed must be 2 templates, one per anchor, got 1 templates"),
        (["ACGT", "TCGA"], "ANNN", "fixed must have letters of the anchor, .* got 'A' at position 0"),
        (["ACGT", "TCGA"], ["ANNN", "TCGA"], "fixed must leave a position that may move, .* hold all 4 of anchor 1"),
        (["ACGT", "TCGA"], np.zeros((3, 4), bool), r"fixed must be a mask of shape \[4\] or \[2, 4\], got \[3, 4\]"),
        ("ACGT", np.zeros((1, 4), bool), r"fixed must be a mask of shape \[4\], got \[1, 4\]"),
    ],
)
def test_bad_input_is_refused(anchor, fixed, message):
    with pytest.raises(ValueError, match=message):
        jme.Ensemble.create(features, anchor, beta=1.0, fixed=fixed)
