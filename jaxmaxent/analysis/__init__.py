"""What the draws say: each function takes arrays or a run and returns a small named result with standard errors."""

from jaxmaxent.analysis.potential import ChemicalPotential as ChemicalPotential
from jaxmaxent.analysis.potential import Trial as Trial
from jaxmaxent.analysis.potential import solve_chemical_potential as solve_chemical_potential
from jaxmaxent.analysis.profile import Profile as Profile
from jaxmaxent.analysis.profile import consensus as consensus
from jaxmaxent.analysis.profile import information_bits as information_bits
from jaxmaxent.analysis.profile import informative_window as informative_window
from jaxmaxent.analysis.profile import profile as profile
