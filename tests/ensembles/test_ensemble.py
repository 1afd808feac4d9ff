import collections
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import exact
import jaxmaxent as jme
from jaxmaxent.ensembles import weighted_distance
from jaxmaxent.evaluate import energy_noise
from problems import PROBLEMS, Problem, toy_features

LINEAR = jme.Representation(lambda params, x: x.reshape(-1) @ params, np.eye(12)[:, :5], np.eye(5)[:, :3])


@pytest.mark.parametrize("name", PROBLEMS)
def test_log_weight_is_the_definition(name, x64):
    problem = PROBLEMS[name]
    log_weight = jax.jit(jax.vmap(problem.ensemble().log_weight))(jnp.asarray(problem.states))
    np.testing.assert_allclose(log_weight, problem.log_weights(), rtol=0, atol=1e-10)


def test_energy_is_zero_at_the_anchor_and_positive_elsewhere():
    problem = Problem()
    ensemble = problem.ensemble()
    energy = np.asarray(jax.vmap(ensemble.energy)(jnp.asarray(problem.states)))
    here = (problem.states == problem.anchor).all(1)
    assert ensemble.energy(ensemble.anchor) == 0
    assert (energy[~here] > 0).all()


def test_norm_has_gradient_zero_at_the_anchor_and_the_right_one_elsewhere(x64):
    weights = jnp.array([1.0, -2.0, 0.5])
    gradient = jax.grad(weighted_distance)
    np.testing.assert_array_equal(gradient(jnp.zeros(3), weights), 0)
    d = jnp.array([0.3, -0.1, 0.7])
    expected = weights**2 * d / np.linalg.norm(weights * d)
    np.testing.assert_allclose(gradient(d, weights), expected, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-36, 1e-30, 1e-22, 1e-19, 1e18, 1e25, 1e37])
def test_norm_is_that_of_numbers_whose_squares_have_no_place_in_single_precision(size):
    weights, d = jnp.array([1.0, -2.0, 0.5]), jnp.array([0.3, -0.1, 0.7])
    expected = float(np.linalg.norm(np.array([0.3, 0.2, 0.35])))
    for found in (weighted_distance(d * size, weights), weighted_distance(d, weights * size)):
        assert float(found) / size == pytest.approx(expected, rel=1e-5)
    gradient = jax.grad(weighted_distance)(d * size, weights)
    np.testing.assert_allclose(gradient, np.array([1, 4, 0.25]) * np.array([0.3, -0.1, 0.7]) / expected, rtol=1e-5)


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_norm_of_what_is_not_finite_is_not_finite(bad):
    assert not jnp.isfinite(weighted_distance(jnp.array([0.0, bad, 1.0]), jnp.ones(3)))


def test_a_score_of_minus_infinity_forbids_whatever_mu_is():
    table = np.zeros((3, 4))
    table[1, 3] = -np.inf
    for mu in (1.0, 0.0, -2.0):
        ensemble = jme.Ensemble.create(LINEAR, "ACG", beta=1.0, unit=0, fields=[jme.position_prior(table, mu)])
        weight = ensemble.log_weight(jnp.array([0, 3, 2]))
        assert weight == -jnp.inf, mu
        assert jnp.isfinite(ensemble.log_weight(ensemble.anchor))
        assert jnp.isfinite(ensemble.counts(jnp.array([0, 3, 2]))).all()
    # In the table of a field that is made directly, too.
    field = jme.Field(mu=1.0, unary=jnp.asarray(table), name="own")
    assert jme.Ensemble.create(LINEAR, "ACG", beta=1.0, unit=0, fields=[field]).forbidden()[1, 3]


def test_a_position_with_one_letter_left_is_held():
    table = np.zeros((3, 4))
    table[1] = [-np.inf, 0, -np.inf, -np.inf]
    ensemble = jme.Ensemble.create(LINEAR, "ACG", beta=1.0, unit=0, fields=[jme.position_prior(table)])
    np.testing.assert_array_equal(ensemble.movable, [0, 2])


