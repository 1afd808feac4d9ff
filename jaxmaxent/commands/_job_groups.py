"""The groups of a job: sequences that are sampled together, and what is kept of them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxmaxent.analysis import auto_beta
from jaxmaxent.checks import random_key
from jaxmaxent.cluster._anchor import key_of, run_of
from jaxmaxent.commands._chosen import CHOSEN, read_chosen, write_chosen
from jaxmaxent.commands._common import ensemble_of
from jaxmaxent.commands._job_settings import JobSettings
from jaxmaxent.commands._kept import saying_what_is_damaged
from jaxmaxent.commands._summary import outcomes
from jaxmaxent.commands._write import STORE
from jaxmaxent.data import Sequences
from jaxmaxent.ensembles import Ensemble, Representation
from jaxmaxent.files import Busy, Refused
from jaxmaxent.files._checkpoints import Checkpoints
from jaxmaxent.results import Run, RunStore
from jaxmaxent.results._parts import kept
from jaxmaxent.results._store_writer import add
from jaxmaxent.sampling._entrants import Entrant, entrant
from jaxmaxent.sampling._lanes import stream

# The number of the key of the short runs that choose β.
_OTHER_KEY = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups of a job, each known by the number of its first sequence. With lanes a group is one sequence.

    Attributes:
        folder: the folder that keeps the work.
        network: the network's representation.
        anchors: the sequences.
        settings: the settings.
    """

    folder: Path
    network: Representation
    anchors: Sequences
    settings: JobSettings

    @property
    def stored(self) -> bool:
        """True if the runs go to a store instead of a file."""
        return self.settings.store == "zarr"

    @property
    def store(self) -> Path:
        """The place of the store until the output is written."""
        return self.folder / STORE

    def done(self) -> set[int]:
        """Return the first sequences of the groups that are finished."""
        if not self.stored:
            return {int(file.stem.partition("-")[2]) for file in self.folder.glob("group-*.npz")}
        complete, size = RunStore(self.store).complete, self.settings.group
        return {first for first in range(0, len(complete), size) if complete[first : first + size].all()}

    def through_lanes(self, firsts: Iterable[int], *, progress: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Sample sequences side by side, keep their runs, and yield each with its outcome when it is done."""
        for one, run in stream(map(self._entrant, firsts), self.settings.lanes, progress=progress):
            yield one.number, self._keep(one.number, run)

    def _entrant(self, number: int) -> Entrant:
        mine, names, checkpoint = self._group(number)
        with self._advised(checkpoint):
            settings: dict[str, Any] = self.settings.sampling(1)
            return entrant(number, self._key(mine), mine, checkpoint, names=names, **settings)

    def _chosen(self, file: Path, mine: Ensemble) -> Ensemble:
        """Return a group with the β that the rule chooses, or chose before an interruption."""
        if self.settings.rule is None:
            return mine
        if not file.is_file():
            key = jax.random.fold_in(self._key(mine), _OTHER_KEY)
            write_chosen(file, auto_beta(mine, *self.settings.asked, key=key, **self.settings.short_run()))
        return mine.with_beta(read_chosen(file).beta)

    def _key(self, mine: Ensemble) -> Any:
        return key_of(random_key(self.settings.seed), jax.device_get(mine.anchor))

    def group(self, first: int, *, progress: bool = False) -> list[str]:
        """Sample a group, keep its run, and return the outcome of each of its sequences.

        The last group is filled up with copies of the last anchor, so that all groups use one compiled program.
        """
        mine, names, checkpoint = self._group(first)
        with self._advised(checkpoint):
            part = run_of(
                random_key(self.settings.seed), mine, checkpoint, names=names, progress=progress,
                **self.settings.sampling(len(names)),
            )  # fmt: skip
        return self._keep(first, part)

    def _group(self, first: int) -> tuple[Ensemble, list[str], Path]:
        """Return the ensemble of a group, with the β that a rule chose for it, its names and its checkpoint."""
        given, size, count = self.settings, self.settings.group, len(self.anchors)
        indices = np.minimum(np.arange(first, first + size), count - 1)
        # The ensemble is made anew for each group, so that memory does not depend on the number of groups.
        some = self.anchors.take(indices)
        beta = 1.0 if given.beta is None else given.beta
        mine = ensemble_of(self.network, some, beta=beta, mu=given.mu, unit=given.unit).batched()
        checkpoint = self.folder / f"group-{first:06d}"
        return self._chosen(_chosen_of(checkpoint), mine), list(some.names), checkpoint

    def _keep(self, first: int, part: Run) -> list[str]:
        """Keep the run of a group instead of its checkpoint, and return the outcome of each of its sequences."""
        keep, checkpoint = self.settings.keep or "ladder", self.folder / f"group-{first:06d}"
        chosen, part = _chosen_of(checkpoint), part.take(np.arange(min(len(part.names), len(self.anchors) - first)))
        if self.stored:
            reasons = () if self.settings.rule is None else read_chosen(chosen).reasons
            for a in range(len(part.names)):
                add(self.store, first + a, part.take(np.array([a])), keep, reasons[a] if reasons else "")
        else:
            kept(part, keep).save(checkpoint.with_suffix(".npz"), force=True)
        Checkpoints(checkpoint).remove()
        if self.stored:  # which has the reasons
            chosen.unlink(missing_ok=True)
        return outcomes(part)

    @contextlib.contextmanager
    def _advised(self, checkpoint: Path) -> Iterator[None]:
        with saying_what_is_damaged(), _advising(f"delete {checkpoint} to sample these sequences again"):
            yield

    def read(self, first: int) -> Run:
        done = self.folder / f"group-{first:06d}.npz"
        with _advising(f"delete {done} to sample these sequences again"):
            return Run.load(done)


def _chosen_of(checkpoint: Path) -> Path:
    return checkpoint.with_name(checkpoint.name + CHOSEN)


@contextlib.contextmanager
def _advising(advice: str) -> Iterator[None]:
    """Add advice to an error that says that kept work cannot be used, for example because it is damaged."""
    try:
        yield
    except (Busy, Refused):
        raise
    except ValueError as error:
        error.add_note(advice)
        raise
