"""One HTML file, complete in itself: it opens from disk, on a phone and on paper, and fetches nothing.

Names come from FASTA headers and tables of other people, so every string is escaped on its way in; the page
has no script, and its own content policy forbids any.
"""

from __future__ import annotations

import base64
import html
import importlib.resources
import math
import os
import string
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent.files import new_file

NOTHING = "–"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_DPI = 150

COLUMNS = (
    ("beta", "β"),
    ("mu", "μ"),
    ("mean_energy", "mean energy"),
    ("acceptance", "acceptance"),
    ("information_bits", "information (bits)"),
    ("max_rhat", "R-hat"),
    ("min_ess", "ESS"),
    ("converged", "converged"),
)


class Picture(NamedTuple):
    """A picture under an anchor's logo.

    Attributes:
        heading: what it is.
        caption: how to read it.
        png: the bytes of a PNG file.
    """

    heading: str
    caption: str
    png: bytes


def write_report(
    path: str | os.PathLike,
    *,
    title: str,
    summary: Sequence[Mapping[str, Any]],
    logos: Sequence[bytes | None],
    facts: Mapping[str, Any],
    notes: Sequence[str],
    pictures: Sequence[Sequence[Picture]] | None = None,
    force: bool = False,
) -> None:
    """Write the report of a run as one self-contained HTML file.

    Args:
        path: the file to write.
        title: heading of the page.
        summary: one mapping an anchor with the keys name, beta, mu, mean_energy, acceptance, consensus,
            information_bits (bits, one number a position), max_rhat, min_ess, converged (whether its numbers can be
            trusted), outcome (a sentence on that), advice (what to do where they cannot), beta_reason (why β is what it
            is), steps, proposals_per_second and compile_seconds. Absent values and NaN are shown as "–"; further keys
            are ignored.
        logos: one PNG file an anchor, as bytes, in the order of `summary`; None for one that is not drawn.
        facts: settings and speeds of the whole run, shown as a table of names and values.
        notes: warnings, one sentence each, shown in a box at the top.
        pictures: further pictures of each anchor, shown below its logo.
        force: replace a file of that name.

    Raises:
        ValueError: if there are not as many logos or entries of pictures as anchors, one of them is no PNG file, or
            the file cannot be written or may not be replaced.
    """
    if len(summary) != len(logos):
        raise ValueError(f"logos must hold one picture an anchor, got {len(logos)} for the {len(summary)} of summary")
    pictures = [()] * len(summary) if pictures is None else pictures
    if len(summary) != len(pictures):
        raise ValueError(
            f"pictures must have an entry an anchor, got {len(pictures)} for the {len(summary)} of summary"
        )
    if isinstance(notes, str):
        raise ValueError(f"notes must be a list of sentences, got the string {notes!r}")
    template = importlib.resources.files("jaxmaxent.report").joinpath("page.html").read_text("utf-8")
    names = [_name(row, index) for index, row in enumerate(summary)]
    page = string.Template(template).substitute(
        title=_text(title),
        notes=_notes(notes),
        facts=_facts(facts),
        table=_table(names, summary),
        sections="".join(
            _section(index, names[index], row, logo, more)
            for index, (row, logo, more) in enumerate(zip(summary, logos, pictures, strict=True))
        ),
    )
    with new_file(path, force=force) as scratch:
        scratch.write_text(page, encoding="utf-8", newline="\n")


# Text and numbers


def _text(value: Any) -> str:
    """`value` as HTML text that is also safe inside a quoted attribute."""
    visible = (c if c.isprintable() or c.isspace() else "\ufffd" for c in str(value))
    return html.escape("".join(visible), quote=True)


