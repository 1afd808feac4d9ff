"""Choices and loops whose course is known while the function is traced."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxmaxent.models.adapters._onnx._graph import Call

# A loop is written out step by step, so that it must be short.
_MOST_STEPS = 10_000


def choose(call: Call, condition: Any) -> tuple[Any, ...]:
    """Return the results of one of two graphs."""
    chosen = "then_branch" if bool(call.known("cond", condition).reshape(())) else "else_branch"
    return call.run(call.get(chosen), [])


def loop(call: Call, count: Any = None, condition: Any = None, *carried: Any) -> tuple[Any, ...]:
    """Return the results of a graph that runs a known number of times."""
    body, xp = call.get("body"), call.xp
    most = _MOST_STEPS + 1 if count is None else call.integers("M", count)[0]
    going = condition is None or bool(call.known("cond", condition).reshape(()))
    state, collected, step = list(carried), [], 0
    while going and step < most:
        if step > _MOST_STEPS:
            raise ValueError(f"the loop takes more than {_MOST_STEPS:,} steps")
        flag, *results = call.run(body, [np.asarray(step, np.int64), np.asarray(True), *state])
        going = bool(call.known("cond", flag).reshape(()))
        state = results[: len(carried)]
        collected.append(results[len(carried) :])
        step += 1
    if len(body.outputs) - 1 > len(carried) and not collected:
        raise ValueError("the loop takes no step, so that the shape of its results is unknown")
    return (*state, *[xp.stack(values) for values in zip(*collected, strict=True)])
