"""Draws at β = 0: how they stand at the lowest rung, and how one takes the place of a replica."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.kernels import State
from jaxmaxent.sampling import _options as options
from jaxmaxent.sampling.device import _end_draws as end_draws
from problems import Problem


@pytest.mark.slow
def test_a_draw_that_is_taken_in_stands_at_the_lowest_rung():
    """Check that draws at β = 0 come into the chains; without them all rungs would still be right."""
    problem = Problem(length=6)
    settings = {
        "ladder": [0.0, 1e-6], "chains": 4, "target_replicas": 1, "anchor_chains": 0, "steps": 40,
        "burn_in": 0, "thin": 2
    }  # fmt: skip
    for evaluation in ("full", "incremental"):
        run = jme.sample(
            jax.random.key(3), problem.ensemble(beta=1e-6), store_every=2, evaluation=evaluation, progress=False,
            **settings,
        )  # fmt: skip
        assert "no chain was started at the anchor" in run.outcomes[0]
        np.testing.assert_array_equal(run.last[0], run.draws[0, :, -1])
        drawn, walked = run.draws[0]
        same = (drawn == walked).all(-1).all(-1)
        assert same[::2].all()  # every second swap is with β = 0, and at nearly equal β's always accepted
        assert not same[1::2].any()
        # Until the next such swap the draw stays the same.
        np.testing.assert_array_equal(drawn[::2], drawn[1::2])
        assert (drawn[2::2] != drawn[:-2:2]).any(-1).any(-1).all()


@pytest.mark.slow
def test_draws_do_not_depend_on_how_many_are_made_together(monkeypatch, x64):
    ensemble = Problem(length=6).ensemble()
    settings = {
        "ladder": 3,
        "reference_rungs": 2,
        "target_replicas": 15,
        "chains": 4,
        "steps": 200,
        "burn_in": 100,
        "store_every": 5,
    }
    runs = []
    for most in (1, 4):
        monkeypatch.setattr(options, "_MOST_TOGETHER", most)
        runs.append(jme.sample(jax.random.key(0), ensemble, progress=False, **settings))
    np.testing.assert_array_equal(runs[0].draws, runs[1].draws)
    for run in runs:
        np.testing.assert_array_equal(run.last[0, :3], run.draws[0, :, -1])
    assert [options.drawn_together(chains, 20) for chains in (1, 9, 16, 31, 32, 1000)] == [4, 4, 2, 2, 1, 1]
    assert [options.drawn_together(9, replicas) for replicas in (1, 7, 8, 15, 16)] == [1, 1, 2, 3, 4]
    assert [options.drawn_together(1000, replicas, always=True) for replicas in (1, 8, 16)] == [1, 2, 4]


@pytest.mark.parametrize("reference_rungs", [0, 3])
def test_energies_and_counts_of_every_draw_are_those_of_its_sequence(reference_rungs):
    """Check all rungs, the ends too, where draws are measured once for several swaps."""
    ensemble = Problem(length=5, mus=(0.3,)).ensemble()
    settings = {"ladder": 3, "chains": 3, "steps": 200, "burn_in": 80, "thin": 5, "store_every": 5}
    settings |= {"reference_rungs": reference_rungs, "progress": False}
    run = jme.sample(jax.random.key(1), ensemble, **settings)
    draws = np.swapaxes(run.draws[0], 1, 2)  # [rung, chain, draw, position]
    tokens = jnp.asarray(draws.reshape(-1, 5), jnp.int32)
    found = np.concatenate([run.energies[0][..., None], run.counts[0]], axis=-1)
    expected = np.stack([jax.vmap(ensemble.energy)(tokens), jax.vmap(ensemble.counts)(tokens)[:, 0]], axis=1)
    np.testing.assert_allclose(found, expected.reshape(*draws.shape[:3], 2), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32, bool])
def test_draws_are_put_in_place_alike_on_every_platform(dtype):
    rng = np.random.default_rng(0)
    chains, replicas, together = 3, 6, 2

    def states(*lead):
        tokens = rng.integers(4, size=(*lead, 5)).astype(np.int32)
        energy, counts = rng.normal(size=lead), rng.normal(size=(*lead, 2))
        cache = 3 * rng.normal(size=(*lead, 3, 4))
        return State(tokens, energy.astype(np.float32), counts.astype(np.float32), {"cache": cache.astype(dtype)})

    draws = states(chains, 2 * together)
    if np.issubdtype(dtype, np.floating):  # such numbers arrive too, and leave those of other replicas alone
        draws.cache["cache"][:, :, 0] = [np.inf, -np.inf, np.nan, np.finfo(dtype).tiny]
        draws.cache["cache"][:, :, 1] = [np.finfo(np.float16).max, -1e-3, 0, 1 / 3]
    replica, taken = np.array([[2, 1], [0, 4], [5, 0]]), np.array([[True, False], [False, False], [True, True]])
    old = states(chains, replicas)
    row = jax.tree.map(lambda leaf: jnp.asarray(leaf.reshape(chains * replicas, *leaf.shape[2:])), old)
    for phase in range(2 * together):
        now = phase // 2 + together * np.arange(2)
        values = np.concatenate([draws.energy[..., None], draws.counts], axis=-1)[:, now]
        arguments = {"replica": replica, "taken": taken, "draws": draws, "now": now}
        arguments = jax.tree.map(jnp.asarray, arguments)
        found = {
            "GPU": end_draws._at_once(row, **arguments),
            "CPU": end_draws._in_turn(row, **arguments),
            "TPU": end_draws._by_product(row, **arguments, values=jnp.asarray(values)),
            "this": end_draws.installed(row, **arguments, values=jnp.asarray(values)),
        }
        expected = jax.tree.map(np.copy, old)
        for chain, end in ((0, 0), (2, 0), (2, 1)):
            for leaf, drawn in zip(jax.tree.leaves(expected), jax.tree.leaves(draws), strict=True):
                leaf[chain, replica[chain, end]] = drawn[chain, now[end]]
        for platform, new in found.items():
            for leaf, its in zip(jax.tree.leaves(new), jax.tree.leaves(expected), strict=True):
                assert leaf.dtype == its.dtype
                np.testing.assert_array_equal(np.asarray(leaf).reshape(its.shape), its, err_msg=platform)
