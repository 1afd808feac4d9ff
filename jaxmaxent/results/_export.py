"""Runs for other programs: datasets of xarray, NetCDF and Zarr stores, and what ArviZ reads.

A run comes here as words (everything that is no array, by name) and arrays by name, so that it can lie above. xarray,
h5netcdf and zarr come with the extra `xarray`, ArviZ with the extra `arviz`, imported when they are asked for.
"""

from __future__ import annotations

import importlib
import json
import warnings
import zlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jaxmaxent import checks, memory
from jaxmaxent.files import new_file, new_folder

if TYPE_CHECKING:
    import xarray

Words = Mapping[str, Any]
Arrays = Mapping[str, np.ndarray]


class Variable(NamedTuple):
    """What an array of a run is: the names of its axes, in words, and in which unit (E: that of an energy)."""

    dims: str
    long_name: str
    units: str = "1"


VARIABLES = {
    "anchors": Variable("anchor position", "tokens of the anchor", "token"),
    "beta": Variable("anchor rung", "β", "1/E"),
    "mu": Variable("anchor field", "μ"),
    "converged": Variable("anchor", "whether everything wanted was reached, at every rung"),
    "frequencies": Variable("anchor rung position letter", "frequency of the letter"),
    "frequency_errors": Variable("anchor rung position letter", "standard error of the frequency"),
    "frequency_rhat": Variable("anchor rung position letter", "R-hat of the frequency"),
    "frequency_ess": Variable("anchor rung position letter", "effective sample size of the frequency"),
    "energy": Variable("anchor rung", "mean energy", "E"),
    "energy_error": Variable("anchor rung", "standard error of the mean energy", "E"),
    "energy_rhat": Variable("anchor rung", "R-hat of the energy"),
    "energy_ess": Variable("anchor rung", "bulk effective sample size of the energy"),
    "energy_tail_ess": Variable("anchor rung", "tail effective sample size of the energy"),
    "field_mean": Variable("anchor rung field", "mean count of the field"),
    "field_error": Variable("anchor rung field", "standard error of the mean count"),
    "field_variance": Variable("anchor rung field", "variance of the count"),
    "field_rhat": Variable("anchor rung field", "R-hat of the count"),
    "field_ess": Variable("anchor rung field", "bulk effective sample size of the count"),
    "acceptance": Variable("anchor rung", "share of the proposals that changed a sequence"),
    "swap_acceptance": Variable("anchor pair", "mean acceptance probability of exchanges between rungs k and k + 1"),
    "arrivals": Variable("anchor", "sequences that came from the first rung to the last", "sequences"),
    "round_trips": Variable("anchor", "sequences that came back to the first rung", "sequences"),
    "log_z": Variable("anchor rung", "log Z"),
    "log_z_error": Variable("anchor rung", "standard error of log Z"),
    "energies": Variable("anchor rung chain state", "energy of single states, evenly spaced", "E"),
    "counts": Variable("anchor rung chain state field", "count of single states, those of energies"),
    "anchor_start_energy": Variable("anchor rung", "mean energy of the chains started at the anchor", "E"),
    "anchor_start_error": Variable("anchor rung", "standard error of the mean energy of these chains", "E"),
    "drift": Variable("anchor", "largest change of an energy when caches were recomputed", "E"),
    "energy_noise": Variable("anchor", "β times the noise of the energy between batches and from 16-bit outputs"),
    "last": Variable("anchor place chain position", "tokens of the last sequence", "token"),
    "draws": Variable("anchor rung draw chain position", "tokens of the stored draws", "token"),
    "steps": Variable("anchor", "proposals of each replica after the warm-up", "proposals"),
}
# What reads and writes the stores of a suffix, and the packages it needs.
ENGINES = {".nc": ("h5netcdf", "h5py"), ".zarr": ("zarr",)}
# Strings have no place in the specification of Zarr's format 3 yet.
_ZARR_FORMAT = 2
# Ends a NetCDF file, before the checksum of all that precedes: readers of HDF5 do not look there, but a byte changed
# elsewhere can keep them busy for ever, so it has to be found first.
_SEAL, _CHECKSUM, _CHUNK = b"jaxmaxent", 4, 2**20


