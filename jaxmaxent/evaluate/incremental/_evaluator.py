"""The transformation as functions of a network, and as an evaluator of an ensemble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate._interface import Edit, read, write
from jaxmaxent.evaluate.incremental._commit import replaced
from jaxmaxent.evaluate.incremental._explain import Explanation, explain
from jaxmaxent.evaluate.incremental._plan import Plan, cached
from jaxmaxent.evaluate.incremental._proposal import Proposal, first_cache, full_shape
from jaxmaxent.evaluate.incremental._trace import trace


class Cache(NamedTuple):
    """What is remembered of a sequence.

    Attributes:
        tokens: itself.
        values: of the network, each with its sequence axis first, and sums over such.
    """

    tokens: Int[Array, " length"]
    values: tuple[Array, ...]


class Patch(NamedTuple):
    """What an edit makes of a cache: the edit, and of every cached value the windows it wrote and where."""

    edit: Edit
    values: tuple[Any, ...]


class Incremental:
    """A network that recomputes what an edit can reach. Make one with `incremental`."""

    def __init__(self, features: Callable[[Any, Array], Array], params: Any, length: int, letters: int) -> None:
        self.graph = trace(features, params, length, letters)
        self.leaves = [*jax.tree.leaves(params), *self.graph.constants]
        self._plans: dict[tuple[int, int], Plan] = {}
        # An edit of one letter has the narrowest windows, so what is not worth remembering for it never is.
        self.cached = cached(self.graph, self.plan(1, 1))

    def plan(self, parts: int, width: int) -> Plan:
        """The windows of edits of so many parts of so many letters."""
        if (parts, width) not in self._plans:
            self._plans[parts, width] = Plan(self.graph, parts, width)
        return self._plans[parts, width]

    @property
    def cache_bytes(self) -> int:
        """Bytes that are remembered for each chain, with its tokens."""
        return self.explain().cache_bytes + 4 * self.graph.sequence.shape[0]

    def explain(self, parts: int = 1, width: int = 1) -> Explanation:
        """What an edit of `parts` parts of `width` adjacent letters costs, operation by operation; print it."""
        return explain(self.graph, self.plan(parts, width), self.cached)

    def init(self, tokens: Int[Array, " length"]) -> tuple[Shaped[Array, " features"], Cache]:
        """Features of a sequence, and its cache."""
        features, values = first_cache(self.graph, self.plan(1, 1), self.leaves, tokens, self.cached)
        return features, Cache(tokens, values)

    def propose(self, cache: Cache, edit: Edit) -> tuple[Shaped[Array, " features"], Patch]:
        """Features after an edit, and the patch that makes it."""
        plan = self.plan(*edit.letters.shape)
        pairs = zip(self.cached, cache.values, strict=True)
        held = {value.number: jnp.reshape(array, full_shape(value)) for value, array in pairs}
        proposal = Proposal(self.graph, plan, self.leaves, held, cache.tokens, edit)
        features = proposal.features()
        return features, Patch(edit, tuple(proposal.patch_of(value) for value in self.cached))

    def commit(self, cache: Cache, patch: Patch, accept: Bool[Array, ""]) -> Cache:
        """The cache with the patch where `accept`."""
        edit = patch.edit
        here = read(cache.tokens, edit.starts, edit.letters.shape[1])
        tokens = write(cache.tokens, Edit(edit.starts, jnp.where(accept, edit.letters, here)))
        return Cache(tokens, replaced(cache.values, patch.values, accept))


def incremental(features: Callable[[Any, Array], Array], params: Any, length: int, letters: int = 4) -> Incremental:
    """A network that recomputes only what an edit of its sequence can reach.

    The function is traced, once; whatever framework it comes from. Its parameters may be traced themselves, so that
    the result can be made inside `jax.jit` and another checkpoint does not compile again. `init`, `propose` and
    `commit` are functions of one sequence; map them over chains with `jax.vmap`, and leave `edit.starts` unbatched,
    so that every chain's windows are the same slices.

        network = incremental(features, params, length=101)
        made, cache = network.init(tokens)
        made, patch = network.propose(cache, Edit(starts=jnp.array([17]), letters=jnp.array([[2]])))
        cache = network.commit(cache, patch, accept=True)
        print(network.explain())

    Args:
        features: `features(params, one_hot[length, letters]) -> [features]`, pure, of ONE sequence.
        params: its parameters, a pytree of arrays.
        length: letters of a sequence.
        letters: size of the alphabet.

    Returns:
        The network. Its features are those of `features` up to rounding: sums over the sequence and convolutions
        are updated by what changed, so that rounding errors add up over accepted edits, as a random walk. Begin
        again with `init` now and then.
    """
    return Incremental(features, params, length, letters)


class IncrementalEvaluator:
    """Recomputes what an edit can reach, from what is remembered of the sequence before it."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self.network = Incremental(ensemble.features, ensemble.params, ensemble.length, len(ensemble.alphabet))

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Cache]:
        """Energy of `tokens`, and the cache."""
        features, cache = self.network.init(tokens)
        return self._ensemble.distance(features), cache

    def propose(self, cache: Cache, edit: Edit) -> tuple[Float[Array, ""], Patch]:
        """Energy after the edit, and the patch that makes it."""
        features, patch = self.network.propose(cache, edit)
        return self._ensemble.distance(features), patch

    def commit(self, cache: Cache, patch: Patch, accept: Bool[Array, ""]) -> Cache:
        """The cache with the patch where `accept`."""
        return self.network.commit(cache, patch, accept)
