"""The numbers of many anchors as columns for data frames, and as arrays for other programs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis._run_parts import checked_run, rung_of
from jaxmaxent.ensembles import with_letters
from jaxmaxent.results import Run, RunStore
from jaxmaxent.results._information import consensus, information_bits, information_errors


def position_table(run: Run | RunStore, *, rung: int | None = None) -> dict[str, np.ndarray]:
    """Return the numbers of every position of every anchor as columns, for a data frame.

    The columns are anchor (its name), position (from 0), letter (that of the anchor), information and
    information_error (in bits), and for each letter of the alphabet its frequency and standard error, such as
    frequency_A and frequency_error_A; converged says whether the run of the anchor did.

        pandas.DataFrame(analysis.position_table(run))

    Args:
        run: the result of `sample`, or a store of runs, which is read some anchors at a time.
        rung: index of the rung; None means the target.

    Returns:
        the columns by their names, each of shape [anchors × length], in the order of anchors, then of positions.

    Raises:
        ValueError: if the run has no such rung.
    """
    if isinstance(run, RunStore):
        return _joined(position_table(part, rung=rung) for _, part in run.blocks())
    checked_run(run, "frequencies")
    rung = rung_of(run, rung)
    frequencies, errors = run.frequencies[:, rung], run.frequency_errors[:, rung]
    anchors, length = run.anchors.shape
    columns = {
        "anchor": np.repeat(np.array(run.names, object), length),
        "position": np.tile(np.arange(length), anchors),
        "letter": np.array(list(run.letters), object)[run.anchors].ravel(),
        "information": information_bits(frequencies).ravel(),
        "information_error": information_errors(frequencies, errors).ravel(),
    }
    for k, letter in enumerate(run.letters):
        columns[f"frequency_{letter}"] = frequencies[..., k].ravel()
        columns[f"frequency_error_{letter}"] = errors[..., k].ravel()
    return columns | {"converged": np.repeat(run.converged, length)}


def anchor_table(run: Run | RunStore, *, rung: int | None = None) -> dict[str, np.ndarray]:
    """Return the numbers of every anchor as columns, for a data frame.

    The columns are anchor (its name), sequence, consensus, beta, converged, steps, information and its error (bits of
    all positions together, `run.total_information`), energy and its error, log_z and its error, max_rhat, min_ess,
    mobility and its error, and outcome, a sentence.

        pandas.DataFrame(analysis.anchor_table(run)).sort_values("information")

    Args:
        run: the result of `sample`, or a store of runs, which is read some anchors at a time.
        rung: index of the rung; None means the target.

    Returns:
        the columns by their names, each of shape [anchors].

    Raises:
        ValueError: if the run has no such rung.
    """
    if isinstance(run, RunStore):
        return _joined(anchor_table(part, rung=rung) for _, part in run.blocks())
    checked_run(run, "frequencies")
    rung, alphabet = rung_of(run, rung), with_letters(run.letters)
    agreed = [consensus(table, run.letters, any_letter=alphabet.any_letter) for table in run.frequencies[:, rung]]
    at_rung = {
        "information": run.total_information,
        "information_error": run.total_information_error,
        "energy": run.energy,
        "energy_error": run.energy_error,
        "log_z": run.log_z,
        "log_z_error": run.log_z_error,
        "max_rhat": run.max_rhat,
        "min_ess": run.min_ess,
    }
    return {
        "anchor": np.array(run.names, object),
        "sequence": np.array(alphabet.decode(run.anchors), object),
        "consensus": np.array(agreed, object),
        "beta": run.beta[:, rung],
        "converged": run.converged,
        "steps": run.steps,
        **{name: values[:, rung] for name, values in at_rung.items()},
        "mobility": run.mobility,
        "mobility_error": run.mobility_error,
        "outcome": np.array(run.outcomes, object),
    }


def letter_scores(run: Run | RunStore, *, rung: int | None = None) -> Float[np.ndarray, "anchors letters length"]:
    """Return a score for every letter at every position, as programs that find motifs in such scores take them.

    The score is the information of the position, in bits, times the frequency of the letter less 1 / letters. It is
    positive for letters that are commoner among the draws than others, and negative for those that are rarer; at each
    position scores sum to 0. Such programs call scores of letters that the anchor does not have hypothetical.

        np.savez("scores.npz", analysis.letter_scores(run))

    Args:
        run: the result of `sample`, or a store of runs, which is read some anchors at a time.
        rung: index of the rung; None means the target.

    Returns:
        the scores in bits, letters in the order of `run.letters`.

    Raises:
        ValueError: if the run has no such rung.
    """
    if isinstance(run, RunStore):
        return np.concatenate([letter_scores(part, rung=rung) for _, part in run.blocks()])
    checked_run(run, "frequencies")
    frequencies = run.frequencies[:, rung_of(run, rung)]
    scores = information_bits(frequencies)[..., None] * (frequencies - 1 / frequencies.shape[-1])
    return scores.swapaxes(1, 2)


def _joined(parts: Iterator[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return columns that come part by part, each in one piece; copied, so that no array of a part stays in memory."""
    copies = [{name: column.copy() for name, column in part.items()} for part in parts]
    return {name: np.concatenate([part[name] for part in copies]) for name in copies[0]}
