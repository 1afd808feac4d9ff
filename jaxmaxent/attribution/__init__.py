"""Other attribution methods, so that the draws can be compared side by side with methods that users know.

Each method takes a representation with a head and tokens [sequences, length]. It returns scores of shape [sequences,
length, letters], in units of an output before its softmax.

    network = models.representation(models.load("model"))
    scores = attribution.integrated_gradients(network, tokens).sum(-1)
    every = attribution.every_view(network, tokens)
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