def _format(value: Any) -> str:
    """A value for the reader: whole numbers as they are, others with 4 significant digits, text unchanged."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    if np.ndim(value) > 0:
        return ", ".join(_format(part) for part in value) or NOTHING
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value).replace("-", "−")
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.4g}")
    text = f"{rounded:,.0f}" if 1e4 <= abs(rounded) < 1e15 else f"{rounded:.4g}"
    return text.replace("-", "−")


def _name(row: Mapping[str, Any], index: int) -> str:
    name = row.get("name")
    return f"anchor {index}" if name is None or not str(name).strip() else str(name)


def _total_bits(row: Mapping[str, Any]) -> float:
    bits = row.get("information_bits")
    return math.nan if bits is None else float(np.sum(np.asarray(bits, dtype=float)))


def _cell(row: Mapping[str, Any], key: str) -> str:
    if key == "information_bits":
        return _text(_format(_total_bits(row)))
    return _text(_whole(row.get(key)) if key == "min_ess" else _format(row.get(key)))


def _whole(value: Any) -> str:
    """A number of draws, of which no part is worth telling."""
    return f"{value:,.0f}" if isinstance(value, float | np.floating) and math.isfinite(value) else _format(value)


# Parts of the page


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{_text(note)}</li>\n" for note in notes)
    return f'<aside class="notes" role="note">\n<h2>Please note</h2>\n<ul>\n{items}</ul>\n</aside>\n'


def _facts(facts: Mapping[str, Any]) -> str:
    if not facts:
        return '<p class="soft">None recorded.</p>'
    rows = "".join(
        f"<div><dt>{_text(key)}</dt><dd>{_text(_format(value))}</dd></div>\n" for key, value in facts.items()
    )
    return f'<dl class="facts">\n{rows}</dl>'


def _table(names: Sequence[str], summary: Sequence[Mapping[str, Any]]) -> str:
    if not summary:
        return '<p class="soft">This run has no anchors.</p>'
    heads = "".join(f'<th scope="col" class="number">{label}</th>' for _, label in COLUMNS)
    rows = []
    for index, row in enumerate(summary):
        kind = "" if row.get("converged", True) else ' class="warning"'
        numbers = "".join(f'<td class="number" data-label="{label}">{_cell(row, key)}</td>' for key, label in COLUMNS)
        rows.append(
            f'<tr{kind}><th scope="row"><a href="#anchor-{index}">{_text(names[index])}</a></th>{numbers}'
            f'<td class="letters" data-label="consensus">{_cell(row, "consensus")}</td></tr>\n'
        )
    return (
        f'<table>\n<thead><tr><th scope="col">anchor</th>{heads}<th scope="col">consensus</th></tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table>"
    )


def _section(index: int, name: str, row: Mapping[str, Any], logo: bytes | None, pictures: Sequence[Picture]) -> str:
    about = [
        ("β", "beta", ""),
        ("steps", "steps", ""),
        ("speed", "proposals_per_second", " proposals/s"),
        ("compiled in", "compile_seconds", " s"),
    ]
    spans = "".join(
        f"<span>{label} {_cell(row, key)}{unit}</span> " for label, key, unit in about if row.get(key) is not None
    )
    alt = f"Sequence logo of {name}: {_format(_total_bits(row))} bits in all"
    trouble = f"logos must hold the bytes of PNG files, but entry {index} is none"
    return (
        f'<section class="anchor" id="anchor-{index}">\n<h3>{_text(name)}</h3>\n{_outcome(row)}{_reason(row)}'
        f'<p class="about soft">{spans}<a class="back" href="#anchors">back to the table</a></p>\n'
        f"{'' if logo is None else _card(trouble, alt, logo)}"
        f"{''.join(_picture(index, name, picture) for picture in pictures)}</section>\n"
    )


def _outcome(row: Mapping[str, Any]) -> str:
    """Quiet where all is well; in a box, with what to do, where it is not."""
    text, advice = row.get("outcome"), row.get("advice")
    if text is None and advice is None:
        return ""
    told = _text(_sentence(text or ""))
    if row.get("converged", True):
        return f'<p class="outcome soft">{told}</p>\n'
    verdict, colon, why = told.partition(":")
    more = f" {_text(_sentence(advice))}" if advice else ""
    return f'<p class="outcome warning" role="note"><strong>{verdict}</strong>{colon}{why}{more}</p>\n'


def _reason(row: Mapping[str, Any]) -> str:
    """Why β is what it is, where that is told."""
    reason = row.get("beta_reason")
    return "" if reason is None else f'<p class="soft">{_text(reason)}.</p>\n'


def _sentence(text: Any) -> str:
    text = str(text).strip()
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith((".", "!", "?")) else ".")


def _picture(index: int, name: str, picture: Picture) -> str:
    alt = f"{picture.heading}: {name}"
    trouble = f"pictures must hold the bytes of PNG files, but {picture.heading!r} of entry {index} is none"
    return (
        f'<h4>{_text(picture.heading)}</h4>\n<p class="soft">{_text(picture.caption)}</p>\n'
        f"{_card(trouble, alt, picture.png)}"
    )


def _card(trouble: str, alt: str, png: bytes) -> str:
    """A picture on white, that can be scrolled; ValueError(trouble) if it is none."""
    width, height = _png_size(trouble, png)
    # At its natural size (96 CSS pixels an inch) a logo is never enlarged; at 55 % letters are still legible,
    # and a narrower window scrolls inside the card.
    natural = width * 96 // PNG_DPI
    data = base64.b64encode(png).decode("ascii")
    style = f"min-width: {natural * 55 // 100}px; max-width: {natural}px"
    image = (
        f'<img alt="{_text(alt)}" width="{width}" height="{height}" style="{style}" src="data:image/png;base64,{data}">'
    )
    return f'<div class="card" tabindex="0">{image}</div>\n'


def _png_size(trouble: str, png: bytes) -> tuple[int, int]:
    """Width and height in pixels from the header chunk, which PNG (ISO/IEC 15948) puts first."""
    if not isinstance(png, bytes) or not png.startswith(PNG_SIGNATURE) or png[12:16] != b"IHDR":
        raise ValueError(trouble)
    return struct.unpack(">II", png[16:24])
