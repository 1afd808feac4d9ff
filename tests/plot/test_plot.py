"""Tests of what all pictures have in common."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxmaxent import plot
from jaxmaxent.plot import _stacks as stacks

BETAS = [0.0, 1.0, 4.0, 9.0]


def test_the_given_axes_is_drawn_on():
    figure = Figure()
    axes = figure.subplots(3)
    assert plot.logo(np.full((3, 4), 0.25), ax=axes[0]) is axes[0]
    assert plot.information_track(np.ones(3), ax=axes[1]) is axes[1]
    assert plot.training_curve([{"train_loss": 1.0}], ax=axes[2]) is axes[2]
    axes = Figure().subplots(3)
    assert plot.energy_along(BETAS, BETAS, ax=axes[0]) is axes[0]
    assert plot.information_along(BETAS, BETAS, ax=axes[1]) is axes[1]
    assert plot.swap_acceptance_along(BETAS, [0, 1, 0.5], ax=axes[2]) is axes[2]
    sub = Figure().subfigures(2)[0].subplots()
    plot.logo(np.eye(4), ax=sub)
    assert plot.png(sub).startswith(b"\x89PNG")


def test_global_state_is_left_alone():
    import matplotlib.pyplot as pyplot

    before, figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    stacks.letter_outlines.cache_clear()
    plot.png(plot.logo(np.full((5, 4), 0.25), anchor="ACGTA", title="t"))
    plot.png(plot.training_curve([{"train_loss": 1.0, "validation_auroc": 0.5}]))
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == figures


def test_importing_the_package_imports_no_plotting_package():
    code = (
        "import sys, jaxmaxent as jme; jme.plot.logo; print({'matplotlib', 'logomaker', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("missing", ["matplotlib", "logomaker"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"drawing needs {missing}: pip install 'jaxmaxent\[plot\]'"):
        plot.logo(np.full((3, 4), 0.25))
    if missing == "logomaker":
        plot.information_track(np.ones(3))
    else:
        with pytest.raises(ImportError, match=r"jaxmaxent\[plot\]"):
            plot.information_track(np.ones(3))


def test_private_modules_hide_behind_the_public_page():
    assert sorted(name for name in dir(plot) if not name.startswith("_")) == plot.__all__
