"""Functions that commands share: they read sequences for a network, note pictures that fail, and write JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis import MotifHit
from jaxmaxent.commands._network import Found, classes
from jaxmaxent.commands._options import AnchorOptions, Headers, StoppingOptions, values
from jaxmaxent.commands._regions import check_regions, read_regions
from jaxmaxent.commands._values import Unit
from jaxmaxent.console import say as say
from jaxmaxent.data import LeftOut, Sequences, read_sequences
from jaxmaxent.ensembles import Ensemble, Representation, composition
from jaxmaxent.files import read_manifest
from jaxmaxent.results import Run, RunStore, join
from jaxmaxent.results._export import is_store
from jaxmaxent.results._in_parts import RunParts
from jaxmaxent.results._parts import kept
from jaxmaxent.sampling import Precision, device_name

HEADERS = typing.get_args(Headers)
_DIGITS = 7


def read_for(network: Found, options: AnchorOptions) -> tuple[Representation, Sequences]:
    """Return a network for sequences of a file or of a genome, and these, which must have the length that it takes.

    With `called`, only sequences that the network assigns to this class are kept. If the file has labels, the label
    must be this class too. The limit applies to the kept sequences. With `skip_invalid`, sequences that cannot be
    used are left out, and a line says how many.
    """
    limit = None if options.limit is None else checks.integer("limit", options.limit, at_least=1)
    called, of_genome = options.called, check_regions(options)
    needed = limit if called is None else None  # for a class all are needed
    path = str(options.regions if of_genome else options.sequences)
    with telling_what_is_left_out():
        sequences = read_regions(network, options, needed) if of_genome else _read_file(network, options, path, needed)
    length = sequences.tokens.shape[1]
    if network.length not in (None, length):
        raise ValueError(f"{path} has sequences of length {length}, but the network takes {network.length}")
    made = network.representation(length)
    if called is not None:
        sequences = _called(network, made, sequences, called, path)
    return made, sequences if limit is None else sequences.take(np.arange(min(limit, len(sequences))))


def _read_file(network: Found, options: AnchorOptions, path: str, limit: int | None) -> Sequences:
    letters = options.letters if network.own or path.endswith(".npy") else None
    return read_sequences(
        path, alphabet=network.alphabet, letters=letters, labels_in_header=are_labels(options.headers), limit=limit,
        length=network.length if options.skip_invalid and not path.endswith(".npy") else None,
        skip_invalid=options.skip_invalid,
    )  # fmt: skip


def are_labels(headers: str | None) -> bool | None:
    """Return True for "labels", if FASTA headers are labels, False for "names", and None to decide from the file."""
    if headers is not None and headers not in HEADERS:
        raise ValueError(f"headers must be {' or '.join(HEADERS)}, got {checks.shown(headers)}")
    return None if headers is None else headers == "labels"


@contextlib.contextmanager
def telling_what_is_left_out() -> Iterator[None]:
    """Print a line instead of a warning if sequences or motifs are left out when the block reads them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LeftOut)
        yield
    for warning in caught:
        if issubclass(warning.category, LeftOut):
            say(warning.message)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _called(network: Found, made: Representation, sequences: Sequences, unit: int, path: str) -> Sequences:
    """Return the sequences that the network assigns to a class, and whose labels, if any, are that class."""
    unit = checks.integer("called", unit, at_least=0)
    scores = classes(network, made, sequences.tokens)
    units = scores.shape[1]
    if unit >= units:
        raise ValueError(f"called must be a class of the network, 0 to {units - 1}, got {unit}")
    chosen = scores.argmax(1) == unit
    if sequences.labels is not None:
        chosen &= sequences.labels == unit
    if not chosen.any():
        correctly = "" if sequences.labels is None else " correctly"
        raise ValueError(
            f"called must be a class that the network{correctly} assigns to at least one of the {len(sequences)} "
            f"sequences of {path}, got {unit}"
        )
    return sequences.take(chosen)


def ensemble_of(
    network: Representation,
    sequences: Sequences,
    *,
    beta: Any,
    mu: float,
    unit: Unit | None,
    distance: Any = "euclidean",
) -> Ensemble:
    """Return the ensemble around sequences under a network, with a GC field if the alphabet has G and C."""
    alphabet, mu = sequences.alphabet, float(checks.factor("mu", mu))
    has_gc = {"G", "C"} <= set(alphabet.letters)
    if mu and not has_gc:
        raise ValueError(f"mu must be 0 for the alphabet {alphabet.letters!r}, which has no G or C, got {mu:g}")
    fields = [composition("GC", mu, alphabet=alphabet)] if has_gc else []
    # Letters are passed, not tokens, because the tokens of a few short sequences can look like a one-hot array.
    letters = alphabet.decode(sequences.tokens)
    return Ensemble.create(network, letters, beta=beta, unit=unit, distance=distance, fields=fields, alphabet=alphabet)


def write_json(path: Path, value: Any) -> None:
    """Write JSON that every reader accepts: NaN and infinity become null, and NumPy numbers become plain ones.

    Numbers have 7 significant digits, more than any standard error leaves. Those under "settings" keep all digits.

    Letters outside ASCII are escaped, so names cannot affect a terminal that shows the file. Reading restores them.
    """
    path.write_text(json.dumps(plain(value), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def plain(value: Any, exact: bool = False) -> Any:
    """Return a value as JSON can hold it: NumPy numbers become plain ones, NaN and infinity null; see `write_json`."""
    if isinstance(value, dict):
        return {str(key): plain(entry, exact or key == "settings") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry, exact) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), exact)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) and not exact else value


