"""`jaxmaxent export` of a run with known frequencies: every format is read back and compared with the run."""

import dataclasses
import json

import numpy as np
import pytest
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent import analysis
from jaxmaxent.cli import main
from jaxmaxent.data import read_motifs

LENGTH, WINDOW, SITE = 30, (8, 16), "GGCACCTA"
NAMES = ("chr1:100-130(+)", "chr1:120-150(-)", "chr2:7-37(.)")
COMPLEMENTS = {"A": "T", "C": "G", "G": "C", "T": "A"}


def call(*arguments):
    return main([str(argument) for argument in arguments])


def export(run, out, kind, *more):
    return call("export", run, "--format", kind, "--out", out, *more)


@pytest.fixture(scope="module")
def run():
    """A run of three anchors that hold a site in the same window, at β = 0, 10 and 20; one has not converged."""
    rng = np.random.default_rng(1)
    made = made_up(anchor=3, rung=3, position=LENGTH, fields=("GC",), draws=False)
    frequencies = rng.dirichlet(np.full(4, 50), (3, 3, LENGTH))
    frequencies[:, 2, WINDOW[0] : WINDOW[1]] = 0.94 * np.eye(4)[jme.DNA.encode(SITE)] + 0.015
    return dataclasses.replace(
        made,
        names=NAMES,
        beta=np.tile([0.0, 10.0, 20.0], (3, 1)),
        frequencies=frequencies,
        frequency_errors=rng.uniform(0.005, 0.01, frequencies.shape),
        steps=np.array([1000, 2000, 3000]),
    )


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """A folder with what `export` reads of what `interpret` writes."""
    folder = tmp_path_factory.mktemp("export")
    run.save(folder / "run.npz")
    site = {"start": 3, "stop": 9, "redundant": False, "necessity": 2.0, "necessity_error": 0.1, "sufficiency": 1.0}
    other = site | {"start": 20, "stop": 30, "redundant": True, "necessity": 0.0, "sufficiency": 6.0}
    sites = [
        [site | {"sufficiency_error": 0.2}, other | {"sufficiency_error": None}],
        [other | {"sufficiency_error": 0}],
    ]
    rows = [
        {"name": n, "where": {"sites": s, "background_energy": 4.0}} for n, s in zip(NAMES, [*sites, []], strict=True)
    ]
    (folder / "summary.json").write_text(json.dumps({"anchors": rows}))
    return folder


def read_table(path):
    header, *rows = (line.split("\t") for line in path.read_text().splitlines())
    return {name: list(column) for name, column in zip(header, zip(*rows, strict=True), strict=True)}


def numbers(column):
    return [float(cell) if cell else np.nan for cell in column]


def bits(table):
    return 2 + (table * np.log2(table)).sum(-1)


def places(a):
    """The positions of the genome at which the positions of an anchor lie."""
    start, end = (int(end) for end in NAMES[a].split(":")[1].split("(")[0].split("-"))
    return range(end - 1, start - 1, -1) if NAMES[a].endswith("(-)") else range(start, end)


# --- tables


def test_positions_have_information_and_frequencies_with_errors(folder, run, tmp_path, capsys):
    out = tmp_path / "t.tsv"
    assert export(folder, out, "tsv") == 0
    said = capsys.readouterr().out
    assert "90 positions at β = 20; not converged: 1 of 3 sequences (chr1:120-150(-))" in said
    table = read_table(out)
    assert list(table)[:7] == [
        "anchor", "position", "chromosome", "genome_start", "genome_stop", "strand", "letter",
    ]  # fmt: skip
    assert table["anchor"] == list(np.repeat(NAMES, LENGTH))
    assert numbers(table["position"]) == [*range(LENGTH)] * 3
    assert numbers(table["genome_start"]) == [at for a in range(3) for at in places(a)]
    assert numbers(table["genome_stop"]) == [at + 1 for a in range(3) for at in places(a)]
    assert table["strand"] == list(np.repeat(["+", "-", "."], LENGTH))
    assert "".join(table["letter"]) == "".join(jme.DNA.decode(run.anchors))
    assert table["converged"] == list(np.repeat(["true", "false", "true"], LENGTH))
    frequencies, errors = run.frequencies[:, -1].reshape(-1, 4), run.frequency_errors[:, -1].reshape(-1, 4)
    for k, letter in enumerate("ACGT"):
        np.testing.assert_allclose(numbers(table[f"frequency_{letter}"]), frequencies[:, k], rtol=1e-6)
        np.testing.assert_allclose(numbers(table[f"frequency_error_{letter}"]), errors[:, k], rtol=1e-6)
    np.testing.assert_allclose(numbers(table["information"]), bits(frequencies), rtol=1e-6, atol=1e-9)
    wanted = [analysis.profile(run, anchor=a).information_errors for a in range(3)]
    np.testing.assert_allclose(numbers(table["information_error"]), np.concatenate(wanted), rtol=1e-6)


