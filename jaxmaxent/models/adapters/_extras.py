"""Packages that only some adapters need."""

from __future__ import annotations

import importlib
from typing import Any

# The extra that brings a package, where its name is another.
_EXTRAS = {"onnxscript": "torch", "h5py": "keras", "flatbuffers": "export"}


def needed(package: str) -> Any:
    """Return a package that an adapter needs.

    Raises:
        ImportError: if it is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        extra = _EXTRAS.get(package, package)
        raise ImportError(
            f"this needs the package {package}; install it with: pip install jaxmaxent[{extra}]"
        ) from error
