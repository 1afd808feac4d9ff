"""Rules as pytrees whose structures tell the rules apart."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, dataclass_transform

import jax
from flax import struct

_Class = TypeVar("_Class")


@dataclass_transform(field_specifiers=(struct.field,), frozen_default=True)
def rule_dataclass(cls: type[_Class]) -> type[_Class]:
    """Make a class a frozen dataclass and a pytree, as `flax.struct.dataclass` does, for use by rules.

    Fields are leaves, or static with `flax.struct.field(pytree_node=False)`.

    Rules with as many leaves and equal static fields, such as none, are arguments of the same programs. Registered by
    `jax.tree_util.register_dataclass`, as Flax does, their structures count as equal though their classes differ
    (JAX 0.10 to 0.12), and `jax.jit` then takes, whenever their hashes happen to share a slot of its cache, the program
    of one rule for another's. Structures registered one by one are compared with their classes.
    """
    made = dataclasses.dataclass(frozen=True)(cls)
    fields: tuple[Any, ...] = dataclasses.fields(made)  # pyright: ignore[reportArgumentType]
    leaves = [field.name for field in fields if field.metadata.get("pytree_node", True)]
    static = [field.name for field in fields if field.name not in leaves]

    def flatten(rule: _Class) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        children = [(jax.tree_util.GetAttrKey(name), getattr(rule, name)) for name in leaves]
        return children, tuple(getattr(rule, name) for name in static)

    def unflatten(values: tuple[Any, ...], children: Any) -> _Class:
        return made(**dict(zip(leaves, children, strict=True)), **dict(zip(static, values, strict=True)))

    jax.tree_util.register_pytree_with_keys(made, flatten, unflatten)
    return made
