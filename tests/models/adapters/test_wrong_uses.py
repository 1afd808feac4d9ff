"""Every wrong use of an adapter gives one sentence that names what is wrong."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from models.adapters import networks as small

from jaxmaxent import models

WEIGHTS = np.random.default_rng(0).normal(size=(small.LENGTH * 4, 3)).astype(np.float32)


def flat(x):
    return x.reshape(x.shape[0], -1)


class Training(nn.Module):
    """A module that is always in training mode."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(flat(nn.BatchNorm(use_running_average=False)(x)))


def in_training():
    variables = Training().init(jax.random.key(0), small.one_hots())
    return models.from_linen(Training(), variables, small.LENGTH)


def adapt(function, length=small.LENGTH, **arguments):
    return models.from_function(function, length, **{"layout": "NLC"} | arguments)


def linen(**arguments):
    module, variables = small.linen()
    return models.from_linen(module, variables, **{"length": small.LENGTH, "output": "classes"} | arguments)


def drawn(x):
    return x.sum((1, 2))[:, None] + next(drawn.numbers)


WRONG = {
    "training mode": (in_training, "failed|inference mode"),
    "wrong layout": (lambda: linen(layout="NCL"), "layout must be one that the network takes .* such as 'NLC'"),
    "no layout": (lambda: adapt(lambda x: flat(x) @ WEIGHTS, layout=None), "layout must be given.*'NLC' and 'NCL'"),
    "unknown layout": (lambda: linen(layout="BLC"), 'layout must be like "NLC"'),
    "wrong layer": (lambda: linen(layer="nothing"), "layer must be the name or number of a layer, got 'nothing'"),
    "wrong number": (lambda: linen(layer=99), "layer must be one of 0 to"),
    "no choice of output": (lambda: linen(output=None), r"output must be given.*classes \[1, 3\], number \[1, 1\]"),
    "wrong output": (lambda: linen(output="class"), "output must be one of classes"),
    "constant output": (lambda: adapt(lambda x: jnp.ones((x.shape[0], 2))), "output must depend on the sequence"),
    "not linear": (
        lambda: adapt(lambda x: jnp.sin((flat(x) @ WEIGHTS) ** 2).sum(1, keepdims=True)),
        "not depend linearly",
    ),
    "batch": (
        lambda: adapt(lambda x: flat(x) @ WEIGHTS - (flat(x) @ WEIGHTS).mean(0, keepdims=True), layer="output"),
        "each sequence by itself",
    ),
    "two inputs": (lambda: adapt(lambda x, y: x + y), "fixed_inputs"),
    "NaN": (lambda: adapt(lambda x: jnp.log(-flat(x)), layer="output"), "finite numbers"),
    "NaN weights": (lambda: adapt(lambda p, x: flat(x) @ p, params=WEIGHTS * np.nan), "params must be finite"),
    "wrong length": (lambda: linen(length=small.LENGTH + 2), "length"),
    "length of zero": (lambda: linen(length=0), "length must be a whole number of at least 1"),
    "letters": (lambda: linen(letters="ACGTN"), "letters"),
    "no collections": (lambda: models.from_linen(nn.Dense(2), {}, 5), "variables must be all collections"),
    "no module": (lambda: models.from_linen(3, {"params": {}}, 5), "module must be a Flax linen module, got 3"),
    "another module": (lambda: models.from_nnx(nn.Dense(2), 5), "module must be a Flax NNX module"),
    "no function": (lambda: models.from_function(3, 5), "function must be a function"),
    "no file": (lambda: models.from_exported("nothing.jax", 5), "there is no file nothing.jax"),
    "no layers": (lambda: models.layers(3), "from_"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_uses_give_one_sentence(case):
    make, message = WRONG[case]
    with pytest.raises(ValueError, match=message) as error:
        make()
    text = str(error.value)
    assert "\n" not in text and len(re.findall(r"[.!?] [A-Z]", text)) == 0, text


def test_a_network_that_draws_random_numbers_is_refused():
    draws = np.random.default_rng(0)

    def network(x):
        noise = jax.pure_callback(
            lambda: draws.normal(size=()).astype(np.float32), jax.ShapeDtypeStruct((), jnp.float32)
        )
        return x.sum((1, 2))[:, None] + noise

    with pytest.raises(ValueError, match="the same output in every call"):
        adapt(network, layer="output")


def test_a_foreign_file_is_refused(tmp_path):
    pytest.importorskip("flatbuffers")
    file = tmp_path / "network.jax"
    file.write_text("not a network")
    with pytest.raises(ValueError, match="must be a file of jax.export"):
        models.from_exported(file, 5)


def test_objects_that_cannot_be_hashed_are_known_by_identity():
    class Network:
        __hash__ = None

        def __call__(self, x):
            return jnp.tanh(flat(x) @ WEIGHTS) @ jnp.eye(3)

    network = Network()
    first, second = adapt(network), adapt(network)
    assert first.features == second.features and hash(first.features) == hash(second.features)
    assert adapt(Network()).features != first.features


def test_a_missing_package_names_the_extra(monkeypatch):
    from jaxmaxent.models.adapters import _extras

    from_equinox = models.from_equinox

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(_extras.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"jaxmaxent\[equinox\]"):
        from_equinox(None, 5)


def test_dropout_without_inference_mode_is_off_in_nnx():
    module = nnx.Sequential(lambda x: flat(x), nnx.Linear(small.LENGTH * 4, 2, rngs=nnx.Rngs(0)),
                            nnx.Dropout(0.5, rngs=nnx.Rngs(1)))  # fmt: skip
    found = models.from_nnx(module, small.LENGTH, layout="NLC", layer="output")
    row = jnp.asarray(small.one_hots()[0])
    np.testing.assert_allclose(found.features(found.params, row), module.layers[1](row.reshape(-1)), rtol=1e-6)
