"""The unfinished work of `interpret`. It is kept in a folder until the output is written, so nothing is lost.

The folder is RUN.checkpoint, beside the output folder RUN, or a hidden folder in RUN if nothing can be written beside
it. It holds everything that is needed to continue, also on another machine: copies of the network and the sequences,
the settings with every default filled in, the runs of finished sequences, and the checkpoints of those that are being
sampled. The runs are files, one for each group of sequences that are sampled side by side, or a store that grows. Each
depends on seed, settings and its own sequences only: not on the others, their order, the processes that sample or an
interruption.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shlex
import signal
import uuid
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent import console
from jaxmaxent.checks import random_key
from jaxmaxent.cluster import each
from jaxmaxent.commands._chosen import CHOSEN, read_chosen
from jaxmaxent.commands._common import ensemble_of, say, versions
from jaxmaxent.commands._engine import engine as open_engine
from jaxmaxent.commands._engine_options import EngineOptions
from jaxmaxent.commands._job_groups import Groups
from jaxmaxent.commands._job_settings import JobSettings
from jaxmaxent.commands._kept import (
    ANCHORS,
    KIND,
    MODEL,
    SUFFIX,
    check_files,
    check_place,
    discard,
    folder_of,
    has_sound_list,
    identifier_of,
    read_about,
    write_about,
)
from jaxmaxent.commands._network import Found
from jaxmaxent.commands._sites import Maps, maps_of
from jaxmaxent.commands._write import RUN, STORE
from jaxmaxent.console import complain
from jaxmaxent.data import Sequences
from jaxmaxent.ensembles import Representation
from jaxmaxent.files import (
    MANIFEST,
    belongings,
    entries,
    lies_inside,
    new_folder,
    read_manifest,
    resolved,
)
from jaxmaxent.results import Run, RunStore, join
from jaxmaxent.results._store_writer import create, pack
from jaxmaxent.sampling import Interrupted

# A job that ends sooner, or is refused, shows no bar.
_SECONDS_BEFORE_A_BAR = 5.0
# Sequences of each lane that a call to another process has: the last ones of a call leave lanes free.
_UNIT = 8
# Groups between two moves of finished runs into the arrays of a store.
_PACK_EVERY = 16
OUTPUT = "interpretation"  # the kind of the output, in the list of its files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job(Groups):
    """A network, sequences and settings, and the folder that keeps them with the finished work.

    Attributes:
        out: the folder that the output will be written to; `folder` keeps the work until then.
        identifier: the unique name of this job. It is also in the list of the output's files.
    """

    out: Path
    identifier: str

    @classmethod
    def begin(cls, out: str, found: Found, network: Representation, anchors: Sequences, settings: JobSettings) -> Job:
        """Make the folder of a new job. An older job there is deleted if `settings.force`, else it is an error."""
        check_place(out, force=settings.force)
        place = resolved(out)
        beside, inside = belongings(place, SUFFIX)
        for before in (beside, inside):
            discard(before)
        folder = inside if lies_inside(place) else beside
        identifier = uuid.uuid4().hex
        with new_folder(folder, kind=KIND, notes={"identifier": identifier}) as scratch:
            about: dict[str, Any] = {"settings": dataclasses.asdict(settings), "names": list(anchors.names)}
            about |= {"network": found.saved(scratch / MODEL)}
            np.savez_compressed(scratch / ANCHORS, tokens=anchors.tokens)
            write_about(scratch, about | {"identifier": identifier, "versions": versions()})
        return cls(
            out=Path(out), folder=folder, identifier=identifier, network=network, anchors=anchors, settings=settings
        )

    @classmethod
    def open(cls, out: str) -> Job:
        """Return the job that `begin` made.

        Raises:
            ValueError: if the folder is missing, damaged or of another kind.
        """
        folder = folder_of(out)
        about = read_about(folder)
        check_files(folder, about)
        network = Found.again(about["network"], folder / MODEL)
        with np.load(folder / ANCHORS, allow_pickle=False) as archive:
            tokens = archive["tokens"]
        anchors = Sequences(tokens, tuple(about["names"]), alphabet=network.alphabet)
        settings = JobSettings.from_json(about["settings"])
        made = network.representation(tokens.shape[1])
        return cls(
            out=Path(out), folder=folder, identifier=about["identifier"], network=made, anchors=anchors,
            settings=settings,
        )  # fmt: skip

    def sampled(self, engine: EngineOptions, *, progress: bool) -> Run | RunStore:
        """Sample all groups that are not finished, print the outcome of each sequence, and return their runs."""
        firsts, count = range(0, len(self.anchors), self.settings.group), len(self.anchors)
        if self.stored and not self.store.exists():
            create(self.store, self.anchors.names, self.settings.keep or "ladder", {})
        done = self.done()
        left = [first for first in firsts if first not in done]
        # Read at once, so that a damaged one is named before the rest is sampled.
        known = {} if self.stored else {first: self.read(first) for first in done}
        with open_engine(engine, len(left)) as (executor, workers), console.bar(
            total=count, initial=min(len(done) * self.settings.group, count), desc="sequences", unit="sequence",
            show=progress, delay=_SECONDS_BEFORE_A_BAR,
        ) as bar:  # fmt: skip
            for number, (first, lines) in enumerate(self._finished(left, executor, workers, progress=progress), 1):
                for line in lines:
                    say(line)
                bar.update(min(self.settings.group, count - first))
                if self.stored and number % _PACK_EVERY == 0:
                    pack(self.store)
        if not self.stored:
            return self._joined([known[first] if first in known else self.read(first) for first in firsts])
        pack(self.store, last=True)
        return RunStore(self.store)

    def _finished(
        self, left: list[int], executor: Executor | None, workers: int | None, *, progress: bool
    ) -> Iterator[tuple[int, list[str]]]:
        """Sample the groups that are left, by an engine or in this process; yield each with its outcomes."""
        alone = executor is None and workers == 1
        if self.settings.lanes == 1:
            work = functools.partial(self.group, progress=progress) if alone else _GroupWork(self.out)
            yield from each(work, left, executor=executor, workers=workers)
        elif alone:
            yield from self.through_lanes(left, progress=progress)
        else:
            size = _UNIT * self.settings.lanes
            units = sorted({first // size for first in left})
            for _, found in each(_UnitWork(self.out, size), units, executor=executor, workers=workers):
                yield from found

    def _joined(self, parts: list[Run]) -> Run:
        """Return the runs of all groups as one; without draws if some have none."""
        if any(part.draws is None for part in parts) and not all(part.draws is None for part in parts):
            say("some sequences took fewer steps than --store-every: no draws are kept")
            parts = [dataclasses.replace(part, draws=None) for part in parts]
        return join(parts)

    def maps(self, numbers: range, *, progress: bool) -> Maps:
        """Return where in some of the sequences the network sees something; cheap beside sampling."""
        some = self.anchors.take(np.array(numbers))
        ensemble = ensemble_of(self.network, some, beta=1.0, mu=self.settings.mu, unit=self.settings.unit)
        return maps_of(ensemble, random_key(self.settings.seed), progress=progress)

    def settled(self, result: Run | RunStore) -> JobSettings:
        """Return the settings with the β's that a rule chose, and its reasons."""
        if self.settings.rule is None:
            return self.settings
        if isinstance(result, RunStore):
            beta, reasons = tuple(result.read("beta")[:, -1].tolist()), tuple(map(str, result.read("remark")))
            return dataclasses.replace(self.settings, beta=beta, reasons=reasons)
        chosen = [read_chosen(file) for file in sorted(self.folder.glob(f"group-*{CHOSEN}"))]
        beta = tuple(b for one in chosen for b in one.beta.tolist())[: len(self.anchors)]
        reasons = tuple(reason for one in chosen for reason in one.reasons)[: len(self.anchors)]
        return dataclasses.replace(self.settings, beta=beta, reasons=reasons)

    @contextlib.contextmanager
    def kept(self, *, begun_here: bool) -> Iterator[None]:
        """Add to an exception of the block where the work is kept and how to continue it.

        If this process began the job and nothing was sampled yet, delete the folder instead.
        """
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as stop:
            if begun_here and not self._has_begun():
                self.remove()
                raise
            number = signal.SIGINT if isinstance(stop, KeyboardInterrupt) else signal.SIGTERM
            raise Interrupted(f"interrupted; {self._told()}", getattr(stop, "signal", number)) from None
        except Exception as error:
            if begun_here and not self._has_begun():
                self.remove()
            elif begun_here and not isinstance(error, ArithmeticError):  # if the network failed, it would fail again
                error.add_note(self._told())
            raise

    def _has_begun(self) -> bool:
        return any(self.folder.glob("group-*")) or bool(self.stored and self.store.exists() and self.done())

    def _told(self) -> str:
        done = min(len(self.done()) * self.settings.group, len(self.anchors))
        return (
            f"what was sampled is kept in {self.folder} ({done} of {len(self.anchors)} sequences are done), "
            f"continue with: jaxmaxent resume {shlex.quote(str(self.out))}"
        )

    def remove(self) -> None:
        """Delete the folder. A file that was not written here stays, and so does the folder.

        Raises:
            ValueError: if something in it cannot be deleted.
        """
        if self.folder.is_dir() and not has_sound_list(self.folder):
            complain(f"the list of files {self.folder / MANIFEST} was missing or damaged; it was not needed")
        discard(self.folder)


