"""What `jaxmaxent interpret` says where a store is to be written and zarr is not installed."""

import numpy as np
import pytest

from jaxmaxent.cli import main
from jaxmaxent.commands import _interpret
from jaxmaxent.data import Sequences, write_fasta
from jaxmaxent.results import _export

PROGRAM = """
import numpy as np
import jax.numpy as jnp
from jaxmaxent import DNA, Representation

WEIGHTS = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)

def features(params, one_hot):
    return jnp.tanh(one_hot.reshape(-1) @ params)

network = Representation(features, jnp.asarray(WEIGHTS), alphabet=DNA)
"""
NEEDED = 'needs zarr: pip install "jaxmaxent[xarray]"'


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], f"more than 2 sequences are kept in a store, which {NEEDED}, or --store npz keeps them in one file"),
        (["--store", "zarr"], f"--store zarr {NEEDED}"),
    ],
)
def test_without_zarr_it_says_who_asked_for_a_store(tmp_path, capsys, monkeypatch, more, said):
    def without(name, *args):
        if name == "zarr":
            raise ModuleNotFoundError("No module named 'zarr'")
        return find(name, *args)

    find = _export.importlib.import_module
    monkeypatch.setattr(_export.importlib, "import_module", without)
    monkeypatch.setattr(_interpret, "_MOST_IN_A_FILE", 2)
    (tmp_path / "program.py").write_text(PROGRAM)
    rows = np.random.default_rng(1).integers(0, 4, (3, 8))
    write_fasta(tmp_path / "s.fa", Sequences(rows, ("a", "b", "c")))
    given = ["interpret", f"{tmp_path}/program.py:network", f"{tmp_path}/s.fa", "--out", f"{tmp_path}/out"]
    assert main([*given, *more, "--beta", "2", "--quiet"]) == 2
    assert capsys.readouterr().err == f"jaxmaxent: {said} (No module named 'zarr')\n"
    assert not list(tmp_path.glob("out*"))
