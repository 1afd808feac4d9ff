"""Rules as pytrees: the structure of each class differs from that of every other."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, dataclass_transform

import jax
from flax import struct

_Class = TypeVar("_Class")


@dataclass_transform(field_specifiers=(struct.field,), frozen_default=True)
def rule_dataclass(cls: type[_Class]) -> type[_Class]:
    """Return the class as a frozen dataclass and a pytree, as `flax.struct.dataclass` does, for rules.

    Fields are leaves, or static with `flax.struct.field(pytree_node=False)`.

    Flax registers its classes by `jax.tree_util.register_dataclass`. Two rules with as many leaves and equal static
    fields, such as none, then have structures that JAX 0.10 to 0.12 takes for equal although their classes differ. If
    their hashes share a slot of the cache, `jax.jit` runs the program of one rule for the other. Structures that are
    registered one by one are compared with their classes.

    Example:
        ```python
        @rule_dataclass
        class MyRule(Unlearned):
            width: int = flax.struct.field(pytree_node=False, default=3)
        ```
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
