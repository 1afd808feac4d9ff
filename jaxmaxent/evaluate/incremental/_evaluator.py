"""Incremental evaluation of a network, and the evaluator of an ensemble that uses it."""

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
from jaxmaxent.evaluate.incremental._values import Graph, Value


class Cache(NamedTuple):
    """The cached values of a sequence.

    Attributes:
        tokens: the sequence.
        values: values of the network with the sequence axis first, and sums over the sequence axis.
    """

    tokens: Int[Array, " length"]
    values: tuple[Array, ...]


class Patch(NamedTuple):
    """The changes that an edit makes to a cache.

    Attributes:
        edit: the edit.
        values: for each cached value its new windows and their starts, or the new sum.
    """

    edit: Edit
    values: tuple[Any, ...]


class Incremental:
    """A network that recomputes only the values that an edit can change. Make one with `incremental`."""

    def __init__(self, features: Callable[[Any, Array], Array], params: Any, length: int, letters: int) -> None:
        self.graph: Graph = trace(features, params, length, letters)
        self.leaves: list[Any] = [*jax.tree.leaves(params), *self.graph.constants]
        self._plans: dict[tuple[int, int], Plan] = {}
        # An edit of one letter has the narrowest windows. A value that is not worth caching for it is not for any edit.
        self.cached: list[Value] = cached(self.graph, self.plan(1, 1))

    def plan(self, parts: int, width: int) -> Plan:
        """Return the windows for edits of `parts` parts of `width` letters."""
        if (parts, width) not in self._plans:
            self._plans[parts, width] = Plan(self.graph, parts, width)
        return self._plans[parts, width]

    @property
    def cache_bytes(self) -> int:
        """The bytes of one chain's cache, with its tokens."""
        return self.explain().cache_bytes + 4 * self.graph.sequence.shape[0]

    def explain(self, parts: int = 1, width: int = 1) -> Explanation:
        """Return the costs of an edit of `parts` parts of `width` adjacent letters, to be printed as a table."""
        return explain(self.graph, self.plan(parts, width), self.cached)

    def init(self, tokens: Int[Array, " length"]) -> tuple[Shaped[Array, " features"], Cache]:
        """Return the features of a sequence, and its cache."""
        features, values = first_cache(self.graph, self.plan(1, 1), self.leaves, tokens, self.cached)
        return features, Cache(tokens, values)

    def propose(self, cache: Cache, edit: Edit) -> tuple[Shaped[Array, " features"], Patch]:
        """Return the features after an edit, and its patch."""
        plan = self.plan(*edit.letters.shape)
        pairs = zip(self.cached, cache.values, strict=True)
        held = {value.number: jnp.reshape(array, full_shape(value)) for value, array in pairs}
        proposal = Proposal(self.graph, plan, self.leaves, held, cache.tokens, edit)
        features = proposal.features()
        return features, Patch(edit, tuple(proposal.patch_of(value) for value in self.cached))

    def commit(self, cache: Cache, patch: Patch, accept: Bool[Array, ""]) -> Cache:
        """Return the cache, with the patch if `accept`."""
        edit = patch.edit
        here = read(cache.tokens, edit.starts, edit.letters.shape[1])
        tokens = write(cache.tokens, Edit(edit.starts, jnp.where(accept, edit.letters, here)))
        return Cache(tokens, replaced(cache.values, patch.values, accept))


def incremental(features: Callable[[Any, Array], Array], params: Any, length: int, letters: int = 4) -> Incremental:
    """Return a network that recomputes only the values that an edit of its sequence can change.

    The function may come from any framework of JAX, and is traced once. Its parameters may be traced arrays. The result
    can then be made inside `jax.jit`, and parameters of another checkpoint need no new compilation. `init`, `propose`
    and `commit` are functions of one sequence. Map them over chains with `jax.vmap`, and leave `edit.starts` unbatched,
    so that the windows of all chains are the same slices.

    Args:
        features: `features(params, one_hot[length, letters]) -> [features]`, pure, of ONE sequence.
        params: its parameters, a pytree of arrays.
        length: letters of a sequence.
        letters: size of the alphabet.

    Returns:
        The network. Its features are those of `features` up to rounding. Sums over the sequence and convolutions are
        updated by their changes, so rounding errors add up over accepted edits, as a random walk. Call `init` again
        at regular intervals.

    Example:
        ```python
        network = incremental(features, params, length=101)
        made, cache = network.init(tokens)
        made, patch = network.propose(cache, Edit(starts=jnp.array([17]), letters=jnp.array([[2]])))
        cache = network.commit(cache, patch, accept=jnp.array(True))
        print(network.explain())
        ```
    """
    return Incremental(features, params, length, letters)


class IncrementalEvaluator:
    """Recomputes only the values that an edit can change, from a cache of the sequence before the edit.

    Example:
        ```python
        evaluator = IncrementalEvaluator(ensemble)
        energy, cache = evaluator.init(ensemble.anchor)
        ```
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self.network: Incremental = Incremental(
            ensemble.features, ensemble.params, ensemble.length, len(ensemble.alphabet)
        )

    def init(self, tokens: Int[Array, " length"]) -> tuple[Float[Array, ""], Cache]:
        """Return the energy of `tokens`, and their cache."""
        features, cache = self.network.init(tokens)
        return self._ensemble.distance(features), cache

    def propose(self, cache: Cache, edit: Edit) -> tuple[Float[Array, ""], Patch]:
        """Return the energy after the edit, and its patch."""
        features, patch = self.network.propose(cache, edit)
        return self._ensemble.distance(features), patch

    def commit(self, cache: Cache, patch: Patch, accept: Bool[Array, ""]) -> Cache:
        """Return the cache, with the patch if `accept`."""
        return self.network.commit(cache, patch, accept)
