"""Some tests once more, compiled as users compile: with the optimizations that the rest of the suite leaves out.

They run in a process of their own, because the flags of the compiler belong to the process.
"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

TESTS = Path(__file__).parent
MATRIX = "kernels/test_kernels.py::test_transition_matrix_leaves_the_ensemble_invariant"
RULES = ("site", "segment-2", "transposition", "site-adaptive + segment-adaptive-2")
# Kernels on two problems; a seeded run with each way of evaluation, and the drift of what is remembered in it.
CHOSEN = [
    *(f"{MATRIX}[{rule}-full-dna-fixed]" for rule in RULES),
    *(f"{MATRIX}[{rule}-incremental-binary]" for rule in RULES),
    "sampling/test_evaluation_choice.py::test_both_ways_sample_the_same[site]",
]


@pytest.mark.slow
def test_chosen_tests_pass_as_users_run_them(tmp_path):
    names, report = [str(TESTS / name) for name in CHOSEN], tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", *names, "-n", "0", "-m", "slow or not slow", f"--junitxml={report}"]
    flags = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "0", "XLA_FLAGS": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, env=os.environ | flags, cwd=TESTS.parent, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    suite = ElementTree.parse(report).getroot()[0]
    assert (suite.get("tests"), suite.get("skipped")) == (str(len(names)), "0")


PROGRAM = """
import jax, jax.numpy as jnp
from jax.experimental.serialize_executable import serialize
program = jax.jit(lambda x: jnp.tanh(jnp.sin(x) * jnp.cos(x) + jnp.exp(x)).sum())
print(len(serialize(program.lower(jnp.ones(1000)).compile())[0]))
"""


def bytes_of_code(disabled):
    """The size of a compiled program."""
    flags = {"JAX_DISABLE_MOST_OPTIMIZATIONS": disabled}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | flags, capture_output=True, text=True, check=True, timeout=120
    )
    return int(done.stdout)


@pytest.mark.slow
def test_the_setting_changes_the_machine_code():
    assert bytes_of_code(disabled="0") != bytes_of_code(disabled="1")
