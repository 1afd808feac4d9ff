"""`jaxmaxent export`: the numbers of a run in the formats of genome browsers, data frames and motif programs."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis import find_motifs, letter_scores
from jaxmaxent.commands import _export_tables as tables
from jaxmaxent.commands._common import loaded, run_parts, say
from jaxmaxent.commands._export_analyses import TABLES
from jaxmaxent.commands._export_options import HOLDS, ExportOptions
from jaxmaxent.commands._summary import outcome
from jaxmaxent.data import AnchorInterval, Motif, write_meme
from jaxmaxent.data._columns import is_our_parquet, is_our_tsv, write_parquet, write_tsv
from jaxmaxent.data._ours import begins, first_line, sealed
from jaxmaxent.data._places import places, read_sizes
from jaxmaxent.data._tracks import bed_to, track_to
from jaxmaxent.ensembles import with_letters
from jaxmaxent.files import new_file
from jaxmaxent.results import Run
from jaxmaxent.results._information import information_bits, information_errors
from jaxmaxent.results._schema import axes

FORMAT = "jaxmaxent-export"
_MEME_HEAD, _MEME_MARK = "MEME version 4", "MEME version 4 (jaxmaxent)"


class _Request(NamedTuple):
    """What is to be written, and where.

    Attributes:
        path: the path to write to, which is free.
        result: the run, with the wanted β as its target.
        what: what to write.
        options: the options as given.
    """

    path: Path
    result: Run
    what: str
    options: ExportOptions


def run(options: ExportOptions) -> None:
    """Write one file about a finished run, whole or not at all, and say what is in it."""
    what = _checked(options)
    with new_file(options.out, force=options.force, ours=_OURS[options.format]) as scratch:
        if what in TABLES:
            say(_write_analysis(scratch, what, options))
            return
        result = loaded(options.run, "profile" if options.beta is None else "ladder")
        if options.beta is not None:
            result = _at_beta(result, options.beta)
        told = _WRITERS[options.format](_Request(scratch, result, what, options))
    say(f"{told} at β = {tables.told_beta(result)}; {outcome(result)}")


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


def _at_beta(result: Run, beta: float) -> Run:
    """Return a run whose target is the rung at β of every anchor; its first rung, the background, stays."""
    chosen = np.array([result.rung_at(beta, anchor=a) for a in range(len(result.names))])
    first = np.zeros_like(chosen)
    rungs = np.stack([first, chosen], axis=1) if chosen.all() else chosen[:, None]
    arrays = {
        name: np.stack([row[mine] for row, mine in zip(array, rungs, strict=True)])
        for name, array in result._arrays().items()
        if axes(name)[:2] == ["anchor", "rung"]
    }
    return dataclasses.replace(result, **arrays)


def _write_analysis(path: Path, what: str, options: ExportOptions) -> str:
    """Write the table of an analysis of every anchor, part by part; return what there is to say."""
    keep, table = TABLES[what]
    columns = table(run_parts(options.run, keep), options.kmer)
    (write_tsv if options.format == "tsv" else write_parquet)(path, columns)
    return f"{what}: a table of {len(next(iter(columns.values()))):,} rows"


def _table(request: _Request) -> str:
    result, options = request.result, request.options
    columns = tables.COLUMNS[request.what](result, Path(options.run))
    write = write_tsv if options.format == "tsv" else write_parquet
    write(request.path, columns)
    return _counted(len(next(iter(columns.values()))), request.what)


def _bed(request: _Request) -> str:
    result, what = request.result, request.what
    found = _motif_intervals(result) if what == "motifs" else tables.INTERVALS[what](result, Path(request.options.run))
    bed_to(request.path, result.names, found, length=result.anchors.shape[1], remark=_remark(request))
    return _counted(len(found), what)


def _motif_intervals(result: Run) -> list[AnchorInterval]:
    """Return the members of the motifs that anchors share, with their strands; scores are similarities."""
    return [
        AnchorInterval(m.anchor, m.start, m.stop, motif.name, float(np.clip(m.similarity, 0, 1)), m.strand)
        for motif in find_motifs(result).motifs
        for m in motif.members
    ]


def _track(request: _Request) -> str:
    result, options = request.result, request.options
    values, errors = _VALUES[request.what](result, options.letter)
    shared = track_to(
        request.path,
        result.names,
        errors if options.error else values,
        bigwig=options.format == "bigwig",
        errors=options.error,
        sizes=None if options.sizes is None else read_sizes(options.sizes),
        remark=_remark(request),
    )
    overlaps = f", at {shared:,} positions the mean of overlapping anchors" if shared else ""
    return f"{'standard errors of ' * options.error}{request.what} along {len(values):,} anchors{overlaps}"


def _information(result: Run, letter: str | None) -> tuple[np.ndarray, np.ndarray]:
    frequencies, errors = result.frequencies[:, -1], result.frequency_errors[:, -1]
    return information_bits(frequencies), information_errors(frequencies, errors)


def _frequency(result: Run, letter: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the frequencies of a letter of the genome, or of the anchor's own letters, and their errors."""
    tokens, alphabet = result.anchors, with_letters(result.letters)
    if letter is not None:
        if len(letter) != 1 or letter not in result.letters:
            raise ValueError(f"letter must be one of {result.letters!r}, got {checks.shown(letter)}")
        tokens = np.full_like(tokens, result.letters.index(letter))
        # An anchor on the other strand has the complement where the genome has the letter.
        reverse = [place.strand == "-" for place in places(result.names, tokens.shape[1])]
        if any(reverse):
            tokens[reverse] = alphabet.complement(tokens[reverse])
    index = tokens[..., None].astype(int)
    arrays = result.frequencies[:, -1], result.frequency_errors[:, -1]
    values, errors = (np.take_along_axis(array, index, axis=-1)[..., 0] for array in arrays)
    return values, errors


