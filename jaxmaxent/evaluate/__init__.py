"""How the energy of a proposal is evaluated; every way has the same interface, so kernels do not know which."""

from jaxmaxent.evaluate.full import FullEvaluator as FullEvaluator
from jaxmaxent.evaluate.interface import Evaluator as Evaluator
