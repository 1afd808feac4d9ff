"""The rival views of a network, for side-by-side comparison with the draws.

Each takes a representation with a head and tokens [sequences, length], and gives [sequences, length, letters], in
units of an output before its softmax.
"""

from jaxmaxent.attribution.deeplift import deeplift as deeplift
from jaxmaxent.attribution.every import Completeness as Completeness
from jaxmaxent.attribution.every import completeness as completeness
from jaxmaxent.attribution.every import every_view as every_view
from jaxmaxent.attribution.gradient import input_x_gradient as input_x_gradient
from jaxmaxent.attribution.gradient import integrated_gradients as integrated_gradients
from jaxmaxent.attribution.gradient import saliency as saliency
from jaxmaxent.attribution.mutagenesis import loss_of_letters as loss_of_letters
from jaxmaxent.attribution.mutagenesis import mutagenesis as mutagenesis
