"""The background: the ensemble at β = 0, where only the fields act, drawn, normalized and averaged exactly.

Fields reach no further than neighbouring letters, so the background is a Markov chain along the sequence. Messages are
passed from its end to its start, then letters are drawn from start to end (forward filtering, backward sampling, here
in mirror order). The letters of fixed positions have probability one.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxmaxent.ensembles._ensemble import Ensemble


class Background(NamedTuple):
    """Tables for exact draws at β = 0, computed once for many draws; make them with `background_of`.

    Attributes:
        unary: log-weight of each letter and of everything to its right, up to a constant for each position; −∞ for
            letters that no sequence has there; shape [length, letters].
        pair: log-weight of two neighbours, shape [letters, letters]; None if letters are independent.
    """

    unary: Float[Array, "length letters"]
    pair: Float[Array, "letters letters"] | None

    def draw(self, key: Key[Array, ""]) -> Int[Array, " length"]:
        """Draw one sequence exactly, int32."""
        if self.pair is None:
            # One random number per letter; Gumbel noise would take one for each letter of the alphabet.
            sums = jnp.cumsum(jax.nn.softmax(self.unary), axis=-1)
            number = jax.random.uniform(key, (len(sums), 1), sums.dtype)
            return jnp.sum(number * sums[:, -1:] >= sums, axis=-1, dtype=jnp.int32)
        pair = self.pair
        # The largest of log-weights with Gumbel noise is a draw; the noise of all positions is made at once.
        noise = jax.random.gumbel(key, self.unary.shape, self.unary.dtype)

        def letter(previous: Array, site: Array) -> tuple[Array, Array]:
            token = jnp.argmax(previous + site)
            return pair[token], token

        nothing_before = jnp.zeros(self.unary.shape[1], self.unary.dtype)
        return jax.lax.scan(letter, nothing_before, self.unary + noise)[1].astype(jnp.int32)


def background_of(ensemble: Ensemble) -> Background:
    """Return the background of an ensemble of one anchor."""
    unary, pair, _ = potentials(ensemble, ensemble.mu())
    if all(field.pair is None for field in ensemble.fields):
        return Background(unary, None)
    return Background(unary + _messages(unary, pair)[0], pair)


def draw(key: Key[Array, ""], ensemble: Ensemble, count: int) -> Int[Array, "count length"]:
    """Draw `count` independent sequences exactly at β = 0, int32, for an ensemble of one anchor."""
    background = background_of(ensemble)
    return jax.vmap(lambda chain: background.draw(jax.random.fold_in(key, chain)))(jnp.arange(count))


def log_partition(ensemble: Ensemble, mu: Float[Array, " fields"] | None = None) -> Float[Array, ""]:
    """Return log Σ_x exp(Σ μ_k N_k(x)) over the sequences that keep the fixed positions, for one anchor."""
    return _log_partition(ensemble, ensemble.mu() if mu is None else mu)


@jax.jit  # a scan outside a compiled program is compiled at every call
def _log_partition(ensemble: Ensemble, mu: Float[Array, " fields"]) -> Float[Array, ""]:
    unary, pair, constant = potentials(ensemble, mu)
    messages, subtracted = _messages(unary, pair)
    return constant + subtracted + jax.nn.logsumexp(unary[0] + messages[0])


def marginals(ensemble: Ensemble) -> Float[Array, "length letters"]:
    """Return the exact letter frequencies at β = 0, for one anchor; 0 for letters that no sequence has there."""
    unary, pair, _ = potentials(ensemble, ensemble.mu())

    def log_z(more: Array) -> Array:
        messages, subtracted = _messages(unary + more, pair)
        return subtracted + jax.nn.logsumexp(unary[0] + more[0] + messages[0])

    return jax.grad(log_z)(jnp.zeros_like(unary))


def mean_counts(ensemble: Ensemble, mu: Float[Array, " fields"] | None = None) -> Float[Array, " fields"]:
    """Return the exact ⟨N_k⟩ at β = 0, the gradient of log Z with respect to μ, for one anchor."""
    return jax.grad(lambda m: log_partition(ensemble, m))(ensemble.mu() if mu is None else mu)


def potentials(ensemble: Ensemble, mu: Float[Array, " fields"]) -> tuple[Array, Array, Array]:
    """Return log-weights of letters [length, letters] and of neighbours [letters, letters], and a constant.

    Impossible letters have −∞. The largest log-weight of each position is subtracted from the others, and the constant
    is the sum of these: otherwise large scores would drown small ones.
    """
    letters = len(ensemble.alphabet)
    unary = jnp.zeros((ensemble.length, letters), mu.dtype)
    pair = jnp.zeros((letters, letters), mu.dtype)
    for k, field in enumerate(ensemble.fields):
        unary = unary + mu[k] * jnp.broadcast_to(field.unary, unary.shape)
        if field.pair is not None:
            pair = pair + mu[k] * field.pair
    held = jnp.ones(ensemble.length, bool).at[ensemble.movable].set(False)
    impossible = held[:, None] & ~jax.nn.one_hot(ensemble.anchor, letters, dtype=bool)
    if (forbidden := ensemble.forbidden()) is not None:
        impossible = impossible | forbidden
    unary = jnp.where(impossible, -jnp.inf, unary)
    # The sum does not depend on the subtracted numbers, so no gradient has to pass through them.
    subtracted = jax.lax.stop_gradient(unary.max(1))
    return unary - subtracted[:, None], pair, subtracted.sum()


def _messages(unary: Array, pair: Array) -> tuple[Float[Array, "length letters"], Float[Array, ""]]:
    """Return the log-weight of everything to the right of each position, given its letter, and a constant.

    The largest message of each position is subtracted from the others; the constant is the sum of these.
    """

    def before(message: Array, site_unary: Array) -> tuple[Array, tuple[Array, Array]]:
        message = jax.nn.logsumexp(pair + (site_unary + message)[None], axis=1)
        subtracted = jax.lax.stop_gradient(message.max())
        return message - subtracted, (message - subtracted, subtracted)

    last = jnp.zeros(unary.shape[1], unary.dtype)
    _, (messages, subtracted) = jax.lax.scan(before, last, unary[1:], reverse=True)
    return jnp.concatenate([messages, last[None]]), subtracted.sum()