def test_bad_masks_are_named():
    table = np.zeros((3, 4))
    table[1] = -np.inf
    with pytest.raises(ValueError, match="table must leave a letter at every position, but position 1 has only −∞"):
        jme.position_prior(table)
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="table must be finite, got"):
            jme.position_prior(np.where(table < 0, value, 0))
    table[1] = [0, -np.inf, 0, 0]
    with pytest.raises(ValueError, match="fields must not forbid a letter of the anchor, but 'C' at position 1"):
        jme.Ensemble.create(LINEAR, ["AAG", "ACG"], beta=1.0, unit=0, fields=[jme.position_prior(table)])


@pytest.mark.parametrize(
    ("unit", "expected"), [(1, [0, 1, 0, 0, 0]), ((0, 2), [1, 0, -1, 0, 0]), ([2], [0, 0, 1, 0, 0])]
)
def test_weights_come_from_a_unit_or_a_pair(unit, expected):
    ensemble = jme.Ensemble.create(LINEAR, "ACG", beta=1.0, unit=unit)
    np.testing.assert_array_equal(ensemble.weights, expected)


def test_a_head_of_two_units_means_their_pair():
    two = LINEAR._replace(head=np.arange(10.0).reshape(5, 2) ** 2)
    weights = jme.Ensemble.create(two, "ACG", beta=1.0).weights
    np.testing.assert_array_equal(weights, two.head[:, 1] - two.head[:, 0])


def test_several_anchors_are_the_single_ones_side_by_side(x64):
    problem = Problem(length=4, mus=(0.3,))
    anchors = problem.states[[3, 77, 200]]
    batch = problem.ensemble(anchor=anchors, beta=[0.5, 1.0, 2.0])
    assert batch.anchors == 3

    def weigh(one, tokens):
        return one.log_weight(tokens)

    together = jax.vmap(jax.vmap(weigh, (None, 0)), (batch.anchor_axes(), None))(batch, problem.states)
    for row, anchor, beta in zip(together, anchors, (0.5, 1.0, 2.0), strict=True):
        single = problem.ensemble(anchor=anchor, beta=beta)
        np.testing.assert_allclose(row, jax.vmap(single.log_weight)(problem.states), atol=1e-12)
        np.testing.assert_array_equal(single.batched().anchor, anchor[None])


@pytest.mark.parametrize("indices", [[2, 0], (2, 0), np.array([2, 0]), jnp.array([2, 0])])
def test_some_of_the_anchors_are_taken_by_their_numbers(indices):
    problem = PROBLEMS["dna-fields"]
    batch = problem.ensemble(anchor=problem.states[[3, 50, 200]], beta=np.array([0.5, 1.0, 2.0]))
    taken = batch.take(indices)
    np.testing.assert_array_equal(taken.anchor, problem.states[[200, 3]])
    np.testing.assert_array_equal(taken.beta, [2.0, 0.5])
    np.testing.assert_array_equal(batch.take(2).anchor, problem.states[200])
    with pytest.raises(ValueError, match="indices must be whole numbers from 0 to 2"):
        batch.take([3])


def test_parameters_are_leaves_and_never_compile_again():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def log_weight(ensemble):
        return ensemble.log_weight(ensemble.anchor)

    problem = Problem(mus=(0.1, 0.2))
    ensemble = problem.ensemble()
    other_network = exact.toy_weights(99, problem.length, problem.letters)
    for variant in (
        ensemble,
        ensemble.with_beta(7.0),
        ensemble.with_mu(-1.0, field=1),
        problem.ensemble(anchor=[0, 0, 0]),
        ensemble.replace(params=other_network),
    ):
        log_weight(variant)


# --- how ensembles are shown


