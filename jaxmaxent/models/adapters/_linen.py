"""Networks of Flax linen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation
from jaxmaxent.models.adapters._adapt import PENULTIMATE, Network, adapt
from jaxmaxent.models.adapters._flags import Same, inference_flags
from jaxmaxent.models.adapters._layout import BATCHES


@dataclasses.dataclass(frozen=True)
class _LinenCall:
    module: Same
    flags: tuple[tuple[str, Any], ...]

    def __call__(self, variables: Any, *inputs: Any, **named: Any) -> Any:
        return self.module.value.apply(variables, *inputs, **named, **dict(self.flags))


def from_linen(
    module: Any,
    variables: Mapping[str, Any],
    length: int,
    *,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of a Flax linen module.

    Arguments such as `train` or `deterministic` are set for inference.

    Args:
        module: the module, not bound.
        variables: all collections that `module.init` returned, trained.
        length: length of the sequences.
        layer, output, letters, layout, fixed_inputs: see `from_function`.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence.

    Example:
        ```python
        network = models.from_linen(module, variables, length=200)
        ensemble = jme.Ensemble.create(network, anchor, unit=0, beta=50.0)
        ```
    """
    checks.like("module", module, "apply", "a Flax linen module")
    if not isinstance(variables, Mapping) or "params" not in variables:
        raise ValueError(
            f'variables must be all collections of module.init, such as {{"params": …}}, got {checks.shown(variables)}'
        )
    flags = tuple(inference_flags(type(module).__call__).items())
    network = Network(_LinenCall(Same(module), flags), dict(variables), BATCHES, kind="Flax linen")
    return adapt(network, length, layer=layer, output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs)
