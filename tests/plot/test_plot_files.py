import sys
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pytest

from jaxmaxent import plot


def test_save_by_suffix(tmp_path):
    ax = plot.logo(np.full((30, 4), 0.25), anchor="A" * 30)
    plot.save(ax, tmp_path / "logo.png")
    data = (tmp_path / "logo.png").read_bytes()
    assert data == plot.png(ax) == plot.png(ax.figure)
    width = int.from_bytes(data[16:20], "big")
    assert abs(width - 150 * ax.figure.get_figwidth()) <= 1
    plot.save(ax.figure, tmp_path / "logo.SVG")
    assert ElementTree.parse(tmp_path / "logo.SVG").getroot().tag.endswith("}svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logo.SVG", "logo.png"]
    with pytest.raises(ValueError, match=r"path must end in .png or .svg, got 'logo.gif'"):
        plot.save(ax, "logo.gif")
    with pytest.raises(ValueError, match="exists already"):
        plot.save(ax, tmp_path / "logo.png", force=False)


@pytest.mark.parametrize("shell", [None, object()])
def test_show_writes_and_displays_in_a_notebook_only(tmp_path, monkeypatch, shell):
    shown = []
    display = SimpleNamespace(Image=lambda data: data, display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    axes = plot.logo(np.full((3, 4), 0.25))
    plot.show(axes, tmp_path / "a.png")
    plot.show(axes)
    written = (tmp_path / "a.png").read_bytes()
    assert shown == ([] if shell is None else [written, written])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
