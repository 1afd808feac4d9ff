"""Short descriptions of a run: a few lines of text, and a small table for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jaxmaxent.results._blank import ANYWHERE, advised_beta, is_blank
from jaxmaxent.results._information import information_bits, total_information
from jaxmaxent.results._mobility import is_mobile, told

_MOST_NAMES, _LONGEST_NAME = 3, 40


def as_text(words: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return a few lines on a run: its anchors, target, size, and how many anchors converged."""
    rows = "\n".join(f"  {name:<11} {value}" for name, value in _rows(words, arrays).items())
    return f"<jaxmaxent.Run\n{rows}>"


def as_html(words: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return the same as a small table of HTML, with escaped names."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in _rows(words, arrays).items()
    )
    return f"<table><caption>jaxmaxent.Run</caption><tbody>{rows}</tbody></table>"


def _rows(words: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    beta, last, converged = arrays["beta"], arrays["last"], arrays["converged"]
    bits, errors = total(words, arrays)
    rungs = f"{beta.shape[1]} rungs from β = {_range(beta[:, 0])}" if beta.shape[1] > 1 else "no ladder"
    return (
        {
            "anchors": f"{len(words['names'])}: {_names(words['names'])}",
            "target": f"β = {_range(beta[:, -1])}, {rungs}",
            "chains": f"{last.shape[2]} per anchor",
            "steps": f"{_range(arrays['steps'])} after {words['burn_in']:,} of burn-in",
            "converged": f"{int(converged.sum())} of {converged.size} anchors",
            **_barriers(arrays),
            "information": f"{_bits(bits[:, -1], errors[:, -1])} at the target",
        }
        | _mobility(arrays)
        | _advice(arrays, bits)
    )


def _mobility(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return the row of the mobility: its sentence for one anchor, a range and a number of several; no row without."""
    values, errors = arrays["mobility"], arrays["mobility_error"]
    if not np.isfinite(values).all():
        return {}
    if values.size == 1:
        return {"mobility": told(values[0], errors[0])}
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    mobile = sum(is_mobile(value) for value in values)
    where = f"sites count wherever they stand for {mobile} of {values.size} anchors"
    return {"mobility": f"{low if low == high else f'{low} to {high}'}: {where}"}


def _barriers(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return the row of the communication barriers; no row without a ladder."""
    legs = [(1 - arrays[name]).sum(1) for name in ("swap_acceptance", "reference_swap_acceptance")]
    if not arrays["swap_acceptance"].shape[1]:
        return {}
    beyond = f", {_short(legs[1])} beyond" if arrays["reference_share"].shape[1] else ""
    return {"barriers": f"Λ = {_short(legs[0])} to the target{beyond}"}


def _short(values: np.ndarray) -> str:
    low, high = f"{values.min():.1f}", f"{values.max():.1f}"
    return low if low == high else f"{low} to {high}"


def total(words: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the total information of every anchor and rung and its standard error, see `total_information`."""
    draws = arrays["last"].shape[2] * arrays["steps"].astype(float) / words["thin"]
    return total_information(arrays["frequencies"], arrays["frequency_errors"], arrays["beta"], draws)


def _bits(bits: np.ndarray, errors: np.ndarray) -> str:
    """Return the information of one anchor and its error, or the range of that of several."""
    if bits.size == 1 and np.isfinite(errors[0]):
        return f"{bits[0]:.1f} ± {errors[0]:.1f} bits"
    return f"{_short(bits)} bits"


def _advice(arrays: Mapping[str, np.ndarray], bits: np.ndarray) -> dict[str, str]:
    """Return the row that says what to try where the letters of anchors hold nothing; no row if they all do.

    Where sites may stand anywhere that is another analysis, and otherwise another β.
    """
    beta, information = arrays["beta"], information_bits(arrays["frequencies"][:, -1])
    blank = [a for a in range(len(beta)) if beta[a, -1] > 0 and is_blank(bits[a, -1], information[a])]
    if not blank:
        return {}
    mobile = [a for a in blank if is_mobile(arrays["mobility"][a])]
    told = [f"{_share(mobile, beta)}{ANYWHERE}"] if mobile else []
    if fixed := [a for a in blank if a not in mobile]:
        tried = np.array([advised_beta(beta[a], bits[a]) for a in fixed])
        number = f"β = {_range(tried)}" if np.isfinite(tried).all() else "a larger β"
        told.append(f"{_share(fixed, beta)}at this β almost any sequence is equal; try {number}")
    return {"advice": "; ".join(told)}


def _share(some: list[int], beta: np.ndarray) -> str:
    """Return for how many of the anchors something holds; nothing if for all."""
    return "" if len(some) == len(beta) else f"for {len(some)} of {len(beta)} anchors, "


def _names(names: Iterable[str]) -> str:
    shown, total = [], 0
    for name in names:
        total += 1
        if total <= _MOST_NAMES:
            shown.append(name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…")
    return ", ".join(shown) + (f" and {total - len(shown)} more" if total > len(shown) else "")


def _range(values: np.ndarray) -> str:
    """Return the number that all values share, or the smallest and the largest."""
    form = ",d" if values.dtype.kind in "iu" else ".4g"
    low, high = (format(values.item(i), form) for i in (values.argmin(), values.argmax()))
    return low if low == high else f"{low} to {high}"
