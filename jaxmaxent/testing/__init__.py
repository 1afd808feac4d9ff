"""Checks for people who write their own rule or evaluator. The rules and evaluators of this package pass them too.

The checks enumerate small ensembles, of up to a few thousand sequences. They raise AssertionError if one fails.
"""

from jaxmaxent.testing._enumeration import distribution as distribution
from jaxmaxent.testing._enumeration import enumerate_states as enumerate_states
from jaxmaxent.testing._evaluator import check_evaluator as check_evaluator
from jaxmaxent.testing._proposals import ProposalTable as ProposalTable
from jaxmaxent.testing._rule import check_rule as check_rule
from jaxmaxent.testing._rule import transition_matrix as transition_matrix