def test_an_ensemble_is_shown_in_one_line_and_in_a_table():
    fields = [jme.composition("GC", 0.25), jme.dinucleotide("CG", -1.0)]
    ensemble = jme.Ensemble.create(LINEAR, ["ACG", "TTT"], beta=[1.0, 2.5], unit=0, fields=fields, fixed=[2])
    assert repr(ensemble) == (
        "Ensemble(anchors: 2, length: 3, alphabet: ACGT, β: 1 to 2.5, fields: GC (μ = 0.25), CpG (μ = -1), "
        "positions held: 1, network: <lambda>)"
    )
    page = ensemble._repr_html_()
    assert "<th>fields</th><td>GC (μ = 0.25), CpG (μ = -1)</td>" in page
    assert "&lt;lambda&gt;" in page


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (toy_features, "toy_features"),
        (functools.partial(toy_features, None), "toy_features"),
        (linen.Dense(2).apply, "Dense"),
        (Problem(), "Problem"),
    ],
)
def test_a_network_is_shown_by_its_name(network, name):
    assert f"network: {name})" in repr(Problem().ensemble().replace(features=network))


def test_an_ensemble_is_shown_whatever_its_leaves_are():
    ensemble = Problem(mus=(0.5,)).ensemble(anchor=[[0, 1, 2], [3, 3, 3]])
    seen = []

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(ensemble.anchor_axes(),))
    def traced(ensemble):
        seen.append(repr(ensemble))
        return ensemble.beta

    traced(ensemble)
    assert "anchors: 1, length: 3, alphabet: ACGT, β: traced, fields: CG (μ = traced)" in seen[0]
    assert "length: ?" in repr(ensemble.anchor_axes())
    for leaves in (jax.tree.map(lambda _: None, ensemble), jax.eval_shape(lambda: ensemble)):
        assert "β: ?, fields: CG (μ = ?)" in repr(leaves)
    with jax.transfer_guard("disallow"):
        assert "β: 2" in repr(ensemble)
    ensemble.beta.delete()
    assert "β: ?" in repr(ensemble)


def test_low_precision_features_are_compared_in_single_precision():
    def features(params, x):
        return toy_features(params, x).astype(jnp.bfloat16)

    problem = Problem()
    representation = jme.Representation(features, exact.toy_weights(0, 3, 4))
    ensemble = jme.Ensemble.create(representation, problem.anchor, beta=1.0)
    assert ensemble.reference.dtype == jnp.float32
    assert ensemble.energy(jnp.array([0, 1, 2])).dtype == jnp.float32


def test_a_plain_function_and_a_linen_module_are_representations():
    from flax import linen

    class Dense(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(4)(x.reshape(x.shape[0], -1))

    module = Dense()
    variables = module.init(jax.random.key(0), jnp.zeros((1, 5, 4)))
    linen_network = jme.Representation(lambda params, x: module.apply(params, x[None])[0], variables)
    plain = jme.Ensemble.create(lambda x: module.apply(variables, x[None])[0], "ACGTA", beta=1.0)
    tokens = jnp.array([3, 3, 1, 0, 2])
    assert plain.energy(tokens) > 0
    assert jme.Ensemble.create(linen_network, "ACGTA", beta=1.0).energy(tokens) == plain.energy(tokens)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta": -1.0}, "beta must be finite ≥ 0, got -1"),
        ({"beta": float("nan")}, "beta must be finite ≥ 0, got nan"),
        ({"beta": [1.0, 2.0]}, "beta must be one number"),
        ({"unit": 5, "weights": None}, "unit needs a representation with a head"),
        ({"weights": np.ones(4)}, r"weights must have shape \[5\]"),
        ({"weights": np.zeros(5)}, "weights must not all be 0"),
        ({"weights": [1, 2, np.nan, 4, 5]}, "weights must be finite, got nan"),
        ({"fixed": [3]}, r"fixed must hold positions 0 to 2, got \[3\]"),
        ({"fixed": [0, 1, 2]}, "fixed must leave a position that may move"),
        ({"fixed": [True, False]}, r"fixed must be a mask of shape \[3\]"),
        ({"fixed": [0.5]}, "fixed must be positions"),
        ({"anchor": "ACN"}, "anchor has 'N' .IUPAC for any letter. at position 2"),
        ({"anchor": ["ACG", "AC"]}, "equal lengths"),
        ({"anchor": [0, 1, 4]}, "anchor must hold tokens 0 to 3"),
        ({"anchor": [0.0, 1.0, 2.0]}, "anchor must be letters or whole-number tokens"),
        ({"fields": ["GC"]}, "fields must hold fields"),
        ({"fields": [jme.position_prior(np.zeros((2, 4)))]}, "field 'prior' must have a table of shape"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Problem().ensemble(**change)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (None, "unit must be chosen"),
        (3, "unit must be one of 0 to 2"),
        ((1, 1), "a pair of two of them"),
        (1.5, "unit must be a whole number"),
    ],
)
def test_bad_units_are_named(unit, message):
    with pytest.raises(ValueError, match=message):
        jme.Ensemble.create(LINEAR, "ACG", beta=1.0, unit=unit)


