"""The page as one HTML file without links to other files. It can be opened from disk, on a phone, and printed."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import os
from collections.abc import Sequence

import jinja2

from jaxmaxent import checks
from jaxmaxent.files import new_file
from jaxmaxent.report._detail import Detail
from jaxmaxent.report._images import image
from jaxmaxent.report._overview import cells_of
from jaxmaxent.report._packed import Packed, pack_details
from jaxmaxent.report._rows import AnchorRow, Setting, rows_of
from jaxmaxent.report._values import sentence, shown, whole, with_error
from jaxmaxent.results._mobility import is_mobile

_TEMPLATE, _STYLE, _SCRIPT = "_page.html.jinja", "_page.css", "_page.js"
MEGABYTES = 12.0
_AROUND = 250  # at most so many bytes belong to a packed detail besides itself


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    anchors: Sequence[AnchorRow] | None = None,
    detail: Detail | Packed | None = None,
    settings: Sequence[Setting] = (),
    notes: Sequence[str] = (),
    megabytes: float = MEGABYTES,
    force: bool = False,
) -> None:
    """Write the report of a run as one self-contained HTML file that works offline.

    The page has a table of all anchors, which a reader sorts, searches and filters. With `detail` it also has the
    logo of each anchor at every β, with all numbers behind it. Without a script engine, the page is a plain table.

        write_report("report.html", title="My network", detail=Detail(run=run))

    Args:
        path: the file to write.
        title: heading of the page.
        anchors: one row per anchor; by default, those of the run of `detail`.
        detail: the results of the same anchors at every β and position, or what `pack_details` made of them.
        settings: settings and speeds of the whole run, shown as a table of names and values.
        notes: warnings, one sentence each, shown in a box at the top.
        megabytes: the largest size of the page, in millions of bytes. If all details need more, the page has those of
            the first anchors, as many as fit, and says so. It has all rows and pictures in any case.
        force: replace a file of that name.

    Raises:
        ValueError: if `notes` is a single string, `anchors` are not those of `detail`, or neither is given, or the file
            cannot be written or may not be replaced.
    """
    if isinstance(notes, str):
        raise ValueError(f"notes must be a list of sentences, got the string {checks.shown(notes)}")
    limit = checks.number("megabytes", megabytes, above=0) * 1e6
    rows = _rows(anchors, detail)
    inside = pack_details(detail) if isinstance(detail, Detail) else detail
    names = [row.name if row.name.strip() else f"anchor {index}" for index, row in enumerate(rows)]
    script = _part(_SCRIPT)
    shell = functools.partial(
        _environment().get_template(_TEMPLATE).render,
        title=title, names=names, rows=rows, cells=cells_of(rows), settings=settings, notes=notes,
        letters="" if inside is None else inside.letters,
        small_logos=[None] * len(rows) if inside is None else inside.small_logos,
        style=_Inlined(_part(_STYLE)), script=_Inlined(script), script_hash=_hash(script),
    )  # fmt: skip
    page = shell(details=[])
    if inside is not None:
        page = shell(details=_fitting(inside.details, limit - len(page.encode())))
    with new_file(path, force=force) as scratch:
        scratch.write_text(page, encoding="utf-8", newline="\n")


def _rows(anchors: Sequence[AnchorRow] | None, detail: Detail | Packed | None) -> list[AnchorRow]:
    """Return the rows, which have one entry per anchor of the run, if there is one."""
    if detail is None:
        if anchors is None:
            raise ValueError("anchors must be given if detail is not, got None")
        return list(anchors)
    if anchors is None:
        if isinstance(detail, Packed):
            raise ValueError("anchors must be given for packed details, got None")
        return rows_of(detail.run)
    names = detail.run.names if isinstance(detail, Detail) else detail.names
    if [row.name for row in anchors] != list(names):
        raise ValueError(
            f"anchors must have the names of the run of detail, in its order, {checks.shown(names)}, got "
            f"{checks.shown(tuple(row.name for row in anchors))}"
        )
    return list(anchors)


def _fitting(details: Sequence[str], limit: float) -> list[str]:
    """Return the packed details of the first anchors, as many as need at most `limit` bytes of the page together."""
    found: list[str] = []
    used = 0
    for text in details:
        used += len(text) + _AROUND
        if used > limit:
            break
        found.append(text)
    return found


class _Inlined(str):
    """Text of this package that is part of the page as it is."""

    def __html__(self) -> str:
        return self


def _part(name: str) -> str:
    return importlib.resources.files("jaxmaxent.report").joinpath(name).read_text("utf-8").replace("\r\n", "\n")


def _hash(script: str) -> str:
    """Return the source expression of a content security policy that allows this script only."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


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
        "is_mobile": is_mobile,
        "sentence": sentence,
        "shown": shown,
        "whole": whole,
        "with_error": with_error,
    }
    return environment
