"""`jaxmaxent compare`: the profiles of a run beside the scores of attribution methods for the same sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.attribution import every_view
from jaxmaxent.commands._common import Missed, file_name, run_parts, say, unit_of, versions, write_json
from jaxmaxent.commands._compare_options import CompareOptions
from jaxmaxent.commands._network import Found
from jaxmaxent.console import printable
from jaxmaxent.files import new_folder
from jaxmaxent.results import Run
from jaxmaxent.results._information import information_bits, information_errors

TABLE, SUMMARY = "positions.tsv", "compare.json"
_COLUMNS = ("anchor", "position", "letter", "information", "information_error")
_DIGITS = 6


def run(options: CompareOptions) -> dict[str, dict[str, float]]:
    """Score every sequence by every method, write the output folder, and return the mean correlations.

    The correlation of a method is that of the ranks of its absolute scores with those of the information at each
    position. It is high where both find the same positions, and says nothing about which of them is right.
    """
    checks.integer("pictures", options.pictures, at_least=0)
    network, missed = Found.at(options), Missed()
    unit = unit_of(Path(options.run)) if options.unit is None else options.unit
    rows: list[dict[str, Any]] = []
    with new_folder(options.out, kind="compare", force=options.force) as folder:
        with (folder / TABLE).open("w", encoding="utf-8") as table:
            for part in run_parts(options.run, "profile"):
                made = network.representation(_checked_length(part, network))
                scores = every_view(made, part.anchors.astype(np.int32), unit=unit, alphabet=network.alphabet)
                if not rows:
                    table.write(
                        "\t".join(["anchor", "position", "letter", "information", "information_error", *scores]) + "\n"
                    )
                for a in range(len(part.names)):
                    mine = {name: np.asarray(values[a], float) for name, values in scores.items()}
                    table.writelines(_lines(part, a, mine))
                    rows.append({"name": part.names[a], "correlations": _correlations(part, a, mine)})
                    if len(rows) <= options.pictures:
                        with missed.drawing(f"the methods for {part.names[a]}"):
                            _draw(part, a, mine, folder / "pictures", len(rows) - 1)
        found = _means(rows)
        write_json(
            folder / SUMMARY, {"unit": unit, "mean_correlations": found, "anchors": rows, "versions": versions()}
        )
    for sentence in missed.told():
        say(sentence)
    for name, numbers in found.items():
        ends = f"from {numbers['smallest']:.2f} to {numbers['largest']:.2f}"
        say(f"{name}: rank correlation with the information of {numbers['mean']:.2f}, {ends}")
    return found


def _checked_length(part: Run, network: Found) -> int:
    length = part.anchors.shape[1]
    if part.letters != network.alphabet.letters:
        raise ValueError(
            f"run must have the letters of the network, {network.alphabet.letters!r}, got {part.letters!r}"
        )
    if network.length not in (None, length):
        raise ValueError(f"run must have sequences of length {network.length}, as the network takes, got {length}")
    return length


def _information(part: Run, a: int) -> tuple[Float[np.ndarray, " length"], Float[np.ndarray, " length"]]:
    frequencies, errors = part.frequencies[a, -1], part.frequency_errors[a, -1]
    return information_bits(frequencies), information_errors(frequencies, errors)


def _lines(part: Run, a: int, scores: dict[str, np.ndarray]) -> list[str]:
    columns = [*_information(part, a), *scores.values()]
    name, letters = printable(part.names[a]).replace("\t", " "), [part.letters[token] for token in part.anchors[a]]
    return [
        "\t".join([name, str(position), letter, *(f"{column[position]:.{_DIGITS}g}" for column in columns)]) + "\n"
        for position, letter in enumerate(letters)
    ]


def _correlations(part: Run, a: int, scores: dict[str, np.ndarray]) -> dict[str, float]:
    bits = _ranks(_information(part, a)[0])
    return {name: _correlation(bits, _ranks(np.abs(values))) for name, values in scores.items()}


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks of values, equal ones with the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation, NaN if one does not vary."""
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 0 else float("nan")


def _means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    found = {}
    for name in rows[0]["correlations"]:
        values = np.array([row["correlations"][name] for row in rows])
        known = values[np.isfinite(values)]
        unknown = dict.fromkeys(("mean", "smallest", "largest"), float("nan"))
        numbers = {"mean": known.mean(), "smallest": known.min(), "largest": known.max()} if known.size else unknown
        found[name] = {key: float(value) for key, value in numbers.items()}
    return found


def _draw(part: Run, a: int, scores: dict[str, np.ndarray], folder: Path, number: int) -> None:
    from jaxmaxent import plot

    sequence = "".join(part.letters[token] for token in part.anchors[a])
    figure = plot.views(
        part.frequencies[a, -1], scores, sequence, letters=part.letters, standard_error=part.frequency_errors[a, -1],
        title=f"MaxEnt at β = {part.beta[a, -1]:.4g}",
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / f"{file_name(part.names[a], number)}.png").write_bytes(plot.png(figure))
