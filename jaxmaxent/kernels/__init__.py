"""How a chain moves: rules propose, and `metropolis` holds the one place where a proposal is accepted."""

from jaxmaxent.kernels.adaptive import SiteAdaptive as SiteAdaptive
from jaxmaxent.kernels.block import Block as Block
from jaxmaxent.kernels.dataclass import rule_dataclass as rule_dataclass
from jaxmaxent.kernels.informed import Informed as Informed
from jaxmaxent.kernels.metropolis import Info as Info
from jaxmaxent.kernels.metropolis import Kernel as Kernel
from jaxmaxent.kernels.metropolis import Metropolis as Metropolis
from jaxmaxent.kernels.metropolis import Rule as Rule
from jaxmaxent.kernels.metropolis import State as State
from jaxmaxent.kernels.metropolis import Unlearned as Unlearned
from jaxmaxent.kernels.mixture import Mixture as Mixture
from jaxmaxent.kernels.mixture import MixtureKernel as MixtureKernel
from jaxmaxent.kernels.mixture import build as build
from jaxmaxent.kernels.mixture import evaluator_for as evaluator_for
from jaxmaxent.kernels.segment import SegmentAdaptive as SegmentAdaptive
from jaxmaxent.kernels.site import Site as Site
from jaxmaxent.kernels.swap import Swap as Swap
