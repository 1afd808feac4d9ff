"""Several networks at once: energies against NumPy for all sequences, scales, gradients, sampling, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.ensembles._compositions import ContrastMetric, TogetherMetric
from jaxmaxent.evaluate import Edit, GradientEvaluator, IncrementalEvaluator, energy_noise, write
from jaxmaxent.evaluate.incremental import Incremental
from jaxmaxent.kernels import Informed, Site
from jaxmaxent.testing import check_evaluator, check_rule
from jaxmaxent.testing._check import _again as same_energies
from jaxmaxent.testing._space import space_of
from problems import Problem, toy_features

LENGTH, MU = 4, 0.4
STATES = exact.states(LENGTH, 4)
ANCHOR = np.array([2, 0, 3, 1])
HERE = int(exact.index_of(ANCHOR, 4))
HEAD = np.random.default_rng(3).normal(size=(7, 2)).round(3)
SCALES = np.array([0.8, 1.7])
WEIGHTS = [exact.toy_weights(1, LENGTH, 4), exact.toy_weights(2, LENGTH, 4, features=7)]
COUNTS = exact.composition_count(STATES, (1, 2))


def part(number, anchor=ANCHOR, length=LENGTH, **changes):
    """The two networks: 5 features under a Euclidean distance, and 7 whose two outputs are compared."""
    weights = WEIGHTS if length == LENGTH else [exact.toy_weights(s, length, 4, f) for s, f in ((1, 5), (2, 7))]
    network = jme.Representation(toy_features, weights[number], HEAD if number else None)
    settings = {"beta": 1.0, "fields": [jme.composition("GC", MU)], "distance": "output" if number else "euclidean"}
    return jme.Ensemble.create(network, anchor, **settings | changes)


def oracle(anchor=ANCHOR):
    """The energies of both networks at all sequences, in NumPy."""
    found = []
    for number, weights in enumerate(WEIGHTS):
        phi, own = (exact.toy_features(weights, exact.one_hot(x, 4)) for x in (STATES, anchor))
        found.append(np.linalg.norm((phi - own) @ HEAD if number else phi - own, axis=-1))
    return np.array(found)


def composed(way, scales=SCALES, beta=3.0, **parts):
    a, b = part(0, **parts), part(1, **parts)
    if way == "contrast":
        return jme.contrast(a, b, beta=beta, strength=1.5, far=0.7, scales=scales)
    return jme.together([a, b], beta=beta, how=way, scales=scales)


def right(way, scales=SCALES, anchor=ANCHOR):
    a, b = oracle(anchor) / np.asarray(scales)[:, None]
    return {"max": np.maximum(a, b), "sum": a + b, "contrast": a + 1.5 * np.maximum(0, 0.7 - b)}[way]


WAYS = ("max", "sum", "contrast")


@jax.jit
def energies(ensemble, states):
    return jax.lax.map(ensemble.energy, states)


@pytest.mark.parametrize("way", WAYS)
def test_energies_are_the_definition(way, x64):
    ensemble = composed(way)
    found = energies(ensemble, jnp.asarray(STATES))
    np.testing.assert_allclose(found, right(way), rtol=1e-11, atol=1e-13)
    assert found[HERE] == ensemble.anchor_energy() == (1.5 * 0.7 if way == "contrast" else 0)
    assert found.min() >= 0
    assert right("contrast").min() < 1.05  # sequences that are better than the anchor exist


@pytest.mark.parametrize("way", WAYS)
def test_energies_in_single_precision_are_those_in_double(way):
    found = np.asarray(energies(composed(way), jnp.asarray(STATES)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, right(way), rtol=0, atol=2e-5)


def test_scales_are_mean_energies_of_the_background(x64):
    p = exact.distribution(MU * COUNTS)
    for way in WAYS:
        found = np.asarray(composed(way, scales=None).weights.scales)
        for scale, own in zip(found, oracle(), strict=True):
            mean, variance = exact.mean_and_variance(p, own)
            assert abs(scale - mean) < 5 * np.sqrt(variance / 256) + 0.0005 * mean
            assert scale == float(f"{scale:.3g}")
    assert abs(p @ right("sum", found) - 2) < 0.3


def test_parameters_stay_leaves():
    """Another strength, far, scale, β or network runs the program that is compiled already."""
    a, b = part(0), part(1)
    one = jme.contrast(a, b, beta=1.0, scales=SCALES)
    other = jme.contrast(a, b, beta=2.0, strength=3.0, far=0.2, scales=SCALES[::-1])
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert one.metric == other.metric
    assert hash(one.features) == hash(other.features)
    compiled = jax.jit(lambda ensemble, tokens: ensemble.energy(tokens))
    tokens = jnp.asarray(STATES[7])
    first, second = compiled(one, tokens), compiled(other, tokens)
    assert compiled._cache_size() == 1
    assert first != second


@pytest.mark.parametrize("way", WAYS)
def test_gradient_is_0_at_the_anchor_and_that_of_differences_elsewhere(way, x64):
    ensemble = composed(way)
    energy, cache = jax.jit(lambda e, t: GradientEvaluator(e).init(t))(ensemble, ensemble.anchor)
    assert energy == ensemble.anchor_energy()
    np.testing.assert_array_equal(cache.gradient, 0)
    slope = jax.jit(lambda e, x: jax.grad(e.energy_of_one_hot)(x))
    rng = np.random.default_rng(0)
    for tokens in STATES[[11, 90, 200]]:
        x, step = jnp.asarray(exact.one_hot(tokens, 4)), jnp.asarray(rng.normal(size=(LENGTH, 4)))
        ends = [ensemble.energy_of_one_hot(x + sign * 1e-6 * step) for sign in (1, -1)]
        found = float((slope(ensemble, x) * step).sum())
        assert found == pytest.approx(float(ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_gradient_leaves_out_a_part_that_only_rounding_tells_from_the_anchor():
    """The direction of the rounding errors of b would be a full-sized gradient of a contrast, whose E is not small."""
    a = jme.Ensemble.create(lambda x: 1000 + x[1, :2], "ACA", beta=1.0)
    b = jme.Ensemble.create(lambda x: 1000 + x[0, :2], "ACA", beta=1.0)
    ensemble = jme.contrast(a, b, beta=1.0, far=2.0, scales=[1.0, 1.0])
    moved = ensemble.replace(reference=jnp.nextafter(ensemble.reference, jnp.full(4, jnp.inf)))
    for tokens, letters in [([0, 1, 2], 0), ([0, 0, 2], 1), ([1, 1, 2], 1)]:
        energy, cache = GradientEvaluator(moved).init(jnp.array(tokens))
        assert energy > 0.01
        assert int((cache.gradient != 0).any(1).sum()) == letters


@pytest.mark.parametrize("way", WAYS)
def test_incremental_evaluation_is_exact(way, x64):
    check_evaluator(IncrementalEvaluator, composed(way))


def windowed(params, one_hot):
    """A convolution and a dense layer."""
    kernel, dense = params
    found = jax.lax.conv_general_dilated(
        one_hot[None], kernel.astype(one_hot.dtype), (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
    )[0]
    return jnp.tanh(jax.nn.relu(found).reshape(-1) @ dense.astype(one_hot.dtype))


def test_incremental_evaluation_recomputes_the_windows_of_both_networks():
    rng, length, anchor = np.random.default_rng(0), 40, np.random.default_rng(1).integers(0, 4, 40)
    parts = []
    for width, filters in ((5, 8), (9, 6)):
        params = rng.normal(size=(width, 4, filters)), rng.normal(size=((length - width + 1) * filters, 4)) / 20
        parts.append(jme.Ensemble.create(jme.Representation(windowed, params), anchor, beta=1.0))
    both = jme.contrast(*parts, beta=1.0, scales=[1.0, 1.0])
    cost = Incremental(both.features, both.params, length, 4).explain()
    assert cost.flops < 0.4 * cost.full_flops
    sites, letters = rng.integers(0, length, 60), rng.integers(0, 4, 60)

    @jax.jit
    def walk(tokens):
        def step(carry, given):
            tokens, cache = carry
            edit = Edit(given[0][None], given[1][None, None])
            energy, patch = evaluator.propose(cache, edit)
            accept = given[1] != 2
            edited = write(tokens, edit)
            cache = evaluator.commit(cache, patch, accept)
            return (jnp.where(accept, edited, tokens), cache), (energy, both.energy(edited))

        evaluator = IncrementalEvaluator(both)
        return jax.lax.scan(step, (tokens, evaluator.init(tokens)[1]), (sites.astype(np.int32), letters))[1]

    found, full = walk(both.anchor)
    np.testing.assert_allclose(found, full, rtol=0, atol=1e-5)
    assert np.ptp(np.asarray(full)) > 0.1


@pytest.mark.parametrize("way", ["max", "contrast"])
def test_rules_with_and_without_gradients_keep_the_distribution(way, x64):
    ensemble = composed(way, anchor=ANCHOR[:3], length=3, beta=2.0)
    for rule in (Site(), Informed()):
        check_rule(rule, ensemble)


def test_several_anchors_have_scales_strengths_and_distances_of_their_own(x64):
    anchors = STATES[[3, 77, 200]]
    a, b = part(0, anchors), part(1, anchors)
    scales, far = np.array([[1.0, 2.0], [0.5, 1.0], [2.0, 0.7]]), np.array([0.2, 0.9, 1.4])
    batch = jme.contrast(a, b, beta=[1.0, 2.0, 3.0], far=far, scales=scales)
    for number, anchor in enumerate(anchors):
        of_a, of_b = oracle(anchor) / scales[number][:, None]
        one = batch.take(number)
        found = energies(one, jnp.asarray(STATES))
        np.testing.assert_allclose(found, of_a + np.maximum(0, far[number] - of_b), atol=1e-12)
        assert float(one.beta) == number + 1
    alone = jme.together([part(0, anchors[1]), part(1, anchors[1])], beta=1.0)
    np.testing.assert_array_equal(jme.together([a, b], beta=1.0).weights.scales[1], alone.weights.scales)


def test_compositions_can_be_composed(x64):
    inner = jme.together([part(0), part(1)], beta=1.0, how="sum", scales=SCALES)
    outer = jme.contrast(inner, part(1), beta=1.0, scales=[2.0, 0.5])
    expected = right("sum") / 2 + np.maximum(0, 1 - oracle()[1] / 0.5)
    np.testing.assert_allclose(energies(outer, jnp.asarray(STATES)), expected, atol=1e-12)
    _, cache = GradientEvaluator(outer).init(outer.anchor)
    np.testing.assert_array_equal(cache.gradient, 0)
    assert outer.metric.name == "contrast of sum of euclidean, output and output"


def test_mutants_of_a_contrast_are_measured_from_the_energy_of_the_anchor(x64):
    ensemble = composed("contrast")
    one_letter = (STATES != ANCHOR).sum(1) == 1
    expected = np.sort(np.abs(right("contrast")[one_letter] - 1.05))
    found = jme.analysis.mutant_energies(ensemble)
    np.testing.assert_allclose(np.sort(found.ravel()), expected, atol=1e-12)
    beta = jme.analysis.auto_beta(ensemble, "median").beta
    np.testing.assert_allclose(beta, -np.log(0.05) / np.median(expected), rtol=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_check_knows_the_energy_of_the_anchor(way):
    space = space_of(composed(way), [0, 1])
    assert all(part.passed for part in same_energies(space, 1e-4))
    moved = composed(way).replace(reference=composed(way).reference + 0.05)
    assert not all(part.passed for part in same_energies(space_of(moved, [0, 1]), 1e-4))


def _half_precision(params, one_hot):
    return toy_features(params, one_hot).astype(jnp.bfloat16)


def _whole_precision(params, one_hot):
    return toy_features(params, one_hot)


def test_rounding_of_one_network_with_16_bits_is_seen():
    """The joined features have 32 bits; which of them had 16 is remembered."""
    problem, tokens = Problem(length=8), jnp.asarray(np.random.default_rng(1).integers(0, 4, (1000, 8)))
    a, b = exact.toy_weights(0, 8, 4), exact.toy_weights(1, 8, 4)

    def both(function):
        made = [
            jme.Ensemble.create(jme.Representation(f, w), problem.anchor, beta=1.0)
            for f, w in ((_whole_precision, a), (function, b))
        ]
        return jme.together(made, beta=1.0, how="sum", scales=[1.0, 1.0])

    rounded, whole = both(_half_precision), both(toy_features)
    whole = whole.replace(reference=rounded.reference)
    found, exact_ones = (energies(one, tokens) for one in (rounded, whole))
    said = energy_noise(rounded.batched(), tokens[None], found[None])[0]
    real = np.std(np.asarray(found - exact_ones))
    assert real > 1e-4
    assert real / 1.5 < said < real * 1.5


@pytest.mark.slow
def test_a_sampled_contrast_agrees_with_enumeration():
    """Of two anchors, with anchor-start chains, whose energy is not 0."""
    anchors, beta = np.stack([ANCHOR, STATES[77]]), 4.0
    ensemble = composed("contrast", anchor=anchors, beta=beta)
    run = jme.sample(
        jax.random.key(0), ensemble, ladder=4, chains=16, target_replicas=1, anchor_chains=4, steps=4000,
        burn_in=500, progress=False, evaluation="incremental",
    )  # fmt: skip
    for a, anchor in enumerate(anchors):
        energy = right("contrast", anchor=anchor)
        p = exact.distribution(MU * COUNTS - beta * energy)
        assert run.min_ess[a, -1] > 400
        assert abs(run.energy[a, -1] - p @ energy) < 5 * run.energy_error[a, -1]
        off = run.frequencies[a, -1] - exact.letter_frequencies(p, STATES, 4)
        assert np.abs(off / run.frequency_errors[a, -1]).max() < 5
        log_z = exact.log_partition(MU * COUNTS - beta * energy)
        assert abs(run.log_z[a, -1] - log_z) < 5 * run.log_z_error[a, -1]
        assert "chains started at the anchor agree" in run.outcomes[a]


@pytest.mark.parametrize(
    "way", [pytest.param("max", marks=pytest.mark.exhaustive), pytest.param("sum", marks=pytest.mark.slow)]
)
def test_sampling_of_networks_together_passes_the_check(way):
    report = jme.check(composed(way), positions=[0, 1, 2], steps=2000, moves=500)
    assert report.passed, str(report)


@pytest.mark.slow
def test_a_contrast_goes_on_bitwise_after_an_interruption(tmp_path, monkeypatch):
    ensemble = composed("contrast")
    settings = {"ladder": 3, "chains": 4, "target_replicas": 1, "steps": 200, "burn_in": 50, "progress": False}
    whole = jme.sample(jax.random.key(1), ensemble, **settings)
    from jaxmaxent.sampling._checkpoint import Saver

    monkeypatch.setattr(Saver, "remove", lambda self: None)
    jme.sample(jax.random.key(1), ensemble, checkpoint=tmp_path / "run", **settings)
    again = jme.resume(tmp_path / "run", composed("contrast"), progress=False)
    np.testing.assert_array_equal(again.frequencies, whole.frequencies)
    with pytest.raises(ValueError, match="^ensemble must be that of the run .* but its"):
        jme.resume(tmp_path / "run", composed("max"), progress=False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: jme.together([a], beta=1.0), "^ensembles must be two or more, got 1$"),
        (lambda a, b: jme.together(a, beta=1.0), "^ensembles must be a list of ensembles, got Ensemble"),
        (lambda a, b: jme.together([a, 3], beta=1.0), "^ensembles must hold Ensembles, got int$"),
        (lambda a, b: jme.contrast(a, None, beta=1.0), "^ensembles must hold Ensembles, got NoneType$"),
        (lambda a, b: jme.together([a, b], beta=1.0, how="mean"), '^how must be "max" or "sum", got \'mean\'$'),
        (lambda a, b: jme.together([a, b], beta=-1.0), "^beta must be finite ≥ 0, got -1$"),
        (lambda a, b: jme.together([a, b], beta=[1.0, 2.0]), "^beta must be one number"),
        (lambda a, b: jme.together([a, b], beta=1.0, scales=[1.0]), r"^scales must have shape \[2\], got \[1\]$"),
        (lambda a, b: jme.together([a, b], beta=1.0, scales=[1.0, 0.0]), "^scales must be above 0, got 0$"),
        (lambda a, b: jme.contrast(a, b, beta=1.0, strength=0), "^strength must be above 0, got 0$"),
        (lambda a, b: jme.contrast(a, b, beta=1.0, far=-1), "^far must be finite ≥ 0, got -1$"),
        (lambda a, b: jme.contrast(a, b, beta=1.0, far=[1.0, 2.0]), "^far must be one number"),
        (lambda a, b: jme.together([a, part(1, [2, 0, 3, 2])], beta=1.0), "^ensembles must have the same anchors, but"),
        (lambda a, b: jme.together([a, part(1, [ANCHOR])], beta=1.0), "^ensembles must have the same anchors, but"),
        (
            lambda a, b: jme.together([a, b, part(1, fixed=[2])], beta=1.0),
            "^ensembles must have the same fixed positions, but ensemble 2 has another than ensemble 0$",
        ),
        (lambda a, b: jme.together([a, part(1, fields=[])], beta=1.0), r"^ensembles must have the same fields \(GC\)"),
        (
            lambda a, b: jme.together([a, part(1, fields=[jme.composition("GC", 0.5)])], beta=1.0),
            "^ensembles must have the same field 'GC', but ensemble 1 has another than ensemble 0$",
        ),
        (
            lambda a, b: jme.contrast(
                *(
                    jme.Ensemble.create(lambda x: x[:, 0], ANCHOR, beta=1.0, alphabet=jme.Alphabet(letters))
                    for letters in ("ACGT", "ACGU")
                ),
                beta=1.0,
            ),
            r"^ensembles must have the same alphabet \('ACGT'\), but ensemble 1",
        ),
        (
            lambda a, b: jme.together(
                [a, jme.Ensemble.create(lambda x: x[0] * 0 + 1, ANCHOR, beta=1.0, fields=[jme.composition("GC", MU)])],
                beta=1.0,
            ),
            "^scales must be given, because the mean energy of ensemble 1 at β = 0 is 0 at anchor 0$",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call(part(0), part(1))


def test_metrics_are_small_objects():
    assert composed("max").metric != composed("sum").metric
    assert isinstance(composed("max").metric, TogetherMetric)
    assert isinstance(composed("contrast").metric, ContrastMetric)
    assert "distance: contrast of euclidean and output" in repr(composed("contrast"))
