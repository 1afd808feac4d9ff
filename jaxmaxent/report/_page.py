"""The page as one HTML file without links to other files. It can be opened from disk, on a phone, and printed."""

from __future__ import annotations

import os
from collections.abc import Sequence

import jinja2

from jaxmaxent import checks
from jaxmaxent.files import new_file
from jaxmaxent.report._images import image
from jaxmaxent.report._rows import AnchorRow, Setting
from jaxmaxent.report._values import sentence, shown, whole, with_error

_TEMPLATE = "_page.html.jinja"


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    anchors: Sequence[AnchorRow],
    settings: Sequence[Setting] = (),
    notes: Sequence[str] = (),
    force: bool = False,
) -> None:
    """Write the report of a run as one self-contained HTML file.

    Args:
        path: the file to write.
        title: heading of the page.
        anchors: one row per anchor.
        settings: settings and speeds of the whole run, shown as a table of names and values.
        notes: warnings, one sentence each, shown in a box at the top.
        force: replace a file of that name.

    Raises:
        ValueError: if `notes` is a single string, or the file cannot be written or may not be replaced.
    """
    if isinstance(notes, str):
        raise ValueError(f"notes must be a list of sentences, got the string {checks.shown(notes)}")
    names = [row.name if row.name.strip() else f"anchor {index}" for index, row in enumerate(anchors)]
    page = _environment().get_template(_TEMPLATE).render(
        title=title, anchors=list(zip(names, anchors, strict=True)), settings=settings, notes=notes
    )  # fmt: skip
    with new_file(path, force=force) as scratch:
        scratch.write_text(page, encoding="utf-8", newline="\n")


def _environment() -> jinja2.Environment:
    """Return the environment of the template.

    Names come from other people's FASTA headers and tables, so every value passes through `shown` and is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jaxmaxent.report", "."), autoescape=True, finalize=shown,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {
        "image": image,
        "sentence": sentence,
        "shown": shown,
        "whole": whole,
        "with_error": with_error,
    }
    return environment
