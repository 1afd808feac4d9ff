"""Effects of insertions, against enumeration and against functions whose effects are known."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.analysis import Insertion, insertion_effects
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


def _pairs(first, second, start, spacings):
    """Return the first motif alone, then the second and both at each spacing."""
    after = [start + 4 + spacing for spacing in spacings]
    pairs = [[[Insertion(1, place)], [Insertion(0, start), Insertion(1, place)]] for place in after]
    return [first, second], [[Insertion(0, start)], *(design for pair in pairs for design in pair)]


def test_motifs_interact_at_the_spacing_that_counts():
    ensemble = jme.Ensemble.create(_flat, "A" * 20, beta=1.0, fields=[jme.composition("A", 40.0)])
    found = insertion_effects(KEY, ensemble, *_pairs("GCGC", "TATA", 2, [0, 4, 8]), of=_both, draws=50)
    # Draws are A all over, so nothing is there by chance.
    np.testing.assert_array_equal(found.mean, [0, 0, 0, 0, 1, 0, 0])
    assert [found.interaction(k + 1, 0, k)[0] for k in (1, 3, 5)] == [0, 1, 0]


def test_changes_that_add_up_do_not_interact():
    ensemble = jme.Ensemble.create(_flat, "A" * 20, beta=1.0)
    start = np.random.default_rng(0).integers(0, 8, 400)  # another place in each draw
    designs = [[Insertion(0, start)], [Insertion(0, start + 9)], [Insertion(0, start), Insertion(0, start + 9)]]
    found = insertion_effects(KEY, ensemble, ["GC"], designs, of=_letters, draws=400, sampled=False)
    assert found.interaction(2, 0, 1) == pytest.approx((0, 0), abs=1e-6)
    # The GC adds 2, less what stood at the three pairs that it touches (two at the end), less A's.
    expected = 2 - 2 * (3 - (start == 0).mean()) / 16 - 2 / 4
    assert abs(found.mean[0] - expected) < 5 * found.error[0]
    one = found._replace(changes=np.array([[1.0, 2, 3], [0, 1, 0], [2, 2, 4]]))
    assert one.interaction(2, 0, 1) == pytest.approx((1 / 3, np.std([1, -1, 1], ddof=1) / np.sqrt(3)))


def test_an_interaction_is_of_designs_that_there_are():
    found = insertion_effects(KEY, PROBLEM.ensemble(), ["AC", "GT"], DESIGNS, draws=3)
    with pytest.raises(ValueError, match="alone must be at least two designs, got "):
        found.interaction(2, 1)
    with pytest.raises(ValueError, match="together must be a whole number from 0 to 2, got 3"):
        found.interaction(3, 0, 1)


def test_held_positions_stay():
    ensemble = jme.Ensemble.create(_flat, "ACGTACGTACGT", beta=1.0, fixed=[3])
    with pytest.raises(
        ValueError, match="designs must leave held positions alone, got an insertion at the held position 3"
    ):
        insertion_effects(KEY, ensemble, ["AC"], [[Insertion(0, 2)]], draws=4)


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