def to_xarray(words: Words, arrays: Arrays) -> xarray.Dataset:
    """A dataset of the arrays, which it shares, with coordinates; see `Run.to_xarray`."""
    (xr,) = _need("to_xarray", "xarray", "xarray")
    variables = {
        name: (what.dims.split(), arrays[name], {"long_name": what.long_name, "units": what.units})
        for name, what in VARIABLES.items()
        if name in arrays
    }
    coords = {
        "anchor": _texts(words["names"]),
        "position": np.arange(arrays["anchors"].shape[1]),
        "letter": _texts(words["letters"]),
        "field": _texts(words["field_names"]),
        "beta": variables.pop("beta"),
    }
    outcomes = ("anchor", _texts(words["outcomes"]), {"long_name": "what was reached, or what is missing and where"})
    attrs = {name: value for name, value in words.items() if isinstance(value, str | int | float)}
    return xr.Dataset(variables | {"outcomes": outcomes}, coords, attrs | _library())


def to_arviz(words: Words, arrays: Arrays, anchor: int, rung: int) -> Any:
    """The chains of one anchor at one rung for ArviZ; see `Run.to_arviz`."""
    xr, arviz = _need("to_arviz", "arviz", "xarray", "arviz")
    anchors, rungs = arrays["beta"].shape
    here = _index("anchor", anchor, anchors), _index("rung", rung, rungs)
    about = _library() | {"anchor": words["names"][anchor], "beta": float(arrays["beta"][here])}

    def group(**variables: tuple[str, np.ndarray, dict[str, str]]) -> xarray.Dataset:
        found = xr.Dataset({name: (dims.split(), *rest) for name, (dims, *rest) in variables.items()}, attrs=about)
        return found.assign_coords({str(dim): np.arange(size) for dim, size in found.sizes.items()})

    traced = ~np.isnan(arrays["energies"][here]).all(0)  # the shorter of two joined runs ends in NaN
    traces = {"energy": ("chain draw", arrays["energies"][here][:, traced], {"long_name": "energy", "units": "E"})}
    for index, name in enumerate(words["field_names"]):
        count = arrays["counts"][here][:, traced, index]
        traces[f"{name} count"] = ("chain draw", count, {"long_name": f"count of {name}", "units": "1"})
    original = arrays["anchors"][anchor]
    token = {"long_name": f"index of the letter in {words['letters']}", "units": "token"}
    # Groups of their own, as energies are traced at other states than those whose letters are stored.
    groups = {
        "posterior": group(**traces),
        "constant_data": group(anchor=("position", original, token)),
    }
    if "draws" in arrays:
        draws = arrays["draws"][here].swapaxes(0, 1)
        distance = (draws != original[None, None]).sum(-1)
        differing = {"long_name": "positions that differ from the anchor", "units": "1"}
        groups["draws"] = group(
            token=("chain draw position", draws, token), distance=("chain draw", distance, differing)
        )
    # From version 1 on ArviZ works on xarray's own trees.
    return arviz.InferenceData(**groups) if arviz.__version__.startswith("0.") else xr.DataTree.from_dict(groups)


def write(path: Path, words: Words, arrays: Arrays, *, force: bool) -> None:
    """Write a NetCDF file or a Zarr folder, by the suffix of `path`, whole or not at all.

    Zarr takes what is missing for zeros, so checksums are written as well, with the type and shape of every array, as
    empty ones do not come back as they were. The words stand in the attribute `about`, as JSON.

    Raises:
        ValueError: if there is something in that place and `force` is False, or it cannot be written.
        ImportError: if a package of the extra `xarray` is not installed.
    """
    engine = _engine(path)
    about = json.dumps(dict(words))
    marks = {"about": zlib.crc32(about.encode())} | {name: _mark(array) for name, array in arrays.items()}
    dataset = to_xarray(words, arrays).assign_attrs(about=about, checksums=json.dumps(marks))
    # Otherwise NaN would be declared to stand for what is missing.
    encoding: dict[str, Any] = {name: {"_FillValue": None} for name in arrays}
    if engine == "zarr":
        with new_folder(path, kind="zarr", force=force) as scratch:
            dataset.to_zarr(scratch, mode="w", encoding=encoding, consolidated=True, zarr_format=_ZARR_FORMAT)
    else:
        encoding = {name: how | {"zlib": bool(arrays[name].size)} for name, how in encoding.items()}
        with new_file(path, force=force, ours=_sealed) as scratch:
            dataset.to_netcdf(scratch, engine="h5netcdf", encoding=encoding)
            seal = _seal(scratch, scratch.stat().st_size)
            with open(scratch, "ab") as file:
                file.write(seal)


