"""Flax networks to interpret: architectures as data, training, metrics, and checkpoints without pickle.

A network enters the sampler as `representation(network)`. Networks of other kinds do so in one line:
`Representation(lambda params, x: module.apply(params, x[None])[0], variables)` for a Flax linen module,
`Representation(lambda params, x: function(x), None)` for a plain function. Keep the function and reuse it: a
new lambda is compiled again.
"""

from jaxmaxent.models._metrics import auprc as auprc
from jaxmaxent.models._metrics import auroc as auroc
from jaxmaxent.models._metrics import predict as predict
from jaxmaxent.models._networks import Architecture as Architecture
from jaxmaxent.models._networks import ConvArchitecture as ConvArchitecture
from jaxmaxent.models._networks import ConvNetwork as ConvNetwork
from jaxmaxent.models._networks import Features as Features
from jaxmaxent.models._networks import MLPArchitecture as MLPArchitecture
from jaxmaxent.models._networks import MLPNetwork as MLPNetwork
from jaxmaxent.models._networks import Network as Network
from jaxmaxent.models._networks import architecture_from_dict as architecture_from_dict
from jaxmaxent.models._networks import parameters as parameters
from jaxmaxent.models._networks import representation as representation
from jaxmaxent.models._networks import with_parameters as with_parameters
from jaxmaxent.models._saved import load as load
from jaxmaxent.models._saved import read_metadata as read_metadata
from jaxmaxent.models._saved import save as save
from jaxmaxent.models._saved import write as write
from jaxmaxent.models._training import Epoch as Epoch
from jaxmaxent.models._training import TrainResult as TrainResult
from jaxmaxent.models._training import train as train
