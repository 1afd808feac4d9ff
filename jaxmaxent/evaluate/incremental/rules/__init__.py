"""The rules of operations; the result of an operation without a rule is computed in full.

A rule is a function of an `Equation`. At least one input of it changes, and every such input changes in windows. The
rule returns a `Window`, a `Change`, or in a few words why there is neither; for several outputs, a list of these.
"""

from jaxmaxent.evaluate.incremental.rules._table import FLATTENED_TOO as FLATTENED_TOO
from jaxmaxent.evaluate.incremental.rules._table import REWRITES as REWRITES
from jaxmaxent.evaluate.incremental.rules._table import RULES as RULES
