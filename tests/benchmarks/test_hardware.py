"""Results of the hardware benchmark: made, laid side by side, and refused where they are something else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script, *arguments):
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def result(device, **speeds):
    about = {"device": device, "cpu": "a processor", "cores": 2, "date": "2026-01-01"}
    rows = [
        {"network": name, "evaluator": "full", "precision": "highest", "chains": chains, "proposals_per_second": speed}
        for name, speed in speeds.items()
        for chains, speed in ((16, speed / 2), (32, speed))
    ]
    return {"kind": "hardware", "machine": about, "rows": rows}


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.slow
def test_a_sweep_is_written_compared_and_drawn(tmp_path):
    file, picture = tmp_path / "new" / "cpu.json", tmp_path / "cpu.png"
    done = run("hardware.py", "--networks", "ctcf", "--chains", 2, "--seconds", 0.02, "--out", file, "--plot", picture)
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    assert [(row["evaluator"], row["chains"]) for row in found["rows"]] == [("full", 2), ("incremental", 2)]
    for row in found["rows"]:
        assert row["proposals_per_second"] > 0
        assert row["compile_seconds"] > 0
        assert row["share_of_flops"] > 0
    full, incremental = found["rows"]
    assert full["cache_bytes"] < incremental["cache_bytes"]
    assert incremental["flops"] < full["flops"]
    assert {row["precision"]: row["allowed"] for row in found["energies"]} == {"highest": True, "default": True}
    assert found["machine"]["versions"]["jax"]
    assert picture.stat().st_size > 1000
    assert run("compare.py", file).returncode == 0


def test_devices_stand_side_by_side_with_their_best_and_its_ratio(tmp_path):
    first = written(tmp_path / "a.json", result("cpu", ctcf=100.0, bpnet=10.0))
    second = written(tmp_path / "b.json", result("A GPU (gpu)", ctcf=25_000.0))
    done = run("compare.py", first, second, "--plot", tmp_path / "both.png")
    assert done.returncode == 0, done.stderr
    head, _, ctcf, bpnet = done.stdout.splitlines()
    assert "a processor, 2 cores, 2026-01-01" in head
    assert "A GPU (gpu), 2026-01-01" in head
    assert "100 (32 chains)" in ctcf
    assert "25,000 (32 chains), × 250" in ctcf
    assert bpnet.rstrip(" |").endswith("–")
    assert (tmp_path / "both.png").stat().st_size > 1000


def test_a_device_whose_precisions_are_one_is_compared_with_both(tmp_path):
    cpu, gpu = result("cpu", ctcf=100.0), result("A GPU (gpu)", ctcf=1000.0)
    cpu["energies"] = [{"network": "ctcf", "precision": p, "same_as_highest": True} for p in ("highest", "default")]
    gpu["rows"] += [row | {"precision": "default", "proposals_per_second": 3000.0} for row in gpu["rows"]]
    files = written(tmp_path / "a.json", cpu), written(tmp_path / "b.json", gpu)
    _, _, highest, default = run("compare.py", *files).stdout.splitlines()
    assert "1,000 (32 chains), × 10" in highest
    assert "100 (32 chains)" in default
    assert "3,000 (16 chains), × 30" in default
    assert len(run("compare.py", files[0]).stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("no JSON", "it is not JSON"),
        ({"kind": "rivals"}, "its kind is 'rivals' instead of 'hardware'"),
        ([1], "its kind is None"),
        ({"kind": "hardware", "rows": []}, "it does not name its device"),
        (result("cpu"), "its rows do not each hold"),
        (result("cpu", ctcf=float("nan")), "its rows do not each hold"),
        (None, "it cannot be read: No such file"),
    ],
)
def test_a_wrong_file_gets_one_sentence(content, complaint, tmp_path):
    file = tmp_path / "wrong.json"
    if content is not None:
        written(file, content)
    done = run("compare.py", file)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "must be a JSON file that benchmarks/hardware.py wrote, but" in done.stderr
    assert complaint in done.stderr
