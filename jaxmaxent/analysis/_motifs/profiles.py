"""The profiles in which `find_motifs` looks: checked, and read some anchors at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.analysis._run_parts import rung_of
from jaxmaxent.ensembles import DNA, Alphabet, with_letters
from jaxmaxent.results import Run, RunStore
from jaxmaxent.results._in_parts import RunParts


class ProfilesPart(NamedTuple):
    """The profiles of some anchors.

    Attributes:
        first: index of the first of these anchors.
        frequencies: letter frequencies, whose rows sum to 1.
        errors: their standard errors; NaN where not known.
    """

    first: int
    frequencies: Float[np.ndarray, "anchors length letters"]
    errors: Float[np.ndarray, "anchors length letters"]


class Profiles:
    """The profiles of many anchors. Iteration yields those of some at a time, and can be repeated.

    Attributes:
        names: names of the anchors.
        alphabet: the letters.
        length: number of positions of each anchor.
        unsure: how many did not converge, as the end of a sentence.
    """

    def __init__(self, profiles: Any, errors: Any, names: Any, alphabet: Alphabet | None, rung: int | None) -> None:
        """Take the arguments of `find_motifs`; ValueError if names or the shape of an array do not fit."""
        self.unsure, self._rung = "", rung
        self._errors = None if errors is None else checks.number_array("errors", errors)
        if isinstance(profiles, Run | RunStore):
            profiles = RunParts(profiles)
        self._profiles: RunParts | np.ndarray
        if isinstance(profiles, RunParts):
            self._profiles = profiles
            alphabet = with_letters(profiles.letters) if alphabet is None else alphabet
            missing = int(np.sum(~profiles.converged))
            self.unsure = f"; {missing} of {several(len(profiles), 'anchor')} did not converge" if missing else ""
            names = profiles.names if names is None else names
        else:
            self._profiles = checks.finite_array("profiles", profiles, at_least=0)
        self.alphabet = DNA if alphabet is None else alphabet
        if isinstance(self._profiles, np.ndarray):
            self._check_shape(self._profiles)
            self.length = self._profiles.shape[1]
        else:
            self.length = self._profiles.length
        count = len(self._profiles)
        self.names = tuple(map(str, range(count))) if names is None else tuple(checks.several("names", names, "names"))
        if len(self.names) != count:
            raise ValueError(f"names must have {count} entries, one per anchor, got {len(self.names)}")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[ProfilesPart]:
        """Yield the profiles of some anchors.

        Raises:
            ValueError: if frequencies are not finite or do not sum to 1, the shape of errors is not theirs, or a run
                has no such rung.
        """
        for first, frequencies, errors in self._read():
            sums = frequencies.sum(2)
            if np.abs(sums - 1).max() > 1e-3:
                worst = sums.flat[np.abs(sums - 1).argmax()]
                raise ValueError(f"profiles must sum to 1 over the letters, got {worst:g}")
            if self._errors is not None:
                whole = [len(self), *frequencies.shape[1:]]
                if list(self._errors.shape) != whole:
                    raise ValueError(f"errors must have the shape {whole} of profiles, got {list(self._errors.shape)}")
                errors = self._errors[first : first + len(frequencies)]
            if errors is None:
                errors = np.full(frequencies.shape, np.nan)
            yield ProfilesPart(first, frequencies / sums[..., None], checks.number_array("errors", errors))

    def _read(self) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
        if isinstance(self._profiles, np.ndarray):
            yield 0, self._profiles, None
            return
        for numbers, run in self._profiles:
            rung = rung_of(run, self._rung)
            frequencies = checks.finite_array("profiles", run.frequencies[:, rung], at_least=0)
            self._check_shape(frequencies)
            yield numbers.start, frequencies, run.frequency_errors[:, rung]

    def _check_shape(self, frequencies: np.ndarray) -> None:
        letters = self.alphabet
        if frequencies.ndim != 3 or frequencies.shape[2] != len(letters) or 0 in frequencies.shape:
            raise ValueError(
                f"profiles must be a run or frequencies of shape [anchors, length, letters] with the {len(letters)} "
                f"letters {letters.letters!r}, got {list(frequencies.shape)}"
            )


def several(number: int, what: str) -> str:
    """Return a number and a noun, which gets an s unless the number is 1."""
    return f"{number} {what}" + "s" * (number != 1)
