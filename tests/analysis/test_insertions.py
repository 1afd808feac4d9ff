"""Effects of insertions, against enumeration and against functions whose effects are known."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.analysis import Insertion, insertion_effects, pair_effects
from jaxmaxent.data import Motif
from problems import Problem

PROBLEM = Problem(length=4, mus=(0.7, -0.5, 0.4), seed=3)
KEY = jax.random.key(5)
MATRIX = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])
DESIGNS = [[], [Insertion(0, 1)], [Insertion(0, 2, -1), Insertion(1, 0)]]


@functools.cache
def _background():
    log_weights = PROBLEM.log_weights() + PROBLEM.beta * PROBLEM.energies
    return exact.distribution(log_weights, PROBLEM.allowed)


def _mean_change(values, design, matrices):
    """Return the mean change by enumeration of all draws and all sites."""
    total = 0.0
    words = [list(itertools.product(range(4), repeat=len(matrices[motif]))) for motif, *_ in design]
    for sites in itertools.product(*words):
        chance, states = 1.0, PROBLEM.states.copy()
        for site, (motif, start, strand) in zip(sites, design, strict=True):
            chance *= np.prod([matrices[motif][i, token] for i, token in enumerate(site)])
            states[:, start : start + len(site)] = site if strand > 0 else [3 - token for token in site[::-1]]
        total += chance * _background() @ (values[exact.index_of(states, 4)] - values)
    return total


@pytest.mark.parametrize("of", ["energy", "output"])
def test_effects_agree_with_enumeration(of):
    matrices = [MATRIX, np.eye(4)[[2, 3]]]
    motifs = [Motif("m", "m", MATRIX), "GT"]
    network = exact.toy_network(PROBLEM.seed, PROBLEM.length, 4)
    outputs = network(exact.one_hot(PROBLEM.states, 4)) @ PROBLEM.w if of == "output" else PROBLEM.energies
    found = insertion_effects(KEY, PROBLEM.ensemble(), motifs, DESIGNS, of=of, draws=2000)
    assert found.changes.shape == (3, 2000) and (found.changes[0] == 0).all()
    assert abs(found.before - _background() @ outputs) < 5 * found.before_error
    expected = np.array([_mean_change(outputs, design, matrices) for design in DESIGNS[1:]])
    assert (abs(expected) > 10 * found.error[1:]).any()  # so that the next line says something
    assert (abs(found.mean[1:] - expected) < 5 * found.error[1:]).all()


def _letters(one_hot):
    """Return the number of GC in a row twice, and of A's, of which each changes only what it stands at."""
    return 2.0 * jnp.sum(one_hot[:-1, 2] * one_hot[1:, 1]) + jnp.sum(one_hot[:, 0])


def _both(one_hot):
    """Return 1 if some place has GCGC and another TATA four letters further on."""
    first = jnp.prod(jnp.stack([one_hot[i : 20 - 12 + i, token] for i, token in enumerate((2, 1, 2, 1))]), axis=0)
    second = jnp.prod(jnp.stack([one_hot[8 + i : 20 - 4 + i, token] for i, token in enumerate((3, 0, 3, 0))]), axis=0)
    return jnp.max(first * second)


def _flat(one_hot):
    return one_hot.reshape(-1)


def test_consensus_letters_are_written_as_they_stand():
    ensemble = jme.Ensemble.create(_flat, "A" * 20, beta=1.0, fields=[jme.composition("GC", -40.0)])
    motif = Motif("m", "m", np.array([[0.2, 0.2, 0.4, 0.2], [0.1, 0.7, 0.1, 0.1]]))
    found = insertion_effects(KEY, ensemble, [motif], [[Insertion(0, 3)]], of=_letters, draws=50, sampled=False)
    # A GC where there was A or T: the one adds 2, and each A that was there takes 1 away.
    assert set(found.changes[0]) <= {0.0, 1.0, 2.0} and len(set(found.changes[0])) > 1


def test_pairs_interact_at_the_spacing_that_counts():
    ensemble = jme.Ensemble.create(_flat, "A" * 20, beta=1.0, fields=[jme.composition("A", 40.0)])
    found = pair_effects(KEY, ensemble, "GCGC", "TATA", [0, 4, 8], of=_both, draws=50)
    # Draws are A all over, so nothing is there by chance.
    np.testing.assert_array_equal(found.both, [0, 1, 0])
    np.testing.assert_array_equal(found.interaction, [0, 1, 0])
    assert found.first == 0 and (found.second == 0).all()


def test_changes_that_add_up_do_not_interact():
    ensemble = jme.Ensemble.create(_flat, "A" * 20, beta=1.0)
    found = pair_effects(KEY, ensemble, "GC", "GC", [1, 5], of=_letters, draws=400)
    np.testing.assert_allclose(found.interaction, 0, atol=1e-6)
    # The GC adds 2, less what stood at the three pairs that it touches (two at the end, one of 12 places), less A's.
    expected = 2 - 2 * (3 - 1 / 12) / 16 - 2 / 4
    assert abs(found.first - expected) < 5 * found.first_error


def test_held_positions_stay():
    ensemble = jme.Ensemble.create(_flat, "ACGTACGTACGT", beta=1.0, fixed=[3])
    with pytest.raises(
        ValueError, match="designs must leave held positions alone, got an insertion at the held position 3"
    ):
        insertion_effects(KEY, ensemble, ["AC"], [[Insertion(0, 2)]], draws=4)
    found = pair_effects(KEY, ensemble, "AC", "GT", [0], draws=20)
    assert np.isfinite(found.both).all()
    with pytest.raises(
        ValueError, match="spacings must leave room for both motifs among the 12 positions, got 9 between"
    ):
        pair_effects(KEY, ensemble, "AC", "GT", [9], draws=20)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"designs": [[Insertion(2, 0)]]}, "motif of an insertion must be a whole number from 0 to 1, got 2"),
        ({"designs": [[Insertion(0, 3)]]}, "start of an insertion must be 0 to 2 for a motif of 2 letters, got 3"),
        ({"designs": [[Insertion(0, 0, 0)]]}, "strand of an insertion must be 1 or -1, got 0"),
        ({"designs": [[Insertion(0, 0), Insertion(1, 1)]]}, "designs must not have insertions on top of each other"),
        ({"designs": [[3]]}, "designs must hold lists of Insertion"),
        ({"of": "score"}, 'of must be "output", "energy" or a function of one one-hot sequence, got \'score\''),
        ({"motifs": [np.eye(4), "AC"]}, "motifs must be motifs, such as draw_motifs gives them, or words"),
        ({"draws": 1}, "draws must be a whole number of at least 2, got 1"),
        ({"of": _flat}, r"of must give one number for a sequence, got an array of shape \[16\]"),
        ({"ensemble": None}, "ensemble must be an Ensemble, got None"),
    ],
)
def test_bad_input_is_one_sentence(changes, message):
    given = {"ensemble": PROBLEM.ensemble(), "motifs": ["AC", "GT"], "designs": DESIGNS[:2]} | changes
    with pytest.raises(ValueError, match=message):
        insertion_effects(
            KEY,
            given["ensemble"],
            given["motifs"],
            given["designs"],
            **{k: v for k, v in given.items() if k in ("of", "draws")},
        )


def test_output_needs_the_euclidean_distance():
    ensemble = PROBLEM.ensemble(distance="cosine")
    with pytest.raises(ValueError, match='of must be "energy" or a function for an ensemble with the distance'):
        insertion_effects(KEY, ensemble, ["AC"], [], draws=4)
