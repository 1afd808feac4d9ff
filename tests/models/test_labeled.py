import chex
import jax
import numpy as np
import pytest
from motif_tables import motif_data, quick

from jaxmaxent.ensembles import BINARY, DNA
from jaxmaxent.models import MLPArchitecture, parameters
from jaxmaxent.models._labeled import Labeled, class_weights_of, split


def test_split_is_stratified_and_a_partition():
    labels = np.repeat([0, 1, 2], [90, 30, 2]).astype(np.int32)
    tokens = np.arange(122, dtype=np.uint8)[:, None]
    kept, held_out = split(jax.random.key(0), Labeled(tokens, labels), 0.2)
    np.testing.assert_array_equal(np.bincount(held_out.labels), [18, 6, 1])
    assert sorted([*kept.tokens[:, 0], *held_out.tokens[:, 0]]) == list(range(122))
    np.testing.assert_array_equal(labels[held_out.tokens[:, 0]], held_out.labels)
    other = split(jax.random.key(1), Labeled(tokens, labels), 0.2)[1]
    assert not np.array_equal(other.tokens, held_out.tokens)


def test_class_weights_have_mean_one_over_the_sequences():
    labels = np.repeat([0, 1], [30, 10])
    np.testing.assert_allclose(class_weights_of("balanced", labels, 2), [2 / 3, 2])
    np.testing.assert_allclose(class_weights_of([1, 3], labels, 2), class_weights_of("balanced", labels, 2))
    np.testing.assert_array_equal(class_weights_of(None, labels, 2), [1, 1])


def test_both_strands_are_twice_the_table_and_leave_validation_alone():
    tokens, labels = motif_data(64, seed=1)
    held_out = motif_data(20, seed=2)
    twice = np.concatenate([tokens, DNA.reverse_complement(tokens)]), np.tile(labels, 2)
    one = quick(data=(tokens, labels), validation=held_out, both_strands=True)
    other = quick(data=twice, validation=held_out)
    chex.assert_trees_all_equal(parameters(one.network), parameters(other.network))
    assert one.history[0].validation_loss == other.history[0].validation_loss
    with pytest.raises(ValueError, match="both_strands needs complements, which the alphabet '01' does not have"):
        quick(
            architecture=MLPArchitecture(length=12, hidden=(4,), alphabet=BINARY),
            data=(tokens % 2, labels),
            both_strands=True,
        )
