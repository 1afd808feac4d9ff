import jax
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import average_precision_score, roc_auc_score

from jaxmaxent.models import ConvArchitecture, MLPArchitecture, auprc, auroc, predict
from jaxmaxent.models._metrics import _batch_logits


@pytest.mark.parametrize("levels", [2, 5, 1000, None], ids=["2 scores", "5 scores", "few ties", "no ties"])
@pytest.mark.parametrize("positives", [0.02, 0.5, 0.97])
def test_areas_agree_with_scikit_learn(levels, positives):
    rng = np.random.default_rng(0)
    labels = (rng.random(700) < positives).astype(int)
    scores = rng.normal(size=700) + labels
    if levels is not None:
        scores = np.floor(scores * levels / 8)
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert auprc(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


def test_areas_of_perfect_reversed_and_constant_scores():
    labels = np.array([0, 1, 0, 1, 0])
    assert auroc(labels, labels) == auprc(labels, labels) == 1
    assert auroc(labels, -labels) == 0
    assert auroc(labels, np.ones(5)) == 0.5
    assert auprc(labels, np.ones(5)) == pytest.approx(0.4)


@pytest.mark.parametrize("area", [auroc, auprc])
@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], r"labels must be 0 and 1 with both present, got the values \[1\]"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "labels must be 0 and 1"),
        ([], [], r"labels must be 0 and 1 with both present, got the values \[\]"),
        ([0, 1], [0.1, 0.2, 0.3], r"one shape \[n\], got \[2\] and \[3\]"),
        ([[0, 1]], [[0.1, 0.2]], r"one shape \[n\]"),
        ([0, 1], [0.1, float("nan")], "scores must be finite"),
    ],
)
def test_wrong_labels_and_scores(area, labels, scores, message):
    with pytest.raises(ValueError, match=message):
        area(labels, scores)


def test_predict_in_batches_is_predict_at_once():
    architecture = ConvArchitecture(length=12, filters=3, kernel_width=5, hidden=(7,), units=3)
    network = architecture.build(nnx.Rngs(0))
    tokens = np.random.default_rng(0).integers(0, 4, (23, 12))
    whole = predict(network, tokens)
    expected = jax.nn.softmax(network(architecture.alphabet.one_hot(tokens)))
    assert whole.shape == (23, 3)
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    np.testing.assert_allclose(whole.sum(1), 1, atol=1e-12)
    for batch_size in (1, 5, 23, 100):
        np.testing.assert_allclose(predict(network, tokens, batch_size), whole, atol=1e-6)
    network.train()
    np.testing.assert_array_equal(predict(network, tokens), whole)


def test_predict_compiles_once_for_all_batches_and_checkpoints():
    architecture = MLPArchitecture(length=3, hidden=(5,))
    tokens = np.random.default_rng(0).integers(0, 4, (23, 3), dtype=np.uint8)
    _batch_logits.clear_cache()
    for seed in (0, 1):
        predict(architecture.build(nnx.Rngs(seed)), tokens, batch_size=5)
    assert _batch_logits._cache_size() == 1


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (np.zeros((3, 4), int), r"tokens must have shape \[sequences, 2\] for this network .* got \[3, 4\]"),
        (np.zeros(2, int), r"tokens must have shape \[sequences, 2\]"),
        (np.zeros((0, 2), int), "not be empty"),
        (np.zeros((3, 2)), "tokens must be whole numbers, got dtype float64"),
        (np.array([[0, 4]]), "tokens must be 0 to 3, got values 0 to 4"),
        (np.array([[0, -1]]), "tokens must be 0 to 3, got values -1 to 0"),
    ],
)
def test_tokens_that_do_not_fit(tokens, message):
    with pytest.raises(ValueError, match=message):
        predict(MLPArchitecture().build(nnx.Rngs(0)), tokens)


def test_wrong_batch_size():
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got 0"):
        predict(MLPArchitecture().build(nnx.Rngs(0)), np.zeros((1, 2), int), 0)
