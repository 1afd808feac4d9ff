"""The only way from the options of a run to its parts: rule, program and first ladder."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.ensembles._reference import learned_reference, marginals
from jaxmaxent.evaluate._precision import rounded
from jaxmaxent.kernels import Mixture, ReverseComplement, Rotation, Rule, SegmentAdaptive, Site, SiteAdaptive
from jaxmaxent.results import Run
from jaxmaxent.sampling._chains import filling, this_machine
from jaxmaxent.sampling._options import FULL, INCREMENTAL, Options
from jaxmaxent.sampling._sites import movable_sites
from jaxmaxent.sampling.device._state import Ladder
from jaxmaxent.sampling.host._ladder import first_ladder, first_shares
from jaxmaxent.sampling.program._activations import sequence_bytes
from jaxmaxent.sampling.program._evaluation import chosen
from jaxmaxent.sampling.program._memory import check
from jaxmaxent.sampling.program._products import products_of
from jaxmaxent.sampling.program._program import ENOUGH_FOR_A_CPU, Program, program_of
from jaxmaxent.sampling.program._sharding import mesh_for
from jaxmaxent.sampling.program._stretches import has_whole_stretches

# How often the default mixture redraws single sites, a few adjacent ones, and whole segments, which cost several times
# as much. A few sites give most effective draws at the target, segments bring sequences up the ladder
# (docs/results/choices.md).
_FEW = 6
_SHARES = (6, 3, 1)
# The same for rules that move sites whole, 0 where the network ties the sites of the anchors to their places, as they
# would be refused. They are part of the program for every anchor, so that one program serves all.
_SHARE_OF_ROTATIONS, _SHARE_OF_TURNS = 2, 1

_MOST_LANES = 2**16


class Prepared(NamedTuple):
    """The parts of a run, besides its keys and first sequences.

    Attributes:
        ensemble: what is sampled, with a leading axis of anchors and the precision of products decided.
        options: the options, with the way of evaluation and the precision decided.
        rule: how replicas move when the burn-in begins.
        program: what shapes the compiled program.
        ladder: the rungs of both legs of each anchor when the burn-in begins, as arrays of NumPy.
    """

    ensemble: Ensemble
    options: Options
    rule: Rule | Mixture
    program: Program
    ladder: Ladder

    @property
    def told(self) -> str:
        """What will run, in one line: "256 chains × 20 rungs on 8 devices, full evaluation, rounded products"."""
        program, anchors = self.program, self.ensemble.anchors
        devices = 1 if program.mesh is None else program.mesh.size
        parts = [f"{anchors} anchors"] * (anchors > 1) + [f"{program.all_chains} chains"]
        parts += [f"{program.path} rungs"] * (program.path > 1)
        where = f"on {devices} device{'s' * (devices > 1)}"
        rounded = ", rounded products" * bool(self.options.product_noise)
        return f"{' × '.join(parts)} {where}, {self.options.evaluation} evaluation{rounded}"


@jax.transfer_guard("allow")
def prepare(
    ensemble: Ensemble,
    options: Options,
    *,
    rule: Rule | Mixture | None = None,
    mesh: jax.sharding.Mesh | None = None,
    kept: int | None = None,
    start: Any = None,
) -> Prepared:
    """Turn the options of a run into its parts.

    Args:
        ensemble: what is sampled, for one anchor or several.
        options: the options, as `Options.of` made them for this ensemble.
        rule: how replicas move; the default rule of `sample` if None.
        mesh: devices to spread over; those of this process if None.
        kept: number of anchors whose results stay in memory, if there are more of them than in the ensemble.
        start: a run that goes on, which gives its reference; anything else gives none.

    Raises:
        ValueError: if the run would not fit into memory, or if rule, mesh or evaluation do not fit the options.
    """
    ensemble = ensemble.batched()
    if mesh is not None:
        checks.like("mesh", mesh, "axis_names", "a jax.sharding.Mesh")
    check(ensemble, options, devices=getattr(mesh, "size", len(jax.local_devices())), kept=kept)
    if rule is None:
        rule = _default_rule(ensemble, options)
    checks.like("rule", rule, "prepare", "a rule of jaxmaxent.kernels, such as Site()")
    prepared = rule.prepare(ensemble, options.tables)
    mesh = mesh_for(mesh, ensemble.anchors, options.all_chains)
    noise = products_of(ensemble, options)
    options = dataclasses.replace(options, product_noise=noise)
    if noise:
        ensemble = rounded(ensemble)
    way = chosen(options.evaluation, ensemble, prepared, options, mesh)
    options = dataclasses.replace(options, evaluation=way)
    program = program_of(ensemble, options, prepared, mesh)
    program = dataclasses.replace(program, whole_stretches=has_whole_stretches(program, ensemble, options))
    return Prepared(ensemble, options, prepared, program, _first_ladder(ensemble, options, start))


def _default_rule(ensemble: Ensemble, options: Options) -> Rule | Mixture:
    """Return the rule of a run that was given none."""
    if not options.has_background:
        return Site()
    sites = movable_sites(ensemble)
    rules = [SiteAdaptive(), SegmentAdaptive(_FEW), SegmentAdaptive(), Rotation()]
    shares = [*_SHARES, _SHARE_OF_ROTATIONS * sites.shift]
    if ensemble.alphabet.complements is not None:
        rules, shares = [*rules, ReverseComplement()], [*shares, _SHARE_OF_TURNS * sites.turn]
    probabilities = jnp.asarray(np.array(shares) / sum(shares), float)
    return Mixture(tuple(rules), probabilities, probabilities)  # a share may be 0


def _first_ladder(ensemble: Ensemble, options: Options, start: Any) -> Ladder:
    """Return the ladder that the burn-in begins with; without learned letters the reference is the background."""
    betas = _first_betas(ensemble, options)
    if not options.reference_rungs:
        shape = ensemble.anchors, ensemble.length, len(ensemble.alphabet)
        return Ladder(betas, np.zeros((ensemble.anchors, 0)), np.zeros(shape))
    of_background = marginals(ensemble)
    if isinstance(start, Run):  # whose reference serves another ensemble as well, if it covers its sequences
        shape, found = of_background.shape, start.reference.shape
        if shape != found:
            raise ValueError(f"start must be a run with a reference of shape {list(shape)}, got {list(found)}")
        return Ladder(betas, np.asarray(start.reference_share), learned_reference(start.reference, of_background))
    shares = first_shares(options.reference_rungs, ensemble.anchors)
    return Ladder(betas, shares, learned_reference(np.zeros_like(of_background), of_background))


def _first_betas(ensemble: Ensemble, options: Options) -> Float[np.ndarray, "anchors rungs"]:
    beta = np.asarray(ensemble.beta, float)
    if not options.has_background:
        return beta[:, None]
    if options.betas is None:
        return first_ladder(beta, options.rungs, options.rungs_at)
    return np.broadcast_to(np.asarray(options.betas, float), (ensemble.anchors, options.rungs))


def group_size(ensemble: Ensemble, options: Options) -> int:
    """Return how many anchors to sample side by side, so that groups are alike and keep the device busy.

    All anchors of a group go on until the slowest of them is known well enough, so groups are no larger than that.
    """
    anchors, machine = ensemble.batched().anchors, this_machine()
    if machine is None:
        at_once = ENOUGH_FOR_A_CPU // ensemble.length
    else:
        at_once = filling(machine, sequence_bytes(ensemble.batched(), full=options.evaluation == FULL))
    groups = math.ceil(anchors / max(1, at_once // (options.all_chains * options.replicas)))
    return math.ceil(anchors / groups)


def side_by_side(
    ensemble: Ensemble, options: Options, *, rule: Rule | Mixture | None = None, lanes: int | None = None
) -> tuple[str, int]:
    """Return how anchors of a stream are evaluated, and how many of them go side by side, each in a lane of its own.

    With incremental evaluation a lane is alone: lanes choose rules and positions by themselves, so that all of them
    would do the work of all rules.

    Args:
        ensemble: the anchors, batched.
        options: the options of one of them.
        rule: how replicas move; the default rule of `sample` if None.
        lanes: their number, if it is given.

    Raises:
        ValueError: if several are wanted with incremental evaluation, or do not fit into memory.
    """
    if lanes is None:
        lanes = 1 if jax.default_backend() == "cpu" else group_size(ensemble, options)
        devices = len(jax.local_devices())
        lanes = -(-lanes // devices) * devices if lanes > 1 else 1
    elif checks.integer("lanes", lanes, at_least=1, at_most=_MOST_LANES) > 1:
        if options.evaluation == INCREMENTAL:
            raise ValueError(f'lanes must be 1 with evaluation="incremental", got {lanes}')
        options = dataclasses.replace(options, evaluation=FULL)
    if lanes > 1:
        options = dataclasses.replace(options, product_noise=())  # as in lanes
    some = ensemble.take(np.minimum(np.arange(lanes), ensemble.anchors - 1))
    names = tuple(f"lane_{i}" for i in range(lanes))
    evaluation = prepare(some, dataclasses.replace(options, names=names), rule=rule, kept=lanes).options.evaluation
    return evaluation, lanes if evaluation == FULL else 1
