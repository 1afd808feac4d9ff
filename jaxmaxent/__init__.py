"""jaxmaxent: which inputs does a trained sequence network treat as the same as this one?"""

import importlib
from typing import TYPE_CHECKING, Any

from jaxmaxent.ensembles import BINARY as BINARY
from jaxmaxent.ensembles import DNA as DNA
from jaxmaxent.ensembles import PROTEIN as PROTEIN
from jaxmaxent.ensembles import RNA as RNA
from jaxmaxent.ensembles import Alphabet as Alphabet
from jaxmaxent.ensembles import Ensemble as Ensemble
from jaxmaxent.ensembles import Field as Field
from jaxmaxent.ensembles import Representation as Representation
from jaxmaxent.ensembles import codons as codons
from jaxmaxent.ensembles import composition as composition
from jaxmaxent.ensembles import contrast as contrast
from jaxmaxent.ensembles import count as count
from jaxmaxent.ensembles import dinucleotide as dinucleotide
from jaxmaxent.ensembles import motif_count as motif_count
from jaxmaxent.ensembles import position_prior as position_prior
from jaxmaxent.ensembles import together as together
from jaxmaxent.results import Run as Run
from jaxmaxent.results import RunStore as RunStore
from jaxmaxent.sampling import Interrupted as Interrupted
from jaxmaxent.sampling import NonFiniteEnergyError as NonFiniteEnergyError
from jaxmaxent.sampling import Precision as Precision
from jaxmaxent.sampling import resume as resume
from jaxmaxent.sampling import sample as sample

if TYPE_CHECKING:
    from jaxmaxent import analysis as analysis
    from jaxmaxent import attribution as attribution
    from jaxmaxent import cluster as cluster
    from jaxmaxent import data as data
    from jaxmaxent import evaluate as evaluate
    from jaxmaxent import kernels as kernels
    from jaxmaxent import models as models
    from jaxmaxent import plot as plot
    from jaxmaxent import testing as testing
    from jaxmaxent.testing import check as check

__version__ = "0.1.0"

# Imported when they are first asked for, so that `import jaxmaxent` brings neither plots nor training with it.
_SUBPACKAGES = ("analysis", "attribution", "cluster", "data", "evaluate", "kernels", "models", "plot", "testing")

__all__ = [  # noqa: RUF022 (sorted by kind)
    "sample", "resume", "check", "Run", "RunStore", "Precision", "Interrupted", "NonFiniteEnergyError",
    "Ensemble", "Representation", "Field", "composition", "dinucleotide", "position_prior",
    "together", "contrast",
    "motif_count", "codons", "count",
    "Alphabet", "DNA", "RNA", "PROTEIN", "BINARY",
    "analysis", "attribution", "cluster", "data", "evaluate", "kernels", "models", "plot", "testing",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"jaxmaxent.{name}")
    if name == "check":
        return importlib.import_module("jaxmaxent.testing").check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
