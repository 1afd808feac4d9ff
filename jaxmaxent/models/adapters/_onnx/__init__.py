"""An ONNX model as a pure function of JAX: its operators are calls of `jax.numpy` and `jax.lax`.

    function = read("model.onnx")
    (scores,) = function(function.params, x)

Every node of the graph runs one function of the table in `_table.py`. Values that depend on no input and on no weight,
such as the shapes of reshapes, are computed with NumPy while the function is traced.
"""

from jaxmaxent.models.adapters._onnx._function import OnnxFunction as OnnxFunction
from jaxmaxent.models.adapters._onnx._read import read as read

__all__ = ["OnnxFunction", "read"]
