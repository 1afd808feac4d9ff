"""Architectures from the plain JSON types that `to_dict` returns."""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxmaxent import checks
from jaxmaxent.ensembles import Alphabet
from jaxmaxent.models._networks import Architecture, ConvArchitecture, MLPArchitecture

ARCHITECTURES: dict[str, type[ConvArchitecture] | type[MLPArchitecture]] = {
    kind.name: kind for kind in (ConvArchitecture, MLPArchitecture)
}


def architecture_from_dict(fields: dict[str, Any]) -> Architecture:
    """Return the architecture of a dictionary that `to_dict` returned.

    Args:
        fields: the dictionary, also after a round trip through JSON.

    Raises:
        ValueError: for an unknown name, missing or unknown fields, or values out of range.

    Example:
        >>> fields = models.MLPArchitecture(length=12).to_dict()
        >>> models.architecture_from_dict(fields) == models.MLPArchitecture(length=12)
        True
    """
    if not isinstance(fields, dict):
        raise ValueError(f"an architecture must be an object with a name, got {checks.shown(fields)}")
    name = fields.get("name")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ValueError(f"the architecture's name must be one of {sorted(ARCHITECTURES)}, got {checks.shown(name)}")
    kind = ARCHITECTURES[name]
    values = {key: value for key, value in fields.items() if key != "name"}
    _same_fields(f"architecture {name!r}", values, kind)
    if not isinstance(values["alphabet"], dict):
        raise ValueError(
            f"the alphabet of architecture {name!r} must be an object, got {checks.shown(values['alphabet'])}"
        )
    _same_fields("alphabet", values["alphabet"], Alphabet)
    return kind(**{**values, "alphabet": _alphabet(values["alphabet"])})


def _alphabet(fields: dict[str, Any]) -> Alphabet:
    """Return the alphabet with these fields, whose names were checked."""
    for name, value in fields.items():
        if not (isinstance(value, str) or (name == "complements" and value is None)):
            raise ValueError(f"{name} of the alphabet must be text, got {checks.shown(value)}")
    return Alphabet(**fields)


def _same_fields(what: str, values: dict[str, Any], kind: type) -> None:
    """Check that the keys of `values` are the fields of a dataclass."""
    expected = {field.name for field in dataclasses.fields(kind)}
    if set(values) != expected:
        got = checks.shown(sorted(map(str, values)))
        raise ValueError(f"{what} must have the fields {sorted(expected)}, got {got}")
