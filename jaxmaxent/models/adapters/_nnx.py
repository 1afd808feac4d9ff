"""Networks of Flax NNX."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from flax import nnx

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation
from jaxmaxent.models.adapters._adapt import PENULTIMATE, Network, adapt
from jaxmaxent.models.adapters._flags import inference_flags
from jaxmaxent.models.adapters._layout import BATCHES


@dataclasses.dataclass(frozen=True)
class _NNXCall:
    structure: nnx.GraphDef
    flags: tuple[tuple[str, Any], ...]

    def __call__(self, state: Any, *inputs: Any, **named: Any) -> Any:
        module = nnx.merge(self.structure, state)
        _name_modules(module)
        return module(*inputs, **named, **dict(self.flags))


def from_nnx(
    module: nnx.Module,
    length: int,
    *,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of a Flax NNX module.

    A copy of the module is put into inference mode; arguments such as `train` are set likewise.

    Args:
        module: the module, in any mode.
        length: length of the sequences.
        layer, output, letters, layout, fixed_inputs: see `from_function`.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence.

    Example:
        ```python
        network = models.from_nnx(module, length=200)
        ensemble = jme.Ensemble.create(network, anchor, unit=0, beta=50.0)
        ```
    """
    if not isinstance(module, nnx.Module):
        raise ValueError(f"module must be a Flax NNX module, got {checks.shown(module)}")
    copy = nnx.clone(module)
    copy.eval()
    structure, state = nnx.split(copy)
    flags = tuple(inference_flags(type(module).__call__).items())
    network = Network(_NNXCall(structure, flags), state, BATCHES, kind="Flax NNX")
    return adapt(network, length, layer=layer, output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs)


def _name_modules(module: nnx.Module) -> None:
    """Make every module inside of one run in a scope of its name, which NNX does not do by itself."""
    for path, inner in nnx.iter_modules(module):
        if path and callable(inner):
            inner.__class__ = _in_scope(type(inner), "/".join(map(str, path)).rsplit("/", 1)[-1])


@functools.lru_cache(maxsize=1024)
def _in_scope(kind: type, name: str) -> type:
    """Return a class of modules that differs from another in the scope of its calls only."""

    def call(self: Any, *inputs: Any, **named: Any) -> Any:
        with jax.named_scope(name):
            return kind.__call__(self, *inputs, **named)

    return type(kind)(kind.__name__, (kind,), {"__call__": call})
