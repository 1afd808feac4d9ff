"""`jaxmaxent motifs`: find the motifs that the sequences of a run share, and the most similar known motifs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxmaxent.analysis import FoundMotif, MotifHit, Motifs, match_motifs
from jaxmaxent.analysis._motifs.find import motifs_in
from jaxmaxent.checks import integer
from jaxmaxent.commands._common import (
    Missed,
    match_of,
    parts_of_saved,
    say,
    telling_what_is_left_out,
    versions,
    write_json,
)
from jaxmaxent.commands._options import MotifsOptions
from jaxmaxent.data import read_motifs, write_meme
from jaxmaxent.ensembles import Alphabet, with_letters
from jaxmaxent.files import new_folder

MOTIFS = "motifs.json"
_DRAWN = 10


def run(options: MotifsOptions) -> Motifs:
    """Find the motifs of a saved run, compare them with known ones if given, write the output folder, return them."""
    best, missed, against = integer("best", options.best, at_least=1), Missed(), options.against
    with new_folder(options.out, kind="motifs", force=options.force) as folder:
        runs = parts_of_saved(options.run, "profile")
        alphabet = with_letters(runs.letters)
        with telling_what_is_left_out():
            known = None if against is None else read_motifs(against, alphabet)
        found = motifs_in(runs)
        hits = [()] * len(found.motifs)
        if known is not None:
            hits = match_motifs(found.motifs, known, best=best, alphabet=alphabet)
        about = {
            "outcome": found.outcome,
            "windows": found.windows,
            "anchors": len(runs),
            "beta": runs.beta,
            "against": None if known is None else {"file": str(against), "motifs": len(known)},
            "motifs": [_entry(motif, near) for motif, near in zip(found.motifs, hits, strict=True)],
            "versions": versions(),
        }
        write_json(folder / MOTIFS, about)
        if found.motifs:
            write_meme(folder / "motifs.meme", found.motifs, alphabet=alphabet)
        _draw(found.motifs, hits, alphabet, folder, missed)
    for sentence in missed.told():
        say(sentence)
    say(found.outcome)
    for motif, near in zip(found.motifs, hits, strict=True):
        say(_line(motif, near))
    return found


def _entry(motif: FoundMotif, hits: tuple[MotifHit, ...]) -> dict[str, Any]:
    return {
        "name": motif.name,
        "sites": motif.sites,
        "consensus": motif.consensus,
        "information_bits": motif.information.sum(),
        "probabilities": motif.probabilities,
        "errors": motif.errors,
        "members": [member._asdict() for member in motif.members],
        "matches": [match_of(hit) for hit in hits],
    }


def _line(motif: FoundMotif, hits: tuple[MotifHit, ...]) -> str:
    told = f"{motif.name}: {motif.sites} sites, {motif.information.sum():.1f} bits, {motif.consensus}"
    if not hits:
        return told
    best = hits[0]
    return f"{told}; most like {best.name} ({best.identifier}, {best.strand}), p = {best.p:.1g}, q = {best.q:.1g}"


def _draw(motifs: tuple[FoundMotif, ...], hits: list[Any], alphabet: Alphabet, folder: Path, missed: Missed) -> None:
    """Draw the largest motifs."""
    for motif, near in list(zip(motifs, hits, strict=True))[:_DRAWN]:
        with missed.drawing(motif.name):
            from jaxmaxent import plot

            picture = plot.motif(motif, hit=near[0] if near else None, alphabet=alphabet)
            plot.save(picture, folder / f"{motif.name}.png")
