"""Check that numbers out of bounds are refused in a sentence, at once, with nothing written."""

import dataclasses
import os
import re
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxmaxent as jme
from jaxmaxent import memory as host
from jaxmaxent import models
from jaxmaxent.analysis import solve_chemical_potential
from jaxmaxent.cli import main
from jaxmaxent.data import Sequences, write_fasta
from jaxmaxent.sampling import Options, Precision, _begin
from jaxmaxent.sampling.device._state import TRACE_SLOTS
from jaxmaxent.sampling.host._assemble import result
from jaxmaxent.sampling.program import _memory as memory
from jaxmaxent.sampling.program._activations import activation_bytes
from problems import Problem

LENGTH = 12
WHOLE = ("1e20", "2.5", "nan", "inf", "", "many")  # no whole numbers at all
COMMON = {
    "seed": [*WHOLE, 2**63, -(2**63) - 1, 10**30],
    "limit": [*WHOLE, 10**18, 2**31, 0, -1],
    "called": [*WHOLE, 10**18, 2**31, 2, -1],
    "unit": [*WHOLE, 10**18, 2**31, 2, -1, "0,0", "1000000000000000000,0"],
}
OPTIONS = {
    "interpret": COMMON
    | {
        "beta": ["1e308", "1e31", "-1", "-1e308", "nan", "inf", "-inf", "1e999", "", "high"],
        "mu": ["1e308", "-1e308", "1e31", "nan", "inf", "-inf", "", "high"],
        "rungs": [*WHOLE, 10**18, 2**31, 10_001, 0, -1],
        "chains": [*WHOLE, 10**18, 10**10, 2**31, 2**31 - 1, 10**8, 0, -1],
        "anchor-chains": [*WHOLE, 10**18, 10**10, 2**31 - 1, 10**8, -1],
        "burn-in": [*WHOLE, 10**18, 2**31, 10**9 + 5, -1],
        "steps": [*WHOLE, 10**18, 2**31, 10**9 + 5, 0, -1],
        "pictures": [*WHOLE, 10**18, 2**31, -1],
        "max-steps": [*WHOLE, 10**18, 2**31, 10**9 + 5, 0, -1],
        "rhat": ["nan", "inf", "1", "0", "-1e308", "1e999", "high"],
        "ess": ["nan", "inf", "0", "-1", "1e999", "high"],
        "mcse": ["nan", "inf", "0", "-1", "high"],
        "max-seconds": ["nan", "inf", "0", "-1", "1e308", "high"],
    },
    "potential": COMMON
    | {
        "beta": ["1e308", "1e31", "-1", "nan", "inf", "auto"],
        "gc": ["1e308", "0", "1", "-1", "nan", "inf", "half"],
        "tolerance": ["1e-300", "0", "-1", "1e308", "nan", "inf", "small"],
        "chains": [*WHOLE, 10**18, 10**10, 2**31 - 1, 10**8, 1, 0, -1],
        "steps": [*WHOLE, 10**18, 10**9 + 10, 5, 0, -1],
        "burn-in": [*WHOLE, 10**18, 10**9 + 10, -1],
        "max-steps": [*WHOLE, 10**18, 10**9 + 10, 999, 0, -1],
    },
    "motifs": {"best": [*WHOLE, 10**18, 2**31, 0, -1]},
    "train": {"seed": COMMON["seed"], "epochs": [*WHOLE, 10**18, 10**6, 0, -1]},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with an untrained network, a sequence and a table."""
    folder = tmp_path_factory.mktemp("bounds")
    models.save(models.MLPArchitecture(length=LENGTH, hidden=(4,)).build(nnx.Rngs(0)), folder / "model")
    tokens = np.random.default_rng(0).integers(0, 4, (60, LENGTH), dtype=np.uint8)
    write_fasta(folder / "one.fa", Sequences(tokens[:1], ("one",)))
    rows = [f"{sequence}\t{i % 2}" for i, sequence in enumerate(jme.DNA.decode(tokens))]
    (folder / "table.tsv").write_text("\n".join(["seq\tlabel", *rows]) + "\n")
    return folder


def arguments(command, place, option):
    needed = {
        "interpret": [place / "model", place / "one.fa"],
        "potential": [place / "model", place / "one.fa"],
        "motifs": [place / "run"],
        "train": [place / "table.tsv", "--architecture", "mlp"],
    }[command]
    needed += ["--beta", 2] if command in ("interpret", "potential") and option != "beta" else []
    needed += ["--gc", 0.5] if command == "potential" and option != "gc" else []
    return [command, *needed, "--out", place / "out", "--quiet"]


def refusal(arguments, capsys):
    """Return the one line that refuses bad input, with the exit code 2."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stopped:  # if the arguments cannot be parsed
        code = stopped.code
    said = capsys.readouterr()
    assert code == 2, said.err[-2000:]
    assert "Traceback" not in said.err
    last = said.err.splitlines()[-1]
    assert re.match(r"jaxmaxent( \w+)?: ", last), said.err
    return last


@pytest.mark.parametrize(
    ("command", "option"), [(command, option) for command in OPTIONS for option in OPTIONS[command]]
)
def test_options_out_of_bounds_are_named_at_once(place, capsys, command, option):
    before = sorted(place.rglob("*"))
    for value in OPTIONS[command][option]:
        began = time.monotonic()
        said = refusal([*arguments(command, place, option), f"--{option}={value}"], capsys)
        assert option in said.replace("_", "-"), (value, said)
        assert len(said) < 400
        assert time.monotonic() - began < 10
        assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("option", ["out", "valid", "test", "sequence-column"])
def test_a_nul_is_in_no_name(place, capsys, option):
    given = ["train", place / "table.tsv", "--out", place / "out", f"--{option}", "a\0b"]
    assert "must not hold a NUL character, got 'a\\x00b'" in refusal(given, capsys)
    for given in (
        ["resume", "a\0b"],
        ["motifs", "a\0", "--out", "b"],
        ["interpret", "m\0", "s", "--beta", 1, "--out", "o"],
    ):
        assert "must not hold a NUL character" in refusal(given, capsys)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), MemoryError("Unable to allocate 9 GiB"), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out")],
)
def test_memory_that_runs_out_all_the_same_is_told_in_a_sentence(place, capsys, monkeypatch, error):
    def out_of_memory(*_, **__):
        raise error

    monkeypatch.setattr("jaxmaxent.commands._network.load", out_of_memory)
    said = refusal(arguments("interpret", place, ""), capsys)
    assert said.startswith("jaxmaxent: there is not enough memory")
    assert said.endswith("; take fewer chains, rungs or sequences")


