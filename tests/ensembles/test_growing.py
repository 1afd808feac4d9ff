"""Growing fields: counts of motifs, codons and functions, and the input that is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import exact
import jaxmaxent as jme
from jaxmaxent.ensembles import _background as background
from problems import GrowingProblem, Problem, changes_of_letter

COMPLEMENTS = (3, 2, 1, 0)


def features(one_hot):
    return one_hot.sum(0)


def counted(field, rows):
    ensemble = jme.Ensemble.create(features, rows[0], beta=1.0, fields=[field])
    return np.asarray(jax.vmap(ensemble.counts)(jnp.asarray(rows, jnp.int32)))[:, 0]


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).integers(0, 4, (200, 11))


@pytest.mark.parametrize("strands", [True, False])
@pytest.mark.parametrize("limits", [{}, {"threshold": 0.4}, {"threshold": 0.4, "softness": 0.7}])
def test_tables_are_counted_as_the_oracle_does(rows, limits, strands, x64):
    table = np.random.default_rng(1).normal(size=(3, 4))
    found = counted(jme.motif_count(table, both_strands=strands, **limits), rows)
    expected = [exact.motif_score(x, table, complements=COMPLEMENTS if strands else None, **limits) for x in rows]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert np.ptp(found) > 1


@pytest.mark.parametrize("kmer", ["ACG", "CANNTG", "CG", "W"])
def test_kmers_are_counted_on_both_strands_and_palindromes_once(rows, kmer):
    found = counted(jme.motif_count(kmer), rows)
    meant = {"A": "A", "C": "C", "G": "G", "T": "T", "N": "ACGT", "W": "AT"}
    turned = kmer[::-1].translate(str.maketrans("ACGT", "TGCA"))
    words = ["".join("ACGT"[t] for t in row) for row in rows]

    def stands(word):
        return any(all(a in meant[b] for a, b in zip(word, k, strict=True)) for k in (kmer, turned))

    expected = [sum(stands(word[i : i + len(kmer)]) for i in range(len(word) - len(kmer) + 1)) for word in words]
    np.testing.assert_array_equal(found, expected)
    assert found.max() > found.min()


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_codons_are_counted_in_their_frame(rows, frame):
    scores = {"TAA": -1.0, "ACG": 0.5, "GCA": 2.0}
    found = counted(jme.codons(scores, frame=frame), rows)
    tokens = {tuple("ACGT".index(letter) for letter in codon): score for codon, score in scores.items()}
    np.testing.assert_array_equal(found, [exact.codon_score(x, tokens, frame) for x in rows])
    assert np.ptp(found) > 0


def test_changes_are_differences_of_counts(rows, x64):
    problem = GrowingProblem(length=11)
    for field in problem.ensemble().fields[3:]:
        assert field.grows
        both = jnp.asarray(rows[:100]), jnp.asarray(rows[100:])
        found = jax.vmap(field.change)(*both)
        expected = jax.vmap(field.count)(both[1]) - jax.vmap(field.count)(both[0])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_the_background_lacks_growing_fields(x64):
    problem = GrowingProblem()
    bare = Problem(length=4, mus=problem.mus[:3]).ensemble()
    for function in (background.log_partition, background.marginals):
        np.testing.assert_array_equal(function(problem.ensemble()), function(bare))


def test_the_weight_has_growing_fields_in_full(x64):
    problem = GrowingProblem()
    found = jax.vmap(problem.ensemble().log_weight)(jnp.asarray(problem.states))
    np.testing.assert_allclose(found, problem.log_weights(), rtol=0, atol=1e-10)


def test_other_mus_and_tables_run_the_same_program():
    traced = []

    def weight(ensemble, tokens):
        traced.append(1)
        return ensemble.log_weight(tokens)

    compiled = jax.jit(weight)
    for mu, table in ((1.0, np.eye(4)), (-2.0, np.ones((4, 4)))):
        fields = [jme.motif_count(table, mu, threshold=mu), jme.count(changes_of_letter, mu)]
        ensemble = jme.Ensemble.create(features, "ACGTAC", beta=1.0, fields=fields)
        compiled(ensemble, ensemble.anchor)
    assert len(traced) == 1


def test_other_alphabets():
    rna = jme.Ensemble.create(
        features, "ACGU", beta=1.0, fields=[jme.motif_count("WN", alphabet=jme.RNA)], alphabet=jme.RNA
    )
    assert rna.counts(rna.anchor)[0] == 2  # AC, and GU on the other strand
    protein = jme.Ensemble.create(
        features, "MKNNW", beta=1.0, alphabet=jme.PROTEIN,
        fields=[jme.motif_count("NN", alphabet=jme.PROTEIN), jme.count(changes_of_letter)],
    )  # fmt: skip
    np.testing.assert_array_equal(protein.counts(protein.anchor), [1, 3])
    with pytest.raises(ValueError, match="both_strands must be False for 'ACDEFGHIKLMNPQRSTVWY', which has no complem"):
        jme.motif_count("NN", both_strands=True, alphabet=jme.PROTEIN)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jme.motif_count("ACX"), "motif must be a k-mer of the letters 'ACGT', got 'ACX'"),
        (lambda: jme.motif_count(""), "motif must be a k-mer of at least one letter, got ''"),
        (lambda: jme.motif_count(np.ones((3, 3))), r"motif must have shape \[width, 4\], got \[3, 3\]"),
        (lambda: jme.motif_count([[np.nan] * 4]), "motif must be finite, got nan"),
        (lambda: jme.motif_count("ACG", softness=-1), "softness must be 0, or at least 1e-06 with a threshold, got -1"),
        (
            lambda: jme.motif_count(np.eye(4), softness=1),
            "softness must be 0, or at least 1e-06 with a threshold, got 1",
        ),
        (lambda: jme.motif_count("ACG", threshold=np.inf), "threshold must be a finite number, got inf"),
        (lambda: jme.motif_count("ACG", mu="x"), "mu must be a number"),
        (lambda: jme.codons({"TAA": -np.inf}), "scores must be finite, got −inf for 'TAA': a penalty such as −1"),
        (lambda: jme.codons({"TA": 1}), "scores must have codons of the letters 'ACGT', got 'TA'"),
        (lambda: jme.codons({"UAA": 1}), "scores must have codons of the letters 'ACGT', got 'UAA'"),
        (lambda: jme.codons({}), "scores must be a dictionary from codons to numbers, got {}"),
        (lambda: jme.codons({"TAA": "x"}), "scores must be a finite number, got 'x'"),
        (lambda: jme.codons({"TAA": 1}, frame=3), "frame must be a whole number of at most 2, got 3"),
        (lambda: jme.count(3), "function must be a function of the tokens of one sequence, got 3"),
        (lambda: jme.count(len, name=4), "name must be a text, got 4"),
    ],
)
def test_bad_fields_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (jme.motif_count("ACGTACG"), "'ACGTACG' must fit into sequences of length 6, got windows of 7 from position 0"),
        (jme.motif_count("L", alphabet=jme.PROTEIN), r"field 'L' must have a table of shape \[4\]"),
        (jme.count(lambda x: x, name="all"), "field 'all' must return one real number, got ShapeDtypeStruct"),
        (jme.count(lambda x: x.sum() * 1j, name="i"), "field 'i' must return one real number"),
        (jme.count(lambda x: "text", name="t"), "field 't' failed for tokens|field 't' must return one real number"),
        (jme.count(lambda x: 1 / 0, name="z"), r"field 'z' failed for tokens of shape \[6\]: ZeroDivisionError"),
        (jme.count(lambda x: jnp.log(x.sum() * 0.0), name="l"), "field 'l' must be finite at the anchors, got -inf at"),
        (jme.count(changes_of_letter).replace(unary=np.ones(4)), "must have terms or tables of letters, got both"),
        (jme.composition("GC").replace(terms=3), "field 'GC' must have terms as motif_count makes them, got 3"),
    ],
)
def test_fields_that_do_not_fit_an_ensemble_are_refused(field, message):
    with pytest.raises(ValueError, match=message):
        jme.Ensemble.create(features, "ACGTAC", beta=1.0, fields=[field])
