"""Sampling, the one loop: the host calls a compiled block again and again, and reports, saves and decides between."""

from jaxmaxent.run.interrupt import Interrupted as Interrupted
from jaxmaxent.run.loop import NonFiniteEnergyError as NonFiniteEnergyError
from jaxmaxent.run.result import device_name as device_name
from jaxmaxent.run.sample import resume as resume
from jaxmaxent.run.sample import sample as sample
from jaxmaxent.run.sample import takes_turns as takes_turns
from jaxmaxent.run.settings import Precision as Precision
