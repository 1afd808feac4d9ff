"""The script for ten minutes on a device, in its small form on a CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.exhaustive
def test_all_parts_of_the_script_for_a_device_run_on_a_cpu(tmp_path):
    file = tmp_path / "cpu.json"
    command = [sys.executable, str(BENCHMARKS / "accelerator.py"), "--minutes", "1", "--out", str(file)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=os.environ | {"JAX_PLATFORMS": "cpu"}
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    parts = ["exactness", "resume", "ctcf", "sample", "basset", "memory"]
    assert [*found["parts"], *found["left_out"]] == parts
    assert len(found["parts"]["exactness"]) == 3
    assert all(row["right"] and row["errors"] < 5 for row in found["parts"]["exactness"])
    for row in found["parts"].get("resume", []):
        assert row["different"] == []
    for row in found["parts"].get("ctcf", []):
        assert row["proposals_per_second"] > 0
