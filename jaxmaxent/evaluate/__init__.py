"""How the energy of a proposal is evaluated: in full, with its gradient, or incrementally.

All evaluators have one interface, so that every kernel works with each of them.
"""

from jaxmaxent.evaluate._full import FullEvaluator as FullEvaluator
from jaxmaxent.evaluate._gradient import GradientCache as GradientCache
from jaxmaxent.evaluate._gradient import GradientEvaluator as GradientEvaluator
from jaxmaxent.evaluate._interface import Edit as Edit
from jaxmaxent.evaluate._interface import Evaluator as Evaluator
from jaxmaxent.evaluate._interface import read as read
from jaxmaxent.evaluate._interface import write as write
from jaxmaxent.evaluate._precision import energy_noise as energy_noise
from jaxmaxent.evaluate.incremental import IncrementalEvaluator as IncrementalEvaluator