def test_bad_networks_are_named():
    weights = exact.toy_weights(0, 3, 4)
    weights["hidden_bias"][2] = np.nan
    with pytest.raises(ValueError, match=r"params must be finite, but .*hidden_bias.* 1 NaN or infinite of 16"):
        jme.Ensemble.create(jme.Representation(toy_features, weights), "ACG", beta=1.0)
    with pytest.raises(ValueError, match="must return one vector"):
        jme.Ensemble.create(lambda x: x, "ACG", beta=1.0)
    with pytest.raises(ValueError, match="finite at the anchors, but is not at anchor 1"):
        jme.Ensemble.create(lambda x: jnp.log(x[0, :1]), ["AAA", "CCC"], beta=1.0)
    with pytest.raises(ValueError, match="representation must be a Representation or a function"):
        jme.Ensemble.create(3, "ACG", beta=1.0)
    with pytest.raises(ValueError, match="letters must be some but not all"):
        jme.composition("GX")
    with pytest.raises(ValueError, match="pair must be two letters"):
        jme.dinucleotide("CGC")


def test_an_ensemble_of_several_anchors_has_no_single_energy():
    ensemble = Problem().ensemble(anchor=[[0, 1, 2], [3, 3, 3]])
    with pytest.raises(ValueError, match=r"an energy is that of one anchor, but this ensemble has 2; take\(i\)"):
        ensemble.energy(jnp.array([0, 1, 2]))
    assert ensemble.take(1).energy(jnp.array([3, 3, 3])) < 1e-6
    with pytest.raises(ValueError, match="indices must be whole numbers from 0 to 1, got 7"):
        ensemble.take(7)


def test_letters_of_a_representation_are_those_of_its_ensemble():
    other = jme.Alphabet("GCAT")
    representation = jme.Representation(lambda params, x: x.reshape(-1), alphabet=other)
    ensemble = jme.Ensemble.create(representation, "GCA", beta=1.0)
    np.testing.assert_array_equal(ensemble.anchor, [0, 1, 2])
    with pytest.raises(ValueError, match="alphabet must be that of the representation, 'GCAT', got 'ACGT'"):
        jme.Ensemble.create(representation, "GCA", beta=1.0, alphabet=jme.DNA)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([jme.composition("GC"), jme.composition("GC")], "fields must have different names"),
        ([jme.Field(mu=0.0, unary=[0, np.nan, 1, 0])], "field.unary must be finite, got nan"),
        ([jme.Field(mu=0.0, unary=[0, 1, 1, 0], pair=np.ones((2, 2)))], "must have pairs of shape"),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        Problem().ensemble(fields=fields)


class Unhashable:
    __hash__ = None

    def __call__(self, one_hot):
        return one_hot.reshape(-1)


