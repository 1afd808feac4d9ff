"""Pictures of arrays and results with matplotlib, without any change to matplotlib's global state.

A function that is not given an Axes makes a new Figure with its own canvas. The functions therefore work on a machine
without a display, and do not disturb a notebook's own plots. matplotlib and logomaker come with the extra `plot` and
are imported when something is drawn; every function raises ImportError if one that it needs is not installed.
"""

from jaxmaxent.plot._composition import composition_response as composition_response
from jaxmaxent.plot._composition import composition_shift as composition_shift
from jaxmaxent.plot._couplings import coupling_map as coupling_map
from jaxmaxent.plot._curves import information_track as information_track
from jaxmaxent.plot._curves import training_curve as training_curve
from jaxmaxent.plot._draw_motifs import draw_motifs as draw_motifs
from jaxmaxent.plot._files import png as png
from jaxmaxent.plot._files import save as save
from jaxmaxent.plot._files import show as show
from jaxmaxent.plot._grammar import grammar as grammar
from jaxmaxent.plot._ladder import energy_along as energy_along
from jaxmaxent.plot._ladder import information_along as information_along
from jaxmaxent.plot._ladder import ladder as ladder
from jaxmaxent.plot._ladder import swap_acceptance_along as swap_acceptance_along
from jaxmaxent.plot._logos import logo as logo
from jaxmaxent.plot._logos import logo_grid as logo_grid
from jaxmaxent.plot._logos import resolutions as resolutions
from jaxmaxent.plot._motifs import motif as motif
from jaxmaxent.plot._periodicity import periodic_profile as periodic_profile
from jaxmaxent.plot._periodicity import spectrum as spectrum
from jaxmaxent.plot._pinned import pinned_profile as pinned_profile
from jaxmaxent.plot._style import colors as colors
from jaxmaxent.plot._thermodynamics import entropy_along as entropy_along
from jaxmaxent.plot._thermodynamics import heat_capacity_along as heat_capacity_along
from jaxmaxent.plot._thermodynamics import sequences_within as sequences_within
from jaxmaxent.plot._thermodynamics import thermodynamics as thermodynamics
from jaxmaxent.plot._views import views as views
from jaxmaxent.plot._where import where as where

__all__ = [
    "colors",
    "composition_response",
    "composition_shift",
    "coupling_map",
    "draw_motifs",
    "energy_along",
    "entropy_along",
    "grammar",
    "heat_capacity_along",
    "information_along",
    "information_track",
    "ladder",
    "logo",
    "logo_grid",
    "motif",
    "periodic_profile",
    "pinned_profile",
    "png",
    "resolutions",
    "save",
    "sequences_within",
    "show",
    "spectrum",
    "swap_acceptance_along",
    "thermodynamics",
    "training_curve",
    "views",
    "where",
]
