"""`check`: right rules and networks pass, and each kind of mistake is found in the comparison that is meant for it."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.evaluate import Edit, read
from jaxmaxent.kernels import Informed, ReverseComplement, Rotation, Site, Transposition, rule_dataclass
from jaxmaxent.testing import _check, _pair_swaps
from jaxmaxent.testing._known import tables_of, whole_matrix
from jaxmaxent.testing._moves import flows, moves_of, there_and_back
from jaxmaxent.testing._pair_swaps import swap_parts
from jaxmaxent.testing._report import CheckPart, CheckReport, z_parts
from jaxmaxent.testing._sampled import exact_of
from jaxmaxent.testing._space import checked_positions, chosen_positions, space_of
from problems import PROBLEMS, Problem
from windows import reverse_complement, rotation

SMALL = {"moves": 500, "steps": 3000}


def failed(report):
    return [part.what for part in report.parts if not part.passed]


@rule_dataclass
class Leaning(Site):
    """Proposes the letter 0 more often, and takes that for symmetric."""

    def draw(self, key, where, ensemble):
        return super().draw(key, where, ensemble), jax.random.bernoulli(key, 0.2)

    def what(self, drawn, state, where, ensemble):
        own, leaning = drawn
        edit = super().what(own, state, where, ensemble)
        return Edit(where, jnp.where(leaning, 0, edit.letters))


@rule_dataclass
class OneWay(Site):
    """Moves a letter up the alphabet only, and takes that for symmetric."""

    def what(self, key, state, where, ensemble):
        return Edit(where, (read(state.tokens, where, 1) + 1) % len(ensemble.alphabet))


@rule_dataclass
class Slanted(Site):
    """Accepts a little too often."""

    def correction(self, state, edit, patch, ensemble):
        return jnp.full((), 0.01, ensemble.beta.dtype)


@rule_dataclass
class Trespassing(Site):
    """Changes positions that are held."""

    def where(self, key, ensemble):
        return jax.random.randint(key, (1,), 0, ensemble.length)


@rule_dataclass
class Misshapen(Site):
    def correction(self, state, edit, patch, ensemble):
        return jnp.zeros((1,), ensemble.beta.dtype)


# --- parts, against the oracle ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dna-fields", "dna-fixed", "three-letters", "binary"])
def test_spaces_and_their_exact_numbers_are_those_of_the_oracle(name, x64):
    problem = PROBLEMS[name]
    space, inside = space_of(problem.ensemble(), problem.movable), problem.allowed
    np.testing.assert_array_equal(space.states, problem.states[inside])
    np.testing.assert_allclose(space.distribution(problem.beta), problem.distribution()[inside], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(space.numbers(space.states), np.arange(len(space.states)))
    found, p = exact_of(space, np.array([0.0, problem.beta])), problem.distribution()
    frequencies = exact.letter_frequencies(p, problem.states, problem.letters)[problem.movable]
    np.testing.assert_allclose(found.frequencies[1], frequencies, rtol=0, atol=1e-12)
    assert found.energy[1] == pytest.approx(p @ problem.energies, abs=1e-12)
    log_z = np.logaddexp.reduce(problem.log_weights()[inside])
    assert found.log_z[1] == pytest.approx(log_z, abs=1e-12)


@pytest.mark.parametrize("name", ["dna-fields", pytest.param("binary", marks=pytest.mark.slow)])
def test_the_whole_matrix_of_sites_is_that_of_the_oracle(name, x64):
    problem = PROBLEMS[name]
    space = space_of(problem.ensemble(), problem.movable)
    lazy = 0.0 if problem.letters > 2 else jme.kernels._site.BINARY_LAZINESS
    expected = exact.metropolis_matrix(problem.log_weights(), problem.states, problem.letters, problem.movable, lazy)
    np.testing.assert_allclose(whole_matrix(Site(), space, problem.beta), expected, rtol=0, atol=1e-10)
    assert whole_matrix(Leaning(), space, problem.beta) is None


@pytest.mark.parametrize("rule", [Site(), pytest.param(Informed(), marks=pytest.mark.slow)])
def test_flows_of_a_right_rule_have_the_errors_that_they_say(rule, x64):
    problem = Problem(mus=(0.4,), beta=4.0)
    space = space_of(problem.ensemble(), problem.movable)
    squares, passed = [], []
    for seed in range(20):
        moves = moves_of(space, rule, problem.beta, 300, jax.random.key(seed))
        assert np.abs(there_and_back(moves)).max() < 1e-10
        found = flows(space, moves, problem.beta)
        squares.append(np.mean(found.pairs**2))
        parts = z_parts("flows", found.pairs, alike=2.0, excess=found.excess)
        passed += [part.passed for part in (parts[1], z_parts("into", found.into)[0])]
    error = np.std(squares, ddof=1) / np.sqrt(len(squares))
    assert error < 0.06
    assert abs(np.mean(squares) - 1) < 5 * error
    assert all(passed)


@pytest.mark.slow
def test_flows_of_wrong_rules_are_found(x64):
    problem = Problem(mus=(0.4,))
    space = space_of(problem.ensemble(), problem.movable)
    for rule in (Leaning(), OneWay()):
        found = flows(space, moves_of(space, rule, problem.beta, 500, jax.random.key(0)), problem.beta)
        largest, mean = z_parts("flows", found.pairs, alike=2.0, excess=found.excess)
        assert mean.worst > 2 * mean.limit
    assert largest.worst > 2 * largest.limit


def test_moves_that_are_sure_cancel_exactly(x64):
    problem = Problem()
    space = space_of(problem.ensemble(), problem.movable)
    moves = moves_of(space, Transposition(), problem.beta, 50, jax.random.key(0))
    assert not len(flows(space, moves, problem.beta).pairs)
    assert np.abs(there_and_back(moves)).max() < 1e-10


def test_swaps_by_another_ratio_are_found(x64, monkeypatch):
    problem = Problem()
    space = space_of(problem.ensemble(), problem.movable)
    betas = np.array([0.0, 0.5, 2.0])
    assert all(part.passed for part in swap_parts(space, betas, 1e-10))
    right = _pair_swaps._swaps
    monkeypatch.setattr(_pair_swaps, "_swaps", lambda betas, energies: right(0.99 * betas, energies))
    assert [part.passed for part in swap_parts(space, betas, 1e-10)] == [False, True]


def test_positions_are_chosen_where_mutants_matter_and_apart():
    hot = np.zeros(30)
    hot[11:14] = 1.0
    network = jme.Representation(lambda w, x: (x @ jnp.arange(4.0)) * w, jnp.asarray(hot, jnp.float32))
    ensemble = jme.Ensemble.create(network, "A" * 30, beta=1.0, fixed=[0, 1, 12])
    chosen = chosen_positions(ensemble, 4)
    assert set(chosen[:2]) == {11, 13}
    assert np.diff(np.sort(chosen[2:])) > 8
    assert not set(chosen) & {0, 1, 12}
    assert len(set(chosen_positions(ensemble, 27))) == 27
    assert len(checked_positions(ensemble, None)) == 8
    assert checked_positions(ensemble, [5, 3]).tolist() == [5, 3]


def test_numbers_of_chance_are_named():
    rng = np.random.default_rng(0)
    largest, mean = z_parts("made up", rng.normal(size=1000))
    assert largest.passed
    assert mean.passed
    assert not any(part.passed for part in z_parts("made up", 2 * rng.normal(size=1000)))
    assert not any(part.passed for part in z_parts("nothing", np.zeros(0)))


def test_a_nan_is_no_pass():
    report = CheckReport((CheckPart("energies", np.nan, 1.0, "of E", 3),), np.array([0]), 4, 0.1)
    assert not report.passed
    assert "FAILED: energies: at most nan of E (limit 1), 3 compared." in repr(report)


# --- the check itself ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_default_rule_passes():
    report = jme.check(PROBLEMS["dna-fields"].ensemble(), **SMALL)
    assert report.passed, report
    assert report.sequences == 256
    assert "The check passed all of" in repr(report)
    said = str(report)
    for what in ("whole transition matrix", "flows", "rungs after a swap", "letter frequencies", "log Z"):
        assert what in said


@pytest.mark.slow
def test_several_anchors_and_listed_positions_in_double_precision(x64):
    problem = Problem(length=5, mus=(0.4, -0.3), beta=3.0)
    anchors = np.stack([problem.anchor, problem.anchor[::-1]])
    report = jme.check(problem.ensemble(anchor=anchors), Site(), positions=[4, 0, 2], **SMALL)
    assert report.passed, report
    assert report.positions.tolist() == [0, 2, 4]
    exactly = [part for part in report.parts if "πP against π, by" in part.what]
    assert [part.limit for part in exactly] == [1e-10]


@pytest.mark.slow
def test_a_proposal_that_is_not_symmetric_is_found():
    wrong = failed(jme.check(Problem(beta=2.0).ensemble(), Leaning(), **SMALL))
    assert any("flows between two states" in what for what in wrong)
    assert any("letter frequencies" in what for what in wrong)


@pytest.mark.slow
def test_a_correction_that_the_reverse_does_not_cancel_is_found():
    wrong = failed(jme.check(Problem(beta=2.0).ensemble(), Slanted(), **SMALL))
    assert any("log acceptance ratios of moves" in what for what in wrong)


def test_proposals_outside_the_space_are_found():
    report = jme.check(Problem().ensemble(), Trespassing(), positions=[0, 2], **SMALL)
    assert failed(report) == ["proposals that leave the alphabet or change held positions"]


def test_rules_of_wrong_form_are_found():
    report = jme.check(Problem().ensemble(), Misshapen(), **SMALL)
    assert failed(report) == ["shapes and types of the rule that are wrong"]


def test_a_noisy_network_fails_and_says_why():
    rng = np.random.default_rng(0)

    def noisy(one_hot):
        shape = jax.ShapeDtypeStruct((3,), one_hot.dtype)
        add = jax.pure_callback(lambda x: rng.normal(size=(*x.shape[:-2], 3)).astype(x.dtype) * 1e-2, shape, one_hot,
                                vmap_method="expand_dims")  # fmt: skip
        return one_hot.sum(1)[:3] + one_hot[:3, 1] + add

    report = jme.check(jme.Ensemble.create(noisy, "ACG", beta=1.0))
    assert failed(report) == ["energies asked for twice"]
    assert "no noise, no dropout" in repr(report)


def test_energies_that_are_not_finite_are_found():
    def broken(one_hot):
        return jnp.where(one_hot[0, 3] == 1, jnp.nan, one_hot[:, 1])

    assert failed(jme.check(jme.Ensemble.create(broken, "ACG", beta=1.0))) == ["energies that are not finite"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"positions": 9}, "positions must be at most 8, for 4 letters to make at most 65,536 sequences, got 9"),
        ({"positions": 0}, "positions must be a whole number of at least 1, got 0"),
        ({"positions": []}, "positions must be a number or a list of positions, got []"),
        ({"positions": [0, 0]}, "positions must be different positions that the ensemble lets move, got [0, 0]"),
        ({"positions": [1]}, "positions must be different positions that the ensemble lets move, got [1]"),
        ({"positions": list(range(2, 11))}, "positions must hold at most 8, for 4 letters"),
        ({"moves": 0}, "moves must be a whole number of at least 1, got 0"),
        ({"steps": 7}, "steps must be a multiple of thin = 5, got 7"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"rule": "site"}, "rule must be a rule of jaxmaxent.kernels"),
    ],
)
def test_bad_input_is_named(given, said):
    ensemble = jme.Ensemble.create(lambda x: x[:, 1], "ACGTACGTACGT", beta=1.0, fixed=[1])
    with pytest.raises(ValueError, match=re.escape(said)):
        jme.check(ensemble, **given)
    with pytest.raises(ValueError, match="ensemble must be an Ensemble, got str"):
        jme.check("ACGT")


@pytest.mark.slow
def test_the_page_on_rules_runs_as_written(capsys):
    page = Path(__file__).parents[2] / "docs" / "how_to" / "rules.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.S)
    exec(compile(code, str(page), "exec"), {})
    assert "The check passed all of" in capsys.readouterr().out


def test_the_default_rule_is_checked_as_burn_in_begins_and_as_it_is_when_draws_count():
    """Check that it learns its tables, and that rules which wait move then: here all letters may stand anywhere."""
    ensemble = jme.Ensemble.create(lambda one_hot: one_hot.sum(0), "ACGTTGCA", beta=2.0)
    prepared, learned = _check._rules(space_of(ensemble, np.arange(4)), None)
    assert any(rule.waits for rule in prepared.rules)
    for rule, before, after in zip(prepared.rules, prepared.probabilities, learned.probabilities, strict=True):
        assert (before > 0) != rule.waits
        assert after > 0


@pytest.mark.parametrize(("rule", "stated"), [(Rotation, rotation), (ReverseComplement, reverse_complement)])
@pytest.mark.parametrize("width", [2, pytest.param(3, marks=pytest.mark.slow), 48])
def test_the_proposals_of_rules_that_move_a_window_are_those_of_the_oracle(rule, stated, width):
    problem = PROBLEMS["dna-fixed"]
    space = space_of(problem.ensemble(), np.array(problem.movable))
    of_space = np.all(problem.states[:, list(problem.fixed)] == problem.anchor[list(problem.fixed)], axis=1)
    tables = tables_of(rule(width), space)
    assert sum(table.probability for table in tables) == pytest.approx(1)
    found = sum(table.probability * table.matrix for table in tables)
    expected = sum(table.probability * table.matrix for table in stated(width, problem))
    np.testing.assert_array_equal(space.states, problem.states[of_space])
    np.testing.assert_allclose(found, expected[np.ix_(of_space, of_space)], atol=1e-12)
