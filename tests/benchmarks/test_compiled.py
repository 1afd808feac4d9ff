"""Bounds of what the compilers for an H200 and a v5e make of the sampler."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PLUGINS = {"h200": "jax_plugins.xla_cuda12", "v5e": "libtpu"}


def installed(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def row_of(device, way, tmp_path, sequences=225):
    """The figures of a block of the CTCF network with default rules; a device without a compiler skips the test."""
    if not installed(PLUGINS[device]):
        pytest.skip(f'needs the compiler for a {device}: pip install -e ".[accelerators]"')
    file = tmp_path / "compiled.json"
    command = [sys.executable, str(BENCHMARKS / "compiled.py"), "--devices", device, "--ways", way, "--out", str(file)]
    command += ["--sequences", str(sequences)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "0", "XLA_FLAGS": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())["rows"][0]


@pytest.mark.slow
@pytest.mark.parametrize("sequences", [225, 8192])
def test_a_gpu_hardly_waits_for_its_host(sequences, tmp_path):
    row = row_of("h200", "full", tmp_path, sequences)
    assert row["per draw"]["waits"] <= 0.2
    assert row["per step"]["kernels"] <= 25
    assert row["per step"].get("scatters", 0) == 0
    assert "collectives" not in row["per draw"]


@pytest.mark.slow
def test_a_tpu_makes_few_operations(tmp_path):
    row = row_of("v5e", "incremental", tmp_path)
    assert row["per draw"]["cycles"] <= 1.0e6
    assert row["per draw"].get("cache copies", 0) <= 2.1
    assert row["per step"].get("scatters", 0) == 0
