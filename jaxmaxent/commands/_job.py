"""What `interpret` has to do, kept beside its output until that is written, so that nothing is lost on the way.

The folder RUN.checkpoint, hidden in RUN where nothing can be kept beside it, holds all that is needed to go on, on
another machine too: the network and the sequences (copies, as files may change), the settings with every default
filled in, each finished group of sequences as a run, and the checkpoint of the group that is being sampled. Every
group's result follows from these alone, so a job that was killed at any moment ends as it would have otherwise.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
import shlex
import shutil
import signal
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxmaxent.checks import random_key
from jaxmaxent.commands._common import ensemble_of, say, versions
from jaxmaxent.data import Sequences
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.files import (
    HIDDEN,
    MANIFEST,
    PARTIAL,
    Busy,
    Refused,
    belongings,
    entries,
    lies_inside,
    new_folder,
    read_manifest,
    refusing,
    resolved,
)
from jaxmaxent.files._checkpoints import Checkpoints, DamagedCheckpointWarning
from jaxmaxent.models import Network, load, save
from jaxmaxent.results import Run, join
from jaxmaxent.sampling import Interrupted, Precision, resume, sample

FORMAT = "jaxmaxent-interpretation"
FORMAT_VERSION = 4
SETTINGS, MODEL, ANCHORS = "settings.json", "model", "anchors.npz"
SUFFIX = ".checkpoint"
KIND, OUTPUT = "job", "interpretation"  # of the folder, and of the output, in the lists of their files
RUN = "run.npz"  # in the output
# What comes into the folder after it was begun.
_ADDED = re.compile(
    rf"group-\d{{6}}\.npz|group-\d{{6}}/(about\.json|\d+-step-\d+\.npz)({re.escape(PARTIAL)})?"
    rf"|(.*/)?{re.escape(HIDDEN)}.*"
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides the result besides the network and the sequences; plain values.

    Attributes:
        beta, mu, unit: of the ensemble; β is one number, or one for each sequence.
        reasons: why each has its β, where it was chosen for it.
        rungs: rungs of the ladder; 1 for β alone.
        chains: chains at every rung.
        anchor_chains: chains beside them that start at the anchor.
        burn_in: steps of the warm-up.
        steps: steps after it, or None where `until` decides.
        until: what ends a run, and after how much time for each sequence it gives up; or None.
        seed: of the random numbers.
        evaluation: how proposals are evaluated, decided once for all groups.
        group: so many sequences are sampled side by side.
        pictures: so many of the sequences are drawn.
        force: whether the output may replace an older one.
    """

    beta: float | tuple[float, ...]
    reasons: tuple[str, ...]
    mu: float
    unit: int | tuple[int, int] | None
    rungs: int
    chains: int
    anchor_chains: int
    burn_in: int
    steps: int | None
    until: Precision | None
    seed: int
    evaluation: str
    group: int
    pictures: int
    force: bool

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Settings:
        """The settings that `dataclasses.asdict` made, out of JSON."""
        until = None if saved["until"] is None else Precision(**saved["until"])
        unit = tuple(saved["unit"]) if isinstance(saved["unit"], list) else saved["unit"]
        beta = tuple(saved["beta"]) if isinstance(saved["beta"], list) else saved["beta"]
        return cls(**saved | {"until": until, "unit": unit, "beta": beta, "reasons": tuple(saved["reasons"])})

    @property
    def told_beta(self) -> str:
        """β for the reader."""
        betas = self.beta if isinstance(self.beta, tuple) else (self.beta,)
        least, most = min(betas), max(betas)
        return f"{least:.3g}" if least == most else f"{least:.3g} to {most:.3g}"

    def sampling(self, anchors: int) -> dict[str, Any]:
        """Arguments of `sample` for a group of so many anchors, whose times add up."""
        until = self.until
        if until is not None and until.seconds is not None:
            until = dataclasses.replace(until, seconds=until.seconds * anchors)
        return {
            "ladder": None if self.rungs == 1 else self.rungs,
            "chains": self.chains,
            "anchor_chains": self.anchor_chains,
            "burn_in": self.burn_in,
            "steps": self.steps,
            "until": until,
            "evaluation": self.evaluation,
        }