@dataclasses.dataclass(frozen=True)
class _GroupWork:
    """The work on a group, as other processes get it: they open the job themselves, once."""

    out: Path

    def __call__(self, first: int) -> list[str]:
        """Sample the group that begins with a sequence; return the outcomes of its sequences."""
        return _opened(str(self.out)).group(first)


@dataclasses.dataclass(frozen=True)
class _UnitWork:
    """The work on so many sequences, as other processes with several lanes get it."""

    out: Path
    size: int

    def __call__(self, unit: int) -> list[tuple[int, list[str]]]:
        """Sample the sequences of a unit that are not done; return each with its outcome."""
        job = _opened(str(self.out))
        every = range(unit * self.size, min((unit + 1) * self.size, len(job.anchors)))
        done = job.done()
        return list(job.through_lanes(first for first in every if first not in done))


@functools.lru_cache(maxsize=1)
def _opened(out: str) -> Job:
    return Job.open(out)


def delivered(out: str) -> Run | RunStore | None:
    """Return the result of a job that was killed after its output was written; otherwise None.

    The remaining files of the job are deleted.
    """
    folder, place = folder_of(out), resolved(out)
    written = read_manifest(place)
    if written is None or written.get("kind") != OUTPUT or not any((place / name).exists() for name in (RUN, STORE)):
        return None
    if folder.exists() and entries(folder) and written["notes"].get("job") != identifier_of(folder):
        return None
    run = RunStore(place / STORE) if (place / STORE).exists() else Run.load(place / RUN)
    discard(folder)
    return run
