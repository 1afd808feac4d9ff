"""A loop on disk: everything that it needs to go on, and nothing that depends on when it was interrupted."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles._metrics import EUCLIDEAN
from jaxmaxent.files._checkpoints import Checkpoints
from jaxmaxent.sampling._options import Options
from jaxmaxent.sampling._prepare import Prepared
from jaxmaxent.sampling.device._block import begin
from jaxmaxent.sampling.device._state import Carry, Keys, Ladder
from jaxmaxent.sampling.host._loop import Loop
from jaxmaxent.sampling.host._progress import Listener
from jaxmaxent.sampling.host._signals import Interrupted, Interrupts
from jaxmaxent.sampling.host._totals import Totals
from jaxmaxent.sampling.program._sharding import placed

_SECONDS_BETWEEN_SAVES = 60.0
_NUMBERS = ("round", "done", "steps", "seconds")
# Number of the layout of what is saved: a new one whenever a loop holds other things, so that older ones are refused.
_LAYOUT = 11


class Saver:
    """A folder of checkpoints into which a loop is saved, from time to time and when a signal was noted."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._store = Checkpoints(folder)
        self._folder = os.fspath(folder)
        self._last = time.monotonic()

    @classmethod
    @jax.transfer_guard("allow")
    def begin(cls, folder: str | os.PathLike[str], loop: Loop) -> Saver:
        """Make the folder, and save the loop at its start.

        Raises:
            ValueError: if there is something else in that place.
        """
        saver = cls(folder)
        what = _fingerprint(loop.ensemble) | {"rule": loop.program.rule}
        saver._store.begin({"layout": _LAYOUT, "options": loop.options.to_json(), "what": what})
        saver._save(loop)
        return saver

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> tuple[Saver, Saved]:
        """Return the saver of a folder that `begin` made, and what was saved last.

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
        return saver, Saved(os.fspath(folder), Options.from_json(about["options"]), about["what"], arrays, notes)

    def save_if_due(self, loop: Loop, interrupts: Interrupts) -> None:
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
        carry, caches = _parted(loop.carry)
        arrays = _named("leaf", (carry, loop.rule)) | _named("cache", caches)
        arrays |= {f"totals_{name}": value for name, value in loop.totals.arrays().items()}
        arrays |= {f"ladder_{name}": value for name, value in loop.ladder._asdict().items()}
        arrays |= {"noise": loop.noise, "taught": loop.taught, "passed": loop.passed}
        arrays["keys"] = np.stack([jax.random.key_data(key) for key in loop.keys])
        if loop.stored:
            arrays["stored"] = np.concatenate(loop.stored, axis=2)
        notes = {name: getattr(loop, name) for name in _NUMBERS}
        self._store.save(loop.steps, arrays, notes | {"keys": str(jax.random.key_impl(loop.keys.what))})
        self._last = time.monotonic()


@dataclasses.dataclass(frozen=True)
class Saved:
    """The contents of a checkpoint."""

    folder: str
    options: Options
    what: dict[str, Any]
    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]

    @jax.transfer_guard("allow")
    def check_ensemble(self, ensemble: Ensemble) -> None:
        """Check that the ensemble, batched, is that of the saved run.

        Raises:
            ValueError: if it is not, naming the first part that differs.
        """
        saved = {"distance": EUCLIDEAN} | self.what  # runs that say nothing of it had this one
        for name, mark in _fingerprint(ensemble).items():
            if saved.get(name) != mark:
                raise ValueError(f"ensemble must be that of the run saved in {self.folder}, but its {name} is another")

    @jax.transfer_guard("allow")
    def restore(self, prepared: Prepared, bar: Listener) -> Loop:
        """Return the loop as it was.

        Raises:
            ValueError: if the rule is not that of the saved run.
        """
        if self.what.get("rule") != prepared.program.rule:
            raise ValueError(f"rule must be that of the run saved in {self.folder}, but its rule is another")
        program, ensemble = prepared.program, prepared.ensemble
        shape = (ensemble.anchors, program.all_chains, program.replicas, ensemble.length)
        tokens = jax.ShapeDtypeStruct(shape, jnp.int32)
        log_q = jax.ShapeDtypeStruct(prepared.ladder.log_q.shape, ensemble.beta.dtype)
        like = jax.eval_shape(functools.partial(begin, program), ensemble, prepared.rule, log_q, tokens), prepared.rule
        (like, caches), like_rule = _parted(like[0]), like[1]
        carry, rule = self._restored("leaf", (like, like_rule))
        carry = self._with_caches(prepared._replace(rule=rule), carry, caches, log_q)
        keys = (jax.random.wrap_key_data(jnp.asarray(data), impl=self.notes["keys"]) for data in self.arrays["keys"])
        ladder = Ladder(*(self.arrays[f"ladder_{name}"] for name in Ladder._fields))
        prepared = prepared._replace(rule=rule, ladder=ladder)
        loop = Loop(prepared, Keys(*keys), placed(program.mesh, carry), bar)
        totals = {name[7:]: value for name, value in self.arrays.items() if name.startswith("totals_")}
        loop.totals = Totals.of_arrays(totals, loop.burn_in)
        loop.noise, loop.taught, loop.passed = (self.arrays[name] for name in ("noise", "taught", "passed"))
        loop.stored = [self.arrays["stored"]] if "stored" in self.arrays else []
        for name in _NUMBERS:
            setattr(loop, name, self.notes[name])
        if loop.steps // program.thin % program.unit:  # saved on a device that needs no whole stretches
            loop.program = dataclasses.replace(program, whole_stretches=False)
        return loop

    def _restored(self, name: str, like: Any) -> Any:
        """Return the arrays that `_named` named, in the structure of others."""
        leaves = [jnp.asarray(self.arrays[f"{name}_{i}"]) for i in range(len(jax.tree.leaves(like)))]
        return jax.tree.unflatten(jax.tree.structure(like), leaves)

    def _with_caches(self, prepared: Prepared, carry: Carry, like: Any, log_q: jax.ShapeDtypeStruct) -> Carry:
        """Return the carry with its caches; another kind of device may have saved others, so they are made again."""
        shapes = {name: array.shape for name, array in self.arrays.items() if name.startswith("cache_")}
        if shapes == {f"cache_{i}": leaf.shape for i, leaf in enumerate(jax.tree.leaves(like))}:
            caches = self._restored("cache", like)
        else:
            zeros = jnp.zeros(log_q.shape, log_q.dtype)

            def made(tokens: Array) -> Any:
                return begin(prepared.program, prepared.ensemble, prepared.rule, zeros, tokens).states.cache

            caches = [made(states.tokens) for states in (carry.states, carry.draws) if states is not None]
        states = carry.states._replace(cache=caches[0])
        return carry._replace(states=states, draws=carry.draws and carry.draws._replace(cache=caches[1]))


def _parted(carry: Carry) -> tuple[Carry, list[Any]]:
    """Return a carry without the caches of its states, and these."""
    draws = carry.draws and carry.draws._replace(cache=None)
    caches = [states.cache for states in (carry.states, carry.draws) if states is not None]
    return carry._replace(states=carry.states._replace(cache=None), draws=draws), caches


def _named(name: str, tree: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a tree, by a name and their numbers."""
    return {f"{name}_{i}": np.asarray(leaf) for i, leaf in enumerate(jax.device_get(jax.tree.leaves(tree)))}


def _fingerprint(ensemble: Ensemble) -> dict[str, Any]:
    """Return checksums of an ensemble by the names of its parts; a run must not go on with another network."""

    def checksum(tree: Any) -> str:
        mark = 0
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.extended):
                leaf = jax.random.key_data(leaf)
            array = np.ascontiguousarray(leaf)
            about = f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}"
            mark = zlib.crc32(array.tobytes(), zlib.crc32(about.encode(), mark))
        return f"{mark:08x}"

    # Not the reference, because it follows from these and has other last bits on another machine.
    parts = ("params", "anchor", "weights", "beta", "fields", "movable")
    found = {name: checksum(getattr(ensemble, name)) for name in parts}
    if ensemble.held is not None:
        found["held"] = checksum(ensemble.held)
    # Growing fields of the same tables may differ in what they count, which no array says.
    growing = [(f.name, f.terms.width, f.terms.stride, f.terms.first) for f in ensemble.fields if f.grows]
    if growing:
        found["fields"] += f" {growing}"
    return found | {"alphabet": ensemble.alphabet.letters, "distance": ensemble.metric.name}
