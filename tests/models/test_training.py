import csv
import gzip
import itertools

import chex
import jax
import numpy as np
import pytest
from motif_tables import CONV, motif_data, quick

from jaxmaxent.ensembles import DNA
from jaxmaxent.models import ConvArchitecture, MLPArchitecture, auroc, parameters, predict, train

XOR = {"epochs": 60, "learning_rate": 0.02, "weight_decay": 0.0, "patience": 60, "progress": False}


def xor_rule(tokens):
    """Class 1 iff exactly one of "position 0 is A or T" and "position 1 is G" holds."""
    return (np.isin(tokens[:, 0], DNA.encode("AT")) ^ (tokens[:, 1] == DNA.encode("G"))).astype(int)


def test_it_learns_a_motif():
    tokens, labels = motif_data(1000, seed=1)
    result = quick(epochs=12, learning_rate=0.01, weight_decay=0.01)
    area = auroc(labels, predict(result.network, tokens)[:, 1])
    standard_error = np.sqrt(area * (1 - area) / 500)
    assert area - 5 * standard_error > 0.9
    assert result.history[-1].loss < result.history[0].loss


def test_xor_of_a_dinucleotide():
    rng = np.random.default_rng(0)
    tokens = rng.choice(4, (2000, 2), p=[0.3, 0.2, 0.2, 0.3]).astype(np.uint8)
    result = train(jax.random.key(0), MLPArchitecture(), tokens, xor_rule(tokens), **XOR)
    every = np.array(list(itertools.product(range(4), repeat=2)))
    np.testing.assert_array_equal(predict(result.network, every).argmax(1), xor_rule(every))


def test_same_seed_same_weights_and_another_seed_others():
    first, again, other = (parameters(quick(seed).network) for seed in (3, 3, 4))
    chex.assert_trees_all_equal(first, again)
    assert not np.array_equal(first["head"]["kernel"], other["head"]["kernel"])


def test_best_epoch_is_what_is_returned():
    held_out = motif_data(100, seed=2)
    result = quick(data=motif_data(40), validation=held_out, epochs=60, learning_rate=0.03, weight_decay=0, patience=5)
    losses = [epoch.validation_loss for epoch in result.history]
    assert result.stopped_early
    assert result.best_epoch == int(np.argmin(losses)) == len(losses) - 1 - 5
    probability = predict(result.network, held_out[0])
    loss = -np.log(probability[np.arange(100), held_out[1]]).mean()
    assert loss == pytest.approx(losses[result.best_epoch], rel=1e-6)
    assert auroc(held_out[1], probability[:, 1]) == result.history[result.best_epoch].validation_auroc


def test_monitor_auroc_takes_the_first_epoch_of_the_highest_area():
    result = quick(data=motif_data(60), validation=motif_data(30, 2), monitor="auroc", epochs=12, learning_rate=0.02)
    areas = [epoch.validation_auroc for epoch in result.history]
    assert len(set(areas)) > 1
    assert result.best_epoch == int(np.argmax(areas))


def test_three_classes_and_fewer_sequences_than_a_batch():
    tokens = np.random.default_rng(0).integers(0, 4, (600, 1), dtype=np.uint8)
    labels = np.minimum(tokens[:, 0], 2)
    architecture = MLPArchitecture(length=1, hidden=(16,), units=3)
    result = quick(architecture=architecture, data=(tokens, labels), batch_size=1000, epochs=40, learning_rate=0.05)
    np.testing.assert_array_equal(predict(result.network, tokens).argmax(1), labels)
    assert result.history[-1].validation_auroc == 1


def test_class_weights_move_the_decision():
    tokens, labels = motif_data(1000)
    tokens[:] = 0  # nothing to learn but the prior, which the weights set to 3 : 1
    network = quick(data=(tokens, labels), class_weights=[1, 3], epochs=8, learning_rate=0.02, weight_decay=0).network
    assert predict(network, tokens[:1])[0, 1] == pytest.approx(0.75, abs=0.03)


def test_progress_goes_to_standard_error(capfd):
    quick(progress=True)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "2/2" in captured.err
    assert "validation AUROC" in captured.err


