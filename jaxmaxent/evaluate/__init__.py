"""How the energy of a proposal is evaluated; every way has the same interface, so kernels do not know which."""

from jaxmaxent.evaluate.full import FullEvaluator as FullEvaluator
from jaxmaxent.evaluate.gradient import GradientCache as GradientCache
from jaxmaxent.evaluate.gradient import GradientEvaluator as GradientEvaluator
from jaxmaxent.evaluate.incremental import IncrementalEvaluator as IncrementalEvaluator
from jaxmaxent.evaluate.interface import Edit as Edit
from jaxmaxent.evaluate.interface import Evaluator as Evaluator
from jaxmaxent.evaluate.interface import read as read
from jaxmaxent.evaluate.interface import write as write
from jaxmaxent.evaluate.precision import energy_noise as energy_noise