def test_other_errors_of_the_device_are_not_taken_for_bad_input(place, monkeypatch):
    def broken(*_, **__):
        raise jax.errors.JaxRuntimeError("INTERNAL: broken")

    monkeypatch.setattr("jaxmaxent.commands._network.load", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        main([str(argument) for argument in arguments("interpret", place, "")])


# --- in Python


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chains": 10**18}, "chains must be a whole number of at most 2,147,483,647"),
        ({"chains": 10**9}, "chains must be at most about .* to fit into memory, got 1,000,000,000: 1 sequence of 3 "),
        ({"anchor_chains": 10**9}, "anchor_chains must be at most about"),
        ({"target_replicas": 10**9, "steps": 10}, "target_replicas must be at most"),
        ({"target_replicas": 10**6, "steps": 10}, "target_replicas must be at most about"),
        ({"target_replicas": 50, "burn_in": 10**9}, "target_replicas must be at most 8 for so many steps, got 50"),
        ({"ladder": 10**18}, "ladder must be a whole number of at most 10,000"),
        ({"ladder": np.linspace(0, 2, 10**6)}, "rungs of the ladder must be at most about"),
        ({"steps": 10**18}, "steps must be a whole number of at most 1,000,000,000"),
        ({"burn_in": 2**31}, "burn_in must be a whole number of at most 1,000,000,000"),
        ({"thin": 2**31}, "thin must be a whole number of at most"),
        ({"steps": 10**9, "store_every": 5}, "store_every must be at least about .* to fit into memory, got 5"),
        ({"names": "a"}, "names must be a list of 1 names, got 'a'"),
        ({"names": (str(n) for n in range(1))}, "names must be a list of 1 names"),
        ({"names": {"a": 1}}, "names must be a list"),
    ],
)
def test_arguments_of_sample_out_of_bounds_are_named(change, message, monkeypatch):
    monkeypatch.setattr(host, "free_bytes", lambda: 4 * 2**30)
    settings = {"chains": 2, "steps": 10, "burn_in": 0, "progress": False} | change
    began = time.monotonic()
    with pytest.raises(ValueError, match=f"^{message}"):
        jme.sample(jax.random.key(0), Problem().ensemble(), **settings)
    assert time.monotonic() - began < 5


