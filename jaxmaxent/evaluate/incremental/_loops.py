"""Loops and conditionals whose course is known while tracing: they are entered, turn by turn.

A scan over layers is a network like any other, only written as a loop. A loop along the sequence, as in a recurrent
network, is left as it is.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from jaxmaxent.evaluate.incremental._constants import known
from jaxmaxent.evaluate.incremental._values import Equation, Value

# A loop of more turns, or of more operations in all turns, is left as it is: it would take long to compile.
_TURNS, _OPERATIONS = 64, 3000

# Why they are left as they are.
LOOPS = {
    "scan": "runs along the sequence, or is long",
    "while": "has a number of turns that is not known, or is long",
    "cond": "depends on a number that is known only when the program runs",
}


def entered(tracer: Any, equation: Equation) -> list[Value] | None:
    """Return the results of a loop or a conditional, made of the operations in it; None if it is left as it is."""
    way = {"scan": _scan, "while": _while, "cond": _cond}.get(equation.name)
    return None if way is None else way(tracer, equation)


def _cond(tracer: Any, equation: Equation) -> list[Value] | None:
    index = known(equation.inputs[0])
    if index is None:
        return None
    branches = equation.params["branches"]
    branch = branches[min(max(int(index), 0), len(branches) - 1)]
    return tracer.called(branch, equation.inputs[1:], equation.scope)


def _scan(tracer: Any, equation: Equation) -> list[Value] | None:
    params, body = equation.params, equation.params["jaxpr"]
    fixed, carried = _numbers(params)
    consts, carry = equation.inputs[:fixed], equation.inputs[fixed : fixed + carried]
    rows, turns = equation.inputs[fixed + carried :], params["length"]
    began = len(tracer.values)
    if carried == 0 and turns > 0:
        # Without anything carried on, the turns are independent, as those of `jax.vmap`.
        axes = (*[None] * fixed, *[0] * len(rows))
        made = tracer.made(jax.vmap(core.jaxpr_as_fun(body), in_axes=axes), *consts, *rows)
        return made if _goes_on(made) else tracer.forget(began)
    along = any(row.depends and (row.opened is None or row.opened.axis == 0) for row in rows)
    if along or turns > _TURNS or turns * _count(body.jaxpr) > _OPERATIONS or turns == 0:
        return None
    order = range(turns - 1, -1, -1) if params["reverse"] else range(turns)
    by_turn: list[list[Value]] = [[] for _ in range(turns)]
    for number, turn in enumerate(order):
        own = [tracer.made(lambda row, i=turn: lax.index_in_dim(row, i, 0, keepdims=False), row)[0] for row in rows]
        results = tracer.called(body, [*consts, *carry, *own], equation.scope)
        carry, by_turn[turn] = results[:carried], results[carried:]
        if number == 0 and turns > 1 and not _goes_on([*carry, *by_turn[turn]]):
            return tracer.forget(began)
    columns = [tracer.made(lambda *each: jnp.stack(each), *column)[0] for column in zip(*by_turn, strict=True)]
    return [*carry, *columns]


def _numbers(params: dict[str, Any]) -> tuple[int, int]:
    """Return the numbers of inputs of a scan that stay the same, and that are carried on."""
    if "ft_in" in params:  # from JAX 0.12 on
        fixed, carry, _ = params["ft_in"].unpack()
        return len(fixed), len(carry)
    return params["num_consts"], params["num_carry"]


def _while(tracer: Any, equation: Equation) -> list[Value] | None:
    params, body = equation.params, equation.params["body_jaxpr"]
    asked, fixed = params["cond_nconsts"], params["body_nconsts"]
    for_condition, consts = equation.inputs[:asked], equation.inputs[asked : asked + fixed]
    carry, began = equation.inputs[asked + fixed :], len(tracer.values)
    for turn in range(_TURNS + 1):
        (goes_on,) = tracer.called(params["cond_jaxpr"], [*for_condition, *carry], equation.scope)
        more = known(goes_on)
        if more is not None and not more:
            return list(carry)
        if more is None or turn == _TURNS or (turn + 1) * _count(body.jaxpr) > _OPERATIONS:
            break
        carry = tracer.called(body, [*consts, *carry], equation.scope)
        if turn == 0 and not _goes_on(carry):
            break
    return tracer.forget(began)


def _goes_on(made: list[Value]) -> bool:
    """Return True if a turn leaves a window, or nothing that changes."""
    changing = [value for value in made if value.depends]
    return not changing or any(value.opened or value.change for value in changing)


def _count(jaxpr: Any) -> int:
    """Return the number of operations of one turn, with those of calls in it."""
    inner = [getattr(parameter, "jaxpr", parameter) for eqn in jaxpr.eqns for parameter in eqn.params.values()]
    return len(jaxpr.eqns) + sum(_count(one) for one in inner if isinstance(one, core.Jaxpr))
