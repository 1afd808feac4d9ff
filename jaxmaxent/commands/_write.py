"""The output folder of `interpret`. Numbers are written first, then pictures and the report.

The runs of a store are written part by part, so that memory does not depend on the number of sequences.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent import console
from jaxmaxent.analysis import (
    Profile,
    SequencesWithin,
    Thermodynamics,
    informative_window,
    profile,
    thermodynamics,
)
from jaxmaxent.commands import _sites as sites
from jaxmaxent.commands._common import Missed, beta_text, file_name, plain, versions
from jaxmaxent.commands._job_settings import JobSettings
from jaxmaxent.commands._kmers import kmers_of
from jaxmaxent.commands._pictures import number_of_sequences, profile_logo
from jaxmaxent.commands._report_rows import advice_of, anchor_row, notes_of, settings_of
from jaxmaxent.commands._sites import Maps
from jaxmaxent.commands._summary import AnchorSummary, outcome, summarize
from jaxmaxent.commands._whole import Whole, parts_of, whole_of
from jaxmaxent.data import Motif, Sequences, write_meme
from jaxmaxent.files import link_or_copy
from jaxmaxent.report import AnchorRow, Detail, Packed, pack_details, write_report
from jaxmaxent.results import Run, RunStore
from jaxmaxent.results._store_writer import write_rows

SUMMARY, MOTIFS, RUN, STORE = "summary.json", "motifs.meme", "run.npz", "run.zarr"
# Sequences of a store that the report has; those of a file are all in it.
_MOST_IN_REPORT = 500


class Written(NamedTuple):
    """What there is to say when the output is written.

    Attributes:
        missed: one sentence per reason why pictures were not drawn.
        held: the range of the bits that the letters of each sequence hold in total.
    """

    missed: list[str]
    held: str


@dataclasses.dataclass
class _Rest:
    """What is gathered from all parts, to be written at the end."""

    motifs: list[Motif] = dataclasses.field(default_factory=list)
    rows: list[AnchorRow] = dataclasses.field(default_factory=list)
    packed: list[Packed] = dataclasses.field(default_factory=list)
    blank: list[str] = dataclasses.field(default_factory=list)
    bits: list[float] = dataclasses.field(default_factory=list)


def write(
    result: Run | RunStore,
    anchors: Sequences,
    folder: Path,
    settings: JobSettings,
    maps: Callable[[range], Maps],
    *,
    progress: bool = False,
) -> Written:
    """Write the output of a job into an existing folder, numbers first.

    Args:
        result: the runs of all sequences.
        anchors: the sequences.
        folder: the folder to fill.
        settings: the settings of the job.
        maps: where some of the sequences have sites, by their indices.
        progress: show progress bars.
    """
    whole, rest, missed = whole_of(result), _Rest(), Missed()
    if isinstance(result, Run):
        result.save(folder / RUN)
        _write_frequencies(result, folder / "frequencies.npz")
    with (folder / sites.TABLE).open("w", encoding="utf-8") as table:
        table.write(sites.HEADER)

        def rows() -> Iterator[dict[str, Any]]:
            parts = console.bar(
                parts_of(result), total=-(-len(anchors) // _size(result)), desc="writing", unit="part",
                show=progress and isinstance(result, RunStore),
            )  # fmt: skip
            for numbers, run in parts:
                part = _Part(run, anchors.take(np.array(numbers)), numbers, maps(numbers), settings)
                table.write(sites.table_of(part.maps, part.anchors))
                yield from (row.as_json() for row in part.rows)
                _keep_maps(result, part, len(anchors), folder)
                part.into(rest, folder / "logos", missed, progress and isinstance(result, Run))

        _write_summary(folder / SUMMARY, _head(whole, settings), rows(), _tail(whole))
    if isinstance(result, RunStore):  # whose maps are complete now
        link_or_copy(result.path, folder / STORE)
    if rest.motifs:
        write_meme(folder / MOTIFS, rest.motifs, alphabet=anchors.alphabet)
    write_report(
        folder / "report.html",
        title=f"Maximum entropy profiles at β = {settings.told_beta}",
        anchors=rest.rows,
        detail=Packed.joined(rest.packed),
        settings=settings_of(whole, settings),
        notes=[*_left_out(rest, whole), *notes_of(whole, rest.blank, settings), *missed.told()],
    )
    low, high = (f"{end:.1f}" for end in (min(rest.bits), max(rest.bits)))
    return Written(missed.told(), low if low == high else f"{low} to {high}")


class _Part:
    """Some of the sequences: their numbers, and what is drawn of them."""

    def __init__(self, run: Run, anchors: Sequences, numbers: range, maps: Maps, settings: JobSettings) -> None:
        rungs, any_letter = range(run.beta.shape[1]), anchors.alphabet.any_letter
        self.run, self.anchors, self.numbers, self.maps, self.settings = run, anchors, numbers, maps, settings
        self.profiles = [
            [profile(run, anchor=a, rung=k, any_letter=any_letter) for k in rungs] for a in range(len(anchors))
        ]
        self.heat = [_thermodynamics(run, a) for a in range(len(anchors))]
        self.asked = [_asked_rungs(run, a, settings) for a in range(len(anchors))]
        reasons = settings.reasons or [None] * (numbers.stop)
        self.rows: list[AnchorSummary] = [
            summarize(run, a, self.profiles[a], self.heat[a], reasons[number], self.asked[a], sites.as_json(maps, a))
            for a, number in enumerate(numbers)
        ]

    def into(self, rest: _Rest, logos: Path, missed: Missed, progress: bool) -> None:
        """Draw the logos, and gather what is written at the end."""
        marks = [f"_beta-{beta_text(beta)}" for beta in self.settings.asked_betas] or [""]
        rest.bits += [row.total_information_bits for row in self.rows]
        rest.blank += [row.advice for row in self.rows if row.advice is not None]
        for a, number in enumerate(self.numbers):
            rest.motifs += _motifs(self.anchors.names[a], number, marks, self._at_asked(a))
        self._draw_logos(marks, logos, missed, progress)
        if self.numbers.start and self.numbers.stop > _MOST_IN_REPORT:
            return
        rest.rows += [
            anchor_row(
                row, advice_of(self.run, a, self.settings), self.anchors,
                sites.told(sites.of_anchor(self.maps, a)), kmers_of(self.run, a),
            )
            for a, row in enumerate(self.rows)
        ]  # fmt: skip
        rest.packed.append(pack_details(self._detail(missed)))

    def _at_asked(self, a: int) -> list[Profile]:
        return [self.profiles[a][k] for k in self.asked[a]]

    def _draw_logos(self, marks: list[str], folder: Path, missed: Missed, progress: bool) -> None:
        """Draw the logos at the rungs asked for; of the first sequences of all only."""
        drawn = [a for a, number in enumerate(self.numbers) if number < self.settings.pictures]
        for a in console.bar(drawn, desc="drawing", unit="sequence", show=progress and bool(drawn)):
            name = self.anchors.names[a]
            with missed.drawing(f"the logo of {name}"):
                for mark, k in zip(marks, self.asked[a], strict=True):
                    picture = profile_logo(self.run, a, k, self.profiles[a][k], self.anchors)
                    folder.mkdir(exist_ok=True)
                    (folder / f"{file_name(name, self.numbers[a])}{mark}.png").write_bytes(picture)

    def _detail(self, missed: Missed) -> Detail:
        within: list[SequencesWithin | None] = [None] * len(self.heat)
        for a, number in enumerate(self.numbers):
            if number < self.settings.pictures:
                with missed.drawing(f"the number of sequences around {self.anchors.names[a]}"):
                    within[a] = number_of_sequences(self.run, a, self.heat[a])
        return Detail(
            run=self.run, necessity=self.maps.necessity, sufficiency=self.maps.sufficiency, sites=self.maps.sites,
            thermodynamics=self.heat, within=within, rungs_at=self.settings.rungs_at,
        )  # fmt: skip


def _size(result: Run | RunStore) -> int:
    return len(result.names) if isinstance(result, Run) else result.block_size


def _left_out(rest: _Rest, whole: Whole) -> list[str]:
    """Return a note if the report has not all sequences."""
    shown, count = len(rest.rows), len(whole.names)
    if shown == count:
        return []
    return [f"This page has the first {shown} of {count} sequences; {SUMMARY} and {STORE} have all of them."]


def _keep_maps(result: Run | RunStore, part: _Part, count: int, folder: Path) -> None:
    """Write the maps of a part: to a file, or into the group `where` of the store."""
    if isinstance(result, Run):
        sites.write_arrays(part.maps, part.anchors.names, folder / sites.ARRAYS)
    else:
        write_rows(result.path, "where", part.numbers, count, sites.arrays_of(part.maps))


def _asked_rungs(result: Run, a: int, settings: JobSettings) -> list[int]:
    """Return the rungs of the β's that were asked for, the target last."""
    return [*(result.rung_at(beta, anchor=a) for beta in settings.rungs_at), result.beta.shape[1] - 1]


