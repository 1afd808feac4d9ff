"""The result of sampling: `Run`, in memory and on disk."""

from jaxmaxent.results._run import Run as Run
from jaxmaxent.results._run import join as join
