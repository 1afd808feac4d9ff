"""Rules that move sites whole are proposed where the network lets sites stand anywhere, and only after learning."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.kernels import ReverseComplement, Rotation
from jaxmaxent.sampling import Options, prepare
from jaxmaxent.sampling._sites import mobility, movable_sites
from jaxmaxent.sampling.host import _loop

SITE, LENGTH = np.array([0, 2, 2, 3, 1, 0]), 24


def matches(one_hot, word):
    pattern = jnp.eye(4)[word]
    windows = jnp.stack([one_hot[i : i + len(word)] for i in range(LENGTH - len(word) + 1)])
    return jnp.sum(windows * pattern[None], (1, 2))


def anywhere(one_hot):
    return jnp.max(matches(one_hot, SITE))[None]


def either_strand(one_hot):
    return jnp.maximum(jnp.max(matches(one_hot, SITE)), jnp.max(matches(one_hot, 3 - SITE[::-1])))[None]


def in_its_place(one_hot):
    return matches(one_hot, SITE)[10][None]


def ensemble(network, **settings):
    anchor = np.resize([1, 1, 0, 1], LENGTH)
    anchor[10:16] = SITE
    return jme.Ensemble.create(network, anchor, beta=5.0, **settings)


@pytest.mark.parametrize(
    ("network", "shift", "turn"), [(anywhere, True, False), (either_strand, True, True), (in_its_place, False, False)]
)
def test_a_network_shows_whether_it_cares_where_its_sites_stand(network, shift, turn):
    assert movable_sites(ensemble(network).batched()) == (shift, turn)
    prepared = prepare(ensemble(network), Options.of(ensemble(network)))
    waiting = np.array([rule.waits for rule in prepared.rule.rules])
    assert [type(rule) for rule, waits in zip(prepared.rule.rules, waiting, strict=True) if waits] == [
        Rotation,
        ReverseComplement,
    ]
    before, after = (np.asarray(rule.probabilities) for rule in (prepared.rule, prepared.rule.settled()))
    assert (before[waiting] == 0).all() and (before[~waiting] > 0).all()
    assert (after[waiting] > 0).tolist() == [shift, turn] and (after[~waiting] > 0).all()


def test_a_contrast_moves_sites_by_what_its_first_network_says():
    """The anchor's own E is 1 there, and so is that of shifted anchors."""
    a, b = ensemble(anywhere), ensemble(in_its_place)
    assert movable_sites(jme.contrast(a, a, beta=5.0).batched()) == (True, False)
    assert movable_sites(jme.contrast(b, a, beta=5.0).batched()) == (False, False)


def test_one_program_serves_anchors_whose_sites_may_move_and_others():
    """Check that only numbers of the rule differ, so that nothing is compiled again."""
    rules = [prepare(ensemble(network), Options.of(ensemble(network))).rule for network in (anywhere, in_its_place)]
    assert len({str(jax.tree.structure(rule)) for rule in rules}) == 1
    shapes = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(rule)] for rule in rules]
    assert shapes[0] == shapes[1]


def test_letters_other_than_dna_have_no_other_strand():
    protein = jme.Ensemble.create(lambda x: x.sum(0)[:1], "ACDEFGHIKL", beta=1.0, alphabet=jme.PROTEIN)
    assert movable_sites(protein.batched()) == (True, False)


def test_mobility_is_the_energy_of_shifted_copies_over_that_of_the_background():
    one, anchor = ensemble(in_its_place), np.asarray(ensemble(in_its_place).anchor)
    shifts = [shift for shift in range(-11, 12) if shift]  # of 24 letters, copies further away repeat nearer ones
    matched = [(np.roll(anchor, shift)[10:16] == SITE).sum() for shift in shifts]
    rolled = np.mean([6 - count for count in matched])
    assert mobility(one.batched(), 0, (4.5, 0.1)) == pytest.approx((rolled / 4.5, rolled / 4.5 * 0.1 / 4.5))
    value, error = mobility(one.batched(), 0)
    assert abs(value - rolled / 4.5) < 5 * error < 0.5  # background sequences match 1.5 of 6 letters
    best = [max((np.roll(anchor, shift)[i : i + 6] == SITE).sum() for i in range(19)) for shift in shifts]
    assert mobility(ensemble(anywhere).batched(), 0, (2.0, 0.0)) == (pytest.approx(np.mean(6 - np.array(best)) / 2), 0)


def test_mobility_is_not_known_where_nothing_differs():
    blind = jme.Ensemble.create(lambda one_hot: 0 * one_hot[:1, 0], "ACGTACGTAC", beta=1.0)
    alike = jme.Ensemble.create(in_its_place, np.zeros(LENGTH, int), beta=1.0)
    assert np.isnan([*mobility(blind.batched(), 0), *mobility(alike.batched(), 0)]).all()


def test_held_positions_stay_in_shifted_copies():
    held = ensemble(anywhere, fixed=list(range(10, 16)))  # every sequence has the site, no copy is nearer than others
    assert not movable_sites(held.batched()).shift
    one = ensemble(in_its_place, fixed=[0, 10])
    assert not movable_sites(one.batched()).shift


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "moves_from"), [({}, "settling"), ({"burn_in": 0}, "sampling")])
def test_rules_wait_until_everything_is_learned(monkeypatch, settings, moves_from):
    seen, block = [], _loop.blocks.block

    def watched(program, one, rule, ladder, keys, carry, clock):
        rotations = [type(one) for one in rule.rules].index(Rotation)
        seen.append((int(np.asarray(clock)[0]), int(np.asarray(clock)[5]), float(rule.probabilities[rotations])))
        return block(program, one, rule, ladder, keys, carry, clock)

    monkeypatch.setattr(_loop.blocks, "block", watched)
    jme.sample(jax.random.key(0), ensemble(anywhere), chains=2, steps=400, progress=False, **settings)
    learning = [share for _, teaching, share in seen if teaching]
    later = [share for _, teaching, share in seen[1:] if not teaching]
    assert all(share == 0 for share in learning)
    assert later and all(share > 0 for share in later)
    assert bool(learning) == (moves_from == "settling")