def test_a_potential_out_of_bounds_is_named_before_anything_is_sampled(monkeypatch):
    monkeypatch.setattr(host, "free_bytes", lambda: 4 * 2**30)
    ensemble = Problem().ensemble(anchor=[[0, 1, 2], [3, 2, 1]])
    for shared in (True, False):
        with pytest.raises(ValueError, match="^chains must be at most about"):
            solve_chemical_potential(jax.random.key(0), ensemble, 0.5, chains=10**9, shared=shared, progress=False)


@pytest.mark.parametrize("name", ["rhat", "ess", "mcse", "steps", "seconds"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 0, 10**400])
def test_a_precision_out_of_bounds_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a (finite|whole) number"):
        Precision(**{name: value})


# --- the memory that a run takes


def options_of(ensemble, **changes):
    return Options.of(ensemble, **{"ladder": 6, "chains": 4, "steps": 1000, "burn_in": 0} | changes)


def refused(ensemble, options):
    """Return the bound in the refusal, or None."""
    try:
        memory.check(ensemble, options)
    except ValueError as error:
        return int(re.search(r"about ([\d,]+) to fit", str(error))[1].replace(",", ""))
    return None


@pytest.mark.parametrize("field", ["chains", "anchor_chains", "rungs", "target_replicas"])
def test_what_is_said_to_fit_does_with_room_to_spare_and_three_times_as_much_does_not(field, monkeypatch):
    ensemble = Problem().ensemble().batched()
    monkeypatch.setattr(memory, "_on_host", lambda: True)
    free = 50 * 2**20
    monkeypatch.setattr(host, "free_bytes", lambda: free)
    options = dataclasses.replace(options_of(ensemble), **{field: 10**7})
    bound = refused(ensemble, options)
    assert bound > 10
    assert refused(ensemble, dataclasses.replace(options, **{field: 3 * bound})) == bound
    free //= 2
    assert refused(ensemble, dataclasses.replace(options, **{field: bound})) is None


