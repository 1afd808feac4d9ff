"""PyTorch modules as representations."""

import numpy as np
import pytest
from models.adapters import networks as small

from jaxmaxent import models

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")


class Network(torch.nn.Module):
    """Convolution, batch norm, pooling, dropout, and two outputs."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv1d(4, small.CHANNELS, 5, padding=2), torch.nn.BatchNorm1d(small.CHANNELS)
        self.block = torch.nn.Sequential(torch.nn.GELU(), torch.nn.MaxPool1d(2), torch.nn.Dropout(0.5))
        self.hidden = torch.nn.Linear(small.CHANNELS * small.LENGTH // 2, small.HIDDEN)
        self.classes, self.number = torch.nn.Linear(small.HIDDEN, small.UNITS), torch.nn.Linear(small.HIDDEN, 1)

    def features(self, x):
        return torch.relu(self.hidden(self.block(self.norm(self.conv(x))).flatten(1)))

    def forward(self, x):
        x = self.features(x)
        return {"classes": torch.softmax(self.classes(x), -1), "number": self.number(x)}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    module = Network()
    module(torch.from_numpy(small.one_hots(16)).swapaxes(1, 2))  # moves the averages of the batch norm
    return module.train()


def test_a_module_in_training_mode_is_adapted_in_inference_mode(network):
    found = models.from_torch(network, small.LENGTH, output="classes")
    assert network.training
    rows = small.one_hots()
    with torch.no_grad():
        module = Network().eval()
        module.load_state_dict(network.state_dict())
        x = torch.from_numpy(rows).swapaxes(1, 2)
        hidden, logits = module.features(x).numpy(), module.classes(module.features(x)).numpy()
    mine = np.stack([found.features(found.params, row) for row in rows])
    np.testing.assert_allclose(mine, hidden, atol=1e-5 * np.abs(hidden).max())
    difference = mine @ np.asarray(found.head) - logits
    np.testing.assert_allclose(difference - difference.mean(0), 0, atol=1e-5)
    names = [layer.name for layer in models.layers(found)]
    assert names[:3] == ["conv", "norm", "block/0"]
    by_name = models.from_torch(network, small.LENGTH, output="number", layer="block.1")
    with torch.no_grad():
        pooled = module.block(module.norm(module.conv(x))).flatten(1).numpy()
    np.testing.assert_allclose(np.stack([by_name.features(by_name.params, row) for row in rows]), pooled, atol=1e-5)


def test_a_file_of_torch_export(network, tmp_path):
    class One(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x)["number"]

    program = torch.export.export(One().eval(), (torch.zeros(1, 4, small.LENGTH),))
    torch.export.save(program, tmp_path / "network.pt2")
    found = models.from_torch(tmp_path / "network.pt2", small.LENGTH)
    rows = small.one_hots()
    with torch.no_grad():
        outputs = One().eval()(torch.from_numpy(rows).swapaxes(1, 2)).numpy()
    linear = np.stack([found.features(found.params, row) for row in rows]) @ np.asarray(found.head)
    difference = linear - outputs
    np.testing.assert_allclose(difference - difference.mean(0), 0, atol=1e-5)


def test_a_batch_norm_that_stays_in_training_is_found():
    class Stubborn(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.dense = torch.nn.BatchNorm1d(4), torch.nn.Linear(4 * small.LENGTH, 2)

        def forward(self, x):
            self.norm.train()
            return self.dense(self.norm(x).flatten(1))

    with pytest.raises(ValueError, match="same output in every call|by itself|torch.onnx exports|agree"):
        models.from_torch(Stubborn(), small.LENGTH)


def test_constants_without_a_counterpart_in_onnx_are_computed_before():
    class Positions(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = torch.nn.Linear(small.LENGTH, 2)

        def forward(self, x):
            return self.dense(x.sum(1) * torch.lgamma(torch.arange(small.LENGTH) + 1.5))

    found = models.from_torch(Positions().eval(), small.LENGTH, layout="NCL")
    assert found.head.shape == (small.LENGTH, 2)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: models.from_torch(3, 5), "module must be a PyTorch module or a .pt2 file, got 3"),
    (lambda: models.from_torch("nothing.pt2", 5), "nothing.pt2"),
    (lambda: models.from_torch(Network(), small.LENGTH), "output must be given.*classes"),
    (lambda: models.from_torch(Network(), small.LENGTH, output="number", layout="NLC"), "layout must be one .* 'NCL'"),
])  # fmt: skip
def test_wrong_uses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_file_that_is_none_of_torch_export_is_refused(tmp_path):
    (tmp_path / "network.pt2").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="must be a file of torch.export.save"):
        models.from_torch(tmp_path / "network.pt2", 5)
