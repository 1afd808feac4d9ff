"""jaxmaxent: which inputs does a trained sequence network treat as the same as this one?"""

from jaxmaxent import analysis as analysis
from jaxmaxent.alphabet import BINARY as BINARY
from jaxmaxent.alphabet import DNA as DNA
from jaxmaxent.alphabet import PROTEIN as PROTEIN
from jaxmaxent.alphabet import RNA as RNA
from jaxmaxent.alphabet import Alphabet as Alphabet
from jaxmaxent.ensemble import Ensemble as Ensemble
from jaxmaxent.ensemble import Representation as Representation
from jaxmaxent.fields import Field as Field
from jaxmaxent.fields import composition as composition
from jaxmaxent.fields import dinucleotide as dinucleotide
from jaxmaxent.fields import position_prior as position_prior
from jaxmaxent.run import Interrupted as Interrupted
from jaxmaxent.run import NonFiniteEnergyError as NonFiniteEnergyError
from jaxmaxent.run import Precision as Precision
from jaxmaxent.run import resume as resume
from jaxmaxent.run import sample as sample
from jaxmaxent.store import Run as Run

__version__ = "0.1.0"
