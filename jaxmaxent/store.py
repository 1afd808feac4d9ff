"""Runs: what one call of `sample` gives back, in memory and on disk.

On disk a run is one `.npz` archive: its arrays under their names, everything else as JSON text in the entry
`about`. No pickle is written or read.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxmaxent.files import new_file

FORMAT = "jaxmaxent-run"
FORMAT_VERSION = 1
# What NumPy, zipfile and zlib raise for bytes that are not what they should be.
_DAMAGED = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError, RuntimeError)


@dataclasses.dataclass(frozen=True)
class Run:
    """The result of sampling. A rung is a β sampled beside others for the same anchor; there is one.

    Standard errors come from the spread between chains, and with few chains are themselves uncertain. They are NaN
    with one chain, and where no chain of the anchor ever moved.

    Attributes:
        names: what the anchors are called.
        letters: the alphabet in the order of the letter axes.
        field_names: what the fields are called.
        anchors: tokens of the anchors, shape [anchors, length].
        beta: β, shape [anchors, rungs].
        mu: μ of every field, shape [anchors, fields].
        frequencies: how often each letter stands at each position, shape [anchors, rungs, length, letters].
        frequency_errors: their standard errors, the same shape.
        energy: mean energy ⟨E⟩, shape [anchors, rungs].
        energy_error: its standard error, the same shape.
        field_mean: mean of every field's count ⟨N_k⟩, shape [anchors, rungs, fields].
        field_error: its standard error, the same shape.
        field_variance: Var N_k over the draws, which is d⟨N_k⟩/dμ_k, the same shape.
        acceptance: share of the proposals accepted, shape [anchors, rungs].
        last: the chains' last tokens, shape [anchors, rungs, chains, length]; `sample(..., start=run)` goes on there.
        draws: stored draws, shape [anchors, rungs, draws, chains, length], or None if none were asked for.
        steps: proposals of each chain after burn-in.
        burn_in: proposals of each chain before that.
        thin: proposals between two states that are counted.
        seconds: time the blocks ran, without compiling.
        compile_seconds: time it took to compile (0 if the program was compiled before).
        device: what it ran on.
    """

    names: tuple[str, ...]
    letters: str
    field_names: tuple[str, ...]
    anchors: UInt8[np.ndarray, "anchors length"]
    beta: Float[np.ndarray, "anchors rungs"]
    mu: Float[np.ndarray, "anchors fields"]
    frequencies: Float[np.ndarray, "anchors rungs length letters"]
    frequency_errors: Float[np.ndarray, "anchors rungs length letters"]
    energy: Float[np.ndarray, "anchors rungs"]
    energy_error: Float[np.ndarray, "anchors rungs"]
    field_mean: Float[np.ndarray, "anchors rungs fields"]
    field_error: Float[np.ndarray, "anchors rungs fields"]
    field_variance: Float[np.ndarray, "anchors rungs fields"]
    acceptance: Float[np.ndarray, "anchors rungs"]
    last: UInt8[np.ndarray, "anchors rungs chains length"]
    draws: Int[np.ndarray, "anchors rungs draws chains length"] | None
    steps: int
    burn_in: int
    thin: int
    seconds: float
    compile_seconds: float
    device: str

    @property
    def chains(self) -> int:
        """Chains of each anchor."""
        return self.last.shape[2]

    @property
    def proposals_per_second(self) -> float:
        """Proposals of all chains and anchors in a second of running, without compiling."""
        proposals = self.last[..., 0].size * (self.steps + self.burn_in)
        return proposals / self.seconds if self.seconds > 0 else float("nan")

    def take(self, indices: Int[np.ndarray, " chosen"]) -> Run:
        """The run of some of the anchors, by their indices, in that order."""
        arrays = {name: array[indices] for name, array in self._arrays().items()}
        return dataclasses.replace(self, names=tuple(self.names[i] for i in indices), **arrays)

    def _arrays(self) -> dict[str, np.ndarray]:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}

    def save(self, path: str | os.PathLike, *, force: bool = False) -> None:
        """Write the run to one `.npz` file, whole or not at all.

        Raises:
            ValueError: if the file exists and `force` is False, or cannot be written.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"path must end in .npz, got {path}")
        arrays: dict[str, Any] = self._arrays()
        about = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in arrays}
        about |= {"format": FORMAT, "format_version": FORMAT_VERSION}
        with new_file(path, force=force) as scratch:
            np.savez_compressed(scratch, about=np.array(json.dumps(about)), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Run:
        """Read a run that `save` wrote.

        Raises:
            ValueError: if the file is missing, damaged, of another kind or of a newer format.
        """
        entries = _read_archive(Path(path))
        about = _read_about(Path(path), entries.pop("about", None))
        expected = {f.name for f in dataclasses.fields(cls)}
        missing = sorted(expected - set(about) - set(entries))
        if missing:
            raise ValueError(f"{path} is no complete run: {missing[0]} is missing")
        found: dict[str, Any] = {k: v for k, v in (about | entries).items() if k in expected}
        found |= {k: tuple(v) for k, v in found.items() if isinstance(v, list)}
        return cls(**found)


def join(runs: Sequence[Run]) -> Run:
    """The runs of different anchors, sampled in the same way, as one."""
    arrays = {name: np.concatenate([getattr(run, name) for run in runs]) for name in runs[0]._arrays()}
    return dataclasses.replace(
        runs[0],
        names=tuple(name for run in runs for name in run.names),
        seconds=sum(run.seconds for run in runs),
        compile_seconds=sum(run.compile_seconds for run in runs),
        **arrays,
    )


def _read_archive(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path} is not there, expected a run saved as .npz")
    try:
        # Opened here, as NumPy leaves the file open where the archive is damaged.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except _DAMAGED as error:
        raise ValueError(f"{path} is damaged or no run, expected an .npz archive that `Run.save` wrote") from error


def _read_about(path: Path, entry: Any) -> dict[str, Any]:
    try:
        about = json.loads(str(entry))
        kind, version = about["format"], about["format_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path} holds no run, expected an archive that `Run.save` wrote") from error
    if kind != FORMAT or not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format {kind!r} version {version!r}, expected {FORMAT!r} up to version {FORMAT_VERSION}"
        )
    return about