@dataclasses.dataclass(frozen=True)
class Job:
    """A network, sequences and settings, and the folder that keeps them and what has been sampled.

    Attributes:
        out: where the result will be.
        folder: where everything is kept until then.
        identifier: what no other job is called; the list of the output's files repeats it.
        network: the network.
        anchors: the sequences.
        settings: the settings.
    """

    out: Path
    folder: Path
    identifier: str
    network: Network
    anchors: Sequences
    settings: Settings

    @classmethod
    def begin(cls, out: str, network: Network, anchors: Sequences, settings: Settings) -> Job:
        """Make the folder; a job that is in its place is discarded if `settings.force`."""
        check_place(out, force=settings.force)
        place = resolved(out)
        beside, inside = belongings(place, SUFFIX)
        for kept in (beside, inside):
            if kept.is_dir():
                _discard(kept)
        folder = inside if lies_inside(place) else beside
        identifier = uuid.uuid4().hex
        with new_folder(folder, kind=KIND, notes={"identifier": identifier}) as scratch:
            save(network, scratch / MODEL)
            np.savez_compressed(scratch / ANCHORS, tokens=anchors.tokens)
            about: dict[str, Any] = {"settings": dataclasses.asdict(settings), "names": list(anchors.names)}
            about |= {"versions": versions(), "files": _checksums(scratch)}
            about |= {"format": FORMAT, "format_version": FORMAT_VERSION, "checksum": _checksum(_canonical(about))}
            (scratch / SETTINGS).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return cls(Path(out), folder, identifier, network, anchors, settings)

    @classmethod
    def open(cls, out: str) -> Job:
        """What `begin` made.

        Raises:
            ValueError: if the folder is missing, damaged or of another kind.
        """
        folder = folder_of(out)
        about = _read(folder)
        _check_files(folder, about)
        network = load(folder / MODEL)
        with np.load(folder / ANCHORS, allow_pickle=False) as archive:
            tokens = archive["tokens"]
        alphabet = network.architecture.alphabet
        anchors = Sequences(tokens, tuple(about["names"]), alphabet=alphabet)
        return cls(Path(out), folder, _identifier(folder), network, anchors, Settings.from_json(about["settings"]))

    def sampled(self, *, progress: bool) -> Run:
        """Sample all groups, or what is left of them, and tell how each sequence ended."""
        given = self.settings
        ensemble = ensemble_of(self.network, self.anchors, beta=given.beta, mu=given.mu, unit=given.unit)
        parts = []
        for first in range(0, len(self.anchors), given.group):
            parts.append(self._group(first, ensemble, progress))
            for name, outcome in zip(parts[-1].names, parts[-1].outcomes, strict=True):
                say(f"{name}: {outcome}")
        return join(parts)

    def _group(self, first: int, ensemble: Ensemble, progress: bool) -> Run:
        """One group, all of one size so that one program serves them: the last is filled up with its last anchor."""
        done = self.folder / f"group-{first:06d}.npz"
        if done.is_file():
            with _advising(f"delete {done} to sample these sequences anew"):
                return Run.load(done)
        count = len(self.anchors)
        indices = np.minimum(np.arange(first, first + self.settings.group), count - 1)
        mine, checkpoint = ensemble.take(indices), done.with_suffix("")
        if any(checkpoint.glob("*-step-*.npz")):
            with _saying_what_is_damaged(), _advising(f"delete {checkpoint} to sample these sequences anew"):
                part = resume(checkpoint, mine, keep_checkpoint=True, progress=progress)
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)  # of a process killed before its first save
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
    def kept(self, *, fresh: bool) -> Iterator[None]:
        """Say where things are kept if the block does not end well.

        A fresh job in which nothing was sampled yet takes its folder away instead.
        """
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as stop:
            if fresh and not self._has_begun():
                self.remove()
                raise
            number = signal.SIGINT if isinstance(stop, KeyboardInterrupt) else signal.SIGTERM
            raise Interrupted(f"interrupted; {self._told()}", getattr(stop, "signal", number)) from None
        except Exception as error:
            if fresh and not self._has_begun():
                self.remove()
            elif fresh and not isinstance(error, ArithmeticError):  # a network that fails will fail there again
                error.add_note(self._told())
            raise

    def _has_begun(self) -> bool:
        return any(self.folder.glob("group-*"))

    def _told(self) -> str:
        done = min(len(list(self.folder.glob("group-*.npz"))) * self.settings.group, len(self.anchors))
        return (
            f"what was sampled is kept in {self.folder} ({done} of {len(self.anchors)} sequences are done), "
            f"go on with: jaxmaxent resume {shlex.quote(str(self.out))}"
        )

    def remove(self) -> None:
        """Delete the folder; a file that was not written here stays, and the folder with it.

        Raises:
            ValueError: if something in it cannot be deleted.
        """
        _discard(self.folder)


def folder_of(out: str) -> Path:
    """Where the job whose output goes to `out` is kept, or would be if there is none."""
    beside, inside = belongings(resolved(out), SUFFIX)
    return inside if inside.is_dir() and not beside.is_dir() else beside


