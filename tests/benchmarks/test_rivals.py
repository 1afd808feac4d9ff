"""Rivals sample what we sample: each against enumeration, and what is asked of their draws against known answers."""

import itertools
import json
import os
import sys
from argparse import Namespace
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from jaxmaxent import diagnostics, models
from jaxmaxent.kernels import Site

# Behind all others: some files there have the names of files of tests.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import rivals
import rivals_worker

BETA, CHAINS, LENGTH = 20.0, 24, 4


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A network on 256 sequences: its ensemble, the problem as arrays, and where the model is."""
    folder = tmp_path_factory.mktemp("rivals")
    architecture = models.ConvArchitecture(length=LENGTH, filters=6, kernel_width=2, hidden=(8, 6))
    models.save(architecture.build(nnx.Rngs(5)), folder / "model")
    ensemble, problem = rivals.problem_of(folder / "model", np.array([0, 2, 1, 3]), BETA)
    problem.save(folder / "problem.npz")
    return ensemble, problem, folder


def enumerated(problem):
    """Letter frequencies [length, letters] from the definition, sequence by sequence."""

    def features(tokens):
        (kernel, bias), *dense = [[np.asarray(part, np.float64) for part in layer] for layer in problem.layers]
        one_hot = np.eye(4)[list(tokens)]
        windows = [one_hot[i : i + len(kernel)] for i in range(LENGTH - len(kernel) + 1)]
        out = np.array([[(w * kernel[..., f]).sum() + bias[f] for f in range(len(bias))] for w in windows])
        out = np.maximum(out, 0).reshape(-1)
        for matrix, offset in dense:
            out = np.maximum(out @ matrix + offset, 0)
        return out

    reference, total = features(problem.anchor), np.zeros((LENGTH, 4))
    for tokens in itertools.product(range(4), repeat=LENGTH):
        distance = np.sqrt(np.sum((problem.weights * (features(tokens) - reference)) ** 2))
        total[range(LENGTH), tokens] += np.exp(-problem.beta * distance)
    return total / total[0].sum()


def assert_agrees(draws, problem):
    """Within 5 of their own standard errors, of draws [draws, chains, length] that are enough to say so."""
    exact = enumerated(problem)
    # Or a rival that draws letters uniformly would agree as well.
    assert np.abs(exact - 0.25).max() > 0.1
    indicators = (np.asarray(draws).swapaxes(0, 1)[..., None] == np.arange(4)).astype(float)
    assert diagnostics.ess_mean(indicators).min() > 1000
    gap = np.abs(indicators.mean((0, 1)) - exact)
    assert (gap < 5 * diagnostics.mcse_mean(indicators)).all()


@pytest.mark.parametrize("name", ["numpy", "torch", "torch compiled", "blackjax", "one β, incremental"])
def test_published_samplers_draw_from_the_ensemble(name, tiny):
    if name in ("torch", "blackjax", "torch compiled"):
        pytest.importorskip(name.split()[0], reason=f"needs {name.split()[0]}")
    # Written as users write it, who let shapes be stretched.
    with jax.numpy_rank_promotion("allow"):
        sampler = rivals_worker.RIVALS[name](tiny[1], CHAINS, seed=1, thin=10)
        sampler.advance(20)
        draws, seconds, proposals = sampler.advance(400)
    assert draws.shape == (400, CHAINS, LENGTH)
    assert draws.dtype == np.uint8
    assert seconds > 0
    assert proposals == 400 * 10 * CHAINS
    assert_agrees(draws, tiny[1])


@pytest.mark.parametrize("name", ["torch", "torch compiled"])
def test_rivals_of_another_python_draw_from_the_ensemble(name, tiny):
    python = os.environ.get("JAXMAXENT_TORCH_PYTHON")
    if not python:
        pytest.skip("needs PyTorch: set JAXMAXENT_TORCH_PYTHON to a Python that has it")
    options = Namespace(torch_python=python, threads=1, seed=0)
    with rivals.Worker(name, CHAINS, options, tiny[2]) as worker:
        answer, arrays = worker.ask(draws=300, longest=60)
    assert answer["proposals"] == len(arrays["draws"]) * 100 * CHAINS
    assert (answer["compile_seconds"] > 0) == (name == "torch compiled")
    assert_agrees(arrays["draws"][10:], tiny[1])


@pytest.mark.slow
def test_parallel_tempering_answers_with_converged_frequencies(tiny, tmp_path, monkeypatch):
    # That `sample` draws from the ensemble is tested elsewhere; few rungs and one rule compile sooner.
    few = {"ladder": 3, "chains": 8, "rule": Site()}
    monkeypatch.setattr(rivals_worker.ParallelTempering, "settings", lambda _: few)
    sampler = rivals_worker.ParallelTempering(tiny[1], rivals.DEFAULT_CHAINS, seed=0)
    order = {"converge": True, "longest": 60, "file": str(tmp_path / "answer.npz")}
    answer = json.loads(json.dumps(rivals_worker.obey(sampler, order)))
    assert answer["converged"]
    assert answer["min_ess"] >= rivals.ESS
    assert (answer["chains_a_rung"], answer["rungs"]) == (8, 3)
    exact = enumerated(tiny[1])
    with np.load(order["file"]) as arrays:
        gap = np.abs(arrays["frequencies"] - exact)
    assert (gap < 5 * np.sqrt(exact * (1 - exact) / answer["min_ess"])).all()


def test_a_worker_answers_and_says_why_it_cannot(tiny):
    options = Namespace(torch_python=sys.executable, threads=1, seed=0)
    with rivals.Worker("numpy", 3, options, tiny[2]) as worker:
        row = rivals.speed(worker, tiny[0], Namespace(seconds=0.05, longest=60), {})
    assert row["draws"] >= rivals.FEWEST
    assert row["proposals"] == row["draws"] * 100 * 3
    assert row["peak_bytes"] > 2**20
    assert row["min_ess_per_second"] > 0
    (tiny[2] / "problem.npz").rename(tiny[2] / "elsewhere.npz")
    with rivals.Worker("numpy", 3, options, tiny[2]) as worker, pytest.raises(rivals.RivalError, match="No such file"):
        worker.ask(draws=1, longest=1)
    (tiny[2] / "elsewhere.npz").rename(tiny[2] / "problem.npz")


def independent(problem, draws, seed=0):
    shape = draws, CHAINS, LENGTH
    return np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)


def test_history_trusts_independent_draws_and_not_chains_that_stay(tiny):
    history = rivals.History(tiny[0])
    for draws in (1, 1, 8):
        history.add(independent(tiny[1], draws))
        assert history.good() is None  # too few
    history.add(independent(tiny[1], 390, seed=1))
    good = history.good()
    assert good is not None
    assert good.shape == (CHAINS, 400, LENGTH)
    stuck = rivals.History(tiny[0])
    stuck.add(np.repeat(independent(tiny[1], 1), 400, axis=0))
    assert stuck.good() is None
    frozen = rivals.History(tiny[0])
    frozen.add(np.broadcast_to(tiny[1].anchor.astype(np.uint8), (400, CHAINS, LENGTH)))
    assert frozen.good() is None


def test_history_forgives_a_start_at_the_anchor(tiny):
    history = rivals.History(tiny[0])
    history.add(np.broadcast_to(tiny[1].anchor.astype(np.uint8), (100, CHAINS, LENGTH)))
    history.add(independent(tiny[1], 900))
    good = history.good()
    assert good is not None
    assert good.shape[1] == 500  # the second half


def test_distance_counts_positions():
    frequencies = np.full((3, 4), 0.25)
    moved = frequencies + np.array([[0.0] * 4, [0.3, -0.1, -0.1, -0.1], [0.05, -0.05, 0, 0]])
    found = rivals.distance(moved, {"reference": frequencies})
    assert found["positions_off"] == 1
    assert found["furthest"] == pytest.approx(0.3)


def test_tables_show_what_ran_what_did_not_and_what_did_not_converge():
    common = {
        "seconds": 600.0,
        "proposals": 6,
        "compile_seconds": 1.0,
        "peak_bytes": 2**20,
        "proposals_per_second": 9.5,
    }
    row = common | {
        "chains": 50,
        "min_ess": 3.0,
        "min_ess_per_second": 0.5,
        "max_rhat": None,
        "energy_rhat": 1.5,
        "positions_off": 12,
    }
    found = {
        "machine": {"device": "cpu", "cpu": "a processor", "cores": 2, "date": "2026-01-01"}, "versions": {},
        "model": "model", "anchor": 0, "beta": 100.0, "threads": 2,
        "speed": [row | {"rival": "numpy", "draws": 5}, {"rival": "torch", "chains": 50, "error": "no module"}],
        "convergence": [
            {"rival": "exchange", "chains": 0, "reference": True, "outcome": "converged after 10 steps"},
            row | {"rival": "numpy", "converged": False, "furthest": 0.65},
        ],
    }  # fmt: skip
    text = rivals.tables(json.loads(json.dumps(found)))
    assert "not run: no module" in text
    assert "not within 10 min" in text
    assert "12 (0.65)" in text
    assert "another run of parallel tempering: converged after 10 steps" in text
    assert "(0.50)" in text  # an ESS that means nothing