def test_a_table_of_anchors_has_the_numbers_of_the_rung_that_is_asked_for(folder, run, tmp_path):
    assert export(folder, tmp_path / "t.tsv", "tsv", "--what", "anchors", "--beta", 10) == 0
    table = read_table(tmp_path / "t.tsv")
    assert table["anchor"] == list(NAMES) and table["chromosome"] == ["chr1", "chr1", "chr2"]
    assert table["sequence"] == list(jme.DNA.decode(run.anchors)) and table["steps"] == ["1000", "2000", "3000"]
    assert numbers(table["beta"]) == [10.0] * 3
    for name, values in (("energy", run.energy), ("energy_error", run.energy_error), ("max_rhat", run.max_rhat)):
        np.testing.assert_allclose(numbers(table[name]), values[:, 1], rtol=1e-6)
    np.testing.assert_allclose(numbers(table["information"]), run.total_information[:, 1], rtol=1e-6)
    assert table["outcome"] == list(run.outcomes)


def test_windows_and_sites_have_places_and_numbers(folder, run, tmp_path):
    assert export(folder, tmp_path / "w.tsv", "tsv", "--what", "windows") == 0
    table = read_table(tmp_path / "w.tsv")
    assert (table["anchor"], table["start"], table["stop"]) == (list(NAMES), ["8"] * 3, ["16"] * 3)
    assert table["consensus"] == [SITE] * 3
    assert table["genome_start"] == ["108", "134", "15"] and table["genome_stop"] == ["116", "142", "23"]
    wanted = bits(run.frequencies[:, -1, WINDOW[0] : WINDOW[1]]).sum(1)
    np.testing.assert_allclose(numbers(table["information"]), wanted, rtol=1e-6)
    assert export(folder, tmp_path / "s.tsv", "tsv", "--what", "sites") == 0
    table = read_table(tmp_path / "s.tsv")
    assert table["anchor"] == [NAMES[0], NAMES[0], NAMES[1]] and table["kind"] == ["needed", "redundant", "redundant"]
    assert table["genome_start"] == ["103", "120", "120"] and table["genome_stop"] == ["109", "130", "130"]
    letters = jme.DNA.decode(run.anchors)
    assert table["letters"] == [letters[0][3:9], letters[0][20:], letters[1][20:]]
    np.testing.assert_array_equal(numbers(table["necessity"]), [2, 0, 0])
    np.testing.assert_array_equal(numbers(table["sufficiency_error"]), [0.2, np.nan, 0])


@pytest.mark.parametrize("what", ["positions", "anchors", "windows", "sites"])
def test_parquet_has_the_columns_of_the_text(folder, tmp_path, what):
    parquet = pytest.importorskip("pyarrow.parquet", reason='needs pyarrow: pip install "jaxmaxent[parquet]"')
    assert export(folder, tmp_path / "t.parquet", "parquet", "--what", what) == 0
    assert export(folder, tmp_path / "t.tsv", "tsv", "--what", what) == 0
    found, table = parquet.read_table(tmp_path / "t.parquet").to_pydict(), read_table(tmp_path / "t.tsv")
    assert list(found) == list(table)
    for name, column in found.items():
        if isinstance(column[0], float):
            np.testing.assert_allclose(column, numbers(table[name]), rtol=1e-6)
        else:
            assert [str(v).lower() if isinstance(v, bool) else str(v) for v in column] == table[name]