def read(path: Path) -> dict[str, Any]:
    """The arrays by their names, and the words as JSON under `about`; nothing for a store that `write` did not write.

    Raises:
        ValueError: if the store is missing or damaged.
        ImportError: if a package of the extra `xarray` is not installed.
    """
    engine = _engine(path)
    (xr,) = _need("load", "xarray", "xarray")
    if not path.exists():
        raise ValueError(f"{path} is not there, expected a run saved as {path.suffix}")
    if engine != "zarr" and not _sealed(path):
        raise ValueError(f"{path} is damaged or no run, expected what `Run.save` wrote")
    options = {"consolidated": True} if engine == "zarr" else {}
    try:
        with xr.open_dataset(path, engine=engine, mask_and_scale=False, decode_times=False, **options) as stored:
            check_fits(path, stored.nbytes)
            dataset = stored.load()
    except TooLarge:
        raise
    except Exception as error:  # of any type, as damaged files are read
        raise ValueError(f"{path} is damaged or no run, expected what `Run.save` wrote") from error
    if not {"about", "checksums"} <= set(dataset.attrs):
        return {}
    try:
        return _restored(dataset)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or was changed: {error}") from error


class TooLarge(ValueError):
    """A file would fill the memory."""


def check_fits(path: Path, announced: int) -> None:
    """Raise `TooLarge` if the arrays that a file announces do not fit into memory; compressed they can be small."""
    free = memory.free_bytes()
    if free is not None and announced > free:
        raise TooLarge(
            f"{path} is damaged or too large: it announces {announced / 2**30:,.1f} GiB of arrays, and "
            f"{free / 2**30:,.1f} GiB of memory are free"
        )


def _mark(array: np.ndarray) -> list[Any]:
    """Type, shape and checksum of an array."""
    return [array.dtype.str, list(array.shape), zlib.crc32(np.ascontiguousarray(array).data)]


def _restored(dataset: xarray.Dataset) -> dict[str, Any]:
    """What `write` was given, in the form that `read` returns."""
    marks, found = json.loads(dataset.attrs["checksums"]), {"about": dataset.attrs["about"]}
    if zlib.crc32(found["about"].encode()) != marks.pop("about"):
        raise ValueError("its attribute 'about' does not have its checksum")
    for name, mark in marks.items():
        kind, shape, _ = mark
        found[name] = dataset[name].values if all(shape) else np.empty(shape, kind)
        if _mark(found[name]) != mark:
            raise ValueError(f"its array {name!r} does not have its checksum")
    return found


def _sealed(path: Path) -> bool:
    size = path.stat().st_size - len(_SEAL) - _CHECKSUM
    if not path.is_file() or size < 0:
        return False
    with open(path, "rb") as file:
        file.seek(size)
        return file.read() == _seal(path, size)


def _seal(path: Path, size: int) -> bytes:
    """What stands behind the first `size` bytes of a file."""
    checksum = 0
    with open(path, "rb") as file:
        while chunk := file.read(min(_CHUNK, size - file.tell())):
            checksum = zlib.crc32(chunk, checksum)
    return _SEAL + checksum.to_bytes(_CHECKSUM, "big")


def _engine(path: Path) -> str:
    engine, *others = ENGINES[path.suffix]
    _need(f"a run in {path.suffix}", "xarray", engine, *others)
    return engine


def _need(what: str, extra: str, *packages: str) -> list[Any]:
    """The packages, imported, with an error that names the extra they come with."""
    found = []
    for package in packages:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # ArviZ announces its next version
                found.append(importlib.import_module(package))
        except ImportError as error:
            raise ImportError(f'{what} needs {package}: pip install "jaxmaxent[{extra}]" ({error})') from error
    return found


def _library() -> dict[str, str]:
    """What made a dataset, as ArviZ's schema calls it."""
    return {"inference_library": "jaxmaxent", "inference_library_version": metadata.version("jaxmaxent")}


def _texts(texts: Any) -> np.ndarray:
    return np.array(list(texts), str)


def _index(name: str, value: Any, size: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not -size <= value < size:
        raise ValueError(f"{name} must be a whole number from {-size} to {size - 1}, got {checks.shown(value)}")
    return int(value)
