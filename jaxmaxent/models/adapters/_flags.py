"""Arguments with which a network is called for inference, by the names that frameworks and their users give them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_OFF = ("train", "training", "is_training", "is_train", "train_mode")
_ON = ("deterministic", "use_running_average", "inference", "eval", "eval_mode", "evaluate")
_NONE = ("key", "rng", "rngs")
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def inference_flags(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments of a function that must be set for inference, such as {"training": False}."""
    flags = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in _NAMED:
            continue
        if name in _OFF or name in _ON:
            flags[name] = name in _ON
        elif name in _NONE and parameter.default is inspect.Parameter.empty:
            flags[name] = None
    return flags


class Same:
    """Anything as a static argument: equal by its own equality if it can be hashed, otherwise by identity."""

    def __init__(self, value: Any) -> None:
        self.value = value
        try:
            self._key: Any = (hash(value), value)
        except TypeError:
            self._key = id(value)  # `value` is kept, so that its identity stays its own

    def __hash__(self) -> int:
        return hash(self._key if isinstance(self._key, int) else self._key[0])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self._key == other._key
