"""Grammars of made-up sites: what is planted is named, what is placed independently is not."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent import analysis
from jaxmaxent.analysis import MotifHit
from jaxmaxent.analysis._grammar.grammar import from_sites
from jaxmaxent.analysis._grammar.insertion import Outputs
from jaxmaxent.analysis._grammar.scores import log_odds, threshold
from jaxmaxent.analysis._occurrences import Occurrences
from jaxmaxent.data import Motif

LENGTH, WIDTHS, NAMES = 100, (6, 7, 6), ("A", "B", "C")
CHAINS, DRAWS = 8, 100


def two(rng):
    """A and B at places and on strands that do not depend on each other."""
    while True:
        a, b = (int(rng.integers(0, LENGTH - WIDTHS[k] + 1)) for k in range(2))
        if a + 6 <= b or b + 7 <= a:
            return [(0, a, int(rng.choice([-1, 1]))), (1, b, int(rng.choice([-1, 1])))]


def gap(pair):
    (_, a, _), (_, b, _) = pair
    return max(b - a - 6, a - b - 7)


def until(condition):
    def place(rng):
        while True:
            found = two(rng)
            if condition(found):
                return found

    return place


def made(rng, place, chance=0.05, chains=CHAINS, draws=DRAWS):
    """Occurrences of the sites that `place` makes for each draw, and of sites by chance."""
    rows = []
    for chain in range(chains):
        for draw in range(draws):
            rows += [(motif, chain, draw, start, strand) for motif, start, strand in place(rng)]
            for motif in np.flatnonzero(rng.random(len(WIDTHS)) < chance):
                start = rng.integers(0, LENGTH - WIDTHS[motif] + 1)
                rows.append((motif, chain, draw, start, rng.choice([-1, 1])))
    return Occurrences(*np.array(rows, int).reshape(-1, 5).T, chains, draws, LENGTH, WIDTHS)


def found(place, seed=0):
    rng = np.random.default_rng(seed)
    return from_sites(made(rng, place), made(rng, lambda rng: []), NAMES)


def held(grammar):
    return {(row.kind, row.motifs) for row in grammar.held}


@pytest.mark.parametrize(
    ("place", "expected", "words"),
    [
        (two, {("needs", ("A",)), ("needs", ("B",))}, "needs A and B, any order, either strand, spacing free"),
        (
            until(lambda s: s[1][1] < s[0][1]),
            {("needs", ("A",)), ("needs", ("B",)), ("order", ("B", "A"))},
            "needs A and B, B before A, either strand, spacing free",
        ),
        (
            until(lambda s: 5 <= gap(s) <= 20),
            {("needs", ("A",)), ("needs", ("B",)), ("spacing", ("A", "B"))},
            "needs A and B, any order, either strand, spacing 5",
        ),
        (
            until(lambda s: s[0][2] != s[1][2]),
            {("needs", ("A",)), ("needs", ("B",)), ("other strand", ("A", "B"))},
            "A and B on opposite strands",
        ),
        (
            until(lambda s: (s[1][1] > s[0][1]) == (s[0][2] > 0)),
            {("needs", ("A",)), ("needs", ("B",)), ("downstream", ("A", "B"))},
            "B downstream of A",
        ),
        (
            until(lambda s: s[0][2] < 0),
            {("needs", ("A",)), ("needs", ("B",)), ("strand", ("A reversed",))},
            "A on the reverse strand",
        ),
        (
            lambda rng: [(0, start, strand) for _, start, strand in until(lambda s: gap(s) > 0)(rng)],
            {("needs", ("A",)), ("copies", ("A",))},
            "needs 2 or more copies of A",
        ),
        (lambda rng: [two(rng)[rng.integers(2)]], {("any of", ("A", "B"))}, "needs any of A and B"),
        (lambda rng: [(0, 30, 1)], {("needs", ("A",)), ("place", ("A",))}, "A at positions 30"),
    ],
    ids=["and", "order", "spacing", "orientation", "downstream", "strand", "copies", "or", "place"],
)
def test_what_is_planted_is_named_and_nothing_else(place, expected, words):
    grammar = found(place)
    strands_of_the_place = {("strand", ("A",))} if ("place", ("A",)) in expected else set()
    assert held(grammar) - strands_of_the_place == expected
    assert words in grammar.sentence
    assert grammar.chains == CHAINS and repr(grammar).startswith("Grammar('needs")


def test_a_motif_that_draws_avoid_is_refused():
    rng = np.random.default_rng(3)
    target = made(rng, lambda rng: [two(rng)[0]], chance=0.0)
    grammar = from_sites(target, made(rng, lambda rng: [], chance=0.2), NAMES)
    assert {("not", ("B",)), ("not", ("C",))} < held(grammar)
    assert grammar.sentence.startswith("needs A, not B or C")


def test_one_motif_without_the_other_is_told_from_one_or_the_other():
    rng = np.random.default_rng(4)
    background = made(rng, lambda rng: [], chance=0.2)
    for chance, kind in ((0.0, "one of"), (0.2, "any of")):
        target = made(rng, lambda rng: [two(rng)[rng.integers(2)]], chance=chance)
        rows = from_sites(target, background, NAMES).held
        assert (kind, ("A", "B")) in {(row.kind, row.motifs) for row in rows}


def test_the_spacing_and_its_errors_are_those_of_the_plant():
    for seed in range(3):
        grammar = found(until(lambda s: 5 <= gap(s) <= 20), seed)
        (row,) = (row for row in grammar.held if row.kind == "spacing")
        # 5 % of the pairs lie outside on either side, and chance sites add some.
        assert 4 <= row.low <= 6 and 19 <= row.high <= 24 and row.low_error + row.high_error < 2
        (spacing,) = grammar.spacings
        assert spacing.share.sum() == pytest.approx(1) and spacing.control.sum() == pytest.approx(1)


def test_sites_that_are_placed_independently_rarely_give_an_arrangement():
    """Places are new in one draw of ten only, so that draws of a chain depend on each other."""
    false, runs = 0, 60
    for seed in range(runs):
        last = []

        def place(rng, last=last):
            if not last or rng.random() < 0.1:
                last[:] = two(rng)
            return list(last)

        grammar = found(place, 100 + seed)
        false += any(row.q <= 0.05 for row in grammar.tested if row.kind not in ("needs", "not", "copies", "any of"))
    # 3 of 60 are expected; more than 7 have a probability of 2 %.
    assert false <= 7


def test_a_grammar_of_nothing_says_so():
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(40):
        grammar = from_sites(made(rng, lambda rng: [], draws=50), made(rng, lambda rng: [], draws=50), NAMES)
        false += bool(grammar.held)
    assert false <= 5  # 2 expected; more than 5 have a probability of 1.4 %
    assert from_sites(made(rng, lambda rng: [], chance=0), made(rng, lambda rng: []), NAMES).chains == CHAINS


def test_the_threshold_lets_the_wanted_share_of_windows_pass():
    rng = np.random.default_rng(0)
    background = np.array([0.3, 0.2, 0.2, 0.3])
    scores = log_odds(rng.dirichlet(np.ones(4) / 2, 5), background)
    letters = np.indices((4,) * 5).reshape(5, -1)
    total = sum(row[letter] for row, letter in zip(scores, letters, strict=True))
    weight = background[letters].prod(0)
    for share in (0.2, 0.05, 0.01):
        limit = threshold(scores, background, share)
        assert weight[total >= limit].sum() <= share * 1.1
        assert weight[total >= limit - 0.1].sum() >= share * 0.5
    assert (total >= threshold(scores, background, 1e-9)).sum() >= 1


# A network of exact words, whose ensemble is known: 1 if A = GAC is there, B = TTG counts `sign` if it is.


def _has(one_hot, word):
    tokens = jme.DNA.encode(word)
    starts = one_hot.shape[0] - len(word) + 1
    hits = sum(one_hot[k : k + starts, letter] for k, letter in enumerate(tokens.tolist()))
    return jnp.max(jnp.where(hits > len(word) - 0.5, 1.0, 0.0))


def _sharp(name, word):
    return Motif(name, name, 0.97 * np.eye(4)[jme.DNA.encode(word)] + 0.0075)


WORDS = [_sharp("A", "GACGT"), _sharp("B", "TTGCA"), _sharp("C", "CCATA")]


def either(one_hot):
    """A or B."""
    return jnp.maximum(_has(one_hot, "GACGT"), _has(one_hot, "TTGCA"))[None]


def without(one_hot):
    """A without B."""
    return (_has(one_hot, "GACGT") * (1 - _has(one_hot, "TTGCA")))[None]


def exclusive(one_hot):
    """A or B, but not both."""
    return jnp.abs(_has(one_hot, "GACGT") - _has(one_hot, "TTGCA"))[None]


def mostly_exclusive(one_hot):
    """A or B; both, as they are written and not on the other strand, have three tenths of that."""
    together = _has(one_hot, "GACGT") * _has(one_hot, "TTGCA")
    return jnp.where(together > 0, 0.3, jnp.maximum(_has(one_hot, "GACGT"), _has(one_hot, "TTGCA")))[None]


def both(one_hot):
    """A and B."""
    return (_has(one_hot, "GACGT") * _has(one_hot, "TTGCA"))[None]


BETA, SIZE = 40.0, 24


def target_draws(rng, network, count):
    """Exact draws of the ensemble at β = 40 around an anchor with output 1, by rejection, shape [count, SIZE].

    Words are first written at random places, so that enough sequences are accepted; those that are accepted have an
    output of 1, which draws of the ensemble have up to a share of exp(−40) times the number of sequences with another
    output. Each combination of the words is proposed as often, unlike in the ensemble; no test needs that.
    """
    tokens = rng.integers(0, 4, (8 * count, SIZE), dtype=np.uint8)
    for row in tokens:
        starts = (int(rng.integers(0, 8)), int(rng.integers(13, 19)))
        for word, start, there in zip(("GACGT", "TTGCA"), rng.permutation(starts), rng.random(2) < 0.5, strict=True):
            if there:
                row[start : start + 5] = jme.DNA.encode(word)
    outputs = np.asarray(jax.vmap(network)(jax.nn.one_hot(tokens, 4)))[:, 0]
    return tokens[outputs > 0.5][:count]


def run_of(network, anchor, seed=0):
    """A run with exact draws at its target and at β = 0, and its ensemble."""
    rng, chains, draws = np.random.default_rng(seed), 6, 80
    stored = np.stack([rng.integers(0, 4, (chains * draws, SIZE)), target_draws(rng, network, chains * draws)])
    stored = stored.reshape(1, 2, draws, chains, SIZE).astype(np.uint8)
    ensemble = jme.Ensemble.create(network, [anchor], beta=BETA)
    run = dataclasses.replace(
        made_up(fields=(), anchor=1, rung=2, position=SIZE, chain=chains, draw=draws),
        draws=stored,
        beta=np.array([[0.0, BETA]]),
        anchors=np.asarray(ensemble.anchor, np.uint8),
        frequencies=np.full((1, 2, SIZE, 4), 0.25),
    )
    return run, ensemble


ONE, TWO = "CCGACGTCCCAAAACCCCAACCAC", "CCGACGTCCTTGCACCCCAACCAC"


@pytest.fixture(scope="module")
def runs():
    anchors = ((either, ONE), (without, ONE), (exclusive, ONE), (mostly_exclusive, ONE), (both, TWO))
    return {network.__name__: run_of(network, anchor) for network, anchor in anchors}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("either", {("any of", frozenset("AB"))}),
        ("without", {("needs", frozenset("A")), ("not", frozenset("B"))}),
        ("exclusive", {("one of", frozenset("AB"))}),
        ("mostly_exclusive", {("one of", frozenset("AB"))}),
        ("both", {("needs", frozenset("A")), ("needs", frozenset("B"))}),
    ],
)
def test_insertion_tells_the_logic_of_a_network(runs, name, expected):
    run, ensemble = runs[name]
    grammar = analysis.grammar(run, motifs=WORDS, ensemble=ensemble)
    logical = {
        (row.kind, frozenset(row.motifs)) for row in grammar.held if row.kind in ("needs", "any of", "one of", "not")
    }
    assert logical == expected, grammar.sentence


def test_without_the_network_draws_tell_what_they_can(runs):
    grammar = analysis.grammar(runs["either"][0], motifs=WORDS, by_chance=0.2)
    assert {row.kind for row in grammar.held if row.kind in ("needs", "not", "any of", "one of")} == {"any of"}
    assert analysis.grammar(runs["both"][0], motifs=WORDS).sentence.startswith("needs A and B")


def test_outputs_are_0_for_the_background_and_1_for_the_anchor(runs):
    run, ensemble = runs["both"]
    outputs = Outputs(ensemble.take(0), analysis.stored_draws(run, rung=0)[0])
    assert outputs(run.anchors)[0] == pytest.approx(1)
    assert outputs(analysis.stored_draws(run, rung=0)[0]).mean() == pytest.approx(0, abs=1e-6)


def test_without_motifs_those_of_the_draws_are_taken(runs):
    run, ensemble = runs["both"]
    found = analysis.draw_motifs(run)
    assert len(found.motifs) >= 2
    grammar = analysis.grammar(run, ensemble=ensemble)
    again = analysis.grammar(run, motifs=found, ensemble=ensemble)
    assert grammar.motifs == again.motifs == tuple(motif.consensus for motif in found.motifs)
    assert grammar.sentence == again.sentence and grammar.sentence.startswith("needs ")
    needed = {name for row in grammar.held if row.kind == "needs" for name in row.motifs}
    assert len(needed) == 2


def test_motifs_of_draws_have_the_name_of_a_sure_hit_and_else_their_consensus(runs):
    run, _ = runs["both"]
    found = analysis.draw_motifs(run)
    first, second = found.motifs[:2]
    hit = MotifHit(Motif("GATA1", "M1", first.probabilities), 1e-6, 1e-6, 0.01, 0, "+", 6)
    named = found._replace(motifs=(first._replace(hits=(hit,)), second._replace(hits=(hit._replace(q=0.02),))))
    assert analysis.grammar(run, motifs=named).motifs == ("GATA1", second.consensus)
    twice = found._replace(motifs=(first._replace(hits=(hit,)),) * 2)
    assert analysis.grammar(run, motifs=twice.motifs).motifs == ("GATA1", "GATA1 (2)")


def test_draws_without_motifs_have_no_requirement(runs):
    run, ensemble = runs["both"]
    rng = np.random.default_rng(0)
    none = dataclasses.replace(run, draws=rng.integers(0, 4, run.draws.shape).astype(np.uint8))
    grammar = analysis.grammar(none, ensemble=ensemble)
    assert grammar.sentence.startswith("no requirement") and not grammar.tested and grammar.motifs == ()
    assert analysis.shared_requirements([grammar] * 2) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"motifs": []}, "motifs must have one motif or more, got none"),
        ({"motifs": [3]}, "motifs must be motifs with name and probabilities, such as read_motifs gives, got 3"),
        (
            {"motifs": [Motif("wide", "w", np.full((SIZE + 1, 4), 0.25))]},
            "motifs must have probabilities of shape [width, 4], width 1 to 24, got [25, 4]",
        ),
        ({"motifs": None, "draws": None}, "run must have stored draws, got one without"),
        ({"motifs": None, "beta": np.array([[1.0, 2.0]])}, "run must have a rung at β = 0 to compare with, got β from"),
        ({"motifs": None, "chains": 1}, "run must have two chains or more, got 1"),
        ({"level": 0.4}, "level must be a finite number above 0.5 and below 1, got 0.4"),
        ({"ensemble": 3}, "ensemble must be the Ensemble of the run, or None, got 3"),
        ({"draws": None}, "run must have stored draws, got one without"),
        ({"beta": np.array([[1.0, 2.0]])}, "run must have a rung at β = 0 to compare with, got β from 1 on"),
        ({"chains": 1}, "run must have two chains or more, got 1"),
    ],
)
def test_bad_input_is_one_sentence(runs, change, words):
    run, ensemble = runs["both"]
    given = {"motifs": WORDS, "ensemble": ensemble} | {
        k: change[k] for k in ("motifs", "level", "ensemble") if k in change
    }
    fields = {k: change[k] for k in ("draws", "beta") if k in change}
    if "chains" in change:
        fields = {"draws": run.draws[:, :, :, :1]}
    with pytest.raises(ValueError, match="^" + re.escape(words)):
        analysis.grammar(dataclasses.replace(run, **fields), **given)


def test_an_ensemble_of_other_anchors_is_refused(runs):
    run, _ = runs["both"]
    _, other = runs["either"]
    with pytest.raises(ValueError, match="ensemble must have the anchors of the run"):
        analysis.grammar(run, motifs=WORDS, ensemble=other)


def test_shared_requirements_count_the_anchors_that_were_tested(runs):
    grammars = [analysis.grammar(run, motifs=WORDS, ensemble=ensemble) for run, ensemble in runs.values()]
    shared = {(row.kind, row.motifs): row for row in analysis.shared_requirements(grammars)}
    needs = shared["needs", ("A",)]
    assert needs.anchors == (1, 4) and needs.tested == 5 and needs.share == 0.4
    assert needs.error == pytest.approx(np.sqrt(3 / 7 * 4 / 7 / 7))
    with pytest.raises(ValueError, match="grammars must have one result or more, got none"):
        analysis.shared_requirements([])
    with pytest.raises(ValueError, match="grammars must have the same motifs"):
        analysis.shared_requirements([grammars[0], grammars[1]._replace(motifs=("x",))])
