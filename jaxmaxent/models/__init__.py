"""Flax networks to interpret: architectures as data, training, metrics, and checkpoints without pickle.

A network enters the sampler as `representation(network)`. Networks of other kinds do so in one line:
`Representation(lambda params, x: module.apply(params, x[None])[0], variables)` for a Flax linen module,
`Representation(lambda params, x: function(x), None)` for a plain function. Keep the function and reuse it: a
new lambda is compiled again.
"""

from jaxmaxent.models.checkpoint import load as load
from jaxmaxent.models.checkpoint import read_metadata as read_metadata
from jaxmaxent.models.checkpoint import save as save
from jaxmaxent.models.checkpoint import write as write
from jaxmaxent.models.metrics import auprc as auprc
from jaxmaxent.models.metrics import auroc as auroc
from jaxmaxent.models.metrics import predict as predict
from jaxmaxent.models.networks import Architecture as Architecture
from jaxmaxent.models.networks import ConvArchitecture as ConvArchitecture
from jaxmaxent.models.networks import ConvNetwork as ConvNetwork
from jaxmaxent.models.networks import Features as Features
from jaxmaxent.models.networks import MLPArchitecture as MLPArchitecture
from jaxmaxent.models.networks import MLPNetwork as MLPNetwork
from jaxmaxent.models.networks import Network as Network
from jaxmaxent.models.networks import architecture_from_dict as architecture_from_dict
from jaxmaxent.models.networks import parameters as parameters
from jaxmaxent.models.networks import representation as representation
from jaxmaxent.models.networks import with_parameters as with_parameters
from jaxmaxent.models.training import Epoch as Epoch
from jaxmaxent.models.training import TrainResult as TrainResult
from jaxmaxent.models.training import train as train
