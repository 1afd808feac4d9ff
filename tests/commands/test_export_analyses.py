"""The tables of analyses that `jaxmaxent export` writes: the numbers of `jaxmaxent.analysis`, from file or store."""

import dataclasses

import numpy as np
import pytest
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent import analysis
from jaxmaxent.cli import main
from jaxmaxent.results import _store_writer as writer

NAMES = ("a", "b", "c")


def call(*arguments):
    return main([str(argument) for argument in arguments])


def with_ladder(made):
    """A run whose energies are those of 40 states that follow each rung's Boltzmann distribution roughly."""
    rng = np.random.default_rng(0)
    beta = np.tile([0.0, 0.5, 1.0, 2.0], (3, 1))
    energies = rng.gamma(3.0, 1 / (1 + beta[..., None, None]), made.energies.shape)
    log_z = np.stack([-3.0 * np.log1p(row) + 10 for row in beta])
    return dataclasses.replace(
        made, names=NAMES, beta=beta, energies=energies, log_z=log_z, log_z_error=np.full(beta.shape, 0.1),
        counts=rng.integers(0, 5, made.counts.shape).astype(float), mu_share=np.ones_like(made.mu_share),
        field_mean=rng.uniform(1, 5, made.field_mean.shape), field_error=rng.uniform(0.01, 0.1, made.field_mean.shape),
        field_variance=rng.uniform(1, 2, made.field_mean.shape),
    )  # fmt: skip


@pytest.fixture(scope="module")
def run():
    return with_ladder(made_up(draws=True, draw=80, position=48, chain=4))


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory):
    """The same run as a file and as a store of two blocks."""
    folder = tmp_path_factory.mktemp("saved")
    run.save(folder / "run.npz")
    if pytest.importorskip("zarr"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "_MOST_IN_CHUNK", 2)
            writer.create(folder / "run.zarr", NAMES, "draws", {})
            for a in range(3):
                writer.add(folder / "run.zarr", a, run.take(np.array([a])), "draws")
            writer.pack(folder / "run.zarr", last=True)
    return folder


def read_table(path):
    header, *rows = (line.split("\t") for line in path.read_text().splitlines())
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


@pytest.mark.parametrize("kind", ["npz", "zarr"])
def test_thermodynamics(run, saved, tmp_path, kind, capsys):
    out = tmp_path / "t.tsv"
    asked = "export", saved / f"run.{kind}", "--format", "tsv", "--what", "thermodynamics", "--out", out
    assert call(*asked) == 0
    assert "thermodynamics: a table of 12 rows" in capsys.readouterr().out
    table = read_table(out)
    assert table["anchor"] == [name for name in NAMES for _ in range(4)]
    found = [analysis.thermodynamics(run, anchor=a) for a in range(3)]
    for name in ("entropy", "log_z", "heat_capacity_error"):
        expected = np.concatenate([getattr(one, name) for one in found])
        np.testing.assert_allclose(list(map(float, table[name])), expected, rtol=1e-6)
    assert call(*asked, "--force") == 0


def test_composition_couplings_and_periodicity(run, saved, tmp_path):
    what = {}
    for name in ("composition", "couplings", "periodicity"):
        assert call("export", saved / "run.zarr", "--format", "tsv", "--what", name, "--out", tmp_path / name) == 0
        what[name] = read_table(tmp_path / name)
    shift = analysis.composition_shift(run, field="GC").fraction
    np.testing.assert_allclose(list(map(float, what["composition"]["fraction"][:3])), shift, rtol=1e-6)
    pairs = [(a, pair.first, pair.second) for a in range(3) for pair in analysis.couplings(run, anchor=a).pairs]
    rows = zip(*(what["couplings"][name] for name in ("anchor", "first", "second")), strict=True)
    assert [(NAMES.index(a), int(first), int(second)) for a, first, second in rows] == pairs
    period = analysis.periodicity(analysis.kmer_profile(run, "WW", anchor=1)).period
    assert float(what["periodicity"]["period"][1]) == pytest.approx(period, rel=1e-6)
    assert what["periodicity"]["kmers"] == ["WW"] * 3


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--what", "thermodynamics", "--kmer", "WW"], "--kmer must be left out except for what periodicity, got 'WW'"),
        (["--what", "composition", "--beta", "0.5"], "--beta must be left out except for what is of one rung, got 0.5"),
        (["--what", "periodicity", "--kmer", "J"], "kmers"),
    ],
)
def test_bad_options(saved, tmp_path, capsys, more, words):
    assert call("export", saved / "run.npz", "--format", "tsv", *more, "--out", tmp_path / "x.tsv") == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_draws_that_are_not_there(run, tmp_path, capsys):
    dataclasses.replace(run, draws=None).save(tmp_path / "bare.npz")
    out = tmp_path / "x.tsv"
    assert call("export", tmp_path / "bare.npz", "--format", "tsv", "--what", "couplings", "--out", out) == 2
    assert "run must have stored draws" in capsys.readouterr().err
    assert jme.Run.load(tmp_path / "bare.npz").draws is None