def test_without_coordinates_tables_have_none_and_tracks_have_the_names(run, tmp_path):
    dataclasses.replace(run, names=("a", "b", "c d")).save(tmp_path / "run.npz")
    assert export(tmp_path / "run.npz", tmp_path / "t.tsv", "tsv") == 0
    assert not {"chromosome", "strand"} & set(read_table(tmp_path / "t.tsv"))
    assert export(tmp_path / "run.npz", tmp_path / "t.bed", "bed") == 0
    rows = [line.split("\t")[:3] for line in (tmp_path / "t.bed").read_text().splitlines()[1:]]
    assert rows == [["a", "8", "16"], ["b", "8", "16"], ["c_d", "8", "16"]]


# --- genome browsers


def test_windows_sites_and_motifs_are_bed(folder, run, tmp_path, capsys):
    rows = {}
    for what in ("windows", "sites", "motifs"):
        assert export(folder, tmp_path / f"{what}.bed", "bed", "--what", what) == 0
        first, *lines = (tmp_path / f"{what}.bed").read_text().splitlines()
        assert first.startswith(f"# jaxmaxent: {what} at β = 20, not converged: 1 of 3")
        rows[what] = [line.split("\t") for line in lines]
    share = bits(run.frequencies[0, -1, WINDOW[0] : WINDOW[1]]).mean() / 2
    assert rows["windows"] == [
        ["chr1", "108", "116", SITE, str(round(1000 * share)), "+"],
        ["chr1", "134", "142", SITE, str(round(1000 * share)), "-"],
        ["chr2", "15", "23", SITE, str(round(1000 * share)), "."],
    ]
    assert rows["sites"] == [
        ["chr1", "103", "109", "needed", "500", "+"],
        ["chr1", "120", "130", "redundant", "1000", "+"],
        ["chr1", "120", "130", "redundant", "1000", "-"],
    ]
    (motif,) = analysis.find_motifs(run).motifs
    same = [member.strand for member in sorted(motif.members)]
    assert len(set(same)) == 1
    turned = {"+": "-", "-": "+"}
    assert [row[5] for row in rows["motifs"]] == [same[0], turned[same[0]], same[0]]
    assert [int(row[1]) for row in rows["motifs"]] == [106, 132, 13]  # two positions of flanks
    assert "3 windows at β = 20" in capsys.readouterr().out


def read_bedgraph(path):
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return {(name, int(start)): float(value) for name, start, _, value in rows}


def layered(values, *, errors=False):
    """What every position of the genome holds, from values along anchors, counted one at a time."""
    found = {}
    for a, name in enumerate(NAMES):
        for at, value in zip(places(a), values[a], strict=True):
            found.setdefault((name.split(":")[0], at), []).append(value)
    if errors:
        return {at: np.sqrt(sum(x * x for x in all_)) / len(all_) for at, all_ in found.items()}
    return {at: sum(all_) / len(all_) for at, all_ in found.items()}


def own(run, values):
    return np.array([[row[t] for row, t in zip(*both, strict=True)] for both in zip(values, run.anchors, strict=True)])


def assert_layers(found, wanted):
    assert found.keys() == wanted.keys()
    np.testing.assert_allclose([found[at] for at in wanted], list(wanted.values()), rtol=1e-6, atol=1e-9)


