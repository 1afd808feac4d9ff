"""The choice of blocks that have whole stretches only: a GPU then knows the number of draws in each stretch.

A GPU asks its host before every turn of a loop whose number of turns it does not know, and waits for the answer.
"""

from __future__ import annotations

import jax
from jax.extend import core

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate.incremental._costs import flops_of_jaxpr
from jaxmaxent.sampling._options import Options
from jaxmaxent.sampling.host._totals import first_size
from jaxmaxent.sampling.program._flops import traced
from jaxmaxent.sampling.program._program import Program

# Draws of the longest stretch, and the fewest draws whose batches have as many.
_LONGEST, _FEWEST = 8, 192
# FLOPs of a stretch for each sequence, at most: those of 16,000 sequences take an H200 less than a second, so that the
# bar moves, Ctrl-C is heard and a loop can be saved. Beside more than that, waits are nothing.
_MOST_FLOPS = 10**9


def asks_its_host() -> bool:
    """Return whether the device asks its host before every turn of a loop of unknown length, as a GPU does."""
    return jax.default_backend() not in ("cpu", "tpu")


def has_whole_stretches(program: Program, ensemble: Ensemble, options: Options) -> bool:
    """Return whether all blocks are to have whole stretches: on a GPU, if rounds and batches of the run have.

    Other runs of the same shape then have the same program or a second one, whatever their lengths.
    """
    if not asks_its_host():
        return False
    lengths = (*options.rounds, options.draws, first_size(options.draws), program.buffer * program.store_every)
    # Without a burn-in a run goes on from others, and should have their program.
    if not options.rounds or any(length % program.stretch for length in lengths):
        return False
    network = traced(ensemble)
    if _has_while(network):  # nobody knows how long it takes
        return False
    return program.stretch * program.thin * flops_of_jaxpr(network) <= _MOST_FLOPS


def _has_while(jaxpr: core.Jaxpr) -> bool:
    """Return whether there is a loop without a known number of turns, at any depth."""
    inner = [getattr(part, "jaxpr", part) for eqn in jaxpr.eqns for part in jax.tree.leaves(list(eqn.params.values()))]
    found = any(equation.primitive.name == "while" for equation in jaxpr.eqns)
    return found or any(_has_while(part) for part in inner if isinstance(part, core.Jaxpr))


def steps_of_whole_stretches(steps: int, thin: int) -> int:
    """Return the steps of a run of at least so many whose program is that of a run of default length on this device."""
    draws = -(-steps // thin)
    if asks_its_host():
        draws = max(-(-draws // _LONGEST) * _LONGEST, _FEWEST)
    return draws * thin
