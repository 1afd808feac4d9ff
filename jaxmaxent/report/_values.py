"""Values as text for the reader."""

from __future__ import annotations

import math

import numpy as np

UNKNOWN = "–"
_REPLACEMENT = "\ufffd"


def shown(value: object) -> str:
    """Return a value as text for the reader.

    Integers stay as they are, other numbers get 4 significant digits, and the entries of a list are joined by commas.
    Text keeps its letters; control characters, which could hide or reorder letters, are replaced.
    """
    if value is None:
        return UNKNOWN
    if hasattr(value, "__html__"):  # HTML that the template produced
        return value  # pyright: ignore[reportReturnType]
    if isinstance(value, str):
        return _visible(value)
    if np.ndim(value) > 0:  # pyright: ignore[reportArgumentType]
        return ", ".join(shown(part) for part in np.asarray(value)) or UNKNOWN
    value = value.item() if isinstance(value, np.generic | np.ndarray) else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value).replace("-", "−")
    return _number(value) if isinstance(value, float) else _visible(str(value))


def whole(value: float | None) -> str:
    """Return a number rounded to a whole number, such as a number of draws."""
    return shown(value) if value is None or not math.isfinite(value) else f"{value:,.0f}"


def with_error(value: float | None, error: float | None) -> str | None:
    """Return a value and its standard error to one decimal; the value alone without an error; None if unknown."""
    if value is None or not math.isfinite(value):
        return None
    return (
        f"{value:.1f} ± {error:.1f}".replace("-", "−") if error is not None and math.isfinite(error) else shown(value)
    )


def sentence(text: str) -> str:
    """Return `text` with a capital letter and a full stop; a symbol such as β stays as it is."""
    text = text.strip()
    first = text[:1].upper() if text[:1].isascii() else text[:1]
    return first + text[1:] + ("" if not text or text.endswith((".", "!", "?")) else ".")


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c.isspace() else _REPLACEMENT for c in text)


def _number(value: float) -> str:
    if math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.4g}")
    text = f"{rounded:,.0f}" if 1e4 <= abs(rounded) < 1e15 else f"{rounded:.4g}"
    return text.replace("-", "−")
