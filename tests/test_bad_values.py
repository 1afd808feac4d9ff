"""Every argument of the public functions with values of every kind: one sentence as ValueError, or an answer."""

import contextlib
import importlib
import os
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from contract import Reached, declined_or_returned
from flax import nnx

import jaxmaxent as jme
from annotations import unchecked
from jaxmaxent import analysis, data, models
from jaxmaxent.data import Sequences
from problems import Problem

ODD = [
    None, True, -1, 0, 10**30, -(2**70), 1.5, float("nan"), float("inf"), 1e300, "", "x", "a\0b", "x" * 300, "ÄÖ",
    b"x", [], [1, 2, 3], ["A"], [[1], [2, 3]], {}, set(), object(), len, 1j, np.float32(2), np.array([]),
    np.array([np.nan]), np.zeros((3, 3, 3)), np.array(["ACGT"]), np.array([{}], object),
]  # fmt: skip
LENGTH = 12


def reached(*_, **__):
    raise Reached


def and_deleted(write):
    """A function that writes a file, and deletes it again."""

    def call(path, **arguments):
        write(path, **arguments)
        if isinstance(path, str):
            os.unlink(path)

    return call


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """What functions are given where it is not odd."""
    folder = tmp_path_factory.mktemp("values")
    problem, rng = Problem(length=4, mus=(0.3, -0.2)), np.random.default_rng(0)
    ensemble = problem.ensemble(anchor=problem.states[[3, 77, 200]])
    run = jme.sample(
        jax.random.key(0), ensemble, ladder=3, chains=4, target_replicas=2, steps=60, burn_in=20, store_every=20,
        progress=False,
    )  # fmt: skip
    tokens = rng.integers(0, 4, (8, LENGTH), dtype=np.uint8)
    sequences = Sequences(tokens, tuple(f"chr1:{i}-{i + LENGTH}(+)" for i in range(8)))
    data.write_fasta(folder / "s.fa", sequences)
    (folder / "t.tsv").write_text("seq\tlabel\n" + "".join(f"{s}\t0\n" for s in jme.DNA.decode(tokens)))
    (folder / "b.bed").write_text("chr1\t50\t60\n")
    (folder / "g.fa").write_text(">chr1\n" + "ACGT" * 50 + "\n")
    np.save(folder / "s.npy", np.eye(4)[tokens])
    motifs = [data.Motif(f"m{i}", f"{i}", rng.dirichlet(np.ones(4), 5)) for i in range(2)]
    data.write_meme(folder / "m.meme", motifs)
    network = models.MLPArchitecture(length=LENGTH, hidden=(4,)).build(nnx.Rngs(0))
    models.save(network, folder / "model")
    return SimpleNamespace(**{k: v for k, v in locals().items() if k != "tmp_path_factory"})


