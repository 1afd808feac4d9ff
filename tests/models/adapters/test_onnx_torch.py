"""Networks that torch exports, in both of its ways, give the results of torch and of onnxruntime."""

import io
import warnings

import jax
import numpy as np
import pytest

from jaxmaxent.models.adapters._onnx import read

pytestmark = pytest.mark.slow
torch = pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxscript", reason="torch exports with onnxscript")
nn, F = torch.nn, torch.nn.functional
LENGTH = 40


class Convolutional(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv1d(4, 12, 9, bias=False), nn.BatchNorm1d(12), nn.GELU(), nn.MaxPool1d(3),
            nn.Conv1d(12, 8, 5, padding=2), nn.BatchNorm1d(8), nn.ReLU(), nn.AvgPool1d(2), nn.Dropout(0.3),
            nn.Flatten(), nn.Linear(40, 10), nn.Softplus(), nn.Linear(10, 2),
        )  # fmt: skip


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(4, 16, 15, padding=7)
        self.dilated = nn.ModuleList(nn.Conv1d(16, 16, 3, dilation=2**i, padding=2**i) for i in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm1d(16) for _ in range(3))
        self.last = nn.Conv1d(16, 2, 1)

    def forward(self, x):
        x = self.first(x)
        for convolution, norm in zip(self.dilated, self.norms, strict=True):
            x = x + F.relu(norm(convolution(x)))
        return self.last(x)[:, :, 5:-5].mean(-1)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.deep = nn.Conv1d(4, 8, 3, padding=1), nn.Conv1d(8, 16, 3, padding=1)
        self.up, self.longer = nn.Conv1d(24, 8, 3, padding=1), nn.ConvTranspose1d(8, 4, 4, stride=2, padding=1)
        self.last = nn.Linear(4, 1)

    def forward(self, x):
        high = F.elu(self.down(x))
        low = F.silu(self.deep(F.max_pool1d(high, 2)))
        nearest = F.interpolate(low, scale_factor=2, mode="nearest")
        linear = F.interpolate(low, size=high.shape[-1], mode="linear", align_corners=False)
        x = F.leaky_relu(self.up(torch.cat([nearest + linear, high], 1)))
        return self.last(self.longer(x).permute(0, 2, 1)).squeeze(-1)


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Linear(4, 16), nn.Parameter(0.1 * torch.randn(1, LENGTH, 16))
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation="gelu", norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(16, 3)

    def forward(self, x):
        return self.last(self.layers(self.embed(x.transpose(1, 2)) + self.place).mean(1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.queries, self.norm = nn.Linear(4, 16), nn.Linear(16, 48), nn.LayerNorm(16)
        self.last = nn.Linear(16, 3)

    def forward(self, x):
        x = self.embed(x.transpose(1, 2))
        batch, length, width = x.shape
        parts = self.queries(self.norm(x)).reshape(batch, length, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(*parts).transpose(1, 2).reshape(batch, length, width)
        return self.last((x + mixed).amax(1))


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(4, 16, 7, padding="same", groups=2)
        self.gate = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16), nn.Sigmoid())
        self.instance, self.group, self.last = nn.InstanceNorm1d(16, affine=True), nn.GroupNorm(4, 16), nn.Linear(16, 1)

    def forward(self, x):
        x = F.mish(self.convolution(x))
        x = self.group(self.instance(x * self.gate(x.mean(-1)).unsqueeze(-1)))
        return self.last(F.adaptive_avg_pool1d(F.hardswish(x), 1).flatten(1))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.convolution = nn.Conv1d(4, 8, 5, padding=2)
        self.recurrent = kind(8, 6, bidirectional=True, batch_first=True, num_layers=2)
        self.last = nn.Linear(12, 2)

    def forward(self, x):
        return self.last(self.recurrent(F.relu(self.convolution(x)).transpose(1, 2))[0][:, LENGTH // 2])


class Image(nn.Module):
    """A residual network over two axes, in which the letters are one."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 8, (4, 7), padding=(0, 3)), nn.BatchNorm2d(8)
        self.second, self.last = nn.Conv2d(8, 8, (1, 3), stride=(1, 2), padding=(0, 1)), nn.Linear(160, 2)

    def forward(self, x):
        x = F.relu(self.norm(self.first(x.unsqueeze(1))))
        x = torch.sigmoid(self.second(x)) * F.max_pool2d(x, (1, 2), (1, 2))
        return torch.log_softmax(self.last(torch.flatten(x, 1)), -1)


NETWORKS = {
    "convolutional": Convolutional,
    "residual": Residual,
    "unet": UNet,
    "transformer": Transformer,
    "attention": Attention,
    "squeeze-excite": SqueezeExcite,
    "lstm": lambda: Recurrent(nn.LSTM),
    "gru": lambda: Recurrent(nn.GRU),
    "image": Image,
}


def network(name):
    """A network of random weights, also those of its normalizations, in inference."""
    torch.manual_seed(0)
    made = NETWORKS[name]().eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return made


def exported(module, *, dynamo, batch):
    """The contents of the file of a network, for one batch or, if `batch` is None, for batches of any size."""
    how = {}
    if batch is None:
        any_batch = {0: torch.export.Dim("batch")} if dynamo else {"x": {0: "batch"}}
        how = {"dynamic_shapes": (any_batch,)} if dynamo else {"input_names": ["x"], "dynamic_axes": any_batch}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of its two exporters
        torch.onnx.export(module, (torch.randn(batch or 2, 4, LENGTH),), file, dynamo=dynamo, **how)
    return file.getvalue()


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "script"])
@pytest.mark.parametrize("name", NETWORKS)
def test_exported_networks_give_the_results_and_gradients_of_torch(name, dynamo):
    module = network(name)
    x = torch.randn(3, 4, LENGTH, requires_grad=True)
    wanted = module(x)
    wanted.square().sum().backward()
    contents = exported(module, dynamo=dynamo, batch=None)
    function = read(contents)

    def loss(x):
        (made,) = function(function.params, x)
        return (made**2).sum(), made

    with jax.default_matmul_precision("highest"):
        (_, made), slope = jax.jit(jax.value_and_grad(loss, has_aux=True))(x.detach().numpy())
    np.testing.assert_allclose(made, wanted.detach().numpy(), 1e-5, 1e-5)
    np.testing.assert_allclose(slope, x.grad.numpy(), 1e-4, 1e-5)
    onnxruntime = pytest.importorskip("onnxruntime", reason="compares with onnxruntime too")
    session = onnxruntime.InferenceSession(contents)
    (theirs,) = session.run(None, {session.get_inputs()[0].name: x.detach().numpy()})
    np.testing.assert_allclose(made, theirs, 1e-5, 1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_exported_for_a_batch_of_one_is_mapped_over(name):
    module, x = network(name), torch.randn(3, 4, LENGTH)
    function = read(exported(module, dynamo=True, batch=1))
    with jax.default_matmul_precision("highest"):
        made = jax.jit(jax.vmap(lambda x: function(function.params, x[None])[0][0]))(x.numpy())
    np.testing.assert_allclose(made, module(x).detach().numpy(), 1e-5, 1e-5)


@pytest.mark.parametrize("name", ["convolutional", "residual", "unet", "squeeze-excite"])
def test_convolutional_networks_have_no_gathers(name):
    function = read(exported(network(name), dynamo=True, batch=1))
    jaxpr = str(jax.make_jaxpr(lambda x: function(function.params, x[None]))(np.zeros((4, LENGTH), np.float32)))
    assert "conv_general_dilated" in jaxpr
    assert "gather" not in jaxpr
