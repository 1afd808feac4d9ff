"""The checker of annotated shapes: what tests call must get and give arrays of the shapes and types that it says.

`conftest.py` hands `checked` to jaxtyping's import hook. Only annotations of arrays are checked: tests give other
arguments of wrong types on purpose, to see that the package itself refuses them.
"""

import inspect
import typing

from beartype import beartype
from jaxtyping import AbstractArray


def checked(function):
    """Return the function with beartype's checks of its array annotations."""
    # Pytrees are also made of other things than arrays: of axes, of shardings, of nothing.
    if function.__name__ == "__init__":
        return function
    hints = {name: hint for name, hint in function.__annotations__.items() if of_array(hint)}
    if not hints:
        return function
    function.__annotations__ = hints
    return beartype(function)


def of_array(hint):
    """Return whether a type hint says the shape of an array somewhere."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(of_array(part) for part in typing.get_args(hint))


def unchecked(function):
    """Return the function without these checks, for tests of its own refusals of other arrays."""
    return inspect.unwrap(function)
