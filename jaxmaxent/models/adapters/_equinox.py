"""Networks of Equinox."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation
from jaxmaxent.models.adapters._adapt import PENULTIMATE, Network, adapt
from jaxmaxent.models.adapters._extras import needed
from jaxmaxent.models.adapters._flags import Same, inference_flags
from jaxmaxent.models.adapters._layout import BATCHES, ONE_SEQUENCE


@dataclasses.dataclass(frozen=True)
class _EquinoxCall:
    rest: Same
    flags: tuple[tuple[str, Any], ...]

    def __call__(self, arrays: Any, *inputs: Any, **named: Any) -> Any:
        module, state = needed("equinox").combine(arrays, self.rest.value)
        made = module(*inputs, *(() if state is None else (state,)), **named, **dict(self.flags))
        return made if state is None else made[0]


def from_equinox(
    module: Any,
    length: int,
    *,
    state: Any = None,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of an Equinox module, of one sequence or a batch.

    A copy of the module is put into inference mode.

    Args:
        module: the module.
        length: length of the sequences.
        state: its state, if it is called as `module(x, state)`.
        layer, output, letters, layout, fixed_inputs: see `from_function`.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence.
        ImportError: if Equinox is not installed.

    Example:
        ```python
        network = models.from_equinox(module, length=200)
        ensemble = jme.Ensemble.create(network, anchor, unit=0, beta=50.0)
        ```
    """
    eqx = needed("equinox")
    if not isinstance(module, eqx.Module):
        raise ValueError(f"module must be an Equinox module, got {checks.shown(module)}")
    arrays, rest = eqx.partition((eqx.nn.inference_mode(module), state), eqx.is_array)
    call = type(module).__call__ if callable(module) else None
    if call is None:
        raise ValueError(f"module must have a method __call__, got {checks.shown(type(module).__name__)}")
    flags = {name: value for name, value in inference_flags(call).items() if name != "inference"}
    layouts = (*ONE_SEQUENCE, *BATCHES)
    network = Network(_EquinoxCall(Same(rest), tuple(flags.items())), arrays, layouts, kind="Equinox")
    return adapt(network, length, layer=layer, output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs)
