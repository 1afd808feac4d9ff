"""Pictures as files and as bytes."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxmaxent.files import new_file
from jaxmaxent.plot._inputs import need
from jaxmaxent.plot._style import DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def save(figure_or_axes: Figure | Axes, path: str | os.PathLike[str], *, force: bool = True) -> None:
    """Write a figure, or the figure of an Axes, as PNG (150 dots per inch) or SVG.

    The suffix of `path` decides the format. The file appears under its name only when it is complete.

    Args:
        figure_or_axes: the picture to write.
        path: a name that ends in .png or .svg.
        force: replace a file of that name.

    Raises:
        ValueError: for another suffix, or if the file cannot be written or may not be replaced.

    Example:
        >>> plot.save(plot.logo(run.frequencies[0, -1]), "logo.svg")
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg"):
        raise ValueError(f"path must end in .png or .svg, got {os.fspath(path)!r}")
    with new_file(path, force=force) as scratch:
        scratch.write_bytes(_render(figure_or_axes, suffix[1:]))


def show(figure_or_axes: Figure | Axes, path: str | os.PathLike[str] | None = None) -> None:
    """Show a figure, or the figure of an Axes, below a notebook's cell; outside notebooks show nothing.

    Notebooks show figures of pyplot by themselves. Figures of this package are not known to pyplot.

    Args:
        figure_or_axes: the picture to show.
        path: a file to write as well, as by `save`; none if None.

    Raises:
        ValueError: as `save`.

    Example:
        >>> plot.show(plot.logo(run.frequencies[0, -1]))
    """
    if path is not None:
        save(figure_or_axes, path)
    notebook = sys.modules.get("IPython")
    if notebook is not None and notebook.get_ipython() is not None:
        from IPython.display import Image, display  # pyright: ignore[reportMissingImports]

        display(Image(png(figure_or_axes)))


def png(figure_or_axes: Figure | Axes) -> bytes:
    """Return a figure, or the figure of an Axes, as the bytes of a PNG file at 150 dots per inch.

    Example:
        >>> picture = plot.png(plot.logo(run.frequencies[0, -1]))  # bytes
    """
    return _render(figure_or_axes, "png")


def _render(figure_or_axes: Figure | Axes, form: str) -> bytes:
    need("matplotlib")
    figure: Any = figure_or_axes
    while figure.figure is not figure:
        figure = figure.figure
    # Without the date two SVG files of the same picture can be compared.
    metadata = {"Date": None} if form == "svg" else None
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=DPI, metadata=metadata)
    return buffer.getvalue()
