"""The precision of a sample: R-hat, effective sample sizes, standard errors and log Z, all from arrays."""

from jaxmaxent.diagnostics._batch_means import GROUPS as GROUPS
from jaxmaxent.diagnostics._batch_means import BatchError as BatchError
from jaxmaxent.diagnostics._batch_means import batch_ess as batch_ess
from jaxmaxent.diagnostics._batch_means import batch_mcse as batch_mcse
from jaxmaxent.diagnostics._batch_means import batch_means_ess as batch_means_ess
from jaxmaxent.diagnostics._batch_means import batch_means_mcse as batch_means_mcse
from jaxmaxent.diagnostics._batch_means import indicator_rhat as indicator_rhat
from jaxmaxent.diagnostics._mbar import LogZ as LogZ
from jaxmaxent.diagnostics._mbar import chain_influences as chain_influences
from jaxmaxent.diagnostics._mbar import first_gap as first_gap
from jaxmaxent.diagnostics._mbar import jackknife_error as jackknife_error
from jaxmaxent.diagnostics._mbar import log_z_along as log_z_along
from jaxmaxent.diagnostics._mbar import nan_if_rounding as nan_if_rounding
from jaxmaxent.diagnostics._mbar import rung_probabilities as rung_probabilities
from jaxmaxent.diagnostics._mbar import shared_draws as shared_draws
from jaxmaxent.diagnostics._stored_draws import MIN_DRAWS as MIN_DRAWS
from jaxmaxent.diagnostics._stored_draws import ess_bulk as ess_bulk
from jaxmaxent.diagnostics._stored_draws import ess_mean as ess_mean
from jaxmaxent.diagnostics._stored_draws import ess_tail as ess_tail
from jaxmaxent.diagnostics._stored_draws import mcse_mean as mcse_mean
from jaxmaxent.diagnostics._stored_draws import nested_rhat as nested_rhat
from jaxmaxent.diagnostics._stored_draws import rhat as rhat
