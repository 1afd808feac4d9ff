"""The distribution to be sampled: alphabets, representations, metrics, fields, and the ensemble that joins them.

Nothing here depends on a framework: any function of the right form is a representation.
"""

from jaxmaxent.ensembles._alphabet import BINARY as BINARY
from jaxmaxent.ensembles._alphabet import DNA as DNA
from jaxmaxent.ensembles._alphabet import IUPAC_DNA as IUPAC_DNA
from jaxmaxent.ensembles._alphabet import PROTEIN as PROTEIN
from jaxmaxent.ensembles._alphabet import RNA as RNA
from jaxmaxent.ensembles._alphabet import Alphabet as Alphabet
from jaxmaxent.ensembles._alphabet import checked_alphabet as checked_alphabet
from jaxmaxent.ensembles._alphabet import with_letters as with_letters
from jaxmaxent.ensembles._compositions import contrast as contrast
from jaxmaxent.ensembles._compositions import together as together
from jaxmaxent.ensembles._distance import unit_weights as unit_weights
from jaxmaxent.ensembles._distance import weighted_distance as weighted_distance
from jaxmaxent.ensembles._ensemble import Ensemble as Ensemble
from jaxmaxent.ensembles._fields import Field as Field
from jaxmaxent.ensembles._fields import composition as composition
from jaxmaxent.ensembles._fields import dinucleotide as dinucleotide
from jaxmaxent.ensembles._fields import position_prior as position_prior
from jaxmaxent.ensembles._growing import codons as codons
from jaxmaxent.ensembles._growing import count as count
from jaxmaxent.ensembles._growing import motif_count as motif_count
from jaxmaxent.ensembles._representation import Representation as Representation
from jaxmaxent.ensembles._representation import as_representation as as_representation
