import numpy as np
import pytest
from scipy.stats import chisquare

from jaxmaxent.data import implant, random_sequences
from jaxmaxent.data._implant import normalised_rows
from jaxmaxent.ensembles import DNA, PROTEIN

SITE = np.eye(4)[DNA.encode("GATA")] * 7


def test_random_letters_have_the_given_probabilities():
    rng = np.random.default_rng(0)
    tokens = random_sequences(rng, 500, 40, probabilities=np.array([0.3, 0.2, 0.0, 0.5]))
    assert tokens.shape == (500, 40) and tokens.dtype == np.uint8
    counts = np.bincount(tokens.ravel(), minlength=4)
    assert counts[2] == 0
    assert chisquare(counts[[0, 1, 3]], 20_000 * np.array([0.3, 0.2, 0.5])).pvalue > 1e-4
    uniform = np.bincount(random_sequences(rng, 500, 40, alphabet=PROTEIN).ravel(), minlength=20)
    assert len(uniform) == 20 and chisquare(uniform).pvalue > 1e-4


@pytest.mark.parametrize(
    ("count", "length", "probabilities", "message"),
    [
        (0, 5, None, "count must be a whole number"),
        (5, 0, None, "length must be a whole number"),
        (5, 5, [0.5, 0.5], "probabilities must be 4 numbers with sum 1"),
        (5, 5, [0.5, 0.5, 0.5, 0.5], "probabilities must be 4 numbers with sum 1"),
        (5, 5, [1.5, -0.5, 0, 0], "probabilities must be finite"),
    ],
)
def test_random_sequences_refuse_wrong_arguments(count, length, probabilities, message):
    with pytest.raises(ValueError, match=message):
        random_sequences(np.random.default_rng(0), count, length, probabilities=probabilities)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_a_certain_site_is_where_the_starts_say_and_nothing_else_changes(dtype):
    rng = np.random.default_rng(1)
    background = random_sequences(rng, 300, 12).astype(dtype)
    before = background.copy()
    tokens, starts = implant(rng, background, SITE)
    np.testing.assert_array_equal(background, before)
    assert tokens.dtype == dtype and starts.shape == (300,)
    for row, old, start in zip(tokens, background, starts, strict=True):
        assert DNA.decode(row[start : start + 4]) == "GATA"
        np.testing.assert_array_equal(
            np.delete(row, np.s_[start : start + 4]), np.delete(old, np.s_[start : start + 4])
        )
    assert chisquare(np.bincount(starts, minlength=9)).pvalue > 1e-4 and starts.max() == 8


def test_sites_are_drawn_from_the_normalised_counts():
    rng = np.random.default_rng(2)
    counts = np.array([[30, 10, 0, 0], [5, 5, 5, 5], [0, 0, 1, 99]])
    tokens, _ = implant(rng, np.zeros((20_000, 3), np.uint8), counts, positions=0)
    for column, row in zip(tokens.T, counts, strict=True):
        seen = np.bincount(column, minlength=4)
        assert (seen[row == 0] == 0).all()
        assert chisquare(seen[row > 0], 20_000 * row[row > 0] / row.sum()).pvalue > 1e-4
    pairs = np.bincount(tokens[:, 0] * 4 + tokens[:, 1], minlength=16)[:8]
    expected = np.outer([0.75, 0.25], [0.25] * 4).ravel()
    assert chisquare(pairs, 20_000 * expected).pvalue > 1e-4  # letters of a site are independent


def test_given_positions():
    rng = np.random.default_rng(3)
    background = np.zeros((3, 6), np.uint8)
    tokens, starts = implant(rng, background, SITE, positions=[2, 0, 1])
    assert starts.tolist() == [2, 0, 1]
    assert DNA.decode(tokens) == ["AAGATA", "GATAAA", "AGATAA"]
    tokens, starts = implant(rng, background, SITE, positions=2)
    assert starts.tolist() == [2, 2, 2] and DNA.decode(tokens) == ["AAGATA"] * 3
    assert implant(rng, background[:, :4], SITE)[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("scale", [1e308 / 4, 1e300, 1e-300, 5e-324, 1.0, 3.0])
def test_counts_of_any_size_are_normalised(scale):
    counts = np.array([[4.0, 2, 0, 1], [1, 1, 1, 1]]) * scale
    rows = normalised_rows("counts", counts)
    np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-15)
    np.testing.assert_allclose(rows, [[4 / 7, 2 / 7, 0, 1 / 7], [0.25] * 4], rtol=1e-15)


def test_ordinary_counts_are_divided_by_their_sum_to_the_last_bit():
    counts = np.random.default_rng(0).gamma(1.0, 30.0, (50, 4))
    np.testing.assert_array_equal(normalised_rows("counts", counts), counts / counts.sum(1, keepdims=True))


@pytest.mark.parametrize(
    ("background", "counts", "positions", "message"),
    [
        (np.zeros(6, int), SITE, None, "background must be integers of shape"),
        (np.zeros((2, 6)), SITE, None, "background must be integers of shape"),
        (np.zeros((2, 3), int), SITE, None, "counts must have at most 3 rows, the sequences' length, got 4"),
        (np.zeros((2, 6), int), SITE[0], None, r"counts must have shape \[width, letters\]"),
        (np.zeros((2, 6), int), SITE * 0, None, "counts must have a positive entry in each row, but row 0"),
        (np.zeros((2, 6), int), -SITE, None, "counts must be finite"),
        (np.zeros((2, 6), int), SITE * np.nan, None, "counts must be finite"),
        (np.zeros((2, 6), int), SITE, 3, "positions must be 0 to 2 for the site to fit, got 3 to 3"),
        (np.zeros((2, 6), int), SITE, [0, -1], "positions must be 0 to 2 for the site to fit, got -1 to 0"),
        (np.zeros((2, 6), int), SITE, [0, 1, 2], "positions must be one integer or 2"),
        (np.zeros((2, 6), int), SITE, 0.5, "positions must be one integer or 2"),
    ],
)
def test_implant_refuses_wrong_arguments(background, counts, positions, message):
    with pytest.raises(ValueError, match=message):
        implant(np.random.default_rng(0), background, counts, positions=positions)
