"""The way from options to rule, program and ladder."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmaxent.kernels import Mixture, Site
from jaxmaxent.sampling import Options, group_size, prepare
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.device._state import Clock, Keys, Ladder
from jaxmaxent.sampling.program import _program as program
from problems import Problem


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="accelerators take anchors side by side")
def test_many_letters_take_turns_on_a_cpu_and_few_do_not():
    problem = Problem(length=4)
    ensemble = problem.ensemble(anchor=problem.states[:3])
    many = program.ENOUGH_FOR_A_CPU // problem.length
    for chains, turns in ((many - 1, False), (many, True)):
        options = Options.of(ensemble, ladder=2, chains=chains, target_replicas=1, anchor_chains=0, steps=5)
        assert prepare(ensemble, options).program.one_by_one is turns


def test_options_become_a_rule_a_program_and_a_ladder():
    problem = Problem(length=4, beta=2.0)
    ensemble = problem.ensemble(anchor=problem.states[:3])
    for ladder, rule, betas in ((None, Site, [2.0]), (3, Mixture, [0.0, 0.5, 2.0]), ([0.0, 2.0], Mixture, [0.0, 2.0])):
        options = Options.of(ensemble, ladder=ladder, steps=100, store_every=10)
        found = prepare(ensemble, options)
        assert isinstance(found.rule, rule)
        np.testing.assert_array_equal(found.ladder.betas, [betas] * 3)
        assert found.ladder.shares.shape == (3, 6 if ladder == 3 else 0)
        assert found.options == dataclasses.replace(options, evaluation="full")
        assert (found.program.rungs, found.program.store_every) == (len(betas), 2)
        assert found.program.slots == options.slots and found.program.replicas == options.replicas
        # Prepared options give the same again, as `resume` needs.
        again = prepare(ensemble, found.options)
        assert again.options == found.options and again.program == found.program


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="accelerators advance more letters at once")
def test_groups_keep_a_cpu_busy_and_are_alike():
    problem = Problem(length=4)
    ensemble = problem.ensemble(anchor=problem.states[:100])
    options = Options.of(ensemble, ladder=2, reference_rungs=0, chains=59, target_replicas=1, anchor_chains=1)
    assert options.all_chains * options.replicas * 4 == 240  # so 34 anchors have the 8,192 letters that keep a CPU busy
    assert group_size(ensemble, options) == 34
    assert group_size(problem.ensemble(), options) == 1


@pytest.mark.parametrize("one_by_one", [True, False])
def test_program_lowers_for_every_platform(one_by_one):
    problem = Problem(length=4, mus=(0.3,))
    ensemble = problem.ensemble(anchor=problem.states[[5, 40]])
    options = Options.of(
        ensemble, ladder=3, reference_rungs=2, chains=4, target_replicas=2, anchor_chains=1, steps=100, burn_in=0,
        thin=10, store_every=10,
    )  # fmt: skip
    prepared = prepare(ensemble, options, rule=Site())
    whole = dataclasses.replace(prepared.program, one_by_one=one_by_one)

    def lowered(params, key_data, tokens, ladder):
        one = ensemble.replace(params=params)
        keys = Keys.of(jax.random.wrap_key_data(key_data))
        carry = blocks.begin(whole, one, Site(), ladder.log_q, tokens)
        return blocks.block(whole, one, Site(), ladder, keys, carry, Clock(0, 3, 0, 0, 1, 1, 0))

    tokens = jnp.zeros((2, 5, 4, 4), jnp.int32)
    ladder = Ladder(jnp.zeros((2, 3)), jnp.ones((2, 2)), jnp.zeros((2, 4, 4)))
    arguments = (ensemble.params, jax.random.key_data(jax.random.key(0)), tokens, ladder)
    exported = jax.export.export(jax.jit(lowered), platforms=["cpu", "cuda", "tpu"])(*arguments)
    assert exported.platforms == ("cpu", "cuda", "tpu")