def calls(t):
    """Each public function and arguments that it takes, by the names of the arguments."""
    key, folder, draws = jax.random.key(0), t.folder, t.rng.integers(0, 4, (6, 20, 40)).astype(np.uint8)
    run, ensemble, network = {"run": t.run}, {"ensemble": t.ensemble}, models.representation(t.network)
    here, read = {"anchor": 0, "rung": None}, {"alphabet": jme.DNA, "limit": None, "skip_invalid": False}
    first, second = (analysis.profile(t.run, anchor=a) for a in (0, 1))
    means = {name: t.rng.random(5) for name in ("count", "error", "background", "background_sd")}
    labels = np.arange(32) % 2
    return {
        "Ensemble": (
            lambda representation, anchor, **k: jme.Ensemble.create(representation, anchor, **k),
            {"representation": network, "anchor": t.tokens[:2], "beta": 1.0, "unit": None, "weights": None,
             "distance": "euclidean", "fields": [], "fixed": None, "alphabet": jme.DNA},
        ),
        "together": (
            jme.together, {"ensembles": [t.ensemble, t.ensemble], "beta": 1.0, "how": "max", "scales": [1.0, 2.0]},
        ),
        "contrast": (
            jme.contrast,
            {"equal": t.ensemble, "different": t.ensemble, "beta": 1.0, "strength": 1.0, "far": 1.0,
             "scales": [1.0, 2.0]},
        ),
        "Representation": (
            lambda **k: jme.Ensemble.create(jme.Representation(**k), t.tokens[0], beta=1.0),
            {"features": lambda params, x: x.reshape(-1), "params": None, "head": None, "alphabet": None},
        ),
        "with_beta": (t.ensemble.with_beta, {"beta": 1.0}),
        "with_mu": (t.ensemble.with_mu, {"mu": 1.0, "field": 0}),
        "take": (t.ensemble.take, {"indices": [0]}),
        "sample": (
            lambda key, ensemble, **k: unchecked(jme.sample)(key, ensemble, progress=False, **k),
            {"key": key, **ensemble, "ladder": 3, "rungs_at": (1.0,), "chains": 2, "target_replicas": 2,
             "anchor_chains": 1, "until": None, "steps": 60, "burn_in": 20, "thin": 5, "store_every": 20,
             "kmers": 2, "start": "background", "rule": None, "evaluation": "full", "names": None, "mesh": None},
        ),
        "resume": (
            lambda checkpoint, ensemble, **k: jme.resume(checkpoint, ensemble, progress=False, **k),
            {"checkpoint": "gone", **ensemble, "rule": None, "mesh": None},
        ),
        "Precision": (jme.Precision, {"rhat": 1.1, "ess": 10, "mcse": 0.1, "steps": 100, "seconds": 1.0}),
        "Alphabet": (jme.Alphabet, {"letters": "ACGT", "any_letter": "N", "complements": "TGCA"}),
        "decode": (jme.DNA.decode, {"tokens": t.tokens}),
        "from_one_hot": (jme.DNA.from_one_hot, {"one_hot": np.eye(4), "letters": "ACGT"}),
        "composition": (jme.composition, {"letters": "GC", "mu": 1.0, "alphabet": jme.DNA}),
        "dinucleotide": (jme.dinucleotide, {"pair": "GC", "mu": 1.0, "alphabet": jme.DNA}),
        "position_prior": (jme.position_prior, {"table": np.zeros((LENGTH, 4)), "mu": 1.0}),
        "motif_count": (
            jme.motif_count,
            {"motif": np.eye(4), "mu": 1.0, "threshold": 1.0, "softness": 0.0, "both_strands": None, "name": "motif",
             "alphabet": jme.DNA},
        ),
        "codons": (
            jme.codons, {"scores": {"TAA": -1.0}, "mu": 1.0, "frame": 0, "name": "codons", "alphabet": jme.DNA},
        ),
        "count": (jme.count, {"function": len, "mu": 1.0, "name": "count"}),
        "read_fasta": (data.read_fasta, {"path": folder / "s.fa", **read, "length": None, "labels_in_header": None}),
        "read_table": (
            data.read_table,
            {"path": folder / "t.tsv", **read, "length": None, "sequence_column": None, "label_column": None},
        ),
        "read_sequences": (
            data.read_sequences,
            {"path": folder / "t.tsv", **read, "letters": None, "length": None, "sequence_column": None,
             "label_column": None, "labels_in_header": None},
        ),
        "read_one_hot": (data.read_one_hot, {"path": folder / "s.npy", "letters": "ACGT", **read}),
        "read_windows": (
            data.read_windows,
            {"genome_path": folder / "g.fa", "intervals": folder / "b.bed", "length": 5, "offset": 0, "center": None,
             **read},
        ),
        "region_of": (data.region_of, {"name": "chr1:5-9(+)", "length": 4}),
        "Region.part": (data.Region("chr1", 5, 9).part, {"start": 0, "stop": 2}),
        "read_motifs": (data.read_motifs, {"path": folder / "m.meme", "alphabet": jme.DNA}),
        "write_fasta": (
            lambda path, sequences: data.write_fasta("/dev/null" if isinstance(path, str) else path, sequences),
            {"path": "/dev/null", "sequences": t.sequences},
        ),
        "write_track": (
            and_deleted(data.write_track),
            {"path": "t.bedgraph", "names": ["chr1:5-9"], "values": np.ones((1, 4)), "errors": False,
             "sizes": {"chr1": 9}, "force": False},
        ),
        "write_bed": (
            and_deleted(data.write_bed),
            {"path": "t.bed", "names": ["chr1:5-9"], "intervals": [(0, 1, 2, "a", 0.5, "+")], "length": 4},
        ),
        "split_by_chromosome": (data.split_by_chromosome, {"windows": t.sequences, "held_out": "chr1"}),
        "load": (models.load, {"path": folder / "model"}),
        "read_metadata": (models.read_metadata, {"path": folder / "model"}),
        "predict": (models.predict, {"network": t.network, "tokens": t.tokens}),
        "train": (
            lambda key, architecture, tokens, labels, **k: models.train(
                key, architecture, tokens, labels, progress=False, **k
            ),
            {"key": key, "architecture": t.network.architecture, "tokens": np.concatenate([t.tokens] * 4),
             "labels": labels, "validation": None, "validation_fraction": 0.25, "epochs": 1, "batch_size": 8,
             "learning_rate": 0.1, "weight_decay": 0.1, "monitor": "loss", "patience": 1, "class_weights": None},
        ),
        "Run.load": (jme.Run.load, {"path": folder / "gone.npz"}),
        "Run.rung_at": (t.run.rung_at, {"beta": 0.0, "anchor": 0}),
        "Run.save": (t.run.save, {"path": "/dev/null/x.npz"}),
        "auto_beta": (analysis.auto_beta, ensemble),
        "beta_by_acceptance": (analysis.beta_by_acceptance, {**ensemble, "target": 0.1}),
        "beta_by_median": (analysis.beta_by_median, {**ensemble, "survival": 0.1}),
        "beta_at_energy": (analysis.beta_at_energy, {**run, "energy": float(t.run.energy[0, 1]), "anchor": 0}),
        "thermodynamics": (analysis.thermodynamics, {**run, "anchor": 0}),
        "thermodynamic_integration": (analysis.thermodynamic_integration, {**run, "anchor": 0}),
        "sequences_within": (analysis.sequences_within, {**run, "energy": [0.1], "anchor": 0}),
        "solve_chemical_potential": (
            lambda key, ensemble, target, **k: analysis.solve_chemical_potential(
                key, ensemble, target, progress=False, **k
            ),
            {"key": key, **ensemble, "target": 0.4, "field": t.ensemble.fields[0].name, "tolerance": 0.1, "ladder": 3,
             "chains": 2, "steps": 100, "max_steps": 200, "burn_in": 10},
        ),
        "composition_shift": (analysis.composition_shift, {**run, "field": 0, "ensemble": None, "rung": None}),
        "shift_over_anchors": (analysis.shift_over_anchors, {**means, "length": 12, "own": None}),
        "find_motifs": (
            analysis.find_motifs,
            {"profiles": t.run, "errors": None, "names": None, "alphabet": None, "rung": None, "threshold": 0.25,
             "least": 4.0, "gap": 8, "flank": 2, "similarity": 0.6},
        ),
        "match_motifs": (
            lambda queries, targets, **k: analysis.match_motifs(queries, targets, **k),
            {"queries": t.motifs, "targets": t.motifs, "best": 3, "alphabet": jme.DNA},
        ),
        "draw_motifs": (
            analysis.draw_motifs,
            {**run, **here, "size": 3, "fdr": 0.05, "least": 0.5, "excess": 0.1, "most": 2, "flank": 1,
             "threshold": 0.1, "known": t.motifs, "ensemble": None, "key": None, "alphabet": None},
        ),
        "enriched_kmers": (
            analysis.enriched_kmers,
            {**run, **here, "size": 3, "fdr": 0.05, "least": 0.5, "ensemble": None, "key": None, "alphabet": None},
        ),
        "insertion_effects": (
            analysis.insertion_effects,
            {"key": key, **ensemble, "motifs": ["AC"], "designs": [[analysis.Insertion(0, 1)]], "anchor": 0,
             "of": "energy", "draws": 4},
        ),
        "grammar": (
            analysis.grammar,
            {**run, "motifs": [data.Motif("m", "m", np.eye(4)[[0, 2, 1]])], **here, "ensemble": t.ensemble,
             "by_chance": None, "level": 0.8, "false": 0.05},
        ),
        "shared_requirements": (
            analysis.shared_requirements,
            {"grammars": [analysis.grammar(t.run, motifs=[data.Motif("m", "m", np.eye(4)[[0, 2, 1]])])] * 2},
        ),
        "couplings": (
            analysis.couplings,
            {"draws": draws, **here, "letters": "ACGT", "window": None, "shuffles": 5, "strongest": 3},
        ),
        "pair_frequencies": (analysis.pair_frequencies, {"draws": draws, **here, "letters": "ACGT", "window": None}),
        "kmer_profile": (
            analysis.kmer_profile, {"draws": t.run, "kmers": "AC", **here, "letters": "ACGT", "center": None},
        ),
        "stored_draws": (analysis.stored_draws, {**run, **here}),
        "periodicity": (
            analysis.periodicity,
            {"profiles": analysis.kmer_profile(draws, "AC"), "periods": (5.0, 12.0), "within": None, "detrend": 1,
             "window": "flat", "shuffles": 19, "seed": 0},
        ),
        "necessity": (analysis.necessity, {**ensemble, "width": 2, "draws": 4, "key": key}),
        "sufficiency": (analysis.sufficiency, {**ensemble, "width": 2, "draws": 4, "key": key}),
        "find_sites": (
            analysis.find_sites,
            {"necessity": analysis.necessity(t.ensemble, 2), "sufficiency": analysis.sufficiency(t.ensemble, 2),
             "share": 0.1, "errors": 4.0},
        ),
        "pinned_profile": (
            lambda key, ensemble, **k: analysis.pinned_profile(
                key, ensemble, **{"steps": 60, "ladder": 3, "chains": 2, "burn_in": 20} | k
            ),
            {"key": key, **ensemble, "width": 2, "stride": 2, "until": None, "steps": 60},
        ),
        "profile": (analysis.profile, {**run, **here, "any_letter": "N", "background": None}),
        "compare_profiles": (
            analysis.compare_profiles, {"first": first, "second": second, "level": 0.05, "degrees": 30.0},
        ),
        "background_frequencies": (analysis.background_frequencies, ensemble),
        "position_table": (analysis.position_table, {**run, "rung": None}),
        "anchor_table": (analysis.anchor_table, {**run, "rung": None}),
        "letter_scores": (analysis.letter_scores, {**run, "rung": None}),
        "localization": (
            analysis.localization, {"scores": t.rng.random((8, 12)), "sites": [[(2, 4)]] * 8, "width": None},
        ),
    }  # fmt: skip


