"""Incremental evaluation: a network, traced, recomputes only what an edit of its sequence can reach.

`ranges` says where windows lie and `trace` which values a network is made of; `rules` has one file for each family of
operations; `plan` pushes the reach of an edit through all of them, and `proposal` works out what an edit changes.
"""

from jaxmaxent.evaluate.incremental._evaluator import Cache as Cache
from jaxmaxent.evaluate.incremental._evaluator import Incremental as Incremental
from jaxmaxent.evaluate.incremental._evaluator import IncrementalEvaluator as IncrementalEvaluator
from jaxmaxent.evaluate.incremental._evaluator import Patch as Patch
from jaxmaxent.evaluate.incremental._evaluator import incremental as incremental
from jaxmaxent.evaluate.incremental._explain import Explanation as Explanation
from jaxmaxent.evaluate.incremental._mutants import mutants as mutants
