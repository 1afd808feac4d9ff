"""Checks of exactness: of sampling with a user's own network, and for people who write their own rule or evaluator.

`check` holds all but a few positions of any ensemble and reports what it finds. The others are the suite that the rules
and evaluators of this package pass. They enumerate small ensembles, of up to some thousands of sequences, and raise
AssertionError for what is wrong.
"""

from jaxmaxent.testing._check import check as check
from jaxmaxent.testing._enumeration import distribution as distribution
from jaxmaxent.testing._enumeration import enumerate_states as enumerate_states
from jaxmaxent.testing._evaluator import check_evaluator as check_evaluator
from jaxmaxent.testing._proposals import ProposalTable as ProposalTable
from jaxmaxent.testing._report import CheckPart as CheckPart
from jaxmaxent.testing._report import CheckReport as CheckReport
from jaxmaxent.testing._rule import check_rule as check_rule
from jaxmaxent.testing._rule import transition_matrix as transition_matrix
