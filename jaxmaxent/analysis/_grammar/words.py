"""The requirements of a grammar as one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from jaxmaxent.analysis._grammar.result import Requirement


def sentence(held: Sequence[Requirement], tested: Sequence[Requirement], more: Sequence[str]) -> str:
    """Return the requirements that are held as a sentence; `more` are motifs that are more frequent than by chance."""
    kinds = {kind: [row for row in held if row.kind == kind] for kind in {row.kind for row in held}}
    copies = {row.motifs[0]: row.number for row in kinds.get("copies", ())}
    needed = [row.motifs[0] for row in kinds.get("needs", ())]
    parts = []
    for name in needed:
        parts.append(f"{copies[name]} or more copies of {name}" if name in copies else name)
    parts += _groups(kinds.get("any of", ()), "any of {}")
    parts += _groups(kinds.get("one of", ()), "exactly one of {}")
    words = ["needs " + " and ".join(parts)] if parts else []
    said = set(needed) | {name for row in held if row.kind in ("any of", "one of") for name in row.motifs}
    if favored := [name for name in more if name not in said]:
        words.append("favors " + " and ".join(favored))
    if refused := list(dict.fromkeys(row.motifs[0] for row in kinds.get("not", ()))):
        words.append("not " + " or ".join(refused))
    if not words:
        return "no requirement: no motif is more or less frequent in the draws than by chance"
    words += [f"{row.motifs[0].removesuffix(' reversed')} at positions {_range(row)}" for row in kinds.get("place", ())]
    fixed = {row.motifs[0] for row in kinds.get("place", ())}
    words += _arranged([row for row in tested if not set(row.motifs) & fixed])
    return ", ".join(words)


def _groups(rows: Sequence[Requirement], words: str) -> list[str]:
    """Return groups of motifs that can replace each other, each group once."""
    groups: list[list[str]] = []
    for row in rows:
        touching = [group for group in groups if set(group) & set(row.motifs)]
        joined = list(dict.fromkeys([name for group in touching for name in group] + list(row.motifs)))
        groups = [group for group in groups if group not in touching] + [joined]
    return [words.format(" and ".join(group) if len(group) == 2 else ", ".join(group)) for group in groups]


def _arranged(tested: Sequence[Requirement]) -> list[str]:
    """Return words for strand, order and spacing; those that were tested and are not held are free."""
    rows = {row.kind: row for row in tested}
    held = [row for row in tested if row.held]
    words = []
    orders = [row for row in held if row.kind == "order"]
    along = [row for row in held if row.kind in ("downstream", "upstream")]
    words += [f"{row.motifs[0]} before {row.motifs[1]}" for row in orders]
    # An order along the sequence, on known strands, gives that along the strand.
    ordered = {frozenset(row.motifs) for row in orders}
    words += [f"{row.motifs[1]} {row.kind} of {row.motifs[0]}" for row in along if frozenset(row.motifs) not in ordered]
    if "order" in rows and not orders and not along:
        words.append("any order")
    strands = [row for row in held if row.kind == "strand"]
    sides = [row for row in held if row.kind in ("same strand", "other strand")]
    for row in strands:
        reverse = row.motifs[0].endswith(" reversed")
        words.append(f"{row.motifs[0].removesuffix(' reversed')} on the {'reverse' if reverse else 'forward'} strand")
    known = {row.motifs[0].removesuffix(" reversed") for row in strands}
    for row in sides:
        if not set(row.motifs) <= known:
            word = "on the same strand" if row.kind == "same strand" else "on opposite strands"
            pair = (
                f"{row.motifs[0]} and {row.motifs[1]}"
                if row.motifs[0] != row.motifs[1]
                else f"copies of {row.motifs[0]}"
            )
            words.append(f"{pair} {word}")
    if "strand" in rows and not strands and not sides:
        words.append("either strand")
    spacings = [row for row in tested if row.kind == "spacing"]
    for row in spacings:
        which = "" if len(spacings) == 1 else f" of {' and '.join(dict.fromkeys(row.motifs))}"
        words.append(f"spacing{which} {_range(row)} letters" if row.held else f"spacing{which} free ({_range(row)})")
    return words


def _range(row: Requirement) -> str:
    return f"{_with_error(row.low, row.low_error)} to {_with_error(row.high, row.high_error)}"


def _with_error(value: float, error: float) -> str:
    return f"{value:.0f} ± {error:.1f}" if error >= 0.05 else f"{value:.0f}"