def _head(whole: Whole, settings: JobSettings) -> dict[str, Any]:
    """Return what `summary.json` begins with. The settings have the names of the options of the command line."""
    return {
        "converged": whole.converged.all(),
        "outcome": outcome(whole),
        "settings": settings.plain() | {"thin": whole.thin},
    }


def _tail(whole: Whole) -> dict[str, Any]:
    """Return what `summary.json` ends with."""
    names = ("seconds", "compile_seconds", "proposals_per_second")
    return {name: getattr(whole, name) for name in names} | {"versions": versions()}


def _write_summary(path: Path, head: dict[str, Any], rows: Iterator[dict[str, Any]], tail: dict[str, Any]) -> None:
    """Write a JSON object with the entries of `head`, a list `anchors` of rows, and the entries of `tail`.

    The rows are written one by one, as there can be many thousands.
    """
    with path.open("w", encoding="utf-8") as file:
        file.write(_text(head)[:-2] + ',\n "anchors": [')
        for number, row in enumerate(rows):
            text = _text(row).replace("\n", "\n  ")
            file.write(f"{',' * (number > 0)}\n  {text}")
        file.write("\n ]," + _text(tail)[1:] + "\n")


def _text(entries: dict[str, Any]) -> str:
    return json.dumps(plain(entries), indent=1, allow_nan=False)


def _thermodynamics(result: Run, a: int) -> Thermodynamics | None:
    """Return entropies along the ladder; None for a single β, or if parts of the ladder have no draws in common."""
    try:
        return thermodynamics(result, anchor=a)
    except ValueError:
        return None


def _write_frequencies(result: Run, path: Path) -> None:
    """Write the letter frequencies of all rungs, the target last, to a small file."""
    names = ("frequencies", "frequency_errors", "frequency_rhat", "frequency_ess", "beta")
    arrays = {name: getattr(result, name) for name in names}
    np.savez_compressed(path, letters=np.array(result.letters), names=np.array(result.names), **arrays)


def _motifs(name: str, number: int, marks: list[str], profiles: list[Profile]) -> list[Motif]:
    """Return the informative window of every profile of a sequence that has one.

    The profiles are those at each β that was asked for, whose marks are part of the names.
    """
    motifs = []
    for mark, found in zip(marks, profiles, strict=True):
        start, stop = informative_window(found.information)
        if stop > start:
            rows = found.frequencies[start:stop]
            rows = rows / rows.sum(1, keepdims=True)
            motifs.append(Motif(f"{name}_{start}-{stop}{mark}", f"{number}{mark}", rows))
    return motifs
