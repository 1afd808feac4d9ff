"""Errors of a network's own code, in one sentence, with advice for the common causes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

_LONGEST = 300
_IN_TRAINING = (
    "a network in training mode must be put into inference mode first, with network.eval() in Flax NNX, and with "
    "deterministic=True and use_running_average=True in Flax Linen"
)
_UNBOUND = (
    "a Flax Linen module needs its variables, as in "
    "Representation(lambda variables, one_hot: module.apply(variables, one_hot), variables)"
)
_COLLECTIONS = 'params must hold all collections that module.init returned, as in {"params": ..., "batch_stats": ...}'
_NO_ARRAY = "it must be made of JAX operations on one sequence, which have no values yet while they are compiled"
# Patterns of an error's type and text, and the advice for them.
_HELP = {
    r"InvalidRng|ModifyScopeVariable|TraceContext|`?rngs`?|deterministic|use_running_average": _IN_TRAINING,
    r"UnboundModule|\.setup\(\)": _UNBOUND,
    r"ScopeCollectionNotFound|ScopeParamNotFound": _COLLECTIONS,
    r"Tracer|Concretization": _NO_ARRAY,
}


@contextlib.contextmanager
def in_words(length: int, letters: int) -> Iterator[None]:
    """Turn every error of the block, which runs a network on a sequence of this shape, into ValueError."""
    try:
        yield
    except Exception as error:
        message = f"representation failed for a sequence of shape [{length}, {letters}]: {_first_line(error)}"
        advice = next((advice for words, advice in _HELP.items() if re.search(words, _full(error))), None)
        raise ValueError(message if advice is None else f"{message}; {advice}") from error


def _full(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _first_line(error: Exception) -> str:
    """Return the type of an error and the first line of its text, without addresses of pages."""
    line = re.sub(r" \(https?://\S+\)", "", _full(error).strip().splitlines()[0]).rstrip(".: ")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"