def versions() -> dict[str, str]:
    """Return the versions of the packages that the result depends on, and the device."""
    import flax

    import jaxmaxent

    return {
        "jaxmaxent": jaxmaxent.__version__,
        "jax": jax.__version__,
        "flax": flax.__version__,
        "numpy": np.__version__,
        "device": device_name(),
    }


class Missed:
    """The pictures that could not be drawn, by reason. If drawing fails, the numbers must still be written."""

    def __init__(self) -> None:
        self._pictures: dict[str, list[str]] = {}

    @contextlib.contextmanager
    def drawing(self, picture: str) -> Iterator[None]:
        """Note a picture if the block raises an exception, and suppress the exception."""
        try:
            yield
        except Exception as error:  # of any type: a missing font or package, or a number that cannot be drawn
            reason = " ".join(str(error).split()) or "no reason given"
            self._pictures.setdefault(f"{type(error).__name__}: {reason}", []).append(picture)

    def told(self) -> list[str]:
        """Return one sentence per reason."""
        return [f"Not drawn: {_some(pictures)} ({reason})" for reason, pictures in self._pictures.items()]


def _some(names: list[str], at_most: int = 3) -> str:
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def file_name(name: str, index: int) -> str:
    """Return a file name that is safe on every file system: the index, then the name with unsafe letters replaced."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)[:60]
    return f"{index:04d}_{safe}"


def saved_run(path: str | os.PathLike[str]) -> Path:
    """Return the run in a folder that `interpret` or `grammar` wrote; for another path, the path itself.

    Raises:
        ValueError: for a folder of something else, such as a network.
    """
    folder = Path(path)
    if not folder.exists():
        raise ValueError(f"run must be a folder that `interpret` wrote, or a saved run, but {path} does not exist")
    if not folder.is_dir() or folder.suffix == ".zarr":
        return folder
    for inside in (folder / "run.npz", folder / "run.zarr"):
        if inside.exists():
            return inside
    about = read_manifest(folder)
    holds = f"output of the kind {about.get('kind')!r}" if about else "no run"
    raise ValueError(f"run must be a folder that `interpret` wrote, or a saved run, but {path} holds {holds}")


def loaded(path: str | os.PathLike[str], keep: str) -> Run:
    """Return the runs of a folder that `interpret` or `grammar` wrote, or saved runs, as one.

    Args:
        path: the folder, file or store.
        keep: what is kept in memory of the runs of a store, "profile", "ladder" or "draws"; of a file it is all.
    """
    parts = list(run_parts(path, keep))
    return parts[0] if len(parts) == 1 else join(parts)


def run_parts(path: str | os.PathLike[str], keep: str) -> Iterator[Run]:
    """Yield the runs of a folder or of saved runs: some anchors at a time from a store, otherwise all at once."""
    opened = _opened(path)
    if isinstance(opened, Run):
        yield opened
    else:
        for _, run in opened.blocks():
            yield kept(run, keep)


def parts_of_saved(path: str | os.PathLike[str], keep: str) -> RunParts:
    """Return the runs of a folder or of saved runs, to be read some anchors at a time and repeatedly.

    Args:
        path: the folder, file or store.
        keep: what is kept of each part of a store that is read, "profile", "ladder" or "draws"; of a file it is all.
    """
    return RunParts(_opened(path), keep=keep)


def _opened(path: str | os.PathLike[str]) -> Run | RunStore:
    saved = saved_run(path)
    return RunStore(saved) if saved.suffix == ".zarr" and is_store(saved) else Run.load(saved)


def unit_of(folder: Path) -> Any:
    """Return the output unit that a run was interpreted by, from the summary in its folder; None if it has none."""
    try:
        unit = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["settings"]["unit"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return tuple(unit) if isinstance(unit, list) else unit


def mu_of(result: Run) -> float:
    """Return the chemical potential μ of the GC content that a run was sampled at; 0 without a GC field."""
    return float(result.mu[0, result.field_names.index("GC")]) if "GC" in result.field_names else 0.0


def match_of(hit: MotifHit) -> dict[str, Any]:
    """Return the numbers of a known motif that is similar to a found one, for a JSON file."""
    numbers = {name: getattr(hit, name) for name in ("p", "e", "q", "strand", "offset", "overlap")}
    return {"name": hit.name, "identifier": hit.identifier} | numbers


def beta_text(beta: float) -> str:
    """Return β for names and titles, with digits enough to tell apart any two that the sampler tells apart."""
    return f"{beta:.9g}"


def precision_of(options: StoppingOptions) -> Precision:
    """Return the precision that options ask for; options that were not given have the defaults of `Precision`."""
    given = {name: value for name, value in values(options, StoppingOptions).items() if value is not None}
    return Precision(**{_in_precision(name): value for name, value in given.items()})


def stopping_of(until: Precision | None) -> dict[str, Any]:
    """Return the options that ask for a precision; all are None if it is None."""
    names = [field.name for field in dataclasses.fields(StoppingOptions)]
    return {name: None if until is None else getattr(until, _in_precision(name)) for name in names}


def _in_precision(name: str) -> str:
    """Return the field of `Precision` that an option sets."""
    return name.removeprefix("max_")
