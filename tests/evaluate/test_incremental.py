"""Incremental evaluation against full evaluation, for networks that use every rule and for random stacks of layers."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluate.networks import (
    CASES,
    LETTERS,
    LONG,
    SAVINGS,
    Case,
    conv,
    dense,
    dilated,
    flat,
    norm,
    of_weights,
    pool,
    weight,
)

import jaxmaxent as jme
from jaxmaxent.evaluate import Edit, FullEvaluator
from jaxmaxent.evaluate.incremental import IncrementalEvaluator, incremental, mutants
from jaxmaxent.evaluate.incremental import _commit as commit
from jaxmaxent.evaluate.incremental._proposal import Proposal
from jaxmaxent.evaluate.incremental.rules import _convolution as convolution
from jaxmaxent.kernels import Site, build

# Parts and width of edits.
LETTER, SHAPES = (1, 1), [(1, 3), (2, 1), (2, 2), (3, 1)]


def random_edits(length, parts, width, number, seed=0):
    """Edits that together start at every position, and whether to accept each."""
    rng = np.random.default_rng(seed)
    starts = []
    while len(starts) < number:
        some = [len(starts) % (length - width + 1), *rng.integers(0, length - width + 1, parts - 1)]
        if np.diff(sorted(some), prepend=-width).min() >= width:
            starts.append(rng.permutation(some))
    letters = rng.integers(0, LETTERS, (number, parts, width))
    return np.array(starts, np.int32), letters.astype(np.int32), rng.random(number) < 0.6


def walk(network, tokens, starts, letters, accept):
    """Features of every proposal of a chain, and its last cache."""

    def step(cache, given):
        starts, letters, accept = given
        features, patch = network.propose(cache, Edit(starts, letters))
        return network.commit(cache, patch, accept), features

    return jax.jit(lambda t: jax.lax.scan(step, network.init(t)[1], (starts, letters, accept)))(tokens)


def edited(tokens, starts, letters, accept):
    """The sequence of every proposal, and the last one, in NumPy."""
    proposed = []
    for some, rows, yes in zip(starts, letters, accept, strict=True):
        new = tokens.copy()
        for start, row in zip(some, rows, strict=True):
            new[start : start + len(row)] = row
        proposed.append(new)
        tokens = new if yes else tokens
    return np.array(proposed), tokens


def in_full(network, features, weights, sequences):
    """Features by the function itself, and every windowed value, with its sequence axis first, of sequences."""
    windowed = [value for value in network.graph.live() if value.opened]

    def one(tokens):
        proposal = Proposal(network.graph, network.plan(1, 1), network.leaves, {}, tokens, None)
        values = [jnp.moveaxis(proposal.full(v).reshape(v.window.shape), v.window.axis, 0) for v in windowed]
        return features(weights, jax.nn.one_hot(tokens, LETTERS, dtype=jnp.float32)), values

    made, values = jax.jit(lambda batch: jax.lax.map(one, batch))(sequences)
    return np.asarray(made), dict(zip(windowed, map(np.asarray, values), strict=True))


def check(case, shape=LETTER, number=1000, tolerance=1e-12):
    """A chain's features against those of full evaluation, its last cache against a fresh one; of one letter also
    every window against what is seen to change.
    """
    network = incremental(case.features, None, case.length, LETTERS)
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, LETTERS, case.length).astype(np.int32)
    edits = random_edits(case.length, *shape, number)
    proposed, last = edited(tokens, *edits)
    shifts = np.eye(case.length, dtype=np.int32)[:, None] * np.arange(1, LETTERS, dtype=np.int32)[:, None]
    mutated = (tokens + shifts.reshape(-1, case.length)) % LETTERS
    expected, values = in_full(network, case.features, None, np.concatenate([proposed, [tokens, last], mutated]))
    cache, features = walk(network, tokens, *edits)
    size = np.abs(expected).max()
    assert np.abs(np.asarray(features) - expected[:number]).max() <= tolerance * size
    assert np.array_equal(cache.tokens, last)
    for value, held in zip(network.cached, cache.values, strict=True):
        if value.opened:
            np.testing.assert_allclose(
                held, values[value][number + 1].reshape(held.shape), rtol=0, atol=10 * tolerance * max(1, size)
            )
    for value in values:
        before, after = values[value][number], values[value][number + 2 :]
        with np.errstate(invalid="ignore"):  # padding for a maximum is −∞ before and after
            moved = np.abs(after - before.astype(float)) > 1e-12
        changed = moved.reshape(case.length, LETTERS - 1, len(before), -1).any((1, 3))
        check_windows(network, value, changed, case.tight)
    return network


def check_windows(network, value, changed, tight):
    """`changed[site, position]` is what an edit of a letter was seen to change."""
    length = value.window.length
    plan, at = network.plan(1, 1), np.arange(length)
    if plan.whole(value):
        return
    covered = np.zeros_like(changed)
    for where in plan.ranges(value):
        assert where.start.min() >= 0
        assert (where.start + where.size).max() <= length
        covered |= (at >= where.start[:, None]) & (at < where.start[:, None] + where.size)
    assert not (changed & ~covered).any()
    if tight:  # the largest window is no larger than the largest change
        first, last = changed.argmax(1), length - 1 - changed[:, ::-1].argmax(1)
        (where,) = plan.ranges(value)
        assert where.size == np.where(changed.any(1), last - first + 1, 1).max()


SLOW = [pytest.param(name, marks=[pytest.mark.slow] * case.slow) for name, case in CASES.items()]


@pytest.mark.parametrize("name", SLOW)
def test_edits_of_a_letter_give_what_full_evaluation_gives(name, x64):
    network = check(CASES[name])
    assert network.explain().cache_bytes > 0


def test_no_edit_saves_less_than_it_did_and_what_ends_windows_is_named():
    found = {}
    for name, (least, stops) in SAVINGS.items():
        length = 24 if name == "stacked" else LONG  # its weights have one length
        explanation = incremental(CASES[name].features, None, length).explain()
        saved = explanation.full_flops / explanation.flops
        if saved < least or tuple(sorted({row.operation for row in explanation.stops})) != stops:
            found[name] = (saved, explanation.stops)
    assert not found
    assert list(SAVINGS) == list(CASES)


@pytest.mark.parametrize(
    ("name", "shape"), list(zip(["strands", "deep", "conv strided", "causal"], SHAPES, strict=True))
)
def test_edits_of_several_letters_and_parts_give_what_full_evaluation_gives(name, shape, x64):
    check(CASES[name], shape)


@pytest.mark.parametrize("name", ["deep", "residual", "channels first", "separable"])
@pytest.mark.parametrize("way", ["_summed_on_diagonals", "_convolved"])
def test_changes_of_wide_convolutions_give_what_full_evaluation_gives(name, way, x64, monkeypatch):
    """Updates by taps, which small networks would not use: those of a CPU or GPU, and those of a TPU."""
    monkeypatch.setattr(convolution, "_WRITTEN", 0)
    used, made = [], getattr(convolution._Update, way)

    def counted(update, *arrays):
        used.append(arrays)
        return made(update, *arrays)

    monkeypatch.setattr(convolution._Update, "_summed_on_diagonals", counted)
    check(CASES[name], (1, 3), number=100)
    assert used


@pytest.mark.parametrize("name", ["deep", "residual", "strands", "max pool"])
def test_what_an_accelerator_computes_from_letters_again_is_what_full_evaluation_gives(name, x64, monkeypatch):
    on_cpu = incremental(CASES[name].features, None, CASES[name].length)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    network = check(CASES[name], (1, 3), number=100)
    assert {value.number for value in network.cached} < {value.number for value in on_cpu.cached}
    assert network.cache_bytes < on_cpu.cache_bytes
    # Its FLOPs are those of its window, not those of an update.
    first = next(row for row in network.explain().rows if row.operation == "conv_general_dilated")
    assert first.cached == 0
    assert first.flops == sum(first.windows) * first.full_flops // first.length


@pytest.mark.parametrize("name", ["published", "averaged"])
def test_what_changes_are_taken_of_is_cached_by_an_accelerator_too(name, monkeypatch):
    on_cpu = incremental(CASES[name].features, None, CASES[name].length)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    network = incremental(CASES[name].features, None, CASES[name].length)
    assert [value.number for value in network.cached] == [value.number for value in on_cpu.cached]


@pytest.mark.parametrize("name", ["deep", "residual", "averaged"])
def test_single_precision_is_kept(name):
    check(CASES[name], tolerance=1e-5)


LAYERS = st.one_of(
    st.tuples(
        st.just("conv"), st.integers(1, 5), st.sampled_from(["SAME", "VALID"]), st.integers(1, 2), st.integers(1, 3)
    ),
    st.tuples(st.just("pool"), st.sampled_from(["max", "avg"]), st.integers(1, 3), st.sampled_from(["SAME", "VALID"])),
    st.tuples(st.sampled_from(["norm", "relu", "residual", "strands", "crop", "pad", "concatenate"])),
)


def stack(layers, w, x):
    """The layers in turn, but those that would leave fewer than 6 positions; then flatten and a dense layer."""
    for number, (kind, *how) in enumerate(layers):
        new = one_layer(x, kind, how, number)
        x = new if len(new) >= 6 else x
    return flat(x)


def one_layer(x, kind, how, seed):
    if kind == "conv":
        width, padding, stride, dilation = how
        return conv(x, width, 3, padding=padding, stride=stride, dilation=dilation, seed=seed)
    if kind == "pool":
        kind, width, padding = how
        return pool(x, kind, width, width, padding)
    return {
        "norm": lambda: norm(x, seed),
        "relu": lambda: jax.nn.relu(x),
        "residual": lambda: x + jnp.tanh(conv(x, 3, x.shape[1], padding="SAME", seed=seed)),
        "strands": lambda: x + 0.5 * x[::-1],
        "crop": lambda: x[2:-1],
        "pad": lambda: jnp.pad(x, ((1, 2), (0, 0))),
        "concatenate": lambda: jnp.concatenate([x, jnp.tanh(dense(x, 2))], axis=1),
    }[kind]()


@hypothesis.settings(max_examples=6, deadline=None, derandomize=True, database=None)
@hypothesis.given(layers=st.lists(LAYERS, min_size=2, max_size=6), shape=st.sampled_from([LETTER, *SHAPES]))
def test_random_stacks_of_layers_give_what_full_evaluation_gives(layers, shape):
    with jax.enable_x64(True):
        check(Case(functools.partial(stack, layers), 32), shape, number=200)


# --- the evaluator -----------------------------------------------------------------------------------------------


def ensemble_of(seed=0, features=of_weights):
    weights = {"kernel": weight(4, LETTERS, 3, seed=seed), "dense": weight(17, 3, 2, seed=seed).reshape(51, 2)}
    representation = jme.Representation(features, jax.tree.map(jnp.asarray, weights))
    return jme.Ensemble.create(representation, np.arange(20) % LETTERS, beta=3.0)


def chains(evaluator, own_positions):
    """Five chains of 200 steps, the evaluator built inside the loop as a run does; traced once a call of `jit`."""

    def run(ensemble, tokens):
        keys = jax.random.split(jax.random.key(0), len(tokens))

        def step(number, states):
            where = build(Site(), ensemble, evaluator(ensemble)).where(jax.random.fold_in(keys[0], number))

            def move(key, state):
                kernel, key = build(Site(), ensemble, evaluator(ensemble)), jax.random.fold_in(key, number)
                return kernel.step(key, state)[0] if own_positions else kernel.move(key, state, where)[0]

            return jax.vmap(move)(keys, states)

        states = jax.vmap(build(Site(), ensemble, evaluator(ensemble)).init)(tokens)
        states = jax.lax.fori_loop(0, 200, step, states)
        return states.tokens, states.energy

    return jax.jit(run)


@pytest.fixture(params=["narrow", "wide"])
def windows(request, monkeypatch):
    """Windows that all chains write together, and such as those that accepted write in turn."""
    monkeypatch.setattr(commit, "WIDE", 0 if request.param == "wide" else 2**20)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("own_positions", [False, True])
def test_chains_are_those_of_full_evaluation_for_every_checkpoint_without_compiling_again(own_positions):
    tokens = np.random.default_rng(0).integers(0, LETTERS, (5, 20)).astype(np.int32)
    quick, full = chains(IncrementalEvaluator, own_positions), chains(FullEvaluator, own_positions)
    for seed in (0, 1):
        found, expected = quick(ensemble_of(seed), tokens), full(ensemble_of(seed), tokens)
        assert np.array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-5, atol=1e-5)
    assert quick._cache_size() == 1


@pytest.mark.usefixtures("windows")
def test_lowers_for_every_platform():
    ensemble, tokens, letters = ensemble_of(), np.zeros((5, 20), np.int32), np.zeros((5, 1, 1), np.int32)

    def proposals(tokens, letters):
        evaluator = IncrementalEvaluator(ensemble)

        def one(tokens, letters):
            energy, cache = evaluator.init(tokens)
            made, patch = evaluator.propose(cache, Edit(jnp.array([3]), letters))
            return evaluator.commit(cache, patch, made < energy)

        return jax.vmap(one)(tokens, letters)

    platforms = ("cpu", "cuda", "tpu")
    assert jax.export.export(jax.jit(proposals), platforms=platforms)(tokens, letters).platforms == platforms


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(("features", "cached"), [(of_weights, "f32[5,17,3]"), (dilated, "f32[5,20,6]")])
def test_caches_are_updated_in_place(features, cached):
    """Where acceptance depends on the energy, as in a run, the compiled loop copies no whole cache."""
    tokens = np.zeros((5, 20), np.int32)
    lowered = chains(IncrementalEvaluator, False).lower(ensemble_of(features=features), tokens)
    text = lowered.compile({"xla_backend_optimization_level": 2}).as_text()
    loops = [part for part in text.split("\n\n") if "dynamic-update-slice" in part and cached in part]
    assert loops
    assert not [line for part in loops for line in part.splitlines() if f" = {cached}" in line and " copy(" in line]


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("starts", [np.array(4), np.array([0, 4, 6, 2, 1])])
@pytest.mark.parametrize("accept", [np.array([0, 1, 0, 1, 1], bool), np.zeros(5, bool), np.ones(5, bool)])
@pytest.mark.parametrize("wide_numbers", [False, True])
def test_those_that_accepted_write_their_windows_and_nothing_else(starts, accept, wide_numbers):
    rng = np.random.default_rng(0)
    held, new = rng.normal(size=(5, 9, 2)).astype(np.float32), rng.normal(size=(5, 3, 2)).astype(np.float32)

    def put(held, new, start, accept):
        return commit.replaced((held,), ([(start, new)],), accept)[0]

    with jax.enable_x64(wide_numbers):
        every = jax.jit(jax.vmap(put, in_axes=(0, 0, 0 if starts.ndim else None, 0)))
        found = every(held, new, starts.astype(np.int32), accept)
    expected = held.copy()
    for chain, start in enumerate(np.broadcast_to(starts, 5)):
        if accept[chain]:
            expected[chain, start : start + 3] = new[chain]
    np.testing.assert_array_equal(found, expected)


def test_what_is_only_read_on_is_not_remembered():
    """Of a residual sum the sum is, not the convolution that is added to it: that is neither updated nor asked for."""
    cached = incremental(CASES["residual"].features, None, 30).cached
    made_by = [(value.equation.name, value.shape) for value in cached]
    assert made_by == [
        ("conv_general_dilated", (1, 30, 4)),  # the first, updated by a change of one letter
        ("add", (30, 4)),
        ("add", (26, 4)),
        ("dot_general", (3,)),
    ]


def test_explanation_names_what_stops_a_window_and_what_is_saved():
    explanation = incremental(CASES["global max"].features, None, 24).explain()
    (stop,) = explanation.stops
    assert (stop.operation, stop.reason) == ("reduce_max", "reduce_max looks at the whole sequence")
    assert "no window goes on from reduce_max [4]" in str(explanation)
    convolution = next(row for row in explanation.rows if row.operation == "conv_general_dilated")
    assert (convolution.length, convolution.windows, convolution.how) == (20, (5,), "window")
    assert convolution.full_flops == 2 * 20 * 5 * 4 * 4
    assert convolution.flops == 2 * 5 * 4 * 4
    assert convolution.cached == 20 * 4 * 4


def test_explanation_counts_what_is_inside_loops_and_conditionals():
    def features(w, x):
        h, kernel = conv(x, 3, 4), weight(4, 4)
        last, _ = jax.lax.scan(lambda c, row: (jnp.tanh(c @ kernel + row), None), jnp.zeros(4, h.dtype), h)
        last = jax.lax.cond(last.sum() > 0, lambda v: v @ weight(4, 100) @ weight(100, 4), lambda v: v, last)
        return jax.lax.while_loop(lambda v: v.sum() > 1, lambda v: v @ weight(4, 4), last)

    explanation = incremental(features, None, 24).explain()
    costs = {row.operation: (row.full_flops, row.flops) for row in explanation.rows}
    assert costs["scan"] == (22 * (2 * 4 * 4 + 4 + 4),) * 2  # turns × (product, sum, tanh)
    assert costs["cond"] == (2 * 2 * 4 * 100,) * 2
    assert costs["while"] == (2 * 4 * 4 + 4 + 1,) * 2  # one turn: the product; the condition: a sum and a comparison
    assert [(row.operation, row.reason) for row in explanation.stops] == [
        ("scan", "runs along the sequence, or is long")
    ]


def test_explanation_names_the_module_that_ends_a_window():
    def features(w, x):
        h = conv(x, 3, 4)
        with jax.named_scope("gate"):
            h = jnp.tanh(h * jax.nn.sigmoid(h.mean(0))[None])
        return flat(h)

    text = str(incremental(features, None, 24).explain())
    assert "no window goes on from mul [22, 4] in gate: it takes a value that changes everywhere" in text
    wide = str(incremental(dilated, None, 24).explain())
    assert "it changes everywhere, because its windows together are as long as its sequence axis" in wide


def test_a_loop_that_would_take_long_to_compile_is_left_as_it_is():
    def features(w, x):
        return flat(jax.lax.fori_loop(0, 65, lambda i, h: jnp.tanh(h), x))

    (stop,) = incremental(features, None, 24).explain().stops
    assert stop.operation == "scan"
    assert stop.full_flops == 65 * 24 * LETTERS + 65  # tanh, and the number of the turn


def test_a_loop_that_ends_all_windows_in_its_first_turn_is_left_as_it_is(x64):
    """Check that what was tried for the first turn leaves nothing behind, not even a view of the flattened value."""

    def features(w, x):
        h = jnp.tanh(conv(x, 3, 4))
        upsampled = jnp.repeat(h, 2, axis=0)
        turn = lambda i, c: jax.nn.softmax(c @ upsampled.T, axis=-1) @ upsampled + c[::-1]  # noqa: E731
        mixed = jax.lax.fori_loop(0, 4, turn, upsampled)
        rows = jax.lax.map(lambda row: jnp.tanh(jax.nn.softmax(row @ mixed.T) @ mixed), mixed)
        return flat(jnp.tanh(conv(upsampled, 3, 2))) + rows.sum()

    network = check(Case(features), number=200)
    assert [row.operation for row in network.explain().stops] == ["scan"]
    assert sum(row.operation == "scan" for row in network.explain().rows) == 2


def test_sixteen_bit_sums_are_not_updated():
    def half(w, x):
        kernel = jnp.asarray(weight(3, LETTERS, 3), jnp.bfloat16)
        h = jax.lax.conv_general_dilated(
            x[None].astype(jnp.bfloat16), kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")
        )
        return jnp.tanh(h).reshape(-1) @ jnp.asarray(weight(66, 2), jnp.bfloat16)

    network = check(Case(half), number=200, tolerance=1e-2)
    (stop,) = network.explain().stops
    assert "16 bits" in stop.reason


@pytest.mark.parametrize("chunk", [None, 2])
def test_mutants_are_all_sequences_that_differ_by_a_letter(chunk):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, LETTERS, (3, 24)).astype(np.int32)
    features = functools.partial(CASES["published"].features, None)
    found = mutants(features, tokens, chunk=chunk)
    every = np.broadcast_to(tokens[:, None, None], (3, 24, LETTERS, 24)).copy()
    for site in range(24):
        every[:, site, :, site] = np.arange(LETTERS)
    one_hot = jax.nn.one_hot(every.reshape(-1, 24), LETTERS)
    expected = jax.jit(lambda x: jax.lax.map(features, x))(one_hot).reshape(3, 24, LETTERS, -1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mutants(features, tokens, reduce=jnp.sum), expected.sum(-1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mutants(features, tokens[0]), expected[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tokens", [np.zeros((2, 3, 4), int), np.full(24, 4), np.zeros(24), np.zeros((0, 24), int)])
def test_mutants_of_no_sequences_are_refused_in_one_sentence(tokens):
    with pytest.raises(ValueError, match=r"tokens must be whole numbers from 0 to 3 of shape"):
        mutants(functools.partial(CASES["published"].features, None), tokens)


def test_an_edit_longer_than_the_sequence_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match="width must be 1 to the length of the sequence, 24, got 25"):
        incremental(CASES["published"].features, None, 24).plan(1, 25)
