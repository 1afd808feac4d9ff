"""Settings for every test: compilation, rank promotion as an error, and the fixtures for real data and precision."""

import gc
import os
from importlib import metadata
from pathlib import Path

# Compiling takes most of the time, so most optimizations are off, also in processes that tests start. With
# JAX_DISABLE_MOST_OPTIMIZATIONS=0 tests compile as users do; `test_optimized.py` runs some of them in that way.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# As many processes as there are cores run tests; threads of each would only get in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The older code generator takes less than half the time, and a program in one piece a fifth less than one that is split
# for several threads. Versions that do not know the flags would not start.
if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] != "0" and metadata.version("jaxlib").startswith("0.10."):
    FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS}".strip()

import jax
import jaxtyping
import pytest

# Rooms whose functions must get and give arrays of the shapes that they say.
ROOMS = ("ensembles", "evaluate", "kernels", "testing", "sampling", "diagnostics")

jax.config.update("jax_numpy_rank_promotion", "raise")

# Tracing makes many objects, and nearly all of them stay. To look for garbage as often as Python does by itself takes
# an eighth of the time of the tests.
gc.set_threshold(20_000, 20, 10)


def pytest_configure(config):
    """Check shapes, but not in slow tests: they call the same functions, and would take a tenth longer."""
    if "not slow" in config.option.markexpr:
        # Before the package is imported.
        jaxtyping.install_import_hook([f"jaxmaxent.{room}" for room in ROOMS], "annotations.checked")


def pytest_collection_finish():
    """Leave out of the search for garbage what is there before the first test: modules and tests."""
    gc.collect()
    gc.freeze()


# Compiled programs of tests stay in memory. Above so many bytes they are dropped behind a file of tests.
MOST_RESIDENT = 3 * 2**30


@pytest.fixture(autouse=True, scope="module")
def bounded_memory():
    """Drop compiled programs behind a file of tests if this process has become large."""
    yield
    statistics = Path("/proc/self/statm")
    if statistics.exists() and int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > MOST_RESIDENT:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def data() -> Path:
    """Return the folder of real data, or skip the test with a sentence that says how to get it."""
    folder = os.environ.get("JAXMAXENT_DATA")
    if not folder:
        pytest.skip("needs real data: set JAXMAXENT_DATA to the folder that holds it")
    return Path(folder)


@pytest.fixture
def x64():
    """Switch to double precision, for comparisons with the oracle to 1e-10."""
    with jax.enable_x64(True):
        yield
