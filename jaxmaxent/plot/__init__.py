"""Arrays in, matplotlib Axes out, leaving matplotlib's global state alone.

Without an Axes a new Figure with its own canvas is made, so the functions work on a machine without a display and
beside a notebook's own plots. matplotlib and logomaker come with the extra `plot`, imported when something is drawn.
"""

from jaxmaxent.plot.composition import composition_response as composition_response
from jaxmaxent.plot.composition import composition_shift as composition_shift
from jaxmaxent.plot.couplings import coupling_map as coupling_map
from jaxmaxent.plot.curves import information_track as information_track
from jaxmaxent.plot.curves import training_curve as training_curve
from jaxmaxent.plot.files import png as png
from jaxmaxent.plot.files import save as save
from jaxmaxent.plot.files import show as show
from jaxmaxent.plot.ladder import energy_along as energy_along
from jaxmaxent.plot.ladder import exchange_along as exchange_along
from jaxmaxent.plot.ladder import information_along as information_along
from jaxmaxent.plot.ladder import ladder as ladder
from jaxmaxent.plot.ladder import resolutions as resolutions
from jaxmaxent.plot.logos import logo as logo
from jaxmaxent.plot.logos import logo_grid as logo_grid
from jaxmaxent.plot.motifs import motif as motif
from jaxmaxent.plot.periodicity import periodic_profile as periodic_profile
from jaxmaxent.plot.periodicity import spectrum as spectrum
from jaxmaxent.plot.style import colors as colors
from jaxmaxent.plot.thermodynamics import entropy_along as entropy_along
from jaxmaxent.plot.thermodynamics import heat_capacity_along as heat_capacity_along
from jaxmaxent.plot.thermodynamics import sequences_within as sequences_within
from jaxmaxent.plot.thermodynamics import thermodynamics as thermodynamics
from jaxmaxent.plot.views import views as views
