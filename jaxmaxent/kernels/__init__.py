"""How a chain moves: rules propose, and `metropolis` holds the one place where a proposal is accepted."""

from jaxmaxent.kernels.metropolis import Info as Info
from jaxmaxent.kernels.metropolis import Metropolis as Metropolis
from jaxmaxent.kernels.metropolis import Rule as Rule
from jaxmaxent.kernels.metropolis import State as State
from jaxmaxent.kernels.site import Site as Site
