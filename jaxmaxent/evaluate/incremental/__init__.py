"""Incremental evaluation: a network, traced, recomputes only what an edit of its sequence can reach.

`ranges` says where windows lie and `trace` which values a network is made of; `rules` has one file for each family of
operations; `plan` pushes the reach of an edit through all of them, and `proposal` works out what an edit changes.
"""

from jaxmaxent.evaluate.incremental.evaluator import Cache as Cache
from jaxmaxent.evaluate.incremental.evaluator import Incremental as Incremental
from jaxmaxent.evaluate.incremental.evaluator import IncrementalEvaluator as IncrementalEvaluator
from jaxmaxent.evaluate.incremental.evaluator import Patch as Patch
from jaxmaxent.evaluate.incremental.evaluator import incremental as incremental
from jaxmaxent.evaluate.incremental.explain import Explanation as Explanation
from jaxmaxent.evaluate.incremental.mutants import mutants as mutants