def check_place(out: str, *, force: bool) -> None:
    """ValueError if a job is kept for `out` that may not be discarded, or something else in its place."""
    for kept in belongings(resolved(out), SUFFIX):
        with refusing(kept, "read"):
            if not kept.exists() or (kept.is_dir() and not entries(kept)):
                continue
            if not force:
                raise ValueError(
                    f"{kept} keeps an interrupted run: go on with `jaxmaxent resume {shlex.quote(str(out))}`, or "
                    "discard it with --force"
                )
            if foreign := _foreign(kept):
                raise ValueError(f"{kept} is not discarded, as {foreign} was not written here; move it elsewhere")


def delivered(out: str) -> Run | None:
    """The result of a job whose output is written already, as that of one killed in its last step; otherwise None.

    What is left of the job is deleted.
    """
    folder, place = folder_of(out), resolved(out)
    written = read_manifest(place)
    if written is None or written["kind"] != OUTPUT or not (place / RUN).is_file():
        return None
    if folder.exists() and entries(folder) and written["notes"].get("job") != _identifier(folder):
        return None
    run = Run.load(place / RUN)
    _discard(folder)
    return run


def _identifier(folder: Path) -> str:
    about = read_manifest(folder)
    return "" if about is None or about["kind"] != KIND else str(about["notes"].get("identifier"))


def _foreign(folder: Path) -> str | None:
    """What in the place of a job was not written there by one; None if there is nothing."""
    ours = _ours(folder)
    if not ours:
        return "what is there"
    return next((name for name in _files(folder) if name not in ours and not _ADDED.fullmatch(name)), None)


def _ours(folder: Path) -> set[str]:
    """The files that a job was begun with; none in a folder that is not of one."""
    about = read_manifest(folder)
    return set() if about is None or about["kind"] != KIND else {MANIFEST, *about["files"]}


def _files(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return sorted((path.relative_to(folder).as_posix() for path in paths), key=lambda name: (name == MANIFEST, name))


def _discard(folder: Path) -> None:
    """Delete the folder of a job, the list of its files last: until then it is known as one. Files of others stay."""
    if not folder.is_dir():
        return
    with refusing(folder, "deleted"):
        ours = _ours(folder)
        for name in _files(folder) if ours else ():
            if name in ours or _ADDED.fullmatch(name):
                (folder / name).unlink()
        for path in [*sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True), folder]:
            if not any(path.iterdir()):
                path.rmdir()


@contextlib.contextmanager
def _advising(advice: str) -> Iterator[None]:
    """Say what to do where something that was kept cannot be gone on with, as it is damaged or the like."""
    try:
        yield
    except (Busy, Refused):
        raise
    except ValueError as error:
        error.add_note(advice)
        raise


@contextlib.contextmanager
def _saying_what_is_damaged() -> Iterator[None]:
    """Print a warning on a damaged checkpoint as a line, without the place in the source."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", DamagedCheckpointWarning)
        show = warnings.showwarning

        def told(message: Any, category: Any, *rest: Any, **more: Any) -> None:
            say(message) if issubclass(category, DamagedCheckpointWarning) else show(message, category, *rest, **more)

        warnings.showwarning = told
        yield


def _read(folder: Path) -> dict[str, Any]:
    """The description of a job."""
    if not folder.is_dir():
        raise ValueError(
            f"{folder} does not exist, expected the folder that an interrupted `jaxmaxent interpret` keeps"
        )
    try:
        about = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        kind, version, checksum = (about.pop(key) for key in ("format", "format_version", "checksum"))
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{folder} is damaged or was not made by `jaxmaxent interpret`: no sound {SETTINGS}"
        ) from error
    if kind != FORMAT or not isinstance(version, int) or version != FORMAT_VERSION:
        raise ValueError(
            f"{folder} has format {kind!r} version {version!r}, expected {FORMAT!r} version {FORMAT_VERSION}"
        )
    if checksum != _checksum(_canonical(about)):
        raise ValueError(f"{folder} is damaged: {SETTINGS} does not have its checksum")
    return about


def _check_files(folder: Path, about: dict[str, Any]) -> None:
    """ValueError unless the files in the folder of a job are those it was begun with."""
    found = _checksums(folder)
    for name, expected in about["files"].items():
        if found.get(name) != expected:
            state = "does not have its checksum" if name in found else "is missing"
            raise ValueError(f"{folder} is damaged: {name} {state}")


def _checksums(folder: Path) -> dict[str, str]:
    files = [folder / ANCHORS, *sorted((folder / MODEL).glob("[!.]*"))]
    return {str(file.relative_to(folder)): _checksum(file.read_bytes()) for file in files if file.is_file()}


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(about: dict[str, Any]) -> bytes:
    return json.dumps(about, sort_keys=True).encode()