def fails(one_hot):
    raise KeyError("a" * 1000 + "\nmore")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.asarray(x).ravel(), r"shape \[3, 4\]: TracerArrayConversionError: .*; it must be made of JAX"),
        (
            lambda x: x[0] if x.sum() > 0 else x[1],
            r"shape \[3, 4\]: TracerBoolConversionError: .*; it must be made of JAX",
        ),
        (
            lambda x: x.reshape(-1) @ jnp.ones((5, 2)),
            r"failed for a sequence of shape \[3, 4\]: TypeError: dot_general",
        ),
        (lambda x: x.nothing, r"failed for a sequence of shape \[3, 4\]: AttributeError"),
        (fails, r"failed for a sequence of shape \[3, 4\]: KeyError: 'a{289} …$"),
        (Unhashable(), "must be a hashable function, but: unhashable type: 'Unhashable'"),
    ],
)
def test_functions_that_fail_are_told_in_one_sentence(function, message):
    with pytest.raises(ValueError, match=f"representation .*{message}") as caught:
        jme.Ensemble.create(function, "ACG", beta=1.0)
    assert isinstance(caught.value.__cause__, Exception)
    assert "\n" not in str(caught.value)


class Linen(linen.Module):
    """A network that is in training mode, or never says whether it is."""

    kind: str

    @linen.compact
    def __call__(self, one_hot):
        x = linen.Dense(2)(one_hot.reshape(-1))
        if self.kind == "dropout":
            return linen.Dropout(0.5, deterministic=False)(x)
        if self.kind == "norm":
            return linen.BatchNorm(use_running_average=False)(x)
        if self.kind == "state":
            self.variable("calls", "count", lambda: jnp.zeros(())).value += 1
        if self.kind == "unsaid":
            return linen.Dropout(0.5)(x)
        return x


class WithSetup(linen.Module):
    def setup(self):
        self.dense = linen.Dense(2)

    def __call__(self, one_hot):
        return self.dense(one_hot.reshape(-1))


class Nnx(nnx.Module):
    def __init__(self, last):
        self.dense = nnx.Linear(12, 2, rngs=nnx.Rngs(0))
        self.last = last

    def __call__(self, one_hot):
        return self.last(self.dense(one_hot.reshape(-1)))


def of_linen(kind):
    """The network with ones for its variables, as `init` shapes them; those of another where it has no `init`."""
    keys = dict.fromkeys(("params", "dropout"), jax.random.key(0))
    shapes = jax.eval_shape(Linen("plain" if kind == "unsaid" else kind).init, keys, jnp.ones((3, 4)))
    return jme.Representation(Linen(kind).apply, jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), shapes))


TRAINING, UNBOUND, COLLECTIONS = "in training mode", "needs its variables, as in Repr", "must hold all collections"


@pytest.mark.parametrize(
    ("make", "raised", "advice"),
    [
        (lambda: of_linen("dropout"), 'InvalidRngError: Dropout_0 needs PRNG for "dropout"', TRAINING),
        (lambda: of_linen("norm"), 'ModifyScopeVariableError: Cannot update variable "mean"', TRAINING),
        (lambda: of_linen("state"), 'ModifyScopeVariableError: Cannot update variable "count"', TRAINING),
        (lambda: of_linen("unsaid"), 'ValueError: Parameter "deterministic" must be passed', TRAINING),
        (lambda: Nnx(nnx.Dropout(0.5, rngs=nnx.Rngs(0))), "TraceContextError: Cannot mutate RngCount", TRAINING),
        (lambda: Nnx(nnx.Dropout(0.5)), "ValueError: `deterministic` is False, but no `rngs`", TRAINING),
        (lambda: Nnx(nnx.BatchNorm(2, rngs=nnx.Rngs(0))), "TraceContextError: Cannot mutate BatchStat", TRAINING),
        (lambda: Linen("plain"), "CallCompactUnboundModuleError", UNBOUND),
        (lambda: jme.Representation(Linen("plain"), jnp.ones(2)), "Error", UNBOUND),
        (lambda: WithSetup(), "AttributeError", UNBOUND),
        (lambda: jme.Representation(Linen("plain").apply, {}), "ScopeCollectionNotFound: Tried", COLLECTIONS),
    ],
)
def test_what_flax_raises_comes_with_advice(make, raised, advice):
    with pytest.raises(ValueError) as caught:
        jme.Ensemble.create(make(), "ACG", beta=1.0)
    message = str(caught.value)
    assert message.startswith("representation failed for a sequence of shape [3, 4]: ")
    assert raised in message
    assert advice in message
    assert "http" not in message and "\n" not in message
    assert caught.value.__cause__ is not None


