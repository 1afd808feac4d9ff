"""How far a sample can be trusted: R-hat, effective sample sizes, Monte Carlo standard errors, log Z; arrays only."""

from jaxmaxent.diagnostics._anchor_start import AnchorStart as AnchorStart
from jaxmaxent.diagnostics._anchor_start import ScalarBatches as ScalarBatches
from jaxmaxent.diagnostics._anchor_start import compare_starts as compare_starts
from jaxmaxent.diagnostics._anchor_start import judge_start as judge_start
from jaxmaxent.diagnostics._anchor_start import limit_log_z as limit_log_z
from jaxmaxent.diagnostics._convergence import Batches as Batches
from jaxmaxent.diagnostics._convergence import Diagnosis as Diagnosis
from jaxmaxent.diagnostics._convergence import Verdict as Verdict
from jaxmaxent.diagnostics._convergence import chains_together as chains_together
from jaxmaxent.diagnostics._convergence import diagnose as diagnose
from jaxmaxent.diagnostics._convergence import judge as judge
from jaxmaxent.diagnostics._convergence import target_rhat as target_rhat
from jaxmaxent.diagnostics._convergence import with_trips as with_trips
from jaxmaxent.diagnostics._diagnostics import GROUPS as GROUPS
from jaxmaxent.diagnostics._diagnostics import MIN_DRAWS as MIN_DRAWS
from jaxmaxent.diagnostics._diagnostics import BatchError as BatchError
from jaxmaxent.diagnostics._diagnostics import batch_ess as batch_ess
from jaxmaxent.diagnostics._diagnostics import batch_mcse as batch_mcse
from jaxmaxent.diagnostics._diagnostics import batch_means_ess as batch_means_ess
from jaxmaxent.diagnostics._diagnostics import batch_means_mcse as batch_means_mcse
from jaxmaxent.diagnostics._diagnostics import ess_bulk as ess_bulk
from jaxmaxent.diagnostics._diagnostics import ess_mean as ess_mean
from jaxmaxent.diagnostics._diagnostics import ess_tail as ess_tail
from jaxmaxent.diagnostics._diagnostics import indicator_rhat as indicator_rhat
from jaxmaxent.diagnostics._diagnostics import mcse_mean as mcse_mean
from jaxmaxent.diagnostics._diagnostics import rhat as rhat
