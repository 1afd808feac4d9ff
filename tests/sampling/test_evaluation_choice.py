"""The way proposals are evaluated, and that it makes no difference to what is sampled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmaxent as jme
from jaxmaxent.evaluate.incremental import incremental
from jaxmaxent.kernels import Informed, Mixture, SegmentAdaptive, Site, SiteAdaptive, Transposition
from jaxmaxent.sampling import Options
from jaxmaxent.sampling.program import _evaluation as evaluation
from jaxmaxent.sampling.program import _flops as flops
from jaxmaxent.sampling.program import _remembered as remembered
from jaxmaxent.sampling.program import _timing as timing
from jaxmaxent.sampling.program._timing import Share
from problems import Problem

PROBLEM = Problem(length=5, beta=3.0, mus=(0.4, -0.3), seed=3)
ALL_EDITS = Mixture.create([SiteAdaptive(), SegmentAdaptive(3), Transposition()])


def options_of(ensemble):
    return Options.of(ensemble, ladder=3, chains=4, target_replicas=1, steps=100)


def chosen(asked, rule=None, ensemble=None):
    batch = (ensemble or PROBLEM.ensemble()).batched()
    return evaluation.chosen(asked, batch, (rule or Site()).prepare(batch, 3), options_of(batch))


@pytest.mark.slow
@pytest.mark.parametrize("rule", [Site(), ALL_EDITS], ids=["site", "all-edits"])
def test_both_ways_sample_the_same(rule, x64):
    """Check that the draws are the same, with edits of one letter, of several and of two distant positions."""
    settings = {"ladder": 3, "chains": 4, "steps": 400, "store_every": 5, "rule": rule, "progress": False}
    full, quick = (
        jme.sample(jax.random.key(0), PROBLEM.ensemble(), evaluation=way, **settings) for way in ("full", "incremental")
    )
    assert (full.evaluation, quick.evaluation) == ("full", "incremental")
    np.testing.assert_array_equal(quick.draws, full.draws)
    np.testing.assert_allclose(quick.energies, full.energies, rtol=0, atol=1e-10)
    np.testing.assert_allclose(quick.beta, full.beta, rtol=1e-10)
    # The caches were updated many times, and were recomputed at the start only.
    assert (quick.drift < 1e-10).all()


def test_small_networks_are_evaluated_in_full_without_timing(monkeypatch):
    monkeypatch.setattr(evaluation, "seconds_per_step", lambda *_: pytest.fail("was timed"))
    assert chosen("auto") == "full"
    assert chosen("auto", Informed()) == "full"
    assert chosen("incremental") == "incremental"


@pytest.mark.parametrize("name", ["dense", "convolution"])
def test_the_bound_of_flops_is_above_them(name):
    network = {"kernel": jnp.ones((3, 4, 2)), "dense": jnp.ones((36, 5))}
    features = convolution if name == "convolution" else lambda params, x: jnp.cumsum(jnp.tanh(x[:18].reshape(-1)[:36]))
    ensemble = jme.Ensemble.create(jme.Representation(features, network), "ACGTTGCAACGTTGCAACGT", beta=1.0)
    exact_flops = incremental(ensemble.features, network, 20).explain().full_flops
    bound = flops.most_flops(flops.traced(ensemble.batched()))
    assert exact_flops <= bound < 100 * exact_flops


def test_the_faster_way_is_taken_and_timed_once(monkeypatch):
    ensemble = convolved()
    monkeypatch.setattr(flops, "SMALL", 0)
    assert chosen("auto", ensemble=ensemble) == "incremental"  # less than a quarter of the work
    monkeypatch.setattr(evaluation, "_PLAIN", 0)
    for faster in ("full", "incremental"):
        timed = []

        def took(way, *_, faster=faster, timed=timed):
            timed.append(way)
            return 1.0 if way == faster else 2.0

        monkeypatch.setattr(evaluation, "seconds_per_step", took)
        monkeypatch.setattr(evaluation, "_FOUND", {})
        assert chosen("auto", ensemble=ensemble) == faster
        assert sorted(timed) == ["full", "incremental"]
        assert chosen("auto", ensemble=ensemble.with_beta(2.0)) == faster
        assert len(timed) == 2
    assert chosen("auto", Informed(), ensemble) == "full"
    monkeypatch.setattr(evaluation, "free_bytes", lambda: 1000)
    assert chosen("auto", ensemble=ensemble) == "full"


def in_a_loop(kind):
    """A cheap convolution, and behind it a loop whose work does not depend on how it is evaluated."""

    def features(params, one_hot):
        h = convolution(params, one_hot)
        layer = lambda h: jnp.tanh(h @ jnp.full((5, 5), 0.1))  # noqa: E731
        if kind == "scan":
            return jax.lax.fori_loop(0, 500, lambda _, h: layer(h), h)
        return jax.lax.while_loop(lambda h: jnp.abs(h).sum() > 1e-6, layer, h)

    return features


@pytest.mark.parametrize(("kind", "timed"), [("scan", 0), ("while", 2)])
def test_costs_that_a_loop_hides_do_not_mislead(kind, timed, monkeypatch):
    network = {"kernel": jnp.ones((3, 4, 2)), "dense": jnp.ones((36, 5))}
    ensemble = jme.Ensemble.create(jme.Representation(in_a_loop(kind), network), "ACGTTGCAACGTTGCAACGT", beta=1.0)
    ways = []
    monkeypatch.setattr(flops, "SMALL", 10_000 if kind == "scan" else 0)
    monkeypatch.setattr(evaluation, "_FOUND", {})
    monkeypatch.setattr(evaluation, "seconds_per_step", lambda way, *_: ways.append(way) or 1.0 + (way != "full"))
    assert chosen("auto", ensemble=ensemble) == "full"
    assert len(ways) == timed


def convolution(params, one_hot):
    layers = ("NWC", "WIO", "NWC")
    filtered = jax.lax.conv_general_dilated(one_hot[None], params["kernel"], (1,), "VALID", dimension_numbers=layers)
    return jnp.tanh(filtered.reshape(-1) @ params["dense"])


def convolved(anchors="ACGTTGCAACGTTGCAACGT"):
    network = {"kernel": jnp.ones((3, 4, 2)), "dense": jnp.ones((36, 5))}
    return jme.Ensemble.create(jme.Representation(convolution, network), anchors, beta=1.0)


@pytest.mark.parametrize("lanes", [1, 2])
def test_ways_are_timed(lanes, monkeypatch):
    batch = PROBLEM.ensemble(anchor=PROBLEM.states[:lanes]).batched()
    monkeypatch.setattr(timing, "_SECONDS", 1e-4)
    rule = SiteAdaptive().prepare(batch, 3)
    seconds = [timing.seconds_per_step(way, batch, rule, Share(lanes, 6)) for way in ("full", "incremental")]
    assert all(0 < one < 10 for one in seconds)


def test_anchors_that_go_side_by_side_walk_as_alone():
    """Check that what is timed is a walk: replicas of each anchor move, with the rule of their anchor."""
    batch = PROBLEM.ensemble(anchor=PROBLEM.states[[3, 77]]).batched()
    rule, tokens = SiteAdaptive().prepare(batch, 3), jnp.broadcast_to(batch.anchor[:, None], (2, 4, 5))
    energies = timing._walk("full", batch, rule, jax.random.key(1), tokens, 20)
    assert energies.shape == (2, 4)
    assert np.unique(energies).size > 4
    alone = timing._walk("full", batch.take(np.array([0])), rule.at(0, -1), jax.random.key(1), tokens[:1], 20)
    np.testing.assert_allclose(alone, energies[:1], rtol=1e-5)


def test_the_share_of_a_device_is_timed(monkeypatch):
    """Check the share of every device with a mesh on an accelerator, and that a CPU times one anchor."""
    ensemble = convolved(["ACGTTGCAACGTTGCAACGT", "ACGTTGCAACGTTGCAACGA"] * 2).batched()
    options = Options.of(ensemble, ladder=3, chains=7, anchor_chains=1, target_replicas=1, steps=100)
    whole = options.all_chains * options.replicas
    assert evaluation._share(ensemble, options, None) == (1, whole)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    mesh = jax.sharding.AbstractMesh((2, 4), ("anchors", "chains"))
    assert evaluation._share(ensemble, options, None) == (4, whole)
    assert evaluation._share(ensemble, options, mesh) == (2, whole // 4)


@pytest.fixture
def to_be_timed(monkeypatch):
    """Time the ways of every network, and remember none."""
    monkeypatch.setattr(flops, "SMALL", 0)
    for name, value in (("_PLAIN", 0), ("_FOUND", {})):
        monkeypatch.setattr(evaluation, name, value)
    monkeypatch.delenv(remembered.VARIABLE, raising=False)
    monkeypatch.setattr(timing, "_SECONDS", 1e-4)


class Failing:
    """A walk that fails for some ways, as a device without enough memory or with another fault."""

    def __init__(self, error, *ways):
        self.walk, self.error, self.ways = timing._walk, error, ways

    def __call__(self, way, *arguments):
        if way in self.ways:
            raise self.error
        return self.walk(way, *arguments)


SHORT = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 123 bytes.")


@pytest.mark.parametrize("error", [SHORT, MemoryError()], ids=["device", "host"])
def test_a_way_that_runs_out_of_memory_is_not_chosen(error, to_be_timed, monkeypatch):
    for lacking, chosen_way in (("full", "incremental"), ("incremental", "full")):
        monkeypatch.setattr(evaluation, "_FOUND", {})
        with monkeypatch.context() as patched:
            patched.setattr(timing, "_walk", Failing(error, lacking))
            assert chosen("auto", ensemble=convolved()) == chosen_way


def test_running_out_of_memory_both_ways_is_said_in_a_sentence(to_be_timed, monkeypatch):
    monkeypatch.setattr(timing, "_walk", Failing(SHORT, "full", "incremental"))
    with pytest.raises(
        ValueError, match=r"chains must fit into memory, but 35 sequences .* by either way .*: take few"
    ):
        chosen("auto", ensemble=convolved())
    assert not evaluation._FOUND


def test_another_error_while_timing_is_not_hidden(to_be_timed, monkeypatch):
    monkeypatch.setattr(timing, "_walk", Failing(jax.errors.JaxRuntimeError("INTERNAL: illegal address"), "full"))
    with pytest.raises(jax.errors.JaxRuntimeError, match="illegal address"):
        chosen("auto", ensemble=convolved())


def test_what_cannot_be_is_said(monkeypatch):
    with pytest.raises(ValueError, match='evaluation must be "auto", "full" or "incremental", got .quick'):
        chosen("quick")
    with pytest.raises(ValueError, match='evaluation must be "full" for a rule that needs gradients'):
        chosen("incremental", Informed())
    monkeypatch.setattr(evaluation, "free_bytes", lambda: 100)
    with pytest.raises(ValueError, match=r"chains must fit into memory, but 45 sequences of all chains, .* take fewer"):
        chosen("incremental")
    with pytest.raises(ValueError, match="evaluation must be"):
        jme.sample(jax.random.key(0), PROBLEM.ensemble(), steps=10, evaluation=True, progress=False)
