"""How a chain moves: rules propose, and one Metropolis–Hastings kernel accepts.

Every rule shares the same acceptance, so a new rule states only its proposal. `jaxmaxent.testing` checks it.
"""

from jaxmaxent.kernels._informed import Informed as Informed
from jaxmaxent.kernels._metropolis import Info as Info
from jaxmaxent.kernels._metropolis import Kernel as Kernel
from jaxmaxent.kernels._metropolis import Metropolis as Metropolis
from jaxmaxent.kernels._metropolis import Rule as Rule
from jaxmaxent.kernels._metropolis import State as State
from jaxmaxent.kernels._metropolis import Unlearned as Unlearned
from jaxmaxent.kernels._mixture import Mixture as Mixture
from jaxmaxent.kernels._mixture import MixtureKernel as MixtureKernel
from jaxmaxent.kernels._mixture import build as build
from jaxmaxent.kernels._mixture import evaluator_for as evaluator_for
from jaxmaxent.kernels._reverse_complement import ReverseComplement as ReverseComplement
from jaxmaxent.kernels._rotation import Rotation as Rotation
from jaxmaxent.kernels._rule_dataclass import rule_dataclass as rule_dataclass
from jaxmaxent.kernels._segment import Segment as Segment
from jaxmaxent.kernels._segment_adaptive import SegmentAdaptive as SegmentAdaptive
from jaxmaxent.kernels._site import Site as Site
from jaxmaxent.kernels._site_adaptive import SiteAdaptive as SiteAdaptive
from jaxmaxent.kernels._transposition import Transposition as Transposition
