"""Runs for other programs: datasets of xarray, NetCDF and Zarr stores, and groups for ArviZ.

A run comes here as words (everything that is no array, by name) and arrays by name, so this module does not import it.
xarray, h5netcdf and zarr come with the extra `xarray`, ArviZ with the extra `arviz`. They are imported on demand.
"""

from __future__ import annotations

import importlib
import json
import warnings
import zlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.files import named, new_file, new_folder
from jaxmaxent.results._format import TooLarge, check_fits
from jaxmaxent.results._schema import SCHEMA, VARIABLES, axes

if TYPE_CHECKING:
    import xarray

Words = Mapping[str, Any]
Arrays = Mapping[str, np.ndarray]


# The engine of xarray for the files of a suffix, and other packages that the engine needs.
ENGINES = {".nc": ("h5netcdf", "h5py"), ".zarr": ("zarr",)}
STORE = "jaxmaxent-store"  # the format of a folder of runs that are written anchor by anchor
# The specification of Zarr's format 3 has no strings yet.
_ZARR_FORMAT = 2
# A NetCDF file ends with this word and the checksum of all bytes before. Readers of HDF5 do not look there. A changed
# byte elsewhere can keep them busy forever, so the checksum is compared before they start.
_SEAL, _CHECKSUM, _CHUNK = b"jaxmaxent", 4, 2**20


def checked_path(path: Any) -> Path:
    """Return the path of a saved run; ValueError if its suffix is none of those that a run is saved under."""
    path = Path(named(path))
    if path.suffix not in (".npz", *ENGINES):
        raise ValueError(f"path must end in .npz, .nc or .zarr, got {str(path)!r}")
    return path


def is_store(path: Path) -> bool:
    """Return True for a Zarr folder that holds runs anchor by anchor."""
    try:
        attributes = json.loads((path / ".zattrs").read_text(encoding="utf-8"))
        return json.loads(attributes["about"])["format"] == STORE
    except (OSError, ValueError, KeyError, TypeError):
        return False


def to_xarray(words: Words, arrays: Arrays) -> xarray.Dataset:
    """Return a dataset that shares the arrays, with coordinates; see `Run.to_xarray`."""
    (xr,) = needed("to_xarray", "xarray", "xarray")
    variables = {
        name: (axes(name), arrays[name], {"long_name": what.meaning, "units": what.unit})
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
    outcomes = ("anchor", _texts(words["outcomes"]), {"long_name": SCHEMA["outcomes"].meaning})
    attrs = {name: value for name, value in words.items() if isinstance(value, str | int | float)}
    return xr.Dataset(variables | {"outcomes": outcomes}, coords, attrs | _library())


def to_arviz(words: Words, arrays: Arrays, *, anchor: int, rung: int | None) -> Any:
    """Return the chains of one anchor at one rung for ArviZ; see `Run.to_arviz`."""
    xr, arviz = needed("to_arviz", "arviz", "xarray", "arviz")
    anchors, rungs = arrays["beta"].shape
    here = _index("anchor", anchor, anchors), rungs - 1 if rung is None else _index("rung", rung, rungs)
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
    # Two groups, because energies are traced at other steps than letters are stored.
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

    Zarr reads a missing chunk as zeros, so checksums are written as well. The type and shape of every array are written
    because an empty array does not come back with its own. The words stand in the attribute `about`, as JSON.

    Raises:
        ValueError: if there is something in that place and `force` is False, or it cannot be written.
        ImportError: if a package of the extra `xarray` is not installed.
    """
    engine = _engine(path)
    about = json.dumps(dict(words))
    marks = {"about": zlib.crc32(about.encode())} | {name: _mark(array) for name, array in arrays.items()}
    dataset = to_xarray(words, arrays).assign_attrs(about=about, checksums=json.dumps(marks))
    # Otherwise NaN would be declared to mean a missing value.
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
    """Return the arrays by their names, and the words as JSON under `about`.

    The answer is empty for a store that `write` did not write.

    Raises:
        ValueError: if the store is missing or damaged.
        ImportError: if a package of the extra `xarray` is not installed.
    """
    engine = _engine(path)
    (xr,) = needed("load", "xarray", "xarray")
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
    except Exception as error:  # damaged files raise errors of any type
        raise ValueError(f"{path} is damaged or no run, expected what `Run.save` wrote") from error
    if not {"about", "checksums"} <= set(dataset.attrs):
        return {}
    try:
        return _restored(dataset)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or was changed: {error}") from error


def _mark(array: np.ndarray) -> list[Any]:
    """Return type, shape and checksum of an array."""
    return [array.dtype.str, list(array.shape), zlib.crc32(np.ascontiguousarray(array).data)]


def _restored(dataset: xarray.Dataset) -> dict[str, Any]:
    """Return the arrays and words given to `write`, in the form that `read` returns."""
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
    """Return the seal that belongs behind the first `size` bytes of a file."""
    checksum = 0
    with open(path, "rb") as file:
        while chunk := file.read(min(_CHUNK, size - file.tell())):
            checksum = zlib.crc32(chunk, checksum)
    return _SEAL + checksum.to_bytes(_CHECKSUM, "big")


def _engine(path: Path) -> str:
    engine, *others = ENGINES[path.suffix]
    needed(f"a run in {path.suffix}", "xarray", engine, *others)
    return engine


def needed(what: str, extra: str, *packages: str, instead: str = "") -> list[Any]:
    """Import packages and return them, or raise an error that names their extra, and what can be done instead."""
    found = []
    for package in packages:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # ArviZ announces its next version
                found.append(importlib.import_module(package))
        except ImportError as error:
            told = f'{what} needs {package}: pip install "jaxmaxent[{extra}]"{", or " * bool(instead)}{instead}'
            raise ImportError(f"{told} ({error})") from error
    return found


def _library() -> dict[str, str]:
    """Return name and version of this library under the names of ArviZ's schema."""
    return {"inference_library": "jaxmaxent", "inference_library_version": metadata.version("jaxmaxent")}


def _texts(texts: Any) -> np.ndarray:
    return np.array(list(texts), str)


def _index(name: str, value: Any, size: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value < size:
        raise ValueError(f"{name} must be a whole number from 0 to {size - 1}, got {checks.shown(value)}")
    return int(value)
