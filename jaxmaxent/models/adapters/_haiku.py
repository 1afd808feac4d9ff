"""Networks of Haiku."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from jaxmaxent import checks
from jaxmaxent.ensembles import Representation
from jaxmaxent.models.adapters._adapt import PENULTIMATE, Network, adapt
from jaxmaxent.models.adapters._flags import inference_flags
from jaxmaxent.models.adapters._layout import BATCHES


@dataclasses.dataclass(frozen=True)
class _HaikuCall:
    apply: Any
    flags: tuple[tuple[str, Any], ...]

    def __call__(self, collections: Any, *inputs: Any, **named: Any) -> Any:
        flags = dict(self.flags) | {"rng": None}
        if "state" not in collections:
            return self.apply(collections["params"], flags.pop("rng"), *inputs, **named, **flags)
        return self.apply(collections["params"], collections["state"], flags.pop("rng"), *inputs, **named, **flags)[0]


def from_haiku(
    transformed: Any,
    params: Mapping[str, Any],
    length: int,
    *,
    state: Mapping[str, Any] | None = None,
    layer: str | int = PENULTIMATE,
    output: str | int | None = None,
    letters: str = "ACGT",
    layout: str | None = None,
    fixed_inputs: Sequence[Any] | Mapping[str, Any] = (),
) -> Representation:
    """Return the representation of a Haiku network.

    Arguments such as `is_training` are set for inference.

    Args:
        transformed: what `hk.transform` or `hk.transform_with_state` returned.
        params: its parameters.
        length: length of the sequences.
        state: its state, if it was made by `hk.transform_with_state`.
        layer, output, letters, layout, fixed_inputs: see `from_function`.

    Raises:
        ValueError: for anything that would give other features than the network's own, in one sentence.

    Example:
        ```python
        network = models.from_haiku(hk.transform_with_state(forward), params, length=200, state=state)
        ensemble = jme.Ensemble.create(network, anchor, unit=0, beta=50.0)
        ```
    """
    apply = checks.like("transformed", transformed, "apply", "what hk.transform returned").apply
    with_state = "State" in type(transformed).__name__
    if with_state != (state is not None):
        needed = "given" if with_state else "None"
        raise ValueError(f"state must be {needed} for {type(transformed).__name__}, got {checks.shown(state)}")
    flags = {name: value for name, value in inference_flags(apply).items() if name != "rng"}
    collections = {"params": dict(params)} | ({"state": dict(state)} if state is not None else {})
    network = Network(_HaikuCall(apply, tuple(flags.items())), collections, BATCHES, kind="Haiku")
    return adapt(network, length, layer=layer, output=output, letters=letters, layout=layout, fixed_inputs=fixed_inputs)
