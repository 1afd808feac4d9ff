"""Anchors on their way through lanes: how each begins, or goes on from its checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from pathlib import Path
from typing import Any

import jax
from jaxtyping import Array, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.files import owned
from jaxmaxent.kernels import Mixture, Rule
from jaxmaxent.kernels._mixture import TOGETHER
from jaxmaxent.sampling._begin import first_loop
from jaxmaxent.sampling._checkpoint import Saver
from jaxmaxent.sampling._options import Options
from jaxmaxent.sampling._prepare import Prepared, prepare
from jaxmaxent.sampling.host._lanes_progress import Course
from jaxmaxent.sampling.host._loop import Loop
from jaxmaxent.sampling.program._program import Program


def lane_program(program: Program, rule: Rule | Mixture) -> Program:
    """Return the program of one anchor in a lane.

    Lanes choose their rules by themselves, so a branch or a loop would do the work of all rules for all lanes. Where it
    can, a step lets all rules propose, and evaluates one proposal.
    """
    together = not program.incremental and not rule.needs_gradient
    choice = TOGETHER if together else program.choice
    return dataclasses.replace(program, one_by_one=False, choice=choice, mesh=None)


@dataclasses.dataclass
class Entrant:
    """An anchor on its way through a lane.

    Attributes:
        number: its number, by which its run is known.
        loop: its loop, at the start or where it was interrupted; its program is that of a lane.
        course: how far it has come.
        saver: where it is saved.
        holding: what is held until it has left, such as the folder of its checkpoint.
    """

    number: int
    loop: Loop
    course: Course
    saver: Saver
    holding: contextlib.ExitStack


@jax.transfer_guard("allow")
def entrant(
    number: int,
    key: Key[Array, ""],
    ensemble: Ensemble,
    checkpoint: Path,
    *,
    rule: Rule | Mixture | None = None,
    **settings: Any,
) -> Entrant:
    """Return an anchor at its start, or where it was interrupted.

    Args:
        number: its number.
        key: the key of its run.
        ensemble: the ensemble of this anchor alone.
        checkpoint: the folder of its checkpoint, which stays.
        rule: how replicas move.
        settings: further arguments of `sample`.
    """
    batch = ensemble.batched()
    with contextlib.ExitStack() as stack:
        stack.enter_context(owned(checkpoint, parents=True))
        if any(checkpoint.glob("*-step-*.npz")):
            saver, saved = Saver.open(checkpoint)
            saved.check_ensemble(batch)
            prepared = _for_a_lane(prepare(batch, saved.options, rule=rule))
            course = Course(prepared.options, done=saved.notes["steps"])
            loop = saved.restore(prepared, course)
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)  # left by a process that was killed before its first save
            # Products are full, as the program of all lanes cannot follow what each anchor allows.
            options = dataclasses.replace(Options.of(batch, **settings), product_noise=())
            prepared = _for_a_lane(prepare(batch, options, rule=rule))
            course = Course(prepared.options)
            loop = first_loop(key, prepared, "background", course)
            saver = Saver.begin(checkpoint, loop)
        return Entrant(number, loop, course, saver, stack.pop_all())


def _for_a_lane(prepared: Prepared) -> Prepared:
    return prepared._replace(program=lane_program(prepared.program, prepared.rule))
