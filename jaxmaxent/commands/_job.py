"""The unfinished work of `interpret`. It is kept in a folder until the output is written, so nothing is lost.

The folder is RUN.checkpoint, beside the output folder RUN, or a hidden folder in RUN if nothing can be written beside
it. It holds everything that is needed to continue, also on another machine: copies of the network and the sequences,
the settings with every default filled in, each finished group of sequences as a run, and the checkpoint of the group
that is being sampled. The result of every group depends on these only, so a job that was killed and continued has the
same result as one that was not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxmaxent.analysis import auto_beta
from jaxmaxent.analysis._resolution.automatic import checked_rule
from jaxmaxent.checks import random_key
from jaxmaxent.commands._chosen import CHOSEN, read_chosen, write_chosen
from jaxmaxent.commands._common import beta_text, ensemble_of, precision_of, say, versions
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
    saying_what_is_damaged,
    write_about,
)
from jaxmaxent.commands._network import Found
from jaxmaxent.commands._options import ChainOptions, SamplingOptions, StoppingOptions, values
from jaxmaxent.commands._sites import Maps, maps_of
from jaxmaxent.commands._summary import outcomes
from jaxmaxent.data import Sequences
from jaxmaxent.ensembles import Ensemble, Representation
from jaxmaxent.files import (
    MANIFEST,
    Busy,
    Refused,
    belongings,
    entries,
    lies_inside,
    new_folder,
    read_manifest,
    resolved,
)
from jaxmaxent.files._checkpoints import Checkpoints
from jaxmaxent.results import Run, join
from jaxmaxent.sampling import Interrupted, Precision, resume, sample

# Groups are numbered by their first sequence, so keys of short runs have numbers beyond.
_OTHER_KEYS = 2**31
OUTPUT = "interpretation"  # the kind of the output, in the list of its files
RUN = "run.npz"  # in the output


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobSettings(SamplingOptions):
    """All settings that the result of a job depends on, besides the network and the sequences, as plain values.

    For an option that the user did not give, the library chose the value.

    Attributes:
        beta: one number, or one per sequence; None while a rule has yet to choose it.
        rule: the rule of `analysis.auto_beta` that chooses β for each sequence; None if β was given.
        wanted: what that rule wants; None for its default.
        group: the number of sequences that are sampled side by side.
        reasons: why each sequence has its β, once a rule has chosen it.
        rungs_at: smaller β's that were asked for besides β, increasing.
        kmers: letters of the k-mers that are counted, or None.
    """

    beta: float | tuple[float, ...] | None
    rule: str | None
    wanted: float | None
    group: int
    reasons: tuple[str, ...] = ()
    rungs_at: tuple[float, ...] = ()
    kmers: int | None = None

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> JobSettings:
        """Return the settings from their form in JSON, which `dataclasses.asdict` made."""
        lists: dict[str, Any] = {name: tuple(value) for name, value in saved.items() if isinstance(value, list)}
        return cls(**saved | lists)

    @property
    def until(self) -> Precision | None:
        """The precision at which a run ends; None if it ends after a number of steps."""
        return None if self.steps is not None else precision_of(self)

    @property
    def told_beta(self) -> str:
        """β as readers see it."""
        if self.rungs_at:
            return ", ".join(beta_text(beta) for beta in self.asked_betas)
        betas = self.beta if isinstance(self.beta, tuple) else (self.beta or 0.0,)
        return " to ".join(dict.fromkeys(f"{beta:.3g}" for beta in (min(betas), max(betas))))

    def plain(self) -> dict[str, Any]:
        """Return the settings as the summary of a run shows them."""
        hidden = {"force", "reasons", "group", "rule", "wanted", "rungs_at", "kmers", *values(self, StoppingOptions)}
        shown = {name: value for name, value in dataclasses.asdict(self).items() if name not in hidden}
        chosen = {} if self.rule is None else {"beta_rule": self.rule, "beta_wanted": checked_rule(*self.asked)[1]}
        chosen |= {"rungs_at": self.rungs_at} if self.rungs_at else {}
        return shown | chosen | {"until": None if self.until is None else dataclasses.asdict(self.until)}

    @property
    def asked_betas(self) -> tuple[float, ...]:
        """All β's that were asked for, increasing; none if there is only the target."""
        return (*self.rungs_at, self.beta) if self.rungs_at and isinstance(self.beta, float) else ()

    @property
    def asked(self) -> tuple[str | None, float | None]:
        """The rule for β and what it wants."""
        return self.rule, self.wanted

    def sampling(self, anchors: int) -> dict[str, Any]:
        """Return the arguments of `sample` for a group of anchors; the limit on seconds is multiplied by `anchors`."""
        until = self.until
        if until is not None and until.seconds is not None:
            until = dataclasses.replace(until, seconds=until.seconds * anchors)
        arguments = values(self, ChainOptions) | {"until": until, "rungs_at": self.rungs_at, "kmers": self.kmers}
        rungs = arguments.pop("rungs")
        return arguments | {"ladder": None if rungs == 1 else rungs}

    def short_run(self) -> dict[str, Any]:
        """Return the arguments that give a rule for β the program of the sampling; its own ladder without one."""
        if self.rungs == 1:
            return {"evaluation": self.evaluation}
        names = ("chains", "anchor_chains", "evaluation", "kmers")
        return {"ladder": self.rungs} | {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class Job:
    """A network, sequences and settings, and the folder that keeps them with the finished work.

    Attributes:
        out: the folder that the output will be written to.
        folder: the folder that keeps the work until then.
        identifier: the unique name of this job. It is also in the list of the output's files.
        network: the network's representation.
        anchors: the sequences.
        settings: the settings.
    """

    out: Path
    folder: Path
    identifier: str
    network: Representation
    anchors: Sequences
    settings: JobSettings

    @classmethod
    def begin(cls, out: str, found: Found, network: Representation, anchors: Sequences, settings: JobSettings) -> Job:
        """Make the folder of a new job. An older job there is deleted if `settings.force`, else it is an error."""
        check_place(out, force=settings.force)
        place = resolved(out)
        beside, inside = belongings(place, SUFFIX)
        for kept in (beside, inside):
            discard(kept)
        folder = inside if lies_inside(place) else beside
        identifier = uuid.uuid4().hex
        with new_folder(folder, kind=KIND, notes={"identifier": identifier}) as scratch:
            about: dict[str, Any] = {"settings": dataclasses.asdict(settings), "names": list(anchors.names)}
            about |= {"network": found.saved(scratch / MODEL)}
            np.savez_compressed(scratch / ANCHORS, tokens=anchors.tokens)
            write_about(scratch, about | {"identifier": identifier, "versions": versions()})
        return cls(Path(out), folder, identifier, network, anchors, settings)

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
        return cls(Path(out), folder, about["identifier"], made, anchors, settings)

    def sampled(self, *, progress: bool) -> Run:
        """Sample all groups that are not finished, print the outcome of each sequence, and return the whole run."""
        given = self.settings
        beta = 1.0 if given.beta is None else given.beta
        ensemble = ensemble_of(self.network, self.anchors, beta=beta, mu=given.mu, unit=given.unit)
        parts = []
        for first in range(0, len(self.anchors), given.group):
            parts.append(self._group(first, ensemble, progress))
            for line in outcomes(parts[-1]):
                say(line)
        if any(part.draws is None for part in parts) and not all(part.draws is None for part in parts):
            say("some sequences took fewer steps than --store-every: no draws are kept")
            parts = [dataclasses.replace(part, draws=None) for part in parts]
        return join(parts)

    def maps(self) -> Maps:
        """Return where in the sequences the network sees something; cheap beside sampling."""
        ensemble = ensemble_of(self.network, self.anchors, beta=1.0, mu=self.settings.mu, unit=self.settings.unit)
        return maps_of(ensemble, random_key(self.settings.seed))

    def settled(self) -> JobSettings:
        """Return the settings with the β's that a rule chose for the groups that were begun, and its reasons."""
        if self.settings.rule is None:
            return self.settings
        chosen = [read_chosen(file) for file in sorted(self.folder.glob(f"group-*{CHOSEN}"))]
        beta = tuple(b for one in chosen for b in one.beta.tolist())[: len(self.anchors)]
        reasons = tuple(reason for one in chosen for reason in one.reasons)[: len(self.anchors)]
        return dataclasses.replace(self.settings, beta=beta, reasons=reasons)

    def _with_beta(self, first: int, mine: Ensemble) -> Ensemble:
        """Return a group with the β that the rule chooses, or chose before an interruption."""
        if self.settings.rule is None:
            return mine
        file = self.folder / f"group-{first:06d}{CHOSEN}"
        if file.is_file():
            return mine.with_beta(read_chosen(file).beta)
        key = jax.random.fold_in(random_key(self.settings.seed), first + _OTHER_KEYS)
        chosen = auto_beta(mine, *self.settings.asked, key=key, **self.settings.short_run())
        write_chosen(file, chosen)
        return mine.with_beta(chosen.beta)

    def _group(self, first: int, ensemble: Ensemble, progress: bool) -> Run:
        """Return the run of one group, from a file or sampled.

        The last group is filled up with copies of the last anchor, so that all groups use one compiled program.
        """
        done = self.folder / f"group-{first:06d}.npz"
        if done.is_file():
            with _advising(f"delete {done} to sample these sequences again"):
                return Run.load(done)
        count = len(self.anchors)
        indices = np.minimum(np.arange(first, first + self.settings.group), count - 1)
        mine, checkpoint = self._with_beta(first, ensemble.take(indices)), done.with_suffix("")
        if any(checkpoint.glob("*-step-*.npz")):
            with saying_what_is_damaged(), _advising(f"delete {checkpoint} to sample these sequences again"):
                part = resume(checkpoint, mine, keep_checkpoint=True, progress=progress)
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)  # left by a process that was killed before its first save
            key = jax.random.fold_in(random_key(self.settings.seed), first)
            part = sample(
                key, mine, names=[self.anchors.names[i] for i in indices], checkpoint=checkpoint, keep_checkpoint=True,
                progress=progress, **self.settings.sampling(len(indices)),
            )  # fmt: skip
        part = part.take(np.arange(min(self.settings.group, count - first)))
        part.save(done)
        Checkpoints(checkpoint).remove()
        return part

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
        return any(self.folder.glob("group-*"))

    def _told(self) -> str:
        done = min(len(list(self.folder.glob("group-*.npz"))) * self.settings.group, len(self.anchors))
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
            say(f"the list of files {self.folder / MANIFEST} was missing or damaged; it was not needed")
        discard(self.folder)


def delivered(out: str) -> Run | None:
    """Return the result of a job that was killed after its output was written; otherwise None.

    The remaining files of the job are deleted.
    """
    folder, place = folder_of(out), resolved(out)
    written = read_manifest(place)
    if written is None or written.get("kind") != OUTPUT or not (place / RUN).is_file():
        return None
    if folder.exists() and entries(folder) and written["notes"].get("job") != identifier_of(folder):
        return None
    run = Run.load(place / RUN)
    discard(folder)
    return run


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
