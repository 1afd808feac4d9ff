"""The rival views of a network, for side-by-side comparison with the draws.

Each takes a representation with a head and tokens [sequences, length], and gives [sequences, length, letters], in
units of an output before its softmax.
"""

from jaxmaxent.attribution._deeplift import deeplift as deeplift
from jaxmaxent.attribution._every import Completeness as Completeness
from jaxmaxent.attribution._every import completeness as completeness
from jaxmaxent.attribution._every import every_view as every_view
from jaxmaxent.attribution._gradient import input_x_gradient as input_x_gradient
from jaxmaxent.attribution._gradient import integrated_gradients as integrated_gradients
from jaxmaxent.attribution._gradient import saliency as saliency
from jaxmaxent.attribution._mutagenesis import loss_of_letters as loss_of_letters
from jaxmaxent.attribution._mutagenesis import mutagenesis as mutagenesis
