"""`jaxmaxent train`: train a network on a table of labeled sequences."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent.checks import random_key
from jaxmaxent.commands._common import Missed, are_labels, say, telling_what_is_left_out, versions, write_json
from jaxmaxent.commands._options import TrainOptions
from jaxmaxent.data import read_sequences
from jaxmaxent.files import new_folder
from jaxmaxent.models import (
    Architecture,
    ConvArchitecture,
    MLPArchitecture,
    Network,
    TrainResult,
    auprc,
    auroc,
    predict,
    train,
    write,
)
from jaxmaxent.models._saved import KIND

ARCHITECTURES = {"conv": ConvArchitecture, "mlp": MLPArchitecture}
# The small network for short inputs learns slowly, and does not need regularization or early stopping.
RECIPES: dict[str, dict[str, Any]] = {
    "conv": {},
    "mlp": {"epochs": 60, "learning_rate": 0.02, "weight_decay": 0.0, "patience": 60},
}


def run(options: TrainOptions) -> dict[str, Any]:
    """Train, write the network and metrics.json to the output folder, and return the metrics."""
    missed = Missed()
    with new_folder(options.out, kind=KIND, force=options.force) as folder:
        parts = _read(options)
        first = parts["train"]
        built = ARCHITECTURES[options.architecture](length=first.tokens.shape[1])
        for name, part in parts.items():
            if part.tokens.shape[1] != built.length:
                raise ValueError(
                    f"{name} has sequences of length {part.tokens.shape[1]}, expected {built.length} as in "
                    f"{options.table}"
                )
        settings: dict[str, Any] = RECIPES[options.architecture] | {"both_strands": options.both_strands}
        settings |= {} if options.epochs is None else {"epochs": options.epochs}
        settings |= {"validation": tuple(parts["valid"])} if "valid" in parts else {}
        key, progress, began = random_key(options.seed), not options.quiet, time.perf_counter()
        result = train(key, built, first.tokens, first.labels, progress=progress, **settings)
        seconds = time.perf_counter() - began
        metrics = _metrics(options, built, parts, result, seconds)
        write(result.network, folder)
        write_json(folder / "metrics.json", metrics)
        with missed.drawing("the course of the training"):
            _draw_history(result.history, folder)
    for sentence in missed.told():
        say(sentence)
    say(f"trained on {len(first.labels)} sequences in {seconds:.0f} s; {_told(metrics)}")
    return metrics


class _Labeled(NamedTuple):
    tokens: np.ndarray
    labels: np.ndarray


def _read(options: TrainOptions) -> dict[str, _Labeled]:
    """Return the labeled sequences of the given tables, as "train", "valid" and "test"."""
    reading = {
        "sequence_column": options.sequence_column,
        "label_column": options.label_column,
        "labels_in_header": are_labels(options.headers),
        "skip_invalid": options.skip_invalid,
    }
    paths = {"train": options.table, "valid": options.valid, "test": options.test}
    return {name: _labeled(path, **reading) for name, path in paths.items() if path is not None}


def _metrics(
    options: TrainOptions, built: Architecture, parts: dict[str, _Labeled], result: TrainResult, seconds: float
) -> dict[str, Any]:
    """Return the contents of metrics.json."""
    return {
        **_scores("test", result.network, parts.get("test")),
        **_scores("valid", result.network, parts.get("valid")),
        "train_seconds": seconds,
        "compile_seconds": result.compile_seconds,
        "epochs": len(result.history),
        "best_epoch": result.best_epoch + 1,
        "stopped_early": result.stopped_early,
        "sizes": {name: len(part.labels) for name, part in parts.items()},
        "positives": {name: int(part.labels.sum()) for name, part in parts.items()},
        "seed": options.seed,
        "both_strands": options.both_strands,
        "architecture": built.to_dict(),
        "history": [epoch._asdict() for epoch in result.history],
        "versions": versions(),
    }


def _labeled(path: str, **reading: Any) -> _Labeled:
    with telling_what_is_left_out():
        sequences = read_sequences(path, **reading)
    if sequences.labels is None:
        raise ValueError(
            f"{path} has no labels, expected a table with a column of 0 and 1 called label, or FASTA headers of 0 and 1"
        )
    if len(np.unique(sequences.labels)) < 2:
        raise ValueError(f"{path} has only the label {sequences.labels[0]}, expected sequences of both classes")
    return _Labeled(sequences.tokens, sequences.labels)


def _scores(name: str, network: Network, part: _Labeled | None) -> dict[str, float | None]:
    if part is None:
        return {f"{name}_auroc": None, f"{name}_auprc": None}
    scores = predict(network, part.tokens)[:, 1]
    return {f"{name}_auroc": auroc(part.labels, scores), f"{name}_auprc": auprc(part.labels, scores)}


def _told(metrics: dict[str, Any]) -> str:
    for name in ("test", "valid"):
        if metrics[f"{name}_auroc"] is not None:
            return f"{name} AUROC {metrics[f'{name}_auroc']:.4f}, AUPRC {metrics[f'{name}_auprc']:.4f}"
    best = metrics["history"][metrics["best_epoch"] - 1]
    return f"AUROC {best['validation_auroc']:.4f} on the part held out for validation (no test table given)"


def _draw_history(history: list[Any], folder: Path) -> None:
    from jaxmaxent import plot

    rows = [
        {"train_loss": epoch.loss, "validation_loss": epoch.validation_loss, "validation_auroc": epoch.validation_auroc}
        for epoch in history
    ]
    plot.save(plot.training_curve(rows), folder / "training.png")
