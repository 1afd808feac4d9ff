"""What shapes the compiled program, and the checks of what a user asks for."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.results import Run
from jaxmaxent.sampling._options import DEFAULT_RUNGS, INCREMENTAL, MOST_RUNGS, Settings
from jaxmaxent.sampling.device import _swaps as ladder
from jaxmaxent.sampling.program._sharding import mesh_for

# Letters of all replicas of an anchor from which a CPU takes anchors in turn, so that activations stay in its cache;
# below, anchors go side by side, as on accelerators, to share the cost of starting each operation. Not so with
# incremental evaluation: anchors at positions of their own have windows that are no slices of one array any more.
ENOUGH_FOR_A_CPU = 8192
# Draws wait on the device for the end of a block, at most so many and in at most so many bytes.
_BUFFER_DRAWS, _BUFFER_BYTES = 64, 64 * 2**20


@dataclasses.dataclass(frozen=True)
class Plan:
    """What shapes the compiled program besides the ensemble and the rule."""

    chains: int  # of every rung, those in `extra` included
    extra: int  # chains that start at the anchor beside the others and are never part of the estimate
    rungs: int
    target_replicas: int  # at the last rung of every chain
    has_source: bool  # whether the first rung is drawn exactly instead of being walked on
    drawn_together: int  # draws there of each chain that are made together
    thin: int
    incremental: bool  # whether proposals are evaluated by what they change
    one_by_one: bool  # anchors in turn, each for a whole block, instead of side by side
    store_every: int  # counted states between two stored draws; 0 stores none
    buffer: int  # stored draws a block has room for
    mesh: jax.sharding.Mesh | None = None
    rule: str = ""  # its structure; JAX takes pytrees of two classes for one program if their leaves are alike

    @property
    def places(self) -> int:
        """Where sequences stand in a ladder: at every rung one, at the last as many as it has replicas."""
        return self.rungs - 1 + self.target_replicas

    @property
    def replicas(self) -> int:
        """Places where sequences are walked on."""
        return self.places - self.has_source


@jax.transfer_guard("allow")
def first_ladder(given: Any, ensemble: Ensemble, start: Run | None) -> tuple[np.ndarray, bool]:
    """β's to begin with, [anchors, rungs], and whether they are to be adapted; the ensemble is batched."""
    beta = np.asarray(ensemble.beta, float)
    if given is None:
        return beta[:, None], False
    if isinstance(given, str) and given != "auto":
        raise ValueError(f'ladder must be "auto", a number of rungs, β\'s or None, got {checks.shown(given)}')
    if start is not None and np.ndim(given) == 0:
        # Its ladder fits its chains, and was adapted with more of them than a new warm-up would have.
        given = start.beta
    if isinstance(given, str):
        given = DEFAULT_RUNGS
    if np.ndim(given) == 0:
        return ladder.first_guess(beta, checks.integer("ladder", given, at_least=2, at_most=MOST_RUNGS)), True
    return ladder.checked(given, beta), False


@jax.transfer_guard("allow")
def make(ensemble: Ensemble, settings: Settings, mesh: jax.sharding.Mesh | None, rule: Any = None) -> Plan:
    """The plan of a run on the devices of a mesh, or on all of this process."""
    chains = settings.chains + settings.extra
    every = buffer = 0
    if settings.store_every is not None:
        every = settings.store_every // settings.thin
        one_draw = ensemble.anchors * chains * settings.rungs * ensemble.length
        buffer = max(1, min(_BUFFER_DRAWS, _BUFFER_BYTES // one_draw))
    incremental = settings.evaluation == INCREMENTAL
    plan = Plan(
        chains=chains,
        extra=settings.extra,
        rungs=settings.rungs,
        target_replicas=settings.target_replicas,
        has_source=settings.has_source,
        drawn_together=settings.drawn_together,
        thin=settings.thin,
        incremental=incremental,
        one_by_one=ensemble.anchors == 1,
        store_every=every,
        buffer=buffer,
        mesh=mesh_for(mesh, ensemble.anchors, chains),
        rule=str(jax.tree.structure(rule)),
    )
    enough = chains * plan.replicas * ensemble.length >= ENOUGH_FOR_A_CPU
    in_turn = jax.default_backend() == "cpu" and (incremental or enough)
    return dataclasses.replace(plan, one_by_one=plan.one_by_one or in_turn)
