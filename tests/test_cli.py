"""The command line in process: what it writes when all is well, and one sentence when it is not."""

import base64
import dataclasses
import gzip
import html
import json
import os
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jaxmaxent import DNA, Run, console, plot
from jaxmaxent.analysis import consensus, enriched_kmers, information_bits, informative_window
from jaxmaxent.cli import main
from jaxmaxent.cluster import _anchor as anchor
from jaxmaxent.commands import _demo as demo
from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.commands import _job as job
from jaxmaxent.commands import _options as options
from jaxmaxent.commands import _potential as potential
from jaxmaxent.commands import _report_rows as report_rows
from jaxmaxent.commands import _train as train
from jaxmaxent.commands import _write as write
from jaxmaxent.commands._kept import discard
from jaxmaxent.commands._parser import COMMANDS
from jaxmaxent.data import read_fasta, read_motifs
from jaxmaxent.data._example import ctcf_example
from jaxmaxent.files import owned
from jaxmaxent.models import load
from jaxmaxent.report._images import PNG_SIGNATURE
from jaxmaxent.sampling import Interrupted, NonFiniteEnergyError
from jaxmaxent.sampling import _checkpoint as save
from jaxmaxent.sampling.host._progress import Progress

LENGTH = 35  # the shortest in which the example's sites, up to 10 positions off the middle, fit
NAMES = ["a&b<script>", "two", "two"]
BETA = 500  # so large, for a network that has learned nothing, that some positions stand out
# The sampler is compiled for few shapes in this file.
LADDER = ["--rungs", "4", "--chains", "6"]
# Too short to converge: exit code 3. Pictures take longer than the sampling.
TINY = [*LADDER, "--steps", "60", "--burn-in", "20", "--pictures", "0"]


@pytest.fixture(scope="module", autouse=True)
def no_bars():
    """Hide progress bars, so that the standard error stream has errors only, while lines are printed."""
    shown = console.bar
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "bar", lambda *arguments, **settings: shown(*arguments, **settings | {"show": False}))
        yield


def call(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A network, and three of its sequences as FASTA and as a one-hot array in the order G, C, A, T."""
    folder = tmp_path_factory.mktemp("work")
    example = ctcf_example(np.random.default_rng(0), count=150, length=LENGTH)
    spelled = DNA.decode(example.tokens)
    rows = [f"{s}\t{label}" for s, label in zip(spelled, example.labels, strict=True)]
    (folder / "table.tsv").write_text("\n".join(["seq\tlabel", *rows]) + "\n")
    records = [f">{name}\n{s}\n" for name, s in zip(NAMES, spelled, strict=False)]
    (folder / "anchors.fa").write_text("".join(records))
    np.save(folder / "anchors.npy", np.eye(4)[example.tokens[:3]][..., DNA.encode("GCAT")])
    assert call("train", folder / "table.tsv", "--out", folder / "model", "--epochs", 1, "--quiet") == 0
    return SimpleNamespace(
        folder=folder,
        table=folder / "table.tsv",
        model=folder / "model",
        fasta=folder / "anchors.fa",
        npy=folder / "anchors.npy",
        spelled=spelled,
    )


def unpacked(page, a):
    """The numbers of an anchor in the report's page, without those of positions."""
    packed = page.split(f'id="detail-{a}">')[1].split("<")[0]
    data = zlib.decompress(base64.b64decode(packed))
    return json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])


@pytest.fixture(scope="module")
def done(work):
    """The folder that interpret wrote."""
    out = work.folder / "run"
    assert call("interpret", work.model, work.fasta, "--out", out, "--beta", BETA, *TINY, "--pictures", 50) == 3
    return out


# --- what is written


def test_train_writes_a_network_and_its_figures(work):
    assert {p.name for p in work.model.iterdir()} == {
        "architecture.json", "weights.safetensors", "metrics.json", "training.png", ".jaxmaxent.json",
    }  # fmt: skip
    architecture = load(work.model).architecture
    assert (architecture.length, architecture.units, architecture.alphabet) == (LENGTH, 2, DNA)
    metrics = json.loads((work.model / "metrics.json").read_text())
    assert metrics["sizes"] == {"train": 300}
    assert metrics["positives"] == {"train": 150}
    assert metrics["epochs"] == len(metrics["history"]) == 1
    assert metrics["test_auroc"] is None
    assert 0 <= metrics["history"][0]["validation_auroc"] <= 1


def test_interpret_writes_a_summary_of_every_anchor(done):
    summary = json.loads((done / "summary.json").read_text())
    run = Run.load(done / "run.npz")
    # The faster way of evaluation is found by timing, and the two are about as fast for this network.
    assert summary["settings"] == {
        "beta": BETA, "mu": 0, "unit": None, "rungs": 4, "chains": 6, "anchor_chains": 1, "burn_in": 20, "steps": 60,
        "pictures": 50, "until": None, "seed": 0, "thin": 5, "evaluation": run.evaluation,
    }  # fmt: skip
    assert summary["converged"] is False
    assert summary["outcome"] == f"not converged: 3 of 3 sequences ({', '.join(NAMES)})"
    assert [row["name"] for row in summary["anchors"]] == NAMES
    for a, row in enumerate(summary["anchors"]):
        table = run.frequencies[a, -1]
        assert (row["beta"], row["mu"], row["steps"]) == (BETA, 0, 60)
        assert (row["converged"], row["outcome"]) == (False, run.outcomes[a])
        assert row["outcome"].startswith("not converged after 60 steps")
        assert row["mean_energy"] > 0
        assert 0 < row["acceptance"] < 1
        assert row["consensus"] == consensus(table, "ACGT")
        np.testing.assert_allclose(row["information_bits"], information_bits(table), rtol=1e-6)
        assert len(row["information_bits"]) == len(row["information_bits_error"]) == LENGTH
        assert row["gc"] == pytest.approx(table[:, 1:3].sum(1).mean(), rel=1e-5)
        assert (row["arrivals"], row["round_trips"]) == (run.arrivals[a], run.round_trips[a])
        assert row["proposals_per_second"] > 0
        assert row["compile_seconds"] >= 0


def test_interpret_tells_where_the_sites_of_every_sequence_are(done, work):
    summary, run = json.loads((done / "summary.json").read_text()), Run.load(done / "run.npz")
    with np.load(done / "where.npz") as maps:
        for a, row in enumerate(summary["anchors"]):
            assert row["mobility"] == pytest.approx(run.mobility[a], rel=1e-6)
            assert row["mobility_told"] == run.mobility_outcomes[a]
            np.testing.assert_allclose(row["where"]["necessity"], maps["necessity_positions"][a], rtol=1e-6)
            assert len(row["where"]["sufficiency"]) == LENGTH
            assert all(0 <= site["start"] < site["stop"] <= LENGTH for site in row["where"]["sites"])
    page = (done / "report.html").read_text()
    details = [unpacked(page, a) for a in range(3)]
    assert [track["name"] for detail in details for track in detail["tracks"]] == 3 * ["necessity", "sufficiency"]
    assert [site[:2] for detail in details for site in detail["sites"]] == [
        [site["start"], site["stop"]] for row in summary["anchors"] for site in row["where"]["sites"]
    ]
    sites = [site for row in summary["anchors"] for site in row["where"]["sites"]]
    assert len((done / "sites.tsv").read_text().splitlines()) == 1 + len(sites)


def test_the_sites_that_interpret_found_are_exported(done, tmp_path):
    assert call("export", done, "--format", "tsv", "--what", "sites", "--out", tmp_path / "sites.tsv") == 0
    found, written = (
        [line.split("\t") for line in (folder / "sites.tsv").read_text().splitlines()] for folder in (tmp_path, done)
    )
    assert len(found) == len(written)
    for row, other in zip(found[1:], written[1:], strict=True):
        assert row[:5] == other[:5]
        np.testing.assert_allclose([float(cell) for cell in row[5:]], [float(cell) for cell in other[5:9]], rtol=1e-3)


def test_interpret_counts_the_kmers_of_the_draws(done):
    summary, run = json.loads((done / "summary.json").read_text()), Run.load(done / "run.npz")
    assert run.kmer_counts.shape == (3, 2, 6, 4**6)
    for a, row in enumerate(summary["anchors"]):
        found = enriched_kmers(run, anchor=a)
        assert (row["kmers"]["outcome"], row["kmers"]["enriched"]) == (found.outcome, len(found.kmers))
    assert (done / "report.html").read_text().count("What the draws have, wherever it stands</h4>") == 3


