"""Sampling by parallel tempering: `sample` draws from an ensemble until its letter frequencies are known well enough.

The host calls a compiled block again and again; between blocks it reports, saves and decides whether to go on.
"""

from jaxmaxent.sampling._options import DEFAULT_RUNGS as DEFAULT_RUNGS
from jaxmaxent.sampling._options import MOST_RUNGS as MOST_RUNGS
from jaxmaxent.sampling._options import Options as Options
from jaxmaxent.sampling._precision import Precision as Precision
from jaxmaxent.sampling._prepare import Prepared as Prepared
from jaxmaxent.sampling._prepare import group_size as group_size
from jaxmaxent.sampling._prepare import prepare as prepare
from jaxmaxent.sampling._prepare import side_by_side as side_by_side
from jaxmaxent.sampling._sample import resume as resume
from jaxmaxent.sampling._sample import sample as sample
from jaxmaxent.sampling.host._assemble import device_name as device_name
from jaxmaxent.sampling.host._loop import NonFiniteEnergyError as NonFiniteEnergyError
from jaxmaxent.sampling.host._signals import Interrupted as Interrupted
from jaxmaxent.sampling.program._program import Program as Program
