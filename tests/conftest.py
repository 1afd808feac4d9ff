"""Settings for every test: shapes must match without being stretched, and real data is asked for in one place."""

import os
from importlib import metadata
from pathlib import Path

# Compiling takes most of the time, and no test is about the speed of what is compiled; also in processes of tests.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# As many processes as cores run tests; threads of each would only get into each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The older code generator takes less than half the time. A version that does not know the flag would not start.
if metadata.version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false".strip()

import jax
import jaxtyping
import pytest

# Before the package is imported.
ROOMS = ("ensembles", "evaluate", "kernels", "testing", "sampling", "diagnostics")
jaxtyping.install_import_hook([f"jaxmaxent.{room}" for room in ROOMS], "annotations.checked")

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def data() -> Path:
    """The folder of real data, or a skip that says how to get it."""
    folder = os.environ.get("JAXMAXENT_DATA")
    if not folder:
        pytest.skip("needs real data: set JAXMAXENT_DATA to the folder that holds it")
    return Path(folder)


@pytest.fixture
def x64():
    """Double precision, for comparisons with the oracle to 1e-10."""
    with jax.enable_x64(True):
        yield