def test_the_summary_tells_every_rung(done):
    summary = json.loads((done / "summary.json").read_text())
    run = Run.load(done / "run.npz")

    def known(values):
        """The values with the 7 digits that a summary has."""
        return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values]

    for a, row in enumerate(summary["anchors"]):
        columns = {name: [rung[name] for rung in row["ladder"]] for name in row["ladder"][0]}
        assert columns["beta"] == known(run.beta[a])
        assert (columns["beta"][0], columns["beta"][-1]) == (0, BETA)
        assert columns["swap_acceptance_with_next"] == [*known(run.swap_acceptance[a]), None]
        assert columns["acceptance"][0] is None
        for name, values in (
            ("mean_energy", run.energy), ("mean_energy_error", run.energy_error), ("acceptance", run.acceptance),
            ("max_rhat", run.max_rhat), ("min_ess", run.min_ess), ("log_z", run.log_z),
            ("log_z_error", run.log_z_error), ("anchor_start_energy", run.anchor_start_energy),
            ("anchor_start_error", run.anchor_start_error),
        ):  # fmt: skip
            assert columns[name] == known(values[a]), name
        bits = information_bits(run.frequencies[a]).sum(-1)
        np.testing.assert_allclose(columns["information_bits"], bits, rtol=1e-6)
        assert columns["information_bits"][-1] == pytest.approx(sum(row["information_bits"]))
        errors = [error or np.nan for error in row["information_bits_error"]]
        assert columns["information_bits_error"][-1] in (None, pytest.approx(sum(errors)))
        assert (row["max_rhat"], row["min_ess"]) == (columns["max_rhat"][-1], columns["min_ess"][-1])


def test_interpret_writes_frequencies_and_the_run(done, work):
    with np.load(done / "frequencies.npz", allow_pickle=False) as archive:
        found = dict(archive)
    assert found["frequencies"].shape == (3, 4, LENGTH, 4)
    np.testing.assert_allclose(found["frequencies"].sum(-1), 1, atol=1e-12)
    assert str(found["letters"]) == "ACGT"
    assert found["names"].tolist() == NAMES
    run = Run.load(done / "run.npz")
    for name in ("frequencies", "frequency_errors", "frequency_rhat", "frequency_ess", "beta"):
        np.testing.assert_array_equal(getattr(run, name), found[name])
    assert DNA.decode(run.anchors) == work.spelled[:3]
    assert run.names == tuple(NAMES)


def test_interpret_draws_a_logo_of_every_anchor(done):
    logos = sorted((done / "logos").iterdir())
    assert [p.name for p in logos] == ["0000_a_b_script_.png", "0001_two.png", "0002_two.png"]
    assert all(p.read_bytes().startswith(PNG_SIGNATURE) for p in logos)


def test_interpret_writes_the_motifs_it_finds(done):
    motifs = read_motifs(done / "motifs.meme")
    with np.load(done / "frequencies.npz") as archive:
        frequencies = archive["frequencies"][:, -1]
    assert motifs
    for motif in motifs:
        found = frequencies[int(motif.identifier)]
        start, stop = informative_window(information_bits(found))
        assert motif.name.endswith(f"_{start}-{stop}")
        np.testing.assert_allclose(motif.probabilities, found[start:stop], atol=1e-8)


@pytest.mark.slow
def test_interpret_without_motifs_is_no_error(work, tmp_path, capsys):
    """At β = 0 no position tells anything, as long as the run is long enough."""
    settings = ["--beta", 0, "--rungs", 1, "--chains", 32, "--rhat", 1.1, "--max-steps", 4000, "--limit", 1, "--quiet"]
    assert call("interpret", work.model, work.fasta, "--out", tmp_path / "out", *settings) == 0
    assert capsys.readouterr().err == ""
    page = (tmp_path / "out" / "report.html").read_text()
    assert "All chains ran at one β." in page and "Along β" not in page and "What the draws have" not in page
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["settings"]["anchor_chains"] == 0
    motifs = tmp_path / "out" / "motifs.meme"
    assert not motifs.exists() or "MOTIF" not in motifs.read_text()


@pytest.mark.slow
def test_a_ladder_of_zeros_has_its_numbers_and_no_picture_of_the_ladder(work, tmp_path, capsys):
    settings = ["--beta", 0, *TINY, "--pictures", 1]
    assert call("interpret", work.model, work.fasta, "--out", tmp_path / "out", *settings) == 3
    assert "Not drawn" not in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "within" not in unpacked(page, 0) and "Please note" in page


@pytest.mark.parametrize("error", [ImportError("no matplotlib"), RuntimeError("a font\nis missing"), MemoryError()])
def test_a_picture_that_fails_costs_nothing_else(work, done, tmp_path, monkeypatch, capsys, error):
    reason = {"RuntimeError": "RuntimeError: a font is missing", "ImportError": "ImportError: no matplotlib"}.get(
        type(error).__name__, "MemoryError: no reason given"
    )
    for name in ("logo", "training_curve", "motif"):
        monkeypatch.setattr(plot, name, raising(error))
    settings = ["--beta", BETA, *TINY, "--pictures", 50]
    assert call("interpret", work.model, work.fasta, "--out", tmp_path / "out", *settings) == 3
    said = capsys.readouterr()
    told = f"Not drawn: the logo of {NAMES[0]}, the logo of {NAMES[1]}"
    assert said.err == "" and said.out.count("Not drawn") == 1
    assert told in said.out and f"({reason})" in said.out
    assert html.escape(told) in (tmp_path / "out" / "report.html").read_text()
    assert_same_but_for_times(tmp_path / "out", Run.load(done / "run.npz"))
    monkeypatch.setattr(train, "train", lambda *a, **k: SimpleNamespace(**trained(work)))
    monkeypatch.setattr(train, "_told", lambda metrics: "trained")
    assert call("train", work.table, "--out", tmp_path / "model") == 0
    assert f"Not drawn: the course of the training ({reason})\n" in capsys.readouterr().out
    assert load(tmp_path / "model").architecture.length == LENGTH
    assert call("motifs", done, "--out", tmp_path / "motifs") in (0, 3)
    found = json.loads((tmp_path / "motifs" / "motifs.json").read_text())["motifs"]
    assert capsys.readouterr().out.count("Not drawn") == bool(found)


def test_the_report_shows_every_anchor_under_its_escaped_name(done):
    page = (done / "report.html").read_text()
    assert NAMES[0] not in page and html.escape(NAMES[0]) in page
    assert [unpacked(page, a)["beta"][-1] for a in range(3)] == 3 * [BETA]
    assert page.count("<strong>Not converged after 60 steps</strong>") == 3
    assert page.count("Take more --") == 3  # steps, or rungs where neighbours hardly exchange
    assert "3 of 3 sequences" in page and "All chains ran at one β." not in page