def test_more_stored_draws_than_fit_are_thinned(monkeypatch):
    ensemble = Problem().ensemble().batched()
    monkeypatch.setattr(host, "free_bytes", lambda: 50 * 2**20)
    options = options_of(ensemble, steps=10**7, store_every=5)
    bound = refused(ensemble, options)
    assert bound % 5 == 0
    assert refused(ensemble, dataclasses.replace(options, store_every=bound)) is None
    assert refused(ensemble, dataclasses.replace(options, store_every=max(bound // 4, 5))) is not None


def test_so_many_anchors_that_they_do_not_fit_are_told(monkeypatch):
    problem = Problem(length=4)
    ensemble = problem.ensemble(anchor=problem.states[:200]).batched()
    monkeypatch.setattr(host, "free_bytes", lambda: 2**19)
    with pytest.raises(
        ValueError, match="^sequences sampled together must be at most about .* got 200: 200 sequences of 4"
    ):
        memory.check(
            ensemble, dataclasses.replace(options_of(ensemble), chains=1, anchor_chains=0, rungs=2, target_replicas=1)
        )


def test_where_nothing_fits_that_is_said(monkeypatch):
    ensemble = Problem().ensemble().batched()
    monkeypatch.setattr(host, "free_bytes", lambda: 1)
    with pytest.raises(ValueError, match="^chains must be fewer, and rungs fewer, or sequences shorter, to fit"):
        memory.check(ensemble, options_of(ensemble))
    monkeypatch.setattr(host, "free_bytes", lambda: None)  # a system that does not say
    memory.check(ensemble, options_of(ensemble))


@pytest.mark.slow
def test_the_arrays_of_a_run_are_in_what_it_takes(monkeypatch):
    """Check that the estimate is at least the largest arrays of a real run, and at most a few times these."""
    ensemble = Problem(length=4).ensemble().batched()
    options = options_of(ensemble, chains=30, steps=2000, store_every=20)
    seen = []
    monkeypatch.setattr(_begin, "result", lambda loop, *others: seen.append(loop) or result(loop, *others))
    run = jme.sample(
        jax.random.key(0), ensemble, ladder=6, chains=30, steps=2000, burn_in=0, store_every=20, progress=False
    )
    (loop,) = seen
    device = sum(leaf.nbytes for leaf in jax.tree.leaves(loop.carry) if hasattr(leaf, "nbytes"))
    program = loop.program  # whose block returns energies and other scalars of some draws, and stored draws
    scalars = loop.totals.traces[0].shape[-1]
    device += program.all_chains * (4 * TRACE_SLOTS * program.path * scalars + program.buffer * program.rungs * 4)
    totals = sum(np.asarray(array).nbytes for array in loop.totals.arrays().values()) + run.draws.nbytes
    found = memory._needs(options, 1, (4, 4), 0, 0, 1, 1)
    assert device / 2 < found.device < 4 * device
    assert totals < found.host < 10 * totals


def test_only_products_that_change_with_the_sequence_are_activations():
    wide = jnp.ones((4, 1000))

    def network(params, x):
        kernel = wide @ jnp.ones((1000, 1000))  # made once for all sequences
        each = jax.jit(lambda y: jnp.tanh(y @ kernel))(x)
        spread = each[:, None] * each[None]  # need not be made as a whole
        return spread.sum((0, 1))

    ensemble = Problem(length=5).ensemble().batched().replace(features=network)
    assert activation_bytes(ensemble) == 5 * 1000 * 4


# --- the memory that is free


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Return the files of a made-up system with 8 GiB available and no limits."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    groups.mkdir()
    (proc / "meminfo").write_text("MemTotal: 16777216 kB\nMemFree: 1024 kB\nMemAvailable:    8388608 kB\n")
    (proc / "self" / "statm").write_text("1000 500 100 10 0 400 0\n")
    (proc / "self" / "cgroup").write_text("")
    monkeypatch.setattr(host, "_PROC", proc)
    monkeypatch.setattr(host, "_CGROUPS", groups)
    monkeypatch.setattr("resource.getrlimit", lambda _: (-1, -1))
    return proc, groups


def group(folder, limit, usage, cached, names=("memory.max", "memory.current"), inactive="inactive_file"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip((*names, "memory.stat"), (limit, usage, f"anon 5\n{inactive} {cached}\n"), strict=True):
        (folder / name).write_text(f"{text}\n")


GIB = 2**30


def test_what_the_machine_has_free_is_what_is_available(system):
    proc, _ = system
    assert host.free_bytes() == 8 * GIB
    (proc / "meminfo").write_text("nothing known\n")
    assert host.free_bytes() > 0  # from elsewhere
    (proc / "self" / "cgroup").unlink()
    (proc / "self" / "statm").unlink()
    assert host.free_bytes() > 0


@pytest.mark.parametrize("own", ["/", "/job/step"])
def test_control_groups_of_both_versions_limit_it(system, own):
    proc, groups = system
    (proc / "self" / "cgroup").write_text(f"0::{own}\n")
    inside = groups / own.lstrip("/")
    group(inside, 3 * GIB, 2 * GIB, GIB // 2)
    assert host.free_bytes() == 3 * GIB // 2
    group(inside, "max", 2 * GIB, 0)
    assert host.free_bytes() == 8 * GIB
    group(groups, 2 * GIB, GIB, 0)  # that above it
    assert host.free_bytes() == GIB
    group(groups, GIB, 2 * GIB, 0)
    assert host.free_bytes() == 0
    group(groups, "max", GIB, 0)
    (proc / "self" / "cgroup").write_text(f"5:cpu:/\n4:memory:{own}\n")
    first = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    group(groups / "memory" / own.lstrip("/"), 4 * GIB, 3 * GIB, GIB, first, "total_inactive_file")
    assert host.free_bytes() == 2 * GIB
    group(groups / "memory" / own.lstrip("/"), 2**63 - 4096, 3 * GIB, GIB, first)
    assert host.free_bytes() == 8 * GIB


def test_limits_of_the_process_count_what_it_has_taken(system, monkeypatch):
    page = os.sysconf("SC_PAGE_SIZE")
    limits = {resource.RLIMIT_AS: 1000 * page + GIB, resource.RLIMIT_DATA: -1}
    monkeypatch.setattr("resource.getrlimit", lambda which: (limits[which], -1))
    assert host.free_bytes() == GIB
    limits[resource.RLIMIT_DATA] = 400 * page + GIB // 2
    assert host.free_bytes() == GIB // 2
