"""Runs: what one call of `sample` gives back, in memory and on disk.

On disk a run is one `.npz` archive: its arrays under their names, everything else as JSON text in the entry
`about`; or the same as a NetCDF file or a Zarr folder, see `export`. No pickle is written or read.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from jaxmaxent.files import named, new_file
from jaxmaxent.results import _export as export

if TYPE_CHECKING:
    import xarray

FORMAT = "jaxmaxent-run"
FORMAT_VERSION = 3


@dataclasses.dataclass(frozen=True)
class Run:
    """The result of sampling. A rung is one of the β's sampled together for an anchor; the last is the one wanted.

    Standard errors are those of Monte Carlo, from batch means and the spread between chains. At the last rung every
    chain has several replicas (`target_replicas`), which all count. What is stored of single states there, `energies`,
    `counts` and `draws`, is that of one of them, any one each time: so few states tell of all of them.

    Where a letter was never or always seen at a rung, its R-hat is NaN. Its effective sample size is then the number of
    sequences that came to the last rung from one below where it was at times another, or the smallest effective sample
    size there, whichever is smaller; 0 without a ladder. Held positions have no R-hat.

    Attributes:
        names: what the anchors are called.
        letters: the alphabet in the order of the letter axes.
        field_names: what the fields are called.
        anchors: tokens of the anchors, shape [anchors, length].
        beta: β, increasing, shape [anchors, rungs].
        mu: μ of every field, shape [anchors, fields].
        converged: whether everything wanted was reached, at every rung, shape [anchors].
        outcomes: a sentence for each anchor that says so, or what is missing and where.
        frequencies: how often each letter stands at each position, shape [anchors, rungs, length, letters].
        frequency_errors: their standard errors, the same shape.
        frequency_rhat: their rank-normalised split R-hat, the same shape.
        frequency_ess: their effective sample sizes, the same shape.
        energy: mean energy ⟨E⟩, shape [anchors, rungs].
        energy_error: its standard error, the same shape.
        energy_rhat: its R-hat, the same shape.
        energy_ess: its bulk effective sample size, the same shape.
        energy_tail_ess: its tail effective sample size, the same shape.
        field_mean: mean of every field's count ⟨N_k⟩, shape [anchors, rungs, fields].
        field_error: its standard error, the same shape.
        field_variance: Var N_k over the draws, which is d⟨N_k⟩/dμ_k, the same shape.
        field_rhat: R-hat of the counts, the same shape.
        field_ess: bulk effective sample size of the counts, the same shape.
        acceptance: share of the proposals that changed a sequence, shape [anchors, rungs]; NaN where β = 0 is drawn.
        swap_acceptance: mean acceptance probability of swaps between neighbouring rungs, shape [anchors, rungs − 1].
        arrivals: sequences that came from the first rung to the last, shape [anchors].
        round_trips: how many of them came back to the first, shape [anchors].
        log_z: log Z, exact at the first rung, shape [anchors, rungs]; NaN without a ladder.
        log_z_error: its standard error, the same shape.
        energies: energies of single states, evenly spaced, shape [anchors, rungs, chains, states].
        counts: counts N_k of the same states, shape [anchors, rungs, chains, states, fields].
        anchor_start_energy: mean energy of the chains started at the anchor, shape [anchors, rungs]; NaN without.
        anchor_start_error: its standard error, the same shape.
        drift: the largest change of an energy when caches were recomputed, shape [anchors].
        energy_noise: β times the noise of the energy between batches and from 16-bit outputs, shape [anchors].
        last: the last sequences, shape [anchors, places, chains, length]: one at every rung, at the last rung all
            replicas; `sample(..., start=run)` goes on there.
        draws: stored draws, shape [anchors, rungs, draws, chains, length], or None if none were asked for.
        steps: proposals of each replica after the warm-up, shape [anchors].
        burn_in: proposals of each replica before that.
        thin: proposals between two states that are counted.
        seconds: time the blocks ran, without compiling.
        compile_seconds: time it took to compile (0 if the program was compiled before).
        proposals_per_second: of all replicas together, while blocks ran.
        device: what it ran on.
        evaluation: how proposals were evaluated, "full" or "incremental".
    """

    names: tuple[str, ...]
    letters: str
    field_names: tuple[str, ...]
    anchors: UInt8[np.ndarray, "anchors length"]
    beta: Float[np.ndarray, "anchors rungs"]
    mu: Float[np.ndarray, "anchors fields"]
    converged: Bool[np.ndarray, " anchors"]
    outcomes: tuple[str, ...]
    frequencies: Float[np.ndarray, "anchors rungs length letters"]
    frequency_errors: Float[np.ndarray, "anchors rungs length letters"]
    frequency_rhat: Float[np.ndarray, "anchors rungs length letters"]
    frequency_ess: Float[np.ndarray, "anchors rungs length letters"]
    energy: Float[np.ndarray, "anchors rungs"]
    energy_error: Float[np.ndarray, "anchors rungs"]
    energy_rhat: Float[np.ndarray, "anchors rungs"]
    energy_ess: Float[np.ndarray, "anchors rungs"]
    energy_tail_ess: Float[np.ndarray, "anchors rungs"]
    field_mean: Float[np.ndarray, "anchors rungs fields"]
    field_error: Float[np.ndarray, "anchors rungs fields"]
    field_variance: Float[np.ndarray, "anchors rungs fields"]
    field_rhat: Float[np.ndarray, "anchors rungs fields"]
    field_ess: Float[np.ndarray, "anchors rungs fields"]
    acceptance: Float[np.ndarray, "anchors rungs"]
    swap_acceptance: Float[np.ndarray, "anchors pairs"]
    arrivals: Int[np.ndarray, " anchors"]
    round_trips: Int[np.ndarray, " anchors"]
    log_z: Float[np.ndarray, "anchors rungs"]
    log_z_error: Float[np.ndarray, "anchors rungs"]
    energies: Float[np.ndarray, "anchors rungs chains states"]
    counts: Float[np.ndarray, "anchors rungs chains states fields"]
    anchor_start_energy: Float[np.ndarray, "anchors rungs"]
    anchor_start_error: Float[np.ndarray, "anchors rungs"]
    drift: Float[np.ndarray, " anchors"]
    energy_noise: Float[np.ndarray, " anchors"]
    last: UInt8[np.ndarray, "anchors places chains length"]
    draws: UInt8[np.ndarray, "anchors rungs draws chains length"] | None
    steps: Int[np.ndarray, " anchors"]
    burn_in: int
    thin: int
    seconds: float
    compile_seconds: float
    proposals_per_second: float
    device: str
    evaluation: str

    @property
    def chains(self) -> int:
        """Chains of each anchor."""
        return self.last.shape[2]

    @property
    def target_replicas(self) -> int:
        """Replicas of each chain at the last rung."""
        return self.last.shape[1] - self.beta.shape[1] + 1

    @property
    def max_rhat(self) -> Float[np.ndarray, "anchors rungs"]:
        """Largest R-hat of all letters, the energy and all fields; NaN where there is none."""
        both = [*self._per_letter(self.frequency_rhat), self.energy_rhat[..., None], self.field_rhat]
        return np.fmax.reduce(np.concatenate(both, axis=-1), axis=-1)

    @property
    def min_ess(self) -> Float[np.ndarray, "anchors rungs"]:
        """Smallest effective sample size of all letters, the energy and all fields."""
        both = [*self._per_letter(self.frequency_ess), self.energy_ess[..., None], self.field_ess]
        return np.concatenate(both, axis=-1).min(-1)

    def _per_letter(self, values: np.ndarray) -> list[np.ndarray]:
        return [values.reshape(*values.shape[:2], -1)]

    def take(self, indices: Int[np.ndarray, " chosen"]) -> Run:
        """The run of some of the anchors, by their indices, in that order."""
        arrays = {name: array[indices] for name, array in self._arrays().items()}
        words = {name: tuple(getattr(self, name)[i] for i in indices) for name in ("names", "outcomes")}
        return dataclasses.replace(self, **words, **arrays)

    def _arrays(self) -> dict[str, np.ndarray]:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}

    def _words(self) -> dict[str, Any]:
        """Everything that is no array."""
        arrays = self._arrays()
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in arrays}

    def to_xarray(self) -> xarray.Dataset:
        """The run as a dataset of xarray, which shares the arrays with the run.

        Variables have the names of the attributes, and the dimensions anchor, rung, pair (of the rungs k and k + 1),
        position, letter, field, chain, place (of the last sequences), state (of the traced energies) and draw.
        Coordinates are the anchors' names,
        positions from 0, letters, fields and β, which is `beta`, shape [anchor, rung]. Numbers and words of the whole
        run are attributes.

        Raises:
            ImportError: if xarray is not installed.
        """
        return export.to_xarray(self._words(), self._arrays())

    def to_arviz(self, anchor: int = 0, rung: int = -1) -> Any:
        """The chains of one anchor, at its last (largest) β unless another rung is named, for ArviZ.

        The group `posterior` has the traced `energy` and the count of every field (`"GC count"`), shape [chain, draw]:
        what `arviz.summary`, `arviz.ess` or `arviz.plot_trace` look at. Where draws were stored, the group `draws` has
        `token`, shape [chain, draw, position], the index of each letter in `letters`, and `distance`, shape [chain,
        draw], the number of positions that differ from the anchor. Its draws are not those of `energy`: letters and
        energies are kept at different states. A token is the name of a letter, no number: ask for R-hat of `distance`
        or of `token == k`. The group `constant_data` has the anchor's tokens.

        Returns:
            a `DataTree` of xarray with ArviZ 1, an `InferenceData` with ArviZ 0.

        Raises:
            ValueError: if there is no such anchor or rung.
            ImportError: if xarray or ArviZ is not installed.
        """
        return export.to_arviz(self._words(), self._arrays(), anchor, rung)

    def save(self, path: str | os.PathLike, *, force: bool = False) -> None:
        """Write the run, whole or not at all: as one `.npz` or NetCDF (`.nc`) file or as a Zarr folder (`.zarr`).

        Raises:
            ValueError: if it exists and `force` is False or it is no saved run, cannot be written, or ends in something
                else.
            ImportError: if NetCDF or Zarr is asked for and a package of the extra `xarray` is not installed.
        """
        path = _checked_path(path)
        words, arrays = self._words() | {"format": FORMAT, "format_version": FORMAT_VERSION}, self._arrays()
        if path.suffix in export.ENGINES:
            export.write(path, words, arrays, force=force)
            return
        entries: dict[str, Any] = arrays | {"about": np.array(json.dumps(words))}
        with new_file(path, force=force, ours=_is_run) as scratch:
            np.savez_compressed(scratch, **entries)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Run:
        """Read a run that `save` wrote.

        Raises:
            ValueError: if the file is missing, damaged, of another kind or of another version of the format.
            ImportError: if it is NetCDF or Zarr and a package of the extra `xarray` is not installed.
        """
        path = _checked_path(path)
        entries = export.read(path) if path.suffix in export.ENGINES else _read_archive(path)
        about = _read_about(path, entries.pop("about", None))
        try:
            return cls(**_checked(about, entries))
        except _Wrong as error:
            raise ValueError(f"{path} is no complete run: {error}") from None


def join(runs: Sequence[Run]) -> Run:
    """The runs of different anchors, sampled in the same way, as one.

    They may be of different length: `energies` and `counts` of a shorter run end in NaN.

    Raises:
        ValueError: if they have not equally many stored draws, or replicas at the last rung.
    """
    if len({run.target_replicas for run in runs}) > 1:
        given = sorted({run.target_replicas for run in runs})
        raise ValueError(f"runs must have equally many replicas at the last rung to be joined, got {given}")
    if len({None if run.draws is None else run.draws.shape[2] for run in runs}) > 1:
        raise ValueError("runs must have equally many stored draws to be joined")
    seconds = sum(run.seconds for run in runs)
    arrays = {name: [getattr(run, name) for run in runs] for name in runs[0]._arrays()}
    for name in ("energies", "counts"):
        arrays[name] = _of_one_length(arrays[name])
    return dataclasses.replace(
        runs[0],
        names=tuple(name for run in runs for name in run.names),
        outcomes=tuple(outcome for run in runs for outcome in run.outcomes),
        proposals_per_second=sum(run.proposals_per_second * run.seconds for run in runs) / max(seconds, 1e-9),
        seconds=seconds,
        compile_seconds=sum(run.compile_seconds for run in runs),
        **{name: np.concatenate(parts) for name, parts in arrays.items()},
    )


def _of_one_length(traces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Traces [anchors, rungs, chains, states, …] of equally many states, filled up with NaN."""
    longest = max(trace.shape[3] for trace in traces)
    filling = [[(0, 0)] * 3 + [(0, longest - trace.shape[3])] + [(0, 0)] * (trace.ndim - 4) for trace in traces]
    return [np.pad(trace, pad, constant_values=np.nan) for trace, pad in zip(traces, filling, strict=True)]