def test_tracks_have_information_heights_and_frequencies(folder, run, tmp_path, capsys):
    table, errors = run.frequencies[:, -1], run.frequency_errors[:, -1]
    spread = np.stack([analysis.profile(run, anchor=a).information_errors for a in range(3)])
    mine, mine_errors = own(run, table), own(run, errors)
    wanted = {
        ("information", ()): layered(bits(table)),
        ("information", ("--error",)): layered(spread, errors=True),
        ("height", ()): layered(bits(table) * mine),
        ("height", ("--error",)): layered(spread * mine + bits(table) * mine_errors, errors=True),
        ("frequency", ()): layered(mine),
        ("frequency", ("--error",)): layered(mine_errors, errors=True),
    }
    for number, ((what, more), layers) in enumerate(wanted.items()):
        out = tmp_path / f"{number}.bedgraph"
        assert export(folder, out, "bedgraph", "--what", what, *more) == 0
        assert_layers(read_bedgraph(out), layers)
    assert "along 3 anchors, at 10 positions the mean of overlapping anchors" in capsys.readouterr().out


@pytest.mark.parametrize("letter", ["A", "G"])
def test_the_frequency_of_a_letter_is_that_of_the_genome(folder, run, tmp_path, letter):
    assert export(folder, tmp_path / "t.bg", "bedgraph", "--what", "frequency", "--letter", letter) == 0
    letters = [letter, COMPLEMENTS[letter], letter]
    values = [run.frequencies[a, -1, :, "ACGT".index(letters[a])] for a in range(3)]
    assert_layers(read_bedgraph(tmp_path / "t.bg"), layered(values))


def test_a_bigwig_has_the_numbers_of_the_bedgraph_whatever_its_name(folder, tmp_path):
    pybigtools = pytest.importorskip("pybigtools", reason='needs pybigtools: pip install "jaxmaxent[tracks]"')
    (tmp_path / "sizes").write_text("chr1\t1000\nchr2\t500\n")
    assert export(folder, tmp_path / "track", "bigwig", "--sizes", tmp_path / "sizes", "--beta", 10) == 0
    assert export(folder, tmp_path / "t.bedgraph", "bedgraph", "--beta", 10) == 0
    (tmp_path / "track").rename(tmp_path / "track.bw")
    reader = pybigtools.open(str(tmp_path / "track.bw"))
    assert reader.chroms() == {"chr1": 1000, "chr2": 500}
    found = {(name, start): value for name in ("chr1", "chr2") for start, _, value in reader.records(name)}
    assert_layers(found, read_bedgraph(tmp_path / "t.bedgraph"))


# --- motifs


def test_motifs_and_windows_are_meme(folder, run, tmp_path):
    assert export(folder, tmp_path / "m.meme", "meme") == 0
    (found,) = read_motifs(tmp_path / "m.meme")
    (motif,) = analysis.find_motifs(run).motifs
    np.testing.assert_allclose(found.probabilities, motif.probabilities, atol=1e-8)
    assert export(folder, tmp_path / "w.meme", "meme", "--what", "windows") == 0
    for a, found in enumerate(read_motifs(tmp_path / "w.meme")):
        assert found.name == f"{NAMES[a]}_8-16"
        np.testing.assert_allclose(found.probabilities, run.frequencies[a, -1, WINDOW[0] : WINDOW[1]], atol=1e-8)


def test_arrays_have_one_hot_letters_and_scores(folder, run, tmp_path):
    one_hot = np.eye(4)[run.anchors].transpose(0, 2, 1)
    table = run.frequencies[:, -1]
    scores = (bits(table)[..., None] * (table - 0.25)).transpose(0, 2, 1)
    assert export(folder, tmp_path / "a.npz", "npz") == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["one_hot"].shape == arrays["scores"].shape == (3, 4, LENGTH)
        np.testing.assert_array_equal(arrays["one_hot"], one_hot)
        np.testing.assert_allclose(arrays["scores"], scores, rtol=1e-5, atol=1e-6)
        assert (tuple(arrays["names"]), str(arrays["letters"])) == (NAMES, "ACGT")
        assert arrays["converged"].tolist() == [True, False, True]
    h5py = pytest.importorskip("h5py", reason='needs h5py: pip install "jaxmaxent[tracks]"')
    assert export(folder, tmp_path / "a.h5", "h5") == 0
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["raw/seq"][:], one_hot)
        np.testing.assert_allclose(file["shap/seq"][:], scores, rtol=1e-5, atol=1e-6)
        assert file["names"].asstr()[:].tolist() == list(NAMES)


