"""Ways of evaluation that were timed before, in a file that all processes share."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax

from jaxmaxent.files import write_whole

# The environment variable that names the file. Without it nothing is remembered longer than a process lives.
VARIABLE = "JAXMAXENT_EVALUATIONS"
_ABOUT, _LIST = "jaxmaxent", "evaluations"
# Addresses in memory, as in "<function f at 0x7f…>", differ between processes.
_ADDRESSES = re.compile(r" at 0x[0-9a-f]+")


def file() -> Path | None:
    """Return the file that the user named, or None."""
    given = os.environ.get(VARIABLE, "")
    return Path(given).expanduser() if given else None


def key_of(parts: Iterable[Any], lanes: int, replicas: int, length: int) -> str:
    """Return the key of a choice: the device, the version of JAX, a checksum of `parts` and the sizes.

    Args:
        parts: everything else that the time of a step depends on; only its text counts, without addresses in memory.
        lanes: anchors side by side on a device.
        replicas: replicas of each.
        length: letters of a sequence.
    """
    text = _ADDRESSES.sub("", "\n".join(map(str, parts)))
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    kind = jax.local_devices()[0].device_kind
    return f"{kind}, jax {jax.__version__}, network {mark}, {lanes} x {replicas} sequences of {length} letters"


def found(path: Path, key: str, ways: Iterable[str]) -> str | None:
    """Return the way that the file holds for a key, None if it holds none or is not there.

    Raises:
        ValueError: if the file is not one of these; it may be somebody's, so it is neither used nor replaced.
    """
    way = _read(path).get(key)
    return way if isinstance(way, str) and way in ways else None


def keep(path: Path, key: str, way: str) -> None:
    """Write a choice into the file, beside those that are there; warn if the file cannot be written.

    Of two processes that write at once, one may lose its choice, which then is timed again.

    Raises:
        ValueError: as `found`.
    """
    choices = _read(path) | {key: way}
    text = json.dumps({_ABOUT: _LIST, "choices": choices}, indent=1, sort_keys=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda stream: stream.write(text.encode()))
    except OSError as error:
        warnings.warn(f"{VARIABLE} names {path}, which cannot be written: {error.strerror}", stacklevel=2)


def _read(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"{VARIABLE} must name a file that can be read, got {path}: {error.strerror}") from error
    except ValueError:  # neither text nor JSON
        held = None
    if not isinstance(held, dict) or held.get(_ABOUT) != _LIST or not isinstance(held.get("choices"), dict):
        raise ValueError(
            f"{VARIABLE} must name a file that jaxmaxent wrote, or one that is not there yet, got {path}, which is "
            "damaged or holds something else: delete it or name another"
        )
    return held["choices"]