def test_the_advice_helps():
    network = Nnx(nnx.Dropout(0.5, rngs=nnx.Rngs(0)))
    network.eval()
    assert jme.Ensemble.create(network, "ACG", beta=1.0).reference.shape == (2,)
    assert jme.Ensemble.create(of_linen("plain"), "ACG", beta=1.0).reference.shape == (2,)


def test_making_and_changing_ensembles_is_no_transfer_unasked():
    representation = jme.Representation(LINEAR.features, LINEAR.params, LINEAR.head)
    plain = jme.Ensemble.create(representation, ["ACG", "CGT"], beta=2.0, fields=[jme.composition("GC", 0.1)], unit=1)
    with jax.transfer_guard("disallow"):
        fields = [jme.composition("GC", 0.1), jme.dinucleotide("CG"), jme.position_prior(np.ones((3, 4)))]
        ensemble = jme.Ensemble.create(representation, ["ACG", "CGT"], beta=2.0, fields=fields, unit=1, fixed=[0])
        changed = ensemble.with_beta([1.0, 3.0]).with_mu(0.7, 2).take([1])
        # A network in NumPy is not sent again and again.
        jax.block_until_ready(jax.jit(lambda params: params)(ensemble.params))
    np.testing.assert_array_equal(plain.reference, ensemble.reference)
    assert (changed.beta.tolist(), np.asarray(changed.fields[2].mu).tolist()) == ([3.0], [np.float32(0.7)])


def test_a_single_anchor_takes_what_functions_return_for_one_per_anchor():
    one = Problem().ensemble()
    assert one.with_beta(np.array([3.0])).beta.shape == () and float(one.with_beta([3.0]).beta) == 3.0
    with pytest.raises(ValueError, match=r"beta must be one number, got shape \[2\]"):
        one.with_beta([1.0, 3.0])
    assert one.batched().with_beta([3.0]).beta.tolist() == [3.0]


# --- what anchors mean


def of_any_length(x):
    return jnp.max(x @ jnp.arange(12.0).reshape(4, 3), axis=0)


def tokens_of(anchor):
    return np.asarray(jme.Ensemble.create(of_any_length, anchor, beta=1.0).anchor).tolist()


class Seq:
    """Letters in an object of their own, as Biopython has them: no `str`, and no `collections.abc.Sequence`."""

    def __init__(self, letters):
        self.letters = letters

    def __len__(self):
        return len(self.letters)

    def __getitem__(self, index):
        return self.letters[index]

    def __bytes__(self):
        return self.letters.encode()

    def __str__(self):
        return self.letters


class Record(Seq):
    """A sequence with a name, whose text is more than its letters."""

    def __str__(self):
        return f"ID: one\n{self.letters}"


ACGTAC = [0, 1, 2, 3, 0, 1]
ONE_HOT = np.eye(4, dtype=int)[ACGTAC]


@pytest.mark.parametrize(
    "anchor",
    [
        "ACGTAC", np.str_("ACGTAC"), Seq("ACGTAC"), collections.UserString("acgtac"), ACGTAC, tuple(ACGTAC),
        np.array(ACGTAC, np.uint8), jnp.array(ACGTAC),
    ],
    ids=lambda anchor: type(anchor).__name__,
)  # fmt: skip
def test_one_anchor_has_no_axis_of_anchors(anchor):
    assert tokens_of(anchor) == ACGTAC


