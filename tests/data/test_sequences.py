import numpy as np
import pytest

from jaxmaxent.data import Sequences
from jaxmaxent.ensembles import BINARY


def three() -> Sequences:
    return Sequences(np.array([[0, 1], [1, 2], [3, 3]]), ("a", "b", "c"), np.array([0, 1, 1]))


def test_tokens_become_uint8_and_length_counts_sequences():
    assert three().tokens.dtype == np.uint8
    assert len(three()) == 3


@pytest.mark.parametrize("indices", [[2, 0], np.array([2, 0]), (-1, 0)])
def test_take_keeps_everything_in_the_given_order(indices):
    taken = three().take(indices)
    np.testing.assert_array_equal(taken.tokens, [[3, 3], [0, 1]])
    assert taken.labels is not None
    np.testing.assert_array_equal(taken.labels, [1, 0])
    assert taken.names == ("c", "a")


def test_take_by_boolean_by_nothing_and_without_labels():
    unlabeled = Sequences(np.array([[0, 1], [1, 0]]), ("a", "b"), None, BINARY)
    taken = unlabeled.take([False, True])
    assert taken.names == ("b",) and taken.labels is None and taken.alphabet is BINARY
    assert len(unlabeled.take([])) == 0


@pytest.mark.parametrize("indices", [[3], [-4], [True], [0.5], [[0, 1]], 1])
def test_take_refuses_what_selects_nothing(indices):
    with pytest.raises(ValueError, match="indices must"):
        three().take(indices)


@pytest.mark.parametrize(
    ("tokens", "names", "labels", "message"),
    [
        ([0, 1], ("a", "b"), None, "tokens must be integers of shape"),
        ([[0.0, 1.0]], ("a",), None, "tokens must be integers of shape"),
        ([[0, 4]], ("a",), None, "tokens must be 0 to 3, got 0 to 4"),
        ([[0, -1]], ("a",), None, "tokens must be 0 to 3, got -1 to 0"),
        ([[0, 1]], (), None, "names must be 1"),
        ([[0, 1]], ("a",), [0, 1], "labels must be integers of shape"),
        ([[0, 1]], ("a",), [0.5], "labels must be integers of shape"),
    ],
)
def test_wrong_parts_are_named(tokens, names, labels, message):
    with pytest.raises(ValueError, match=message):
        Sequences(np.array(tokens), names, labels)