def _is_run(path: Path) -> bool:
    """Whether a file is an `.npz` archive that `Run.save` wrote, in any version of the format."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return json.loads(str(archive["about"]))["format"] == FORMAT
    except Exception:  # of any type, as other files are read
        return False


def _checked_path(path: str | os.PathLike) -> Path:
    path = Path(named(path))
    if path.suffix not in (".npz", *export.ENGINES):
        raise ValueError(f"path must end in .npz, .nc or .zarr, got {path}")
    return path


def _read_archive(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path} is not there, expected a run saved as .npz")
    try:
        # Opened here, as NumPy leaves the file open where the archive is damaged.
        with open(path, "rb") as file:
            with zipfile.ZipFile(file) as archive:
                announced = sum(member.file_size for member in archive.infolist())
            export.check_fits(path, announced)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
    except export.TooLarge:
        raise
    except Exception as error:  # of any type, as damaged files are read
        raise ValueError(f"{path} is damaged or no run, expected an .npz archive that `Run.save` wrote") from error


class _Wrong(Exception):
    """What is wrong with an entry of a saved run."""


# What NumPy calls the types of arrays in the annotations of `Run`, and how words are told apart.
_KINDS = {"Float": "f", "Int": "iu", "Bool": "b", "UInt8": "u"}
_WORDS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "tuple[str, ...]": (list,)}


def _checked(words: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a run out of what was read, once all are known to fit together.

    Raises:
        _Wrong: naming the first that is missing, of another type or shape, or out of range.
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(Run):
        name, kind = field.name, str(field.type)
        if name in export.VARIABLES:
            if name in arrays:
                found[name] = _checked_array(name, arrays[name], _KINDS[kind.split("[")[0]])
            elif kind.endswith("| None") and name in words and words[name] is None:
                found[name] = None
        elif name in words:
            found[name] = _checked_word(name, words[name], kind)
        if name not in found:
            raise _Wrong(f"{name} is missing")
    _check_shapes(found)
    _check_values(found)
    return found


def _checked_array(name: str, array: Any, kinds: str) -> np.ndarray:
    tokens = export.VARIABLES[name].units == "token"
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds or (tokens and array.dtype != np.uint8):
        raise _Wrong(f"{name} is of type {getattr(array, 'dtype', type(array).__name__)}")
    return array


def _checked_word(name: str, value: Any, kind: str) -> Any:
    right = isinstance(value, _WORDS[kind]) and not isinstance(value, bool)
    if isinstance(value, list):
        right = right and all(isinstance(entry, str) for entry in value)
        return tuple(value) if right else _refuse_word(name, value)
    if isinstance(value, int | float):
        right = right and 0 <= value < math.inf
    return value if right else _refuse_word(name, value)


def _refuse_word(name: str, value: Any) -> None:
    text = repr(value)
    raise _Wrong(f"{name} is {text if len(text) < 80 else type(value).__name__}")


def _check_shapes(found: dict[str, Any]) -> None:
    """Every axis has one size in all arrays and words, and rungs, pairs and places go together."""
    sizes = {"letter": len(found["letters"]), "field": len(found["field_names"]), "anchor": len(found["names"])}
    if len(found["outcomes"]) != sizes["anchor"]:
        raise _Wrong(f"outcomes has {len(found['outcomes'])} entries, names {sizes['anchor']}")
    for name, variable in export.VARIABLES.items():
        if found[name] is None:
            continue
        axes, shape = variable.dims.split(), found[name].shape
        if len(axes) != len(shape) or any(sizes.setdefault(axis, n) != n for axis, n in zip(axes, shape, strict=True)):
            expected = " × ".join(f"{axis} {sizes[axis]}" if axis in sizes else axis for axis in axes)
            raise _Wrong(f"{name} has the shape {list(shape)}, expected {expected}")
    if min(sizes[axis] for axis in ("anchor", "rung", "position", "chain", "state")) < 1:
        raise _Wrong(f"it has an axis without entries: {sizes}")
    if sizes["pair"] != sizes["rung"] - 1 or sizes["place"] < sizes["rung"]:
        raise _Wrong(f"{sizes['rung']} rungs do not go with {sizes['pair']} pairs and {sizes['place']} places")


def _check_values(found: dict[str, Any]) -> None:
    """Tokens are letters, and β increases."""
    letters = found["letters"]
    if not 2 <= len(letters) == len(set(letters)):
        raise _Wrong(f"letters is {letters[:80]!r}")
    if found["thin"] < 1:
        raise _Wrong(f"thin is {found['thin']}")
    for name, variable in export.VARIABLES.items():
        tokens = found[name]
        if variable.units == "token" and tokens is not None and tokens.max(initial=0) >= len(letters):
            raise _Wrong(f"{name} holds the token {tokens.max()} of {len(letters)} letters")
    beta = found["beta"]
    if not (np.isfinite(beta).all() and (beta >= 0).all() and (np.diff(beta) >= 0).all()):
        raise _Wrong("beta does not increase from 0 or more")


def _read_about(path: Path, entry: Any) -> dict[str, Any]:
    try:
        about = json.loads(str(entry))
        kind, version = about.pop("format"), about.pop("format_version")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} holds no run, expected what `Run.save` wrote") from error
    # Runs of version 1 had one rung and no diagnostics, which cannot be made up for.
    if (kind, version) != (FORMAT, FORMAT_VERSION):
        raise ValueError(
            f"{path} has format {kind!r} version {version!r}, expected {FORMAT!r} version {FORMAT_VERSION}"
        )
    return about