@pytest.mark.parametrize(
    "anchor",
    [
        ["ACGT", "TTTT"], ("ACGT", "TTTT"), np.array(["ACGT", "TTTT"]), np.array(["ACGT", "TTTT"], object),
        [Seq("ACGT"), "TTTT"], [[0, 1, 2, 3], [3, 3, 3, 3]], np.array([[0, 1, 2, 3], [3, 3, 3, 3]], np.int8),
        jnp.array([[0, 1, 2, 3], [3, 3, 3, 3]]),
    ],
    ids=lambda anchor: type(anchor).__name__,
)  # fmt: skip
def test_several_anchors_have_one(anchor):
    assert tokens_of(anchor) == [[0, 1, 2, 3], [3, 3, 3, 3]]


def test_columns_of_tables_are_read_whatever_they_are_numbered_by():
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    column = pandas.Series(["GGGG", "ACGT", "TTTT"])
    for kept in (column[1:], column[column != "GGGG"].astype(object), pandas.Index(["ACGT", "TTTT"])):
        assert tokens_of(kept) == [[0, 1, 2, 3], [3, 3, 3, 3]]
    assert tokens_of(pandas.Series(ACGTAC, index=range(5, 11))) == ACGTAC
    assert jme.DNA.encode(column[1:]).tolist() == [[0, 1, 2, 3], [3, 3, 3, 3]]
    with pytest.raises(ValueError, match="^anchor must hold strings only, but entry 1 is of type"):
        tokens_of(pandas.Series(["ACGT", None]))
    with pytest.raises(
        ValueError, match="^sequences must have equal lengths, but sequence 0 has 4 .* sequence 1 has 2"
    ):
        jme.DNA.encode(pandas.Series(["A", "ACGT", "AC"])[1:])


FROM_ONE_HOT = r"Alphabet\.from_one_hot\(array, letters\)"
NEITHER = r"^anchor must be letters or whole-number tokens of shape \[length\] or \[anchors, length\], got "


