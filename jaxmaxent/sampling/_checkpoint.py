"""A loop on disk: everything that decides how it goes on, and nothing that depends on when it was interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmaxent import files
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.files._checkpoints import Checkpoints
from jaxmaxent.sampling._options import Settings
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.host._loop import Loop
from jaxmaxent.sampling.host._progress import Progress
from jaxmaxent.sampling.host._signals import Interrupted, Interrupts
from jaxmaxent.sampling.host._totals import Record
from jaxmaxent.sampling.program._program import Plan
from jaxmaxent.sampling.program._sharding import placed

_SECONDS_BETWEEN_SAVES = 60.0
_NUMBERS = ("round", "done", "steps", "seconds")
# Of everything saved; a new one where what a loop holds becomes another thing, so that older ones are not gone on with.
_LAYOUT = 4


def owned(folder: str | os.PathLike | None, *, parents: bool = False) -> contextlib.AbstractContextManager[None]:
    """Work on a folder of checkpoints for the time of a block, as the only one; nothing where there is none.

    Raises:
        ValueError: if another process does.
    """
    return contextlib.nullcontext() if folder is None else files.owned(folder, parents=parents)


class Saver:
    """Saves a loop from time to time, and when a signal was noted."""

    def __init__(self, folder: str | os.PathLike) -> None:
        self._store = Checkpoints(folder)
        self._folder = os.fspath(folder)
        self._last = time.monotonic()

    @classmethod
    @jax.transfer_guard("allow")
    def begin(cls, folder: str | os.PathLike, loop: Loop) -> Saver:
        """Make the folder, and save where the loop starts.

        Raises:
            ValueError: if there is something in that place.
        """
        saver = cls(folder)
        what = _fingerprint(loop.ensemble, loop.rule)
        saver._store.begin({"layout": _LAYOUT, "settings": loop.settings.to_json(), "what": what})
        saver._save(loop)
        return saver

    @classmethod
    def open(cls, folder: str | os.PathLike) -> tuple[Saver, Saved]:
        """A folder that `begin` made, and what was saved last.

        Raises:
            ValueError: if it is missing, damaged or of another kind, or another version of jaxmaxent saved it.
        """
        saver = cls(folder)
        about = saver._store.about()
        if about.get("layout") != _LAYOUT:
            raise ValueError(
                f"{os.fspath(folder)} holds a run saved by a version of jaxmaxent with another layout "
                f"({about.get('layout')}, expected {_LAYOUT}): go on with that version, or sample again"
            )
        _, arrays, notes = saver._store.load()
        return saver, Saved(os.fspath(folder), Settings.from_json(about["settings"]), about["what"], arrays, notes)

    def look_up(self, loop: Loop, interrupts: Interrupts) -> None:
        """Save if it is time to; raise `Interrupted` if a signal was noted."""
        if interrupts.noted is not None:
            self._save(loop)
            raise Interrupted(
                f"interrupted after {loop.steps} steps, which are saved in {self._folder}", interrupts.noted
            )
        if time.monotonic() - self._last > _SECONDS_BETWEEN_SAVES:
            self._save(loop)

    def remove(self) -> None:
        """Delete the folder, once the run is over."""
        self._store.remove()

    @jax.transfer_guard("allow")
    def _save(self, loop: Loop) -> None:
        leaves = [np.asarray(leaf) for leaf in jax.device_get(jax.tree.leaves((loop.carry, loop.rule)))]
        arrays = {f"leaf_{i}": leaf for i, leaf in enumerate(leaves)}
        arrays |= {f"record_{name}": value for name, value in loop.record.arrays().items()}
        arrays |= {"betas": loop.betas, "noise": loop.noise}
        arrays["keys"] = np.stack([jax.random.key_data(key) for key in loop.keys])
        if loop.draws:
            arrays["draws"] = np.concatenate(loop.draws, axis=2)
        notes = {name: getattr(loop, name) for name in _NUMBERS}
        self._store.save(loop.steps, arrays, notes | {"keys": str(jax.random.key_impl(loop.keys.what))})
        self._last = time.monotonic()


@dataclasses.dataclass(frozen=True)
class Saved:
    """What `Saver.open` found."""

    folder: str
    settings: Settings
    what: dict[str, Any]
    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]

    @jax.transfer_guard("allow")
    def check(self, ensemble: Ensemble, rule: Any) -> None:
        """ValueError that names the first part of the ensemble or the rule which is not that of the saved run."""
        for name, mark in _fingerprint(ensemble, rule).items():
            if self.what.get(name) != mark:
                owner = "rule" if name == "rule" else "ensemble"
                raise ValueError(f"{owner} must be that of the run saved in {self.folder}, but its {name} is another")

    @jax.transfer_guard("allow")
    def restore(self, plan: Plan, ensemble: Ensemble, rule: Any, bar: Progress) -> Loop:
        """The loop as it was."""
        shape = (ensemble.anchors, plan.chains, plan.replicas, ensemble.length)
        tokens = jax.ShapeDtypeStruct(shape, jnp.int32)
        like = jax.eval_shape(functools.partial(blocks.begin, plan), ensemble, rule, tokens), rule
        count = len(jax.tree.leaves(like))
        leaves = [jnp.asarray(self.arrays[f"leaf_{i}"]) for i in range(count)]
        carry, rule = jax.tree.unflatten(jax.tree.structure(like), leaves)
        keys = (jax.random.wrap_key_data(jnp.asarray(data), impl=self.notes["keys"]) for data in self.arrays["keys"])
        loop = Loop(
            plan, ensemble, rule, self.arrays["betas"], blocks.Keys(*keys), self.settings, placed(plan.mesh, carry), bar
        )
        record = {name[7:]: value for name, value in self.arrays.items() if name.startswith("record_")}
        loop.record = Record.of_arrays(record)
        loop.noise = self.arrays["noise"]
        loop.draws = [self.arrays["draws"]] if "draws" in self.arrays else []
        for name in _NUMBERS:
            setattr(loop, name, self.notes[name])
        return loop


def _fingerprint(ensemble: Ensemble, rule: Any) -> dict[str, Any]:
    """Checksums of what a run is of, by the names of its parts; a run must not go on with another network."""

    def checksum(tree: Any) -> str:
        mark = 0
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.extended):
                leaf = jax.random.key_data(leaf)
            array = np.ascontiguousarray(leaf)
            about = f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}"
            mark = zlib.crc32(array.tobytes(), zlib.crc32(about.encode(), mark))
        return f"{mark:08x}"

    # Not the reference, which follows from these and has other last bits on another machine.
    parts = ("params", "anchor", "weights", "beta", "fields", "movable")
    found = {name: checksum(getattr(ensemble, name)) for name in parts}
    return found | {"alphabet": ensemble.alphabet.letters, "rule": str(jax.tree.structure(rule))}