def _height(result: Run, letter: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the heights of the anchor's own letters in the logo, in bits, and an upper limit of their errors."""
    (bits, bits_errors), (own, own_errors) = _information(result, None), _frequency(result, None)
    return bits * own, bits_errors * own + bits * own_errors


def _meme(request: _Request) -> str:
    result, alphabet = request.result, with_letters(request.result.letters)
    if request.what == "motifs":
        found = find_motifs(result)
        motifs, why = list(found.motifs), found.outcome
    else:
        motifs, why = _window_motifs(result), "no stretch of an anchor is informative enough"
    if not motifs:
        raise ValueError(f"{request.options.run} has no {request.what} to write: {why}")
    write_meme(request.path, motifs, alphabet=alphabet)
    text = request.path.read_text(encoding="utf-8")
    request.path.write_text(text.replace(_MEME_HEAD, _MEME_MARK, 1), encoding="utf-8")
    return _counted(len(motifs), request.what)


def _window_motifs(result: Run) -> list[Motif]:
    motifs = []
    for window in tables.windows(result):
        rows = result.frequencies[window.anchor, -1, window.start : window.stop]
        place = f"{window.start}-{window.stop}"
        identifier = f"{window.anchor}_{place}"
        motifs.append(Motif(f"{result.names[window.anchor]}_{place}", identifier, rows / rows.sum(1, keepdims=True)))
    return motifs


def _arrays(request: _Request) -> str:
    """Write one-hot anchors and scores of all letters, shape [anchors, letters, length]."""
    result = request.result
    one_hot = np.eye(len(result.letters), dtype=np.int8)[result.anchors].swapaxes(1, 2)
    scores = letter_scores(result).astype(np.float32)
    about = json.dumps({"format": FORMAT, "letters": result.letters, "outcome": outcome(result)})
    if request.options.format == "npz":
        names, letters = np.array(result.names), np.array(result.letters)
        with open(request.path, "wb") as stream:  # NumPy would add a suffix to a path
            np.savez_compressed(
                stream, one_hot=one_hot, scores=scores, names=names, letters=letters, converged=result.converged,
                about=np.array(about),
            )  # fmt: skip
    else:
        h5py = _h5py()
        with h5py.File(request.path, "w") as file:
            file.attrs["about"] = about
            file.create_dataset("raw/seq", data=one_hot, compression="gzip")
            file.create_dataset("shap/seq", data=scores, compression="gzip")
            file.create_dataset("names", data=list(result.names), dtype=h5py.string_dtype())
            file.create_dataset("converged", data=result.converged)
    return f"one-hot letters and scores of {len(one_hot):,} anchors"


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
    return f"{error}{request.what} at β = {tables.told_beta(request.result)}, {outcome(request.result)}"


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


_VALUES: dict[str, Callable[[Run, str | None], tuple[np.ndarray, np.ndarray]]] = {
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
