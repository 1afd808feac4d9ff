"""`jaxmaxent export`: the numbers of a run in the formats of genome browsers, data frames and motif programs."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis import letter_scores
from jaxmaxent.analysis._motifs.find import motifs_in
from jaxmaxent.commands import _export_tables as tables
from jaxmaxent.commands._common import parts_of_saved, say
from jaxmaxent.commands._export_analyses import TABLES
from jaxmaxent.commands._export_options import HOLDS, ExportOptions
from jaxmaxent.commands._summary import outcome
from jaxmaxent.data import AnchorInterval, Motif, write_meme
from jaxmaxent.data._columns import Columns, is_our_parquet, is_our_tsv, write_parquet, write_tsv
from jaxmaxent.data._ours import begins, first_line, sealed
from jaxmaxent.data._places import places, read_sizes
from jaxmaxent.data._tracks import bed_to, track_to
from jaxmaxent.ensembles import with_letters
from jaxmaxent.files import mapped, new_file
from jaxmaxent.results import Run
from jaxmaxent.results._in_parts import RunParts
from jaxmaxent.results._information import information_bits, information_errors

FORMAT = "jaxmaxent-export"
_MEME_HEAD, _MEME_MARK = "MEME version 4", "MEME version 4 (jaxmaxent)"


class _Request(NamedTuple):
    """What is to be written, and where.

    Attributes:
        path: the path to write to, which is free; its folder is there for this file alone.
        runs: the runs, with the wanted β as their target.
        what: what to write.
        options: the options as given.
    """

    path: Path
    runs: RunParts
    what: str
    options: ExportOptions


def run(options: ExportOptions) -> None:
    """Write one file about a finished run, whole or not at all, and say what is in it."""
    what = _checked(options)
    with new_file(options.out, force=options.force, ours=_OURS[options.format]) as scratch:
        if what in TABLES:
            say(_write_analysis(scratch, what, options))
            return
        runs = parts_of_saved(options.run, "profile" if options.beta is None else "ladder")
        if options.beta is not None:
            runs = runs.at_beta(options.beta)
        told = _WRITERS[options.format](_Request(scratch, runs, what, options))
    say(f"{told} at β = {tables.told_beta(runs)}; {outcome(runs)}")


def _checked(options: ExportOptions) -> str:
    """Return what to write; ValueError if the format cannot hold it, or does not take another option."""
    known = HOLDS[options.format]
    if options.what is not None and options.what not in known:
        wanted = f"be {' or '.join(known)}" if known else "be left out"
        raise ValueError(f"what must {wanted} for the format {options.format}, got {checks.shown(options.what)}")
    what = options.what or (known[0] if known else "")
    is_track = options.format in ("bedgraph", "bigwig")
    places = {
        "error": (is_track, "bedgraph and bigwig"),
        "letter": (what == "frequency", "what frequency"),
        "sizes": (options.format == "bigwig", "bigwig"),
        "kmer": (what == "periodicity", "what periodicity"),
        "beta": (what not in TABLES, "what is of one rung"),
    }
    for name, (fits, place) in places.items():
        given = getattr(options, name)
        if given not in (None, False) and not fits:
            raise ValueError(f"{name} must be left out except for {place}, got {checks.shown(given)}")
    return what


def _write_analysis(path: Path, what: str, options: ExportOptions) -> str:
    """Write the table of an analysis of every anchor, part by part; return what there is to say."""
    keep, table = TABLES[what]
    rows = _writer_of_tables(options)(path, table(parts_of_saved(options.run, keep), options.kmer))
    return f"{what}: a table of {rows:,} rows"


def _table(request: _Request) -> str:
    columns = tables.COLUMNS[request.what](request.runs, Path(request.options.run))
    return _counted(_writer_of_tables(request.options)(request.path, columns), request.what)


def _writer_of_tables(options: ExportOptions) -> Callable[[Path, Iterator[Columns]], int]:
    return write_tsv if options.format == "tsv" else write_parquet


def _bed(request: _Request) -> str:
    runs, what = request.runs, request.what
    found = _motif_intervals(runs) if what == "motifs" else tables.INTERVALS[what](runs, Path(request.options.run))
    bed_to(request.path, runs.names, found, length=runs.length, remark=_remark(request))
    return _counted(len(found), what)


def _motif_intervals(runs: RunParts) -> list[AnchorInterval]:
    """Return the members of the motifs that anchors share, with their strands; scores are similarities."""
    return [
        AnchorInterval(m.anchor, m.start, m.stop, motif.name, float(np.clip(m.similarity, 0, 1)), m.strand)
        for motif in motifs_in(runs).motifs
        for m in motif.members
    ]


def _track(request: _Request) -> str:
    runs, options = request.runs, request.options
    rows = _track_values(request, _reverse(runs, options.letter))
    (values,) = mapped(request.path.parent, rows, len(runs))
    shared = track_to(
        request.path,
        runs.names,
        values,
        bigwig=options.format == "bigwig",
        errors=options.error,
        sizes=None if options.sizes is None else read_sizes(options.sizes),
        remark=_remark(request),
    )
    overlaps = f", at {shared:,} positions the mean of overlapping anchors" if shared else ""
    return f"{'standard errors of ' * options.error}{request.what} along {len(values):,} anchors{overlaps}"


def _track_values(request: _Request, reverse: np.ndarray) -> Iterator[tuple[np.ndarray]]:
    """Yield the values, or with the option `error` their standard errors, part by part."""
    options = request.options
    for numbers, run in request.runs:
        both = _VALUES[request.what](run, options.letter, reverse[numbers.start : numbers.stop])
        yield (both[options.error],)


def _reverse(runs: RunParts, letter: str | None) -> np.ndarray:
    """Return which anchors have the complement of a letter where the genome has the letter, shape [anchors]."""
    if letter is None:
        return np.zeros(len(runs), bool)
    if len(letter) != 1 or letter not in runs.letters:
        raise ValueError(f"letter must be one of {runs.letters!r}, got {checks.shown(letter)}")
    return np.array([place.strand == "-" for place in places(runs.names, runs.length)])


def _information(run: Run, letter: str | None, reverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frequencies, errors = run.frequencies[:, -1], run.frequency_errors[:, -1]
    return information_bits(frequencies), information_errors(frequencies, errors)


def _frequency(run: Run, letter: str | None, reverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the frequencies of a letter of the genome, or of the anchor's own letters, and their errors."""
    tokens = run.anchors
    if letter is not None:
        tokens = np.full_like(tokens, run.letters.index(letter))
        if reverse.any():
            tokens[reverse] = with_letters(run.letters).complement(tokens[reverse])
    index = tokens[..., None].astype(int)
    arrays = run.frequencies[:, -1], run.frequency_errors[:, -1]
    values, errors = (np.take_along_axis(array, index, axis=-1)[..., 0] for array in arrays)
    return values, errors


