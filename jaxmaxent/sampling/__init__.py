"""Sampling, the one loop: the host calls a compiled block again and again, and reports, saves and decides between."""

from jaxmaxent.sampling._options import Precision as Precision
from jaxmaxent.sampling._sample import resume as resume
from jaxmaxent.sampling._sample import sample as sample
from jaxmaxent.sampling._sample import takes_turns as takes_turns
from jaxmaxent.sampling.host._assemble import device_name as device_name
from jaxmaxent.sampling.host._loop import NonFiniteEnergyError as NonFiniteEnergyError
from jaxmaxent.sampling.host._signals import Interrupted as Interrupted