TOKENS, LABELS = motif_data(20)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": 0}, "key must be one typed key such as jax.random.key.* got int"),
        ({"key": np.zeros(2, np.uint32)}, "key must be one typed key"),
        ({"tokens": TOKENS[:, :5]}, r"tokens must have shape \[sequences, 12\] for this network"),
        ({"tokens": TOKENS[:0]}, "not be empty"),
        ({"tokens": TOKENS + 3}, "tokens must be 0 to 3, got values"),
        ({"labels": LABELS[:-1]}, r"labels must have shape \[20\], one for each sequence, got \[19\]"),
        ({"labels": LABELS + 1}, "labels must be whole numbers from 0 to 1, got 2"),
        ({"labels": LABELS * 0.5}, "labels must be whole numbers from 0 to 1, got 0.5"),
        ({"labels": LABELS.astype(str)}, "labels must be whole numbers from 0 to 1, got '0'"),
        ({"labels": LABELS * 0}, "labels must hold every class from 0 to 1, but class 1 has no sequence"),
        ({"labels": np.eye(20, dtype=int)[0]}, "at least 2 sequences of every class .* class 1 has 1"),
        ({"validation": TOKENS}, r"validation must be \(tokens, labels\), got ndarray"),
        ({"validation": (TOKENS[:, :3], LABELS)}, "validation tokens must have shape"),
        ({"validation": (TOKENS, LABELS * 0)}, "validation labels must hold every class"),
        ({"validation_fraction": 1.0}, "validation_fraction must be a finite number above 0 and below 1"),
        ({"validation_fraction": 0}, "validation_fraction must be a finite number above 0"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"learning_rate": 0}, "learning_rate must be a finite number above 0, got 0"),
        ({"weight_decay": -1}, "weight_decay must be finite ≥ 0, got -1"),
        ({"weight_decay": "much"}, "weight_decay must be a finite number, got 'much'"),
        ({"patience": 0}, "patience must be a whole number of at least 1"),
        ({"monitor": "accuracy"}, "monitor must be 'loss' or 'auroc', got 'accuracy'"),
        ({"class_weights": "equal"}, "class_weights must be 'balanced' or 2 numbers, got 'equal'"),
        ({"class_weights": [1, 2, 3]}, "class_weights must be 2 numbers above 0"),
        ({"class_weights": [1, 0]}, "class_weights must be 2 numbers above 0"),
    ],
)
def test_wrong_arguments(changes, message):
    arguments = {"key": jax.random.key(0), "tokens": TOKENS, "labels": LABELS, "progress": False} | changes
    positional = (arguments.pop("key"), CONV, arguments.pop("tokens"), arguments.pop("labels"))
    with pytest.raises(ValueError, match=message):
        train(*positional, **arguments)


def test_a_loss_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match=r"no longer finite in epoch 0 .* learning_rate 1e\+30 is too high"):
        quick(learning_rate=1e30, epochs=3)


def test_xor_training_sets_of_the_paper(data):
    every = np.array(list(itertools.product(range(4), repeat=2)))
    for number in range(3):
        lines = (data / f"xor/XOR_model_{number}_train.data").read_text().split("\n")
        rows = [line.split("\t") for line in lines if line]
        tokens, labels = DNA.encode([row[0] for row in rows]), np.array([int(row[1]) for row in rows])
        result = train(jax.random.key(number), MLPArchitecture(), tokens, labels, **XOR)
        np.testing.assert_array_equal(predict(result.network, every).argmax(1), xor_rule(every))


@pytest.mark.slow
def test_ctcf_binding_is_learned_from_part_of_the_table(data):
    def table(name, count):
        with gzip.open(data / f"ctcf/{name}.tsv.gz", "rt") as file:
            rows = list(itertools.islice(csv.DictReader(file, delimiter="\t"), count))
        return DNA.encode([row["seq"] for row in rows]), np.array([int(row["label"]) for row in rows])

    result = train(
        jax.random.key(0), ConvArchitecture(), *table("train", 12_000), epochs=3, batch_size=32, progress=False
    )
    tokens, labels = table("valid", 1000)
    area = auroc(labels, predict(result.network, tokens)[:, 1])
    assert area - 5 * np.sqrt(area * (1 - area) / 500) > 0.75  # half-way from chance
