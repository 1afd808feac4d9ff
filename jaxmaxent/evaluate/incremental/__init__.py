"""Incremental evaluation: a traced network recomputes only the values that an edit of its sequence can change.

`_ranges` describes the positions of windows, `_trace` turns a network into a graph of values, and `rules` has one file
for each family of operations. `_plan` finds the positions of every value that an edit can change, and `_proposal`
computes the changes.
"""

from jaxmaxent.evaluate.incremental._evaluator import Cache as Cache
from jaxmaxent.evaluate.incremental._evaluator import Incremental as Incremental
from jaxmaxent.evaluate.incremental._evaluator import IncrementalEvaluator as IncrementalEvaluator
from jaxmaxent.evaluate.incremental._evaluator import Patch as Patch
from jaxmaxent.evaluate.incremental._evaluator import incremental as incremental
from jaxmaxent.evaluate.incremental._explain import Explanation as Explanation
from jaxmaxent.evaluate.incremental._mutants import mutants as mutants
