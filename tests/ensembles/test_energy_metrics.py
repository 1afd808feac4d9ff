"""The formulas of E: energies against NumPy for all sequences, cusps, rounding, anchors side by side, bad input."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.ensembles import weighted_distance
from jaxmaxent.ensembles._metrics import CosineMetric, EuclideanMetric
from jaxmaxent.evaluate import GradientEvaluator, IncrementalEvaluator, energy_noise
from jaxmaxent.kernels import Informed, Site
from jaxmaxent.sampling._checkpoint import Saved
from jaxmaxent.sampling._checkpoint import _fingerprint as fingerprint
from jaxmaxent.testing import check_evaluator, check_rule
from problems import Problem, toy_features

PROBLEM = Problem(length=4, beta=2.0, mus=(0.4,), seed=2)
HEAD = np.random.default_rng(5).normal(size=(5, 3)).round(3)
WEIGHTS = exact.toy_weights(PROBLEM.seed, PROBLEM.length, 4)
# Never 0: cosine has no angle for features that are.
NETWORK = jme.Representation(toy_features, WEIGHTS, HEAD)


def cityblock(features, reference, weights):
    return jnp.sum(jnp.abs(weights * (features - reference)))


def root_of_square(features, reference, weights):
    """A cusp whose own gradient at the anchor is NaN."""
    return jnp.sqrt(jnp.sum((weights * (features - reference)) ** 2))


@dataclasses.dataclass(frozen=True)
class Power:
    """A function with a setting."""

    power: int

    def __call__(self, features, reference, weights):
        return jnp.sum(jnp.abs(weights * (features - reference)) ** self.power)


def by_hand(phi, own, w, head, unit):
    """E of features phi [..., features] by every definition, in NumPy."""
    cosine = (w * phi) @ (w * own) / np.linalg.norm(w * phi, axis=-1) / np.linalg.norm(w * own)
    units = range(3) if unit is None else np.atleast_1d(unit)
    return {
        "euclidean": np.sqrt((((phi - own) * w) ** 2).sum(-1)),
        "cosine": np.sqrt(np.maximum(2 - 2 * cosine, 0)),
        "output": np.sqrt((((phi - own) @ head[:, list(units)]) ** 2).sum(-1)),
        cityblock: np.abs((phi - own) * w).sum(-1),
        Power(2): (((phi - own) * w) ** 2).sum(-1),
    }


CASES = [
    ("euclidean", {"weights": PROBLEM.w}), ("cosine", {"weights": PROBLEM.w}), ("output", {}), ("output", {"unit": 1}),
    ("output", {"unit": (2, 0)}), ("output", {"unit": [0, 1, 2]}), (cityblock, {"weights": PROBLEM.w}),
    (Power(2), {"weights": PROBLEM.w}),
]  # fmt: skip
KINDS = [CASES[1], CASES[2], CASES[6]]


def named(case):
    return str(getattr(case, "__name__", case)) if not isinstance(case, dict) else str(case.get("unit", ""))


def made(distance, more, **changes):
    settings = {"beta": PROBLEM.beta, "fields": [jme.composition("GC", 0.4)]} | more | changes
    anchor = settings.pop("anchor", PROBLEM.anchor)
    return jme.Ensemble.create(settings.pop("network", NETWORK), anchor, distance=distance, **settings)


def expected(distance, more, anchor=PROBLEM.anchor):
    phi = exact.toy_features(WEIGHTS, exact.one_hot(PROBLEM.states, 4))
    own = exact.toy_features(WEIGHTS, exact.one_hot(anchor, 4))
    return by_hand(phi, own, PROBLEM.w, HEAD, more.get("unit"))[distance]


@jax.jit
def energies(ensemble, states):
    return jax.lax.map(ensemble.energy, states)


@pytest.mark.parametrize(("distance", "more"), CASES, ids=named)
def test_energies_are_the_definition(distance, more, x64):
    found = energies(made(distance, more), jnp.asarray(PROBLEM.states))
    right = expected(distance, more)
    # Two minus twice a cosine loses half of the digits near the anchor, in NumPy.
    np.testing.assert_allclose(found, right, rtol=1e-10, atol=1e-7 if distance == "cosine" else 1e-13)
    anchor = int(exact.index_of(PROBLEM.anchor, 4))
    assert found[anchor] == pytest.approx(0, abs=1e-12)  # another program may round otherwise
    assert (np.delete(found, anchor) > 0).all()


@pytest.mark.parametrize(("distance", "more"), CASES, ids=named)
def test_energies_in_single_precision_are_those_in_double(distance, more):
    single = made(distance, more)
    found = np.asarray(energies(single, jnp.asarray(PROBLEM.states)))
    assert found.dtype == np.float32
    size = max(found.max(), float(single.metric.size(single.reference, single.weights)))
    np.testing.assert_allclose(found, expected(distance, more), rtol=0, atol=2e-6 * size)
    assert single.energy(single.anchor) == single.anchor_energy() == 0


@pytest.mark.parametrize("angle", [1e-12, 1e-6, 1e-3, 0.5, 1.5, 1.6, 3.0, np.pi])
@pytest.mark.parametrize("length", [1e-25, 0.3, 1e25])
def test_cosine_is_right_for_tiny_and_for_large_angles_and_any_length(angle, length, x64):
    reference, weights = jnp.array([3.0, 0.0, 4.0]), jnp.array([1.0, 2.0, 0.5])
    own = np.array([3.0, 0.0, 2.0]) / np.sqrt(13)
    other = np.array([0.0, 1.0, 0.0])  # at right angles to the weighted reference
    features = length * (np.cos(angle) * own + np.sin(angle) * other) / np.asarray(weights)
    found = CosineMetric()(jnp.asarray(features), reference, weights)
    # The length of the features is not that of the anchor's, so that rounding of the change is not that of the angle.
    rounding = 1e-15 * np.linalg.norm(features) / length
    assert float(found) == pytest.approx(2 * np.sin(angle / 2), rel=1e-12, abs=rounding + 2e-16)


@pytest.mark.parametrize("angle", [1e-9, 1e-4])
def test_cosine_keeps_tiny_angles_in_single_precision(angle):
    """2 − 2 cos α is 0 in single precision for both."""
    found = CosineMetric()(jnp.array([1.0, angle]), jnp.array([1.0, 0.0]), jnp.ones(2))
    assert float(found) == pytest.approx(angle, rel=1e-5)


def test_cosine_of_nothing_is_that_of_a_right_angle():
    metric, reference = CosineMetric(), jnp.array([1.0, 2.0])
    assert float(metric(jnp.zeros(2), reference, jnp.ones(2))) == pytest.approx(np.sqrt(2))
    np.testing.assert_array_equal(jax.grad(metric)(jnp.zeros(2), reference, jnp.ones(2)), 0)
    with pytest.raises(ValueError, match='^distance "cosine" needs weighted features that are not all 0 at the anchor'):
        jme.Ensemble.create(lambda x: x[0, :2], ["ACG", "GCG"], beta=1.0, distance="cosine")


@jax.jit
def slopes(ensemble, features, step):
    """Gradients at the anchor, by its features and its letters, and elsewhere; and the slope there by differences."""
    of_features = jax.grad(ensemble.distance)
    _, cache = GradientEvaluator(ensemble).init(ensemble.anchor)
    change = ensemble.distance(features + 1e-6 * step) - ensemble.distance(features - 1e-6 * step)
    return of_features(ensemble.reference), cache.gradient, of_features(features), change / 2e-6


@pytest.mark.parametrize(("distance", "more"), [*CASES, (root_of_square, {"weights": PROBLEM.w})], ids=named)
def test_gradient_is_0_at_the_anchor_and_that_of_differences_elsewhere(distance, more, x64):
    rng = np.random.default_rng(0)
    features, step = rng.normal(size=5), rng.normal(size=5)
    at_anchor, by_letters, elsewhere, change = slopes(made(distance, more), features, step)
    np.testing.assert_array_equal(at_anchor, 0)
    np.testing.assert_array_equal(by_letters, 0)
    assert np.asarray(elsewhere) @ step == pytest.approx(float(change), rel=1e-6)


@pytest.mark.parametrize(("distance", "more"), [c for c in CASES if not isinstance(c[0], Power)], ids=named)
def test_energy_grows_linearly_at_the_anchor(distance, more, x64):
    """The cusp: E along a ray is in proportion to the length, down to lengths whose squares would be lost."""
    ensemble = made(distance, more)
    step = jnp.asarray(np.random.default_rng(1).normal(size=5))
    slopes = [float(ensemble.distance(ensemble.reference + size * step)) / size for size in (1e-5, 1e-8)]
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-4)
    assert slopes[0] > 0.01


@jax.jit
def with_gradient(ensemble, tokens):
    return GradientEvaluator(ensemble).init(tokens)


@pytest.mark.parametrize(("distance", "more"), [*KINDS, (root_of_square, {"weights": PROBLEM.w})], ids=named)
def test_gradient_is_0_within_rounding_of_the_anchor(distance, more):
    ensemble = made(distance, more)
    moved = ensemble.replace(reference=jnp.nextafter(ensemble.reference, jnp.full(5, jnp.inf)))
    energy, cache = with_gradient(moved, ensemble.anchor)
    assert 0 < energy <= moved.metric.noise(moved.reference, moved.weights)
    assert not cache.gradient.any()
    far = jnp.asarray(PROBLEM.states[0])
    energy, cache = with_gradient(moved, far)
    assert energy > moved.metric.noise(moved.reference, moved.weights)
    assert cache.gradient.any()


def test_mutants_within_rounding_count_as_unseen():
    def features(x):  # position 0 moves the features by one unit of rounding, position 1 by a lot
        return 1000 + x[0, 0] * jnp.array([6e-5, 0.0, 0.0]) + x[1, 0] * jnp.array([1.0, -2.0, 0.5])

    for distance in ("euclidean", "output", "cosine", cityblock):
        ensemble = jme.Ensemble.create(features, "AAC", beta=1.0, distance=distance)
        found = jme.analysis.mutant_energies(ensemble)[0]
        assert (found[0] == 0).all(), distance
        assert (found[1] > 0).all(), distance


@pytest.mark.parametrize(("distance", "more"), KINDS, ids=named)
def test_incremental_evaluation_is_exact(distance, more, x64):
    check_evaluator(IncrementalEvaluator, made(distance, more))


@pytest.mark.parametrize(("distance", "more"), KINDS, ids=named)
def test_rules_with_and_without_gradients_keep_the_distribution(distance, more, x64):
    small = Problem(length=3)
    network = jme.Representation(toy_features, exact.toy_weights(small.seed, 3, 4), HEAD)
    ensemble = jme.Ensemble.create(network, small.anchor, beta=1.5, distance=distance, **more)
    for rule in (Site(), Informed()):
        check_rule(rule, ensemble)


@pytest.mark.parametrize(("distance", "more"), KINDS, ids=named)
def test_several_anchors_are_the_single_ones_side_by_side(distance, more, x64):
    anchors, states = PROBLEM.states[[3, 77, 200]], jnp.asarray(PROBLEM.states)
    batch = made(distance, more, anchor=anchors)
    for a, anchor in enumerate(anchors):
        found = energies(batch.take(a), states)
        np.testing.assert_allclose(found, energies(made(distance, more, anchor=anchor), states), atol=1e-14)
    both = jax.vmap(lambda one, tokens: one.energy(tokens), (batch.anchor_axes(), None))(batch, states[9])
    assert both.shape == (3,)
    if distance == "output":
        assert batch.weights.head.shape == (5, 3)  # once, not per anchor


def test_output_has_a_weight_per_output_and_without_a_head_features_are_outputs(x64):
    each = np.array([[1.0, 0.0, 2.0], [0.5, 3.0, 0.0]])
    batch = made("output", {"weights": each}, anchor=PROBLEM.states[[5, 9]])
    tokens = jnp.asarray(PROBLEM.states[100])
    phi = exact.toy_features(WEIGHTS, exact.one_hot(PROBLEM.states[[100, 5, 9]], 4)) @ HEAD
    for a in range(2):
        right = np.linalg.norm((phi[0] - phi[1 + a]) * each[a])
        assert float(batch.take(a).energy(tokens)) == pytest.approx(right, rel=1e-12)
    bare = jme.Representation(lambda params, x: toy_features(params, x) @ HEAD, WEIGHTS)
    one = made("output", {"weights": each[1]}, network=bare)
    assert isinstance(one.metric, EuclideanMetric)
    own = exact.toy_features(WEIGHTS, exact.one_hot(PROBLEM.anchor, 4)) @ HEAD
    assert float(one.energy(tokens)) == pytest.approx(np.linalg.norm((phi[0] - own) * each[1]), rel=1e-12)


def test_output_ignores_what_no_output_reads(x64):
    """Two features that cancel in every output: equal outputs, features apart."""
    head = np.array([[1.0, 2.0], [1.0, 2.0]])
    network = jme.Representation(lambda params, x: jnp.stack([x[0, 0], x[0, 1]]) + params, 1.0, head)
    one = {d: jme.Ensemble.create(network, "AC", beta=1.0, unit=0, distance=d) for d in ("output", "euclidean")}
    tokens = jnp.array([1, 1])
    assert one["output"].energy(tokens) == 0
    assert float(one["euclidean"].energy(tokens)) == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize(("distance", "more"), [CASES[0], *KINDS], ids=named)
def test_rounding_of_16_bit_outputs_is_what_is_expected_of_it(distance, more):
    """Against the energies of the same network without rounding, over 1,000 sequences, within a third."""
    problem = Problem(length=8)
    weights = exact.toy_weights(0, 8, 4)
    rounded, whole = (
        jme.Ensemble.create(jme.Representation(f, weights, HEAD), problem.anchor, beta=1.0, distance=distance, **more)
        for f in (_half_precision, toy_features)
    )
    whole = whole.replace(reference=rounded.reference)
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, 4, (1000, 8)))
    found, right = (energies(one, tokens) for one in (rounded, whole))
    said = energy_noise(rounded.batched(), tokens[None], found[None])[0]
    real = np.std(np.asarray(found - right))
    assert real / 1.5 < said < real * 1.5


def _half_precision(params, one_hot):
    return toy_features(params, one_hot).astype(jnp.bfloat16)


def test_another_distance_is_shown_and_part_of_the_program():
    one = made("cosine", {"weights": PROBLEM.w})
    assert "distance: cosine" in repr(one)
    assert "distance" not in repr(made("euclidean", {"weights": PROBLEM.w}))
    assert "cityblock" in repr(made(cityblock, {"unit": 0}))
    assert (
        made(Power(2), {"unit": 0}).metric == made(Power(2), {"unit": 0}).metric != made(Power(3), {"unit": 0}).metric
    )
    assert "test_energy_metrics.Power" in made(Power(2), {"unit": 0}).metric.name
    assert "cityblock" in made(functools.partial(cityblock), {"unit": 0}).metric.name


def not_scalar(features, reference, weights):
    return features - reference


def with_offset(features, reference, weights):
    return 1e-7 + jnp.abs(features - reference).sum()


def signed(features, reference, weights):
    return jnp.sum(features - reference)


def never_finite(features, reference, weights):
    return jnp.where((features == reference).all(), 0.0, jnp.inf)


def of_numpy(features, reference, weights):
    return np.linalg.norm(features - reference)


def complex_valued(features, reference, weights):
    return jnp.sum(features - reference) * 1j


def of_two(features, reference):
    return jnp.sum(features - reference)


@dataclasses.dataclass
class Unhashable:
    power: int

    def __call__(self, features, reference, weights):
        return weighted_distance(features - reference, weights)


@pytest.mark.parametrize(
    ("distance", "more", "message"),
    [
        ("manhattan", {}, r'^distance must be "euclidean", "output", "cosine" or a function of .*, got \'manhattan\'$'),
        (None, {}, "^distance must be .* got None$"),
        (3, {}, "^distance must be .* got 3$"),
        (not_scalar, {}, "^distance must return one real number, a float of shape"),
        (complex_valued, {}, "^distance must return one real number, a float of shape"),
        (with_offset, {}, "^distance must be exactly 0 at the anchor, got 1e-07"),
        (signed, {}, "^distance must be finite and ≥ 0, got -"),
        (never_finite, {}, "^distance must be finite and ≥ 0, got inf"),
        (of_numpy, {}, "^distance must be a function of .* made of JAX operations, but: Tracer"),
        (of_two, {}, "^distance must be a function of .* but: TypeError"),
        (Unhashable(2), {}, "^distance must be a hashable function, but: unhashable type"),
        ("output", {"unit": 3}, "^unit must be one of 0 to 2 or several of them, got 3$"),
        ("output", {"unit": (1, 1)}, r"^unit must be one of 0 to 2 or several of them, got \(1, 1\)$"),
        ("output", {"unit": ()}, r"^unit must be one of 0 to 2 or several of them, got \(\)$"),
        ("output", {"unit": True}, "^unit must be a whole number"),
        ("output", {"weights": np.ones(5)}, r"^weights must be one per output, of shape \[3\], got \[5\]$"),
        ("output", {"unit": (0, 1), "weights": np.zeros(2)}, "^weights must not all be 0"),
        ("output", {"unit": 0, "network": NETWORK._replace(head=None)}, "^unit needs a representation with a head"),
        ("output", {"network": NETWORK._replace(head=np.zeros((5, 2)))}, "^head must not have only zeros"),
        ("output", {"network": NETWORK._replace(head=np.ones((4, 2)))}, r"^head must have shape \[5, units\]"),
        ("cosine", {"unit": (0, 1), "weights": np.ones(5)}, "^give unit or weights, not both"),
    ],
)  # fmt: skip
def test_bad_distances_are_refused_in_one_sentence(distance, more, message):
    if "unit" not in more and "weights" not in more and distance != "output":
        more = {"unit": 0} | more
    with pytest.raises(ValueError, match=message):
        made(distance, more)


def test_a_run_does_not_go_on_with_another_distance():
    given = {"weights": PROBLEM.w}
    ensembles = {d: made(d, given).batched() for d in ("euclidean", "cosine", cityblock)}
    for one in ensembles.values():
        saved = Saved("run", None, fingerprint(one), {}, {})
        saved.check_ensemble(one)
        for other in ensembles.values():
            if other is not one:
                with pytest.raises(ValueError, match="^ensemble must be that of the run .* its distance is another$"):
                    saved.check_ensemble(other)
    without = {name: mark for name, mark in fingerprint(ensembles["euclidean"]).items() if name != "distance"}
    Saved("run", None, without, {}, {}).check_ensemble(ensembles["euclidean"])
