"""The result of sampling: `Run`, in memory, on disk and for other programs."""

from jaxmaxent.results._join import join as join
from jaxmaxent.results._run import Run as Run
from jaxmaxent.results._schema import SCHEMA as SCHEMA
from jaxmaxent.results._schema import Attribute as Attribute
from jaxmaxent.results._store import RunStore as RunStore