def test_only_so_many_sequences_are_drawn(work, tmp_path):
    settings = ["--beta", BETA, *TINY, "--pictures", 1]
    assert call("interpret", work.model, work.fasta, "--out", tmp_path / "out", *settings) == 3
    assert [p.name for p in (tmp_path / "out" / "logos").iterdir()] == ["0000_a_b_script_.png"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('<section class="anchor"') == 3
    assert ["within" in unpacked(page, a) for a in range(3)] == [True, False, False]
    assert "the first 1 of 3" in page


def test_what_is_left_behind_is_only_what_was_asked_for(done):
    assert {p.name for p in done.iterdir()} == {
        "summary.json", "frequencies.npz", "run.npz", "motifs.meme", "logos", "report.html", ".jaxmaxent.json",
        "where.npz", "sites.tsv",
    }  # fmt: skip
    assert not [p.name for p in done.parent.iterdir() if p.name.startswith(".")]


def test_one_hot_of_another_letter_order_gives_the_same_run(work, done, tmp_path):
    out = tmp_path / "out"
    settings = ["--letters", "GCAT", "--out", out, "--beta", BETA, *TINY]
    assert call("interpret", work.model, work.npy, *settings) == 3
    one, other = Run.load(done / "run.npz"), Run.load(out / "run.npz")
    for name in ("anchors", "frequencies", "energy", "last"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.slow
def test_seed_unit_and_mu_mean_what_they_say(work, done, tmp_path):
    first = Run.load(done / "run.npz")

    def again(name, *settings):
        out = tmp_path / name
        settings = "--out", out, "--beta", BETA, *TINY, *settings
        assert call("interpret", work.model, work.fasta, *settings) == 3
        return Run.load(out / "run.npz")

    np.testing.assert_array_equal(again("pair", "--unit", "1,0").last, first.last)
    assert (again("unit", "--unit", "1").energy != first.energy).all()
    assert (again("seed", "--seed", 1).last != first.last).any()
    assert again("mu", "--mu", 3).field_mean.min() > first.field_mean.max()


def test_force_replaces_a_run(work, done, tmp_path):
    shutil.copytree(done, tmp_path / "out")
    settings = ["--out", tmp_path / "out", "--beta", 2, *TINY, "--force"]
    assert call("interpret", work.model, work.fasta, *settings) == 3
    assert not list((tmp_path / "out").glob("logos/*"))
    assert Run.load(tmp_path / "out" / "run.npz").beta[0, -1] == 2


ZERO = ["--beta", "0", "--chains", "32", "--steps", "500"]


@pytest.mark.parametrize("gc", [0.3, 0.5, 0.62])
def test_potential_at_zero_beta_is_the_logit(work, tmp_path, gc):
    assert call("potential", work.model, work.fasta, "--out", tmp_path / "p.json", "--gc", gc, "--limit", 1, *ZERO) == 0
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["mu"] == pytest.approx(np.log(gc / (1 - gc)), abs=1e-4)
    assert found["gc_standard_error"] < 0.01
    assert abs(found["gc"] - gc) < 5 * found["gc_standard_error"]
    assert (found["name"], found["target_gc"], found["beta"], found["reached"]) == (NAMES[0], gc, 0, True)


@pytest.mark.slow
def test_potential_of_several_sequences_is_an_entry_for_each(work, tmp_path, capsys):
    assert call("potential", work.model, work.fasta, "--out", tmp_path / "p.json", "--gc", 0.41, *ZERO) == 0
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["names"] == NAMES
    assert found["reached"] == [True] * 3
    np.testing.assert_allclose(found["mu"], [np.log(0.41 / 0.59)] * 3, atol=1e-4)
    assert len(found["gc"]) == len(found["gc_standard_error"]) == len(found["outcome"]) == 3
    assert capsys.readouterr().out.count("two: mu = ") == 2


@pytest.mark.slow
def test_potential_that_is_not_reached_says_so_and_exits_with_3(work, tmp_path, capsys):
    settings = ["--beta", 5, "--gc", 0.5, "--chains", 32, "--steps", 10, "--max-steps", 10, "--tolerance", 1e-9]
    code = call("potential", work.model, work.fasta, "--out", tmp_path / "p.json", *settings, "--limit", 1)
    assert code == 3
    found = json.loads((tmp_path / "p.json").read_text())
    assert (found["reached"], found["mu"]) == (False, None)
    assert "not reached" in found["outcome"]
    assert "not reached" in capsys.readouterr().out


def test_help_answers_without_a_network():
    done = subprocess.run([sys.executable, "-m", "jaxmaxent", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == ""
    for command in ("demo", "train", "interpret", "resume", "potential"):
        assert command in done.stdout


# --- what is refused


def refused(capsys, arguments, out, words, code=2):
    """One sentence with these words on stderr, nothing else, and the place of the output as it was."""
    before = snapshot(out.parent)
    capsys.readouterr()
    assert call(*arguments, "--out", out) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("jaxmaxent: ")
    assert said.err.count("\n") == 1, said.err
    assert said.err.endswith("\n")
    for word in words:
        assert str(word) in said.err
    assert snapshot(out.parent) == before


def snapshot(folder):
    if not folder.is_dir():
        return folder.read_bytes()
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.fixture
def out(tmp_path):
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "out"


def fasta(*sequences):
    return "".join(f">name_{i} of it\n{s}\n" for i, s in enumerate(sequences)).encode()


def npy(array):
    def write(path):
        np.save(path, array)

    return write


GOOD = "ACGTC" * (LENGTH // 5)
FILES = {
    "empty": ("s.fa", b"", ["is empty"]),
    "empty gz": ("s.fa.gz", gzip.compress(b""), ["is empty"]),
    "truncated gz": ("s.fa.gz", gzip.compress(fasta(GOOD, GOOD))[:-9], ["is cut off"]),
    "no gz": ("s.fa.gz", fasta(GOOD), ["not a valid gzip file"]),
    "no text": ("s.fa", b"\xff\xfe\x00" * 9, ["is not UTF-8 text"]),
    "no fasta": ("s.fa", GOOD.encode(), ["line 1", "header starting with '>'"]),
    "any letter": (
        "s.fa",
        fasta(GOOD, GOOD[:4] + "N" + GOOD[5:]),
        ["record 1 'name_1 of it'", "'N' (IUPAC for any letter) at position 4 (0-based)"],
    ),
    "protein": ("s.fa", fasta("MKV" + GOOD[3:]), ["record 0", "'M' (IUPAC for A or C) at position 0"]),
    "unequal": ("s.fa", fasta(GOOD, GOOD, GOOD[1:]), ["record 0", str(LENGTH), "record 2", str(LENGTH - 1)]),
    "length": ("s.fa", fasta(GOOD + "A", GOOD + "C"), [f"length {LENGTH + 1}", f"takes {LENGTH}"]),
    "no sequence": ("s.fa", fasta(GOOD, ""), ["record 1", "has no sequence"]),
    "label": ("s.tsv", f"seq\tlabel\n{GOOD}\t1\n{GOOD}\t2\n".encode(), ["line 3", "must be 0 or 1, got '2'"]),
    "suffix": ("s.doc", fasta(GOOD), ["must end in .fa"]),
    "missing": ("gone.fa", None, ["No such file"]),
    "npy without letters": ("s.npy", npy(np.eye(4)[np.zeros(LENGTH, int)]), ["letters must give the letter order"]),
}


@pytest.mark.parametrize("command", ["interpret", "potential"])
@pytest.mark.parametrize("case", FILES)
def test_bad_sequence_files_are_named(work, tmp_path, out, capsys, case, command):
    name, content, words = FILES[case]
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        content(path)
    settings = ["--beta", 5] + ["--gc", 0.5] * (command == "potential")
    refused(capsys, [command, work.model, path, *settings], out, [path, *words])


ONE_HOTS = {
    "no one-hot": (np.full((2, LENGTH, 4), 0.25), "GCAT", "exactly one 1"),
    "no numbers": (np.full((2, LENGTH, 4), "a"), "GCAT", "must hold numbers"),
    "objects": (np.array([{}], object), "GCAT", "not a valid .npy file"),
    "shape": (np.eye(4)[0], "GCAT", "must have shape"),
    "five letters": (np.eye(5)[np.zeros(LENGTH, int)], "GCAT", "must have shape"),
    "length": (np.eye(4), "GCAT", f"length 4, but the network takes {LENGTH}"),
    "unknown order": (np.eye(4)[np.zeros(LENGTH, int)], "GCAU", "letters must be the letters 'ACGT' in some order"),
    "short order": (np.eye(4)[np.zeros(LENGTH, int)], "GCA", "letters must be the letters 'ACGT' in some order"),
}


@pytest.mark.parametrize("case", ONE_HOTS)
def test_bad_one_hot_arrays_are_named(work, tmp_path, out, capsys, case):
    array, letters, words = ONE_HOTS[case]
    np.save(tmp_path / "s.npy", array)
    arguments = ["interpret", work.model, tmp_path / "s.npy", "--beta", 5, "--letters", letters]
    refused(capsys, arguments, out, [tmp_path / "s.npy", words])


def test_a_truncated_one_hot_array_is_named(work, tmp_path, out, capsys):
    (tmp_path / "s.npy").write_bytes(work.npy.read_bytes()[:-100])
    arguments = ["interpret", work.model, tmp_path / "s.npy", "--beta", 5, "--letters", "GCAT"]
    refused(capsys, arguments, out, [tmp_path / "s.npy", "not a valid .npy file"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["--beta=-1"], "jaxmaxent: --beta must be finite ≥ 0, got -1"),
        (["--beta", "nan"], "jaxmaxent: --beta must be finite ≥ 0, got nan"),
        (["--beta", "inf"], "jaxmaxent: --beta must be finite ≥ 0, got inf"),
        (["--mu", "nan"], "jaxmaxent: --mu must be"),
        (["--chains", "0"], "jaxmaxent: --chains must be a whole number of at least 1, got 0"),
        (["--chains", "-3"], "jaxmaxent: --chains must be a whole number of at least 1, got -3"),
        (["--anchor-chains", "-1"], "jaxmaxent: --anchor-chains must be a whole number of at least 0, got -1"),
        (["--rungs", "0"], "jaxmaxent: --rungs must be a whole number of at least 1, got 0"),
        (["--rhat", "1"], "jaxmaxent: --rhat must be a finite number above 1, got 1"),
        (["--ess", "0"], "jaxmaxent: --ess must be a finite number above 0, got 0"),
        (["--mcse", "0"], "jaxmaxent: --mcse must be a finite number above 0, got 0"),
        (["--max-steps", "0"], "jaxmaxent: --max-steps must be a whole number of at least 1, got 0"),
        (["--max-seconds", "0"], "jaxmaxent: --max-seconds must be a finite number above 0 and below 1e+12, got 0"),
        (["--steps", "50", "--ess", "100"], "give --steps or --ess, not both, got --steps 50 and --ess 100"),
        (
            ["--steps", "50", "--max-seconds", "1"],
            "give --steps or --max-seconds, not both, got --steps 50 and --max-seconds 1",
        ),
        (["--steps", "0"], "jaxmaxent: --steps must be a whole number of at least 1, got 0"),
        (["--steps", "57"], "jaxmaxent: --steps must be a multiple of 5, got 57"),
        (["--burn-in", "-10"], "jaxmaxent: --burn-in must be a whole number of at least 0, got -10"),
        (["--limit", "0"], "jaxmaxent: --limit must be a whole number of at least 1, got 0"),
        (["--unit", "2"], "jaxmaxent: --unit must be one of 0 to 1 or a pair of two of them, got 2"),
        (["--unit=-1"], "jaxmaxent: --unit must be"),
        (["--unit", "1,1"], "jaxmaxent: --unit must be one of 0 to 1 or a pair of two of them, got (1, 1)"),
        (["--letters", "GCAT"], "has no use for letters"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_settings_of_interpret_are_named(work, out, capsys, settings, words):
    refused(capsys, ["interpret", work.model, work.fasta, "--beta", 5, *settings], out, [words])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["--gc", "1.5"], "1.5"),
        (["--gc", "0"], "0"),
        (["--gc", "nan"], "nan"),
        (["--beta=-1"], "jaxmaxent: --beta must be finite ≥ 0, got -1"),
        (["--chains", "1"], "jaxmaxent: --chains must be a whole number of at least 2, got 1"),
        (["--tolerance", "0"], "jaxmaxent: --tolerance must be a finite number above 1e-12 and below 1e+12, got 0"),
        (["--steps", "1"], "jaxmaxent: --steps must be a whole number of at least 10, got 1"),
        (
            ["--steps", "100", "--max-steps", "50"],
            "jaxmaxent: --max-steps must be a whole number of at least 100, got 50",
        ),
        (["--limit", "0"], "jaxmaxent: --limit must be a whole number of at least 1, got 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_settings_of_potential_are_named(work, out, capsys, settings, words):
    refused(capsys, ["potential", work.model, work.fasta, "--beta", 5, "--gc", 0.5, *settings], out, [words])


def numbers():
    """(command, option, a number that it must not be) for every option that is a number."""
    found = [("interpret", "--steps", "57"), ("interpret", "--burn-in", "57"), ("potential", "--burn-in", "57")]
    for name in ("train", "interpret", "motifs", "potential"):
        for option, (kind, _) in options.described(COMMANDS[name].options).items():
            if kind in (int, float) or option == "beta":
                wrong = {"seed": str(10**30), "mu": "inf"}.get(option, "-1")
                found.append((name, f"--{option.replace('_', '-')}", wrong))
    assert len(found) > 20
    return found


@pytest.mark.parametrize(("name", "option", "wrong"), numbers())
def test_every_option_is_refused_under_its_own_name(work, done, out, capsys, name, option, wrong):
    arguments = {"motifs": ["motifs", done], "interpret": ["interpret", work.model, work.fasta, "--beta", 5]}
    refused(
        capsys, [*(commands(work) | arguments)[name], f"{option}={wrong}"], out,
        [f"jaxmaxent: {option} must be ", wrong],
    )  # fmt: skip


TABLES = {
    "empty": (b"", "is empty"),
    "only a header": (b"seq\tlabel\n", "has a header but no row"),
    "labels": (f"seq\tlabel\n{GOOD}\t1\n{GOOD}\tbound\n".encode(), "line 3: the label must be 0 or 1, got 'bound'"),
    "one class": (f"seq\tlabel\n{GOOD}\t1\n{GOOD}\t1\n".encode(), "has only the label 1"),
    "no labels": (f"id\tseq\na\t{GOOD}\n".encode(), "has no labels"),
    "no sequences": (b"id\tlabel\na\t1\n", "has no column called 'seq' or 'sequence'"),
    "letters": (f"seq\tlabel\n{GOOD}\t1\n{GOOD[:-1]}N\t0\n".encode(), "line 3"),
    "unequal": (f"seq\tlabel\n{GOOD}\t1\n{GOOD}A\t0\n".encode(), f"line 2 has {LENGTH} letters and line 3"),
    "one of each class": (f"seq\tlabel\n{GOOD}\t1\n{GOOD}\t0\n".encode(), "at least 2 sequences of every class"),
    "shorter than a filter": (b"seq\tlabel\n" + b"ACGT\t1\nACGG\t0\n" * 9, "length"),
}


@pytest.mark.parametrize("case", TABLES)
def test_bad_training_tables_are_named(tmp_path, out, capsys, case):
    content, words = TABLES[case]
    (tmp_path / "table.tsv").write_bytes(content)
    refused(capsys, ["train", tmp_path / "table.tsv"], out, [words])


def test_bad_settings_of_train_are_named(work, tmp_path, out, capsys):
    short = tmp_path / "short.tsv"
    short.write_text("seq\tlabel\nACGT\t1\nACGG\t0\n")
    (tmp_path / "cut.tsv.gz").write_bytes(gzip.compress(work.table.read_bytes())[:-20])
    refused(capsys, ["train", tmp_path / "cut.tsv.gz"], out, [tmp_path / "cut.tsv.gz", "is cut off"])
    refused(capsys, ["train", work.table, "--valid", short], out, ["length 4", str(LENGTH)])
    refused(capsys, ["train", work.table, "--test", tmp_path / "gone.tsv"], out, ["gone.tsv", "No such file"])
    refused(capsys, ["train", work.table, "--epochs", 0], out, ["--epochs must be a whole number of at least 1, got 0"])
    refused(capsys, ["train", work.table, "--label-column", "bound"], out, ["no column called 'bound'"])


@pytest.mark.parametrize("name", ["train", "interpret", "potential"])
def test_a_seed_that_is_too_large_is_named(work, out, capsys, name):
    refused(capsys, [*commands(work)[name], "--seed", 10**30], out, ["seed"])


def poison(model):
    weights = load_file(model / "weights.safetensors")
    first = sorted(weights)[0]
    weights[first].flat[0] = np.nan
    save_file(weights, model / "weights.safetensors")


CHECKPOINTS = {
    "missing": (shutil.rmtree, ["does not exist"]),
    "nan": (poison, ["must be finite", "1 NaN or infinite"]),
    "foreign folder": (lambda m: (m / "architecture.json").unlink(), ["is not a folder with a saved network"]),
    "foreign format": (lambda m: (m / "architecture.json").write_text('{"format": "keras"}'), ["got 'keras'"]),
    "no json": (lambda m: (m / "architecture.json").write_text("{"), ["cannot be read as JSON"]),
    "no weights": (lambda m: (m / "weights.safetensors").unlink(), ["weights are missing"]),
    "cut weights": (lambda m: (m / "weights.safetensors").write_bytes(b"\x08" * 50), ["is damaged"]),
}


@pytest.mark.parametrize("command", ["interpret", "potential"])
@pytest.mark.parametrize("case", CHECKPOINTS)
def test_bad_checkpoints_are_named(work, tmp_path, out, capsys, case, command):
    change, words = CHECKPOINTS[case]
    model = tmp_path / "model"
    shutil.copytree(work.model, model)
    change(model)
    settings = ["--beta", 5] + ["--gc", 0.5] * (command == "potential")
    refused(capsys, [command, model, work.fasta, *settings], out, [model, *words])


def test_a_file_is_no_checkpoint(work, out, capsys):
    refused(capsys, ["interpret", work.table, work.fasta, "--beta", 5], out, [work.table, "not a folder"])


def commands(work):
    return {
        "train": ["train", work.table, "--epochs", 1],
        "interpret": ["interpret", work.model, work.fasta, "--beta", 5, *TINY],
        "potential": ["potential", work.model, work.fasta, "--beta", 0, "--gc", 0.5, "--quiet"],
        "demo": ["demo"],
    }


@pytest.mark.parametrize("name", ["train", "interpret", "potential", "demo"])
def test_output_that_exists_is_left_alone(work, out, capsys, name):
    if name == "potential":
        out.write_text("before")
    else:
        out.mkdir()
        (out / "thesis.txt").write_text("years of work")
    refused(capsys, commands(work)[name], out, [out, "exists already", "--force"])
    refused(capsys, [*commands(work)[name], "--force"], out, [out, "was not written by jaxmaxent"])


@pytest.mark.parametrize("name", ["train", "interpret", "motifs", "demo"])
def test_a_file_named_like_one_of_ours_makes_nothing_ours(work, done, out, capsys, name):
    out.mkdir()
    for mark in ("summary.json", "architecture.json", "motifs.json", "demo.json"):
        (out / mark).write_text("{}")
    (out / "thesis.txt").write_text("years of work")
    command = commands(work) | {"motifs": ["motifs", done]}
    refused(capsys, [*command[name], "--force"], out, [out, "was not written by jaxmaxent"])


def test_potential_replaces_its_own_file_only(work, out, capsys):
    for text in ("years of work", "{}", "[1]", '{"format": "keras"}', ""):
        out.write_text(text)
        refused(capsys, [*commands(work)["potential"], "--force"], out, [out, "was not written by jaxmaxent"])
    out.write_text('{"format": "jaxmaxent-potential"}')
    assert (
        call(*commands(work)["potential"], "--limit", 1, "--chains", 32, "--steps", 500, "--force", "--out", out) == 0
    )
    assert json.loads(out.read_text())["format"] == "jaxmaxent-potential"


def test_potential_writes_no_file_in_the_place_of_a_folder(work, out, capsys):
    out.mkdir()
    refused(capsys, [*commands(work)["potential"], "--force"], out, [out, "is a folder"])


def test_what_was_written_before_is_left_when_the_next_try_fails(work, done, out, tmp_path, capsys):
    shutil.copytree(done, out)
    (tmp_path / "s.fa").write_bytes(fasta(GOOD + "A"))
    refused(capsys, ["interpret", work.model, tmp_path / "s.fa", "--beta", 5, "--force"], out, ["length"])


@pytest.mark.parametrize("name", ["train", "interpret", "potential", "demo"])
def test_a_place_that_cannot_be_written_is_named(work, tmp_path, capsys, name):
    (tmp_path / "file").write_text("before")
    refused(capsys, commands(work)[name], tmp_path / "file" / "out", [tmp_path / "file" / "out", "cannot be written"])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["explain"],
        ["interpret", "model", "s.fa", "--beta", "5"],
        ["interpret", "model", "s.fa", "--out", "out", "--beta", "high"],
        ["interpret", "model", "s.fa", "--out", "out", "--beta", "auto,40"],
        ["interpret", "model", "s.fa", "--out", "out", "--beta", "information=12,40"],
        ["interpret", "model", "s.fa", "--out", "out", "--beta", "40,"],
        ["interpret", "model", "s.fa", "--out", "out", "--beta", "5", "--unit", "bound"],
        ["interpret", "model", "s.fa", "--out", "out", "--beta", "5", "--unit", "0,1,2"],
        ["interpret", "model", "s.fa", "--out", "out", "--beta", "5", "--chains", "2.5"],
        ["potential", "model", "s.fa", "--out", "out", "--beta", "5"],
        ["train", "table.tsv", "--out", "out", "--architecture", "transformer"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_parsed_exits_with_2(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: jaxmaxent" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- what is broken off


def raising(error):
    def function(*arguments, **settings):
        raise error

    return function


@pytest.mark.parametrize(
    ("module", "function", "command"),
    [
        (train, "train", "train"),
        (train, "write_json", "train"),
        (interpret, "read_for", "interpret"),
        (anchor, "sample", "interpret"),
        (potential, "solve_chemical_potential", "potential"),
        (train, "train", "demo"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.rsplit(".", 1)[1],
)
def test_interrupted_it_leaves_nothing(work, out, monkeypatch, capsys, module, function, command):
    if function == "write_json":  # after a training that takes no time
        monkeypatch.setattr(train, "train", lambda *a, **k: SimpleNamespace(**trained(work)))
    monkeypatch.setattr(module, function, raising(KeyboardInterrupt))
    assert call(*commands(work)[command], "--out", out) == 130
    said = capsys.readouterr()
    assert said.err.splitlines() == ["jaxmaxent: interrupted; nothing was written under its final name"]
    assert not list(out.parent.iterdir())


def trained(work):
    return {
        "network": load(work.model), "history": [], "best_epoch": 0, "stopped_early": False, "compile_seconds": 0.0,
    }  # fmt: skip


def test_a_network_that_fails_while_running_exits_with_1(work, out, monkeypatch, capsys):
    error = NonFiniteEnergyError("the network returned a NaN or infinite energy")
    monkeypatch.setattr(anchor, "sample", raising(error))
    refused(capsys, commands(work)["interpret"], out, ["NaN or infinite energy"], code=1)


def test_a_fault_of_the_program_itself_is_not_taken_for_bad_input(work, out, monkeypatch):
    monkeypatch.setattr(anchor, "sample", raising(AssertionError("a bug")))
    with pytest.raises(AssertionError, match="a bug"):
        call(*commands(work)["interpret"], "--out", out)
    assert not list(out.parent.iterdir())


# --- what goes on until enough is known


EASY = ["--beta", 2, *LADDER, "--rhat", 1.2, "--ess", 40, "--burn-in", 200]


def test_a_run_that_converges_exits_with_0(work, tmp_path, capsys):
    settings = [*EASY, "--mcse", 0.2, "--max-steps", 20000]
    assert call("interpret", work.model, work.fasta, "--out", tmp_path / "out", *settings) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert [line.split(":")[0] for line in said.out.splitlines() if ": converged after" in line] == NAMES
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["converged"], summary["outcome"]) == (True, "converged: 3 of 3 sequences")
    until = {"rhat": 1.2, "ess": 40, "mcse": 0.2, "steps": 20000, "seconds": None}
    assert (summary["settings"]["until"], summary["settings"]["steps"]) == (until, None)
    for row in summary["anchors"]:
        assert row["max_rhat"] <= 1.2 and row["min_ess"] >= 40 and row["steps"] < 20000
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('<p class="outcome soft">Converged after') == 3
    notes = page.split("Please note")[1].split("</ul>")[0]  # of the small β, and nothing else
    assert notes.count("<li>") == 1 and "almost any sequence is equal" in notes


@pytest.mark.parametrize(
    ("limit", "advice"),
    [
        (["--max-steps", 320], "(it was 320)"),
        pytest.param(["--max-seconds", 1e-6], "--max-seconds (it was 1e-06)", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_gives_up_exits_with_3_and_is_written(work, tmp_path, capsys, limit, advice):
    settings = [*EASY, "--ess", 1e6, *limit]
    assert call("interpret", work.model, work.fasta, "--out", tmp_path / "out", *settings) == 3
    assert capsys.readouterr().out.count(": not converged after") == 3
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["converged"] is False
    assert (tmp_path / "out" / "report.html").read_text().count(advice) == 3


def test_a_run_that_its_anchor_contradicts_is_advised_of_a_smaller_beta(done):
    """More steps are no help where everything else is known well enough."""
    run = Run.load(done / "run.npz")
    known = {name: np.full_like(getattr(run, name), 1.001) for name in ("frequency_rhat", "energy_rhat", "field_rhat")}
    known |= {name: np.full_like(getattr(run, name), 1e4) for name in ("frequency_ess", "energy_ess", "field_ess")}
    settings = SimpleNamespace(rungs=4, until=None)
    assert "Take a smaller --beta. The chains agree" in report_rows.advice_of(
        dataclasses.replace(run, **known), 0, settings
    )
    for name, poor in (("energy_rhat", 1.2), ("field_ess", 10.0)):
        few = dataclasses.replace(run, **known | {name: np.full_like(known[name], poor)})
        assert "The chains agree" not in report_rows.advice_of(few, 0, settings)


@pytest.mark.slow
def test_anchors_that_are_taken_in_turn_end_when_each_has_converged(work, tmp_path, monkeypatch):
    monkeypatch.setattr(interpret, "group_size", lambda *_: 1)
    settings = [*EASY, "--beta", 100, "--ess", 150, "--max-steps", 20000]
    call("interpret", work.model, work.fasta, "--out", tmp_path / "out", *settings)
    run = Run.load(tmp_path / "out" / "run.npz")
    assert len(set(run.steps)) > 1
    states = np.isfinite(run.energies[:, 0, 0]).sum(-1)
    assert len(set(states)) > 1 and states.max() == run.energies.shape[-1]


# --- what is kept when it is broken off

# Two sequences in turn, each of a second or so.
# The way of evaluation is named, as each command would time both anew, and they differ by rounding.
LONG = ["--beta", 5, *LADDER, "--steps", 2000, "--burn-in", 100, "--limit", 2, "--evaluation", "incremental"]
LONG += ["--store-every", 500]
IN_TURN = """
import sys
import zlib
from jaxmaxent.cli import main
from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.sampling.host._progress import Progress
interpret.group_size = lambda *_: 1
Progress.advance = lambda *arguments, **numbers: print("block", flush=True)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def kept(out):
    return out.with_name("out.checkpoint")


def assert_same_but_for_times(out, expected):
    found = Run.load(out / "run.npz")
    for name, array in expected._arrays().items():
        other = getattr(found, name)
        assert (other.dtype, other.shape, other.tobytes()) == (array.dtype, array.shape, array.tobytes()), name
    assert (found.names, found.outcomes, found.burn_in) == (expected.names, expected.outcomes, expected.burn_in)


def stop(arguments, kept, group, number):
    """Start a process, send it a signal while it samples the group, and return its exit code and stderr."""
    command = [sys.executable, "-c", IN_TURN, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line == "block\n" and (kept / f"group-{group:06d}").exists():
            break
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.slow
def test_a_process_that_was_stopped_and_killed_is_gone_on_with(work, out, kept, monkeypatch):
    command = ["interpret", work.model, work.fasta, *LONG, "--quiet", "--out"]
    code, said = stop([*command, out], kept, 0, signal.SIGINT)
    assert said.splitlines() == [
        f"jaxmaxent: interrupted; what was sampled is kept in {kept} (0 of 2 sequences are done), "
        f"continue with: jaxmaxent resume {out}"
    ]
    assert code == 130
    assert stop(["resume", out, "--quiet"], kept, 1, signal.SIGKILL)[0] == -signal.SIGKILL
    assert not out.exists()
    assert call("resume", out, "--quiet") in (0, 3)
    assert not kept.exists()
    assert (out / "report.html").is_file()
    monkeypatch.setattr(interpret, "group_size", lambda *_: 1)
    assert call(*command, work.folder / "whole") in (0, 3)
    assert_same_but_for_times(out, Run.load(work.folder / "whole" / "run.npz"))


def after_blocks(monkeypatch, count, act):
    """Call `act` in the middle of the sampling, after so many blocks."""
    advance, blocks = Progress.advance, []

    def advanced(self, *arguments, **numbers):
        advance(self, *arguments, **numbers)
        blocks.append(0)
        if len(blocks) == count:
            act()

    monkeypatch.setattr(Progress, "advance", advanced)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_is_heard_and_the_command_to_go_on_works(work, out, kept, done, monkeypatch, capsys, number, code):
    after_blocks(monkeypatch, 3, lambda: signal.raise_signal(number))
    assert call(*commands(work)["interpret"], "--beta", BETA, "--out", out) == code
    said = capsys.readouterr().err
    assert said == (
        f"jaxmaxent: interrupted; what was sampled is kept in {kept} (0 of 3 sequences are done), "
        f"continue with: jaxmaxent resume {out}\n"
    )
    assert not out.exists()
    assert call(*said.split("jaxmaxent ")[-1].split(), "--quiet") == 3
    assert_same_but_for_times(out, Run.load(done / "run.npz"))
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_what_is_sampled_is_kept_when_the_output_cannot_be_written(work, out, kept, done, monkeypatch, capsys):
    monkeypatch.setattr(write, "write_report", raising(OSError(28, "No space left on device")))
    assert call(*commands(work)["interpret"], "--beta", BETA, "--out", out) == 2
    said = capsys.readouterr().err
    assert said.startswith("jaxmaxent: ") and said.count("\n") == 1
    assert "No space left on device" in said and f"jaxmaxent resume {out}" in said
    assert not out.exists()
    monkeypatch.undo()
    monkeypatch.setattr(anchor, "sample", raising(AssertionError("sampled again")))
    assert call("resume", out, "--quiet") == 3
    assert_same_but_for_times(out, Run.load(done / "run.npz"))


def test_what_is_sampled_is_kept_when_it_cannot_be_saved(work, out, kept, done, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", raising_once_sampled(np.savez_compressed, kept))
        assert call(*commands(work)["interpret"], "--beta", BETA, "--out", out) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"jaxmaxent: {kept / 'group-000000.npz'} cannot be written: No space left on device; what")
    first, sample = Run.load(done / "run.npz").names[0], anchor.sample

    def only_others(*arguments, names, **settings):
        assert first not in names, "sampled from the beginning"
        return sample(*arguments, names=names, **settings)

    monkeypatch.setattr(anchor, "sample", only_others)
    assert call("resume", out, "--quiet") == 3
    assert_same_but_for_times(out, Run.load(done / "run.npz"))


def raising_once_sampled(write, kept):
    def function(*arguments, **settings):
        if kept.exists():
            raise OSError(28, "No space left on device")
        write(*arguments, **settings)

    return function


def interrupted(work, out, monkeypatch):
    with monkeypatch.context() as patch:
        after_blocks(patch, 3, lambda: signal.raise_signal(signal.SIGINT))
        assert call(*commands(work)["interpret"], "--out", out) == 130


def test_an_interrupted_run_is_only_discarded_when_asked_for(work, out, kept, monkeypatch, capsys):
    interrupted(work, out, monkeypatch)
    words = [kept, f"jaxmaxent resume {out}", "--force"]
    refused(capsys, commands(work)["interpret"], out, words)
    assert call(*commands(work)["interpret"], "--force", "--out", out) == 3
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_the_files_it_was_begun_with_are_no_longer_needed(work, out, tmp_path, monkeypatch):
    (tmp_path / "inputs").mkdir()
    here = SimpleNamespace(model=tmp_path / "inputs" / "model", fasta=tmp_path / "inputs" / "s.fa", table=None)
    shutil.copytree(work.model, here.model)
    shutil.copy(work.fasta, here.fasta)
    interrupted(here, out, monkeypatch)
    shutil.rmtree(tmp_path / "inputs")
    moved = out.parent.parent / "moved"
    out.parent.rename(moved)
    assert call("resume", moved / "out", "--quiet") == 3
    assert Run.load(moved / "out" / "run.npz").names == tuple(NAMES)


def test_resume_does_not_replace_what_has_come_meanwhile(work, out, done, monkeypatch, capsys):
    interrupted(work, out, monkeypatch)
    out.mkdir()
    (out / "summary.json").write_text("{}")
    with monkeypatch.context() as patch:  # what would be refused in the end is refused before the sampling
        patch.setattr(anchor, "sample", raising(AssertionError("sampled")))
        patch.setattr(anchor, "resume", raising(AssertionError("sampled")))
        for force, words in (([], "exists already"), (["--force"], "'summary.json' and no valid .jaxmaxent.json")):
            assert call("resume", out, "--quiet", *force) == 2
            assert words in capsys.readouterr().err
    shutil.rmtree(out)
    shutil.copytree(done, out)
    assert call("resume", out, "--quiet", "--force") == 3
    assert Run.load(out / "run.npz").beta[0, -1] == 5
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_second_process_is_refused_and_changes_nothing(work, out, kept, monkeypatch, capsys):
    interrupted(work, out, monkeypatch)
    before = snapshot(out.parent)
    capsys.readouterr()
    with owned(out):
        for command in (["resume", out], [*commands(work)["interpret"], "--force", "--out", out]):
            assert call(*command) == 2
            assert capsys.readouterr().err == (
                f"jaxmaxent: {out} is being written by another process; wait until it ends, or name another place\n"
            )
    assert snapshot(out.parent) == before
    with owned(kept / "group-000000"):
        assert call("resume", out, "--quiet") == 2
        said = capsys.readouterr().err
        assert f"{kept / 'group-000000'} is being written by another process" in said and "delete" not in said
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", raising(OSError(28, "No space left on device")))
        patch.setattr(save, "_SECONDS_BETWEEN_SAVES", 0.0)
        assert call("resume", out, "--quiet") == 2
    said = capsys.readouterr().err
    assert f"{kept / 'group-000000'} cannot be written: No space left on device" in said and "delete" not in said
    assert snapshot(out.parent) == before
    assert call("resume", out, "--quiet") == 3


def test_a_job_killed_in_its_last_step_is_finished(work, out, kept, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(job.Job, "remove", raising(KeyboardInterrupt))
        assert call(*commands(work)["interpret"], "--out", out) == 130
    whole = snapshot(out)
    assert kept.is_dir() and f"jaxmaxent resume {out}" in capsys.readouterr().err
    shutil.copytree(kept, out.parent / "copy")
    for _ in range(2):  # the second time there is nothing left to do
        assert call("resume", out) == 3
        assert "was finished already" in capsys.readouterr().out
        assert snapshot(out) == whole
        assert not kept.exists()
    # The same job beside the output of another is another matter.
    (out.parent / "copy").rename(kept)
    about = json.loads((out / ".jaxmaxent.json").read_text())
    (out / ".jaxmaxent.json").write_text(json.dumps(about | {"notes": {"job": "another"}}))
    assert call("resume", out, "--quiet") == 2
    assert "exists already" in capsys.readouterr().err


def test_files_of_others_beside_a_job_stay(work, out, kept, monkeypatch, capsys):
    interrupted(work, out, monkeypatch)
    (kept / "thesis.doc").write_text("years of work")
    refused(capsys, [*commands(work)["interpret"], "--force"], out, [kept, "thesis.doc was not written by jaxmaxent"])
    assert call("resume", out, "--quiet") == 3
    assert [path.name for path in kept.iterdir()] == ["thesis.doc"]
    refused(capsys, commands(work)["interpret"], out.with_name("out"), [kept])


@pytest.mark.slow
def test_results_go_where_a_link_leads(work, tmp_path, done, monkeypatch):
    for name in ("empty", "fresh"):
        (tmp_path / "link").symlink_to(tmp_path / name)
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert call(*commands(work)["interpret"], "--beta", BETA, "--out", tmp_path / "link") == 3
        assert (tmp_path / "link").is_symlink()
        assert_same_but_for_times(tmp_path / name, Run.load(done / "run.npz"))
        (tmp_path / "link").unlink()
    monkeypatch.chdir(tmp_path / "fresh")
    assert call(*commands(work)["interpret"], "--beta", 2, "--force", "--out", ".") == 3
    assert Run.load("run.npz").beta[0, -1] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "fresh"]


def test_work_is_kept_in_the_folder_where_it_cannot_lie_beside_it(work, out, done, monkeypatch, capsys):
    out.mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path) == out)
    after_blocks(monkeypatch, 3, lambda: signal.raise_signal(signal.SIGINT))
    assert call(*commands(work)["interpret"], "--beta", BETA, "--out", out) == 130
    assert f"kept in {out / '.jaxmaxent-checkpoint'} (" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == [".jaxmaxent-checkpoint"]
    refused(capsys, commands(work)["interpret"], out, [out / ".jaxmaxent-checkpoint", f"jaxmaxent resume {out}"])
    assert call("resume", out, "--quiet") == 3
    assert_same_but_for_times(out, Run.load(done / "run.npz"))
    assert {path.name for path in out.iterdir() if path.name.startswith(".")} == {".jaxmaxent.json"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def rewritten(file, change):
    about = json.loads(file.read_text())
    change(about)
    file.write_text(json.dumps(about))


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def each_array(folder):
    for file in folder.glob("group-000000/*-step-*"):
        file.write_bytes(b"")


KEPT = {
    "missing": (shutil.rmtree, ["does not exist"]),
    "no description": (lambda k: (k / "settings.json").unlink(), ["no valid settings.json"]),
    "no JSON": (lambda k: (k / "settings.json").write_text("{"), ["no valid settings.json"]),
    "a list": (lambda k: (k / "settings.json").write_text("[]"), ["no valid settings.json"]),
    "foreign": (lambda k: rewritten(k / "settings.json", lambda a: a.update(format="x")), ["has format 'x'"]),
    "newer": (lambda k: rewritten(k / "settings.json", lambda a: a.update(format_version=99)), ["version 99"]),
    "another seed": (
        lambda k: rewritten(k / "settings.json", lambda a: a["settings"].update(seed=1)),
        ["settings.json does not have its checksum"],
    ),
    "weights": (
        lambda k: flip(k / "model" / "weights.safetensors"),
        ["weights.safetensors does not have its checksum"],
    ),
    "no weights": (lambda k: (k / "model" / "weights.safetensors").unlink(), ["weights.safetensors is missing"]),
    "anchors": (lambda k: flip(k / "anchors.npz"), ["anchors.npz does not have its checksum"]),
    "no anchors": (lambda k: (k / "anchors.npz").unlink(), ["anchors.npz is missing"]),
    "checkpoint": (each_array, ["group-000000", "damaged", "and so is the one before it; delete"]),
    "group": (lambda k: (k / "group-000000.npz").write_bytes(b"PK"), ["group-000000.npz is damaged", "; delete"]),
}


@pytest.fixture(scope="module")
def broken_off(work, tmp_path_factory):
    out = tmp_path_factory.mktemp("broken") / "out"
    with pytest.MonkeyPatch.context() as patch:
        interrupted(work, out, patch)
    return out.with_name("out.checkpoint")


@pytest.mark.parametrize("case", KEPT)
def test_what_cannot_be_gone_on_with_is_named_and_left(broken_off, out, kept, capsys, case):
    change, words = KEPT[case]
    shutil.copytree(broken_off, kept)
    change(kept)
    before = snapshot(out.parent)
    assert call("resume", out, "--quiet") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("jaxmaxent: ") and said.err.count("\n") == 1, said.err
    for word in [kept, *words]:
        assert str(word) in said.err
    assert snapshot(out.parent) == before


# The list of files is only one of two records of what a job was begun with.
LISTS = {
    "missing": lambda file: file.unlink(),
    "cut off": lambda file: file.write_text(file.read_text()[:-9]),
    "another kind": lambda file: rewritten(file, lambda a: a.update(kind="x")),
    "no kind": lambda file: rewritten(file, lambda a: a.pop("kind")),
    "a file renamed": lambda file: rewritten(file, lambda a: a["files"].update(x=a["files"].pop("anchors.npz"))),
}


@pytest.mark.parametrize("hidden", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", LISTS)
def test_a_damaged_list_of_files_is_told_in_a_line_and_nothing_is_left(
    broken_off, out, kept, monkeypatch, capsys, case, hidden
):
    if hidden:
        out.mkdir()
        kept = out / ".jaxmaxent-checkpoint"
        monkeypatch.setattr("os.path.ismount", lambda path: Path(path) == out)
    shutil.copytree(broken_off, kept)
    LISTS[case](kept / ".jaxmaxent.json")
    assert call("resume", out, "--quiet") == 3
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if ".jaxmaxent.json" in line]
    assert said.out == "" and len(lines) == len(said.err.splitlines()) == (case != "a file renamed")
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert {path.name for path in out.iterdir() if path.name.startswith(".")} == {".jaxmaxent.json"}


def test_a_job_with_a_damaged_list_can_be_discarded_and_is_known_when_half_deleted(work, broken_off, out, kept):
    for left in ([], ["model", "anchors.npz", "group-000000"]):
        shutil.copytree(broken_off, kept)
        (kept / ".jaxmaxent.json").write_text("{")
        for path in (kept / name for name in left):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        discard(kept)
        assert not kept.exists()


def test_output_that_has_a_damaged_list_is_not_taken_for_that_of_a_job(work, done, broken_off, out, kept, capsys):
    shutil.copytree(done, out)
    shutil.copytree(broken_off, kept)
    for change in (lambda about: about.pop("kind"), lambda about: about["notes"].clear()):
        rewritten(out / ".jaxmaxent.json", change)
        (kept / ".jaxmaxent.json").write_text("{")
        assert call("resume", out, "--quiet") == 2
        assert "exists already" in capsys.readouterr().err and kept.is_dir()
        shutil.copy(done / ".jaxmaxent.json", out)


@pytest.mark.slow
def test_a_group_killed_before_its_first_save_begins_anew(broken_off, out, kept):
    shutil.copytree(broken_off, kept)
    for state in kept.glob("group-000000/*-step-*"):
        state.rename(f"{state}.partial")
    assert call("resume", out, "--quiet") == 3
    assert not kept.exists()


def test_a_damaged_checkpoint_is_told_in_a_line_and_the_one_before_it_taken(work, broken_off, out, kept, capsys):
    shutil.copytree(broken_off, kept)
    newest = max(kept.glob("group-000000/*-step-*"))
    flip(newest)
    capsys.readouterr()
    assert call("resume", out, "--quiet") == 3
    said = capsys.readouterr()
    assert said.out == ""  # --quiet prints nothing else
    told = said.err.splitlines()
    assert len(told) == 1 and told[0].startswith(f"the checkpoint {newest} is damaged: ")
    assert told[0].endswith("; going on from the one before it, of step 0")
    assert call(*commands(work)["interpret"], "--out", out.with_name("whole")) == 3
    assert_same_but_for_times(out, Run.load(out.with_name("whole") / "run.npz"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_interrupted_gives_no_advice_that_cannot_be_followed(out, monkeypatch, capsys, number, code):
    monkeypatch.setattr(demo.train, "run", lambda *a, **k: None)
    monkeypatch.setattr(demo, "write_example", lambda *a, **k: None)
    monkeypatch.setattr(demo.interpret, "run", raising(Interrupted("continue with: jaxmaxent resume gone/run", number)))
    assert call("demo", "--out", out, "--quiet") == code
    assert capsys.readouterr().err == "jaxmaxent: interrupted; nothing was written under its final name\n"
    assert not list(out.parent.iterdir())


def test_fixtures_are_what_they_are_taken_for(work):
    """The one-hot array must not equal its own reading in another order, or the test of letter order says nothing."""
    one_hot = np.load(work.npy)
    expected = read_fasta(work.fasta).tokens
    np.testing.assert_array_equal(DNA.from_one_hot(one_hot, "GCAT"), expected)
    assert (DNA.from_one_hot(one_hot, "ACGT") != expected).any()
    assert Path(work.model).is_dir()


@pytest.mark.slow
def test_beta_is_chosen_for_every_sequence_with_its_reason(work, tmp_path):
    out = tmp_path / "run"
    assert call("interpret", work.model, work.fasta, "--out", out, "--beta", "auto", *TINY) == 3
    summary = json.loads((out / "summary.json").read_text())
    betas = [row["beta"] for row in summary["anchors"]]
    assert summary["settings"]["beta"] == pytest.approx(betas)
    assert len(set(betas)) == len(betas)
    for row in summary["anchors"]:
        assert row["beta_reason"].startswith(f"β = {row['beta']:.4g}: by ")
        assert f"{row['beta_reason']}." in (out / "report.html").read_text()
    assert summary["settings"]["beta_rule"] == "auto"
    assert summary["settings"]["beta_wanted"] == 8


def test_the_published_rule_is_an_option_and_every_summary_states_the_bits(work, tmp_path, capsys):
    out = tmp_path / "run"
    assert call("interpret", work.model, work.fasta, "--out", out, "--beta", "median=0.5", *TINY) == 3
    summary, run = json.loads((out / "summary.json").read_text()), Run.load(out / "run.npz")
    told, page = capsys.readouterr().out, (out / "report.html").read_text()
    assert summary["settings"]["beta_rule"] == "median"
    assert summary["settings"]["beta_wanted"] == 0.5
    for a, row in enumerate(summary["anchors"]):
        assert row["beta_reason"].startswith(
            f"β = {row['beta']:.4g}: from the anchor, half of the single-letter changes"
        )
        assert row["total_information_bits"] == pytest.approx(run.total_information[a, -1])
        assert f"{row['total_information_bits']:.1f}" in told
        # A β so small, for a network that has learned nothing, that nothing is held.
        assert row["advice"].startswith("At this β almost any sequence is equal; try β = ")
        assert f"{row['advice']}." in page
        assert f"{row['name']}: {row['advice']}" in told


@pytest.mark.slow
def test_a_choice_of_beta_is_kept_with_the_job(work, tmp_path):
    given = work.model, work.fasta, "--beta", "energy=0.5", *TINY
    assert call("interpret", *given, "--out", tmp_path / "whole") == 3
    opened = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchor, "sample", lambda *a, **k: opened.append(1) or raising(KeyboardInterrupt)())
        assert call("interpret", *given, "--out", tmp_path / "cut") == 130
    assert opened
    assert call("resume", tmp_path / "cut", "--quiet") == 3
    whole, cut = (Run.load(tmp_path / name / "run.npz") for name in ("whole", "cut"))
    np.testing.assert_array_equal(whole.beta, cut.beta)
    np.testing.assert_array_equal(whole.frequencies, cut.frequencies)


SEVERAL = [f"{BETA},40.5", *TINY]


@pytest.fixture(scope="module")
def several(work):
    """The folder that interpret wrote for several β's."""
    out = work.folder / "several"
    assert call("interpret", work.model, work.fasta, "--out", out, "--beta", *SEVERAL, "--pictures", 1) == 3
    return out


def test_every_beta_that_is_asked_for_is_a_rung_and_has_its_numbers(several):
    summary, run = json.loads((several / "summary.json").read_text()), Run.load(several / "run.npz")
    assert (summary["settings"]["beta"], summary["settings"]["rungs_at"]) == (BETA, [40.5])
    for a, row in enumerate(summary["anchors"]):
        asked = row["asked"]
        assert [entry["beta"] for entry in asked] == [40.5, BETA]
        rungs = [entry["rung"] for entry in asked]
        assert run.beta[a, rungs].tolist() == [40.5, BETA] and rungs == sorted(rungs) and rungs[-1] == 3
        for k, entry in zip(rungs, asked, strict=True):
            table = run.frequencies[a, k]
            assert entry["consensus"] == consensus(table, "ACGT")
            np.testing.assert_allclose(entry["information_bits"], information_bits(table), rtol=1e-6)
            assert entry["total_information_bits"] == pytest.approx(run.total_information[a, k])
            assert entry["gc"] == pytest.approx(table[:, 1:3].sum(1).mean(), rel=1e-5)
            assert entry["min_ess"] == pytest.approx(run.min_ess[a, k])
            assert {key: entry[key] for key in ("mean_energy", "max_rhat", "acceptance")} == {
                key: row["ladder"][k][key] for key in ("mean_energy", "max_rhat", "acceptance")
            }
        # The last of them is the target, about which the anchor's own entry says the same.
        assert {key: row[key] for key in asked[-1] if key != "rung"} == {
            k: v for k, v in asked[-1].items() if k != "rung"
        }


def test_every_beta_that_is_asked_for_has_its_logo_and_its_motif(several):
    run = Run.load(several / "run.npz")
    logos = sorted(path.name for path in (several / "logos").iterdir())
    assert logos == [f"0000_a_b_script__beta-{beta}.png" for beta in ("40.5", f"{BETA}")]
    page = (several / "report.html").read_text()
    assert f"Maximum entropy profiles at β = 40.5, {BETA}" in page
    for a in range(3):
        detail = unpacked(page, a)
        assert [detail["beta"][k] for k in detail["offered"]] == [40.5]
    found = {motif.identifier: motif for motif in read_motifs(several / "motifs.meme")}
    expected = {}
    for a in range(3):
        for beta in (40.5, BETA):
            table = run.frequencies[a, run.rung_at(beta, anchor=a)]
            start, stop = informative_window(information_bits(table))
            if stop > start:
                expected[f"{a}_beta-{beta}"] = f"_{start}-{stop}_beta-{beta}", table[start:stop]
    assert expected and found.keys() == expected.keys()
    for identifier, (end, table) in expected.items():
        assert found[identifier].name.endswith(end)
        np.testing.assert_allclose(found[identifier].probabilities, table, atol=1e-8)


def test_several_betas_go_on_where_they_were_interrupted(work, out, several, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        after_blocks(patch, 3, lambda: signal.raise_signal(signal.SIGINT))
        assert call(*commands(work)["interpret"], "--beta", *SEVERAL, "--out", out) == 130
    assert call("resume", out) == 3
    assert f"at β = 40.5, {BETA}, " in capsys.readouterr().out
    assert_same_but_for_times(out, Run.load(several / "run.npz"))
    one, other = (json.loads((folder / "summary.json").read_text())["anchors"][0] for folder in (out, several))
    assert one["asked"] == other["asked"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["40,40"], "--beta must be different numbers above 0 if there are several, got '40,40'"),
        (["0,40"], "--beta must be different numbers above 0 if there are several, got '0,40'"),
        (["nan,40"], "--beta must be different numbers above 0 if there are several, got 'nan,40'"),
        (["40,80", "--rungs", 1], "--rungs must be at least 3 for 2 values of --beta, got 1"),
        (["1,2,3", "--rungs", 3], "--rungs must be at least 4 for 3 values of --beta, got 3"),
        (
            ["40,40.0000001"],
            "--beta must increase and lie between 0 and the smallest β of the ensemble, 40, got [40.0]",
        ),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_several_betas_that_do_not_go_together_are_named(work, out, capsys, settings, words):
    refused(capsys, ["interpret", work.model, work.fasta, "--beta", *settings], out, [f"jaxmaxent: {words}\n"])


@pytest.mark.slow
def test_a_rule_that_wants_too_much_is_named(work, out, capsys):
    assert call("interpret", work.model, work.fasta, "--out", out, "--beta", "energy=2") == 2
    assert "wanted must be a finite number above 0 and below 1, got 2" in capsys.readouterr().err
    assert not list(out.parent.iterdir())


def test_a_word_for_beta_is_named(work, out, capsys):
    with pytest.raises(SystemExit) as stop:
        call("interpret", work.model, work.fasta, "--out", out, "--beta", "sharp")
    assert stop.value.code == 2
    assert 'expected a number, or several such as 40,80, or "auto", "information"' in capsys.readouterr().err