# --- what is refused


def test_the_usage_names_what_is_required(capsys):
    with pytest.raises(SystemExit):
        main(["export", "run"])
    assert "usage: jaxmaxent export RUN --format FORMAT --out FILE [options]" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["tsv", "parquet", "bed", "bedgraph", "bigwig", "meme", "h5", "npz"])
def test_only_files_of_this_command_are_replaced(folder, tmp_path, capsys, kind):
    needed = {"parquet": "pyarrow", "bigwig": "pybigtools", "h5": "h5py"}
    if kind in needed:
        pytest.importorskip(needed[kind], reason=f"needs {needed[kind]}")
    out = tmp_path / "out"
    assert export(folder, out, kind) == 0
    whole = out.read_bytes()
    assert export(folder, out, kind) == 2
    assert "exists already" in capsys.readouterr().err
    assert export(folder, out, kind, "--force") == 0
    assert len(out.read_bytes()) == len(whole)
    for other in (b"chr1\t1\t2\n", b"MEME version 4\n\nALPHABET= ACGT\n", b"", b"\xff\xfe\0"):
        out.write_bytes(other)
        assert export(folder, out, kind, "--force") == 2
        assert "was not written by jaxmaxent" in capsys.readouterr().err
        assert out.read_bytes() == other
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone", "--format", "tsv"], "gone"),
        (["{folder}", "--format", "bed", "--what", "positions"], "--what must be windows or sites or motifs for the"),
        (["{folder}", "--format", "npz", "--what", "sites"], "--what must be left out for the format npz, got 'sites'"),
        (["{folder}", "--format", "tsv", "--error"], "--error must be left out except for bedgraph and bigwig"),
        (["{folder}", "--format", "bigwig", "--letter", "A"], "--letter must be left out except for what frequency"),
        (
            ["{folder}", "--format", "bedgraph", "--what", "frequency", "--letter", "N"],
            "--letter must be one of 'ACGT'",
        ),
        (["{folder}", "--format", "bedgraph", "--sizes", "x"], "--sizes must be left out except for bigwig, got 'x'"),
        (["{folder}", "--format", "tsv", "--beta", "15"], "--beta must be that of a rung of the anchor, 0, 10, 20"),
        (["{folder}/run.npz", "--format", "tsv", "--what", "sites"], "must be a folder that `interpret` wrote"),
    ],
)
def test_bad_options_are_one_sentence(folder, tmp_path, capsys, arguments, words):
    filled = [argument.format(folder=folder) for argument in arguments]
    assert call("export", *filled, "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    assert said.err.startswith("jaxmaxent: ") and said.err.count("\n") == 1 and words in said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        ("{", "cannot be read for sites"),
        ('{"anchors": []}', "cannot be read for sites: it is of other anchors than the run"),
        ("{}", "the entry 'anchors' is missing"),
    ],
)
def test_a_summary_that_does_not_fit_is_refused(folder, run, tmp_path, capsys, summary, words):
    (tmp_path / "run").mkdir()
    run.save(tmp_path / "run" / "run.npz")
    (tmp_path / "run" / "summary.json").write_text(summary)
    assert export(tmp_path / "run", tmp_path / "out", "bed", "--what", "sites") == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_motifs_nothing_is_written(run, tmp_path, capsys):
    flat = dataclasses.replace(run, frequencies=np.full_like(run.frequencies, 0.25))
    flat.save(tmp_path / "run.npz")
    for what in ("motifs", "windows"):
        assert export(tmp_path / "run.npz", tmp_path / "out", "meme", "--what", what) == 2
        assert f"has no {what} to write: no " in capsys.readouterr().err
    assert export(tmp_path / "run.npz", tmp_path / "out.bed", "bed") == 0
    assert len((tmp_path / "out.bed").read_text().splitlines()) == 1
    assert not (tmp_path / "out").exists()
