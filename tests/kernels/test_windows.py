"""The rules that move a window, and the mixtures in which they wait, beyond the suite that every rule passes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluate.networks import CASES

import exact
import jaxmaxent as jme
from jaxmaxent.evaluate import FullEvaluator, IncrementalEvaluator
from jaxmaxent.kernels import (
    Metropolis,
    Mixture,
    ReverseComplement,
    Rotation,
    Segment,
    Site,
    SiteAdaptive,
    build,
    rule_dataclass,
)
from jaxmaxent.kernels._window import MovableWindow
from jaxmaxent.testing import check_rule
from jaxmaxent.testing._programs import chi_square
from jaxmaxent.testing._rule import proposed
from problems import Problem
from windows import Complemented, reverse_complement, rotated, rotation, turned, windows_of

RULES = {"rotation": (Rotation, rotation), "reverse-complement": (ReverseComplement, reverse_complement)}
# Alphabets of every size, with held positions in the middle of windows, and at the end of them.
PROBLEMS = {
    "binary": Complemented(letters=2, length=6, beta=1.2, mus=(0.4, 0.3), fixed=(2,), seed=7),
    "three-letters": Complemented(letters=3, length=4, beta=2.5, mus=(0.5, 0.2, 0.4), seed=6),
    "three-letters-fixed": Complemented(letters=3, length=5, beta=1.5, mus=(0.5, -0.3), fixed=(1, 4), seed=2),
    "dna-fields": Complemented(length=4, beta=1.5, mus=(0.7, -0.5, 0.4), fixed=(2,), seed=3),
    "twenty-letters": Complemented(letters=20, length=2, beta=1.0, mus=(0.5, 0.6, 0.7), seed=9),
    "one-free": Complemented(length=3, beta=1.0, mus=(0.5,), fixed=(0, 2), seed=1),
}


# --- what is proposed ----------------------------------------------------------------------------------------


# The smallest alphabet, held positions inside and around windows, and a single movable position are quick.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("binary", "dna-fields", "one-free") else pytest.mark.slow)
        for name in PROBLEMS
    ],
)
@pytest.mark.parametrize("width", [3])
@pytest.mark.parametrize("rule", RULES)
def test_rules_pass_the_checks_for_everyone(rule, width, name, x64):
    problem = PROBLEMS[name]
    make, proposals = RULES[rule]
    check_rule(make(width), problem.ensemble(), list(proposals(width, problem)))


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_window_alone_is_symmetric(name):
    """All chains and rungs share the window, so it is not enough that the average over windows is symmetric."""
    problem = PROBLEMS[name]
    for _, _, free in windows_of(48, problem):
        for matrix in (rotated(problem, free), turned(problem, free)):
            np.testing.assert_array_equal(matrix, matrix.T)


LETTERS_APART = Complemented(letters=20, length=7, fixed=(3,))


def window(first, width, most):
    """A window as the rules draw it, for sequences of seven letters with position 3 held."""
    start = min(first, 7 - most)
    at = start + np.arange(most)
    return MovableWindow.of(
        jnp.array([start], jnp.int32), jnp.asarray((at != 3) & (at >= first) & (at < first + width))
    )


@functools.cache
def distinct_letters():
    ensemble = LETTERS_APART.ensemble(anchor=np.arange(7), weights=np.ones(5))
    return ensemble, Metropolis(ensemble, FullEvaluator(ensemble), Rotation()).init(ensemble.anchor)


@pytest.mark.parametrize(("first", "width", "most"), [(0, 7, 7), (1, 5, 7), (1, 3, 4), (4, 3, 5), (5, 2, 2), (2, 4, 4)])
def test_every_amount_but_0_is_as_likely_in_every_window(first, width, most):
    """So a rotation by r is as likely as the one by m − r that undoes it, for each chain in the window they share."""
    ensemble, state = distinct_letters()
    given = window(first, width, most)
    keys = jax.random.split(jax.random.key(first), 5000)
    rule = Rotation(most)
    what = jax.jit(jax.vmap(lambda key: rule.what(rule.draw(key, given, ensemble), state, given, ensemble)))
    edit = what(keys)
    np.testing.assert_array_equal(edit.starts, np.full((5000, 1), given.start[0]))
    free = np.flatnonzero(given.inside)
    letters = np.asarray(edit.letters)[:, 0]
    rest = ~np.asarray(given.inside)
    np.testing.assert_array_equal(
        letters[:, rest], np.broadcast_to((given.start[0] + np.arange(most))[rest], (5000, rest.sum()))
    )
    ring = letters[:, free] - int(given.start[0])
    amounts = (len(free) - np.array([np.flatnonzero(free == first_letter)[0] for first_letter in ring[:, 0]])) % len(
        free
    )
    np.testing.assert_array_equal(ring, [np.roll(free, amount) for amount in amounts])
    seen = np.bincount(amounts, minlength=len(free)).astype(float)
    expected = np.full(len(free), 5000 / (len(free) - 1))
    expected[0] = 0
    assert chi_square(seen, expected) > 1e-4


@pytest.mark.parametrize(("first", "width"), [(3, 2), (2, 2)])
def test_a_window_with_one_movable_position(first, width):
    """A rotation leaves it; the reverse complement of one letter is its complement."""
    ensemble, state = distinct_letters()
    given = window(first, width, 4)
    keys = jax.random.split(jax.random.key(0), 100)
    before = np.asarray(given.start[0] + jnp.arange(4))
    amounts = jax.vmap(lambda key: Rotation(4).draw(key, given, ensemble))(keys)
    stays = jax.vmap(lambda amount: Rotation(4).what(amount, state, given, ensemble))(amounts).letters
    np.testing.assert_array_equal(stays[:, 0], np.tile(before, (100, 1)))
    turned = ReverseComplement(4).what((), state, given, ensemble).letters[0]
    expected = np.where(given.inside, ensemble.alphabet.complement(before), before)
    np.testing.assert_array_equal(turned, expected)


@pytest.mark.parametrize("rule", [Rotation(4), ReverseComplement(4), Rotation(), Rotation(2)])
def test_windows_are_drawn_as_stated_and_lie_inside(rule):
    problem = Problem(length=9, fixed=(2,))
    ensemble = problem.ensemble()
    most = min(rule.width, 9)
    keys = jax.random.split(jax.random.key(2), 20_000)
    drawn = jax.jit(jax.vmap(lambda key: rule.where(key, ensemble)))(keys)
    assert drawn.inside.shape == (20_000, most)
    starts = np.asarray(drawn.start)[:, 0]
    assert starts.min() == 0
    assert starts.max() == 9 - most
    expected = {}
    for share, start, free in windows_of(rule.width, problem):
        row = (start, tuple(np.isin(start + np.arange(most), free).tolist()))
        expected[row] = expected.get(row, 0) + 20_000 * share
    rows = list(expected)
    found = [
        rows.index((start, tuple(row)))
        for start, row in zip(starts.tolist(), np.asarray(drawn.inside).tolist(), strict=True)
    ]
    assert chi_square(np.bincount(found, minlength=len(rows)).astype(float), np.array(list(expected.values()))) > 1e-4


@pytest.mark.parametrize("length", [1, 100])
def test_short_and_long_sequences(length):
    """A sequence of one letter cannot rotate; in a long one the edit has the size of the largest window."""
    tokens = np.random.default_rng(0).integers(0, 4, length)
    ensemble = jme.Ensemble.create(lambda x: x.sum(0), tokens, beta=1.0)
    keys = jax.random.split(jax.random.key(0), 200)
    for rule in (Rotation(), ReverseComplement()):
        edits = jax.jit(lambda rule: proposed(rule, ensemble, FullEvaluator, ensemble.anchor, keys))(rule)
        assert edits.letters.shape == (200, 1, min(48, length))
        for start, letters in zip(np.asarray(edits.starts)[:, 0], np.asarray(edits.letters)[:, 0], strict=True):
            before = tokens[start : start + 48]
            kinds = np.sort(letters), np.sort(before)
            if isinstance(rule, ReverseComplement):
                kinds = [np.sort(np.minimum(kind, 3 - kind)) for kind in kinds]
            np.testing.assert_array_equal(*kinds)
        changed = (
            np.asarray(edits.letters)[:, 0] != tokens[np.asarray(edits.starts) + np.arange(min(48, length))]
        ).any(1)
        assert changed.mean() > 0.9 if length > 1 or isinstance(rule, ReverseComplement) else not changed.any()


@pytest.mark.parametrize("rule", [Rotation, ReverseComplement])
@pytest.mark.parametrize("width", [1, 0, -2, 2.5, True])
def test_a_width_is_refused(rule, width):
    with pytest.raises(ValueError, match="width must be a whole number of at least 2"):
        rule(width)


def test_an_alphabet_without_complements_is_refused():
    with pytest.raises(ValueError, match="alphabet must have complements for a ReverseComplement, got '01' without"):
        ReverseComplement().where(jax.random.key(0), Problem(letters=2).ensemble())


# --- evaluation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["published", "strands", "dilated", "global max"])
@pytest.mark.parametrize(
    "rule", [Rotation(8), *(pytest.param(r, marks=pytest.mark.slow) for r in (ReverseComplement(), Rotation()))]
)
def test_energies_of_incremental_evaluation_are_those_of_full_evaluation(rule, name, x64):
    case = CASES[name]
    anchor = np.random.default_rng(0).integers(0, 4, case.length)
    network = jme.Representation(case.features, None)
    ensemble = jme.Ensemble.create(network, anchor, beta=1.0, fixed=[case.length // 2], weights=None)

    @jax.jit
    def walk(keys):
        kernel = build(rule, ensemble, IncrementalEvaluator(ensemble))

        def step(state, key):
            state, info = kernel.step(key, state)
            return state, (state.tokens, state.energy, info)

        return jax.lax.scan(step, kernel.init(ensemble.anchor), keys)[1]

    tokens, energy, info = walk(jax.random.split(jax.random.key(0), 300))
    full = jax.jit(jax.vmap(ensemble.energy))
    assert 20 < info.accepted.sum() < 300
    np.testing.assert_allclose(info.proposed_energy, full(info.proposed), rtol=0, atol=1e-12)
    np.testing.assert_allclose(energy, full(tokens), rtol=0, atol=1e-12)
    assert (tokens[:, case.length // 2] == anchor[case.length // 2]).all()


# --- rules that wait -----------------------------------------------------------------------------------------


def test_rules_that_wait_have_no_share_until_the_mixture_has_settled():
    batch = Problem().ensemble().batched()
    rules = [SiteAdaptive(), Rotation(2), ReverseComplement(), Segment(2)]
    assert [rule.waits for rule in rules] == [False, True, True, False]
    mixture = Mixture.create(rules, [3, 2, 4, 1])
    np.testing.assert_allclose(mixture.probabilities, [0.3, 0.2, 0.4, 0.1], rtol=1e-6)
    waiting = mixture.prepare(batch, 2)
    np.testing.assert_allclose(waiting.probabilities, [0.75, 0, 0, 0.25], rtol=1e-6)
    waiting = waiting.learn(jnp.full((1, 2, 3, 4), 0.25), batch)
    np.testing.assert_allclose(waiting.at(0, 1).probabilities, [0.75, 0, 0, 0.25], rtol=1e-6)
    settled = waiting.settled()
    np.testing.assert_array_equal(settled.at(0, 1).probabilities, mixture.probabilities)
    np.testing.assert_array_equal(settled.rules[0].log_letters, waiting.rules[0].log_letters)
    assert jax.tree.structure(settled) == jax.tree.structure(waiting)  # one program serves both


@pytest.mark.parametrize("rules", [[Rotation(2), ReverseComplement(2)], [Site(), Segment(2)]])
def test_shares_stay_where_all_rules_wait_or_none(rules):
    mixture = Mixture.create(rules, [1, 2])
    prepared = mixture.prepare(Problem().ensemble().batched(), 2)
    np.testing.assert_array_equal(prepared.probabilities, mixture.probabilities)


@pytest.mark.parametrize("rule", [Site(), Rotation(), SiteAdaptive(), Mixture.create([Site(), Segment(2)])])
def test_a_rule_that_is_settled_is_the_rule(rule):
    assert jax.tree.structure(rule.settled()) == jax.tree.structure(rule)
    for one, other in zip(jax.tree.leaves(rule.settled()), jax.tree.leaves(rule), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_rule_without_a_share_is_never_taken(monkeypatch):
    problem = Problem()
    ensemble = problem.ensemble()
    rules = [Rotation(2), *[Site()] * 5, Rotation(3), ReverseComplement(2)]
    mixture = Mixture.create(rules, np.arange(1, 9)).prepare(ensemble.batched(), 2)
    kernel = build(mixture, ensemble, FullEvaluator(ensemble))
    chosen = jax.jit(jax.vmap(lambda key: kernel.where(key)[0]))(jax.random.split(jax.random.key(0), 20_000))
    expected = 20_000 * np.array([0, 2, 3, 4, 5, 6, 0, 0]) / 20
    assert chi_square(np.bincount(chosen, minlength=8).astype(float), expected) > 1e-4
    # At this key, found by search, the uniform number behind the choice is 0, the end of the shares.
    key = jax.random.key(3353848)
    assert jax.random.uniform(jax.random.split(key, 9)[0]) == 0
    assert kernel.where(key)[0] == 5
    for wrong in (0, 6, 7):  # as if a device had rounded the sums of the shares
        monkeypatch.setattr(jax.random, "choice", lambda *_, wrong=wrong, **__: jnp.int32(wrong))
        assert kernel.where(key)[0] == 5


# --- whole runs ----------------------------------------------------------------------------------------------


@rule_dataclass
class Rotating(Rotation):
    """A rotation that does not wait, to be tested in a run on its own."""

    waits = False


@rule_dataclass
class Turning(ReverseComplement):
    """A reverse complement that does not wait."""

    waits = False


MOTIF = np.array([0, 1, 0, 2])


def anywhere(pattern, one_hot):
    """Return 0 if the motif stands somewhere, on the strand of `pattern`, and otherwise up to 1."""
    offsets = one_hot.shape[0] - pattern.shape[0] + 1
    hits = jnp.stack([jnp.sum(one_hot[i : i + pattern.shape[0]] * pattern) for i in range(offsets)])
    return (jnp.minimum(pattern.shape[0] - hits.max(), 2) / 2)[None]


@pytest.mark.parametrize(
    ("extra", "evaluation"),
    [
        (Rotating(4), "incremental"),
        *(pytest.param(extra, "full", marks=pytest.mark.slow) for extra in (Rotating(), Turning(5))),
    ],
)
def test_a_motif_at_any_offset_is_sampled_as_enumerated(extra, evaluation):
    """The answer by enumeration, for letters at every place and energies at every rung."""
    pattern = np.eye(4, dtype=np.float32)[MOTIF]
    anchor, betas = np.array([3, 0, 1, 0, 2, 3]), [0.0, 4.0, 8.0]
    ensemble = jme.Ensemble.create(
        jme.Representation(anywhere, jnp.asarray(pattern)), anchor, beta=8.0, fields=[jme.composition("GC", 0.3)]
    )
    states = exact.states(6, 4)
    mismatches = np.min([(states[:, i : i + 4] != MOTIF).sum(1) for i in range(3)], axis=0)
    energies, gc = np.minimum(mismatches, 2) / 2, ((states == 1) | (states == 2)).sum(1)
    run = jme.sample(
        jax.random.key(0),
        ensemble,
        rule=Mixture.create([Site(), extra], [3, 1]),
        ladder=betas,
        chains=16,
        steps=8000,
        evaluation=evaluation,
        progress=False,
    )
    for rung, beta in enumerate(betas):
        p = exact.distribution(-beta * energies + 0.3 * gc)
        frequencies, error = exact.letter_frequencies(p, states, 4), run.frequency_errors[0, rung]
        assert (error < 0.02).all()
        assert (np.abs(run.frequencies[0, rung] - frequencies) < 5 * error).all()
        assert abs(run.energy[0, rung] - p @ energies) <= 5 * run.energy_error[0, rung]
    log_z = exact.log_partition(-8.0 * energies + 0.3 * gc)
    assert abs(run.log_z[0, -1] - log_z) < 5 * run.log_z_error[0, -1]