NAMES = [
    "together",
    "contrast",
    "Ensemble",
    "Representation",
    "with_beta",
    "with_mu",
    "take",
    "sample",
    "resume",
    "Precision",
    "Alphabet",
    "decode",
    "from_one_hot",
    "composition",
    "dinucleotide",
    "position_prior",
    "motif_count",
    "codons",
    "count",
    "read_fasta",
    "read_table",
    "read_sequences",
    "read_one_hot",
    "read_windows",
    "region_of",
    "Region.part",
    "read_motifs",
    "write_fasta",
    "write_track",
    "write_bed",
    "split_by_chromosome",
    "load",
    "read_metadata",
    "predict",
    "train",
    "Run.load",
    "Run.rung_at",
    "Run.save",
    "auto_beta",
    "beta_by_acceptance",
    "beta_by_median",
    "beta_at_energy",
    "thermodynamics",
    "thermodynamic_integration",
    "sequences_within",
    "solve_chemical_potential",
    "composition_shift",
    "shift_over_anchors",
    "find_motifs",
    "match_motifs",
    "draw_motifs",
    "enriched_kmers",
    "insertion_effects",
    "grammar",
    "shared_requirements",
    "couplings",
    "pair_frequencies",
    "kmer_profile",
    "stored_draws",
    "periodicity",
    "necessity",
    "sufficiency",
    "find_sites",
    "pinned_profile",
    "profile",
    "compare_profiles",
    "background_frequencies",
    "position_table",
    "anchor_table",
    "letter_scores",
    "localization",
]