@pytest.mark.parametrize(
    ("anchor", "message"),
    [
        (
            ONE_HOT,
            rf"anchor of shape \[6, 4\] can be tokens of 6 sequences or the one-hot of one: write {FROM_ONE_HOT}",
        ),
        (ONE_HOT.tolist(), "can be tokens of 6 sequences or the one-hot of one"),
        (ONE_HOT[:2].astype(np.uint8), "can be tokens of 2 sequences or the one-hot of one"),
        (jnp.asarray(ONE_HOT), "can be tokens of 6 sequences or the one-hot of one"),
        (ONE_HOT.astype(float), rf"got float64 of shape \[6, 4\]; {FROM_ONE_HOT} turns a one-hot into tokens"),
        (ONE_HOT.astype(bool), rf"got bool of shape \[6, 4\]; {FROM_ONE_HOT}"),
        (ONE_HOT[None], rf"got int64 of shape \[1, 6, 4\]; {FROM_ONE_HOT}"),
        (np.zeros((8, 8)), NEITHER + r"float64 of shape \[8, 8\]$"),
        (
            list("ACGT"),
            r'^anchor must not be 4 single letters, .*: write "".join\(anchor\) for one sequence, and tokens',
        ),
        (tuple("ACGT"), "must not be 4 single letters"),
        (np.array(list("ACGT")), "must not be 4 single letters"),
        (np.array([list("ACGT"), list("TTTT")]), r"one string for each sequence, got strings of shape \[2, 4\]"),
        ([["ACGT"], ["TTTT"]], r"one string for each sequence, got strings of shape \[2, 1\]"),
        (["ACGT", 3], "^anchor must hold strings only, but entry 1 is of type int$"),
        (["ACGT", [0, 1, 2, 3]], "^anchor must hold strings only, but entry 1 is of type list$"),
        ([b"ACGT"], NEITHER),
        (np.array([0, None], object), "^anchor must hold strings only, but entry 0 is of type int$"),
        (Record("ACGT"), NEITHER + "Record$"),
        (b"ACGT", NEITHER + "bytes; decode it to text first$"),
        ([], NEITHER + "an empty list$"),
        ((), NEITHER + "an empty tuple$"),
        (np.zeros((0, 4), int), NEITHER),
        (np.zeros((2, 0), int), NEITHER),
        ("", "^anchor is empty"),
        (["", ""], "is empty, expected letters"),
        (None, NEITHER + "NoneType$"),
        ({"ACGT": 1}, NEITHER + "dict$"),
        ({"ACGT"}, NEITHER + "set$"),
        ((letter for letter in "ACGT"), NEITHER + "generator$"),
        (range(4), NEITHER + "range$"),
        (3, NEITHER + "int$"),
        ([[0, 1], [2]], NEITHER + "a list that is no array of one shape$"),
        ([True, False, True], NEITHER + "bool"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_two_meanings_or_none_is_refused(anchor, message):
    with pytest.raises(ValueError, match=message):
        tokens_of(anchor)


def test_what_looks_like_a_one_hot_is_told_by_letters():
    spelled = ["CAAA", "ACAA"]
    assert tokens_of(spelled) == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert tokens_of(jme.DNA.from_one_hot(ONE_HOT, "ACGT")) == ACGTAC
    assert tokens_of([[1, 0, 0, 0], [0, 1, 1, 0]]) == [[1, 0, 0, 0], [0, 1, 1, 0]]
    assert tokens_of([1, 0, 0, 0]) == [1, 0, 0, 0]


@pytest.mark.parametrize("fixed", [[0, 1, 0], np.array([0, 1, 1]), (0, 0, 0)])
def test_numbers_that_look_like_a_mask_are_no_positions(fixed):
    with pytest.raises(ValueError, match="fixed must be positions or a mask of True and False, got 3 numbers 0 and 1"):
        Problem().ensemble(fixed=fixed)
    np.testing.assert_array_equal(Problem().ensemble(fixed=[0, 1]).movable, [2])


# --- what networks return


@pytest.mark.parametrize(
    "network", [lambda x: x.sum(0) * (1 + 1j), lambda x: jnp.fft.fft(x[:, 0]), lambda x: x[0].astype(jnp.complex64)]
)
def test_complex_networks_are_refused_at_once(network):
    with pytest.raises(ValueError, match="^representation must return real numbers, got complex64; return real and"):
        jme.Ensemble.create(network, "ACG", beta=1.0)


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8, jnp.int8, bool])
def test_networks_that_count_are_taken_as_exact(dtype):
    ensemble = jme.Ensemble.create(lambda x: (x.sum(0) >= 1).astype(dtype), "AAA", beta=3.0)
    assert ensemble.energy(jnp.array([0, 0, 0])) == 0
    assert ensemble.energy(jnp.array([1, 1, 3])) == pytest.approx(np.sqrt(3))
    tokens = jnp.array([[[0, 0, 0], [1, 1, 3]]])
    np.testing.assert_array_equal(energy_noise(ensemble.batched(), tokens, jnp.sqrt(jnp.array([[0.0, 3.0]]))), 0)


@pytest.mark.parametrize("change", [{"beta": 1e35}, {"weights": np.full(5, -1e35)}, {"beta": 1e308}, {"beta": [1e308]}])
def test_factors_that_would_overflow_are_named(change):
    (name,) = change
    with pytest.raises(ValueError, match=rf"^{name} must be at most 3e\+30 in size"):
        Problem().ensemble(**change)
    with pytest.raises(ValueError, match=r"^mu must be at most 3e\+30"):
        Problem(mus=(0.1,)).ensemble().with_mu(-1e308)
    with pytest.raises(ValueError, match=r"^beta must be at most 3e\+30"):
        Problem().ensemble().with_beta(1e308)