def _height(run: Run, letter: str | None, reverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the heights of the anchor's own letters in the logo, in bits, and an upper limit of their errors."""
    (bits, bits_errors), (own, own_errors) = _information(run, None, reverse), _frequency(run, None, reverse)
    return bits * own, bits_errors * own + bits * own_errors


def _meme(request: _Request) -> str:
    runs, alphabet = request.runs, with_letters(request.runs.letters)
    if request.what == "motifs":
        found = motifs_in(runs)
        motifs, why = list(found.motifs), found.outcome
    else:
        motifs, why = _window_motifs(runs), "no stretch of an anchor is informative enough"
    if not motifs:
        raise ValueError(f"{request.options.run} has no {request.what} to write: {why}")
    plain = Path(tempfile.mkdtemp(dir=request.path.parent)) / "plain.meme"
    write_meme(plain, motifs, alphabet=alphabet)
    with open(plain, encoding="utf-8") as unmarked, open(request.path, "w", encoding="utf-8") as stream:
        stream.write(unmarked.readline().replace(_MEME_HEAD, _MEME_MARK))
        shutil.copyfileobj(unmarked, stream)
    return _counted(len(motifs), request.what)


def _window_motifs(runs: RunParts) -> list[Motif]:
    motifs = []
    for numbers, run in runs:
        for anchor, start, stop in tables.windows(run):
            rows = run.frequencies[anchor, -1, start:stop]
            name, identifier = f"{run.names[anchor]}_{start}-{stop}", f"{numbers.start + anchor}_{start}-{stop}"
            motifs.append(Motif(name, identifier, rows / rows.sum(1, keepdims=True)))
    return motifs


def _arrays(request: _Request) -> str:
    """Write one-hot anchors and scores of all letters, shape [anchors, letters, length]."""
    runs, one_letter = request.runs, np.eye(len(request.runs.letters), dtype=np.int8)
    parts = ((one_letter[run.anchors].swapaxes(1, 2), letter_scores(run).astype(np.float32)) for _, run in runs)
    one_hot, scores = mapped(request.path.parent, parts, len(runs))
    about = json.dumps({"format": FORMAT, "letters": runs.letters, "outcome": outcome(runs)})
    if request.options.format == "npz":
        names, letters = np.array(runs.names), np.array(runs.letters)
        with open(request.path, "wb") as stream:  # NumPy would add a suffix to a path
            np.savez_compressed(
                stream, one_hot=one_hot, scores=scores, names=names, letters=letters, converged=runs.converged,
                about=np.array(about),
            )  # fmt: skip
    else:
        h5py = _h5py()
        with h5py.File(request.path, "w") as file:
            file.attrs["about"] = about
            file.create_dataset("raw/seq", data=one_hot, compression="gzip")
            file.create_dataset("shap/seq", data=scores, compression="gzip")
            file.create_dataset("names", data=list(runs.names), dtype=h5py.string_dtype())
            file.create_dataset("converged", data=runs.converged)
    return f"one-hot letters and scores of {len(runs):,} anchors"


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f'the format h5 needs h5py: pip install "jaxmaxent[tracks]" ({error})') from error
    return h5py


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what if number != 1 else what.removesuffix('s')}"


def _remark(request: _Request) -> str:
    error = "standard errors of " * request.options.error
    return f"{error}{request.what} at β = {tables.told_beta(request.runs)}, {outcome(request.runs)}"


def _is_our_npz(path: Path) -> bool:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return json.loads(str(archive["about"]))["format"] == FORMAT
    except Exception:  # other files raise errors of any type
        return False


def _is_our_h5(path: Path) -> bool:
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            return json.loads(str(file.attrs["about"]))["format"] == FORMAT
    except Exception:  # other files raise errors of any type
        return False


def _is_our_meme(path: Path) -> bool:
    return first_line(path) == _MEME_MARK


_VALUES: dict[str, Callable[[Run, str | None, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "information": _information,
    "height": _height,
    "frequency": _frequency,
}
_WRITERS: dict[str, Callable[[_Request], str]] = {
    "tsv": _table,
    "parquet": _table,
    "bed": _bed,
    "bedgraph": _track,
    "bigwig": _track,
    "meme": _meme,
    "h5": _arrays,
    "npz": _arrays,
}
_OURS: dict[str, Callable[[Path], bool]] = {
    "tsv": functools.partial(is_our_tsv, known=tables.KNOWN),
    "parquet": is_our_parquet,
    "bed": begins,
    "bedgraph": begins,
    "bigwig": sealed,
    "meme": _is_our_meme,
    "h5": _is_our_h5,
    "npz": _is_our_npz,
}