@pytest.fixture(scope="module")
def functions(things):
    return calls(things)


def test_all_functions_are_tried(functions):
    assert set(NAMES) == set(functions)


# Of the values a quarter for each argument, another one for the next; all of them take half a minute more.
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_arguments_of_any_value(functions, tmp_path, monkeypatch, name, every):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.import_module("jaxmaxent.sampling._begin"), "first_tokens", reached)
    monkeypatch.setattr("jaxmaxent.models._training._Fit.run", reached)
    call, good = functions[name]
    # Some of them write, or have nothing to read.
    if name not in (
        "resume",
        "write_fasta",
        "Run.load",
        "Run.save",
        "split_by_chromosome",
    ):  # which write or have nothing to read
        with contextlib.suppress(Reached):
            call(**good)
    wrong, refusals = [], 0
    for number, argument in enumerate(good):
        for value in ODD[(len(name) + number) % every :: every]:
            try:
                refusals += declined_or_returned(lambda: call(**good | {argument: value}), tmp_path)  # noqa: B023
            except Exception as error:
                wrong.append(f"{argument}={value!r:.40}: {type(error).__name__}: {error!s:.200}")
    assert not wrong, "\n".join([f"{len(wrong)} wrong", *wrong])
    assert refusals > len(ODD) // (2 * every)
