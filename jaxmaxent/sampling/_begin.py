"""The beginning and the end of every run: from its parts to a loop, and from a loop to its result."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import energy_noise
from jaxmaxent.results import Run
from jaxmaxent.sampling._prepare import Prepared
from jaxmaxent.sampling.device._block import begin
from jaxmaxent.sampling.device._state import Carry, Keys
from jaxmaxent.sampling.host._assemble import result
from jaxmaxent.sampling.host._first_states import first_tokens
from jaxmaxent.sampling.host._loop import Loop, NonFiniteEnergyError
from jaxmaxent.sampling.host._progress import Listener
from jaxmaxent.sampling.host._stopping import verdict
from jaxmaxent.sampling.program._sharding import placed

# Functions under `jax.transfer_guard("allow")` send little between host and device, before and after the loop or
# between rounds of its burn-in. The blocks of the loop leave the guard as the user has it, and send explicitly.


def first_loop(key: Key[Array, ""], prepared: Prepared, start: str | Run, bar: Listener) -> Loop:
    """Return the loop of a run that begins, with its first sequences.

    Raises:
        NonFiniteEnergyError: if the network returns NaN or infinity for one of them.
    """
    key_start, key_steps = _two(key)
    batch, program = prepared.ensemble, prepared.program
    tokens = first_tokens(key_start, batch, program, start)
    log_q = _on_device(prepared.ladder.log_q, batch)
    carry = placed(program.mesh, begin(program, batch, prepared.rule, log_q, tokens))
    _check_first_energies(batch, carry)
    loop = Loop(prepared, Keys.of(key_steps), carry, bar)
    loop.noise = _noise(batch, tokens, carry)
    return loop


def finished(loop: Loop, compile_seconds: float) -> Run:
    """Return the run of a loop that has come to its end."""
    kept = loop.kept()
    return result(loop, kept, [verdict(loop, kept, a) for a in range(loop.ensemble.anchors)], compile_seconds)


@jax.transfer_guard("allow")
def _on_device(log_q: Any, ensemble: Ensemble) -> Array:
    return jnp.asarray(log_q, ensemble.beta.dtype)


@jax.transfer_guard("allow")
def _two(key: Key[Array, ""]) -> tuple[Any, Any]:
    first, second = jax.random.split(key)
    return first, second


@jax.transfer_guard("allow")
def _noise(ensemble: Ensemble, tokens: Any, carry: Carry) -> np.ndarray:
    return energy_noise(ensemble, tokens[:, 0], carry.states.energy[:, 0])


@jax.transfer_guard("allow")
def _check_first_energies(ensemble: Ensemble, carry: Carry) -> None:
    energies, counts, tokens = jax.device_get((carry.states.energy, carry.states.counts, carry.states.tokens))
    wrong = np.argwhere(~(np.isfinite(energies) & np.isfinite(counts).all(-1)))
    if wrong.size:
        anchor, chain, replica = (int(i) for i in wrong[0])
        blamed = "the network or a field" if any(field.grows for field in ensemble.fields) else "the network"
        raise NonFiniteEnergyError(
            f"{blamed} returned a NaN or infinite energy for {len(wrong)} of {energies.size} first sequences, for "
            f"example {ensemble.alphabet.decode(tokens[anchor, chain, replica])}, where chain {chain} of anchor "
            f"{anchor} starts; check its parameters"
        )
